// One split virtqueue (virtio 1.2 §2.7). The guest may change everything in it at any time, so
// descriptors are copied, then checked, then used, and chains are bounded. A response is written to
// a private buffer and copied out when the request completes, so that nothing is written to guest
// memory once the driver is gone.
//
// Thread: the loop's.
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include <stdatomic.h>

#include "base/log.h"
#include "front/virtio/device.h"
#include "front/virtio/memory.h"

// Descriptors of an indirect table. Linux builds tables that are longer than the queue.
enum { VIRTIO_MAX_CHAIN = 16384 };

struct virtio_queue;

struct virtio_request {
    struct virtio_queue *queue;
    struct virtio_request *next; // in `free` or `held` of the queue
    bool busy;
    uint16_t head;
    uint32_t size, written; // bytes of the response
    uint8_t *response;
    uint32_t capacity;
    struct iovec *segments; // guest memory for the response
    unsigned segment_count, segment_capacity;
};

// Room to take a chain apart, shared by the queues of a device.
struct virtio_scratch {
    struct iovec *parts;
    unsigned count, capacity;
};

struct vring_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct vring_available {
    uint16_t flags;
    _Atomic uint16_t index;
    uint16_t ring[]; // and `used_event` after it
};

struct vring_used {
    uint16_t flags;
    _Atomic uint16_t index;
    struct {
        uint32_t id;
        uint32_t length;
    } ring[]; // and `available_event` after it
};

struct virtio_queue {
    void *owner;    // the transport
    unsigned index; // this queue's
    const char *name;
    struct virtio_memory *memory;
    struct virtio_scratch *scratch;
    uint32_t max_response;
    void (*request)(struct virtio_queue *queue, struct virtio_request *request);

    // As the front end set it up.
    uint32_t size;
    uint64_t descriptors_at, available_at, used_at; // as the transport names them
    bool addressed;
    uint16_t next;  // index of the next available entry
    int kick, call; // -1: none
    bool enabled;

    // While in use.
    bool running;
    bool broken; // until the next start
    bool indirect, event_index;
    const struct vring_descriptor *descriptors;
    struct vring_available *available;
    struct vring_used *used;
    uint16_t used_index;     // of the next entry
    uint16_t published;      // the used index that the guest has been told
    uint16_t interrupted_at; // used index at the last interrupt
    bool interrupt_due;      // even if the guest asks for none
    struct log_limit limit;

    struct virtio_request *requests; // `request_count` of them
    uint32_t request_count, in_flight;
    struct virtio_request *free;
    struct virtio_request *held, **held_last; // completed while the queue did not run
};

void virtio_queue_init(struct virtio_queue *queue);
void virtio_queue_finish(struct virtio_queue *queue);

// Finds the rings in guest memory.
// Errors: false, they are not there, or out of memory.
bool virtio_queue_start(struct virtio_queue *queue, uint64_t features);
// Delivers responses that were held back, and takes requests that the guest has made available, at
// most `size` of them. True: there may be more.
bool virtio_queue_process(struct virtio_queue *queue);
// The rings are not touched afterwards.
void virtio_queue_stop(struct virtio_queue *queue);
// Requests that were not completed are void.
void virtio_queue_forget(struct virtio_queue *queue);

// A driver has kicked, and what there was is processed. If none of its queues had anything, its
// memory may be another than ours: then a person is told.
void virtio_queues_explain_silence(const struct virtio_queue *queues, unsigned count);

// Tells the guest of requests that were completed since the last call.
void virtio_queue_flush(struct virtio_queue *queue);

#endif
