// Device memory: on the host, and in the program's sight once it is mapped.
#include "guest/vulkan/guest.h"
#include "guest/vulkan/objects.h"

enum { PAGE = 4096 };

VKAPI_ATTR VkResult VKAPI_CALL vkAllocateMemory(VkDevice device,
                                                const VkMemoryAllocateInfo *pAllocateInfo,
                                                const VkAllocationCallbacks *pAllocator,
                                                VkDeviceMemory *pMemory)
{
    struct guest_device *self = (struct guest_device *)device;
    struct guest_memory *memory = guest_new(self->handle.context, sizeof(*memory));
    if (!memory)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    uint32_t type = pAllocateInfo->memoryTypeIndex;
    memory->size = pAllocateInfo->allocationSize;
    memory->mappable =
        type < self->memory.memoryTypeCount &&
        self->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    uint64_t id = memory->handle.object.id;
    struct wire_args_vkAllocateMemory args = {.device = device,
                                              .pAllocateInfo = pAllocateInfo,
                                              .pMemory = (VkDeviceMemory *)&id,
                                              .ret = VK_ERROR_DEVICE_LOST};
    guest_call(device, WIRE_vkAllocateMemory, &args, true);
    if (args.ret < 0) {
        guest_delete(&memory->handle);
        *pMemory = VK_NULL_HANDLE;
        return args.ret;
    }
    *pMemory = (VkDeviceMemory)memory;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vkFreeMemory(VkDevice device, VkDeviceMemory memory,
                                        const VkAllocationCallbacks *pAllocator)
{
    struct guest_memory *self = (struct guest_memory *)memory;
    if (!self)
        return;
    struct wire_args_vkFreeMemory args = {
        .device = device, .memory = (VkDeviceMemory)(uintptr_t)self->handle.object.id};
    guest_call(device, WIRE_vkFreeMemory, &args, false);
    guest_ring_blob_free(&self->handle.context->ring, &self->blob);
    guest_delete(&self->handle);
}

// ---- mapping --------------------------------------------------------------

// Memory stays mapped until it is freed: the next vkMapMemory costs nothing.
static VkResult map(struct guest_memory *memory)
{
    if (memory->blob.address)
        return VK_SUCCESS;
    if (!memory->mappable)
        return VK_ERROR_MEMORY_MAP_FAILED;
    uint64_t size = (memory->size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    int error = guest_ring_blob(&memory->handle.context->ring, memory->handle.object.id, size,
                                GUEST_BLOB_MAPPABLE, &memory->blob);
    return error ? VK_ERROR_MEMORY_MAP_FAILED : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vkMapMemory(VkDevice device, VkDeviceMemory memory,
                                           VkDeviceSize offset, VkDeviceSize size,
                                           VkMemoryMapFlags flags, void **ppData)
{
    struct guest_memory *self = (struct guest_memory *)memory;
    VkResult result = map(self);
    if (result == VK_SUCCESS)
        *ppData = (uint8_t *)self->blob.address + offset;
    return result;
}

VKAPI_ATTR void VKAPI_CALL vkUnmapMemory(VkDevice device, VkDeviceMemory memory)
{
}

#ifdef VK_VERSION_1_4
VKAPI_ATTR VkResult VKAPI_CALL vkMapMemory2(VkDevice device, const VkMemoryMapInfo *pMemoryMapInfo,
                                            void **ppData)
{
    return vkMapMemory(device, pMemoryMapInfo->memory, pMemoryMapInfo->offset, pMemoryMapInfo->size,
                       0, ppData);
}

VKAPI_ATTR VkResult VKAPI_CALL vkUnmapMemory2(VkDevice device,
                                              const VkMemoryUnmapInfo *pMemoryUnmapInfo)
{
    return VK_SUCCESS;
}
#endif

// All memory that can be mapped is coherent: both sides see the same pages.
VKAPI_ATTR VkResult VKAPI_CALL vkFlushMappedMemoryRanges(VkDevice device, uint32_t memoryRangeCount,
                                                         const VkMappedMemoryRange *pMemoryRanges)
{
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vkInvalidateMappedMemoryRanges(
    VkDevice device, uint32_t memoryRangeCount, const VkMappedMemoryRange *pMemoryRanges)
{
    return VK_SUCCESS;
}

// ---- screens --------------------------------------------------------------

static VkResult result_of(int error)
{
    switch (error) {
    case 0:
        return VK_SUCCESS;
    case GUEST_ERROR_LOST:
        return VK_ERROR_DEVICE_LOST;
    case GUEST_ERROR_MEMORY:
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    default:
        return VK_ERROR_UNKNOWN;
    }
}

VkResult guest_present(VkDevice device, VkDeviceMemory memory, uint32_t output,
                       const struct guest_picture *picture)
{
    struct guest_context *context = guest_handle_of(device)->context;
    struct guest_memory *self = (struct guest_memory *)memory;
    VkResult result = self ? map(self) : VK_SUCCESS;
    if (result != VK_SUCCESS)
        return result;
    guest_lock(context);
    int error = context->transport->calls->scanout(context->transport, output,
                                                   self ? &self->blob : NULL, picture);
    guest_unlock(context);
    return result_of(error);
}

VkResult guest_present_flush(VkDevice device, VkDeviceMemory memory,
                             const struct guest_picture *picture)
{
    struct guest_context *context = guest_handle_of(device)->context;
    struct guest_memory *self = (struct guest_memory *)memory;
    guest_lock(context);
    int error = context->transport->calls->flush(context->transport, &self->blob, picture);
    guest_unlock(context);
    return result_of(error);
}

VkResult guest_outputs(VkDevice device, struct guest_info *info)
{
    struct guest_context *context = guest_handle_of(device)->context;
    guest_lock(context);
    int error = context->transport->calls->info(context->transport, info);
    guest_unlock(context);
    return result_of(error);
}
