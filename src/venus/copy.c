// Copies by the device: drivers compute addresses from regions and do not look whether they lie
// inside of what is copied. A copy of which a region does not is left out. Formats that are not
// known pass.
#include "base/checked.h"
#include "venus/format.h"
#include "venus/image.h"

// ---- what is copied -------------------------------------------------------

// The object number `i` of the command, 0 being the command buffer or the device.
static const struct venus_object *find(const struct venus_call *call, unsigned i,
                                       enum wire_handle type)
{
    return i < call->object_count && call->objects[i]->type == type ? call->objects[i] : NULL;
}

static bool buffer_holds(const struct venus_object *object, uint64_t offset, uint64_t size)
{
    return object && checked_range(offset, size, ((const struct venus_buffer *)object)->size);
}

static VkImageAspectFlags aspects_of(const struct venus_format_info *info)
{
    if (info->planes > 1)
        return VK_IMAGE_ASPECT_COLOR_BIT |
               (((1u << info->planes) - 1) * VK_IMAGE_ASPECT_PLANE_0_BIT);
    VkImageAspectFlags depth = info->depth_size ? VK_IMAGE_ASPECT_DEPTH_BIT : 0;
    VkImageAspectFlags stencil = info->stencil_size ? VK_IMAGE_ASPECT_STENCIL_BIT : 0;
    return depth || stencil ? depth | stencil : VK_IMAGE_ASPECT_COLOR_BIT;
}

// The extent of what is copied: a plane may be smaller than its image.
static VkExtent3D extent_of(const struct venus_image *image, const struct venus_format_info *info,
                            VkImageAspectFlags aspects)
{
    VkExtent3D extent = image->extent;
    for (uint32_t i = 0; info->planes > 1 && i < info->planes; i++) {
        if (aspects == (VkImageAspectFlags)VK_IMAGE_ASPECT_PLANE_0_BIT << i) {
            extent.width = (extent.width - 1) / info->plane[i].width_divisor + 1;
            extent.height = (extent.height - 1) / info->plane[i].height_divisor + 1;
        }
    }
    return extent;
}

// Blocks at the edge are whole.
static bool fits(int32_t offset, uint64_t extent, uint32_t size, uint32_t level, uint32_t block)
{
    uint64_t most = size >> level ? size >> level : 1;
    most = (most + block - 1) / block * block;
    return offset >= 0 && checked_range((uint32_t)offset, extent, most);
}

// `extent` counts texels of `other`, which may be blocks of this image, or the other way round.
static bool image_holds(const struct venus_image *image, const struct venus_image *other,
                        const VkImageSubresourceLayers *layers, VkOffset3D offset,
                        VkExtent3D extent)
{
    const struct venus_format_info *own = venus_format_info(image->format);
    const struct venus_format_info *theirs = venus_format_info(other->format);
    uint32_t level = layers->mipLevel, first = layers->baseArrayLayer;
    if (!own || !theirs)
        return true;
    if (level >= image->mip_levels || first >= image->array_layers || !layers->aspectMask ||
        layers->aspectMask & ~aspects_of(own))
        return false;
    uint32_t left = image->array_layers - first;
    if (layers->layerCount != VK_REMAINING_ARRAY_LAYERS && layers->layerCount > left)
        return false;
    uint64_t width = extent.width, height = extent.height;
    if (own->block_width != theirs->block_width || own->block_height != theirs->block_height) {
        width = (width + theirs->block_width - 1) / theirs->block_width * own->block_width;
        height = (height + theirs->block_height - 1) / theirs->block_height * own->block_height;
    }
    // Slices of a volume may be layers of the other image.
    const VkExtent3D whole = extent_of(image, own, layers->aspectMask);
    return fits(offset.x, width, whole.width, level, own->block_width) &&
           fits(offset.y, height, whole.height, level, own->block_height) &&
           (fits(offset.z, extent.depth, whole.depth, level, own->block_depth) ||
            (!offset.z && extent.depth <= left));
}

static bool region_fits(const struct venus_image *image, const struct venus_object *buffer,
                        VkBufferImageCopy region)
{
    if (!region.imageExtent.width || !region.imageExtent.height || !region.imageExtent.depth ||
        !venus_format_info(image->format))
        return true; // nothing is copied, or nobody knows
    uint64_t size =
        venus_host_copy_size(image, &region.imageSubresource, region.imageOffset,
                             region.imageExtent, region.bufferRowLength, region.bufferImageHeight);
    return size && buffer_holds(buffer, region.bufferOffset, size);
}

static bool outside(struct venus_call *call)
{
    return venus_leave_out(call, "a region lies outside of what is copied");
}

// ---- commands -------------------------------------------------------------

#define COPY_BUFFER(command, info)                                                                 \
    static bool command##_checked(struct venus_call *call, void *data)                             \
    {                                                                                              \
        const struct wire_args_##command *args = data;                                             \
        const struct venus_object *from = find(call, 1, WIRE_HANDLE_BUFFER);                       \
        const struct venus_object *to = find(call, 2, WIRE_HANDLE_BUFFER);                         \
        for (uint32_t i = 0; i < (info)->regionCount; i++) {                                       \
            uint64_t size = (info)->pRegions[i].size;                                              \
            if (!buffer_holds(from, (info)->pRegions[i].srcOffset, size) ||                        \
                !buffer_holds(to, (info)->pRegions[i].dstOffset, size))                            \
                return outside(call);                                                              \
        }                                                                                          \
        return venus_thunks[WIRE_##command](call, data);                                           \
    }
COPY_BUFFER(vkCmdCopyBuffer, args)
COPY_BUFFER(vkCmdCopyBuffer2, args->pCopyBufferInfo)

// Between two images. The structures of regions differ, and their members do not.
#define COPY_IMAGES(command, info, refused)                                                        \
    static bool command##_checked(struct venus_call *call, void *data)                             \
    {                                                                                              \
        const struct wire_args_##command *args = data;                                             \
        const struct venus_image *from = (const void *)find(call, 1, WIRE_HANDLE_IMAGE);           \
        const struct venus_image *to = (const void *)find(call, 2, WIRE_HANDLE_IMAGE);             \
        for (uint32_t i = 0; i < (info)->regionCount; i++) {                                       \
            if (!from || !to ||                                                                    \
                !image_holds(from, from, &(info)->pRegions[i].srcSubresource,                      \
                             (info)->pRegions[i].srcOffset, (info)->pRegions[i].extent) ||         \
                !image_holds(to, from, &(info)->pRegions[i].dstSubresource,                        \
                             (info)->pRegions[i].dstOffset, (info)->pRegions[i].extent))           \
                return refused;                                                                    \
        }                                                                                          \
        return venus_thunks[WIRE_##command](call, data);                                           \
    }
COPY_IMAGES(vkCmdCopyImage, args, outside(call))
COPY_IMAGES(vkCmdCopyImage2, args->pCopyImageInfo, outside(call))
#ifdef VK_VERSION_1_4
COPY_IMAGES(vkCopyImageToImage, args->pCopyImageToImageInfo,
            venus_answer(call, &((struct wire_args_vkCopyImageToImage *)data)->ret,
                         "a region lies outside of what is copied"))
#endif

#define COPY_IMAGE(command, info, image_at, buffer_at)                                             \
    static bool command##_checked(struct venus_call *call, void *data)                             \
    {                                                                                              \
        const struct wire_args_##command *args = data;                                             \
        const struct venus_object *image = find(call, image_at, WIRE_HANDLE_IMAGE);                \
        const struct venus_object *buffer = find(call, buffer_at, WIRE_HANDLE_BUFFER);             \
        for (uint32_t i = 0; i < (info)->regionCount; i++) {                                       \
            const VkBufferImageCopy region = {                                                     \
                (info)->pRegions[i].bufferOffset,      (info)->pRegions[i].bufferRowLength,        \
                (info)->pRegions[i].bufferImageHeight, (info)->pRegions[i].imageSubresource,       \
                (info)->pRegions[i].imageOffset,       (info)->pRegions[i].imageExtent};           \
            if (!image || !region_fits((const struct venus_image *)image, buffer, region))         \
                return outside(call);                                                              \
        }                                                                                          \
        return venus_thunks[WIRE_##command](call, data);                                           \
    }
COPY_IMAGE(vkCmdCopyBufferToImage, args, 2, 1)
COPY_IMAGE(vkCmdCopyBufferToImage2, args->pCopyBufferToImageInfo, 2, 1)
COPY_IMAGE(vkCmdCopyImageToBuffer, args, 1, 2)
COPY_IMAGE(vkCmdCopyImageToBuffer2, args->pCopyImageToBufferInfo, 1, 2)

const struct venus_handler_entry venus_copy_handlers[] = {
    {WIRE_vkCmdCopyBuffer, vkCmdCopyBuffer_checked},
    {WIRE_vkCmdCopyBuffer2, vkCmdCopyBuffer2_checked},
    {WIRE_vkCmdCopyImage, vkCmdCopyImage_checked},
    {WIRE_vkCmdCopyImage2, vkCmdCopyImage2_checked},
#ifdef VK_VERSION_1_4
    {WIRE_vkCopyImageToImage, vkCopyImageToImage_checked},
#endif
    {WIRE_vkCmdCopyBufferToImage, vkCmdCopyBufferToImage_checked},
    {WIRE_vkCmdCopyBufferToImage2, vkCmdCopyBufferToImage2_checked},
    {WIRE_vkCmdCopyImageToBuffer, vkCmdCopyImageToBuffer_checked},
    {WIRE_vkCmdCopyImageToBuffer2, vkCmdCopyImageToBuffer2_checked},
    {0},
};
