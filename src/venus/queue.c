#include "venus/queue.h"

#include "venus/ending.h"
#include "venus/loss.h"
#include "venus/profile.h"
#include "venus/waiter.h"

// Queues go with their device, those that the guest never named too.
static const struct venus_class queue_class = {.size = sizeof(struct venus_queue)};

VkResult venus_queue_create(struct venus_device *device, uint32_t family, uint32_t index,
                            VkDeviceQueueCreateFlags flags)
{
    struct venus_object_table *objects = &device->context->objects;
    struct venus_queue *queue = venus_object_alloc(objects, &queue_class, WIRE_HANDLE_QUEUE);
    if (!queue)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkDeviceQueueInfo2 info = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
                                     .flags = flags,
                                     .queueFamilyIndex = family,
                                     .queueIndex = index};
    VkQueue handle = VK_NULL_HANDLE;
    if (device->vk.GetDeviceQueue2 && flags)
        device->vk.GetDeviceQueue2(venus_device_handle(device), &info, &handle);
    else
        device->vk.GetDeviceQueue(venus_device_handle(device), family, index, &handle);
    queue->base.handle = (uintptr_t)handle;
    queue->base.device = device;
    queue->base.parent = &device->base;
    queue->family = family;
    queue->index = index;
    queue->flags = flags;
    VkResult result = venus_waiter_create(queue, &queue->waiter);
    if (result != VK_SUCCESS) {
        venus_object_free(objects, &queue->base);
        return result;
    }
    pthread_mutex_init(&queue->lock, NULL);
    queue->next_of_device = device->queues;
    device->queues = queue;
    return VK_SUCCESS;
}

bool venus_queue_bind(struct venus_context *context, struct venus_queue *queue, uint32_t ring_idx,
                      const char **reason)
{
    bool ok = false;
    pthread_mutex_lock(&context->timeline_lock);
    if (!ring_idx || ring_idx >= sizeof(context->timelines) / sizeof(context->timelines[0]))
        *reason = "a timeline is one of 1 to 63";
    else if (context->timelines[ring_idx])
        *reason = "the timeline belongs to another queue";
    else if (queue->ring_idx)
        *reason = "the queue has a timeline already";
    else
        ok = true;
    if (ok) {
        queue->ring_idx = ring_idx;
        context->timelines[ring_idx] = queue;
    }
    pthread_mutex_unlock(&context->timeline_lock);
    return ok;
}

void venus_queue_release(struct venus_context *context, struct venus_queue *queue)
{
    pthread_mutex_lock(&context->timeline_lock);
    if (queue->ring_idx)
        context->timelines[queue->ring_idx] = NULL;
    pthread_mutex_unlock(&context->timeline_lock);
    venus_waiter_destroy(queue->waiter);
    queue->waiter = NULL;
    pthread_mutex_destroy(&queue->lock);
}

VkResult venus_queue_submit_empty(struct venus_queue *queue, VkSemaphore wait, VkSemaphore signal,
                                  VkFence fence)
{
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .waitSemaphoreCount = wait != VK_NULL_HANDLE,
        .pWaitSemaphores = &wait,
        .pWaitDstStageMask = &stage,
        .signalSemaphoreCount = signal != VK_NULL_HANDLE,
        .pSignalSemaphores = &signal,
    };
    struct venus_device *device = queue->base.device;
    if (venus_device_lost(device))
        return VK_ERROR_DEVICE_LOST;
    pthread_mutex_lock(&queue->lock);
    venus_waiter_forget_last(queue->waiter);
    VkResult result = device->vk.QueueSubmit((VkQueue)(uintptr_t)queue->base.handle, wait || signal,
                                             &submit, fence);
    pthread_mutex_unlock(&queue->lock);
    return venus_device_result(device, "vkQueueSubmit", result);
}

// Waits until everything submitted so far is done, in slices; VK_TIMEOUT when the context stops
// meanwhile.
static VkResult wait_idle(struct venus_context *context, struct venus_queue *queue)
{
    struct venus_device *device = queue->base.device;
    struct venus_device_driver *vk = &device->vk;
    VkFence fence;
    VkResult result = venus_waiter_lend(queue->waiter, &fence);
    if (result != VK_SUCCESS)
        return result;
    result = venus_queue_submit_empty(queue, VK_NULL_HANDLE, VK_NULL_HANDLE, fence);
    bool submitted = result == VK_SUCCESS;
    bool waits = submitted;
    while (waits) {
        result =
            vk->WaitForFences(venus_device_handle(device), 1, &fence, VK_TRUE, VENUS_WAIT_SLICE_NS);
        waits = result == VK_TIMEOUT && !venus_context_stopping(context);
        if (waits && venus_device_lost(device)) {
            result = VK_ERROR_DEVICE_LOST;
            waits = false;
        }
    }
    venus_waiter_take_back(queue->waiter, fence, submitted);
    return venus_device_result(device, "vkWaitForFences", result);
}

// ---- submissions of the guest ---------------------------------------------

// May the driver be asked? Afterwards `timeline` counts for the device, too.
static bool may_submit(struct venus_device *device, bool timeline)
{
    if (timeline)
        atomic_store_explicit(&device->has_timelines, true, memory_order_relaxed);
    if (!venus_device_lost(device))
        return true;
    venus_device_stays_lost(device);
    return false;
}

// How a submission is fenced.
struct fencing {
    VkFence fence; // goes with it
    bool ours;     // and is one of the waiter's
};

// Takes the queue for a submission, and says what goes with it: the guest's fence, or else one of
// the waiter's if a fence of the device process is likely to be asked for, which needs no
// submission of its own then. False: the device is lost, or the stream fails (the reason is set).
//
// A submission that signals a timeline does without. Drivers may signal its fence before the
// timeline has come to its value; but the guest counts its own copy of the timeline up when the
// fence is retired, and its program may then signal the next value. The fence of a submission of
// its own comes after both.
static bool begin(struct venus_call *call, VkFence guests, bool signals_timeline,
                  struct fencing *fencing)
{
    struct venus_queue *queue = (struct venus_queue *)call->self;
    if (!venus_device_enter(call, call->self, WIRE_HANDLE_QUEUE))
        return false;
    if (!may_submit(call->device, signals_timeline)) {
        venus_device_leave(call->device);
        return false;
    }
    pthread_mutex_lock(&queue->lock);
    *fencing = (struct fencing){.fence = guests, .ours = !guests && !signals_timeline};
    if (fencing->ours)
        fencing->fence = venus_waiter_begin(queue->waiter);
    else
        venus_waiter_forget_last(queue->waiter);
    return true;
}

// Gives the queue back. Returns what the guest gets for the driver's `result`.
static VkResult end(struct venus_call *call, struct fencing fencing, VkResult result)
{
    struct venus_queue *queue = (struct venus_queue *)call->self;
    venus_ledger_count(&call->context->ledger, LINK_COUNT_SUBMISSIONS, 1);
    if (fencing.ours)
        venus_waiter_submitted(queue->waiter, result == VK_SUCCESS);
    pthread_mutex_unlock(&queue->lock);
    // A guest that does not wait for the result has told its program that it is VK_SUCCESS.
    if (result == VK_ERROR_DEVICE_LOST ||
        (result != VK_SUCCESS && !(call->wire.flags & WIRE_FLAG_REPLY)))
        venus_device_lose(call->device, call->wire.info->name, result);
    venus_device_leave(call->device);
    return result;
}

static bool signals_values(const void *batch)
{
    const VkTimelineSemaphoreSubmitInfo *values =
        venus_chain_find(batch, VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO);
    return values && values->signalSemaphoreValueCount;
}

static bool queue_submit(struct venus_call *call, void *data)
{
    struct wire_args_vkQueueSubmit *args = data;
    args->ret = VK_ERROR_DEVICE_LOST;
    bool timeline = false;
    for (uint32_t i = 0; i < args->submitCount; i++)
        timeline |= args->pSubmits[i].signalSemaphoreCount && signals_values(&args->pSubmits[i]);
    struct fencing fencing;
    if (!begin(call, args->fence, timeline, &fencing))
        return !call->reason;
    VkResult result =
        call->device->vk.QueueSubmit(args->queue, args->submitCount, args->pSubmits, fencing.fence);
    args->ret = end(call, fencing, result);
    return true;
}

static bool queue_submit2(struct venus_call *call, void *data)
{
    struct wire_args_vkQueueSubmit2 *args = data;
    if (!call->device->vk.QueueSubmit2)
        return venus_unsupported(call);
    args->ret = VK_ERROR_DEVICE_LOST;
    bool timeline = false;
    for (uint32_t i = 0; i < args->submitCount; i++) {
        const VkSubmitInfo2 *batch = &args->pSubmits[i];
        for (uint32_t j = 0; j < batch->signalSemaphoreInfoCount; j++)
            timeline |= batch->pSignalSemaphoreInfos[j].value != 0;
    }
    struct fencing fencing;
    if (!begin(call, args->fence, timeline, &fencing))
        return !call->reason;
    VkResult result = call->device->vk.QueueSubmit2(args->queue, args->submitCount, args->pSubmits,
                                                    fencing.fence);
    args->ret = end(call, fencing, result);
    return true;
}

static bool queue_bind_sparse(struct venus_call *call, void *data)
{
    struct wire_args_vkQueueBindSparse *args = data;
    if (call->device->physical_device->profile->queue_flags & VK_QUEUE_SPARSE_BINDING_BIT)
        return venus_fail(call, "the device has no queue for it");
    args->ret = VK_ERROR_DEVICE_LOST;
    bool timeline = false;
    for (uint32_t i = 0; i < args->bindInfoCount; i++)
        timeline |= args->pBindInfo[i].signalSemaphoreCount && signals_values(&args->pBindInfo[i]);
    struct fencing fencing;
    if (!begin(call, args->fence, timeline, &fencing))
        return !call->reason;
    VkResult result = call->device->vk.QueueBindSparse(args->queue, args->bindInfoCount,
                                                       args->pBindInfo, fencing.fence);
    args->ret = end(call, fencing, result);
    return true;
}

// Not sent by Mesa. Waits in slices, so that the context can end meanwhile.
static bool queue_wait_idle(struct venus_call *call, void *data)
{
    struct wire_args_vkQueueWaitIdle *args = data;
    if (!venus_device_enter(call, call->self, WIRE_HANDLE_QUEUE))
        return false;
    args->ret = wait_idle(call->context, (struct venus_queue *)call->self);
    venus_device_leave(call->device);
    return args->ret != VK_TIMEOUT || venus_fail(call, "the context is ending");
}

static bool device_wait_idle(struct venus_call *call, void *data)
{
    struct wire_args_vkDeviceWaitIdle *args = data;
    if (!venus_device_enter(call, &call->device->base, WIRE_HANDLE_DEVICE))
        return false;
    args->ret = VK_SUCCESS;
    for (struct venus_queue *queue = call->device->queues; queue && args->ret == VK_SUCCESS;
         queue = queue->next_of_device)
        args->ret = wait_idle(call->context, queue);
    venus_device_leave(call->device);
    return args->ret != VK_TIMEOUT || venus_fail(call, "the context is ending");
}

const struct venus_handler_entry venus_queue_handlers[] = {
    {WIRE_vkQueueSubmit, queue_submit},          {WIRE_vkQueueSubmit2, queue_submit2},
    {WIRE_vkQueueBindSparse, queue_bind_sparse}, {WIRE_vkQueueWaitIdle, queue_wait_idle},
    {WIRE_vkDeviceWaitIdle, device_wait_idle},   {0},
};
