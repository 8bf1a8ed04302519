// Private to src/gpu: blobs, from the guest's pages, from files made here, from the memory of a
// context.
#ifndef GPU_BLOB_H
#define GPU_BLOB_H

#include "gpu/context.h"
#include "gpu/resource.h"

void gpu_resource_create_blob(struct gpu_device *device, struct gpu_request *request);
void gpu_resource_map_blob(struct gpu_device *device, struct gpu_request *request);
void gpu_resource_unmap_blob(struct gpu_device *device, struct gpu_request *request);

// The worker has the shared memory. False: it was not asked.
bool gpu_blob_attached(struct gpu_context *context, uint32_t resource_id);
// The worker's answer to an export; takes over `fd`. False: it was not asked, or lies.
bool gpu_blob_exported(struct gpu_context *context, const struct link_blob_exported *answer,
                       int fd);
// The context ends: its exports fail.
void gpu_blob_fail_exports(struct gpu_context *context);

#endif
