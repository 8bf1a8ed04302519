#include "front/virtio/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };

void virtio_queue_init(struct virtio_queue *queue)
{
    queue->kick = queue->call = -1;
    queue->held_last = &queue->held;
}

static void free_requests(struct virtio_queue *queue)
{
    for (uint32_t i = 0; i < queue->request_count; i++) {
        free(queue->requests[i].response);
        free(queue->requests[i].segments);
    }
    free(queue->requests);
    queue->requests = queue->free = NULL;
    queue->request_count = 0;
}

void virtio_queue_finish(struct virtio_queue *queue)
{
    free_requests(queue);
    if (queue->kick >= 0)
        close(queue->kick);
    if (queue->call >= 0)
        close(queue->call);
    queue->kick = queue->call = -1;
}

void virtio_queue_forget(struct virtio_queue *queue)
{
    queue->free = queue->held = NULL;
    queue->held_last = &queue->held;
    queue->in_flight = 0;
    for (uint32_t i = queue->request_count; i-- > 0;) {
        queue->requests[i].busy = false;
        queue->requests[i].next = queue->free;
        queue->free = &queue->requests[i];
    }
}

static bool allocate_requests(struct virtio_queue *queue)
{
    if (queue->request_count == queue->size)
        return true;
    free_requests(queue);
    queue->requests = calloc(queue->size, sizeof(*queue->requests));
    if (!queue->requests)
        return false;
    queue->request_count = queue->size;
    for (uint32_t i = 0; i < queue->size; i++)
        queue->requests[i].queue = queue;
    virtio_queue_forget(queue);
    return true;
}

// The guest's 16 bits at `p`, read once.
static uint16_t read16(const void *p)
{
    return atomic_load_explicit((const _Atomic uint16_t *)p, memory_order_relaxed);
}

static void write16(void *p, uint16_t value)
{
    atomic_store_explicit((_Atomic uint16_t *)p, value, memory_order_relaxed);
}

static uint16_t *available_event(struct virtio_queue *queue)
{
    return (uint16_t *)&queue->used->ring[queue->size];
}

bool virtio_queue_start(struct virtio_queue *queue, uint64_t features)
{
    uint64_t size = queue->size;
    if (!size || !queue->addressed)
        return false;
    queue->descriptors = virtio_memory_user(queue->memory, queue->descriptors_at, 16 * size);
    queue->available = virtio_memory_user(queue->memory, queue->available_at, 6 + 2 * size);
    queue->used = virtio_memory_user(queue->memory, queue->used_at, 6 + 8 * size);
    if (!queue->descriptors || !queue->available || !queue->used)
        return false;
    if ((uintptr_t)queue->descriptors % 16 || (uintptr_t)queue->available % 2 ||
        (uintptr_t)queue->used % 4)
        return false;
    if (!allocate_requests(queue))
        return false;
    queue->indirect = features & VIRTIO_F_INDIRECT_DESC;
    queue->event_index = features & VIRTIO_F_EVENT_IDX;
    queue->used_index = queue->published =
        atomic_load_explicit(&queue->used->index, memory_order_relaxed);
    queue->interrupt_due = true; // it may have waited for one while the queue was stopped
    queue->broken = false;
    queue->running = true;
    return true;
}

void virtio_queue_stop(struct virtio_queue *queue)
{
    if (!queue->running)
        return;
    virtio_queue_flush(queue);
    queue->running = false;
    queue->descriptors = NULL;
    queue->available = NULL;
    queue->used = NULL;
}

// ---- taking requests ------------------------------------------------------

static bool complain(struct virtio_queue *queue, const char *what)
{
    if (log_limit_allows(&queue->limit, os_now_ns(), 5, 10000000000ull))
        log_warning("%s: queue %u: %s", queue->name, queue->index, what);
    return false;
}

static bool reserve(struct iovec **parts, unsigned *capacity, unsigned count)
{
    if (count < *capacity)
        return true;
    unsigned larger = *capacity ? *capacity * 2 : 8;
    struct iovec *grown = realloc(*parts, larger * sizeof(*grown));
    if (!grown)
        return false;
    *parts = grown;
    *capacity = larger;
    return true;
}

// Appends a range to the last part if it follows it directly, or else makes it a part of its own.
static bool append(struct iovec **parts, unsigned *count, unsigned *capacity, void *at, size_t size)
{
    if (*count) {
        struct iovec *previous = &(*parts)[*count - 1];
        if ((uint8_t *)previous->iov_base + previous->iov_len == (uint8_t *)at) {
            previous->iov_len += size;
            return true;
        }
    }
    if (!reserve(parts, capacity, *count))
        return false;
    (*parts)[(*count)++] = (struct iovec){at, size};
    return true;
}

// Adds the guest's [address, address + length) to the request; a range may lie in several blocks of
// memory.
static bool add(struct virtio_queue *queue, struct virtio_request *request, uint64_t address,
                uint32_t length, bool writable)
{
    struct virtio_scratch *scratch = queue->scratch;
    if (!length)
        return complain(queue, "an empty buffer");
    while (length) {
        uint64_t size;
        void *at = virtio_memory_at(queue->memory, address, length, &size);
        if (!at)
            return complain(queue, "a buffer outside guest memory");
        bool added = true;
        if (!writable) {
            added = append(&scratch->parts, &scratch->count, &scratch->capacity, at, size);
        } else if (request->size < queue->max_response) {
            uint32_t left = queue->max_response - request->size;
            uint32_t used = size < left ? (uint32_t)size : left;
            added = append(&request->segments, &request->segment_count, &request->segment_capacity,
                           at, used);
            request->size += used;
        }
        if (!added)
            return complain(queue, "no memory for a request");
        address += size;
        length -= (uint32_t)size;
    }
    return true;
}

static bool take_chain(struct virtio_queue *queue, struct virtio_request *request)
{
    // Bytes: an indirect table may lie at any address.
    const uint8_t *table = (const uint8_t *)queue->descriptors;
    uint32_t count = queue->size, index = request->head, steps = 0;
    bool nested = false, writable = false;
    for (;;) {
        if (index >= count)
            return complain(queue, "a descriptor index out of range");
        if (steps++ >= count)
            return complain(queue, "a loop of descriptors");
        struct vring_descriptor d;
        memcpy(&d, table + index * sizeof(d), sizeof(d));
        atomic_signal_fence(memory_order_seq_cst); // this copy is checked, and used
        if (d.flags & DESC_INDIRECT) {
            if (!queue->indirect || nested || (d.flags & DESC_NEXT))
                return complain(queue, "an indirect descriptor where none may be");
            if (!d.length || d.length % sizeof(d) || d.length / sizeof(d) > VIRTIO_MAX_CHAIN)
                return complain(queue, "an indirect table of a bad size");
            uint64_t size;
            table = virtio_memory_at(queue->memory, d.address, d.length, &size);
            if (!table || size < d.length)
                return complain(queue, "an indirect table outside guest memory");
            count = d.length / sizeof(d);
            index = steps = 0;
            nested = true;
            continue;
        }
        if (writable && !(d.flags & DESC_WRITE))
            return complain(queue, "a readable buffer after a writable one");
        writable = d.flags & DESC_WRITE;
        if (!add(queue, request, d.address, d.length, writable))
            return false;
        if (!(d.flags & DESC_NEXT))
            return true;
        index = d.next;
    }
}

static bool prepare_response(struct virtio_request *request)
{
    if (request->capacity < request->size) {
        uint8_t *larger = malloc(request->size);
        if (!larger)
            return false;
        free(request->response);
        request->response = larger;
        request->capacity = request->size;
    }
    if (request->size)
        memset(request->response, 0, request->size);
    return true;
}

// Takes the request at `head`. One that makes no sense goes back without an answer.
static void take(struct virtio_queue *queue, uint16_t head)
{
    struct virtio_request *request = queue->free;
    queue->free = request->next;
    queue->in_flight++;
    request->busy = true;
    request->head = head;
    request->size = request->segment_count = 0;
    queue->scratch->count = 0;
    if (take_chain(queue, request) && prepare_response(request))
        queue->request(queue, request);
    else
        virtio_complete(request, 0);
}

static void break_queue(struct virtio_queue *queue, const char *what)
{
    complain(queue, what);
    queue->broken = true;
}

static void suppress_kicks(struct virtio_queue *queue)
{
    if (!queue->event_index)
        write16(&queue->used->flags, USED_NO_NOTIFY);
}

// Asks for a kick at the next request. True if one came in the meantime.
static bool want_kick(struct virtio_queue *queue)
{
    if (queue->event_index)
        write16(available_event(queue), queue->next);
    else
        write16(&queue->used->flags, 0);
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&queue->available->index, memory_order_acquire) != queue->next;
}

bool virtio_queue_process(struct virtio_queue *queue)
{
    if (!queue->running || queue->broken)
        return false;
    while (queue->held && queue->running) {
        struct virtio_request *request = queue->held;
        queue->held = request->next;
        if (!queue->held)
            queue->held_last = &queue->held;
        virtio_complete(request, request->written);
    }
    suppress_kicks(queue);
    uint32_t taken = 0;
    do {
        uint16_t index = atomic_load_explicit(&queue->available->index, memory_order_acquire);
        while (queue->next != index && taken < queue->size) {
            if ((uint16_t)(index - queue->next) > queue->size || queue->in_flight == queue->size) {
                break_queue(queue, "more requests than the queue has room for; it is ignored until "
                                   "the driver restarts");
                return false;
            }
            uint16_t head = read16(&queue->available->ring[queue->next % queue->size]);
            if (head >= queue->size) {
                break_queue(
                    queue,
                    "an available index out of range; it is ignored until the driver restarts");
                return false;
            }
            queue->next++;
            taken++;
            take(queue, head);
            if (!queue->running) // the device has stopped it
                return false;
        }
        if (taken == queue->size)
            return true; // let others have their turn
    } while (want_kick(queue));
    return false;
}

void virtio_queues_explain_silence(const struct virtio_queue *queues, unsigned count)
{
    bool running = false;
    for (unsigned i = 0; i < count; i++) {
        if (queues[i].next)
            return;
        running |= queues[i].running;
    }
    if (running && virtio_memory_is_blank(queues[0].memory))
        virtio_say_not_shared(queues[0].name);
}

// ---- giving them back -----------------------------------------------------

void virtio_complete(struct virtio_request *request, uint32_t written)
{
    struct virtio_queue *queue = request->queue;
    if (!request->busy)
        return;
    if (written > request->size)
        written = request->size;
    if (!queue->running) {
        request->written = written;
        request->next = NULL;
        *queue->held_last = request;
        queue->held_last = &request->next;
        return;
    }
    const uint8_t *from = request->response;
    for (unsigned i = 0, left = written; left; i++) {
        size_t size = request->segments[i].iov_len < left ? request->segments[i].iov_len : left;
        memcpy(request->segments[i].iov_base, from, size);
        from += size;
        left -= (unsigned)size;
    }
    uint16_t slot = queue->used_index++ % queue->size;
    queue->used->ring[slot].id = request->head;
    queue->used->ring[slot].length = written;

    request->busy = false;
    request->next = queue->free;
    queue->free = request;
    queue->in_flight--;
}

static bool wants_interrupt(struct virtio_queue *queue)
{
    if (queue->interrupt_due)
        return true;
    if (!queue->event_index)
        return !(read16(&queue->available->flags) & AVAIL_NO_INTERRUPT);
    // Has the index passed the one that the guest waits for since the last interrupt?
    uint16_t event = read16(&queue->available->ring[queue->size]);
    return (uint16_t)(queue->used_index - event - 1) <
           (uint16_t)(queue->used_index - queue->interrupted_at);
}

void virtio_queue_flush(struct virtio_queue *queue)
{
    if (!queue->running || queue->used_index == queue->published)
        return;
    queue->published = queue->used_index;
    atomic_store_explicit(&queue->used->index, queue->used_index, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (!wants_interrupt(queue))
        return;
    queue->interrupt_due = false;
    queue->interrupted_at = queue->used_index;
    uint64_t one = 1;
    if (queue->call >= 0)
        while (write(queue->call, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
}
