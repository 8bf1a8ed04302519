#include "gpu/file.h"
#include "gpu/find.h"
#include "gpu/output_private.h"
#include "gpu/resource.h"

struct gpu_outcome gpu_transfer_to_host_2d(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_transfer_2d *body = &request->body.transfer_2d;
    struct gpu_resource *resource = gpu_resource_find(device, body->resource_id);
    // Linux without 3D asks for its dumb buffers, which are guest blobs then: their pixels are
    // gathered when they are flushed.
    if (resource && resource->kind != GPU_RESOURCE_2D)
        return GPU_OK;
    if (!resource || resource->kind != GPU_RESOURCE_2D)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "resource %u is no 2D resource",
                          body->resource_id);
    if (!picture_rect_fits(&body->rect, resource->width, resource->height))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "%ux%u at %u,%u of %ux%u pixels",
                          body->rect.width, body->rect.height, body->rect.x, body->rect.y,
                          resource->width, resource->height);
    if (!resource->backing.entries)
        return gpu_refuse(device, GPU_RESP_ERR_UNSPEC, "resource %u has no backing", resource->id);
    uint8_t *to = resource->file->address + (uint64_t)body->rect.y * resource->stride +
                  (uint64_t)body->rect.x * 4;
    if (gpu_backing_copy_rows(device, &resource->backing, body->offset, resource->stride, to,
                              resource->stride, (uint64_t)body->rect.width * 4,
                              body->rect.height)) {
        device->counters.copied_bytes += (uint64_t)body->rect.width * 4 * body->rect.height;
        return GPU_OK;
    }
    return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                      "offset %llu: the backing of resource %u has %llu bytes",
                      (unsigned long long)body->offset, resource->id,
                      (unsigned long long)resource->backing.size);
}
