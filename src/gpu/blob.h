// Private to src/gpu: blobs, made of the guest's pages, of files made here, of the memory of a
// context.
#ifndef GPU_BLOB_H
#define GPU_BLOB_H

#include "gpu/context.h"
#include "gpu/resource.h"

struct gpu_outcome gpu_resource_create_blob(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_resource_map_blob(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_resource_unmap_blob(struct gpu_device *device, struct gpu_request *request);

// The worker's answer, or its end: renderer_callbacks.blob.
void gpu_blob_answered(struct gpu_context *context, struct renderer_blob *blob, int error,
                       const struct renderer_memory *memory);

#endif
