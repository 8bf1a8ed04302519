#include "gpu/blob.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "gpu/aperture.h"
#include "gpu/file.h"
#include "gpu/find.h"
#include "gpu/lane.h"

static struct gpu_outcome create_guest(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_create_blob *body = &request->body.create_blob;
    if (body->blob_flags & GPU_BLOB_MAPPABLE)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                          "guest memory is not for mapping into the aperture");
    struct gpu_outcome outcome = GPU_OK;
    struct gpu_resource *resource =
        gpu_resource_create(device, body->resource_id, GPU_RESOURCE_GUEST, &outcome);
    if (!resource)
        return outcome;
    resource->size = body->size;
    resource->blob_flags = body->blob_flags;
    // Entries may also come later, by ATTACH_BACKING.
    if (body->nr_entries)
        outcome = gpu_backing_read(device, request, sizeof(struct gpu_header) + sizeof(*body),
                                   body->nr_entries, body->size, &resource->backing);
    if (outcome.type == GPU_RESP_OK_NODATA && body->nr_entries &&
        resource->backing.size < body->size)
        outcome = gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                             "the memory entries are shorter than the blob");
    if (outcome.type != GPU_RESP_OK_NODATA)
        gpu_resource_destroy(device, resource);
    return outcome;
}

// The request is settled when the context's worker has answered. Errors: false, no memory.
static bool keep(struct gpu_device *device, struct gpu_request *request,
                 struct gpu_context *context, struct gpu_resource *resource)
{
    // The worker carries things out in order, so others of this context need not wait; others of
    // the resource do.
    if (!gpu_lanes_hold(device, request, GPU_SLOT_RESOURCE))
        return false;
    resource->creator = request;
    resource->exporter = context;
    return true;
}

// The worker never had it, or is gone: no detach may be sent.
static void drop(struct gpu_device *device, struct gpu_resource *resource)
{
    for (struct gpu_attachment *attachment; (attachment = gpu_attachment_of_resource(resource));)
        gpu_attachment_free(attachment);
    gpu_resource_destroy(device, resource);
}

// Rings, replies, command streams: a file made here. The guest may name it in a ring, past the
// link, as soon as it is answered: the context's worker must have it then.
static struct gpu_outcome create_shm(struct gpu_device *device, struct gpu_request *request,
                                     struct gpu_context *context, struct gpu_resource *resource)
{
    struct renderer_account *account = renderer_account(context->renderer);
    uint64_t size;
    struct gpu_attachment *attachment = NULL;
    const char *why = "the memory for contexts is used up";
    if (checked_align_u64(resource->size, device->options.page_size, &size) &&
        checked_range(device->shm_bytes, size, device->options.aperture_size) &&
        renderer_account_charge(account, LINK_MEMORY_HOST, size)) {
        resource->account = renderer_account_ref(account);
        resource->charged = size;
        device->shm_bytes += size;
        int error = gpu_file_create(account, "hesper-shm", size, false, &resource->file);
        attachment = error ? NULL : gpu_attachment_create(context, resource);
        why = strerror(error ? -error : ENOMEM);
    }
    if (!attachment || !keep(device, request, context, resource)) {
        drop(device, resource);
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "%llu bytes of shared memory: %s",
                          (unsigned long long)request->body.create_blob.size, why);
    }
    resource->map_info = 1;
    renderer_attach(context->renderer, resource->id, LINK_RESOURCE_SHM, resource->file->fd, 0, size,
                    &resource->blob);
    return GPU_PENDING;
}

static struct gpu_outcome create_memory(struct gpu_device *device, struct gpu_request *request,
                                        struct gpu_context *context, struct gpu_resource *resource)
{
    const struct gpu_create_blob *body = &request->body.create_blob;
    struct gpu_attachment *attachment = gpu_attachment_create(context, resource);
    if (!attachment || !keep(device, request, context, resource)) {
        drop(device, resource);
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    }
    attachment->exported = true;
    resource->account = renderer_account_ref(renderer_account(context->renderer));
    renderer_export(context->renderer, resource->id, body->blob_id, body->blob_flags, body->size,
                    &resource->blob);
    return GPU_PENDING;
}

struct gpu_outcome gpu_resource_create_blob(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_create_blob *body = &request->body.create_blob;
    const uint32_t all = GPU_BLOB_MAPPABLE | GPU_BLOB_SHAREABLE | GPU_BLOB_CROSS_DEVICE;
    uint64_t rounded;
    if (!body->size || body->blob_flags & ~all ||
        !checked_align_u64(body->size, device->options.page_size, &rounded) || rounded > INT64_MAX)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                          "a blob of %llu bytes with flags 0x%x", (unsigned long long)body->size,
                          body->blob_flags);
    if (body->blob_mem == GPU_BLOB_MEM_GUEST)
        return create_guest(device, request);
    if (body->blob_mem != GPU_BLOB_MEM_HOST3D || body->nr_entries ||
        (!body->blob_id && body->blob_flags != GPU_BLOB_MAPPABLE))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                          "no blob is made of memory %u, flags 0x%x, id %llu and %u entries",
                          body->blob_mem, body->blob_flags, (unsigned long long)body->blob_id,
                          body->nr_entries);
    if (body->blob_flags & GPU_BLOB_MAPPABLE && rounded > device->options.aperture_size)
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY,
                          "a blob of %llu bytes is larger than the aperture",
                          (unsigned long long)body->size);
    struct gpu_outcome outcome;
    struct gpu_context *context = gpu_context_of(device, request, &outcome);
    if (!context)
        return outcome;
    struct gpu_resource *resource =
        gpu_resource_create(device, body->resource_id,
                            body->blob_id ? GPU_RESOURCE_MEMORY : GPU_RESOURCE_SHM, &outcome);
    if (!resource)
        return outcome;
    resource->size = body->size;
    resource->blob_flags = body->blob_flags;
    return body->blob_id ? create_memory(device, request, context, resource)
                         : create_shm(device, request, context, resource);
}

// ---- answers of workers ---------------------------------------------------

static enum gpu_response_type export_error(int error)
{
    switch (error) {
    case -ENOMEM:
    case -ENOSPC:
    case -EMFILE:
    case -ENFILE:
        return GPU_RESP_ERR_OUT_OF_MEMORY;
    case -ENOENT:
    case -EINVAL:
    case -EEXIST:
        return GPU_RESP_ERR_INVALID_PARAMETER;
    default:
        return GPU_RESP_ERR_UNSPEC;
    }
}

static struct gpu_outcome refuse_export(struct gpu_device *device,
                                        const struct gpu_request *request, int error)
{
    const struct gpu_create_blob *body = &request->body.create_blob;
    return gpu_refuse(device, export_error(error),
                      "memory %llu cannot be a blob of %llu bytes with flags 0x%x: %s",
                      (unsigned long long)body->blob_id, (unsigned long long)body->size,
                      body->blob_flags, strerror(-error));
}

void gpu_blob_answered(struct gpu_context *context, struct renderer_blob *blob, int error,
                       const struct renderer_memory *memory)
{
    struct gpu_device *device = context->device;
    struct gpu_resource *resource = LIST_ENTRY(blob, struct gpu_resource, blob);
    struct gpu_request *request = resource->creator;
    struct gpu_outcome outcome = GPU_OK;
    resource->creator = NULL;
    resource->exporter = NULL;
    if (!error && memory) {
        error = gpu_file_adopt(device, resource->account, memory->fd, &resource->file);
        resource->offset = memory->offset;
        resource->map_info = memory->map_info;
    }
    if (error) {
        outcome =
            renderer_is_lost(context->renderer) ? GPU_LOST : refuse_export(device, request, error);
        drop(device, resource);
    }
    gpu_settle(device, request, outcome);
}

// ---- mapping --------------------------------------------------------------

struct gpu_outcome gpu_resource_map_blob(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_map_blob *body = &request->body.map_blob;
    struct gpu_resource *resource = gpu_resource_find(device, body->resource_id);
    if (!resource)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u",
                          body->resource_id);
    if (!resource->file || resource->kind == GPU_RESOURCE_2D ||
        !(resource->blob_flags & GPU_BLOB_MAPPABLE))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER,
                          "resource %u is no blob for mapping", resource->id);
    if (resource->placement != GPU_UNPLACED)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "resource %u is mapped already",
                          resource->id);
    if (request->writable_size < sizeof(struct gpu_header) + sizeof(struct gpu_map_info))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "no room for the response");
    return gpu_aperture_place(device, resource, body->offset, request);
}

struct gpu_outcome gpu_resource_unmap_blob(struct gpu_device *device, struct gpu_request *request)
{
    uint32_t id = request->body.resource.resource_id;
    struct gpu_resource *resource = gpu_resource_find(device, id);
    if (request->resumed)
        return GPU_OK;
    if (!resource)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u", id);
    if (resource->placement != GPU_PLACED)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "resource %u is not mapped", id);
    return gpu_aperture_remove(device, resource, request);
}
