// Commands that are recorded otherwise than the guest wrote them: data that was not copied, and
// ownership transfers to and from what is outside of Vulkan.
//
// VK_QUEUE_FAMILY_FOREIGN_EXT is ours alone (docs/emulation.md). For the host it becomes
// VK_QUEUE_FAMILY_EXTERNAL, which is core: the reader is a driver of the same kind in another
// process, or a CPU that reads linear rows.
#include "venus/device.h"
#include "venus/stream.h"

// Drivers index tables with queue families: one that does not exist becomes IGNORED.
static inline uint32_t translate(uint32_t family, uint32_t count)
{
    if (family < count || family == VK_QUEUE_FAMILY_IGNORED || family == VK_QUEUE_FAMILY_EXTERNAL)
        return family;
    return family == VK_QUEUE_FAMILY_FOREIGN_EXT ? VK_QUEUE_FAMILY_EXTERNAL
                                                 : VK_QUEUE_FAMILY_IGNORED;
}

// The decoded barriers are private memory of this thread.
#define TRANSLATE(type, barriers, n, families)                                                     \
    do {                                                                                           \
        type *barrier_ = (type *)(uintptr_t)(barriers);                                            \
        for (uint32_t i_ = 0; i_ < (n); i_++, barrier_++) {                                        \
            if (barrier_->srcQueueFamilyIndex == VK_QUEUE_FAMILY_IGNORED &&                        \
                barrier_->dstQueueFamilyIndex == VK_QUEUE_FAMILY_IGNORED)                          \
                continue;                                                                          \
            barrier_->srcQueueFamilyIndex = translate(barrier_->srcQueueFamilyIndex, families);    \
            barrier_->dstQueueFamilyIndex = translate(barrier_->dstQueueFamilyIndex, families);    \
        }                                                                                          \
    } while (0)

static inline uint32_t families_of(const struct venus_call *call)
{
    return call->device->physical_device->queue_family_count;
}

static void translate_dependency(const struct venus_call *call, const VkDependencyInfo *info)
{
    TRANSLATE(VkBufferMemoryBarrier2, info->pBufferMemoryBarriers, info->bufferMemoryBarrierCount,
              families_of(call));
    TRANSLATE(VkImageMemoryBarrier2, info->pImageMemoryBarriers, info->imageMemoryBarrierCount,
              families_of(call));
}

static bool pipeline_barrier(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdPipelineBarrier *args = data;
    TRANSLATE(VkBufferMemoryBarrier, args->pBufferMemoryBarriers, args->bufferMemoryBarrierCount,
              families_of(call));
    TRANSLATE(VkImageMemoryBarrier, args->pImageMemoryBarriers, args->imageMemoryBarrierCount,
              families_of(call));
    call->device->vk.CmdPipelineBarrier(
        args->commandBuffer, args->srcStageMask, args->dstStageMask, args->dependencyFlags,
        args->memoryBarrierCount, args->pMemoryBarriers, args->bufferMemoryBarrierCount,
        args->pBufferMemoryBarriers, args->imageMemoryBarrierCount, args->pImageMemoryBarriers);
    return true;
}

static bool wait_events(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdWaitEvents *args = data;
    TRANSLATE(VkBufferMemoryBarrier, args->pBufferMemoryBarriers, args->bufferMemoryBarrierCount,
              families_of(call));
    TRANSLATE(VkImageMemoryBarrier, args->pImageMemoryBarriers, args->imageMemoryBarrierCount,
              families_of(call));
    return venus_thunks[WIRE_vkCmdWaitEvents](call, data);
}

static bool pipeline_barrier2(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdPipelineBarrier2 *args = data;
    translate_dependency(call, args->pDependencyInfo);
    return venus_thunks[WIRE_vkCmdPipelineBarrier2](call, data);
}

static bool set_event2(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdSetEvent2 *args = data;
    translate_dependency(call, args->pDependencyInfo);
    return venus_thunks[WIRE_vkCmdSetEvent2](call, data);
}

static bool wait_events2(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdWaitEvents2 *args = data;
    for (uint32_t i = 0; i < args->eventCount; i++)
        translate_dependency(call, &args->pDependencyInfos[i]);
    return venus_thunks[WIRE_vkCmdWaitEvents2](call, data);
}

static bool update_buffer(struct venus_call *call, void *data)
{
    struct wire_args_vkCmdUpdateBuffer *args = data;
    if (call->stream->loose)
        args->pData = call->stream->loose;
    return venus_thunks[WIRE_vkCmdUpdateBuffer](call, data);
}

const struct venus_handler_entry venus_command_handlers[] = {
    {WIRE_vkCmdPipelineBarrier, pipeline_barrier},
    {WIRE_vkCmdPipelineBarrier2, pipeline_barrier2},
    {WIRE_vkCmdSetEvent2, set_event2},
    {WIRE_vkCmdUpdateBuffer, update_buffer},
    {WIRE_vkCmdWaitEvents, wait_events},
    {WIRE_vkCmdWaitEvents2, wait_events2},
    {0},
};
