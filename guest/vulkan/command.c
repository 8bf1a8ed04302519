// Command buffers: the guest must know which there are, of which pool, and of which level. And the
// few commands whose arrays do not cross as they lie.
#include "guest/vulkan/objects.h"

VKAPI_ATTR VkResult VKAPI_CALL
vkAllocateCommandBuffers(VkDevice device, const VkCommandBufferAllocateInfo *pAllocateInfo,
                         VkCommandBuffer *pCommandBuffers)
{
    struct guest_device *self = (struct guest_device *)device;
    struct guest_context *context = self->handle.context;
    uint32_t count = pAllocateInfo->commandBufferCount, made = 0;
    struct guest_scratch scratch;
    uint64_t *ids = guest_scratch_take(&scratch, device, count * sizeof(*ids));
    struct wire_args_vkAllocateCommandBuffers args = {.device = device,
                                                      .pAllocateInfo = pAllocateInfo,
                                                      .pCommandBuffers = (VkCommandBuffer *)ids,
                                                      .ret = VK_ERROR_OUT_OF_HOST_MEMORY};
    for (; ids && made < count; made++) {
        struct guest_command_buffer *buffer = guest_new(context, sizeof(*buffer));
        if (!buffer)
            break;
        buffer->pool = pAllocateInfo->commandPool;
        buffer->level = pAllocateInfo->level;
        ids[made] = buffer->handle.object.id;
        pCommandBuffers[made] = (VkCommandBuffer)buffer;
    }
    if (ids && made == count) {
        args.ret = VK_ERROR_DEVICE_LOST;
        guest_call(device, WIRE_vkAllocateCommandBuffers, &args, true);
    }
    if (ids)
        guest_scratch_give(&scratch);
    if (args.ret < 0) {
        while (made)
            guest_delete(guest_handle_of(pCommandBuffers[--made]));
        memset(pCommandBuffers, 0, count * sizeof(*pCommandBuffers));
        return args.ret;
    }
    guest_lock(context);
    for (uint32_t i = 0; i < count; i++) {
        struct guest_command_buffer *buffer = (struct guest_command_buffer *)pCommandBuffers[i];
        buffer->next = self->command_buffers;
        self->command_buffers = buffer;
    }
    guest_unlock(context);
    return VK_SUCCESS;
}

// Takes those of a pool out of the device's list, or one of them, and frees them.
static void forget(struct guest_device *device, VkCommandPool pool, const void *one)
{
    struct guest_command_buffer **link = &device->command_buffers, *gone = NULL;
    guest_lock(device->handle.context);
    while (*link) {
        struct guest_command_buffer *buffer = *link;
        if (one ? buffer != one : buffer->pool != pool) {
            link = &buffer->next;
            continue;
        }
        *link = buffer->next;
        buffer->next = gone;
        gone = buffer;
    }
    guest_unlock(device->handle.context);
    while (gone) {
        struct guest_command_buffer *buffer = gone;
        gone = gone->next;
        guest_delete(&buffer->handle);
    }
}

VKAPI_ATTR void VKAPI_CALL vkFreeCommandBuffers(VkDevice device, VkCommandPool commandPool,
                                                uint32_t commandBufferCount,
                                                const VkCommandBuffer *pCommandBuffers)
{
    struct guest_scratch scratch;
    uint64_t *ids = guest_scratch_take(&scratch, device, commandBufferCount * sizeof(*ids));
    if (!ids || !commandBufferCount)
        return;
    for (uint32_t i = 0; i < commandBufferCount; i++)
        ids[i] = guest_id_of(pCommandBuffers[i]);
    struct wire_args_vkFreeCommandBuffers args = {.device = device,
                                                  .commandPool = commandPool,
                                                  .commandBufferCount = commandBufferCount,
                                                  .pCommandBuffers = (const VkCommandBuffer *)ids};
    guest_call(device, WIRE_vkFreeCommandBuffers, &args, false);
    guest_scratch_give(&scratch);
    for (uint32_t i = 0; i < commandBufferCount; i++) {
        if (pCommandBuffers[i])
            forget((struct guest_device *)device, VK_NULL_HANDLE, pCommandBuffers[i]);
    }
}

VKAPI_ATTR void VKAPI_CALL vkDestroyCommandPool(VkDevice device, VkCommandPool commandPool,
                                                const VkAllocationCallbacks *pAllocator)
{
    struct wire_args_vkDestroyCommandPool args = {.device = device, .commandPool = commandPool};
    if (!commandPool)
        return;
    guest_call(device, WIRE_vkDestroyCommandPool, &args, false);
    forget((struct guest_device *)device, commandPool, NULL);
}

// A primary command buffer inherits nothing, whatever the pointer says.
VKAPI_ATTR VkResult VKAPI_CALL vkBeginCommandBuffer(VkCommandBuffer commandBuffer,
                                                    const VkCommandBufferBeginInfo *pBeginInfo)
{
    struct guest_command_buffer *self = (struct guest_command_buffer *)commandBuffer;
    VkCommandBufferBeginInfo info = *pBeginInfo;
    if (self->level == VK_COMMAND_BUFFER_LEVEL_PRIMARY)
        info.pInheritanceInfo = NULL;
    return guest_plain_vkBeginCommandBuffer(commandBuffer, &info);
}

// ---- arrays with a stride -------------------------------------------------

// What crosses lies close together. NULL: no memory.
static void *pack(struct guest_scratch *scratch, const void *dispatchable, uint32_t count,
                  const void *from, uint32_t stride, size_t size)
{
    uint8_t *packed = guest_scratch_take(scratch, dispatchable, count * size);
    for (uint32_t i = 0; packed && i < count; i++)
        memcpy(packed + i * size, (const uint8_t *)from + (size_t)i * stride, size);
    return packed;
}

VKAPI_ATTR void VKAPI_CALL vkCmdDrawMultiEXT(VkCommandBuffer commandBuffer, uint32_t drawCount,
                                             const VkMultiDrawInfoEXT *pVertexInfo,
                                             uint32_t instanceCount, uint32_t firstInstance,
                                             uint32_t stride)
{
    struct guest_scratch scratch;
    VkMultiDrawInfoEXT *packed =
        pack(&scratch, commandBuffer, drawCount, pVertexInfo, stride, sizeof(*packed));
    if (!packed)
        return;
    guest_plain_vkCmdDrawMultiEXT(commandBuffer, drawCount, packed, instanceCount, firstInstance,
                                  sizeof(*packed));
    guest_scratch_give(&scratch);
}

VKAPI_ATTR void VKAPI_CALL vkCmdDrawMultiIndexedEXT(VkCommandBuffer commandBuffer,
                                                    uint32_t drawCount,
                                                    const VkMultiDrawIndexedInfoEXT *pIndexInfo,
                                                    uint32_t instanceCount, uint32_t firstInstance,
                                                    uint32_t stride, const int32_t *pVertexOffset)
{
    struct guest_scratch scratch;
    VkMultiDrawIndexedInfoEXT *packed =
        pack(&scratch, commandBuffer, drawCount, pIndexInfo, stride, sizeof(*packed));
    if (!packed)
        return;
    guest_plain_vkCmdDrawMultiIndexedEXT(commandBuffer, drawCount, packed, instanceCount,
                                         firstInstance, sizeof(*packed), pVertexOffset);
    guest_scratch_give(&scratch);
}
