#include "gpu/context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/blob.h"
#include "gpu/fence.h"
#include "gpu/file.h"
#include "gpu/resource.h"
#include "link/worker.h"
#include "os/shm.h"

enum {
    MAX_RINGS = 256,       // of a context: one, and one for each guest thread that makes pipelines
    MAX_QUEUED = 64 << 20, // bytes that a worker has not read; a sound one is never so far behind
};

struct gpu_context *gpu_context_find(const struct gpu_device *device, uint32_t id)
{
    return id_table_find(&device->contexts, id);
}

struct gpu_context *gpu_context_of(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_context *context = gpu_context_find(device, request->header.ctx_id);
    if (!context)
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_CONTEXT_ID, "no such context");
    else if (context->worker)
        return context;
    else if (context->capset)
        gpu_answer(device, request, GPU_RESP_ERR_UNSPEC); // lost; that was said
    else
        gpu_refuse(device, request, GPU_RESP_ERR_UNSPEC, "the context was made without a capset");
    return NULL;
}

// ---- attachments ----------------------------------------------------------

struct gpu_attachment *gpu_attachment_create(struct gpu_context *context,
                                             struct gpu_resource *resource)
{
    struct gpu_attachment *attachment = malloc(sizeof(*attachment));
    if (!attachment)
        return NULL;
    *attachment = (struct gpu_attachment){
        .resource = resource,
        .context = context,
        .next_of_resource = resource->attachments,
        .at_resource = &resource->attachments,
        .next_of_context = context->attachments,
        .at_context = &context->attachments,
    };
    if (resource->attachments)
        resource->attachments->at_resource = &attachment->next_of_resource;
    resource->attachments = attachment;
    if (context->attachments)
        context->attachments->at_context = &attachment->next_of_context;
    context->attachments = attachment;
    return attachment;
}

struct gpu_attachment *gpu_attachment_find(const struct gpu_context *context,
                                           const struct gpu_resource *resource)
{
    struct gpu_attachment *attachment = resource->attachments;
    while (attachment && attachment->context != context)
        attachment = attachment->next_of_resource;
    return attachment;
}

void gpu_attachment_free(struct gpu_attachment *attachment)
{
    *attachment->at_resource = attachment->next_of_resource;
    if (attachment->next_of_resource)
        attachment->next_of_resource->at_resource = attachment->at_resource;
    *attachment->at_context = attachment->next_of_context;
    if (attachment->next_of_context)
        attachment->next_of_context->at_context = attachment->at_context;
    free(attachment);
}

// ---- the worker -----------------------------------------------------------

static void end_worker(struct gpu_context *context)
{
    struct link_worker *worker = context->worker;
    context->worker = NULL;
    link_worker_release(worker);
    gpu_blob_fail_exports(context);
    gpu_fence_retire_all(context);
}

void gpu_context_lose(struct gpu_context *context, const char *format, ...)
{
    if (!context->worker)
        return;
    char reason[LINK_MAX_TEXT + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    gpu_complain(context->device, "device lost in the guest's context %u (%s): %s", context->id,
                 context->name, reason);
    context->device->history.contexts_lost++;
    end_worker(context);
}

bool gpu_context_send(struct gpu_context *context, enum link_type type, const void *payload,
                      size_t size, const void *tail, size_t tail_size, const int *fds,
                      unsigned fd_count)
{
    switch (
        link_worker_send(context->worker, type, payload, size, tail, tail_size, fds, fd_count)) {
    case LINK_OK:
        return true;
    case LINK_AGAIN:
        if (link_queued(link_worker_link(context->worker)) <= MAX_QUEUED)
            return true;
        gpu_context_lose(context, "its worker does not read its commands: %zu bytes wait",
                         link_queued(link_worker_link(context->worker)));
        return false;
    case LINK_CLOSED:
        return true; // its end will be told: the last words come first
    case LINK_BROKEN:
        break;
    }
    gpu_context_lose(context, "its commands can't be sent to its worker");
    return false;
}

// What a worker says is not to be trusted: it may have been taken over by its guest.
static bool on_message(void *data, const struct link_message *message)
{
    struct gpu_context *context = data;
    struct gpu_device *device = context->device;
    bool ok = false;
    switch (message->type) {
    case LINK_FENCE_RETIRED: {
        const struct link_fence_retired *fences = (const void *)message->payload;
        ok = true;
        for (size_t i = 0; ok && i < message->size / sizeof(*fences); i++)
            ok = gpu_fence_retired(context, fences[i].ring_idx, fences[i].fence_id);
        break;
    }
    case LINK_BLOB_EXPORTED:
        ok = gpu_blob_exported(
            context, (const void *)message->payload,
            message->fd_count ? link_take_fd(link_worker_link(context->worker), 0) : -1);
        break;
    case LINK_RESOURCE_ATTACHED:
        ok = gpu_blob_attached(
            context, ((const struct link_resource_attached *)message->payload)->resource_id);
        break;
    case LINK_CONTEXT_LOST:
        if (message->size) {
            gpu_context_lose(context, "%.*s", (int)message->size, (const char *)message->payload);
        } else {
            log_debug("context %u (%s): the guest's program has ended", context->id, context->name);
            end_worker(context);
        }
        ok = true;
        break;
    }
    if (!ok)
        gpu_context_lose(context, "its worker breaks the protocol (message %u)", message->type);
    gpu_lanes_run(device);
    return ok;
}

static void on_gone(void *data, const char *how)
{
    struct gpu_context *context = data;
    struct gpu_device *device = context->device;
    gpu_context_lose(context, "its worker ended: %s", how);
    gpu_lanes_run(device);
}

// ---- commands -------------------------------------------------------------

static bool start_worker(struct gpu_context *context)
{
    static const struct link_worker_callbacks callbacks = {.message = on_message, .gone = on_gone};
    const struct gpu_options *options = &context->device->options;
    context->worker = link_pool_take(options->pool, &callbacks, context);
    if (!context->worker)
        return false;
    struct link_context_create create = {
        .context_id = context->id,
        .max_memory = options->max_context_memory,
        .max_rings = MAX_RINGS,
        .max_resources = options->max_resources,
    };
    memcpy(create.name, context->name, sizeof(create.name));
    return gpu_context_send(context, LINK_CONTEXT_CREATE, &create, sizeof(create), NULL, 0, NULL,
                            0);
}

void gpu_ctx_create(struct gpu_device *device, struct gpu_request *request)
{
    const struct gpu_ctx_create *body = &request->body.ctx_create;
    uint32_t id = request->header.ctx_id;
    uint32_t capset =
        device->features & 1u << GPU_F_CONTEXT_INIT ? body->context_init & GPU_CAPSET_ID_MASK : 0;
    if (!id || gpu_context_find(device, id)) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_CONTEXT_ID, "the id is 0 or in use");
        return;
    }
    if (capset && (capset != GPU_CAPSET_VENUS || !gpu_offers_venus(device))) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER, "capset %u is not offered",
                   capset);
        return;
    }
    if (device->contexts.count >= device->options.max_contexts) {
        gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY,
                   "the limit of %u contexts is reached", device->options.max_contexts);
        return;
    }
    struct gpu_context *context = calloc(1, sizeof(*context));
    if (!context || !id_table_insert(&device->contexts, id, context)) {
        free(context);
        gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    context->device = device;
    context->id = id;
    context->serial = ++device->serial;
    context->capset = capset;
    size_t length = body->name_length < sizeof(context->name) - 1 ? body->name_length
                                                                  : sizeof(context->name) - 1;
    memcpy(context->name, body->name, length);
    if (!capset || start_worker(context)) {
        device->history.contexts_created++;
        gpu_answer(device, request, GPU_RESP_OK_NODATA);
        return;
    }
    int error = errno;
    id_table_remove(&device->contexts, id);
    free(context);
    gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY, "no worker can be started: %s",
               strerror(error));
}

void gpu_ctx_destroy(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_context *context = gpu_context_find(device, request->header.ctx_id);
    if (!context) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_CONTEXT_ID, "no such context");
        return;
    }
    end_worker(context);
    while (context->attachments)
        gpu_attachment_free(context->attachments);
    id_table_remove(&device->contexts, context->id);
    free(context);
    gpu_answer(device, request, GPU_RESP_OK_NODATA);
}

void gpu_contexts_reset(struct gpu_device *device)
{
    uint32_t cursor = 0;
    for (struct gpu_context *context; (context = id_table_next(&device->contexts, &cursor));) {
        link_worker_release(context->worker);
        while (context->attachments)
            gpu_attachment_free(context->attachments);
        free(context);
    }
    id_table_finish(&device->contexts);
}

// Context and resource of an attach or detach, or false and the request is refused.
static bool find_both(struct gpu_device *device, struct gpu_request *request,
                      struct gpu_context **context, struct gpu_resource **resource)
{
    *context = gpu_context_find(device, request->header.ctx_id);
    *resource = gpu_resource_find(device, request->body.resource.resource_id);
    if (!*context)
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_CONTEXT_ID, "no such context");
    else if (!*resource)
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_RESOURCE_ID, "no resource %u",
                   request->body.resource.resource_id);
    return *context && *resource;
}

// Tells a worker of a resource. What can't be imported is made known as an empty page, so that
// importing it is an error of Vulkan and not a broken stream. Memory that was not exported for
// sharing lies among others in its owner's file: it stays there.
static bool introduce(struct gpu_context *context, const struct gpu_resource *resource)
{
    struct link_resource_attach attach = {.resource_id = resource->id};
    if (resource->kind == GPU_RESOURCE_MEMORY &&
        resource->blob_flags & (GPU_BLOB_SHAREABLE | GPU_BLOB_CROSS_DEVICE)) {
        attach.kind = LINK_RESOURCE_MEMORY;
        attach.offset = resource->offset;
        attach.size = (resource->size + context->device->options.page_size - 1) &
                      ~(uint64_t)(context->device->options.page_size - 1);
        return gpu_context_send(context, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0,
                                &resource->file->fd, 1);
    }
    attach.kind = LINK_RESOURCE_SHM;
    attach.size = context->device->options.page_size;
    int fd = os_shm_create("hesper-empty", attach.size);
    if (fd < 0)
        return false;
    bool sent =
        gpu_context_send(context, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0, &fd, 1);
    close(fd);
    return sent;
}

void gpu_ctx_attach_resource(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_context *context;
    struct gpu_resource *resource;
    if (!find_both(device, request, &context, &resource))
        return;
    struct gpu_attachment *attachment = gpu_attachment_find(context, resource);
    if (!attachment) {
        attachment = gpu_attachment_create(context, resource);
        if (!attachment || (context->worker && !introduce(context, resource))) {
            if (attachment)
                gpu_attachment_free(attachment);
            gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY,
                       "resource %u can't be given to the context", resource->id);
            return;
        }
    }
    gpu_answer(device, request, GPU_RESP_OK_NODATA);
}

void gpu_ctx_detach_resource(struct gpu_device *device, struct gpu_request *request)
{
    struct gpu_context *context;
    struct gpu_resource *resource;
    if (!find_both(device, request, &context, &resource))
        return;
    struct gpu_attachment *attachment = gpu_attachment_find(context, resource);
    // The worker's own memory stays its resource until the guest gives that up: letting go would
    // free pages that are still mapped.
    if (attachment && !attachment->exported) {
        struct link_resource_detach detach = {.resource_id = resource->id};
        if (context->worker)
            gpu_context_send(context, LINK_RESOURCE_DETACH, &detach, sizeof(detach), NULL, 0, NULL,
                             0);
        gpu_attachment_free(attachment);
    }
    gpu_answer(device, request, GPU_RESP_OK_NODATA);
}

void gpu_submit_3d(struct gpu_device *device, struct gpu_request *request)
{
    const uint32_t size = request->body.submit.size;
    const uint64_t start = sizeof(struct gpu_header) + sizeof(struct gpu_submit);
    struct gpu_context *context = gpu_context_of(device, request);
    if (!context)
        return;
    uint32_t ring = request->header.flags & GPU_FLAG_INFO_RING_IDX ? request->header.ring_idx : 0;
    if (size % 4 || size > request->readable_size - start ||
        size > LINK_MAX_PAYLOAD - sizeof(struct link_submit) || ring >= GPU_RINGS) {
        gpu_refuse(device, request, GPU_RESP_ERR_INVALID_PARAMETER, "%u bytes of %llu on ring %u",
                   size, (unsigned long long)(request->readable_size - start), ring);
        return;
    }
    // Straight from guest memory into the socket, if it lies in one piece: what the guest changes
    // meanwhile, the worker sees as it was read.
    const void *bytes = size ? gpu_request_span(request, start, size) : NULL;
    if (size && !bytes) {
        if (size > device->scratch_size) {
            uint8_t *larger = realloc(device->scratch, size);
            if (!larger) {
                gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
                return;
            }
            device->scratch = larger;
            device->scratch_size = size;
        }
        gpu_request_read(request, start, device->scratch, size);
        bytes = device->scratch;
    }
    struct link_submit submit = {.ring_idx = ring, .byte_count = size};
    bool fence = request->header.flags & GPU_FLAG_FENCE;
    if (!size && !fence) {
        gpu_answer(device, request, GPU_RESP_OK_NODATA);
        return;
    }
    if (fence) {
        if (!gpu_request_own(request)) {
            gpu_refuse(device, request, GPU_RESP_ERR_OUT_OF_MEMORY, "out of memory");
            return;
        }
        gpu_lanes_leave(device, request);
        submit.fence_id = gpu_fence_add(context, ring, request);
    }
    bool sent =
        gpu_context_send(context, LINK_SUBMIT, &submit, sizeof(submit), bytes, size, NULL, 0);
    if (!fence) // else it is on its timeline, or a lost context has retired it
        gpu_answer(device, request, sent ? GPU_RESP_OK_NODATA : GPU_RESP_ERR_UNSPEC);
}
