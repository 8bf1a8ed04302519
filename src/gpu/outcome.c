#include "gpu/outcome.h"

#include <stdarg.h>
#include <stdio.h>

#include "gpu/context.h"
#include "gpu/device.h"
#include "gpu/find.h"
#include "gpu/journal.h"
#include "gpu/lane.h"

struct gpu_outcome gpu_refuse(struct gpu_device *device, enum gpu_response_type type,
                              const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(device->reason, sizeof(device->reason), format, arguments);
    va_end(arguments);
    return (struct gpu_outcome){type};
}

struct gpu_outcome gpu_respond(struct gpu_device *device, struct gpu_request *request,
                               enum gpu_response_type type, const void *payload, uint32_t size)
{
    if (request->writable_size < sizeof(struct gpu_header) + size)
        return gpu_refuse(
            device, GPU_RESP_ERR_INVALID_PARAMETER, "%llu bytes are no room for a response of %zu",
            (unsigned long long)request->writable_size, sizeof(struct gpu_header) + size);
    gpu_request_write(request, sizeof(struct gpu_header), payload, size);
    request->payload_size = size;
    return (struct gpu_outcome){type};
}

// A fence of a timeline is answered after those before it. True: the request is kept for that.
static bool follow(struct gpu_device *device, struct gpu_request *request)
{
    const uint32_t both = GPU_FLAG_FENCE | GPU_FLAG_INFO_RING_IDX;
    if ((request->header.flags & both) != both || request->header.ring_idx >= RENDERER_TIMELINES)
        return false;
    struct gpu_context *context = gpu_context_find(device, request->header.ctx_id);
    if (!context || !context->renderer)
        return false;
    if (gpu_request_own(request))
        return renderer_follow(context->renderer, request->header.ring_idx, &request->fence);
    renderer_lose(context->renderer, "out of memory for a fence");
    return false;
}

// A guest's driver hardly looks at the answers to these, and its program would go on without them.
static void lose_context(struct gpu_device *device, const struct gpu_request *request)
{
    struct gpu_context *context = gpu_context_find(device, request->header.ctx_id);
    if (context && context->renderer && request->command && request->command->of_context)
        renderer_lose(context->renderer, "out of memory for %s", request->command->name);
}

void gpu_settle(struct gpu_device *device, struct gpu_request *request, struct gpu_outcome outcome)
{
    if (!outcome.type)
        return;
    bool failed = outcome.type >= GPU_RESP_ERR_UNSPEC;
    if (failed && device->reason[0])
        gpu_complain(device, "virtio-gpu: %s (context %u): %s; answered with %s",
                     request->command ? request->command->name : "a request",
                     request->header.ctx_id, device->reason, gpu_response_name(outcome.type));
    device->reason[0] = 0;
    gpu_lanes_leave(device, request);
    request->answer = outcome.type;
    if (outcome.type == GPU_RESP_ERR_OUT_OF_MEMORY &&
        (request->brief || request->header.type == GPU_CMD_SUBMIT_3D))
        lose_context(device, request);
    if (failed)
        request->payload_size = 0;
    if (!follow(device, request))
        gpu_request_complete(device, request);
}
