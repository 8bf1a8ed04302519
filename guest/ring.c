#include "guest/ring.h"

#include <stdatomic.h>
#include <string.h>

// Where the parts of the ring lie in its memory, each on a cache line of its own.
enum {
    HEAD = 0,
    TAIL = 64,
    STATUS = 128,
    BUFFER = 192,
    DEFAULT_BUFFER = 128 << 10,
    SHARED_SIZE = 2 << 20, // of the memory for answers and large commands, at first
    REPLIES = 32 << 10,    // answers lie one behind another up to here, and then at the start again
    UNSEEN = 2048,         // bytes of recorded commands that the host need not see yet
    PAGE = 4096,
};

enum {
    STATUS_IDLE = 1,
    STATUS_FATAL = 2,
    STATUS_ALIVE = 4,
};

// How long the host's side of the ring looks for more before it sleeps. While it may still be
// awake it need not be woken again.
#define IDLE_TIMEOUT_NS 1000000u
// How often a wait asks the transport whether the host still lives.
#define PROBE_NS 500000000u
// A thread of the host says ALIVE this often, whatever the ring's own thread waits for. A transport
// need not notice that the host's side of a context has died; its silence does.
#define ALIVE_PERIOD_US 3000000u
#define SILENCE_NS 20000000000u

uint64_t guest_new_id(void)
{
    static atomic_uint_least64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static void lock(struct guest_ring *ring)
{
    if (ring->system->lock)
        ring->system->lock(ring->system->context);
}

static void unlock(struct guest_ring *ring)
{
    if (ring->system->unlock)
        ring->system->unlock(ring->system->context);
}

static int lose(struct guest_ring *ring, const char *reason)
{
    if (!ring->lost && ring->system->log)
        ring->system->log(ring->system->context, reason);
    ring->lost = true;
    return GUEST_ERROR_LOST;
}

static _Atomic(uint32_t) *word(struct guest_ring *ring, uint32_t offset)
{
    return (_Atomic(uint32_t) *)((uint8_t *)ring->memory.address + offset);
}

static uint64_t identify(void *context, enum wire_handle type, uint64_t handle)
{
    return type <= WIRE_HANDLE_DEVICE_MEMORY ? ((const struct guest_object *)(uintptr_t)handle)->id
                                             : handle;
}

// ---- the context's own stream ---------------------------------------------

// A few small commands of the protocol go here: they are about rings.
static int submit(struct guest_ring *ring, enum wire_command command, void *args, uint32_t timeline,
                  uint64_t *fence)
{
    _Alignas(8) uint8_t bytes[256];
    struct wire_call call = {.number = command, .args = args};
    struct wire_encoder encoder = {.cursor = bytes, .end = bytes + sizeof(bytes)};
    if (!wire_encode_request(&encoder, &call))
        return GUEST_ERROR_UNSUPPORTED;
    int error = ring->transport->calls->submit(ring->transport, bytes,
                                               (size_t)(encoder.cursor - bytes), timeline, fence);
    return error == GUEST_ERROR_LOST ? lose(ring, "the host has given the context up") : error;
}

static uint64_t ring_id(const struct guest_ring *ring)
{
    return (uint64_t)(uintptr_t)ring;
}

// The host's thread may have gone to sleep before it saw the new tail. It stores IDLE and then
// looks at the tail; we store the tail and then look at IDLE.
static int wake(struct guest_ring *ring)
{
    if (!(atomic_load(word(ring, STATUS)) & STATUS_IDLE))
        return 0;
    uint64_t now = ring->system->now(ring->system->context);
    if (ring->notified_at && now - ring->notified_at < IDLE_TIMEOUT_NS)
        return 0;
    ring->notified_at = now;
    struct wire_args_vkNotifyRingMESA args = {.ring = ring_id(ring), .seqno = ring->tail};
    return submit(ring, WIRE_vkNotifyRingMESA, &args, 0, NULL);
}

// ---- waiting --------------------------------------------------------------

struct patience {
    uint64_t probed_at, heard_at; // 0: not begun
};

// Is there anybody who may still take what was written?
static int check_host(struct guest_ring *ring, struct patience *patience)
{
    uint32_t status = atomic_load(word(ring, STATUS));
    if (status & STATUS_FATAL)
        return lose(ring, "the host has given the context up");
    int error = wake(ring);
    if (error)
        return error;
    uint64_t now = ring->system->now(ring->system->context);
    if (!patience->heard_at || status & STATUS_ALIVE) {
        atomic_fetch_and(word(ring, STATUS), ~(uint32_t)STATUS_ALIVE);
        patience->heard_at = now;
    }
    if (now - patience->heard_at > SILENCE_NS)
        return lose(ring, "the host has not been heard of for 20 seconds");
    if (!patience->probed_at)
        patience->probed_at = now;
    if (now - patience->probed_at > PROBE_NS) {
        patience->probed_at = now;
        if (ring->transport->calls->submit(ring->transport, NULL, 0, 0, NULL))
            return lose(ring, "the host is gone");
    }
    return 0;
}

// The host may take all that was written.
static int publish(struct guest_ring *ring)
{
    if (ring->published == ring->tail)
        return 0;
    ring->published = ring->tail;
    atomic_store(word(ring, TAIL), ring->tail);
    return wake(ring);
}

// Until at most `left` bytes of what was written are still to be taken. The host's line of memory
// is looked at only if what was seen there last does not do.
static int drain(struct guest_ring *ring, uint32_t left)
{
    struct patience patience = {0};
    if (ring->tail - ring->head <= left)
        return 0;
    int lost = publish(ring);
    if (lost)
        return lost;
    for (uint32_t round = 0;; round++) {
        uint32_t head = atomic_load_explicit(word(ring, HEAD), memory_order_acquire);
        if (ring->tail - head > ring->buffer_size)
            return lose(ring, "the head of the ring is beyond its tail");
        ring->head = head;
        if (ring->tail - head <= left)
            return 0;
        int error = round < 64 ? 0 : check_host(ring, &patience);
        if (error)
            return error;
        ring->system->relax(ring->system->context, round);
    }
}

static int put(struct guest_ring *ring, const uint8_t *bytes, uint32_t size)
{
    int error = drain(ring, ring->buffer_size - size);
    if (error)
        return error;
    uint8_t *buffer = (uint8_t *)ring->memory.address + BUFFER;
    uint32_t at = ring->tail & (ring->buffer_size - 1);
    uint32_t first = ring->buffer_size - at < size ? ring->buffer_size - at : size;
    memcpy(buffer + at, bytes, first);
    memcpy(buffer, bytes + first, size - first);
    ring->tail += size;
    return 0;
}

// ---- shared memory --------------------------------------------------------

static int blob_make(struct guest_ring *ring, uint64_t size, struct guest_blob *blob)
{
    const struct guest_transport_calls *calls = ring->transport->calls;
    memset(blob, 0, sizeof(*blob));
    int error = calls->blob_create(ring->transport, 0, (size + PAGE - 1) & ~(uint64_t)(PAGE - 1),
                                   GUEST_BLOB_MAPPABLE, blob);
    if (error)
        return error;
    error = calls->blob_map(ring->transport, blob);
    if (error)
        calls->blob_free(ring->transport, blob);
    return error;
}

// A larger one in place of a smaller one, which nobody uses any more: the ring is drained.
static int blob_grow(struct guest_ring *ring, uint64_t size, struct guest_blob *blob)
{
    if (blob->resource && blob->size >= size)
        return 0;
    if (size > UINT32_MAX)
        return GUEST_ERROR_MEMORY;
    struct guest_blob larger;
    int error = drain(ring, 0);
    if (!error)
        error = blob_make(ring, size, &larger);
    if (error)
        return error;
    if (blob->resource)
        ring->transport->calls->blob_free(ring->transport, blob);
    *blob = larger;
    return 0;
}

// ---- commands -------------------------------------------------------------

// Makes room for an answer. Answers lie one behind another, as the host writes them; only where the
// next one goes elsewhere is it told so, by a command in front.
static int make_room(struct guest_ring *ring, uint64_t size, bool *rewind)
{
    if (!ring->reply.resource || ring->reply.size < size) {
        ring->reply_set = false;
        int error = blob_grow(ring, size > SHARED_SIZE ? size : SHARED_SIZE, &ring->reply);
        if (error)
            return error;
    }
    *rewind = !ring->reply_set || ring->reply_used > REPLIES ||
              ring->reply.size - ring->reply_used < size;
    return 0;
}

static bool encode_rewind(const struct guest_ring *ring, struct wire_encoder *encoder)
{
    struct wire_args_vkSeekReplyCommandStreamMESA seek = {.position = 0};
    VkCommandStreamDescriptionMESA stream = {
        .resourceId = ring->reply.resource, .offset = 0, .size = ring->reply.size};
    struct wire_args_vkSetReplyCommandStreamMESA set = {.pStream = &stream};
    struct wire_call call = {.number = WIRE_vkSeekReplyCommandStreamMESA, .args = &seek};
    if (!ring->reply_set)
        call = (struct wire_call){.number = WIRE_vkSetReplyCommandStreamMESA, .args = &set};
    return wire_encode_request(encoder, &call);
}

// Says where the answer goes, if need be, and then the command.
static bool encode(const struct guest_ring *ring, const struct wire_call *call, bool rewind,
                   struct wire_encoder *encoder)
{
    if (rewind && !encode_rewind(ring, encoder))
        return false;
    encoder->identify = identify;
    return wire_encode_request(encoder, call);
}

// A command that does not fit the ring lies in memory of its own, and the ring says where. Such
// commands lie one behind another there too; what was at the start has been read once the ring is
// empty.
static int put_large(struct guest_ring *ring, const struct wire_call *call, bool rewind)
{
    uint64_t size = wire_measure_request(call);
    if (size > UINT32_MAX)
        return size == UINT64_MAX ? GUEST_ERROR_UNSUPPORTED : GUEST_ERROR_MEMORY;
    if (!ring->upload.resource || ring->upload.size - ring->upload_used < size) {
        int error = drain(ring, 0);
        if (!error)
            error = blob_grow(ring, size > SHARED_SIZE ? size : SHARED_SIZE, &ring->upload);
        if (error)
            return error;
        ring->upload_used = 0;
    }
    uint8_t *start = (uint8_t *)ring->upload.address + ring->upload_used;
    struct wire_encoder encoder = {.cursor = start, .end = start + size, .identify = identify};
    if (!wire_encode_request(&encoder, call))
        return GUEST_ERROR_UNSUPPORTED;
    VkCommandStreamDescriptionMESA stream = {
        .resourceId = ring->upload.resource, .offset = ring->upload_used, .size = size};
    struct wire_args_vkExecuteCommandStreamsMESA args = {.streamCount = 1, .pStreams = &stream};
    struct wire_call execute = {.number = WIRE_vkExecuteCommandStreamsMESA, .args = &args};
    encoder = (struct wire_encoder){.cursor = ring->stage, .end = ring->stage + ring->stage_size};
    if (!encode(ring, &execute, rewind, &encoder))
        return GUEST_ERROR_UNSUPPORTED;
    ring->upload_used += (size + 7) & ~(uint64_t)7;
    if (ring->upload_used > ring->upload.size)
        ring->upload_used = ring->upload.size;
    int error = put(ring, ring->stage, (uint32_t)(encoder.cursor - ring->stage));
    return error ? error : publish(ring);
}

// Into the ring itself, where the command fits before the ring's end; else by way of the stage.
static int write_call(struct guest_ring *ring, const struct wire_call *call, bool rewind)
{
    int error = drain(ring, ring->buffer_size - ring->stage_size);
    if (error)
        return error;
    uint32_t at = ring->tail & (ring->buffer_size - 1);
    uint32_t left = ring->buffer_size - at;
    uint8_t *start = (uint8_t *)ring->memory.address + BUFFER + at;
    struct wire_encoder encoder = {
        .cursor = start, .end = start + (left < ring->stage_size ? left : ring->stage_size)};
    if (encode(ring, call, rewind, &encoder)) {
        ring->tail += (uint32_t)(encoder.cursor - start);
        return 0;
    }
    if (left >= ring->stage_size)
        return put_large(ring, call, rewind);
    encoder = (struct wire_encoder){.cursor = ring->stage, .end = ring->stage + ring->stage_size};
    if (!encode(ring, call, rewind, &encoder))
        return put_large(ring, call, rewind);
    return put(ring, ring->stage, (uint32_t)(encoder.cursor - ring->stage));
}

static int ask(struct guest_ring *ring, const struct wire_call *call, uint64_t size)
{
    bool rewind = false;
    int error = make_room(ring, size, &rewind);
    if (!error)
        error = write_call(ring, call, rewind);
    if (error)
        return error;
    if (rewind)
        ring->reply_used = 0;
    ring->reply_set = true;
    error = drain(ring, 0);
    if (error)
        return error;
    const uint8_t *start = (const uint8_t *)ring->reply.address + ring->reply_used;
    struct wire_filler filler = {.cursor = start, .end = start + size};
    if (!wire_fill_reply(&filler, call))
        return lose(ring, filler.reason);
    ring->reply_used += (uint64_t)(filler.cursor - start);
    return 0;
}

int guest_ring_call(struct guest_ring *ring, enum wire_command command, void *args, bool reply)
{
    struct wire_call call = {.number = command, .flags = reply ? WIRE_FLAG_REPLY : 0, .args = args};
    call.info = wire_command_info(command);
    if (!call.info)
        return GUEST_ERROR_UNSUPPORTED;
    uint64_t reply_size = reply ? wire_measure_reply(&call) : 0;
    lock(ring);
    int error = GUEST_ERROR_LOST;
    if (!ring->lost && reply)
        error = ask(ring, &call, reply_size);
    else if (!ring->lost)
        error = write_call(ring, &call, false);
    if (!error && !reply)
        error = publish(ring);
    unlock(ring);
    return error;
}

int guest_ring_record(struct guest_ring *ring, enum wire_command command, void *args)
{
    struct wire_call call = {.number = command, .args = args};
    lock(ring);
    int error = ring->lost ? GUEST_ERROR_LOST : write_call(ring, &call, false);
    if (!error && ring->tail - ring->published > UNSEEN)
        error = publish(ring);
    unlock(ring);
    return error;
}

// ---- the transport, one call at a time ------------------------------------

int guest_ring_fence(struct guest_ring *ring, uint32_t timeline, uint64_t *fence)
{
    lock(ring);
    struct wire_args_vkWaitRingSeqnoMESA args = {.ring = ring_id(ring), .seqno = ring->tail};
    int error = ring->lost ? GUEST_ERROR_LOST : publish(ring);
    if (!error)
        error = submit(ring, WIRE_vkWaitRingSeqnoMESA, &args, timeline, fence);
    unlock(ring);
    return error;
}

int guest_ring_fence_wait(struct guest_ring *ring, uint64_t fence, uint64_t nanoseconds)
{
    lock(ring);
    int error = ring->lost
                    ? GUEST_ERROR_LOST
                    : ring->transport->calls->fence_wait(ring->transport, fence, nanoseconds);
    unlock(ring);
    return error;
}

int guest_ring_blob(struct guest_ring *ring, uint64_t id, uint64_t size, uint32_t flags,
                    struct guest_blob *blob)
{
    lock(ring);
    const struct guest_transport_calls *calls = ring->transport->calls;
    memset(blob, 0, sizeof(*blob));
    int error =
        ring->lost ? GUEST_ERROR_LOST : calls->blob_create(ring->transport, id, size, flags, blob);
    if (!error && flags & GUEST_BLOB_MAPPABLE) {
        error = calls->blob_map(ring->transport, blob);
        if (error)
            calls->blob_free(ring->transport, blob);
    }
    unlock(ring);
    return error;
}

void guest_ring_blob_free(struct guest_ring *ring, struct guest_blob *blob)
{
    if (!blob->resource)
        return;
    lock(ring);
    ring->transport->calls->blob_free(ring->transport, blob);
    unlock(ring);
    memset(blob, 0, sizeof(*blob));
}

// ---- the ring itself ------------------------------------------------------

int guest_ring_open(struct guest_ring *ring, const struct guest_system *system,
                    struct guest_transport *transport, uint32_t buffer_size)
{
    memset(ring, 0, sizeof(*ring));
    ring->system = system;
    ring->transport = transport;
    ring->buffer_size = buffer_size ? buffer_size : DEFAULT_BUFFER;
    ring->stage_size = ring->buffer_size / 4;
    ring->stage = system->allocate(system->context, ring->stage_size);
    if (!ring->stage)
        return GUEST_ERROR_MEMORY;
    int error = blob_make(ring, BUFFER + ring->buffer_size, &ring->memory);
    if (!error) {
        VkRingMonitorInfoMESA monitor = {.sType = VK_STRUCTURE_TYPE_RING_MONITOR_INFO_MESA,
                                         .maxReportingPeriodMicroseconds = ALIVE_PERIOD_US};
        VkRingCreateInfoMESA info = {
            .sType = VK_STRUCTURE_TYPE_RING_CREATE_INFO_MESA,
            .pNext = &monitor,
            .resourceId = ring->memory.resource,
            .size = ring->memory.size,
            .idleTimeout = IDLE_TIMEOUT_NS,
            .headOffset = HEAD,
            .tailOffset = TAIL,
            .statusOffset = STATUS,
            .bufferOffset = BUFFER,
            .bufferSize = ring->buffer_size,
            .extraOffset = BUFFER + ring->buffer_size,
        };
        struct wire_args_vkCreateRingMESA args = {.ring = ring_id(ring), .pCreateInfo = &info};
        error = submit(ring, WIRE_vkCreateRingMESA, &args, 0, NULL);
    }
    if (error)
        guest_ring_close(ring);
    return error;
}

void guest_ring_close(struct guest_ring *ring)
{
    const struct guest_transport_calls *calls = ring->transport->calls;
    uint64_t fence = 0;
    struct wire_args_vkDestroyRingMESA args = {.ring = ring_id(ring)};
    // The host's thread is gone when the fence is done, and with it the last use of the memory.
    if (ring->memory.resource && !ring->lost && !drain(ring, 0) &&
        !submit(ring, WIRE_vkDestroyRingMESA, &args, 0, &fence))
        calls->fence_wait(ring->transport, fence, SILENCE_NS);
    struct guest_blob *blobs[] = {&ring->memory, &ring->reply, &ring->upload};
    for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++) {
        if (blobs[i]->resource)
            calls->blob_free(ring->transport, blobs[i]);
    }
    ring->system->release(ring->system->context, ring->stage);
    memset(ring, 0, sizeof(*ring));
}
