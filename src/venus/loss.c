#include "venus/loss.h"

#include "venus/ending.h"

#include "base/log.h"

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

void venus_device_lose(struct venus_device *device, const char *command, VkResult result)
{
    if (atomic_exchange(&device->lost, true))
        return;
    struct venus_context *context = device->context;
    if (venus_context_stopping(context))
        return;
    // A guest with fences on the host polls what its GPU writes.
    if (context->tells_loss && !atomic_load(&device->has_fences))
        log_warning("the device is lost: %s returned %s", command, result_name(result));
    else
        venus_context_lose(context, "the device is lost: %s returned %s", command,
                           result_name(result));
}
