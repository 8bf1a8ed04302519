// Fences and semaphores: waits that can be interrupted, and SYNC_FD payloads that live in the
// guest's kernel, so that the host's objects need none of the kind.
#include "venus/ending.h"
#include "venus/extent.h"
#include "venus/loss.h"
#include "venus/queue.h"
#include "venus/ring.h"

static bool create_fence(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateFence *args = data;
    atomic_store_explicit(&call->device->has_fences, true, memory_order_relaxed);
    venus_chain_unlink(args->pCreateInfo, VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO);
    return venus_thunks[WIRE_vkCreateFence](call, data);
}

static bool create_semaphore(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateSemaphore *args = data;
    venus_chain_unlink(args->pCreateInfo, VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO);
    const VkSemaphoreTypeCreateInfo *type =
        venus_chain_find(args->pCreateInfo, VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO);
    bool counts = type && type->semaphoreType == VK_SEMAPHORE_TYPE_TIMELINE;
    return venus_thunks[WIRE_vkCreateSemaphore](call, data) &&
           (args->ret < 0 || venus_set_extent(call, (uint64_t)*args->pSemaphore, counts));
}

// A driver takes a binary semaphore for one that counts, and looks for its value.
static bool is_binary(struct venus_call *call)
{
    return !venus_extent(call, WIRE_HANDLE_SEMAPHORE) &&
           !venus_fail(call, "the semaphore has no value: it is a binary one");
}

// The part of `timeout` that one call of the driver may take.
static uint64_t slice(uint64_t *timeout)
{
    uint64_t part = *timeout < VENUS_WAIT_SLICE_NS ? *timeout : VENUS_WAIT_SLICE_NS;
    if (*timeout != UINT64_MAX)
        *timeout -= part;
    return part;
}

// Must a wait that has come to the end of a slice go on? False: *ret is the answer, or the stream
// fails.
static bool goes_on(struct venus_call *call, VkResult *ret, uint64_t left)
{
    if (venus_device_lost(call->device))
        *ret = VK_ERROR_DEVICE_LOST;
    return *ret == VK_TIMEOUT && left && !venus_stream_stopping(call->stream);
}

// The end of a wait. False: it did not come to its end.
static bool waited(struct venus_call *call, VkResult *ret, uint64_t left)
{
    if (*ret == VK_TIMEOUT && left)
        return venus_fail(call, "the context is ending");
    *ret = venus_call_result(call, *ret);
    return true;
}

static bool wait_for_fences(struct venus_call *call, void *data)
{
    struct wire_args_vkWaitForFences *args = data;
    uint64_t left = args->timeout;
    venus_ring_publish(call->stream->ring);
    do {
        args->ret = call->device->vk.WaitForFences(args->device, args->fenceCount, args->pFences,
                                                   args->waitAll, slice(&left));
    } while (goes_on(call, &args->ret, left));
    return waited(call, &args->ret, left);
}

static bool wait_semaphores(struct venus_call *call, void *data)
{
    struct wire_args_vkWaitSemaphores *args = data;
    if (!call->device->vk.WaitSemaphores)
        return venus_unsupported(call);
    if (is_binary(call)) // the first of them
        return false;
    uint64_t left = args->timeout;
    venus_ring_publish(call->stream->ring);
    do {
        args->ret = call->device->vk.WaitSemaphores(args->device, args->pWaitInfo, slice(&left));
    } while (goes_on(call, &args->ret, left));
    return waited(call, &args->ret, left);
}

static bool get_fence_status(struct venus_call *call, void *data)
{
    struct wire_args_vkGetFenceStatus *args = data;
    args->ret = VK_ERROR_DEVICE_LOST;
    if (!venus_device_lost(call->device))
        args->ret =
            venus_call_result(call, call->device->vk.GetFenceStatus(args->device, args->fence));
    return true;
}

static bool get_event_status(struct venus_call *call, void *data)
{
    struct wire_args_vkGetEventStatus *args = data;
    args->ret = VK_ERROR_DEVICE_LOST;
    if (!venus_device_lost(call->device))
        args->ret =
            venus_call_result(call, call->device->vk.GetEventStatus(args->device, args->event));
    return true;
}

static bool get_semaphore_counter_value(struct venus_call *call, void *data)
{
    struct wire_args_vkGetSemaphoreCounterValue *args = data;
    if (!call->device->vk.GetSemaphoreCounterValue)
        return venus_unsupported(call);
    if (is_binary(call))
        return false;
    args->ret = VK_ERROR_DEVICE_LOST;
    if (!venus_device_lost(call->device))
        args->ret = venus_call_result(call, call->device->vk.GetSemaphoreCounterValue(
                                                args->device, args->semaphore, args->pValue));
    return true;
}

static bool signal_semaphore(struct venus_call *call, void *data)
{
    struct wire_args_vkSignalSemaphore *args = data;
    if (!call->device->vk.SignalSemaphore)
        return venus_unsupported(call);
    if (is_binary(call))
        return false;
    args->ret = call->device->vk.SignalSemaphore(args->device, args->pSignalInfo);
    return true;
}

// The guest has exported the fence's payload as a sync file: afterwards the fence is unsignalled.
static bool reset_fence_resource(struct venus_call *call, void *data)
{
    struct wire_args_vkResetFenceResourceMESA *args = data;
    struct venus_device_driver *vk = &call->device->vk;
    const uint64_t for_ever = UINT64_MAX;
    VkResult result;
    venus_ring_publish(call->stream->ring);
    do {
        result = vk->WaitForFences(args->device, 1, &args->fence, VK_TRUE, VENUS_WAIT_SLICE_NS);
    } while (goes_on(call, &result, for_ever));
    if (!waited(call, &result, for_ever))
        return false;
    if (result == VK_SUCCESS)
        result = vk->ResetFences(args->device, 1, &args->fence);
    if (result != VK_SUCCESS)
        venus_call_loses(call, result);
    return true;
}

// Hands the payload of a semaphore over by a submission of nothing else. The guest takes for
// granted that it succeeds.
static bool pass_payload(struct venus_call *call, VkSemaphore wait, VkSemaphore signal)
{
    if (!venus_device_enter(call, &call->device->base, WIRE_HANDLE_DEVICE))
        return false;
    VkResult result = VK_SUCCESS;
    if (call->device->queues)
        result = venus_queue_submit_empty(call->device->queues, wait, signal, VK_NULL_HANDLE);
    if (result != VK_SUCCESS)
        venus_device_lose(call->device, call->wire.info->name, result);
    venus_device_leave(call->device);
    return true;
}

// The guest has exported the semaphore's payload: its pending signal is consumed.
static bool wait_semaphore_resource(struct venus_call *call, void *data)
{
    struct wire_args_vkWaitSemaphoreResourceMESA *args = data;
    return pass_payload(call, args->semaphore, VK_NULL_HANDLE);
}

// The guest has imported a payload that its kernel has already waited for: the semaphore is
// signalled.
static bool import_semaphore_resource(struct venus_call *call, void *data)
{
    struct wire_args_vkImportSemaphoreResourceMESA *args = data;
    const VkImportSemaphoreResourceInfoMESA *info = args->pImportSemaphoreResourceInfo;
    if (info->resourceId)
        return venus_fail(call, "only payloads that are signalled can be imported");
    return pass_payload(call, VK_NULL_HANDLE, info->semaphore);
}

const struct venus_handler_entry venus_sync_handlers[] = {
    {WIRE_vkCreateFence, create_fence},
    {WIRE_vkCreateSemaphore, create_semaphore},
    {WIRE_vkGetFenceStatus, get_fence_status},
    {WIRE_vkGetEventStatus, get_event_status},
    {WIRE_vkGetSemaphoreCounterValue, get_semaphore_counter_value},
    {WIRE_vkSignalSemaphore, signal_semaphore},
    {WIRE_vkWaitForFences, wait_for_fences},
    {WIRE_vkWaitSemaphores, wait_semaphores},
    {WIRE_vkResetFenceResourceMESA, reset_fence_resource},
    {WIRE_vkWaitSemaphoreResourceMESA, wait_semaphore_resource},
    {WIRE_vkImportSemaphoreResourceMESA, import_semaphore_resource},
    {0},
};
