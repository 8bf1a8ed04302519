// Waits: the ring must not stand still for them, so the guest asks, and asks again.
#include "guest/vulkan/objects.h"

VKAPI_ATTR VkResult VKAPI_CALL vkWaitForFences(VkDevice device, uint32_t fenceCount,
                                               const VkFence *pFences, VkBool32 waitAll,
                                               uint64_t timeout)
{
    struct guest_context *context = guest_handle_of(device)->context;
    struct guest_wait wait = {.nanoseconds = timeout};
    VkResult result;
    do {
        result = guest_plain_vkWaitForFences(device, fenceCount, pFences, waitAll, 0);
    } while (result == VK_TIMEOUT && guest_pause(context, &wait));
    if (result == VK_SUCCESS)
        guest_waited(context, &wait);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vkWaitSemaphores(VkDevice device,
                                                const VkSemaphoreWaitInfo *pWaitInfo,
                                                uint64_t timeout)
{
    struct guest_context *context = guest_handle_of(device)->context;
    struct guest_wait wait = {.nanoseconds = timeout};
    VkResult result;
    do {
        result = guest_plain_vkWaitSemaphores(device, pWaitInfo, 0);
    } while (result == VK_TIMEOUT && guest_pause(context, &wait));
    if (result == VK_SUCCESS)
        guest_waited(context, &wait);
    return result;
}
