// Query pools: what a program is given of their results. The host is asked for all values and for
// what is available, close together; a query that is not ready leaves the program's memory as it
// is.
#include "guest/vulkan/objects.h"

// How many values a query of the pool has is in the top byte of the pool's id.
enum { VALUES_SHIFT = 56 };

static uint64_t values_of(const VkQueryPoolCreateInfo *info)
{
    uint64_t count = 0;
    if (info->queryType == VK_QUERY_TYPE_TRANSFORM_FEEDBACK_STREAM_EXT)
        return 2;
    if (info->queryType != VK_QUERY_TYPE_PIPELINE_STATISTICS)
        return 1;
    for (uint32_t left = info->pipelineStatistics; left; left &= left - 1)
        count++;
    return count;
}

VKAPI_ATTR VkResult VKAPI_CALL vkCreateQueryPool(VkDevice device,
                                                 const VkQueryPoolCreateInfo *pCreateInfo,
                                                 const VkAllocationCallbacks *pAllocator,
                                                 VkQueryPool *pQueryPool)
{
    uint64_t id = guest_new_id() | values_of(pCreateInfo) << VALUES_SHIFT;
    struct wire_args_vkCreateQueryPool args = {.device = device,
                                               .pCreateInfo = pCreateInfo,
                                               .pQueryPool = (VkQueryPool *)&id,
                                               .ret = VK_ERROR_DEVICE_LOST};
    guest_call(device, WIRE_vkCreateQueryPool, &args, true);
    *pQueryPool = args.ret < 0 ? VK_NULL_HANDLE : (VkQueryPool)(uintptr_t)id;
    return args.ret;
}

static bool is_available(const uint8_t *word, size_t width)
{
    uint64_t available = 0;
    memcpy(&available, word, width);
    return available != 0;
}

VKAPI_ATTR VkResult VKAPI_CALL vkGetQueryPoolResults(VkDevice device, VkQueryPool queryPool,
                                                     uint32_t firstQuery, uint32_t queryCount,
                                                     size_t dataSize, void *pData,
                                                     VkDeviceSize stride, VkQueryResultFlags flags)
{
    const struct guest_context *context = guest_handle_of(device)->context;
    const bool wait = flags & VK_QUERY_RESULT_WAIT_BIT;
    const size_t width = flags & VK_QUERY_RESULT_64_BIT ? 8 : 4;
    const size_t values = width * ((uint64_t)(uintptr_t)queryPool >> VALUES_SHIFT);
    const size_t told = values + (flags & VK_QUERY_RESULT_WITH_AVAILABILITY_BIT ? width : 0);
    const size_t each = values + width;
    struct guest_scratch scratch;
    uint8_t *results = guest_scratch_take(&scratch, device, queryCount * each);
    struct guest_wait patience = {.nanoseconds = UINT64_MAX};
    VkResult result;
    if (!results)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    // Partial results say nothing of whether all are there.
    VkQueryResultFlags asked = flags | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT;
    if (wait)
        asked &= ~(VkQueryResultFlags)(VK_QUERY_RESULT_WAIT_BIT | VK_QUERY_RESULT_PARTIAL_BIT);
    do {
        result = guest_plain_vkGetQueryPoolResults(device, queryPool, firstQuery, queryCount,
                                                   queryCount * each, results, each, asked);
    } while (wait && result == VK_NOT_READY && guest_pause(context, &patience));
    for (uint32_t i = 0; result >= 0 && i < queryCount; i++) {
        const uint8_t *from = results + i * each;
        uint8_t *to = (uint8_t *)pData + i * stride;
        if (flags & VK_QUERY_RESULT_PARTIAL_BIT || is_available(from + values, width))
            memcpy(to, from, told);
        else if (told > values)
            memcpy(to + values, from + values, width);
    }
    guest_scratch_give(&scratch);
    return result;
}
