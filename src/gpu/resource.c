#include "gpu/resource.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "gpu/aperture.h"
#include "gpu/budget.h"
#include "gpu/context.h"
#include "gpu/file.h"
#include "gpu/find.h"
#include "gpu/output_private.h"

struct gpu_resource *gpu_resource_create(struct gpu_device *device, uint32_t id,
                                         enum gpu_resource_kind kind, struct gpu_outcome *outcome)
{
    if (!id || gpu_resource_find(device, id)) {
        *outcome = gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "resource id %u %s", id,
                              id ? "is in use" : "is not allowed");
        return NULL;
    }
    if (device->resources.count >= device->options.max_resources) {
        *outcome =
            gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "the limit of %u resources is reached",
                       device->options.max_resources);
        return NULL;
    }
    struct gpu_resource *resource = calloc(1, sizeof(*resource));
    if (!resource || !id_table_insert(&device->resources, id, resource)) {
        free(resource);
        *outcome = gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    resource->id = id;
    resource->kind = kind;
    list_init(&resource->attachments);
    list_init(&resource->postponed);
    return resource;
}

static void release(struct gpu_device *device, struct gpu_resource *resource)
{
    if (resource->kind == GPU_RESOURCE_2D && resource->file)
        gpu_uncharge(device, resource->size);
    if (resource->charged) {
        renderer_account_discharge(resource->account, LINK_MEMORY_HOST, resource->charged);
        device->shm_bytes -= resource->charged;
    }
    renderer_account_unref(resource->account);
    gpu_backing_free(device, &resource->backing);
    gpu_file_unref(device, resource->file);
    if (resource->placement ==
        GPU_STUCK) // keeps its range of the aperture from others until the reset
        *resource = (struct gpu_resource){.placement = GPU_STUCK,
                                          .aperture_offset = resource->aperture_offset,
                                          .aperture_size = resource->aperture_size};
    else
        free(resource);
}

void gpu_resource_destroy(struct gpu_device *device, struct gpu_resource *resource)
{
    gpu_outputs_resource_gone(device, resource);
    for (struct gpu_attachment *attachment; (attachment = gpu_attachment_of_resource(resource));) {
        if (attachment->context->renderer)
            renderer_detach(attachment->context->renderer, resource->id);
        gpu_attachment_free(attachment);
    }
    id_table_remove(&device->resources, resource->id);
    release(device, resource);
}

void gpu_resources_reset(struct gpu_device *device)
{
    uint32_t cursor = 0;
    for (struct gpu_resource *resource; (resource = id_table_next(&device->resources, &cursor));) {
        resource->placement = GPU_UNPLACED; // the aperture has been reset
        release(device, resource);
    }
    id_table_finish(&device->resources);
}

// ---- commands -------------------------------------------------------------

struct gpu_outcome gpu_resource_create_2d(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_create_2d *body = &request->body.create_2d;
    if (!picture_format_known(body->format))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "unknown format %u",
                          body->format);
    if (!body->width || !body->height || body->width > GPU_MAX_SIZE || body->height > GPU_MAX_SIZE)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "%ux%u pixels", body->width,
                          body->height);
    struct gpu_outcome outcome;
    struct gpu_resource *resource =
        gpu_resource_create(device, body->resource_id, GPU_RESOURCE_2D, &outcome);
    if (!resource)
        return outcome;
    resource->format = body->format;
    resource->width = body->width;
    resource->height = body->height;
    resource->stride = body->width * 4;
    resource->size = (uint64_t)resource->stride * resource->height;
    const char *why = "host copies of 2D resources have reached their limit";
    if (gpu_charge(device, resource->size)) {
        // In a file, so that whoever shows it needs no copy.
        int error = gpu_file_create(renderers_account(device->renderers), "hesper-2d",
                                    resource->size, true, &resource->file);
        if (!error)
            return GPU_OK;
        why = strerror(-error);
        gpu_uncharge(device, resource->size);
    }
    gpu_resource_destroy(device, resource);
    return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "%ux%u pixels: %s", body->width,
                      body->height, why);
}

// The resource that the command names. Errors: NULL and *outcome.
static struct gpu_resource *named(struct gpu_device *device, const struct gpu_request *request,
                                  struct gpu_outcome *outcome)
{
    uint32_t id = request->body.resource.resource_id;
    struct gpu_resource *resource = gpu_resource_find(device, id);
    if (!resource)
        *outcome = gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u", id);
    return resource;
}

struct gpu_outcome gpu_resource_unref(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_outcome outcome;
    struct gpu_resource *resource = named(device, request, &outcome);
    if (!resource)
        return outcome;
    // Its pages must not be handed to somebody else while the guest still sees them.
    if (resource->placement == GPU_PLACED)
        return gpu_aperture_remove(device, resource, request);
    gpu_resource_destroy(device, resource);
    return GPU_OK;
}

struct gpu_outcome gpu_resource_attach_backing(struct gpu_device *device,
                                               struct gpu_request *request)
{
    const struct gpu_attach_backing *body = &request->body.attach_backing;
    struct gpu_outcome outcome;
    struct gpu_resource *resource = named(device, request, &outcome);
    if (!resource)
        return outcome;
    if (resource->kind == GPU_RESOURCE_SHM || resource->kind == GPU_RESOURCE_MEMORY ||
        resource->backing.entries)
        return gpu_refuse(device, GPU_RESP_ERR_UNSPEC, "resource %u %s", resource->id,
                          resource->backing.entries ? "has backing already" : "takes no backing");
    return gpu_backing_read(device, request, sizeof(struct gpu_header) + sizeof(*body),
                            body->nr_entries, resource->size, &resource->backing);
}

struct gpu_outcome gpu_resource_detach_backing(struct gpu_device *device,
                                               struct gpu_request *request)
{
    struct gpu_outcome outcome;
    struct gpu_resource *resource = named(device, request, &outcome);
    if (!resource)
        return outcome;
    if (!resource->backing.entries)
        return gpu_refuse(device, GPU_RESP_ERR_UNSPEC, "resource %u has no backing", resource->id);
    gpu_backing_free(device, &resource->backing);
    return GPU_OK;
}

struct gpu_outcome gpu_resource_assign_uuid(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_outcome outcome;
    struct gpu_resource *resource = named(device, request, &outcome);
    if (!resource)
        return outcome;
    if (!resource->has_uuid) {
        // Unique among the devices of this machine, not secret: it names a resource, it grants
        // nothing.
        uint64_t low = ++device->serial;
        memcpy(resource->uuid, &device->uuid_seed, 8);
        memcpy(resource->uuid + 8, &low, 8);
        resource->uuid[6] = (resource->uuid[6] & 0x0f) | 0x80; // version 8: our own layout
        resource->uuid[8] = (resource->uuid[8] & 0x3f) | 0x80;
        resource->has_uuid = true;
    }
    struct gpu_uuid answer;
    memcpy(answer.uuid, resource->uuid, sizeof(answer.uuid));
    return gpu_respond(device, request, GPU_RESP_OK_RESOURCE_UUID, &answer, sizeof(answer));
}
