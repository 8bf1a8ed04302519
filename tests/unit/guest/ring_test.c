// The guest kit's ring against a host that the test plays: it takes commands out of the ring in the
// kit's own pauses, as bare metal with one processor would see it.

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> // needs those above

#include "guest/ring.h"
#include "wire/wire.h"

enum { BLOBS = 16, RING = 4096 };

struct host {
    struct guest_transport base;
    void *blobs[BLOBS]; // by resource - 1
    uint32_t blob_count, blobs_alive;
    VkRingCreateInfoMESA ring;
    bool has_ring, asleep, dead, busy; // busy: it lives, and takes nothing for a long time
    uint32_t notified;
    struct arena arena;
    uint8_t *replies; // where replies go, one behind another
    uint64_t reply_size, reply_used;
    uint32_t commands, large; // taken; of them, in streams of their own
    uint32_t rewinds;         // how often replies were sent elsewhere
    uint64_t last_update;     // bytes of the last vkCmdUpdateBuffer
    uint64_t hash;
    uint64_t time;
    char said[128];
};

static struct host *host_of(struct guest_transport *transport)
{
    return (struct host *)transport;
}

static uint8_t *part(struct host *host, uint64_t offset)
{
    return (uint8_t *)host->blobs[host->ring.resourceId - 1] + host->ring.offset + offset;
}

static _Atomic(uint32_t) *word(struct host *host, uint64_t offset)
{
    return (_Atomic(uint32_t) *)part(host, offset);
}

// ---- what the host does with commands -------------------------------------

static void run(struct host *host, const uint8_t *bytes, size_t size);

static void answer(struct host *host, struct wire_call *call)
{
    struct wire_encoder encoder = {host->replies + host->reply_used,
                                   host->replies + host->reply_size};
    if (call->number == WIRE_vkGetDeviceGroupPeerMemoryFeatures) {
        struct wire_args_vkGetDeviceGroupPeerMemoryFeatures *args = call->args;
        *args->pPeerMemoryFeatures = args->heapIndex + 1;
    } else if (call->number == WIRE_vkEnumerateInstanceVersion) {
        struct wire_args_vkEnumerateInstanceVersion *args = call->args;
        *args->pApiVersion = 7;
    } else if (call->number == WIRE_vkGetPipelineCacheData) {
        struct wire_args_vkGetPipelineCacheData *args = call->args;
        memset(args->pData, 0x5a, *args->pDataSize);
    }
    assert_true(wire_encode_reply(&encoder, call));
    host->reply_used = (uint64_t)(encoder.cursor - host->replies);
}

static void carry_out(struct host *host, struct wire_call *call)
{
    host->commands++;
    if (call->number == WIRE_vkSetReplyCommandStreamMESA) {
        struct wire_args_vkSetReplyCommandStreamMESA *args = call->args;
        host->replies =
            (uint8_t *)host->blobs[args->pStream->resourceId - 1] + args->pStream->offset;
        host->reply_size = args->pStream->size;
        host->reply_used = 0;
        host->rewinds++;
    } else if (call->number == WIRE_vkSeekReplyCommandStreamMESA) {
        host->reply_used = ((struct wire_args_vkSeekReplyCommandStreamMESA *)call->args)->position;
        host->rewinds++;
    } else if (call->number == WIRE_vkExecuteCommandStreamsMESA) {
        struct wire_args_vkExecuteCommandStreamsMESA *args = call->args;
        VkCommandStreamDescriptionMESA stream = args->pStreams[0];
        host->large++;
        run(host, (uint8_t *)host->blobs[stream.resourceId - 1] + stream.offset, stream.size);
    } else if (call->number == WIRE_vkCmdUpdateBuffer) {
        struct wire_args_vkCmdUpdateBuffer *args = call->args;
        const uint8_t *data = args->pData;
        host->last_update = args->dataSize;
        for (uint64_t i = 0; i < args->dataSize; i++)
            host->hash = host->hash * 31 + data[i];
    } else if (call->flags & WIRE_FLAG_REPLY) {
        answer(host, call);
    }
}

static void run(struct host *host, const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size;
    while (bytes < end) {
        struct wire_decoder decoder = {.cursor = bytes,
                                       .end = end,
                                       .arena = &host->arena,
                                       .reply_capacity = host->reply_size - host->reply_used};
        struct wire_call call;
        if (!wire_decode(&decoder, &call))
            fail_msg("%s", decoder.reason);
        carry_out(host, &call);
        bytes = decoder.cursor;
    }
}

static void step(struct host *host)
{
    if (host->busy) {
        atomic_fetch_or(word(host, host->ring.statusOffset), 4u);
        host->busy = host->time < 120000000000u;
        return;
    }
    if (!host->has_ring || host->dead || host->asleep)
        return;
    uint32_t head = atomic_load(word(host, host->ring.headOffset));
    uint32_t size = atomic_load(word(host, host->ring.tailOffset)) - head;
    assert_true(size <= host->ring.bufferSize && size % 4 == 0);
    uint8_t *copy = malloc(size + 1);
    for (uint32_t i = 0; i < size; i++)
        copy[i] = part(host, host->ring.bufferOffset)[(head + i) & (host->ring.bufferSize - 1)];
    run(host, copy, size);
    free(copy);
    arena_reset(&host->arena);
    atomic_store(word(host, host->ring.headOffset), head + size);
}

// ---- the transport --------------------------------------------------------

static int submit(struct guest_transport *transport, const void *commands, size_t size,
                  uint32_t timeline, uint64_t *fence)
{
    struct host *host = host_of(transport);
    if (fence)
        *fence = timeline + 100;
    if (host->dead)
        return GUEST_ERROR_LOST;
    if (!size)
        return 0;
    struct wire_decoder decoder = {
        .cursor = commands, .end = (const uint8_t *)commands + size, .arena = &host->arena};
    struct wire_call call;
    assert_true(wire_decode(&decoder, &call));
    if (call.number == WIRE_vkCreateRingMESA) {
        host->ring = *((struct wire_args_vkCreateRingMESA *)call.args)->pCreateInfo;
        host->has_ring = true;
    } else if (call.number == WIRE_vkNotifyRingMESA) {
        host->notified++;
        host->asleep = false;
        atomic_fetch_and(word(host, host->ring.statusOffset), ~1u);
    } else if (call.number == WIRE_vkDestroyRingMESA) {
        host->has_ring = false;
    } else {
        assert_int_equal(call.number, WIRE_vkWaitRingSeqnoMESA);
    }
    return 0;
}

static int blob_create(struct guest_transport *transport, uint64_t id, uint64_t size,
                       uint32_t flags, struct guest_blob *blob)
{
    struct host *host = host_of(transport);
    if (host->blob_count == BLOBS)
        return GUEST_ERROR_MEMORY;
    host->blobs[host->blob_count] = calloc(1, size);
    *blob = (struct guest_blob){.resource = ++host->blob_count, .size = size};
    host->blobs_alive++;
    return 0;
}

static int blob_map(struct guest_transport *transport, struct guest_blob *blob)
{
    blob->address = host_of(transport)->blobs[blob->resource - 1];
    return 0;
}

static void blob_free(struct guest_transport *transport, struct guest_blob *blob)
{
    struct host *host = host_of(transport);
    free(host->blobs[blob->resource - 1]);
    host->blobs[blob->resource - 1] = NULL;
    host->blobs_alive--;
    blob->resource = 0;
}

static int fence_wait(struct guest_transport *transport, uint64_t fence, uint64_t nanoseconds)
{
    return fence >= 100 ? 0 : GUEST_ERROR_REFUSED;
}

static const struct guest_transport_calls calls = {
    .submit = submit,
    .blob_create = blob_create,
    .blob_map = blob_map,
    .blob_free = blob_free,
    .fence_wait = fence_wait,
};

// ---- the system -----------------------------------------------------------

static void *allocate(void *context, size_t size)
{
    return calloc(1, size);
}

static void release(void *context, void *memory)
{
    free(memory);
}

static uint64_t now(void *context)
{
    struct host *host = context;
    return host->time += 100000;
}

static void relax(void *context, uint32_t round)
{
    step(context);
}

static void say(void *context, const char *line)
{
    struct host *host = context;
    strncpy(host->said, line, sizeof(host->said) - 1);
}

struct bed {
    struct host host;
    struct guest_system system;
    struct guest_ring ring;
};

static struct bed *bed_new(void)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    bed->host.base.calls = &calls;
    arena_init(&bed->host.arena, 64 << 20);
    bed->system = (struct guest_system){.context = &bed->host,
                                        .allocate = allocate,
                                        .release = release,
                                        .now = now,
                                        .relax = relax,
                                        .log = say};
    assert_int_equal(guest_ring_open(&bed->ring, &bed->system, &bed->host.base, RING), 0);
    return bed;
}

static void bed_free(struct bed *bed)
{
    guest_ring_close(&bed->ring);
    assert_int_equal(bed->host.blobs_alive, 0);
    arena_finish(&bed->host.arena);
    free(bed);
}

static int ask_version(struct bed *bed, uint32_t *version)
{
    struct wire_args_vkEnumerateInstanceVersion args = {.pApiVersion = version,
                                                        .ret = VK_ERROR_UNKNOWN};
    *version = 0;
    int error = guest_ring_call(&bed->ring, WIRE_vkEnumerateInstanceVersion, &args, true);
    if (!error)
        assert_int_equal(args.ret, VK_SUCCESS);
    return error;
}

// ---- tests ----------------------------------------------------------------

static void test_reply(void **state)
{
    struct bed *bed = bed_new();
    uint32_t version;
    assert_int_equal(ask_version(bed, &version), 0);
    assert_int_equal(version, 7);
    bed_free(bed);
}

// Many times around the ring; what it holds is never more than its size (the host checks).
static void test_wrap(void **state)
{
    struct bed *bed = bed_new();
    struct guest_object object = {.id = 5};
    uint8_t data[500];
    uint64_t hash = 0;
    for (uint32_t n = 0; n < 300; n++) {
        uint32_t size = 4 + n % 120 * 4;
        for (uint32_t i = 0; i < size; i++) {
            data[i] = (uint8_t)(n + i);
            hash = hash * 31 + data[i];
        }
        struct wire_args_vkCmdUpdateBuffer args = {
            .commandBuffer = (VkCommandBuffer)&object, .dataSize = size, .pData = data};
        assert_int_equal(guest_ring_call(&bed->ring, WIRE_vkCmdUpdateBuffer, &args, false), 0);
    }
    uint32_t version;
    assert_int_equal(ask_version(bed, &version), 0);
    assert_int_equal(bed->host.hash, hash);
    assert_int_equal(bed->host.large, 0);
    bed_free(bed);
}

// A command may be larger than the whole ring, and than what was large before.
static void test_large(void **state)
{
    struct bed *bed = bed_new();
    struct guest_object object = {.id = 5};
    uint8_t *data = calloc(1, 1 << 20);
    for (uint32_t size = 2048; size <= 1 << 20; size *= 4) {
        struct wire_args_vkCmdUpdateBuffer args = {
            .commandBuffer = (VkCommandBuffer)&object, .dataSize = size, .pData = data};
        assert_int_equal(guest_ring_call(&bed->ring, WIRE_vkCmdUpdateBuffer, &args, false), 0);
        uint32_t version;
        assert_int_equal(ask_version(bed, &version), 0);
        assert_int_equal(bed->host.last_update, size);
    }
    assert_true(bed->host.large >= 4);
    free(data);
    bed_free(bed);
}

// And so may an answer.
static void test_large_reply(void **state)
{
    struct bed *bed = bed_new();
    struct guest_object object = {.id = 5};
    for (size_t size = 16; size <= 16 << 20; size *= 16) {
        uint8_t *data = calloc(1, size);
        struct wire_args_vkGetPipelineCacheData args = {.device = (VkDevice)&object,
                                                        .pipelineCache =
                                                            (VkPipelineCache)(uintptr_t)9,
                                                        .pDataSize = &size,
                                                        .pData = data};
        assert_int_equal(guest_ring_call(&bed->ring, WIRE_vkGetPipelineCacheData, &args, true), 0);
        assert_int_equal(data[0], 0x5a);
        assert_int_equal(data[size - 1], 0x5a);
        free(data);
    }
    bed_free(bed);
}

static int record(struct bed *bed, const void *data, uint32_t size)
{
    struct guest_object object = {.id = 5};
    struct wire_args_vkCmdUpdateBuffer args = {
        .commandBuffer = (VkCommandBuffer)&object, .dataSize = size, .pData = data};
    return guest_ring_record(&bed->ring, WIRE_vkCmdUpdateBuffer, &args);
}

// Recorded commands travel together, and with the next call at the latest. Large ones do not wait
// for each other.
static void test_recorded(void **state)
{
    struct bed *bed = bed_new();
    static const uint8_t data[8192];
    uint32_t version;
    for (int i = 0; i < 5; i++)
        assert_int_equal(record(bed, data, 16), 0);
    assert_int_equal(atomic_load(word(&bed->host, bed->host.ring.tailOffset)), 0);
    assert_int_equal(ask_version(bed, &version), 0);
    assert_int_equal(bed->host.last_update, 16);
    uint32_t tail = atomic_load(word(&bed->host, bed->host.ring.tailOffset));
    for (int i = 0; i < 5; i++)
        assert_int_equal(record(bed, data, 512), 0);
    assert_int_not_equal(atomic_load(word(&bed->host, bed->host.ring.tailOffset)), tail);
    assert_int_equal(ask_version(bed, &version), 0);
    uint64_t fence;
    assert_int_equal(record(bed, data, 20), 0);
    assert_int_equal(guest_ring_fence(&bed->ring, 1, &fence), 0);
    assert_int_equal(atomic_load(word(&bed->host, bed->host.ring.tailOffset)), bed->ring.tail);
    for (int i = 0; i < 3; i++)
        assert_int_equal(record(bed, data, sizeof(data)), 0);
    assert_int_equal(bed->host.large, 0);
    assert_int_equal(ask_version(bed, &version), 0);
    assert_int_equal(bed->host.large, 3);
    bed_free(bed);
}

// The host is seldom told where answers go, since they lie one behind another.
static void test_many_replies(void **state)
{
    struct bed *bed = bed_new();
    uint32_t version;
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(ask_version(bed, &version), 0);
        assert_int_equal(version, 7);
    }
    assert_in_range(bed->host.rewinds, 2, 100);
    bed_free(bed);
}

// A host that sleeps is woken by the first command, and not by each that follows at once.
static void test_wake(void **state)
{
    struct bed *bed = bed_new();
    uint32_t version;
    for (int i = 0; i < 3; i++) {
        bed->host.asleep = true;
        atomic_fetch_or(word(&bed->host, bed->host.ring.statusOffset), 1u);
        bed->host.time += 10000000;
        assert_int_equal(ask_version(bed, &version), 0);
        assert_int_equal(version, 7);
        assert_int_equal(bed->host.notified, i + 1);
        assert_int_equal(ask_version(bed, &version), 0);
        assert_int_equal(bed->host.notified, i + 1);
    }
    bed_free(bed);
}

// The host gives the context up, or dies, or writes nonsense: no wait goes on for ever, and it is
// said once.
static void test_loss(void **state)
{
    for (int way = 0; way < 4; way++) {
        struct bed *bed = bed_new();
        uint32_t version;
        assert_int_equal(ask_version(bed, &version), 0);
        if (way == 0) {
            atomic_fetch_or(word(&bed->host, bed->host.ring.statusOffset), 2u);
            bed->host.asleep = true;
        } else if (way == 1) {
            bed->host.dead = true;
        } else if (way == 2) { // and the transport does not notice
            bed->host.asleep = true;
        } else {
            atomic_fetch_add(word(&bed->host, bed->host.ring.headOffset), 4096 * 4);
            bed->host.asleep = true;
        }
        assert_int_equal(ask_version(bed, &version), GUEST_ERROR_LOST);
        assert_string_not_equal(bed->host.said, "");
        memset(bed->host.said, 0, sizeof(bed->host.said));
        assert_int_equal(ask_version(bed, &version), GUEST_ERROR_LOST);
        assert_string_equal(bed->host.said, "");
        bed_free(bed);
    }
}

// A host that says it is alive is waited for, as long as it takes.
static void test_busy(void **state)
{
    struct bed *bed = bed_new();
    uint32_t version;
    bed->host.busy = true;
    assert_int_equal(ask_version(bed, &version), 0);
    assert_int_equal(version, 7);
    assert_true(bed->host.time >= 120000000000u);
    bed_free(bed);
}

// No memory for a large command is an error of that command, and of no other.
static void test_no_memory(void **state)
{
    struct bed *bed = bed_new();
    struct guest_object object = {.id = 5};
    uint8_t *data = calloc(1, 1 << 16);
    bed->host.blob_count = BLOBS;
    struct wire_args_vkCmdUpdateBuffer args = {
        .commandBuffer = (VkCommandBuffer)&object, .dataSize = 1 << 16, .pData = data};
    assert_int_equal(guest_ring_call(&bed->ring, WIRE_vkCmdUpdateBuffer, &args, false),
                     GUEST_ERROR_MEMORY);
    args.dataSize = 16;
    assert_int_equal(guest_ring_call(&bed->ring, WIRE_vkCmdUpdateBuffer, &args, false), 0);
    bed->host.blob_count = 1;
    uint32_t version;
    assert_int_equal(ask_version(bed, &version), 0);
    assert_int_equal(bed->host.last_update, 16);
    free(data);
    bed_free(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply),    cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_large),    cmocka_unit_test(test_large_reply),
        cmocka_unit_test(test_wake),     cmocka_unit_test(test_loss),
        cmocka_unit_test(test_busy),     cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_recorded), cmocka_unit_test(test_many_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
