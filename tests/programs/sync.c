// sync: fences, binary and timeline semaphores, events, queries, and submissions in batches.
// Prints one line per rule that held. A buffer that each step appends to shows the order on the
// GPU. "sync turns": a timeline semaphore that GPU and host signal by turns.
#include "app.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SECOND 1000000000ull

enum { STEPS = 64 };

struct sync {
    struct app app;
    struct buffer log; // STEPS words
};

static VkCommandBuffer begin(struct sync *s)
{
    return commands_begin(&s->app);
}

// A command buffer that moves word 0 to word `slot` and then sets word 0 to `value`.
static VkCommandBuffer step(struct sync *s, uint32_t slot, uint32_t value)
{
    VkCommandBuffer cmd = begin(s);
    transfer_barrier(cmd);
    vk.CmdCopyBuffer(cmd, s->log.buffer, s->log.buffer, 1, &(VkBufferCopy){0, 4 * slot, 4});
    transfer_barrier(cmd);
    vk.CmdFillBuffer(cmd, s->log.buffer, 0, 4, value);
    transfer_barrier(cmd);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    return cmd;
}

static VkFence fence_create(struct sync *s, VkFenceCreateFlags flags)
{
    VkFence fence;
    VK_CHECK(vk.CreateFence(s->app.device,
                            &(VkFenceCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                                .flags = flags,
                            },
                            NULL, &fence));
    return fence;
}

static VkSemaphore semaphore_create(struct sync *s, VkSemaphoreType type, uint64_t value)
{
    VkSemaphore semaphore;
    VK_CHECK(vk.CreateSemaphore(s->app.device,
                                &(VkSemaphoreCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                    .pNext =
                                        &(VkSemaphoreTypeCreateInfo){
                                            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = type,
                                            .initialValue = value,
                                        },
                                },
                                NULL, &semaphore));
    return semaphore;
}

static VkResult wait_value(struct sync *s, VkSemaphore semaphore, uint64_t value, uint64_t timeout)
{
    return vk.WaitSemaphores(s->app.device,
                             &(VkSemaphoreWaitInfo){
                                 .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                 .semaphoreCount = 1,
                                 .pSemaphores = &semaphore,
                                 .pValues = &value,
                             },
                             timeout);
}

static void signal_value(struct sync *s, VkSemaphore semaphore, uint64_t value)
{
    VK_CHECK(vk.SignalSemaphore(s->app.device, &(VkSemaphoreSignalInfo){
                                                   .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                                   .semaphore = semaphore,
                                                   .value = value,
                                               }));
}

static uint64_t value_of(struct sync *s, VkSemaphore semaphore)
{
    uint64_t value;
    VK_CHECK(vk.GetSemaphoreCounterValue(s->app.device, semaphore, &value));
    return value;
}

static void fences(struct sync *s)
{
    VkDevice d = s->app.device;
    VkFence f = fence_create(s, 0), g = fence_create(s, VK_FENCE_CREATE_SIGNALED_BIT);
    app_expect(vk.GetFenceStatus(d, f) == VK_NOT_READY, "a new fence to be unsignaled");
    app_expect(vk.GetFenceStatus(d, g) == VK_SUCCESS, "a fence that is created signaled");
    app_expect(vk.WaitForFences(d, 1, &f, VK_TRUE, 0) == VK_TIMEOUT, "timeout 0");
    app_expect(vk.WaitForFences(d, 1, &f, VK_TRUE, SECOND / 100) == VK_TIMEOUT, "timeout 10 ms");
    app_expect(vk.WaitForFences(d, 2, (VkFence[]){f, g}, VK_FALSE, SECOND) == VK_SUCCESS,
               "wait for any");
    app_expect(vk.WaitForFences(d, 2, (VkFence[]){f, g}, VK_TRUE, 1000) == VK_TIMEOUT,
               "wait for all");
    VK_CHECK(vk.ResetFences(d, 1, &g));
    app_expect(vk.GetFenceStatus(d, g) == VK_NOT_READY, "reset");
    for (int i = 0; i < 50; i++) { // empty submissions, the fence used again and again
        VK_CHECK(vk.QueueSubmit(s->app.queue, 0, NULL, f));
        app_expect(vk.WaitForFences(d, 1, &f, VK_TRUE, 10 * SECOND) == VK_SUCCESS, "empty submit");
        app_expect(vk.GetFenceStatus(d, f) == VK_SUCCESS, "status after wait");
        VK_CHECK(vk.ResetFences(d, 1, &f));
    }
    vk.DestroyFence(d, f, NULL);
    vk.DestroyFence(d, g, NULL);
    puts("fences");
}

// Three submissions in one call, ordered by binary semaphores; one fence for all.
static void batches(struct sync *s)
{
    memset(s->log.map, 0, 4 * STEPS);
    VkSemaphore sem[2];
    VkCommandBuffer cmd[4];
    VkFence f = fence_create(s, 0);
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_TRANSFER_BIT;
    for (int i = 0; i < 2; i++)
        sem[i] = semaphore_create(s, VK_SEMAPHORE_TYPE_BINARY, 0);
    for (uint32_t i = 0; i < 4; i++)
        cmd[i] = step(s, 1 + i, 100 + i);
    const VkSubmitInfo submits[] = {
        {
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .commandBufferCount = 1,
            .pCommandBuffers = &cmd[0],
            .signalSemaphoreCount = 1,
            .pSignalSemaphores = &sem[0],
        },
        {
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .waitSemaphoreCount = 1,
            .pWaitSemaphores = &sem[0],
            .pWaitDstStageMask = &stage,
            .commandBufferCount = 2,
            .pCommandBuffers = &cmd[1],
            .signalSemaphoreCount = 1,
            .pSignalSemaphores = &sem[1],
        },
        {
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .waitSemaphoreCount = 1,
            .pWaitSemaphores = &sem[1],
            .pWaitDstStageMask = &stage,
            .commandBufferCount = 1,
            .pCommandBuffers = &cmd[3],
        },
    };
    VK_CHECK(vk.QueueSubmit(s->app.queue, 3, submits, f));
    app_expect(vk.WaitForFences(s->app.device, 1, &f, VK_TRUE, 10 * SECOND) == VK_SUCCESS,
               "the batch to end");
    const uint32_t *log = s->log.map;
    for (uint32_t i = 1; i < 4; i++)
        app_expect(log[1 + i] == 99 + i, "the order that the semaphores give");
    vk.FreeCommandBuffers(s->app.device, s->app.pool, 4, cmd);
    for (int i = 0; i < 2; i++)
        vk.DestroySemaphore(s->app.device, sem[i], NULL);
    vk.DestroyFence(s->app.device, f, NULL);
    puts("batches");
}

static void submit_timeline(struct sync *s, VkCommandBuffer cmd, VkSemaphore wait,
                            uint64_t wait_for, VkSemaphore signal, uint64_t value)
{
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    VK_CHECK(vk.QueueSubmit(s->app.queue, 1,
                            &(VkSubmitInfo){
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .pNext =
                                    &(VkTimelineSemaphoreSubmitInfo){
                                        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                        .waitSemaphoreValueCount = wait ? 1 : 0,
                                        .pWaitSemaphoreValues = &wait_for,
                                        .signalSemaphoreValueCount = 1,
                                        .pSignalSemaphoreValues = &value,
                                    },
                                .waitSemaphoreCount = wait ? 1 : 0,
                                .pWaitSemaphores = &wait,
                                .pWaitDstStageMask = &stage,
                                .commandBufferCount = cmd ? 1 : 0,
                                .pCommandBuffers = &cmd,
                                .signalSemaphoreCount = 1,
                                .pSignalSemaphores = &signal,
                            },
                            VK_NULL_HANDLE));
}

struct waiter {
    struct sync *sync;
    VkSemaphore semaphore;
    VkResult result;
};

static void *wait_in_thread(void *arg)
{
    struct waiter *w = arg;
    w->result = wait_value(w->sync, w->semaphore, 77, 20 * SECOND);
    return NULL;
}

static void timelines(struct sync *s)
{
    memset(s->log.map, 0, 4 * STEPS);
    VkSemaphore host = semaphore_create(s, VK_SEMAPHORE_TYPE_TIMELINE, 5);
    VkSemaphore gpu = semaphore_create(s, VK_SEMAPHORE_TYPE_TIMELINE, 0);
    VkCommandBuffer cmd[10];
    app_expect(value_of(s, host) == 5, "the initial value");
    signal_value(s, host, 9);
    app_expect(value_of(s, host) == 9, "a signal from the host");
    app_expect(wait_value(s, host, 9, 0) == VK_SUCCESS, "a wait for what is reached");
    app_expect(wait_value(s, host, 10, SECOND / 100) == VK_TIMEOUT, "timeout 10 ms");

    for (uint32_t i = 0; i < 10; i++) {
        cmd[i] = step(s, 1 + i, 200 + i);
        submit_timeline(s, cmd[i], i ? gpu : VK_NULL_HANDLE, i, gpu, i + 1);
    }
    app_expect(wait_value(s, gpu, 10, 10 * SECOND) == VK_SUCCESS, "ten submissions");
    app_expect(value_of(s, gpu) == 10, "the value after ten submissions");
    for (uint32_t i = 1; i < 10; i++)
        app_expect(((uint32_t *)s->log.map)[1 + i] == 199 + i, "the order of ten submissions");
    vk.FreeCommandBuffers(s->app.device, s->app.pool, 10, cmd);

    // Submitted before what it waits for is signaled, by the host.
    cmd[0] = step(s, 20, 300);
    submit_timeline(s, cmd[0], host, 20, gpu, 11);
    app_expect(wait_value(s, gpu, 11, SECOND / 20) == VK_TIMEOUT, "wait before signal");
    signal_value(s, host, 20);
    app_expect(wait_value(s, gpu, 11, 10 * SECOND) == VK_SUCCESS, "the host's late signal");
    VK_CHECK(vk.QueueWaitIdle(s->app.queue));
    vk.FreeCommandBuffers(s->app.device, s->app.pool, 1, cmd);

    // A thread waits while another signals.
    struct waiter w = {s, host, VK_NOT_READY};
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_in_thread, &w))
        app_fail("cannot start a thread");
    signal_value(s, host, 50);
    signal_value(s, host, 77);
    pthread_join(thread, NULL);
    app_expect(w.result == VK_SUCCESS, "a thread's wait to see another's signal");

    // Wait for any of two.
    const uint64_t values[] = {1000, 11};
    app_expect(vk.WaitSemaphores(s->app.device,
                                 &(VkSemaphoreWaitInfo){
                                     .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                     .flags = VK_SEMAPHORE_WAIT_ANY_BIT,
                                     .semaphoreCount = 2,
                                     .pSemaphores = (VkSemaphore[]){host, gpu},
                                     .pValues = values,
                                 },
                                 SECOND) == VK_SUCCESS,
               "wait for any timeline");
    vk.DestroySemaphore(s->app.device, host, NULL);
    vk.DestroySemaphore(s->app.device, gpu, NULL);
    puts("timelines");
}

enum { TURNS = 300 };

struct turns {
    struct sync *s;
    VkSemaphore semaphore;
};

// Signals every odd value, as soon as the even one before it is there.
static void *take_turns(void *arg)
{
    struct turns *t = arg;
    for (uint64_t i = 0; i < TURNS; i++) {
        app_expect(wait_value(t->s, t->semaphore, 2 * i, 10 * SECOND) == VK_SUCCESS,
                   "the GPU's turn");
        signal_value(t->s, t->semaphore, 2 * i + 1);
    }
    return NULL;
}

// GPU and host count one semaphore up by turns. The host begins when all is submitted, or while it
// is.
static void turns(struct sync *s)
{
    for (int late = 0; late < 2; late++) {
        struct turns t = {s, semaphore_create(s, VK_SEMAPHORE_TYPE_TIMELINE, 0)};
        pthread_t thread;
        if (!late && pthread_create(&thread, NULL, take_turns, &t))
            app_fail("cannot start a thread");
        for (uint64_t i = 0; i < TURNS; i++)
            submit_timeline(s, VK_NULL_HANDLE, t.semaphore, 2 * i + 1, t.semaphore, 2 * i + 2);
        if (late && pthread_create(&thread, NULL, take_turns, &t))
            app_fail("cannot start a thread");
        pthread_join(thread, NULL);
        VK_CHECK(vk.QueueWaitIdle(s->app.queue));
        app_expect(value_of(s, t.semaphore) == 2 * TURNS, "all turns to be taken");
        vk.DestroySemaphore(s->app.device, t.semaphore, NULL);
    }
    puts("turns");
}

static void events(struct sync *s)
{
    VkDevice d = s->app.device;
    VkEvent e;
    VK_CHECK(vk.CreateEvent(d, &(VkEventCreateInfo){.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO},
                            NULL, &e));
    app_expect(vk.GetEventStatus(d, e) == VK_EVENT_RESET, "a new event to be reset");
    VK_CHECK(vk.SetEvent(d, e));
    app_expect(vk.GetEventStatus(d, e) == VK_EVENT_SET, "the host to set an event");
    VK_CHECK(vk.ResetEvent(d, e));
    VkCommandBuffer cmd = begin(s);
    vk.CmdFillBuffer(cmd, s->log.buffer, 0, 4, 41);
    vk.CmdSetEvent(cmd, e, VK_PIPELINE_STAGE_TRANSFER_BIT);
    vk.CmdWaitEvents(cmd, 1, &e, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 1,
                     &(VkMemoryBarrier){
                         .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                         .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                         .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
                     },
                     0, NULL, 0, NULL);
    vk.CmdCopyBuffer(cmd, s->log.buffer, s->log.buffer, 1, &(VkBufferCopy){0, 4, 4});
    transfer_barrier(cmd);
    commands_run(&s->app, cmd);
    app_expect(vk.GetEventStatus(d, e) == VK_EVENT_SET, "the GPU to set an event");
    app_expect(((uint32_t *)s->log.map)[1] == 41, "what follows the event to see what precedes it");
    cmd = begin(s);
    vk.CmdResetEvent(cmd, e, VK_PIPELINE_STAGE_TRANSFER_BIT);
    commands_run(&s->app, cmd);
    app_expect(vk.GetEventStatus(d, e) == VK_EVENT_RESET, "the GPU to reset an event");
    vk.DestroyEvent(d, e, NULL);
    puts("events");
}

static void queries(struct sync *s)
{
    VkDevice d = s->app.device;
    VkQueryPool pool;
    uint64_t t[8] = {0};
    VK_CHECK(vk.CreateQueryPool(d,
                                &(VkQueryPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                    .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                    .queryCount = 4,
                                },
                                NULL, &pool));
    vk.ResetQueryPool(d, pool, 0, 4);
    app_expect(vk.GetQueryPoolResults(d, pool, 0, 1, sizeof(t), t, 16,
                                      VK_QUERY_RESULT_64_BIT |
                                          VK_QUERY_RESULT_WITH_AVAILABILITY_BIT) == VK_NOT_READY &&
                   t[1] == 0,
               "a reset query to be unavailable");
    VkCommandBuffer cmd = begin(s);
    vk.CmdResetQueryPool(cmd, pool, 0, 4);
    for (uint32_t i = 0; i < 3; i++) {
        vk.CmdWriteTimestamp(cmd, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, i);
        vk.CmdFillBuffer(cmd, s->log.buffer, 0, 4 * STEPS, i);
        transfer_barrier(cmd);
    }
    vk.CmdCopyQueryPoolResults(cmd, pool, 0, 3, s->log.buffer, 0, 8,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    transfer_barrier(cmd);
    commands_run(&s->app, cmd);
    VK_CHECK(vk.GetQueryPoolResults(d, pool, 0, 3, 24, t, 8,
                                    VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    app_expect(t[0] && t[0] <= t[1] && t[1] <= t[2], "timestamps to grow");
    app_expect(memcmp(s->log.map, t, 24) == 0, "copied query results to equal those read");
    VK_CHECK(vk.GetQueryPoolResults(
        d, pool, 0, 4, 64, t, 16, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT));
    app_expect(t[1] && t[3] && t[5] && !t[7], "availability of each query");
    vk.DestroyQueryPool(d, pool, NULL);
    puts("queries");
}

// A command buffer recorded once and submitted many times, without a wait between.
static void many(struct sync *s)
{
    enum { TIMES = 200 };
    VkFence f = fence_create(s, 0);
    VkCommandBuffer cmd = begin(s);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    VK_CHECK(vk.BeginCommandBuffer(cmd, &(VkCommandBufferBeginInfo){
                                            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT,
                                        }));
    memset(s->log.map, 0, 4 * STEPS);
    ((uint32_t *)s->log.map)[STEPS - 1] = 7;
    transfer_barrier(cmd);
    for (VkDeviceSize i = 0; i < STEPS - 1; i++) { // moves every word down by one
        vk.CmdCopyBuffer(cmd, s->log.buffer, s->log.buffer, 1,
                         &(VkBufferCopy){4 * (i + 1), 4 * i, 4});
        transfer_barrier(cmd);
    }
    VK_CHECK(vk.EndCommandBuffer(cmd));
    for (int i = 0; i < TIMES; i++)
        VK_CHECK(vk.QueueSubmit(s->app.queue, 1,
                                &(VkSubmitInfo){
                                    .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                    .commandBufferCount = 1,
                                    .pCommandBuffers = &cmd,
                                },
                                i == TIMES - 1 ? f : VK_NULL_HANDLE));
    app_expect(vk.WaitForFences(s->app.device, 1, &f, VK_TRUE, 30 * SECOND) == VK_SUCCESS,
               "many submissions to end");
    VK_CHECK(vk.QueueWaitIdle(s->app.queue));
    VK_CHECK(vk.DeviceWaitIdle(s->app.device));
    app_expect(((uint32_t *)s->log.map)[0] == 7, "the word to arrive");
    vk.FreeCommandBuffers(s->app.device, s->app.pool, 1, &cmd);
    vk.DestroyFence(s->app.device, f, NULL);
    printf("many %d\n", TIMES);
}

int main(int argc, char **argv)
{
    bool by_turns = argc > 1 && !strcmp(argv[1], "turns");
    struct sync s;
    VkPhysicalDeviceVulkan12Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .timelineSemaphore = VK_TRUE,
        .hostQueryReset = VK_TRUE,
    };
    app_init(&s.app, &(struct app_wants){.api_version = VK_API_VERSION_1_2, .features = &features});
    s.log = buffer_create(&s.app, 4 * STEPS,
                          VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                          VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    if (by_turns) {
        turns(&s);
    } else {
        fences(&s);
        batches(&s);
        timelines(&s);
        events(&s);
        queries(&s);
        many(&s);
    }
    buffer_destroy(&s.app, &s.log);
    app_finish(&s.app);
    return 0;
}
