#include "venus/waiter.h"

#include <sched.h>
#include <stdlib.h>

#include "base/patience.h"
#include "os/clock.h"
#include "os/thread.h"
#include "venus/ending.h"
#include "venus/loss.h"

#define BATCH 16
// Between two tries to get a fence, or to look at one, from a driver that is out of memory.
#define RETRY_NS 1000000
// A driver that refuses for so long in a row will not come round.
#define MAX_RETRIES 10000
// A guest that has not asked for so much longer than it lately did waits in another way: Mesa
// before 26.2 looks at memory that the GPU writes.
#define UNASKED 64

// A host fence. Belongs to: the submission under way, `last`, each request that waits for it, and
// whoever it is lent to.
struct host_fence {
    struct host_fence *next;
    VkFence handle;
    unsigned references;
    atomic_bool done;
};

struct request {
    struct request *next;
    uint64_t fence_id;
    struct host_fence *fence; // NULL: see `unfenced`
    bool unfenced; // there was no fence for what it waits for: the thread gets one in its turn
};

struct venus_queue_waiter {
    struct venus_context *context;
    struct venus_queue *queue;
    pthread_t thread;

    // Under the queue lock. The fences are as many as submissions were ever under way at once.
    struct host_fence *idle; // nobody's, may still be pending in the driver; oldest first
    struct host_fence **idle_tail;
    struct host_fence *submitting; // between begin and submitted
    struct host_fence *last;       // went with the newest submission of all
    struct host_fence *lent;
    bool unfenced;      // the newest submission has another fence, or none: `last` says nothing
    unsigned since;     // submissions since one that was asked about
    unsigned lately[2]; // how many there were before the last requests
    // For the thread alone, so that it always has one to wait with: a request without a fence comes
    // to its turn when those before it are done, and this is in nobody's use any more.
    struct host_fence *reserve;

    // Whether it pays to look at a fence again before sleeping, for the context's thread and for
    // the waiter's.
    struct patience adding, waiting;

    // Under `lock`.
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct request *first, **tail;
    struct request *spare;
    uint64_t busy_since_ns; // the time before that is counted; valid while there is a request
    atomic_bool stopping;
};

static VkResult fence_create(struct venus_device *device, struct host_fence **out)
{
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    struct host_fence *fence = calloc(1, sizeof(*fence));
    VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (fence)
        result = device->vk.CreateFence(venus_device_handle(device), &info, NULL, &fence->handle);
    if (result == VK_SUCCESS)
        *out = fence;
    else
        free(fence);
    return result;
}

static void fence_unref(struct venus_queue_waiter *waiter, struct host_fence *fence)
{
    if (!fence || --fence->references || fence == waiter->reserve)
        return;
    fence->next = NULL;
    *waiter->idle_tail = fence;
    waiter->idle_tail = &fence->next;
}

static VkResult fence_status(struct venus_device *device, struct host_fence *fence)
{
    return venus_device_result(
        device, "vkGetFenceStatus",
        device->vk.GetFenceStatus(venus_device_handle(device), fence->handle));
}

// Is it signalled? A lost device signals nothing more, and what waits for it must end.
static bool is_done(struct venus_queue_waiter *waiter, struct host_fence *fence)
{
    struct venus_device *device = waiter->queue->base.device;
    if (!fence || atomic_load(&fence->done) || venus_device_lost(device))
        return true;
    VkResult result = fence_status(device, fence);
    if (result == VK_SUCCESS)
        atomic_store(&fence->done, true);
    return result == VK_SUCCESS || result == VK_ERROR_DEVICE_LOST;
}

// Is it, or will it be before others had woken each other up for it? Its thread and the driver each
// sleep once, so twice the looks are worth it.
static bool comes_soon(struct venus_queue_waiter *waiter, struct patience *patience,
                       struct host_fence *fence)
{
    if (is_done(waiter, fence))
        return true;
    unsigned looks = 2 * patience_looks(patience);
    if (!looks)
        return false;
    bool done = false;
    while (!done && looks--) {
        for (unsigned i = 0; i < 20; i++)
            os_cpu_relax();
        sched_yield();
        done = is_done(waiter, fence);
    }
    patience_learn(patience, done);
    return done;
}

// Takes a fence that is not signalled: used before, or new. Errors: the driver has none to give.
// Where it can't make an old one usable again it is not asked for a new one: they would never end.
static VkResult fence_get(struct venus_queue_waiter *waiter, struct host_fence **out)
{
    struct venus_device *device = waiter->queue->base.device;
    struct host_fence *fence = waiter->idle;
    if (fence && (atomic_load(&fence->done) || fence_status(device, fence) == VK_SUCCESS)) {
        VkResult result = device->vk.ResetFences(venus_device_handle(device), 1, &fence->handle);
        if (result != VK_SUCCESS)
            return result;
        waiter->idle = fence->next;
        if (!waiter->idle)
            waiter->idle_tail = &waiter->idle;
    } else {
        VkResult result = fence_create(device, &fence);
        if (result != VK_SUCCESS)
            return result;
    }
    fence->references = 1;
    atomic_store(&fence->done, false);
    *out = fence;
    return VK_SUCCESS;
}

// Never submitted, so it would stay unsignalled for ever: say that it is done. Resetting it again
// does no harm. It is the next to be taken: the oldest may be pending for ever.
static void fence_unused(struct venus_queue_waiter *waiter, struct host_fence *fence)
{
    atomic_store(&fence->done, true);
    fence->next = waiter->idle;
    waiter->idle = fence;
    if (!fence->next)
        waiter->idle_tail = &fence->next;
}

// Is this one likely to be asked about? A fence costs a GPU some microseconds, and a submission of
// its own costs more; a guest that submits much before it waits needs only the last.
static bool is_expected(struct venus_queue_waiter *waiter)
{
    const unsigned least = waiter->lately[waiter->lately[0] > waiter->lately[1]];
    const unsigned most = waiter->lately[waiter->lately[0] <= waiter->lately[1]];
    waiter->since += waiter->since < UINT32_MAX / 2;
    return waiter->since >= least && waiter->since <= most + UNASKED;
}

VkFence venus_waiter_begin(struct venus_queue_waiter *waiter)
{
    waiter->submitting = NULL;
    return is_expected(waiter) && fence_get(waiter, &waiter->submitting) == VK_SUCCESS
               ? waiter->submitting->handle
               : VK_NULL_HANDLE;
}

void venus_waiter_submitted(struct venus_queue_waiter *waiter, bool success)
{
    struct host_fence *fence = waiter->submitting;
    waiter->submitting = NULL;
    if (success) {
        fence_unref(waiter, waiter->last);
        waiter->last = fence;
        waiter->unfenced = !fence;
    } else if (fence) {
        fence_unused(waiter, fence);
    }
}

VkResult venus_waiter_lend(struct venus_queue_waiter *waiter, VkFence *handle)
{
    struct host_fence *fence;
    pthread_mutex_lock(&waiter->queue->lock);
    VkResult result = fence_get(waiter, &fence);
    if (result == VK_SUCCESS) {
        fence->next = waiter->lent;
        waiter->lent = fence;
        *handle = fence->handle;
    }
    pthread_mutex_unlock(&waiter->queue->lock);
    return result;
}

void venus_waiter_take_back(struct venus_queue_waiter *waiter, VkFence handle, bool submitted)
{
    pthread_mutex_lock(&waiter->queue->lock);
    struct host_fence **link = &waiter->lent;
    while ((*link)->handle != handle)
        link = &(*link)->next;
    struct host_fence *fence = *link;
    *link = fence->next;
    if (submitted)
        fence_unref(waiter, fence);
    else
        fence_unused(waiter, fence);
    pthread_mutex_unlock(&waiter->queue->lock);
}

void venus_waiter_forget_last(struct venus_queue_waiter *waiter)
{
    fence_unref(waiter, waiter->last);
    waiter->last = NULL;
    waiter->unfenced = true;
}

// Lets `fence` follow everything that was submitted; it becomes `last`. NULL: it is none. Under the
// queue lock.
static VkResult submit_fence(struct venus_queue_waiter *waiter, struct host_fence *fence)
{
    struct venus_queue *queue = waiter->queue;
    VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (fence)
        result = queue->base.device->vk.QueueSubmit((VkQueue)(uintptr_t)queue->base.handle, 0, NULL,
                                                    fence->handle);
    if (fence || result == VK_SUCCESS) {
        waiter->submitting = fence;
        venus_waiter_submitted(waiter, result == VK_SUCCESS);
    }
    return venus_device_result(queue->base.device, "vkQueueSubmit", result);
}

static struct link_fence_retired retired(struct venus_queue_waiter *waiter,
                                         const struct request *request)
{
    struct venus_queue *queue = waiter->queue;
    bool done = request->fence ? atomic_load(&request->fence->done) : !request->unfenced;
    return (struct link_fence_retired){
        .fence_id = request->fence_id,
        .ring_idx = queue->ring_idx,
        .flags = !done || venus_device_lost(queue->base.device) ? LINK_FENCE_LOST : 0};
}

static void count_busy_locked(struct venus_queue_waiter *waiter)
{
    uint64_t now = os_now_ns();
    venus_ledger_count(&waiter->context->ledger, LINK_COUNT_BUSY_NS, now - waiter->busy_since_ns);
    waiter->busy_since_ns = now;
}

// Puts a request that was asked for at `now_ns` behind the others. False: memory.
static bool enqueue_locked(struct venus_queue_waiter *waiter, struct request wanted,
                           uint64_t now_ns)
{
    struct request *request = waiter->spare;
    if (request)
        waiter->spare = request->next;
    else if (!(request = malloc(sizeof(*request))))
        return false;
    if (!waiter->first)
        waiter->busy_since_ns = now_ns;
    *request = wanted;
    *waiter->tail = request;
    waiter->tail = &request->next;
    return true;
}

void venus_waiter_add(struct venus_queue_waiter *waiter, uint64_t fence_id)
{
    struct venus_queue *queue = waiter->queue;
    struct request request = {.fence_id = fence_id};
    pthread_mutex_lock(&queue->lock);
    if (waiter->since) {
        waiter->lately[0] = waiter->lately[1];
        waiter->lately[1] = waiter->since;
        waiter->since = 0;
    }
    if (waiter->unfenced && !venus_device_lost(queue->base.device)) {
        struct host_fence *fence = NULL;
        fence_get(waiter, &fence);
        request.unfenced = submit_fence(waiter, fence) != VK_SUCCESS;
    }
    if (!request.unfenced)
        request.fence = waiter->last;
    if (request.fence)
        request.fence->references++;
    pthread_mutex_unlock(&queue->lock);

    const uint64_t began = os_now_ns();
    bool done = !request.unfenced && comes_soon(waiter, &waiter->adding, request.fence);
    pthread_mutex_lock(&waiter->lock);
    bool at_once = done && !waiter->first; // no other request is before it
    bool queued = !at_once && enqueue_locked(waiter, request, began);
    if (at_once) { // the time of the look counts too
        waiter->busy_since_ns = began;
        count_busy_locked(waiter);
    }
    pthread_mutex_unlock(&waiter->lock);
    if (queued) {
        pthread_cond_signal(&waiter->wake);
        return;
    }
    pthread_mutex_lock(&queue->lock);
    fence_unref(waiter, request.fence);
    pthread_mutex_unlock(&queue->lock);
    struct link_fence_retired answer = retired(waiter, &request);
    if (at_once)
        venus_context_retire(waiter->context, &answer, 1);
    else
        venus_context_lose(waiter->context, "no memory to wait for a fence");
}

// Gets the fence that the first request still needs. The reserve is in nobody's use: whoever waited
// for it was before this request. False: try again later.
static bool get_fence(struct venus_queue_waiter *waiter, struct request *request)
{
    struct venus_queue *queue = waiter->queue;
    struct venus_device *device = queue->base.device;
    pthread_mutex_lock(&queue->lock);
    bool ok = !waiter->unfenced;
    if (!ok) {
        struct host_fence *fence = waiter->reserve;
        if (device->vk.ResetFences(venus_device_handle(device), 1, &fence->handle) == VK_SUCCESS) {
            atomic_store(&fence->done, false);
            fence->references = 1;
            ok = submit_fence(waiter, fence) == VK_SUCCESS;
        }
    }
    if (ok) {
        request->fence = waiter->last;
        request->unfenced = false;
        if (request->fence)
            request->fence->references++;
    }
    pthread_mutex_unlock(&queue->lock);
    return ok;
}

static bool must_end(struct venus_queue_waiter *waiter)
{
    return venus_context_stopping(waiter->context) || atomic_load(&waiter->stopping) ||
           venus_device_lost(waiter->queue->base.device);
}

// Waits for a slice of time. False: the driver refuses.
static bool wait_a_while(struct venus_queue_waiter *waiter, struct request *request)
{
    struct venus_device *device = waiter->queue->base.device;
    if (request->unfenced)
        return get_fence(waiter, request);
    VkResult result = venus_device_result(device, "vkWaitForFences",
                                          device->vk.WaitForFences(venus_device_handle(device), 1,
                                                                   &request->fence->handle, VK_TRUE,
                                                                   VENUS_WAIT_SLICE_NS));
    if (result == VK_SUCCESS)
        atomic_store(&request->fence->done, true);
    return result == VK_SUCCESS || result == VK_TIMEOUT;
}

static void wait_for(struct venus_queue_waiter *waiter, struct request *request)
{
    unsigned refusals = 0;
    if (!request->unfenced && comes_soon(waiter, &waiter->waiting, request->fence))
        return;
    while (!must_end(waiter) && (request->unfenced || !is_done(waiter, request->fence))) {
        if (wait_a_while(waiter, request)) {
            refusals = 0;
        } else if (++refusals < MAX_RETRIES) {
            os_sleep_ns(RETRY_NS);
        } else {
            venus_device_lose(waiter->queue->base.device, "waiting for a submission",
                              VK_ERROR_OUT_OF_HOST_MEMORY);
        }
    }
}

// May the first request be retired? Others than the one that was waited for, too.
static bool first_is_done(struct venus_queue_waiter *waiter)
{
    return must_end(waiter) || (!waiter->first->unfenced && is_done(waiter, waiter->first->fence));
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
        wait_for(waiter, head);
        pthread_mutex_lock(&waiter->lock);

        struct link_fence_retired answers[BATCH];
        struct host_fence *fences[BATCH];
        uint32_t count = 0;
        while (waiter->first && count < BATCH && first_is_done(waiter)) {
            struct request *request = waiter->first;
            answers[count] = retired(waiter, request);
            fences[count++] = request->fence;
            waiter->first = request->next;
            if (!waiter->first)
                waiter->tail = &waiter->first;
            request->next = waiter->spare;
            waiter->spare = request;
        }
        count_busy_locked(waiter);
        pthread_mutex_unlock(&waiter->lock);
        if (count)
            venus_context_retire(waiter->context, answers, count);
        pthread_mutex_lock(&waiter->queue->lock);
        for (uint32_t i = 0; i < count; i++)
            fence_unref(waiter, fences[i]);
        pthread_mutex_unlock(&waiter->queue->lock);
        pthread_mutex_lock(&waiter->lock);
    }
    pthread_mutex_unlock(&waiter->lock);
    return NULL;
}

VkResult venus_waiter_create(struct venus_queue *queue, struct venus_queue_waiter **out)
{
    struct venus_device *device = queue->base.device;
    struct venus_queue_waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    waiter->context = device->context;
    waiter->queue = queue;
    waiter->tail = &waiter->first;
    waiter->idle_tail = &waiter->idle;
    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->wake, NULL);
    VkResult result = fence_create(device, &waiter->reserve);
    if (result == VK_SUCCESS && os_thread_create(&waiter->thread, waiter_main, waiter)) {
        device->vk.DestroyFence(venus_device_handle(device), waiter->reserve->handle, NULL);
        free(waiter->reserve);
        result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    if (result == VK_SUCCESS) {
        *out = waiter;
        return VK_SUCCESS;
    }
    pthread_mutex_destroy(&waiter->lock);
    pthread_cond_destroy(&waiter->wake);
    free(waiter);
    return result;
}

static void fence_destroy(struct venus_device *device, struct host_fence *fence)
{
    device->vk.DestroyFence(venus_device_handle(device), fence->handle, NULL);
    free(fence);
}

void venus_waiter_destroy(struct venus_queue_waiter *waiter)
{
    if (!waiter)
        return;
    pthread_mutex_lock(&waiter->lock);
    atomic_store(&waiter->stopping, true);
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
    pthread_join(waiter->thread, NULL);

    struct venus_device *device = waiter->queue->base.device;
    fence_unref(waiter, waiter->last);
    for (struct host_fence *fence = waiter->idle; fence;) {
        struct host_fence *next = fence->next;
        fence_destroy(device, fence);
        fence = next;
    }
    fence_destroy(device, waiter->reserve);
    while (waiter->spare) {
        struct request *next = waiter->spare->next;
        free(waiter->spare);
        waiter->spare = next;
    }
    pthread_mutex_destroy(&waiter->lock);
    pthread_cond_destroy(&waiter->wake);
    free(waiter);
}
