#include "display/window/picture.h"

VkFormat window_picture_format(enum picture_format format)
{
    switch (format) {
    case PICTURE_FORMAT_B8G8R8A8:
    case PICTURE_FORMAT_B8G8R8X8:
        return VK_FORMAT_B8G8R8A8_UNORM;
    case PICTURE_FORMAT_R8G8B8A8:
    case PICTURE_FORMAT_R8G8B8X8:
        return VK_FORMAT_R8G8B8A8_UNORM;
    case PICTURE_FORMAT_A8R8G8B8:
    case PICTURE_FORMAT_X8R8G8B8:
    case PICTURE_FORMAT_X8B8G8R8:
    case PICTURE_FORMAT_A8B8G8R8:
        break; // Vulkan has no 8-bit format with A in front; guests of big-endian machines only
    }
    return VK_FORMAT_UNDEFINED;
}

void window_picture_free(struct window_vulkan *vk, struct window_picture *picture)
{
    vk->DestroyImage(vk->device, picture->image, NULL);
    vk->FreeMemory(vk->device, picture->memory, NULL);
    *picture = (struct window_picture){0};
}

static bool make(struct window_vulkan *vk, struct window_picture *picture)
{
    VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = picture->format,
        .extent = {picture->width, picture->height, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_OPTIMAL,
        .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
    if (vk->CreateImage(vk->device, &info, NULL, &picture->image) < 0) {
        picture->image = VK_NULL_HANDLE;
        return false;
    }
    VkMemoryRequirements needs;
    vk->GetImageMemoryRequirements(vk->device, picture->image, &needs);
    uint32_t type =
        window_vulkan_memory(vk, needs.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    if (type == UINT32_MAX)
        type = window_vulkan_memory(vk, needs.memoryTypeBits, 0);
    VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = needs.size,
        .memoryTypeIndex = type,
    };
    if (vk->AllocateMemory(vk->device, &allocation, NULL, &picture->memory) < 0) {
        picture->memory = VK_NULL_HANDLE;
        return false;
    }
    return vk->BindImageMemory(vk->device, picture->image, picture->memory, 0) >= 0;
}

bool window_picture_prepare(struct window_vulkan *vk, struct window_picture *picture,
                            const struct window_source *source)
{
    if (picture->image && picture->format == source->format && picture->width == source->width &&
        picture->height == source->height)
        return true;
    window_picture_free(vk, picture);
    VkFormatProperties properties;
    vk->GetPhysicalDeviceFormatProperties(vk->physical, source->format, &properties);
    picture->format = source->format;
    picture->width = source->width;
    picture->height = source->height;
    picture->smooth =
        properties.optimalTilingFeatures & VK_FORMAT_FEATURE_SAMPLED_IMAGE_FILTER_LINEAR_BIT;
    if (make(vk, picture))
        return true;
    window_picture_free(vk, picture);
    return false;
}

// ---- commands -------------------------------------------------------------

static const VkImageSubresourceRange whole = {
    .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
    .levelCount = 1,
    .layerCount = 1,
};
static const VkImageSubresourceLayers layer = {
    .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
    .layerCount = 1,
};

static void move(struct window_vulkan *vk, VkCommandBuffer commands, VkImage image,
                 VkImageLayout from, VkAccessFlags written, VkImageLayout to, VkAccessFlags read)
{
    VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = written,
        .dstAccessMask = read,
        .oldLayout = from,
        .newLayout = to,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image,
        .subresourceRange = whole,
    };
    VkPipelineStageFlags after =
        read ? VK_PIPELINE_STAGE_TRANSFER_BIT : VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT;
    vk->CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, after, 0, 0, NULL, 0, NULL, 1,
                           &barrier);
}

void window_picture_copy(struct window_vulkan *vk, VkCommandBuffer commands,
                         struct window_picture *picture, const struct window_source *source)
{
    const struct picture_rect *damage = &source->damage;
    move(vk, commands, picture->image,
         picture->filled ? VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL : VK_IMAGE_LAYOUT_UNDEFINED,
         VK_ACCESS_TRANSFER_READ_BIT, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
         VK_ACCESS_TRANSFER_WRITE_BIT);
    VkBufferImageCopy region = {
        .bufferOffset = source->offset + 4 * ((VkDeviceSize)damage->y * source->row + damage->x),
        .bufferRowLength = source->row,
        .imageSubresource = layer,
        .imageOffset = {damage->x, damage->y, 0},
        .imageExtent = {damage->width, damage->height, 1},
    };
    vk->CmdCopyBufferToImage(commands, source->buffer, picture->image,
                             VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &region);
    move(vk, commands, picture->image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
         VK_ACCESS_TRANSFER_WRITE_BIT, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
         VK_ACCESS_TRANSFER_READ_BIT);
    picture->filled = true;
}

void window_picture_draw(struct window_vulkan *vk, VkCommandBuffer commands,
                         const struct window_picture *picture, enum window_scale scale,
                         VkImage target, VkExtent2D extent)
{
    struct window_layout at;
    bool seen =
        window_layout(scale, picture->width, picture->height, extent.width, extent.height, &at);
    move(vk, commands, target, VK_IMAGE_LAYOUT_UNDEFINED, 0, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
         VK_ACCESS_TRANSFER_WRITE_BIT);
    if (!seen || window_layout_has_bars(&at, extent.width, extent.height)) {
        VkClearColorValue black = {.float32 = {0, 0, 0, 1}};
        vk->CmdClearColorImage(commands, target, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, &black, 1,
                               &whole);
        move(vk, commands, target, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
             VK_ACCESS_TRANSFER_WRITE_BIT, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
             VK_ACCESS_TRANSFER_WRITE_BIT);
    }
    if (seen) {
        bool same = at.source.width == at.target.width && at.source.height == at.target.height;
        bool sharp = same || !picture->smooth || scale == WINDOW_SCALE_WHOLE;
        // Sizes are at most 16384, so they fit int32_t.
        VkImageBlit region = {
            .srcSubresource = layer,
            .srcOffsets = {{at.source.x, at.source.y, 0},
                           {at.source.x + at.source.width, at.source.y + at.source.height, 1}},
            .dstSubresource = layer,
            .dstOffsets = {{at.target.x, at.target.y, 0},
                           {at.target.x + at.target.width, at.target.y + at.target.height, 1}},
        };
        vk->CmdBlitImage(commands, picture->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, target,
                         VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &region,
                         sharp ? VK_FILTER_NEAREST : VK_FILTER_LINEAR);
    }
    move(vk, commands, target, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, VK_ACCESS_TRANSFER_WRITE_BIT,
         VK_IMAGE_LAYOUT_PRESENT_SRC_KHR, 0);
}
