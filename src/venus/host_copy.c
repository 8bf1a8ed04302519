// Copies between images and memory of the host, and descriptors written by the host: commands of
// VK_EXT_host_image_copy and VK_EXT_descriptor_heap that come with their bytes on the wire, because
// the guest's pointers mean nothing here. The driver is told no size, so that what it will touch is
// computed here first.
#include "base/checked.h"
#include "venus/image.h"

// ---- images ---------------------------------------------------------------

// A block of one aspect, and what the image's extent is divided by for it.
struct aspect {
    uint32_t block_size, block_width, block_height, block_depth;
    uint32_t width_divisor, height_divisor;
};

static bool find_aspect(VkFormat format, VkImageAspectFlags mask, struct aspect *aspect)
{
    const struct venus_format_info *info = venus_format_info(format);
    *aspect = (struct aspect){0, 1, 1, 1, 1, 1};
    if (!info) // an image that another ring has just destroyed
        return false;
    if (info->planes > 1) {
        for (uint32_t i = 0; i < info->planes; i++) {
            if (mask == (VkImageAspectFlags)VK_IMAGE_ASPECT_PLANE_0_BIT << i) {
                aspect->block_size = info->plane[i].size;
                aspect->width_divisor = info->plane[i].width_divisor;
                aspect->height_divisor = info->plane[i].height_divisor;
            }
        }
    } else if (info->depth_size || info->stencil_size) {
        aspect->block_size = mask == VK_IMAGE_ASPECT_DEPTH_BIT     ? info->depth_size
                             : mask == VK_IMAGE_ASPECT_STENCIL_BIT ? info->stencil_size
                                                                   : 0;
    } else if (mask == VK_IMAGE_ASPECT_COLOR_BIT) {
        *aspect = (struct aspect){
            info->block_size, info->block_width, info->block_height, info->block_depth, 1, 1};
    }
    return aspect->block_size != 0;
}

static uint32_t divide_up(uint32_t n, uint32_t by)
{
    return n / by + (n % by != 0);
}

static uint32_t mip_size(uint32_t size, uint32_t level, uint32_t divisor, uint32_t block)
{
    size = size >> level ? size >> level : 1;
    // Blocks at the edge are whole.
    return divide_up(divide_up(size, divisor), block) * block;
}

static bool inside(int32_t offset, uint32_t extent, uint32_t size)
{
    return offset >= 0 && checked_range((uint32_t)offset, extent, size);
}

uint64_t venus_host_copy_size(const struct venus_image *image,
                              VkImageSubresourceLayers *subresource, VkOffset3D offset,
                              VkExtent3D extent, uint32_t row_length, uint32_t image_height)
{
    struct aspect a;
    if (subresource->mipLevel >= image->mip_levels ||
        subresource->baseArrayLayer >= image->array_layers ||
        !find_aspect(image->format, subresource->aspectMask, &a))
        return 0;
    if (subresource->layerCount == VK_REMAINING_ARRAY_LAYERS)
        subresource->layerCount = image->array_layers - subresource->baseArrayLayer;
    if (!subresource->layerCount ||
        subresource->layerCount > image->array_layers - subresource->baseArrayLayer)
        return 0;
    if (!extent.width || !extent.height || !extent.depth ||
        (row_length && row_length < extent.width) ||
        (image_height && image_height < extent.height) ||
        !inside(
            offset.x, extent.width,
            mip_size(image->extent.width, subresource->mipLevel, a.width_divisor, a.block_width)) ||
        !inside(offset.y, extent.height,
                mip_size(image->extent.height, subresource->mipLevel, a.height_divisor,
                         a.block_height)) ||
        !inside(offset.z, extent.depth,
                mip_size(image->extent.depth, subresource->mipLevel, 1, a.block_depth)))
        return 0;

    // Up to the last block of the last row of the last slice.
    uint64_t row = divide_up(row_length ? row_length : extent.width, a.block_width);
    uint64_t rows = divide_up(image_height ? image_height : extent.height, a.block_height);
    uint64_t slices = (uint64_t)divide_up(extent.depth, a.block_depth) * subresource->layerCount;
    uint64_t last = (divide_up(extent.height, a.block_height) - 1) * row +
                    divide_up(extent.width, a.block_width);
    uint64_t blocks;
    if (__builtin_mul_overflow(row * rows, slices - 1, &blocks) ||
        !checked_add_u64(blocks, last, &blocks) ||
        __builtin_mul_overflow(blocks, a.block_size, &blocks))
        return UINT64_MAX;
    return blocks;
}

#ifdef VK_VERSION_1_4 // the protocol's commands speak of structures of that registry
struct copy {
    VkHostImageCopyFlagsEXT flags;
    uint32_t row_length, image_height; // texels; 0: as the extent
    VkImageSubresourceLayers subresource;
    VkOffset3D offset;
    VkExtent3D extent;
};

// With VK_HOST_IMAGE_COPY_MEMCPY the bytes are the driver's own layout of whole subresources.
static uint64_t memcpy_size(const struct venus_call *call, const struct venus_image *image,
                            const VkImageSubresourceLayers *layers)
{
    if (!call->device->vk.GetImageSubresourceLayout2)
        return 0;
    uint64_t total = 0;
    for (uint32_t i = 0; i < layers->layerCount; i++) {
        VkSubresourceHostMemcpySizeEXT size = {
            .sType = VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE_EXT};
        VkSubresourceLayout2EXT layout = {.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2_EXT,
                                          .pNext = &size};
        const VkImageSubresource2EXT subresource = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2_EXT,
            .imageSubresource = {layers->aspectMask, layers->mipLevel, layers->baseArrayLayer + i},
        };
        call->device->vk.GetImageSubresourceLayout2(
            venus_device_handle(call->device), (VkImage)image->base.handle, &subresource, &layout);
        total += size.size;
    }
    return total;
}

// Does the driver stay inside `size` bytes?
static bool copy_fits(const struct venus_call *call, const struct venus_image *image,
                      struct copy *copy, uint64_t size)
{
    uint64_t needed = venus_host_copy_size(image, &copy->subresource, copy->offset, copy->extent,
                                           copy->row_length, copy->image_height);
    if (needed && (copy->flags & VK_HOST_IMAGE_COPY_MEMCPY_EXT))
        needed = memcpy_size(call, image, &copy->subresource);
    return needed && needed <= size;
}

static const struct venus_image *subject(const struct venus_call *call)
{
    return call->object_count > 1 && call->objects[1]->type == WIRE_HANDLE_IMAGE
               ? (const struct venus_image *)call->objects[1]
               : NULL;
}

static bool copy_image_to_memory(struct venus_call *call, void *data)
{
    struct wire_args_vkCopyImageToMemoryMESA *args = data;
    const VkCopyImageToMemoryInfoMESA *guest = args->pCopyImageToMemoryInfo;
    const struct venus_image *image = subject(call);
    if (!call->device->vk.CopyImageToMemory)
        return venus_unsupported(call);
    struct copy copy = {guest->flags,
                        guest->memoryRowLength,
                        guest->memoryImageHeight,
                        guest->imageSubresource,
                        guest->imageOffset,
                        guest->imageExtent};
    args->ret = VK_ERROR_UNKNOWN;
    if (!image || !args->pData || !copy_fits(call, image, &copy, args->dataSize))
        return true;
    const VkImageToMemoryCopyEXT region = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY_EXT,
        .pHostPointer = args->pData,
        .memoryRowLength = copy.row_length,
        .memoryImageHeight = copy.image_height,
        .imageSubresource = copy.subresource,
        .imageOffset = copy.offset,
        .imageExtent = copy.extent,
    };
    const VkCopyImageToMemoryInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_EXT,
        .flags = copy.flags,
        .srcImage = guest->srcImage,
        .srcImageLayout = guest->srcImageLayout,
        .regionCount = 1,
        .pRegions = &region,
    };
    args->ret = call->device->vk.CopyImageToMemory(args->device, &info);
    return true;
}

static bool copy_memory_to_image(struct venus_call *call, void *data)
{
    struct wire_args_vkCopyMemoryToImageMESA *args = data;
    const VkCopyMemoryToImageInfoMESA *guest = args->pCopyMemoryToImageInfo;
    const struct venus_image *image = subject(call);
    if (!call->device->vk.CopyMemoryToImage)
        return venus_unsupported(call);
    VkMemoryToImageCopyEXT *regions = venus_scratch(call, guest->regionCount * sizeof(*regions));
    if (!regions)
        return venus_fail(call, "out of memory");
    args->ret = VK_ERROR_UNKNOWN;
    if (!image)
        return true;
    for (uint32_t i = 0; i < guest->regionCount; i++) {
        const VkMemoryToImageCopyMESA *from = &guest->pRegions[i];
        struct copy copy = {guest->flags,           from->memoryRowLength, from->memoryImageHeight,
                            from->imageSubresource, from->imageOffset,     from->imageExtent};
        if (!from->pData || !copy_fits(call, image, &copy, from->dataSize))
            return true;
        regions[i] = (VkMemoryToImageCopyEXT){
            .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY_EXT,
            .pHostPointer = from->pData,
            .memoryRowLength = copy.row_length,
            .memoryImageHeight = copy.image_height,
            .imageSubresource = copy.subresource,
            .imageOffset = copy.offset,
            .imageExtent = copy.extent,
        };
    }
    const VkCopyMemoryToImageInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_EXT,
        .flags = guest->flags,
        .dstImage = guest->dstImage,
        .dstImageLayout = guest->dstImageLayout,
        .regionCount = guest->regionCount,
        .pRegions = regions,
    };
    args->ret = call->device->vk.CopyMemoryToImage(args->device, &info);
    return true;
}

#endif

// ---- descriptors ----------------------------------------------------------

#ifdef VK_EXT_descriptor_heap
// Bytes of a descriptor of this type, 0: no such type. Drivers index tables with it.
static VkDeviceSize descriptor_size(const struct venus_call *call, VkPhysicalDevice physical_device,
                                    VkDescriptorType type)
{
    if ((uint32_t)type > VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT &&
        type != VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR)
        return 0;
    if (!call->instance->vk.GetPhysicalDeviceDescriptorSizeEXT)
        return 0;
    return call->instance->vk.GetPhysicalDeviceDescriptorSizeEXT(physical_device, type);
}

static bool get_descriptor_size(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceDescriptorSizeEXT *args = data;
    args->ret = descriptor_size(call, args->physicalDevice, args->descriptorType);
    return true;
}

static bool descriptor_fits(const struct venus_call *call, VkDescriptorType type, uint64_t size)
{
    VkPhysicalDevice physical_device =
        (VkPhysicalDevice)(uintptr_t)call->device->physical_device->base.handle;
    VkDeviceSize needed = descriptor_size(call, physical_device, type);
    return needed && needed <= size;
}

static bool write_sampler_descriptor(struct venus_call *call, void *data)
{
    struct wire_args_vkWriteSamplerDescriptorMESA *args = data;
    if (!call->device->vk.WriteSamplerDescriptorsEXT)
        return venus_unsupported(call);
    const VkHostAddressRangeEXT range = {args->pDescriptor, args->dataSize};
    args->ret = VK_ERROR_UNKNOWN;
    if (args->pDescriptor && descriptor_fits(call, VK_DESCRIPTOR_TYPE_SAMPLER, args->dataSize))
        args->ret =
            call->device->vk.WriteSamplerDescriptorsEXT(args->device, 1, args->pSampler, &range);
    return true;
}

static bool write_resource_descriptor(struct venus_call *call, void *data)
{
    struct wire_args_vkWriteResourceDescriptorMESA *args = data;
    if (!call->device->vk.WriteResourceDescriptorsEXT)
        return venus_unsupported(call);
    const VkHostAddressRangeEXT range = {args->pDescriptor, args->dataSize};
    args->ret = VK_ERROR_UNKNOWN;
    if (args->pDescriptor && descriptor_fits(call, args->pResource->type, args->dataSize))
        args->ret =
            call->device->vk.WriteResourceDescriptorsEXT(args->device, 1, args->pResource, &range);
    return true;
}
#endif

const struct venus_handler_entry venus_host_copy_handlers[] = {
#ifdef VK_VERSION_1_4
    {WIRE_vkCopyImageToMemoryMESA, copy_image_to_memory},
    {WIRE_vkCopyMemoryToImageMESA, copy_memory_to_image},
#endif
#ifdef VK_EXT_descriptor_heap
    {WIRE_vkGetPhysicalDeviceDescriptorSizeEXT, get_descriptor_size},
    {WIRE_vkWriteSamplerDescriptorMESA, write_sampler_descriptor},
    {WIRE_vkWriteResourceDescriptorMESA, write_resource_descriptor},
#endif
    {0},
};
