// What guests ask of contexts, and what their renderers answer.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/blob.h"
#include "gpu/capset.h"
#include "gpu/context.h"
#include "gpu/file.h"
#include "gpu/find.h"
#include "gpu/lane.h"
#include "gpu/resource.h"
#include "link/context_messages.h"
#include "link/link.h"
#include "os/shm.h"

// ---- the renderer ---------------------------------------------------------

static void on_retired(void *data, struct renderer_fence *fence)
{
    struct gpu_context *context = data;
    gpu_request_complete(context->device, LIST_ENTRY(fence, struct gpu_request, fence));
}

static void on_blob(void *data, struct renderer_blob *blob, int error,
                    const struct renderer_memory *memory)
{
    gpu_blob_answered(data, blob, error, memory);
}

static void resume_waiting(struct gpu_context *context)
{
    for (struct gpu_request *request;
         (request = LIST_FIRST(&context->waiting, struct gpu_request, waiting));)
        gpu_lanes_resume(context->device, request);
}

static void on_failed(void *data, uint64_t count)
{
    struct gpu_context *context = data;
    context->device->journal.creations_failed += count;
}

static void on_drained(void *data)
{
    resume_waiting(data);
}

// The context stays until the guest destroys it.
static void on_lost(void *data, const char *why)
{
    struct gpu_context *context = data;
    if (why) {
        gpu_complain_of_loss(context->device, "device lost in the guest's context %u (%s): %s",
                             context->id, context->name, why);
        context->device->journal.contexts_lost++;
    } else {
        log_debug("context %u (%s): the guest's program has ended", context->id, context->name);
    }
    resume_waiting(context);
}

static const struct renderer_callbacks renderer_callbacks = {.retired = on_retired,
                                                             .blob = on_blob,
                                                             .drained = on_drained,
                                                             .failed = on_failed,
                                                             .lost = on_lost};

// ---- life -----------------------------------------------------------------

// The guest's word goes into logs and onto terminals: printable ASCII, and no more.
static void copy_name(char name[64], const struct gpu_ctx_create *body)
{
    uint32_t length = body->name_length < 63 ? body->name_length : 63;
    for (uint32_t i = 0; i < length && body->name[i]; i++)
        name[i] = body->name[i] >= 0x20 && body->name[i] < 0x7f ? body->name[i] : '?';
}

struct gpu_outcome gpu_ctx_create(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_ctx_create *body = &request->body.ctx_create;
    uint32_t id = request->header.ctx_id;
    uint32_t capset =
        device->features & 1u << GPU_F_CONTEXT_INIT ? body->context_init & GPU_CAPSET_ID_MASK : 0;
    if (!id || gpu_context_find(device, id))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_CONTEXT_ID, "the id is 0 or in use");
    if (capset && (capset != GPU_CAPSET_VENUS || !gpu_offers_venus(device)))
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "capset %u is not offered",
                          capset);
    if (device->contexts.count >= device->options.max_contexts)
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "the limit of %u contexts is reached",
                          device->options.max_contexts);
    struct gpu_context *context = calloc(1, sizeof(*context));
    if (!context || !id_table_insert(&device->contexts, id, context)) {
        free(context);
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    }
    context->device = device;
    context->id = id;
    context->serial = ++device->serial;
    context->capset = capset;
    list_init(&context->attachments);
    list_init(&context->waiting);
    copy_name(context->name, body);
    int error = 0;
    if (capset)
        context->renderer = renderer_create(device->renderers, id, context->name,
                                            &renderer_callbacks, context, &error);
    if (error) {
        id_table_remove(&device->contexts, id);
        free(context);
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "no worker can be started: %s",
                          strerror(-error));
    }
    device->journal.contexts_created++;
    return GPU_OK;
}

static void free_context(struct gpu_context *context)
{
    renderer_destroy(context->renderer);
    for (struct gpu_attachment *attachment; (attachment = gpu_attachment_of_context(context));)
        gpu_attachment_free(attachment);
    free(context);
}

struct gpu_outcome gpu_ctx_destroy(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_context *context = gpu_context_find(device, request->header.ctx_id);
    if (!context)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_CONTEXT_ID, "no such context");
    if (context->renderer)
        renderer_end(context->renderer);
    id_table_remove(&device->contexts, context->id);
    free_context(context);
    return GPU_OK;
}

void gpu_contexts_reset(struct gpu_device *device)
{
    uint32_t cursor = 0;
    for (struct gpu_context *context; (context = id_table_next(&device->contexts, &cursor));)
        free_context(context);
    id_table_finish(&device->contexts);
}

// ---- resources ------------------------------------------------------------

// Context and resource of an attach or detach. Errors: false and *outcome.
static bool find_both(struct gpu_device *device, const struct gpu_request *request,
                      struct gpu_context **context, struct gpu_resource **resource,
                      struct gpu_outcome *outcome)
{
    *context = gpu_context_find(device, request->header.ctx_id);
    *resource = gpu_resource_find(device, request->body.resource.resource_id);
    if (!*context)
        *outcome = gpu_refuse(device, GPU_RESP_ERR_INVALID_CONTEXT_ID, "no such context");
    else if (!*resource)
        *outcome = gpu_refuse(device, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u",
                              request->body.resource.resource_id);
    return *context && *resource;
}

// Tells a worker of a resource. What cannot be imported is made known as an empty page, so that
// importing it is an error of Vulkan and not a broken stream. Memory that was not exported for
// sharing lies among others in its owner's file: it stays there. Errors: false, no memory.
static bool introduce(struct gpu_context *context, const struct gpu_resource *resource)
{
    uint64_t page = context->device->options.page_size;
    if (resource->kind == GPU_RESOURCE_MEMORY &&
        resource->blob_flags & (GPU_BLOB_SHAREABLE | GPU_BLOB_CROSS_DEVICE)) {
        renderer_attach(context->renderer, resource->id, LINK_RESOURCE_MEMORY, resource->file->fd,
                        resource->offset, (resource->size + page - 1) & ~(page - 1), NULL);
        return true;
    }
    int fd = os_shm_create("hesper-empty", page);
    if (fd < 0)
        return false;
    renderer_attach(context->renderer, resource->id, LINK_RESOURCE_SHM, fd, 0, page, NULL);
    close(fd);
    return true;
}

struct gpu_outcome gpu_ctx_attach_resource(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_context *context;
    struct gpu_resource *resource;
    struct gpu_outcome outcome;
    if (!find_both(device, request, &context, &resource, &outcome))
        return outcome;
    if (gpu_attachment_find(context, resource))
        return GPU_OK;
    struct gpu_attachment *attachment = gpu_attachment_create(context, resource);
    if (attachment && (!context->renderer || introduce(context, resource)))
        return GPU_OK;
    if (attachment)
        gpu_attachment_free(attachment);
    return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY,
                      "resource %u cannot be given to the context", resource->id);
}

struct gpu_outcome gpu_ctx_detach_resource(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_context *context;
    struct gpu_resource *resource;
    struct gpu_outcome outcome;
    if (!find_both(device, request, &context, &resource, &outcome))
        return outcome;
    struct gpu_attachment *attachment = gpu_attachment_find(context, resource);
    // The worker's own memory stays its resource until the guest gives that up: letting go would
    // free pages that are still mapped.
    if (attachment && !attachment->exported) {
        if (context->renderer)
            renderer_detach(context->renderer, resource->id);
        gpu_attachment_free(attachment);
    }
    return GPU_OK;
}

// ---- submissions ----------------------------------------------------------

// The command bytes in one piece. What lies in one piece is sent straight from guest memory: what
// the guest changes meanwhile, the worker sees as it was read. Errors: NULL, no memory.
static const void *command_bytes(struct gpu_device *device, const struct gpu_request *request,
                                 uint64_t start, uint32_t size)
{
    const void *bytes = gpu_request_span(request, start, size);
    if (bytes)
        return bytes;
    if (size > device->scratch_size) {
        uint8_t *larger = realloc(device->scratch, size);
        if (!larger)
            return NULL;
        device->scratch = larger;
        device->scratch_size = size;
    }
    gpu_request_read(request, start, device->scratch, size);
    return device->scratch;
}

// The submission is carried out when the worker has read what is on its way to it.
static struct gpu_outcome wait_for_worker(struct gpu_context *context, struct gpu_request *request)
{
    if (!gpu_lanes_hold(context->device, request, GPU_SLOT_FIRST))
        return gpu_refuse(context->device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    list_append(&context->waiting, &request->waiting);
    return GPU_PENDING;
}

struct gpu_outcome gpu_submit_3d(struct gpu_device *device, struct gpu_request *request)
{
    const uint32_t size = request->body.submit.size;
    const uint64_t start = sizeof(struct gpu_header) + sizeof(struct gpu_submit);
    struct gpu_outcome outcome;
    struct gpu_context *context = gpu_context_of(device, request, &outcome);
    if (!context)
        return outcome;
    uint32_t ring = request->header.flags & GPU_FLAG_INFO_RING_IDX ? request->header.ring_idx : 0;
    if (size % 4 || size > request->readable_size - start ||
        size > LINK_MAX_PAYLOAD - sizeof(struct link_submit) || ring >= RENDERER_TIMELINES)
        return gpu_refuse(device, GPU_RESP_ERR_INVALID_PARAMETER, "%u bytes of %llu on ring %u",
                          size, (unsigned long long)(request->readable_size - start), ring);
    const bool fence = request->header.flags & GPU_FLAG_FENCE;
    if (!size && !fence)
        return GPU_OK;
    if (renderer_is_full(context->renderer))
        return wait_for_worker(context, request);
    const void *bytes = size ? command_bytes(device, request, start, size) : NULL;
    if ((size && !bytes) || (fence && !gpu_request_own(request)))
        return gpu_refuse(device, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
    if (!fence) {
        renderer_submit(context->renderer, ring, NULL, bytes, size);
        return renderer_is_lost(context->renderer) ? GPU_LOST : GPU_OK;
    }
    gpu_lanes_leave(device, request);
    request->answer = GPU_RESP_OK_NODATA;
    renderer_submit(context->renderer, ring, &request->fence, bytes, size);
    return GPU_PENDING;
}
