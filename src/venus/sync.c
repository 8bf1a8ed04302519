// Fences and semaphores: waits that can be interrupted, and SYNC_FD payloads that live in the
// guest's kernel, so that the host's objects need none of the kind.
#include "venus/context.h"
#include "venus/device.h"
#include "venus/queue.h"
#include "venus/ring.h"

static bool create_fence(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateFence *args = data;
    venus_chain_unlink(args->pCreateInfo, VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO);
    return venus_thunks[WIRE_vkCreateFence](call, data);
}

static bool create_semaphore(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateSemaphore *args = data;
    venus_chain_unlink(args->pCreateInfo, VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO);
    return venus_thunks[WIRE_vkCreateSemaphore](call, data);
}

// The part of `timeout` that one call of the driver may take.
static uint64_t slice(uint64_t *timeout)
{
    uint64_t part = *timeout < VENUS_WAIT_SLICE_NS ? *timeout : VENUS_WAIT_SLICE_NS;
    if (*timeout != UINT64_MAX)
        *timeout -= part;
    return part;
}

static bool wait_for_fences(struct venus_call *call, void *data)
{
    struct wire_args_vkWaitForFences *args = data;
    uint64_t left = args->timeout;
    venus_ring_publish(call->stream->ring);
    do {
        args->ret = call->device->vk.WaitForFences(args->device, args->fenceCount, args->pFences,
                                                   args->waitAll, slice(&left));
        if (args->ret == VK_TIMEOUT && venus_stream_stopping(call->stream))
            return venus_fail(call, "the context is ending");
    } while (args->ret == VK_TIMEOUT && left);
    return true;
}

static bool wait_semaphores(struct venus_call *call, void *data)
{
    struct wire_args_vkWaitSemaphores *args = data;
    if (!call->device->vk.WaitSemaphores)
        return venus_unsupported(call);
    uint64_t left = args->timeout;
    venus_ring_publish(call->stream->ring);
    do {
        args->ret = call->device->vk.WaitSemaphores(args->device, args->pWaitInfo, slice(&left));
        if (args->ret == VK_TIMEOUT && venus_stream_stopping(call->stream))
            return venus_fail(call, "the context is ending");
    } while (args->ret == VK_TIMEOUT && left);
    return true;
}

// The guest has exported the fence's payload as a sync file: afterwards the fence is unsignalled.
static bool reset_fence_resource(struct venus_call *call, void *data)
{
    struct wire_args_vkResetFenceResourceMESA *args = data;
    struct venus_device_driver *vk = &call->device->vk;
    VkResult result;
    venus_ring_publish(call->stream->ring);
    while ((result = vk->WaitForFences(args->device, 1, &args->fence, VK_TRUE,
                                       VENUS_WAIT_SLICE_NS)) == VK_TIMEOUT) {
        if (venus_stream_stopping(call->stream))
            return venus_fail(call, "the context is ending");
    }
    vk->ResetFences(args->device, 1, &args->fence);
    return true;
}

// The guest has exported the semaphore's payload: its pending signal is consumed.
static bool wait_semaphore_resource(struct venus_call *call, void *data)
{
    struct wire_args_vkWaitSemaphoreResourceMESA *args = data;
    if (call->device->queues)
        venus_queue_submit_empty(call->device->queues, args->semaphore, VK_NULL_HANDLE,
                                 VK_NULL_HANDLE);
    return true;
}

// The guest has imported a payload that its kernel has already waited for: the semaphore is
// signalled.
static bool import_semaphore_resource(struct venus_call *call, void *data)
{
    struct wire_args_vkImportSemaphoreResourceMESA *args = data;
    const VkImportSemaphoreResourceInfoMESA *info = args->pImportSemaphoreResourceInfo;
    if (info->resourceId)
        return venus_fail(call, "only payloads that are signalled can be imported");
    if (call->device->queues)
        venus_queue_submit_empty(call->device->queues, VK_NULL_HANDLE, info->semaphore,
                                 VK_NULL_HANDLE);
    return true;
}

const struct venus_handler_entry venus_sync_handlers[] = {
    {WIRE_vkCreateFence, create_fence},
    {WIRE_vkCreateSemaphore, create_semaphore},
    {WIRE_vkWaitForFences, wait_for_fences},
    {WIRE_vkWaitSemaphores, wait_semaphores},
    {WIRE_vkResetFenceResourceMESA, reset_fence_resource},
    {WIRE_vkWaitSemaphoreResourceMESA, wait_semaphore_resource},
    {WIRE_vkImportSemaphoreResourceMESA, import_semaphore_resource},
    {0},
};
