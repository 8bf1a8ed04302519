// Private to src/gpu: contexts, each with a worker of its own.
#ifndef GPU_CONTEXT_H
#define GPU_CONTEXT_H

#include "gpu/device.h"
#include "link/link.h"

struct gpu_timeline { // requests in the order of their fences; the first one's is outstanding
    struct gpu_request *first, *last;
};

// A resource known to a context. In both their lists.
struct gpu_attachment {
    struct gpu_resource *resource;
    struct gpu_context *context;
    struct gpu_attachment *next_of_resource, **at_resource;
    struct gpu_attachment *next_of_context, **at_context;
    bool exported; // the worker's own memory: it is told of the end only when the resource is gone,
                   // as its pages are in use till then
};

struct gpu_context {
    struct gpu_device *device;
    uint32_t id;
    uint64_t serial; // tells it from others that had the same id
    uint32_t capset; // 0: bookkeeping only, as old kernels want for 2D resources; no worker
    char name[64];   // the guest's word
    struct link_worker *worker; // NULL: none, or lost
    uint64_t shm_bytes;         // of blobs made here, counted against max_context_memory
    struct gpu_attachment *attachments;
    struct gpu_resource *exports; // the worker owes their LINK_BLOB_EXPORTED or _ATTACHED
    uint64_t busy_rings;          // bit r: timelines[r] is not empty
    struct gpu_timeline timelines[GPU_RINGS];
};

// NULL: no such context.
struct gpu_context *gpu_context_find(const struct gpu_device *device, uint32_t id);
// The context of a request that needs a live worker; else the request is refused and NULL returned.
struct gpu_context *gpu_context_of(struct gpu_device *device, struct gpu_request *request);
// To the worker. False: the context is lost (what it still owed has been settled).
bool gpu_context_send(struct gpu_context *context, enum link_type type, const void *payload,
                      size_t size, const void *tail, size_t tail_size, const int *fds,
                      unsigned fd_count);
// Says why (one line), ends the worker; its fences retire, its exports fail. Idempotent. The
// context stays until the guest destroys it.
void gpu_context_lose(struct gpu_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Device reset: everything at once, no answers, no messages. The table is emptied.
void gpu_contexts_reset(struct gpu_device *device);

// NULL: no memory.
struct gpu_attachment *gpu_attachment_create(struct gpu_context *context,
                                             struct gpu_resource *resource);
struct gpu_attachment *gpu_attachment_find(const struct gpu_context *context,
                                           const struct gpu_resource *resource);
void gpu_attachment_free(struct gpu_attachment *attachment);

void gpu_ctx_create(struct gpu_device *device, struct gpu_request *request);
void gpu_ctx_destroy(struct gpu_device *device, struct gpu_request *request);
void gpu_ctx_attach_resource(struct gpu_device *device, struct gpu_request *request);
void gpu_ctx_detach_resource(struct gpu_device *device, struct gpu_request *request);
void gpu_submit_3d(struct gpu_device *device, struct gpu_request *request);

#endif
