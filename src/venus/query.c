// Query results that the guest waits for.
#include "os/clock.h"
#include "venus/context.h"
#include "venus/loss.h"

#define FIRST_NAP_NS 20000
#define LAST_NAP_NS 1000000

// WAIT would leave this thread in the driver for as long as the guest likes, past the end of the
// context: ask again instead.
static bool get_query_pool_results(struct venus_call *call, void *data)
{
    struct wire_args_vkGetQueryPoolResults *args = data;
    PFN_vkGetQueryPoolResults get = call->device->vk.GetQueryPoolResults;
    if (!get)
        return venus_unsupported(call);
    bool wait = args->flags & VK_QUERY_RESULT_WAIT_BIT;
    VkQueryResultFlags flags = args->flags & ~(VkQueryResultFlags)VK_QUERY_RESULT_WAIT_BIT;
    uint64_t nap = FIRST_NAP_NS;
    for (;;) {
        args->ret = VK_ERROR_DEVICE_LOST;
        if (venus_device_lost(call->device))
            return true;
        args->ret = get(args->device, args->queryPool, args->firstQuery, args->queryCount,
                        args->dataSize, args->pData, args->stride, flags);
        args->ret = venus_device_result(call->device, call->wire.info->name, args->ret);
        if (args->ret != VK_NOT_READY || !wait)
            return true;
        if (venus_stream_stopping(call->stream))
            return venus_fail(call, "the context is ending");
        os_sleep_ns(nap);
        nap = nap * 2 < LAST_NAP_NS ? nap * 2 : LAST_NAP_NS;
    }
}

const struct venus_handler_entry venus_query_handlers[] = {
    {WIRE_vkGetQueryPoolResults, get_query_pool_results}, {0}};
