// Results that the guest has made room for: drivers write all of them, whatever room there is. And
// those of queries that it waits for.
#include "os/clock.h"
#include "venus/extent.h"
#include "venus/loss.h"

#define FIRST_NAP_NS 20000
#define LAST_NAP_NS 1000000

// Do `count` results of `bytes` fit into the guest's room, `stride` bytes apart?
static bool fits(uint64_t count, uint64_t stride, uint64_t bytes, uint64_t room)
{
    uint64_t end;
    return !count ||
           (!__builtin_mul_overflow(count - 1, stride, &end) && end <= room && bytes <= room - end);
}

static uint32_t values_of(const VkQueryPoolCreateInfo *info)
{
    switch ((int)info->queryType) {
    case VK_QUERY_TYPE_PIPELINE_STATISTICS:
        return (uint32_t)__builtin_popcount(info->pipelineStatistics);
    case VK_QUERY_TYPE_TRANSFORM_FEEDBACK_STREAM_EXT:
        return 2;
    default:
        return 1;
    }
}

static bool create_query_pool(struct venus_call *call, void *data)
{
    const struct wire_args_vkCreateQueryPool *args = data;
    if (!venus_thunks[WIRE_vkCreateQueryPool](call, data))
        return false;
    struct venus_object *pool =
        venus_object_find(&call->context->objects, (uint64_t)*args->pQueryPool);
    if (args->ret >= 0 && pool) {
        atomic_store_explicit(&pool->extent, args->pCreateInfo->queryCount, memory_order_relaxed);
        atomic_store_explicit(&pool->bound, values_of(args->pCreateInfo), memory_order_relaxed);
    }
    return true;
}

// WAIT would leave this thread in the driver for as long as the guest likes, past the end of the
// context: ask again instead.
static bool get_query_pool_results(struct venus_call *call, void *data)
{
    struct wire_args_vkGetQueryPoolResults *args = data;
    PFN_vkGetQueryPoolResults get = call->device->vk.GetQueryPoolResults;
    if (!get)
        return venus_unsupported(call);
    if (!venus_in_range(args->firstQuery, args->queryCount,
                        venus_extent(call, WIRE_HANDLE_QUERY_POOL)))
        return venus_fail(call, "the pool has not so many queries");
    uint64_t word = args->flags & VK_QUERY_RESULT_64_BIT ? 8 : 4;
    uint64_t values = 1;
    for (unsigned i = 0; i < call->object_count; i++) {
        if (call->objects[i]->type == WIRE_HANDLE_QUERY_POOL)
            values = atomic_load_explicit(&call->objects[i]->bound, memory_order_relaxed);
    }
    uint64_t words =
        args->flags & (VK_QUERY_RESULT_WITH_AVAILABILITY_BIT | VK_QUERY_RESULT_WITH_STATUS_BIT_KHR)
            ? values + 1
            : values;
    if (!fits(args->queryCount, args->stride, word * words, args->dataSize))
        return venus_fail(call, "the results are longer than the room for them");
    bool wait = args->flags & VK_QUERY_RESULT_WAIT_BIT;
    VkQueryResultFlags flags = args->flags & ~(VkQueryResultFlags)VK_QUERY_RESULT_WAIT_BIT;
    uint64_t nap = FIRST_NAP_NS;
    for (;;) {
        args->ret = VK_ERROR_DEVICE_LOST;
        if (venus_device_lost(call->device))
            return true;
        args->ret = get(args->device, args->queryPool, args->firstQuery, args->queryCount,
                        args->dataSize, args->pData, args->stride, flags);
        args->ret = venus_call_result(call, args->ret);
        if (args->ret != VK_NOT_READY || !wait)
            return true;
        if (venus_stream_stopping(call->stream))
            return venus_fail(call, "the context is ending");
        os_sleep_ns(nap);
        nap = nap * 2 < LAST_NAP_NS ? nap * 2 : LAST_NAP_NS;
    }
}

static bool get_group_handles(struct venus_call *call, void *data)
{
    const struct wire_args_vkGetRayTracingShaderGroupHandlesKHR *args = data;
    const uint64_t handle = 32; // shaderGroupHandleSize is that everywhere
    if (!fits(args->groupCount, handle, handle, args->dataSize))
        return venus_fail(call, "the handles are longer than the room for them");
    return venus_thunks[call->wire.number](call, data);
}

static bool write_properties(struct venus_call *call, void *data)
{
    const struct wire_args_vkWriteAccelerationStructuresPropertiesKHR *args = data;
    if (!fits(args->accelerationStructureCount, args->stride, sizeof(VkDeviceSize), args->dataSize))
        return venus_fail(call, "the properties are longer than the room for them");
    return venus_thunks[call->wire.number](call, data);
}

const struct venus_handler_entry venus_query_handlers[] = {
    {WIRE_vkCreateQueryPool, create_query_pool},
    {WIRE_vkGetQueryPoolResults, get_query_pool_results},
    {WIRE_vkGetRayTracingShaderGroupHandlesKHR, get_group_handles},
    {WIRE_vkWriteAccelerationStructuresPropertiesKHR, write_properties},
    {0},
};
