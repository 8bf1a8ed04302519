#include "gpu/blob.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "gpu/aperture.h"
#include "gpu/fence.h"
#include "gpu/file.h"
#include "os/clock.h"

static void create_guest(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_create_blob *body = &request->body.create_blob;
    if (body->blob_flags & GPU_BLOB_MAPPABLE) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER,
                   "guest memory is not for mapping into the aperture");
        return;
    }
    struct gpu_resource *resource =
        gpu_resource_create(device, request, body->resource_id, GPU_RESOURCE_GUEST);
    if (!resource)
        return;
    resource->size = body->size;
    resource->blob_flags = body->blob_flags;
    const char *why = "the memory entries are shorter than the blob";
    // Entries may also come later, by ATTACH_BACKING.
    enum gpu_response_type result =
        body->nr_entries
            ? gpu_backing_read(device, request, sizeof(struct gpu_header) + sizeof(*body),
                               body->nr_entries, body->size, &resource->backing, &why)
            : GPU_RESP_OK_NODATA;
    if (result == GPU_RESP_OK_NODATA && body->nr_entries && resource->backing.size < body->size)
        result = GPU_RESP_ERR_INVALID_PARAMETER;
    if (result == GPU_RESP_OK_NODATA) {
        gpu_answer(device, request, result);
    } else {
        gpu_resource_destroy(device, resource);
        gpu_refuse(device, request, result, "%s", why);
    }
}

// The request is answered when the context's worker has answered.
static bool begin_export(struct gpu_device *device, struct gpu_request *request,
                         struct gpu_context *context, struct gpu_resource *resource)
{
    // The worker carries things out in order, so others of this context need not wait; others of
    // the resource do.
    if (!gpu_lanes_hold(device, request, GPU_SLOT_RESOURCE))
        return false;
    request->since_ns = os_now_ns();
    resource->export = request;
    resource->exporter = context;
    resource->next_export = context->exports;
    resource->at_export = &context->exports;
    if (resource->next_export)
        resource->next_export->at_export = &resource->next_export;
    context->exports = resource;
    gpu_watchdog_arm(device);
    return true;
}

// Rings, replies, command streams: a file of ours. The guest may name it in a ring, past the link,
// as soon as it is answered: the context's worker must have it then.
static void create_shm(struct gpu_device *device, struct gpu_request *request,
                       struct gpu_context *context, struct gpu_resource *resource)
{
    uint64_t limit = device->options.max_context_memory, size;
    struct gpu_attachment *attachment = NULL;
    const char *why = "the context's memory has reached its limit";
    if (checked_align_u64(resource->size, device->options.page_size, &size) &&
        checked_range(device->shm_bytes, size, device->options.aperture_size) &&
        (!limit || checked_range(context->shm_bytes, size, limit))) {
        resource->file = gpu_file_create("hesper-shm", size, false);
        attachment = resource->file ? gpu_attachment_create(context, resource) : NULL;
        why = strerror(errno);
    }
    if (!attachment) {
        gpu_resource_destroy(device, resource);
        gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY, "%llu bytes of shared memory: %s",
                   (unsigned long long)request->body.create_blob.size, why);
        return;
    }
    context->shm_bytes += size;
    device->shm_bytes += size;
    resource->owner_id = context->id;
    resource->owner_serial = context->serial;
    resource->owner_bytes = size;
    resource->map_info = 1;
    struct link_resource_attach attach = {.resource_id = resource->id,
                                          .kind = LINK_RESOURCE_SHM,
                                          .flags = LINK_ATTACH_ANSWER,
                                          .size = size};
    if (!begin_export(device, request, context, resource)) {
        gpu_attachment_free(attachment);
        gpu_resource_destroy(device, resource);
        gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    gpu_context_send(context, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0,
                     &resource->file->fd, 1); // a lost context settles it
}

static void create_memory(struct gpu_device *device, struct gpu_request *request,
                          struct gpu_context *context, struct gpu_resource *resource)
{
    const struct gpu_create_blob *body = &request->body.create_blob;
    struct gpu_attachment *attachment = gpu_attachment_create(context, resource);
    if (!attachment || !begin_export(device, request, context, resource)) {
        gpu_resource_destroy(device, resource);
        gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    attachment->exported = true;
    struct link_blob_export export = {.resource_id = resource->id,
                                      .blob_flags = body->blob_flags,
                                      .memory_id = body->blob_id,
                                      .size = body->size};
    gpu_context_send(context, LINK_BLOB_EXPORT, &export, sizeof(export), NULL, 0, NULL,
                     0); // a lost context settles it
}

void gpu_resource_create_blob(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_create_blob *body = &request->body.create_blob;
    const uint32_t all = GPU_BLOB_MAPPABLE | GPU_BLOB_SHAREABLE | GPU_BLOB_CROSS_DEVICE;
    uint64_t rounded;
    if (!body->size || body->blob_flags & ~all ||
        !checked_align_u64(body->size, device->options.page_size, &rounded) ||
        rounded > INT64_MAX) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER,
                   "a blob of %llu bytes with flags 0x%x", (unsigned long long)body->size,
                   body->blob_flags);
        return;
    }
    if (body->blob_mem == GPU_BLOB_MEM_GUEST) {
        create_guest(device, request);
        return;
    }
    if (body->blob_mem != GPU_BLOB_MEM_HOST3D || body->nr_entries ||
        (!body->blob_id && body->blob_flags != GPU_BLOB_MAPPABLE)) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER,
                   "no blob is made of memory %u, flags 0x%x, id %llu and %u entries",
                   body->blob_mem, body->blob_flags, (unsigned long long)body->blob_id,
                   body->nr_entries);
        return;
    }
    if (body->blob_flags & GPU_BLOB_MAPPABLE && rounded > device->options.aperture_size) {
        gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY,
                   "a blob of %llu bytes is larger than the aperture",
                   (unsigned long long)body->size);
        return;
    }
    struct gpu_context *context = gpu_context_of(device, request);
    if (!context)
        return;
    struct gpu_resource *resource = gpu_resource_create(
        device, request, body->resource_id, body->blob_id ? GPU_RESOURCE_MEMORY : GPU_RESOURCE_SHM);
    if (!resource)
        return;
    resource->size = body->size;
    resource->blob_flags = body->blob_flags;
    if (body->blob_id)
        create_memory(device, request, context, resource);
    else
        create_shm(device, request, context, resource);
}

// ---- exports --------------------------------------------------------------

static struct gpu_request *end_export(struct gpu_resource *resource)
{
    struct gpu_request *request = resource->export;
    *resource->at_export = resource->next_export;
    if (resource->next_export)
        resource->next_export->at_export = resource->at_export;
    resource->export = NULL;
    resource->exporter = NULL;
    return request;
}

// The worker never had it, or is gone: no detach may be sent.
static void drop(struct gpu_device *device, struct gpu_resource *resource)
{
    while (resource->attachments)
        gpu_attachment_free(resource->attachments);
    gpu_resource_destroy(device, resource);
}

static enum gpu_response_type export_error(int error)
{
    switch (error) {
    case -ENOMEM:
    case -ENOSPC:
        return GPU_RESP_ERR_OUT_OF_MEMORY;
    case -ENOENT:
    case -EINVAL:
    case -EEXIST:
        return GPU_RESP_ERR_INVALID_PARAMETER;
    default:
        return GPU_RESP_ERR_UNSPEC;
    }
}

bool gpu_blob_attached(struct gpu_context *context, uint32_t resource_id)
{
    struct gpu_resource *resource = gpu_resource_find(context->device, resource_id);
    if (!resource || !resource->export || resource->exporter != context ||
        resource->kind != GPU_RESOURCE_SHM)
        return false;
    gpu_answer(context->device, end_export(resource), GPU_RESP_OK_NODATA);
    return true;
}

bool gpu_blob_exported(struct gpu_context *context, const struct link_blob_exported *answer, int fd)
{
    struct gpu_device *device = context->device;
    struct gpu_resource *resource = gpu_resource_find(device, answer->resource_id);
    if (!resource || !resource->export || resource->exporter != context ||
        resource->kind != GPU_RESOURCE_MEMORY) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (answer->result < 0) {
        struct gpu_request *request = end_export(resource);
        drop(device, resource);
        gpu_refuse(device, request, export_error(answer->result),
                   "memory %llu can't be a blob of %llu bytes with flags 0x%x: %s",
                   (unsigned long long)request->body.create_blob.blob_id,
                   (unsigned long long)request->body.create_blob.size,
                   request->body.create_blob.blob_flags, strerror(-answer->result));
        return true;
    }
    // A worker may have been taken over: what it offers goes into the guest, and must be there to
    // stay.
    uint64_t page = device->options.page_size;
    struct gpu_file *file = gpu_file_adopt(device, fd);
    if (!file || answer->offset % page || answer->size % page || answer->size < resource->size ||
        !checked_range(answer->offset, answer->size, file->size) || answer->map_info < 1 ||
        answer->map_info > 3) {
        gpu_file_unref(device, file);
        return false;
    }
    struct gpu_request *request = end_export(resource);
    resource->file = file;
    resource->offset = answer->offset;
    resource->map_info = answer->map_info;
    gpu_answer(device, request, GPU_RESP_OK_NODATA);
    return true;
}

void gpu_blob_fail_exports(struct gpu_context *context)
{
    while (context->exports) {
        struct gpu_resource *resource = context->exports;
        struct gpu_request *request = end_export(resource);
        drop(context->device, resource);
        gpu_answer(context->device, request,
                   GPU_RESP_ERR_UNSPEC); // the line about the context says why
    }
}

// ---- mapping --------------------------------------------------------------

void gpu_resource_map_blob(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_map_blob *body = &request->body.map_blob;
    struct gpu_resource *resource = gpu_resource_find(device, body->resource_id);
    if (!resource)
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u",
                   body->resource_id);
    else if (!resource->file || resource->kind == GPU_RESOURCE_2D ||
             !(resource->blob_flags & GPU_BLOB_MAPPABLE))
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER,
                   "resource %u is no blob for mapping", resource->id);
    else if (resource->placement != GPU_UNPLACED)
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER, "resource %u is mapped already",
                   resource->id);
    else if (request->writable_size < sizeof(struct gpu_header) + sizeof(struct gpu_map_info))
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER, "no room for the response");
    else
        gpu_aperture_place(device, resource, body->offset, request);
}

void gpu_resource_unmap_blob(struct gpu_device *device, struct gpu_request *request)
{
    uint32_t id = request->body.resource.resource_id;
    struct gpu_resource *resource = gpu_resource_find(device, id);
    if (!resource)
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u", id);
    else if (resource->placement != GPU_PLACED)
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER, "resource %u is not mapped",
                   id);
    else
        gpu_aperture_remove(device, resource, request);
}
