// Private to src/gpu: contexts, and the resources that they know. What guests ask of contexts is in
// context_commands.c.
#ifndef GPU_CONTEXT_H
#define GPU_CONTEXT_H

#include "gpu/device.h"

struct gpu_resource;

// A resource known to a context.
struct gpu_attachment {
    struct list of_resource, of_context;
    struct gpu_resource *resource;
    struct gpu_context *context;
    bool exported; // the worker's own memory: it is told of the end only when the resource is gone,
                   // as its pages are in use till then
};

struct gpu_context {
    struct gpu_device *device;
    uint32_t id;
    uint64_t serial; // tells it from others that had the same id
    uint32_t capset; // 0: bookkeeping only, as old kernels want for 2D resources; no renderer
    char name[64];   // the guest's word
    struct renderer *renderer; // NULL: none, or lost
    struct list attachments;   // struct gpu_attachment
    struct list waiting;       // struct gpu_request: submissions until the worker has read more
};

// The context of a request that needs a live worker. Errors: NULL and *outcome.
struct gpu_context *gpu_context_of(struct gpu_device *device, const struct gpu_request *request,
                                   struct gpu_outcome *outcome);

// Errors: NULL, no memory.
struct gpu_attachment *gpu_attachment_create(struct gpu_context *context,
                                             struct gpu_resource *resource);
struct gpu_attachment *gpu_attachment_find(const struct gpu_context *context,
                                           const struct gpu_resource *resource);
void gpu_attachment_free(struct gpu_attachment *attachment);
// Those of a context, or of a resource, one after the other. NULL: none is left.
struct gpu_attachment *gpu_attachment_of_context(const struct gpu_context *context);
struct gpu_attachment *gpu_attachment_of_resource(const struct gpu_resource *resource);

// ---- context_commands.c ---------------------------------------------------

// Device reset: everything at once, no answers, no messages. The table is emptied.
void gpu_contexts_reset(struct gpu_device *device);

struct gpu_outcome gpu_ctx_create(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_ctx_destroy(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_ctx_attach_resource(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_ctx_detach_resource(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_submit_3d(struct gpu_device *device, struct gpu_request *request);

#endif
