#include "venus/queue.h"

#include "venus/profile.h"
#include "venus/waiter.h"

// Queues go with their device, those that the guest never named too.
static const struct venus_class queue_class = {.size = sizeof(struct venus_queue)};

bool venus_queue_create(struct venus_context *context, struct venus_device *device, uint32_t family,
                        uint32_t index, VkDeviceQueueCreateFlags flags)
{
    struct venus_queue *queue =
        venus_object_alloc(&context->objects, &queue_class, WIRE_HANDLE_QUEUE);
    if (!queue)
        return false;
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
    pthread_mutex_init(&queue->lock, NULL);
    queue->next_of_device = device->queues;
    device->queues = queue;
    return true;
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
    else if (!(queue->waiter = venus_waiter_create(context, queue)))
        *reason = "no thread for the queue's fences";
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
    pthread_mutex_lock(&queue->lock);
    venus_waiter_forget_last(queue->waiter);
    VkResult result = queue->base.device->vk.QueueSubmit((VkQueue)(uintptr_t)queue->base.handle,
                                                         wait || signal, &submit, fence);
    pthread_mutex_unlock(&queue->lock);
    return result;
}

VkResult venus_queue_wait_idle(struct venus_context *context, struct venus_queue *queue)
{
    struct venus_device_driver *vk = &queue->base.device->vk;
    VkDevice device = venus_device_handle(queue->base.device);
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence;
    VkResult result = vk->CreateFence(device, &info, NULL, &fence);
    if (result != VK_SUCCESS)
        return result;
    result = venus_queue_submit_empty(queue, VK_NULL_HANDLE, VK_NULL_HANDLE, fence);
    while (result == VK_SUCCESS &&
           (result = vk->WaitForFences(device, 1, &fence, VK_TRUE, VENUS_WAIT_SLICE_NS)) ==
               VK_TIMEOUT) {
        if (venus_context_stopping(context))
            return VK_TIMEOUT; // the fence is in use: it goes with the process
        result = VK_SUCCESS;
    }
    vk->DestroyFence(device, fence, NULL);
    return result;
}

// A submission of the guest. Where it brings no fence of its own, one of the waiter's goes with it:
// a fence of the device process asked for later then needs no submission.
#define SUBMIT(queue, args, submit_call)                                                           \
    do {                                                                                           \
        pthread_mutex_lock(&(queue)->lock);                                                        \
        VkFence fence_ = (args)->fence;                                                            \
        if (!fence_)                                                                               \
            fence_ = venus_waiter_begin((queue)->waiter);                                          \
        else                                                                                       \
            venus_waiter_forget_last((queue)->waiter);                                             \
        (args)->ret = submit_call;                                                                 \
        if (!(args)->fence)                                                                        \
            venus_waiter_submitted((queue)->waiter, (args)->ret == VK_SUCCESS);                    \
        pthread_mutex_unlock(&(queue)->lock);                                                      \
    } while (0)

static bool queue_submit(struct venus_call *call, void *data)
{
    struct wire_args_vkQueueSubmit *args = data;
    struct venus_queue *queue = (struct venus_queue *)call->self;
    SUBMIT(queue, args,
           call->device->vk.QueueSubmit(args->queue, args->submitCount, args->pSubmits, fence_));
    return true;
}

static bool queue_submit2(struct venus_call *call, void *data)
{
    struct wire_args_vkQueueSubmit2 *args = data;
    struct venus_queue *queue = (struct venus_queue *)call->self;
    if (!call->device->vk.QueueSubmit2)
        return venus_unsupported(call);
    SUBMIT(queue, args,
           call->device->vk.QueueSubmit2(args->queue, args->submitCount, args->pSubmits, fence_));
    return true;
}

static bool queue_bind_sparse(struct venus_call *call, void *data)
{
    struct wire_args_vkQueueBindSparse *args = data;
    struct venus_queue *queue = (struct venus_queue *)call->self;
    if (call->device->physical_device->profile->queue_flags & VK_QUEUE_SPARSE_BINDING_BIT)
        return venus_fail(call, "the device has no queue for it");
    SUBMIT(queue, args,
           call->device->vk.QueueBindSparse(args->queue, args->bindInfoCount, args->pBindInfo,
                                            fence_));
    return true;
}

// Not sent by Mesa. Waits in slices, so that the context can end meanwhile.
static bool queue_wait_idle(struct venus_call *call, void *data)
{
    struct wire_args_vkQueueWaitIdle *args = data;
    args->ret = venus_queue_wait_idle(call->context, (struct venus_queue *)call->self);
    return args->ret != VK_TIMEOUT || venus_fail(call, "the context is ending");
}

static bool device_wait_idle(struct venus_call *call, void *data)
{
    struct wire_args_vkDeviceWaitIdle *args = data;
    args->ret = VK_SUCCESS;
    for (struct venus_queue *queue = call->device->queues; queue && args->ret == VK_SUCCESS;
         queue = queue->next_of_device)
        args->ret = venus_queue_wait_idle(call->context, queue);
    return args->ret != VK_TIMEOUT || venus_fail(call, "the context is ending");
}

const struct venus_handler_entry venus_queue_handlers[] = {
    {WIRE_vkQueueSubmit, queue_submit},          {WIRE_vkQueueSubmit2, queue_submit2},
    {WIRE_vkQueueBindSparse, queue_bind_sparse}, {WIRE_vkQueueWaitIdle, queue_wait_idle},
    {WIRE_vkDeviceWaitIdle, device_wait_idle},   {0},
};
