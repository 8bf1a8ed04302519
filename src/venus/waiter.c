#include "venus/waiter.h"

#include <stdlib.h>

#include "os/thread.h"

// More than this many submissions without their fences coming back: do without until they do.
#define MAX_FENCES 256
#define BATCH 16

// A host fence. Belongs to: the submission under way, `last`, and each request that waits for it.
struct host_fence {
    struct host_fence *next;
    VkFence handle;
    unsigned references;
    atomic_bool done;
};

struct request {
    struct request *next;
    uint64_t fence_id;
    struct host_fence *fence; // NULL: nothing to wait for
};

struct venus_queue_waiter {
    struct venus_context *context;
    struct venus_queue *queue;
    pthread_t thread;

    // Under the queue lock.
    struct host_fence *idle; // nobody's, may still be pending in the driver; oldest first
    struct host_fence **idle_tail;
    unsigned fence_count;
    struct host_fence *submitting; // between begin and submitted
    struct host_fence *last;       // went with the newest submission of all
    bool unfenced;                 // the newest submission has another fence: `last` says nothing

    // Under `lock`.
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct request *first, **tail;
    struct request *spare;
    atomic_bool stopping;
};

static void fence_unref(struct venus_queue_waiter *waiter, struct host_fence *fence)
{
    if (fence && --fence->references == 0) {
        fence->next = NULL;
        *waiter->idle_tail = fence;
        waiter->idle_tail = &fence->next;
    }
}

static struct host_fence *fence_get(struct venus_queue_waiter *waiter)
{
    struct venus_device *device = waiter->queue->base.device;
    struct host_fence *fence = waiter->idle;
    if (fence &&
        (atomic_load(&fence->done) ||
         device->vk.GetFenceStatus(venus_device_handle(device), fence->handle) == VK_SUCCESS) &&
        device->vk.ResetFences(venus_device_handle(device), 1, &fence->handle) == VK_SUCCESS) {
        waiter->idle = fence->next;
        if (!waiter->idle)
            waiter->idle_tail = &waiter->idle;
    } else {
        if (waiter->fence_count >= MAX_FENCES || !(fence = calloc(1, sizeof(*fence))))
            return NULL;
        const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
        if (device->vk.CreateFence(venus_device_handle(device), &info, NULL, &fence->handle) !=
            VK_SUCCESS) {
            free(fence);
            return NULL;
        }
        waiter->fence_count++;
    }
    fence->references = 1;
    atomic_store(&fence->done, false);
    return fence;
}

VkFence venus_waiter_begin(struct venus_queue_waiter *waiter)
{
    if (!waiter)
        return VK_NULL_HANDLE;
    waiter->submitting = fence_get(waiter);
    return waiter->submitting ? waiter->submitting->handle : VK_NULL_HANDLE;
}

void venus_waiter_submitted(struct venus_queue_waiter *waiter, bool success)
{
    if (!waiter)
        return;
    struct host_fence *fence = waiter->submitting;
    waiter->submitting = NULL;
    if (success) {
        fence_unref(waiter, waiter->last);
        waiter->last = fence;
        waiter->unfenced = !fence;
    } else if (fence) {
        // Never submitted, so it would stay unsignalled for ever: say that it is done. Resetting it
        // again does no harm.
        atomic_store(&fence->done, true);
        fence_unref(waiter, fence);
    }
}

void venus_waiter_forget_last(struct venus_queue_waiter *waiter)
{
    if (!waiter)
        return;
    fence_unref(waiter, waiter->last);
    waiter->last = NULL;
    waiter->unfenced = true;
}

static bool is_done(struct venus_queue_waiter *waiter, struct host_fence *fence)
{
    if (!fence || atomic_load(&fence->done))
        return true;
    struct venus_device *device = waiter->queue->base.device;
    if (device->vk.GetFenceStatus(venus_device_handle(device), fence->handle) == VK_NOT_READY)
        return false;
    atomic_store(&fence->done, true); // signalled, or the device is lost: nothing more will come
    return true;
}

void venus_waiter_add(struct venus_queue_waiter *waiter, uint64_t fence_id)
{
    struct venus_queue *queue = waiter->queue;
    pthread_mutex_lock(&queue->lock);
    if (waiter->unfenced) {
        VkFence handle = venus_waiter_begin(waiter);
        VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
        if (handle)
            result = queue->base.device->vk.QueueSubmit((VkQueue)(uintptr_t)queue->base.handle, 0,
                                                        NULL, handle);
        venus_waiter_submitted(waiter, result == VK_SUCCESS);
    }
    struct host_fence *fence = waiter->last;
    if (fence)
        fence->references++;
    pthread_mutex_unlock(&queue->lock);

    bool done = is_done(waiter, fence), retired = false;
    pthread_mutex_lock(&waiter->lock);
    struct request *request = NULL;
    if (done && !waiter->first) {
        retired = true; // nobody is before it
    } else {
        request = waiter->spare;
        if (request)
            waiter->spare = request->next;
        else
            request = malloc(sizeof(*request));
        if (request) {
            *request = (struct request){.fence_id = fence_id, .fence = fence};
            *waiter->tail = request;
            waiter->tail = &request->next;
            pthread_cond_signal(&waiter->wake);
        } else {
            retired = true; // out of memory: too early is better than never
        }
    }
    pthread_mutex_unlock(&waiter->lock);
    if (!request) {
        pthread_mutex_lock(&queue->lock);
        fence_unref(waiter, fence);
        pthread_mutex_unlock(&queue->lock);
    }
    if (retired)
        venus_context_retire(
            waiter->context,
            &(struct link_fence_retired){.fence_id = fence_id, .ring_idx = queue->ring_idx}, 1);
}

static void wait_for(struct venus_queue_waiter *waiter, struct host_fence *fence)
{
    struct venus_device *device = waiter->queue->base.device;
    while (!is_done(waiter, fence) && !venus_context_stopping(waiter->context) && !waiter->stopping)
        device->vk.WaitForFences(venus_device_handle(device), 1, &fence->handle, VK_TRUE,
                                 VENUS_WAIT_SLICE_NS);
}

static void *waiter_main(void *data)
{
    struct venus_queue_waiter *waiter = data;
    os_thread_set_name("venus-fences");
    pthread_mutex_lock(&waiter->lock);
    for (;;) {
        while (!waiter->first && !waiter->stopping)
            pthread_cond_wait(&waiter->wake, &waiter->lock);
        if (!waiter->first)
            break;
        // The list's head stays where it is while we wait: requests only come in behind it.
        struct request *head = waiter->first;
        pthread_mutex_unlock(&waiter->lock);
        wait_for(waiter, head->fence);
        pthread_mutex_lock(&waiter->lock);

        struct link_fence_retired retired[BATCH];
        struct host_fence *fences[BATCH];
        uint32_t count = 0;
        while (waiter->first && count < BATCH &&
               (count == 0 || waiter->stopping || is_done(waiter, waiter->first->fence))) {
            struct request *request = waiter->first;
            retired[count] = (struct link_fence_retired){.fence_id = request->fence_id,
                                                         .ring_idx = waiter->queue->ring_idx};
            fences[count++] = request->fence;
            waiter->first = request->next;
            if (!waiter->first)
                waiter->tail = &waiter->first;
            request->next = waiter->spare;
            waiter->spare = request;
        }
        pthread_mutex_unlock(&waiter->lock);
        venus_context_retire(waiter->context, retired, count);
        pthread_mutex_lock(&waiter->queue->lock);
        for (uint32_t i = 0; i < count; i++)
            fence_unref(waiter, fences[i]);
        pthread_mutex_unlock(&waiter->queue->lock);
        pthread_mutex_lock(&waiter->lock);
    }
    pthread_mutex_unlock(&waiter->lock);
    return NULL;
}

struct venus_queue_waiter *venus_waiter_create(struct venus_context *context,
                                               struct venus_queue *queue)
{
    struct venus_queue_waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return NULL;
    waiter->context = context;
    waiter->queue = queue;
    waiter->tail = &waiter->first;
    waiter->idle_tail = &waiter->idle;
    waiter->unfenced = false; // nothing was submitted before the queue was bound
    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->wake, NULL);
    if (!os_thread_create(&waiter->thread, waiter_main, waiter))
        return waiter;
    pthread_mutex_destroy(&waiter->lock);
    pthread_cond_destroy(&waiter->wake);
    free(waiter);
    return NULL;
}

void venus_waiter_destroy(struct venus_queue_waiter *waiter)
{
    if (!waiter)
        return;
    pthread_mutex_lock(&waiter->lock);
    waiter->stopping = true;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
    pthread_join(waiter->thread, NULL);

    struct venus_device *device = waiter->queue->base.device;
    fence_unref(waiter, waiter->last);
    for (struct host_fence *fence = waiter->idle; fence;) {
        struct host_fence *next = fence->next;
        device->vk.DestroyFence(venus_device_handle(device), fence->handle, NULL);
        free(fence);
        fence = next;
    }
    while (waiter->spare) {
        struct request *next = waiter->spare->next;
        free(waiter->spare);
        waiter->spare = next;
    }
    pthread_mutex_destroy(&waiter->lock);
    pthread_cond_destroy(&waiter->wake);
    free(waiter);
}
