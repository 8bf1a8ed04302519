#include "venus/loss.h"

#include "base/log.h"
#include "venus/ending.h"
#include "venus/feedback.h"

static const char *result_name(VkResult result)
{
    switch (result) {
    case VK_ERROR_DEVICE_LOST:
        return "VK_ERROR_DEVICE_LOST";
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return "VK_ERROR_OUT_OF_HOST_MEMORY";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        return "VK_ERROR_OUT_OF_DEVICE_MEMORY";
    default:
        return "an error";
    }
}

// Can the guest's program be told? A guest without fences on the host hears of it by the fences of
// the device process, the others by words in memory. For a timeline semaphore there is no such
// word.
static bool tell(struct venus_device *device)
{
    if (!atomic_load(&device->has_fences))
        return device->context->tells_loss;
    return venus_feedback_tell(device) && !atomic_load(&device->has_timelines);
}

void venus_device_lose(struct venus_device *device, const char *command, VkResult result)
{
    if (atomic_exchange(&device->lost, true))
        return;
    struct venus_context *context = device->context;
    if (venus_context_stopping(context))
        return;
    if (tell(device))
        log_warning("the device is lost: %s returned %s", command, result_name(result));
    else
        venus_context_lose(context, "the device is lost: %s returned %s", command,
                           result_name(result));
}

void venus_call_loses(struct venus_call *call, VkResult result)
{
    if (!venus_device_enter(call, &call->device->base, WIRE_HANDLE_DEVICE)) {
        call->reason = NULL; // the command has done what it could
        return;
    }
    venus_device_lose(call->device, call->wire.info->name, result);
    venus_device_leave(call->device);
}

void venus_device_stays_lost(struct venus_device *device)
{
    if (!venus_context_stopping(device->context) && !tell(device))
        venus_context_lose(device->context, "the device is lost, and work goes on");
}
