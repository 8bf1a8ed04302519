// VK_KHR_swapchain: images that lie in rows, shown one after another at the display's pace. An
// image that is presented is waited for, shown, and free again when another one is.
#include "guest/vulkan/swapchain.h"

#include "guest/vulkan/guest.h"

enum { VIRTIO_B8G8R8X8 = 2 };

struct swapchain {
    struct guest_handle handle;
    VkDevice device;
    uint32_t output;
    bool seen; // the output is a screen
    uint32_t count, last;
    VkFence fence;
    struct {
        VkImage image;
        VkDeviceMemory memory;
        struct guest_picture picture;
        bool acquired;
    } images[SWAPCHAIN_IMAGES];
};

static VkResult allocate(struct swapchain *self, VkImage image, VkDeviceMemory *memory)
{
    const struct guest_device *device = (const struct guest_device *)self->device;
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkMemoryRequirements needs;
    uint32_t type = 0;
    vkGetImageMemoryRequirements(self->device, image, &needs);
    while (type < device->memory.memoryTypeCount &&
           (!(needs.memoryTypeBits >> type & 1) ||
            (device->memory.memoryTypes[type].propertyFlags & wanted) != wanted))
        type++;
    if (type == device->memory.memoryTypeCount)
        return VK_ERROR_INITIALIZATION_FAILED;
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .allocationSize = needs.size,
                                 .memoryTypeIndex = type};
    return vkAllocateMemory(self->device, &info, NULL, memory);
}

static VkResult make_image(struct swapchain *self, const VkSwapchainCreateInfoKHR *wish, uint32_t i)
{
    VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                              .imageType = VK_IMAGE_TYPE_2D,
                              .format = wish->imageFormat,
                              .extent = {wish->imageExtent.width, wish->imageExtent.height, 1},
                              .mipLevels = 1,
                              .arrayLayers = 1,
                              .samples = VK_SAMPLE_COUNT_1_BIT,
                              .tiling = VK_IMAGE_TILING_LINEAR,
                              .usage = wish->imageUsage,
                              .sharingMode = wish->imageSharingMode,
                              .queueFamilyIndexCount = wish->queueFamilyIndexCount,
                              .pQueueFamilyIndices = wish->pQueueFamilyIndices};
    const VkImageSubresource first = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT};
    VkSubresourceLayout layout;
    VkResult result = vkCreateImage(self->device, &info, NULL, &self->images[i].image);
    if (result == VK_SUCCESS)
        result = allocate(self, self->images[i].image, &self->images[i].memory);
    if (result == VK_SUCCESS)
        result = vkBindImageMemory(self->device, self->images[i].image, self->images[i].memory, 0);
    if (result != VK_SUCCESS)
        return result;
    vkGetImageSubresourceLayout(self->device, self->images[i].image, &first, &layout);
    self->images[i].picture = (struct guest_picture){.width = wish->imageExtent.width,
                                                     .height = wish->imageExtent.height,
                                                     .stride = (uint32_t)layout.rowPitch,
                                                     .offset = (uint32_t)layout.offset,
                                                     .format = VIRTIO_B8G8R8X8};
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vkDestroySwapchainKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                 const VkAllocationCallbacks *pAllocator)
{
    struct swapchain *self = (struct swapchain *)(uintptr_t)swapchain;
    if (!self)
        return;
    if (self->seen)
        guest_present(device, VK_NULL_HANDLE, self->output, &self->images[0].picture);
    for (uint32_t i = 0; i < SWAPCHAIN_IMAGES; i++) {
        vkDestroyImage(device, self->images[i].image, NULL);
        vkFreeMemory(device, self->images[i].memory, NULL);
    }
    vkDestroyFence(device, self->fence, NULL);
    guest_delete(&self->handle);
}

VKAPI_ATTR VkResult VKAPI_CALL vkCreateSwapchainKHR(VkDevice device,
                                                    const VkSwapchainCreateInfoKHR *pCreateInfo,
                                                    const VkAllocationCallbacks *pAllocator,
                                                    VkSwapchainKHR *pSwapchain)
{
    const VkFenceCreateInfo unsignalled = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    struct swapchain *self = guest_new(guest_handle_of(device)->context, sizeof(*self));
    struct guest_info info = {0};
    if (!self)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    self->device = device;
    self->output = (uint32_t)(uintptr_t)pCreateInfo->surface - 1;
    self->seen = guest_outputs(device, &info) == VK_SUCCESS && self->output < info.output_count;
    self->count = pCreateInfo->minImageCount < SWAPCHAIN_IMAGES ? pCreateInfo->minImageCount
                                                                : SWAPCHAIN_IMAGES;
    VkResult result = vkCreateFence(device, &unsignalled, NULL, &self->fence);
    for (uint32_t i = 0; i < self->count && result == VK_SUCCESS; i++)
        result = make_image(self, pCreateInfo, i);
    if (result != VK_SUCCESS) {
        self->seen = false;
        vkDestroySwapchainKHR(device, (VkSwapchainKHR)(uintptr_t)self, NULL);
        return result;
    }
    *pSwapchain = (VkSwapchainKHR)(uintptr_t)self;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vkGetSwapchainImagesKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                       uint32_t *pSwapchainImageCount,
                                                       VkImage *pSwapchainImages)
{
    const struct swapchain *self = (const struct swapchain *)(uintptr_t)swapchain;
    const uint32_t room = pSwapchainImages ? *pSwapchainImageCount : self->count;
    *pSwapchainImageCount = room < self->count ? room : self->count;
    for (uint32_t i = 0; pSwapchainImages && i < *pSwapchainImageCount; i++)
        pSwapchainImages[i] = self->images[i].image;
    return *pSwapchainImageCount < self->count ? VK_INCOMPLETE : VK_SUCCESS;
}

// The images go round, so that the one that is shown comes last.
VKAPI_ATTR VkResult VKAPI_CALL vkAcquireNextImageKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                     uint64_t timeout, VkSemaphore semaphore,
                                                     VkFence fence, uint32_t *pImageIndex)
{
    struct swapchain *self = (struct swapchain *)(uintptr_t)swapchain;
    const uint32_t next = (self->last + 1) % self->count;
    if (self->images[next].acquired)
        return timeout ? VK_TIMEOUT : VK_NOT_READY;
    const VkSubmitInfo signal = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                 .signalSemaphoreCount = semaphore != VK_NULL_HANDLE,
                                 .pSignalSemaphores = &semaphore};
    const struct guest_device *owner = (const struct guest_device *)device;
    VkResult result = vkQueueSubmit((VkQueue)owner->queues, 1, &signal, fence);
    if (result != VK_SUCCESS)
        return result;
    self->images[next].acquired = true;
    self->last = *pImageIndex = next;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vkAcquireNextImage2KHR(VkDevice device,
                                                      const VkAcquireNextImageInfoKHR *pAcquireInfo,
                                                      uint32_t *pImageIndex)
{
    return vkAcquireNextImageKHR(device, pAcquireInfo->swapchain, pAcquireInfo->timeout,
                                 pAcquireInfo->semaphore, pAcquireInfo->fence, pImageIndex);
}

static VkResult show(struct swapchain *self, uint32_t i)
{
    self->images[i].acquired = false;
    if (!self->seen)
        return VK_SUCCESS;
    VkResult result =
        guest_present(self->device, self->images[i].memory, self->output, &self->images[i].picture);
    return result ? result
                  : guest_present_flush(self->device, self->images[i].memory,
                                        &self->images[i].picture);
}

// Waits for all that the program has given the queue before.
static VkResult wait_for(VkQueue queue, const VkPresentInfoKHR *info)
{
    struct swapchain *first = (struct swapchain *)(uintptr_t)info->pSwapchains[0];
    const uint32_t count = info->waitSemaphoreCount;
    struct guest_scratch scratch;
    VkPipelineStageFlags *stages = guest_scratch_take(&scratch, queue, count * sizeof(*stages));
    if (!stages)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        stages[i] = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    const VkSubmitInfo wait = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .waitSemaphoreCount = count,
                               .pWaitSemaphores = info->pWaitSemaphores,
                               .pWaitDstStageMask = stages};
    VkResult result = vkQueueSubmit(queue, 1, &wait, first->fence);
    guest_scratch_give(&scratch);
    if (result == VK_SUCCESS)
        result = vkWaitForFences(first->device, 1, &first->fence, VK_TRUE, UINT64_MAX);
    if (result == VK_SUCCESS)
        result = vkResetFences(first->device, 1, &first->fence);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vkQueuePresentKHR(VkQueue queue,
                                                 const VkPresentInfoKHR *pPresentInfo)
{
    VkResult all = wait_for(queue, pPresentInfo);
    for (uint32_t i = 0; i < pPresentInfo->swapchainCount; i++) {
        VkResult result = all;
        if (result == VK_SUCCESS)
            result = show((struct swapchain *)(uintptr_t)pPresentInfo->pSwapchains[i],
                          pPresentInfo->pImageIndices[i]);
        if (pPresentInfo->pResults)
            pPresentInfo->pResults[i] = result;
        all = all == VK_SUCCESS ? result : all;
    }
    return all;
}
