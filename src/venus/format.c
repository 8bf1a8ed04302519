// Formats, and what can be done with images and semaphores across processes. Memory that leaves a
// context is a range of shared pages, not whatever the host's driver calls external memory: these
// questions are answered here.
#include "venus/format.h"

#include "venus/profile.h"

const struct venus_format_info *venus_format_info(VkFormat format)
{
    switch (format) {
#define FORMAT(name, planes_, size, width, height, depth, d, s, size0, w0, h0, size1, w1, h1,      \
               size2, w2, h2)                                                                      \
    case name: {                                                                                   \
        static const struct venus_format_info info = {                                             \
            planes_, size, width, height,                                                          \
            depth,   d,    s,     {{size0, w0, h0}, {size1, w1, h1}, {size2, w2, h2}}};            \
        return &info;                                                                              \
    }
#include "venus_formats.h"
#undef FORMAT
    default:
        return NULL;
    }
}

bool venus_format_has_modifier(VkFormat format)
{
    const struct venus_format_info *info = venus_format_info(format);
    return info && info->planes == 1 && info->block_width == 1 && info->block_height == 1 &&
           !info->depth_size && !info->stencil_size;
}

static bool is_single_bit(uint32_t bits)
{
    return bits && !(bits & (bits - 1));
}

static const struct venus_physical_device *self(const struct venus_call *call)
{
    return (const struct venus_physical_device *)call->self;
}

// ---- what formats can do --------------------------------------------------

static bool get_format_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceFormatProperties *args = data;
    if (venus_format_info(args->format))
        call->instance->vk.GetPhysicalDeviceFormatProperties(args->physicalDevice, args->format,
                                                             args->pFormatProperties);
    return true;
}

// The only modifier is LINEAR, and what it can do is what linear images can do. Whether a list has
// room for it; `count` is a capacity coming in.
static bool lists_linear(uint32_t *count, const void *list, bool any)
{
    if (!list || *count > any)
        *count = any;
    return list && *count;
}

static void list_modifiers(VkDrmFormatModifierPropertiesListEXT *list,
                           VkFormatFeatureFlags features)
{
    if (lists_linear(&list->drmFormatModifierCount, list->pDrmFormatModifierProperties, features))
        *list->pDrmFormatModifierProperties =
            (VkDrmFormatModifierPropertiesEXT){VENUS_MODIFIER_LINEAR, 1, features};
}

static void list_modifiers2(VkDrmFormatModifierPropertiesList2EXT *list,
                            VkFormatFeatureFlags2 features)
{
    if (lists_linear(&list->drmFormatModifierCount, list->pDrmFormatModifierProperties, features))
        *list->pDrmFormatModifierProperties =
            (VkDrmFormatModifierProperties2EXT){VENUS_MODIFIER_LINEAR, 1, features};
}

static bool get_format_properties2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceFormatProperties2 *args = data;
    VkFormatProperties2 *properties = args->pFormatProperties;
    struct venus_chain_gap gap, gap2;
    if (!venus_format_info(args->format))
        return true;

    // A driver with modifiers of its own must not fill the lists: they are for memory that it has
    // not seen.
    VkDrmFormatModifierPropertiesListEXT *list = venus_chain_lift(
        properties, VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_EXT, &gap);
    VkDrmFormatModifierPropertiesList2EXT *list2 = venus_chain_lift(
        properties, VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_2_EXT, &gap2);
    call->instance->vk.GetPhysicalDeviceFormatProperties2(args->physicalDevice, args->format,
                                                          properties);
    bool possible = venus_format_has_modifier(args->format);
    if (list)
        list_modifiers(list, possible ? properties->formatProperties.linearTilingFeatures : 0);
    if (list2) {
        // The 64-bit features where the driver has them; the 32-bit ones have the same values.
        VkFormatProperties3 wide = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_3};
        VkFormatProperties2 query = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2,
                                     .pNext = &wide};
        call->instance->vk.GetPhysicalDeviceFormatProperties2(args->physicalDevice, args->format,
                                                              &query);
        list_modifiers2(list2, possible ? wide.linearTilingFeatures |
                                              properties->formatProperties.linearTilingFeatures
                                        : 0);
    }
    venus_chain_mend(&gap2);
    venus_chain_mend(&gap);
    return true;
}

// ---- what images can do ---------------------------------------------------

static bool image_is_sane(VkFormat format, VkImageType type, VkImageTiling tiling)
{
    return venus_format_info(format) && (uint32_t)type <= VK_IMAGE_TYPE_3D &&
           (uint32_t)tiling <= VK_IMAGE_TILING_LINEAR;
}

bool venus_image_flags_offered(const struct venus_physical_device *physical_device,
                               VkImageCreateFlags flags)
{
    const VkImageCreateFlags sparse = VK_IMAGE_CREATE_SPARSE_BINDING_BIT |
                                      VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT |
                                      VK_IMAGE_CREATE_SPARSE_ALIASED_BIT;
    return !(flags & sparse) || venus_profile_has_sparse(physical_device->profile);
}

static bool get_image_format_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceImageFormatProperties *args = data;
    args->ret = VK_ERROR_FORMAT_NOT_SUPPORTED;
    if (image_is_sane(args->format, args->type, args->tiling) &&
        venus_image_flags_offered(self(call), args->flags))
        args->ret = call->instance->vk.GetPhysicalDeviceImageFormatProperties(
            args->physicalDevice, args->format, args->type, args->tiling, args->usage, args->flags,
            args->pImageFormatProperties);
    return true;
}

// Imports are never dedicated to one image or buffer (memory.c).
static bool imports(const VkExternalMemoryProperties *properties)
{
    return (properties->externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) &&
           !(properties->externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT);
}

bool venus_host_imports_image(const struct venus_physical_device *physical_device,
                              const VkPhysicalDeviceImageFormatInfo2 *info)
{
    const VkPhysicalDeviceExternalImageFormatInfo external_info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .pNext = info->pNext,
        .handleType = physical_device->import_handle,
    };
    VkPhysicalDeviceImageFormatInfo2 with_external = *info;
    with_external.pNext = &external_info;
    VkExternalImageFormatProperties external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES};
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
                                           .pNext = &external};
    VkPhysicalDevice handle = (VkPhysicalDevice)(uintptr_t)physical_device->base.handle;
    return physical_device->instance->vk.GetPhysicalDeviceImageFormatProperties2(
               handle, &with_external, &properties) == VK_SUCCESS &&
           imports(&external.externalMemoryProperties);
}

static bool takes_pages_everywhere(const struct venus_physical_device *physical_device)
{
    return physical_device->importable_types ==
           (uint32_t)((1ull << physical_device->memory.memoryTypeCount) - 1);
}

static bool get_image_format_properties2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceImageFormatProperties2 *args = data;
    const struct venus_physical_device *physical_device = self(call);
    VkPhysicalDeviceImageFormatInfo2 *info =
        (VkPhysicalDeviceImageFormatInfo2 *)(uintptr_t)args->pImageFormatInfo;
    const VkPhysicalDeviceImageDrmFormatModifierInfoEXT *modifier = venus_chain_unlink(
        info, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT);
    const VkPhysicalDeviceExternalImageFormatInfo *external =
        venus_chain_unlink(info, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    bool wants_external = external && external->handleType;

    args->ret = VK_ERROR_FORMAT_NOT_SUPPORTED;
    if (info->tiling == VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) {
        if (!modifier || modifier->drmFormatModifier != VENUS_MODIFIER_LINEAR ||
            !venus_format_has_modifier(info->format))
            return true;
        info->tiling = VK_IMAGE_TILING_LINEAR;
    }
    if (!image_is_sane(info->format, info->type, info->tiling) ||
        !venus_image_flags_offered(physical_device, info->flags))
        return true;
    if (wants_external) {
        if (!is_single_bit(external->handleType) ||
            !(external->handleType & VENUS_EXTERNAL_HANDLES))
            return true;
        // Linear images lie in any memory. A driver may claim that other images can lie in imported
        // pages, and then list none of the types that take pages (NVIDIA does). So they are offered
        // only where all types take pages. The importer uses the same driver and knows their
        // layout.
        if (info->tiling == VK_IMAGE_TILING_OPTIMAL &&
            (!takes_pages_everywhere(physical_device) ||
             !venus_host_imports_image(physical_device, info)))
            return true;
    }

    struct venus_chain_gap gap;
    VkExternalImageFormatProperties *properties = venus_chain_lift(
        args->pImageFormatProperties, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES, &gap);
    args->ret = call->instance->vk.GetPhysicalDeviceImageFormatProperties2(
        args->physicalDevice, info, args->pImageFormatProperties);
    if (properties && wants_external && args->ret == VK_SUCCESS)
        properties->externalMemoryProperties = (VkExternalMemoryProperties){
            .externalMemoryFeatures = VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT |
                                      VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT,
            .exportFromImportedHandleTypes = VENUS_EXTERNAL_HANDLES,
            .compatibleHandleTypes = VENUS_EXTERNAL_HANDLES,
        };
    venus_chain_mend(&gap);
    return true;
}

static bool get_sparse_format_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceSparseImageFormatProperties *args = data;
    if (venus_profile_has_sparse(self(call)->profile) &&
        image_is_sane(args->format, args->type, args->tiling) && is_single_bit(args->samples))
        call->instance->vk.GetPhysicalDeviceSparseImageFormatProperties(
            args->physicalDevice, args->format, args->type, args->samples, args->usage,
            args->tiling, args->pPropertyCount, args->pProperties);
    else
        *args->pPropertyCount = 0;
    return true;
}

static bool get_sparse_format_properties2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceSparseImageFormatProperties2 *args = data;
    const VkPhysicalDeviceSparseImageFormatInfo2 *info = args->pFormatInfo;
    // Sparse images have no modifiers.
    if (venus_profile_has_sparse(self(call)->profile) &&
        image_is_sane(info->format, info->type, info->tiling) && is_single_bit(info->samples))
        call->instance->vk.GetPhysicalDeviceSparseImageFormatProperties2(
            args->physicalDevice, info, args->pPropertyCount, args->pProperties);
    else
        *args->pPropertyCount = 0;
    return true;
}

// ---- what can cross processes ---------------------------------------------

bool venus_host_imports_buffer(const struct venus_physical_device *physical_device,
                               VkBufferCreateFlags flags, VkBufferUsageFlags usage,
                               const VkBufferUsageFlags2CreateInfo *usage2)
{
    VkBufferUsageFlags2CreateInfo wide = {.sType =
                                              VK_STRUCTURE_TYPE_BUFFER_USAGE_FLAGS_2_CREATE_INFO};
    if (usage2)
        wide.usage = usage2->usage;
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .pNext = usage2 ? &wide : NULL,
        .flags = flags,
        .usage = usage,
        .handleType = physical_device->import_handle,
    };
    VkExternalBufferProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    physical_device->instance->vk.GetPhysicalDeviceExternalBufferProperties(
        (VkPhysicalDevice)(uintptr_t)physical_device->base.handle, &info, &properties);
    return imports(&properties.externalMemoryProperties);
}

static bool get_external_buffer_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceExternalBufferProperties *args = data;
    VkExternalMemoryProperties *properties =
        &args->pExternalBufferProperties->externalMemoryProperties;
    const VkBufferCreateFlags sparse =
        VK_BUFFER_CREATE_SPARSE_BINDING_BIT | VK_BUFFER_CREATE_SPARSE_RESIDENCY_BIT |
        VK_BUFFER_CREATE_SPARSE_ALIASED_BIT | VK_BUFFER_CREATE_PROTECTED_BIT;
    *properties = (VkExternalMemoryProperties){0};
    if (is_single_bit(args->pExternalBufferInfo->handleType) &&
        (args->pExternalBufferInfo->handleType & VENUS_EXTERNAL_HANDLES) &&
        !(args->pExternalBufferInfo->flags & sparse))
        *properties = (VkExternalMemoryProperties){
            .externalMemoryFeatures = VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT |
                                      VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT,
            .exportFromImportedHandleTypes = VENUS_EXTERNAL_HANDLES,
            .compatibleHandleTypes = VENUS_EXTERNAL_HANDLES,
        };
    else // a handle type is always compatible with itself
        properties->compatibleHandleTypes = args->pExternalBufferInfo->handleType;
    return true;
}

static bool get_external_fence_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceExternalFenceProperties *args = data;
    VkExternalFenceProperties *properties = args->pExternalFenceProperties;
    if (args->pExternalFenceInfo->handleType == VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT) {
        properties->exportFromImportedHandleTypes = properties->compatibleHandleTypes =
            VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT;
        properties->externalFenceFeatures =
            VK_EXTERNAL_FENCE_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_FENCE_FEATURE_IMPORTABLE_BIT;
    } else {
        properties->exportFromImportedHandleTypes = properties->compatibleHandleTypes = 0;
        properties->externalFenceFeatures = 0;
    }
    return true;
}

static bool get_external_semaphore_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceExternalSemaphoreProperties *args = data;
    const VkPhysicalDeviceExternalSemaphoreInfo *info = args->pExternalSemaphoreInfo;
    VkExternalSemaphoreProperties *properties = args->pExternalSemaphoreProperties;
    const VkSemaphoreTypeCreateInfo *type =
        venus_chain_find(info, VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO);
    // A sync file holds one signal: the payload of a timeline does not fit.
    bool binary = !type || type->semaphoreType == VK_SEMAPHORE_TYPE_BINARY;
    if (info->handleType == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT && binary) {
        properties->exportFromImportedHandleTypes = properties->compatibleHandleTypes =
            VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT;
        properties->externalSemaphoreFeatures = VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT |
                                                VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT;
    } else {
        properties->exportFromImportedHandleTypes = properties->compatibleHandleTypes = 0;
        properties->externalSemaphoreFeatures = 0;
    }
    return true;
}

const struct venus_handler_entry venus_format_handlers[] = {
    {WIRE_vkGetPhysicalDeviceFormatProperties, get_format_properties},
    {WIRE_vkGetPhysicalDeviceFormatProperties2, get_format_properties2},
    {WIRE_vkGetPhysicalDeviceImageFormatProperties, get_image_format_properties},
    {WIRE_vkGetPhysicalDeviceImageFormatProperties2, get_image_format_properties2},
    {WIRE_vkGetPhysicalDeviceSparseImageFormatProperties, get_sparse_format_properties},
    {WIRE_vkGetPhysicalDeviceSparseImageFormatProperties2, get_sparse_format_properties2},
    {WIRE_vkGetPhysicalDeviceExternalBufferProperties, get_external_buffer_properties},
    {WIRE_vkGetPhysicalDeviceExternalFenceProperties, get_external_fence_properties},
    {WIRE_vkGetPhysicalDeviceExternalSemaphoreProperties, get_external_semaphore_properties},
    {0},
};
