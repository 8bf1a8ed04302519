// The layout of images that a swapchain shows.
#include "guest/vulkan/objects.h"

// The host knows no swapchains: images that are shown are in the general layout there.
static VkImageLayout crossed(VkImageLayout layout)
{
    return layout == VK_IMAGE_LAYOUT_PRESENT_SRC_KHR ? VK_IMAGE_LAYOUT_GENERAL : layout;
}

// The new layout follows the old one in both kinds of barriers.
static bool any_shown(const void *barriers, size_t each, size_t old_layout, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        VkImageLayout layouts[2];
        memcpy(layouts, (const uint8_t *)barriers + i * each + old_layout, sizeof(layouts));
        if (layouts[0] == VK_IMAGE_LAYOUT_PRESENT_SRC_KHR ||
            layouts[1] == VK_IMAGE_LAYOUT_PRESENT_SRC_KHR)
            return true;
    }
    return false;
}

VKAPI_ATTR void VKAPI_CALL vkCmdPipelineBarrier(
    VkCommandBuffer commandBuffer, VkPipelineStageFlags srcStageMask,
    VkPipelineStageFlags dstStageMask, VkDependencyFlags dependencyFlags,
    uint32_t memoryBarrierCount, const VkMemoryBarrier *pMemoryBarriers,
    uint32_t bufferMemoryBarrierCount, const VkBufferMemoryBarrier *pBufferMemoryBarriers,
    uint32_t imageMemoryBarrierCount, const VkImageMemoryBarrier *pImageMemoryBarriers)
{
    const VkImageMemoryBarrier *images = pImageMemoryBarriers;
    struct guest_scratch scratch;
    scratch.taken = NULL;
    if (any_shown(images, sizeof(*images), offsetof(VkImageMemoryBarrier, oldLayout),
                  imageMemoryBarrierCount)) {
        VkImageMemoryBarrier *copies =
            guest_scratch_take(&scratch, commandBuffer, imageMemoryBarrierCount * sizeof(*copies));
        if (!copies)
            return;
        for (uint32_t i = 0; i < imageMemoryBarrierCount; i++) {
            copies[i] = images[i];
            copies[i].oldLayout = crossed(images[i].oldLayout);
            copies[i].newLayout = crossed(images[i].newLayout);
        }
        images = copies;
    }
    guest_plain_vkCmdPipelineBarrier(commandBuffer, srcStageMask, dstStageMask, dependencyFlags,
                                     memoryBarrierCount, pMemoryBarriers, bufferMemoryBarrierCount,
                                     pBufferMemoryBarriers, imageMemoryBarrierCount, images);
    guest_scratch_give(&scratch);
}

VKAPI_ATTR void VKAPI_CALL vkCmdPipelineBarrier2(VkCommandBuffer commandBuffer,
                                                 const VkDependencyInfo *pDependencyInfo)
{
    VkDependencyInfo info = *pDependencyInfo;
    const VkImageMemoryBarrier2 *images = info.pImageMemoryBarriers;
    struct guest_scratch scratch;
    scratch.taken = NULL;
    if (any_shown(images, sizeof(*images), offsetof(VkImageMemoryBarrier2, oldLayout),
                  info.imageMemoryBarrierCount)) {
        VkImageMemoryBarrier2 *copies = guest_scratch_take(
            &scratch, commandBuffer, info.imageMemoryBarrierCount * sizeof(*copies));
        if (!copies)
            return;
        for (uint32_t i = 0; i < info.imageMemoryBarrierCount; i++) {
            copies[i] = images[i];
            copies[i].oldLayout = crossed(images[i].oldLayout);
            copies[i].newLayout = crossed(images[i].newLayout);
        }
        info.pImageMemoryBarriers = copies;
    }
    guest_plain_vkCmdPipelineBarrier2(commandBuffer, &info);
    guest_scratch_give(&scratch);
}

VKAPI_ATTR VkResult VKAPI_CALL vkCreateRenderPass(VkDevice device,
                                                  const VkRenderPassCreateInfo *pCreateInfo,
                                                  const VkAllocationCallbacks *pAllocator,
                                                  VkRenderPass *pRenderPass)
{
    VkRenderPassCreateInfo info = *pCreateInfo;
    struct guest_scratch scratch;
    VkAttachmentDescription *attachments =
        guest_scratch_take(&scratch, device, info.attachmentCount * sizeof(*attachments));
    if (!attachments)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < info.attachmentCount; i++) {
        attachments[i] = info.pAttachments[i];
        attachments[i].initialLayout = crossed(attachments[i].initialLayout);
        attachments[i].finalLayout = crossed(attachments[i].finalLayout);
    }
    info.pAttachments = attachments;
    VkResult result = guest_plain_vkCreateRenderPass(device, &info, NULL, pRenderPass);
    guest_scratch_give(&scratch);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vkCreateRenderPass2(VkDevice device,
                                                   const VkRenderPassCreateInfo2 *pCreateInfo,
                                                   const VkAllocationCallbacks *pAllocator,
                                                   VkRenderPass *pRenderPass)
{
    VkRenderPassCreateInfo2 info = *pCreateInfo;
    struct guest_scratch scratch;
    VkAttachmentDescription2 *attachments =
        guest_scratch_take(&scratch, device, info.attachmentCount * sizeof(*attachments));
    if (!attachments)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < info.attachmentCount; i++) {
        attachments[i] = info.pAttachments[i];
        attachments[i].initialLayout = crossed(attachments[i].initialLayout);
        attachments[i].finalLayout = crossed(attachments[i].finalLayout);
    }
    info.pAttachments = attachments;
    VkResult result = guest_plain_vkCreateRenderPass2(device, &info, NULL, pRenderPass);
    guest_scratch_give(&scratch);
    return result;
}
