#include "gpu/context.h"

#include <stdlib.h>

#include "gpu/find.h"
#include "gpu/resource.h"

struct gpu_context *gpu_context_of(struct gpu_device *device, const struct gpu_request *request,
                                   struct gpu_outcome *outcome)
{
    struct gpu_context *context = gpu_context_find(device, request->header.ctx_id);
    if (context && context->renderer && !renderer_is_lost(context->renderer))
        return context;
    if (!context)
        *outcome = gpu_refuse(device, GPU_RESP_ERR_INVALID_CONTEXT_ID, "no such context");
    else if (context->capset)
        *outcome = GPU_LOST;
    else
        *outcome = gpu_refuse(device, GPU_RESP_ERR_UNSPEC, "the context was made without a capset");
    return NULL;
}

// ---- attachments ----------------------------------------------------------

struct gpu_attachment *gpu_attachment_create(struct gpu_context *context,
                                             struct gpu_resource *resource)
{
    struct gpu_attachment *attachment = malloc(sizeof(*attachment));
    if (!attachment)
        return NULL;
    *attachment = (struct gpu_attachment){.resource = resource, .context = context};
    list_append(&resource->attachments, &attachment->of_resource);
    list_append(&context->attachments, &attachment->of_context);
    return attachment;
}

struct gpu_attachment *gpu_attachment_find(const struct gpu_context *context,
                                           const struct gpu_resource *resource)
{
    LIST_EACH (node, &resource->attachments) {
        struct gpu_attachment *attachment = LIST_ENTRY(node, struct gpu_attachment, of_resource);
        if (attachment->context == context)
            return attachment;
    }
    return NULL;
}

void gpu_attachment_free(struct gpu_attachment *attachment)
{
    list_remove(&attachment->of_resource);
    list_remove(&attachment->of_context);
    free(attachment);
}

struct gpu_attachment *gpu_attachment_of_context(const struct gpu_context *context)
{
    return LIST_FIRST(&context->attachments, struct gpu_attachment, of_context);
}

struct gpu_attachment *gpu_attachment_of_resource(const struct gpu_resource *resource)
{
    return LIST_FIRST(&resource->attachments, struct gpu_attachment, of_resource);
}
