#include "guest/bare/present.h"

#include <string.h>

#include "guest/bare/scene_private.h"

static VkResult create_surface(struct present *present, const struct scene *scene)
{
    VkDisplayPropertiesKHR display;
    VkDisplayModePropertiesKHR mode;
    uint32_t count = 1;
    TRY(vkGetPhysicalDeviceDisplayPropertiesKHR(scene->physical, &count, &display));
    if (!count)
        return VK_ERROR_INITIALIZATION_FAILED;
    TRY(vkGetDisplayModePropertiesKHR(scene->physical, display.display, &count, &mode));
    const VkDisplaySurfaceCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_DISPLAY_SURFACE_CREATE_INFO_KHR,
        .displayMode = mode.displayMode,
        .transform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .globalAlpha = 1,
        .alphaMode = VK_DISPLAY_PLANE_ALPHA_OPAQUE_BIT_KHR,
        .imageExtent = mode.parameters.visibleRegion};
    return vkCreateDisplayPlaneSurfaceKHR(scene->instance, &info, NULL, &present->surface);
}

static VkResult create_swapchain(struct present *present, const struct scene *scene)
{
    VkSurfaceCapabilitiesKHR can;
    VkBool32 supported = VK_FALSE;
    uint32_t count = PRESENT_IMAGES;
    TRY(vkGetPhysicalDeviceSurfaceSupportKHR(scene->physical, scene->family, present->surface,
                                             &supported));
    TRY(vkGetPhysicalDeviceSurfaceCapabilitiesKHR(scene->physical, present->surface, &can));
    if (!supported || can.currentExtent.width != scene->width ||
        can.currentExtent.height != scene->height)
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    const VkSwapchainCreateInfoKHR info = {.sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
                                           .surface = present->surface,
                                           .minImageCount = can.minImageCount,
                                           .imageFormat = SCENE_FORMAT,
                                           .imageColorSpace = VK_COLOR_SPACE_SRGB_NONLINEAR_KHR,
                                           .imageExtent = can.currentExtent,
                                           .imageArrayLayers = 1,
                                           .imageUsage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                                           .preTransform = can.currentTransform,
                                           .compositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
                                           .presentMode = VK_PRESENT_MODE_FIFO_KHR};
    TRY(vkCreateSwapchainKHR(scene->device, &info, NULL, &present->swapchain));
    return vkGetSwapchainImagesKHR(scene->device, present->swapchain, &count, present->images);
}

VkResult present_create(struct present *present, const struct scene *scene)
{
    const VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    memset(present, 0, sizeof(*present));
    TRY(create_surface(present, scene));
    TRY(create_swapchain(present, scene));
    TRY(vkCreateSemaphore(scene->device, &info, NULL, &present->acquired));
    return vkCreateSemaphore(scene->device, &info, NULL, &present->copied);
}

static void change_layout(VkCommandBuffer commands, VkImage image, VkImageLayout from,
                          VkImageLayout to)
{
    const VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = from ? VK_ACCESS_TRANSFER_WRITE_BIT : 0,
        .dstAccessMask = from ? 0 : VK_ACCESS_TRANSFER_WRITE_BIT,
        .oldLayout = from,
        .newLayout = to,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}};
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                         from ? VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT
                              : VK_PIPELINE_STAGE_TRANSFER_BIT,
                         0, 0, NULL, 0, NULL, 1, &barrier);
}

VkResult present_show(const struct present *present, struct scene *scene, uint32_t index)
{
    const struct scene_picture *picture = &scene->pictures[index];
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkImageSubresourceLayers layers = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1};
    const VkImageCopy copy = {.srcSubresource = layers,
                              .dstSubresource = layers,
                              .extent = {scene->width, scene->height, 1}};
    VkCommandBuffer commands = picture->commands;
    uint32_t i;
    TRY(vkAcquireNextImageKHR(scene->device, present->swapchain, UINT64_MAX, present->acquired,
                              VK_NULL_HANDLE, &i));
    TRY(scene_begin(commands));
    change_layout(commands, present->images[i], VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vkCmdCopyImage(commands, picture->image,
                   scene->copied ? VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL : VK_IMAGE_LAYOUT_GENERAL,
                   present->images[i], VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &copy);
    change_layout(commands, present->images[i], VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                  VK_IMAGE_LAYOUT_PRESENT_SRC_KHR);
    TRY(vkEndCommandBuffer(commands));
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                 .waitSemaphoreCount = 1,
                                 .pWaitSemaphores = &present->acquired,
                                 .pWaitDstStageMask = &stage,
                                 .commandBufferCount = 1,
                                 .pCommandBuffers = &commands,
                                 .signalSemaphoreCount = 1,
                                 .pSignalSemaphores = &present->copied};
    TRY(vkQueueSubmit(scene->queue, 1, &submit, VK_NULL_HANDLE));
    const VkPresentInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                   .waitSemaphoreCount = 1,
                                   .pWaitSemaphores = &present->copied,
                                   .swapchainCount = 1,
                                   .pSwapchains = &present->swapchain,
                                   .pImageIndices = &i};
    return vkQueuePresentKHR(scene->queue, &info);
}

void present_destroy(struct present *present, const struct scene *scene)
{
    if (scene->device) {
        vkDestroySemaphore(scene->device, present->acquired, NULL);
        vkDestroySemaphore(scene->device, present->copied, NULL);
        vkDestroySwapchainKHR(scene->device, present->swapchain, NULL);
        vkDestroySurfaceKHR(scene->instance, present->surface, NULL);
    }
    memset(present, 0, sizeof(*present));
}
