// Images and buffers. Those that leave the context are, for the host, linear images and plain
// buffers on imported host memory; DRM modifiers (only LINEAR), dma-bufs and descriptors exist
// between us and the guest only. docs/emulation.md says why.
#include "venus/image.h"

#include "venus/profile.h"

// ---- create infos ---------------------------------------------------------

// What had to be done to a VkImageCreateInfo before the host may see it.
struct image_rewrite {
    bool external, modifier;
    const VkSubresourceLayout
        *layout; // that the guest insists on, of an image made elsewhere; NULL: any
};

static bool families_exist(const struct venus_physical_device *physical_device, uint32_t count,
                           const uint32_t *families)
{
    if (count && !families)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (families[i] >= physical_device->queue_family_count)
            return false;
    }
    return true;
}

// Drivers index tables with these, or assert that they make sense.
static bool image_is_sane(const struct venus_physical_device *physical_device,
                          const VkImageCreateInfo *info)
{
    return venus_format_info(info->format) && (uint32_t)info->imageType <= VK_IMAGE_TYPE_3D &&
           (uint32_t)info->tiling <= VK_IMAGE_TILING_LINEAR && info->extent.width &&
           info->extent.height && info->extent.depth && info->mipLevels && info->mipLevels <= 32 &&
           venus_image_flags_offered(physical_device, info->flags) && info->arrayLayers &&
           info->samples && !(info->samples & (info->samples - 1)) &&
           (info->sharingMode != VK_SHARING_MODE_CONCURRENT ||
            families_exist(physical_device, info->queueFamilyIndexCount,
                           info->pQueueFamilyIndices));
}

static bool offers_linear(const VkImageDrmFormatModifierListCreateInfoEXT *list)
{
    for (uint32_t i = 0; list && i < list->drmFormatModifierCount; i++) {
        if (list->pDrmFormatModifiers[i] == VENUS_MODIFIER_LINEAR)
            return true;
    }
    return false;
}

static VkResult rewrite_modifier(VkImageCreateInfo *info, struct image_rewrite *rewrite)
{
    const VkImageDrmFormatModifierListCreateInfoEXT *list =
        venus_chain_unlink(info, VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT);
    const VkImageDrmFormatModifierExplicitCreateInfoEXT *layout = venus_chain_unlink(
        info, VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT);
    if (info->tiling != VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT)
        return VK_SUCCESS;
    if (!venus_format_has_modifier(info->format))
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    if (layout) {
        if (layout->drmFormatModifier != VENUS_MODIFIER_LINEAR ||
            layout->drmFormatModifierPlaneCount != 1 || !layout->pPlaneLayouts)
            return VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT;
        rewrite->layout = layout->pPlaneLayouts;
    } else if (!offers_linear(list)) {
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    }
    rewrite->modifier = true;
    info->tiling = VK_IMAGE_TILING_LINEAR;
    return VK_SUCCESS;
}

// Valid usage wants images on imported host memory to name that handle type. A driver that does not
// know such images is given a plain one: what it then makes of the binding is no other than for a
// type that it does list.
static void rewrite_external(const struct venus_physical_device *physical_device,
                             VkImageCreateInfo *info, struct image_rewrite *rewrite)
{
    VkExternalMemoryImageCreateInfo *external =
        venus_chain_unlink(info, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO);
    if (!external || !(external->handleTypes & VENUS_EXTERNAL_HANDLES))
        return;
    rewrite->external = true;

    // The chains of the two structures have only these in common.
    VkImageFormatListCreateInfo formats;
    VkImageStencilUsageCreateInfo stencil;
    VkPhysicalDeviceImageFormatInfo2 query = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .format = info->format,
        .type = info->imageType,
        .tiling = info->tiling,
        .usage = info->usage,
        .flags = info->flags,
    };
    const VkImageFormatListCreateInfo *guest_formats =
        venus_chain_find(info, VK_STRUCTURE_TYPE_IMAGE_FORMAT_LIST_CREATE_INFO);
    const VkImageStencilUsageCreateInfo *guest_stencil =
        venus_chain_find(info, VK_STRUCTURE_TYPE_IMAGE_STENCIL_USAGE_CREATE_INFO);
    if (guest_formats) {
        formats = *guest_formats;
        venus_chain_push(&query, &formats);
    }
    if (guest_stencil) {
        stencil = *guest_stencil;
        venus_chain_push(&query, &stencil);
    }
    if (!venus_host_imports_image(physical_device, &query))
        return;
    external->handleTypes = physical_device->import_handle;
    venus_chain_push(info, external);
}

static VkResult rewrite_image(const struct venus_physical_device *physical_device,
                              VkImageCreateInfo *info, struct image_rewrite *rewrite)
{
    *rewrite = (struct image_rewrite){0};
    if (__builtin_expect(
            info->pNext != NULL || info->tiling == VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT, 0)) {
        VkResult result = rewrite_modifier(info, rewrite);
        if (result != VK_SUCCESS)
            return result;
    }
    if (info->sharingMode != VK_SHARING_MODE_CONCURRENT) {
        info->queueFamilyIndexCount = 0; // ignored, and the guest sent no array for it
        info->pQueueFamilyIndices = NULL;
    }
    if (!image_is_sane(physical_device, info))
        return VK_ERROR_INITIALIZATION_FAILED;
    if (info->pNext)
        rewrite_external(physical_device, info, rewrite);
    return VK_SUCCESS;
}

static VkResult rewrite_buffer(const struct venus_physical_device *physical_device,
                               VkBufferCreateInfo *info, bool *is_external)
{
    *is_external = false;
    if (info->sharingMode != VK_SHARING_MODE_CONCURRENT) {
        info->queueFamilyIndexCount = 0;
        info->pQueueFamilyIndices = NULL;
    } else if (!families_exist(physical_device, info->queueFamilyIndexCount,
                               info->pQueueFamilyIndices)) {
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    const VkBufferCreateFlags sparse = VK_BUFFER_CREATE_SPARSE_BINDING_BIT |
                                       VK_BUFFER_CREATE_SPARSE_RESIDENCY_BIT |
                                       VK_BUFFER_CREATE_SPARSE_ALIASED_BIT;
    if ((info->flags & sparse) && !venus_profile_has_sparse(physical_device->profile))
        return VK_ERROR_INITIALIZATION_FAILED;
    if (__builtin_expect(!info->pNext, 1))
        return VK_SUCCESS;
    VkExternalMemoryBufferCreateInfo *external =
        venus_chain_unlink(info, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO);
    if (!external || !(external->handleTypes & VENUS_EXTERNAL_HANDLES))
        return VK_SUCCESS;
    *is_external = true;
    const VkBufferUsageFlags2CreateInfo *usage2 =
        venus_chain_find(info, VK_STRUCTURE_TYPE_BUFFER_USAGE_FLAGS_2_CREATE_INFO);
    if (venus_host_imports_buffer(physical_device, info->flags, info->usage, usage2)) {
        external->handleTypes = physical_device->import_handle;
        venus_chain_push(info, external);
    }
    return VK_SUCCESS;
}

// ---- creation -------------------------------------------------------------

static const struct venus_class image_class = {.size = sizeof(struct venus_image),
                                               .release = venus_plain_release};
static const struct venus_class buffer_class = {.size = sizeof(struct venus_buffer),
                                                .release = venus_plain_release};

// An image made elsewhere can be taken over only if this driver lays it out in the same way.
static bool layout_matches(const struct venus_call *call, VkImage image,
                           const VkSubresourceLayout *wanted)
{
    const VkImageSubresource first = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT};
    VkSubresourceLayout layout;
    call->device->vk.GetImageSubresourceLayout(venus_device_handle(call->device), image, &first,
                                               &layout);
    return layout.rowPitch == wanted->rowPitch && layout.offset == wanted->offset;
}

static bool create_image(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateImage *args = data;
    struct venus_device_driver *vk = &call->device->vk;
    VkImageCreateInfo *info = (VkImageCreateInfo *)(uintptr_t)args->pCreateInfo;
    struct image_rewrite rewrite;
    args->ret = rewrite_image(call->device->physical_device, info, &rewrite);
    if (args->ret != VK_SUCCESS)
        return true;
    struct venus_image *image =
        venus_object_alloc(&call->context->objects, &image_class, WIRE_HANDLE_IMAGE);
    if (!image)
        return venus_fail(call, "too many objects");

    VkImage handle = VK_NULL_HANDLE;
    args->ret = vk->CreateImage(args->device, info, NULL, &handle);
    if (args->ret == VK_SUCCESS && rewrite.layout &&
        !layout_matches(call, handle, rewrite.layout)) {
        vk->DestroyImage(args->device, handle, NULL);
        args->ret = VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT;
    }
    if (args->ret != VK_SUCCESS) {
        venus_object_free(&call->context->objects, &image->base);
        return true;
    }
    image->base.handle = (uint64_t)handle;
    image->base.device = call->device;
    image->base.parent = &call->device->base;
    image->format = info->format;
    image->extent = info->extent;
    image->mip_levels = info->mipLevels;
    image->array_layers = info->arrayLayers;
    image->external = rewrite.external;
    image->modifier = rewrite.modifier;
    if (!venus_object_insert(&call->context->objects, &image->base, (uint64_t)*args->pImage)) {
        venus_object_free(&call->context->objects, &image->base);
        vk->DestroyImage(args->device, handle, NULL);
        return venus_fail(call, "the id of the new object is 0 or in use");
    }
    return true;
}

static bool create_buffer(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateBuffer *args = data;
    struct venus_device_driver *vk = &call->device->vk;
    VkBufferCreateInfo *info = (VkBufferCreateInfo *)(uintptr_t)args->pCreateInfo;
    bool external;
    args->ret = rewrite_buffer(call->device->physical_device, info, &external);
    if (args->ret != VK_SUCCESS)
        return true;
    struct venus_buffer *buffer =
        venus_object_alloc(&call->context->objects, &buffer_class, WIRE_HANDLE_BUFFER);
    if (!buffer)
        return venus_fail(call, "too many objects");

    VkBuffer handle = VK_NULL_HANDLE;
    args->ret = vk->CreateBuffer(args->device, info, NULL, &handle);
    if (args->ret != VK_SUCCESS) {
        venus_object_free(&call->context->objects, &buffer->base);
        return true;
    }
    buffer->base.handle = (uint64_t)handle;
    buffer->base.device = call->device;
    buffer->base.parent = &call->device->base;
    buffer->external = external;
    buffer->size = info->size;
    if (!venus_object_insert(&call->context->objects, &buffer->base, (uint64_t)*args->pBuffer)) {
        venus_object_free(&call->context->objects, &buffer->base);
        vk->DestroyBuffer(args->device, handle, NULL);
        return venus_fail(call, "the id of the new object is 0 or in use");
    }
    return true;
}

// Drivers read beyond their tables for a format that does not exist.
static bool create_image_view(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateImageView *args = data;
    if (venus_format_info(args->pCreateInfo->format))
        return venus_thunks[WIRE_vkCreateImageView](call, data);
    args->ret = VK_ERROR_FORMAT_NOT_SUPPORTED;
    return true;
}

static bool create_buffer_view(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateBufferView *args = data;
    if (venus_format_info(args->pCreateInfo->format))
        return venus_thunks[WIRE_vkCreateBufferView](call, data);
    args->ret = VK_ERROR_FORMAT_NOT_SUPPORTED;
    return true;
}

// ---- memory requirements --------------------------------------------------

static void restrict_types(const struct venus_call *call, bool external,
                           VkMemoryRequirements *requirements)
{
    uint32_t types = requirements->memoryTypeBits & call->device->physical_device->importable_types;
    // Guests are not prepared for no type at all: then their allocation fails.
    if (external && types)
        requirements->memoryTypeBits = types;
}

// The image or buffer that a command is about: its second handle.
static struct venus_object *subject(const struct venus_call *call, enum wire_handle type)
{
    return call->object_count > 1 && call->objects[1]->type == type ? call->objects[1] : NULL;
}

static struct venus_image *subject_image(struct venus_call *call)
{
    struct venus_object *object = subject(call, WIRE_HANDLE_IMAGE);
    if (!object)
        venus_fail(call, "the image is null");
    return (struct venus_image *)object;
}

static bool get_image_requirements(struct venus_call *call, void *data)
{
    struct wire_args_vkGetImageMemoryRequirements *args = data;
    struct venus_image *image = subject_image(call);
    if (!image)
        return false;
    call->device->vk.GetImageMemoryRequirements(args->device, args->image,
                                                args->pMemoryRequirements);
    restrict_types(call, image->external, args->pMemoryRequirements);
    return true;
}

// Only multi-planar images can be disjoint; a plane of another would index the driver's tables.
static bool has_plane(VkFormat format, VkImageAspectFlagBits aspect)
{
    const struct venus_format_info *info = venus_format_info(format);
    for (uint32_t i = 0; info && info->planes > 1 && i < info->planes; i++) {
        if (aspect == (VkImageAspectFlagBits)(VK_IMAGE_ASPECT_PLANE_0_BIT << i))
            return true;
    }
    return false;
}

static bool get_image_requirements2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetImageMemoryRequirements2 *args = data;
    struct venus_image *image = subject_image(call);
    if (!image)
        return false;
    if (!call->device->vk.GetImageMemoryRequirements2)
        return venus_unsupported(call);
    const VkImagePlaneMemoryRequirementsInfo *plane =
        venus_chain_find(args->pInfo, VK_STRUCTURE_TYPE_IMAGE_PLANE_MEMORY_REQUIREMENTS_INFO);
    if (plane && !has_plane(image->format, plane->planeAspect))
        venus_chain_unlink(args->pInfo, VK_STRUCTURE_TYPE_IMAGE_PLANE_MEMORY_REQUIREMENTS_INFO);
    call->device->vk.GetImageMemoryRequirements2(args->device, args->pInfo,
                                                 args->pMemoryRequirements);
    restrict_types(call, image->external, &args->pMemoryRequirements->memoryRequirements);
    return true;
}

static bool get_device_image_requirements(struct venus_call *call, void *data)
{
    struct wire_args_vkGetDeviceImageMemoryRequirements *args = data;
    struct image_rewrite rewrite;
    if (!call->device->vk.GetDeviceImageMemoryRequirements)
        return venus_unsupported(call);
    VkImageCreateInfo *info = (VkImageCreateInfo *)(uintptr_t)args->pInfo->pCreateInfo;
    if (rewrite_image(call->device->physical_device, info, &rewrite) != VK_SUCCESS)
        return true; // all zero: no memory type fits
    VkDeviceImageMemoryRequirements query = *args->pInfo;
    if (!has_plane(info->format, query.planeAspect))
        query.planeAspect = 0;
    call->device->vk.GetDeviceImageMemoryRequirements(args->device, &query,
                                                      args->pMemoryRequirements);
    restrict_types(call, rewrite.external, &args->pMemoryRequirements->memoryRequirements);
    return true;
}

static bool get_device_sparse_requirements(struct venus_call *call, void *data)
{
    struct wire_args_vkGetDeviceImageSparseMemoryRequirements *args = data;
    struct image_rewrite rewrite;
    if (!call->device->vk.GetDeviceImageSparseMemoryRequirements)
        return venus_unsupported(call);
    VkImageCreateInfo *info = (VkImageCreateInfo *)(uintptr_t)args->pInfo->pCreateInfo;
    if (rewrite_image(call->device->physical_device, info, &rewrite) == VK_SUCCESS)
        call->device->vk.GetDeviceImageSparseMemoryRequirements(args->device, args->pInfo,
                                                                args->pSparseMemoryRequirementCount,
                                                                args->pSparseMemoryRequirements);
    else
        *args->pSparseMemoryRequirementCount = 0;
    return true;
}

static bool get_buffer_requirements(struct venus_call *call, void *data)
{
    struct wire_args_vkGetBufferMemoryRequirements *args = data;
    struct venus_buffer *buffer = (struct venus_buffer *)subject(call, WIRE_HANDLE_BUFFER);
    if (!buffer)
        return venus_fail(call, "the buffer is null");
    call->device->vk.GetBufferMemoryRequirements(args->device, args->buffer,
                                                 args->pMemoryRequirements);
    restrict_types(call, buffer->external, args->pMemoryRequirements);
    return true;
}

static bool get_buffer_requirements2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetBufferMemoryRequirements2 *args = data;
    struct venus_buffer *buffer = (struct venus_buffer *)subject(call, WIRE_HANDLE_BUFFER);
    if (!buffer)
        return venus_fail(call, "the buffer is null");
    if (!call->device->vk.GetBufferMemoryRequirements2)
        return venus_unsupported(call);
    call->device->vk.GetBufferMemoryRequirements2(args->device, args->pInfo,
                                                  args->pMemoryRequirements);
    restrict_types(call, buffer->external, &args->pMemoryRequirements->memoryRequirements);
    return true;
}

static bool get_device_buffer_requirements(struct venus_call *call, void *data)
{
    struct wire_args_vkGetDeviceBufferMemoryRequirements *args = data;
    bool external;
    if (!call->device->vk.GetDeviceBufferMemoryRequirements)
        return venus_unsupported(call);
    VkBufferCreateInfo *info = (VkBufferCreateInfo *)(uintptr_t)args->pInfo->pCreateInfo;
    if (rewrite_buffer(call->device->physical_device, info, &external) != VK_SUCCESS)
        return true;
    call->device->vk.GetDeviceBufferMemoryRequirements(args->device, args->pInfo,
                                                       args->pMemoryRequirements);
    restrict_types(call, external, &args->pMemoryRequirements->memoryRequirements);
    return true;
}

// ---- layouts --------------------------------------------------------------

// Makes the subresource one that the host's driver can be asked about. False: there is none, the
// answer is zero.
static bool fix_subresource(VkFormat format, uint32_t mip_levels, uint32_t array_layers,
                            VkImageSubresource *subresource)
{
    const struct venus_format_info *info = venus_format_info(format);
    if (!info) // an image that another ring has just destroyed
        return false;
    // The memory plane of a linear image is its colour.
    if (subresource->aspectMask == VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT)
        subresource->aspectMask =
            info->planes > 1 ? VK_IMAGE_ASPECT_PLANE_0_BIT : VK_IMAGE_ASPECT_COLOR_BIT;
    VkImageAspectFlags aspects = info->planes > 1
                                     ? ((VK_IMAGE_ASPECT_PLANE_0_BIT << info->planes) - 1) & ~0xfu
                                 : info->depth_size || info->stencil_size
                                     ? (info->depth_size ? VK_IMAGE_ASPECT_DEPTH_BIT : 0) |
                                           (info->stencil_size ? VK_IMAGE_ASPECT_STENCIL_BIT : 0)
                                     : VK_IMAGE_ASPECT_COLOR_BIT;
    return (subresource->aspectMask & aspects) &&
           !(subresource->aspectMask & (subresource->aspectMask - 1)) &&
           subresource->mipLevel < mip_levels && subresource->arrayLayer < array_layers;
}

static bool get_subresource_layout(struct venus_call *call, void *data)
{
    struct wire_args_vkGetImageSubresourceLayout *args = data;
    struct venus_image *image = subject_image(call);
    if (!image)
        return false;
    VkImageSubresource subresource = *args->pSubresource;
    if (fix_subresource(image->format, image->mip_levels, image->array_layers, &subresource))
        call->device->vk.GetImageSubresourceLayout(args->device, args->image, &subresource,
                                                   args->pLayout);
    return true;
}

static bool get_subresource_layout2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetImageSubresourceLayout2 *args = data;
    struct venus_image *image = subject_image(call);
    if (!image)
        return false;
    if (!call->device->vk.GetImageSubresourceLayout2)
        return venus_unsupported(call);
    VkImageSubresource2 subresource = *args->pSubresource;
    if (fix_subresource(image->format, image->mip_levels, image->array_layers,
                        &subresource.imageSubresource))
        call->device->vk.GetImageSubresourceLayout2(args->device, args->image, &subresource,
                                                    args->pLayout);
    return true;
}

static bool get_device_subresource_layout(struct venus_call *call, void *data)
{
    struct wire_args_vkGetDeviceImageSubresourceLayout *args = data;
    struct image_rewrite rewrite;
    if (!call->device->vk.GetDeviceImageSubresourceLayout)
        return venus_unsupported(call);
    VkImageCreateInfo *info = (VkImageCreateInfo *)(uintptr_t)args->pInfo->pCreateInfo;
    VkImageSubresource2 *subresource = (VkImageSubresource2 *)(uintptr_t)args->pInfo->pSubresource;
    if (rewrite_image(call->device->physical_device, info, &rewrite) == VK_SUCCESS &&
        fix_subresource(info->format, info->mipLevels, info->arrayLayers,
                        &subresource->imageSubresource))
        call->device->vk.GetDeviceImageSubresourceLayout(args->device, args->pInfo, args->pLayout);
    return true;
}

static bool get_modifier(struct venus_call *call, void *data)
{
    struct wire_args_vkGetImageDrmFormatModifierPropertiesEXT *args = data;
    struct venus_image *image = subject_image(call);
    if (!image)
        return false;
    args->pProperties->drmFormatModifier = VENUS_MODIFIER_LINEAR;
    args->ret = VK_SUCCESS;
    return true;
}

const struct venus_handler_entry venus_image_handlers[] = {
    {WIRE_vkCreateImage, create_image},
    {WIRE_vkCreateBuffer, create_buffer},
    {WIRE_vkCreateImageView, create_image_view},
    {WIRE_vkCreateBufferView, create_buffer_view},
    {WIRE_vkGetImageMemoryRequirements, get_image_requirements},
    {WIRE_vkGetImageMemoryRequirements2, get_image_requirements2},
    {WIRE_vkGetDeviceImageMemoryRequirements, get_device_image_requirements},
    {WIRE_vkGetDeviceImageSparseMemoryRequirements, get_device_sparse_requirements},
    {WIRE_vkGetBufferMemoryRequirements, get_buffer_requirements},
    {WIRE_vkGetBufferMemoryRequirements2, get_buffer_requirements2},
    {WIRE_vkGetDeviceBufferMemoryRequirements, get_device_buffer_requirements},
    {WIRE_vkGetImageSubresourceLayout, get_subresource_layout},
    {WIRE_vkGetImageSubresourceLayout2, get_subresource_layout2},
    {WIRE_vkGetDeviceImageSubresourceLayout, get_device_subresource_layout},
    {WIRE_vkGetImageDrmFormatModifierPropertiesEXT, get_modifier},
    {0},
};
