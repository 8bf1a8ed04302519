#include "display/window/swapchain.h"

#include "base/log.h"

static uint32_t clamp(uint32_t n, uint32_t least, uint32_t most)
{
    return n < least ? least : n > most ? most : n;
}

// The guest's pixels are shown as they are: never a format that would convert them.
static bool choose_format(struct window_vulkan *vk, VkSurfaceKHR surface, VkSurfaceFormatKHR *best)
{
    VkSurfaceFormatKHR formats[64];
    uint32_t count = 64;
    if (vk->GetPhysicalDeviceSurfaceFormatsKHR(vk->physical, surface, &count, formats) < 0)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (formats[i].colorSpace != VK_COLOR_SPACE_SRGB_NONLINEAR_KHR)
            continue;
        if (formats[i].format == VK_FORMAT_B8G8R8A8_UNORM ||
            formats[i].format == VK_FORMAT_R8G8B8A8_UNORM ||
            formats[i].format == VK_FORMAT_A8B8G8R8_UNORM_PACK32) {
            *best = formats[i];
            return true;
        }
    }
    return false;
}

static VkCompositeAlphaFlagBitsKHR choose_alpha(VkCompositeAlphaFlagsKHR supported)
{
    if (supported & VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR)
        return VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR;
    return supported & VK_COMPOSITE_ALPHA_INHERIT_BIT_KHR
               ? VK_COMPOSITE_ALPHA_INHERIT_BIT_KHR
               : (VkCompositeAlphaFlagBitsKHR)(supported & -supported);
}

static bool make_semaphore(struct window_vulkan *vk, VkSemaphore *semaphore)
{
    VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    if (*semaphore || vk->CreateSemaphore(vk->device, &info, NULL, semaphore) >= 0)
        return true;
    *semaphore = VK_NULL_HANDLE;
    return false;
}

static void free_semaphores(struct window_vulkan *vk, struct window_swapchain *swapchain)
{
    vk->DestroySemaphore(vk->device, swapchain->acquired, NULL);
    swapchain->acquired = VK_NULL_HANDLE;
    for (uint32_t i = 0; i < WINDOW_SWAPCHAIN_IMAGES; i++) {
        vk->DestroySemaphore(vk->device, swapchain->drawn[i], NULL);
        swapchain->drawn[i] = VK_NULL_HANDLE;
    }
}

static bool take_images(struct window_vulkan *vk, struct window_swapchain *swapchain)
{
    swapchain->count = WINDOW_SWAPCHAIN_IMAGES;
    bool all = vk->GetSwapchainImagesKHR(vk->device, swapchain->chain, &swapchain->count,
                                         swapchain->images) == VK_SUCCESS &&
               make_semaphore(vk, &swapchain->acquired);
    for (uint32_t i = 0; all && i < swapchain->count; i++)
        all = make_semaphore(vk, &swapchain->drawn[i]);
    return all;
}

bool window_swapchain_renew(struct window_vulkan *vk, VkSurfaceKHR surface,
                            struct window_swapchain *swapchain, uint32_t width, uint32_t height)
{
    VkSurfaceCapabilitiesKHR surface_is;
    VkSurfaceFormatKHR format;
    if (vk->GetPhysicalDeviceSurfaceCapabilitiesKHR(vk->physical, surface, &surface_is) < 0 ||
        !choose_format(vk, surface, &format) ||
        !(surface_is.supportedUsageFlags & VK_IMAGE_USAGE_TRANSFER_DST_BIT))
        return false;
    VkExtent2D extent = surface_is.currentExtent;
    if (extent.width == UINT32_MAX) { // the window is as large as its swapchain
        extent.width =
            clamp(width, surface_is.minImageExtent.width, surface_is.maxImageExtent.width);
        extent.height =
            clamp(height, surface_is.minImageExtent.height, surface_is.maxImageExtent.height);
    }
    VkSwapchainKHR old = swapchain->chain;
    swapchain->chain = VK_NULL_HANDLE;
    swapchain->extent = extent;
    swapchain->format = format.format;
    swapchain->count = 0;
    swapchain->stale = false;
    VkResult result = VK_SUCCESS;
    if (extent.width && extent.height) {
        VkSwapchainCreateInfoKHR info = {
            .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
            .surface = surface,
            .minImageCount = clamp(surface_is.minImageCount, 2,
                                   surface_is.maxImageCount ? surface_is.maxImageCount : 8),
            .imageFormat = format.format,
            .imageColorSpace = format.colorSpace,
            .imageExtent = extent,
            .imageArrayLayers = 1,
            .imageUsage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
            .preTransform = surface_is.currentTransform,
            .compositeAlpha = choose_alpha(surface_is.supportedCompositeAlpha),
            .presentMode = VK_PRESENT_MODE_FIFO_KHR,
            .clipped = VK_TRUE,
            .oldSwapchain = old,
        };
        result = vk->CreateSwapchainKHR(vk->device, &info, NULL, &swapchain->chain);
        if (result < 0)
            swapchain->chain = VK_NULL_HANDLE;
    }
    // Their signals belonged to images that are gone.
    free_semaphores(vk, swapchain);
    vk->DestroySwapchainKHR(vk->device, old, NULL);
    if (result < 0 || (swapchain->chain && !take_images(vk, swapchain))) {
        log_debug("window: no swapchain of %ux%u: %d", extent.width, extent.height, result);
        return false;
    }
    return true;
}

void window_swapchain_free(struct window_vulkan *vk, struct window_swapchain *swapchain)
{
    free_semaphores(vk, swapchain);
    vk->DestroySwapchainKHR(vk->device, swapchain->chain, NULL);
    *swapchain = (struct window_swapchain){0};
}

static void note(struct window_vulkan *vk, struct window_swapchain *swapchain, VkResult result)
{
    if (result == VK_ERROR_OUT_OF_DATE_KHR || result == VK_SUBOPTIMAL_KHR)
        swapchain->stale = true;
    else if (result < 0)
        atomic_store(&vk->lost, true);
}

int window_swapchain_acquire(struct window_vulkan *vk, struct window_swapchain *swapchain,
                             uint64_t timeout_ns)
{
    uint32_t image;
    VkResult result = vk->AcquireNextImageKHR(vk->device, swapchain->chain, timeout_ns,
                                              swapchain->acquired, VK_NULL_HANDLE, &image);
    note(vk, swapchain, result);
    return result == VK_SUCCESS || result == VK_SUBOPTIMAL_KHR ? (int)image : -1;
}

void window_swapchain_present(struct window_vulkan *vk, struct window_queue *queue,
                              struct window_swapchain *swapchain, uint32_t image)
{
    VkPresentInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
        .waitSemaphoreCount = 1,
        .pWaitSemaphores = &swapchain->drawn[image],
        .swapchainCount = 1,
        .pSwapchains = &swapchain->chain,
        .pImageIndices = &image,
    };
    pthread_mutex_lock(&queue->lock);
    VkResult result = vk->QueuePresentKHR(queue->queue, &info);
    pthread_mutex_unlock(&queue->lock);
    note(vk, swapchain, result);
}
