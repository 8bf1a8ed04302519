// Private to src/gpu: a request of the guest, from the queue to its completion.
#ifndef GPU_REQUEST_H
#define GPU_REQUEST_H

#include <sys/uio.h>

#include "base/list.h"
#include "gpu/gpu.h"
#include "gpu/outcome.h"
#include "gpu/protocol.h"
#include "renderer/renderer.h"

enum { GPU_OWN_IOVECS = 4 }; // a request that waits keeps this many without an allocation

// Carries out a request. A handler that cannot finish returns GPU_PENDING, and has seen to it that
// the request is owned, holds the lanes it needs, and is settled or resumed later.
typedef struct gpu_outcome (*gpu_handler)(struct gpu_device *device, struct gpu_request *request);

struct gpu_command {
    uint32_t type;
    const char *name;
    enum gpu_queue queue;
    uint32_t features; // bits that the driver must have taken
    uint16_t size;     // bytes that follow the header at least
    // Byte offsets of ids behind the header, -1: none. They decide the command's lanes.
    int8_t resource_at, scanout_at;
    bool of_context; // ordered by header.ctx_id
    gpu_handler handler;
};

// A place in a lane; see lane.c.
struct gpu_lane_slot {
    uint64_t key; // 0: none
    struct gpu_lane *lane;
    struct gpu_request *next;
};

struct gpu_request {
    struct list node;    // in device->live or device->free_requests
    struct list waiting; // in device->ready, or in one list of those who wait for something
    void *token;
    const struct gpu_command *command;

    struct iovec *readable, *writable; // Owns: the caller's until gpu_request_own.
    unsigned readable_count, writable_count;
    uint64_t readable_size, writable_size; // bytes
    bool owned;
    bool brief;   // there was no memory for it: it is answered before gpu_device_request returns
    bool resumed; // the handler runs again: what it waited for has come
    struct iovec own[GPU_OWN_IOVECS];

    // The guest's bytes, copied once.
    struct gpu_header header;
    union {
        struct gpu_resource_only resource;
        struct gpu_create_2d create_2d;
        struct gpu_set_scanout set_scanout;
        struct gpu_set_scanout_blob set_scanout_blob;
        struct gpu_flush flush;
        struct gpu_transfer_2d transfer_2d;
        struct gpu_attach_backing attach_backing;
        struct gpu_get_capset_info get_capset_info;
        struct gpu_get_capset get_capset;
        struct gpu_get_edid get_edid;
        struct gpu_create_blob create_blob;
        struct gpu_map_blob map_blob;
        struct gpu_ctx_create ctx_create;
        struct gpu_submit submit;
        struct gpu_update_cursor cursor;
        uint8_t bytes[96];
    } body;

    struct gpu_lane_slot slots[2]; // 0: context or output, 1: resource

    // The answer.
    uint32_t answer;       // enum gpu_response_type
    uint32_t payload_size; // bytes behind the response's header, already written

    struct renderer_fence fence;        // on a timeline of its context
    uint64_t flush_serial, deadline_ns; // of a flush that waits to be shown (pace.c)
};

// `brief` is taken where there is no memory for another.
struct gpu_request *gpu_request_create(struct gpu_device *device, struct gpu_request *brief);
void gpu_request_free(struct gpu_device *device, struct gpu_request *request);
// Copies the iovec arrays, so that the request can outlive gpu_device_request. Idempotent.
// Errors: false, no memory.
bool gpu_request_own(struct gpu_request *request);

// Copies readable bytes [offset, offset + size). Errors: false, there are not so many.
bool gpu_request_read(const struct gpu_request *request, uint64_t offset, void *data, size_t size);
// Copies to writable bytes [offset, offset + size), which must be there.
void gpu_request_write(const struct gpu_request *request, uint64_t offset, const void *data,
                       size_t size);
// Where readable bytes lie, if they lie in one piece; else NULL.
const void *gpu_request_span(const struct gpu_request *request, uint64_t offset, size_t size);

// Writes the response and gives the token back. For gpu_settle, and for fences that retire.
void gpu_request_complete(struct gpu_device *device, struct gpu_request *request);

#endif
