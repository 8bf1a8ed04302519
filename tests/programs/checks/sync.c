// Fences, semaphores, events, queries, submissions, command buffers.
#include <stdio.h>

#include "checks.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))
#define SECOND 1000000000ull
#define STAGES VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT

static void expect_result(VkResult got, VkResult want, const char *what)
{
    if (got != want)
        fail("%s: VkResult %d, expected %d", what, (int)got, (int)want);
}

static VkSemaphore make_semaphore(bool timeline, uint64_t value)
{
    const VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = timeline ? VK_SEMAPHORE_TYPE_TIMELINE
                                                                      : VK_SEMAPHORE_TYPE_BINARY,
                                            .initialValue = value};
    VkSemaphore semaphore;
    TRY(vk.CreateSemaphore(
        gpu.device,
        &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type},
        NULL, &semaphore));
    return keep_Semaphore(semaphore);
}

static uint64_t value_of(VkSemaphore semaphore)
{
    uint64_t value = 0;
    TRY(vk.GetSemaphoreCounterValue(gpu.device, semaphore, &value));
    return value;
}

static VkResult wait_for(uint32_t count, const VkSemaphore *semaphores, const uint64_t *values,
                         VkSemaphoreWaitFlags flags, uint64_t timeout)
{
    return vk.WaitSemaphores(gpu.device,
                             &(VkSemaphoreWaitInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                                    .flags = flags,
                                                    .semaphoreCount = count,
                                                    .pSemaphores = semaphores,
                                                    .pValues = values},
                             timeout);
}

static void host_signal(VkSemaphore semaphore, uint64_t value)
{
    TRY(vk.SignalSemaphore(
        gpu.device, &(VkSemaphoreSignalInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                             .semaphore = semaphore,
                                             .value = value}));
}

// One submission that waits for a semaphore, runs commands, and signals another one.
static void submit(VkCommandBuffer cmd, VkSemaphore wait, uint64_t wait_value, VkSemaphore signal,
                   uint64_t signal_value, VkFence fence)
{
    const VkSemaphoreSubmitInfo w = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                     .semaphore = wait,
                                     .value = wait_value,
                                     .stageMask = STAGES},
                                s = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                     .semaphore = signal,
                                     .value = signal_value,
                                     .stageMask = STAGES};
    const VkCommandBufferSubmitInfo c = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                         .commandBuffer = cmd};
    TRY(vk.QueueSubmit2(gpu.queue, 1,
                        &(VkSubmitInfo2){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                         .waitSemaphoreInfoCount = wait != VK_NULL_HANDLE,
                                         .pWaitSemaphoreInfos = &w,
                                         .commandBufferInfoCount = cmd != NULL,
                                         .pCommandBufferInfos = &c,
                                         .signalSemaphoreInfoCount = signal != VK_NULL_HANDLE,
                                         .pSignalSemaphoreInfos = &s},
                        fence));
}

// ---- fences ---------------------------------------------------------------

static void born_signalled(const void *argument)
{
    VkFence fence = make_fence(VK_FENCE_CREATE_SIGNALED_BIT);
    expect_result(vk.GetFenceStatus(gpu.device, fence), VK_SUCCESS, "status");
    expect_result(vk.WaitForFences(gpu.device, 1, &fence, VK_TRUE, 0), VK_SUCCESS, "wait");
    TRY(vk.ResetFences(gpu.device, 1, &fence));
    expect_result(vk.GetFenceStatus(gpu.device, fence), VK_NOT_READY, "status after the reset");
}

static void not_signalled(const void *argument)
{
    VkFence fence = make_fence(0);
    expect_result(vk.WaitForFences(gpu.device, 1, &fence, VK_TRUE, 0), VK_TIMEOUT, "no time");
    expect_result(vk.WaitForFences(gpu.device, 1, &fence, VK_TRUE, 1000000), VK_TIMEOUT,
                  "a millisecond");
}

static void any_or_all(const void *argument)
{
    VkFence fences[] = {make_fence(0), make_fence(VK_FENCE_CREATE_SIGNALED_BIT), make_fence(0)};
    expect_result(vk.WaitForFences(gpu.device, 3, fences, VK_FALSE, SECOND), VK_SUCCESS, "any");
    expect_result(vk.WaitForFences(gpu.device, 3, fences, VK_TRUE, 0), VK_TIMEOUT, "all");
    submit(NULL, 0, 0, 0, 0, fences[0]);
    submit(NULL, 0, 0, 0, 0, fences[2]);
    expect_result(vk.WaitForFences(gpu.device, 3, fences, VK_TRUE, 60 * SECOND), VK_SUCCESS,
                  "all, later");
}

static void fence_alone(const void *argument)
{
    VkFence fence = make_fence(0);
    TRY(vk.QueueSubmit(gpu.queue, 0, NULL, fence));
    expect_result(vk.WaitForFences(gpu.device, 1, &fence, VK_TRUE, 60 * SECOND), VK_SUCCESS,
                  "a submission of nothing");
    TRY(vk.ResetFences(gpu.device, 1, &fence));
    TRY(vk.QueueSubmit2(gpu.queue, 0, NULL, fence));
    TRY(vk.QueueWaitIdle(gpu.queue));
    expect_result(vk.GetFenceStatus(gpu.device, fence), VK_SUCCESS, "status after vkQueueWaitIdle");
}

// ---- timeline semaphores --------------------------------------------------

static void need_timeline(void)
{
    need(offers.v12.timelineSemaphore, "timelineSemaphore");
}

static void initial_value(const void *argument)
{
    need_timeline();
    expect(value_of(make_semaphore(true, 0)) == 0, "0");
    expect(value_of(make_semaphore(true, 123456789012345)) == 123456789012345, "a large value");
}

static void signalled_by_host(const void *argument)
{
    need_timeline();
    VkSemaphore s = make_semaphore(true, 5);
    host_signal(s, 9);
    expect(value_of(s) == 9, "the value that was signalled");
    expect_result(wait_for(1, &s, &(uint64_t){9}, 0, 0), VK_SUCCESS, "this value");
    expect_result(wait_for(1, &s, &(uint64_t){3}, 0, 0), VK_SUCCESS, "a value of the past");
    expect_result(wait_for(1, &s, &(uint64_t){10}, 0, 1000000), VK_TIMEOUT, "a later value");
}

static void wait_any(const void *argument)
{
    need_timeline();
    const VkSemaphore s[] = {make_semaphore(true, 1), make_semaphore(true, 2)};
    const uint64_t values[] = {2, 2};
    expect_result(wait_for(2, s, values, VK_SEMAPHORE_WAIT_ANY_BIT, 0), VK_SUCCESS, "any");
    expect_result(wait_for(2, s, values, 0, 0), VK_TIMEOUT, "all");
    host_signal(s[0], 2);
    expect_result(wait_for(2, s, values, 0, SECOND), VK_SUCCESS, "all, later");
}

static void signalled_by_queue(const void *argument)
{
    need_timeline();
    VkSemaphore s = make_semaphore(true, 0);
    submit(NULL, 0, 0, s, 1, 0);
    submit(NULL, 0, 0, s, 7, 0);
    expect_result(wait_for(1, &s, &(uint64_t){7}, 0, 60 * SECOND), VK_SUCCESS, "7");
    expect(value_of(s) == 7, "the last value");
}

// The queue waits for what the host signals later.
static void queue_waits(const void *argument)
{
    need_timeline();
    VkSemaphore start = make_semaphore(true, 0), done = make_semaphore(true, 0);
    struct buffer b = make_buffer(4, 0);
    VkCommandBuffer cmd = begin();
    vk.CmdFillBuffer(cmd, b.buffer, 0, 4, 77);
    barrier(cmd);
    TRY(vk.EndCommandBuffer(cmd));
    submit(cmd, start, 3, done, 1, 0);
    expect_result(wait_for(1, &done, &(uint64_t){1}, 0, 2000000), VK_TIMEOUT, "before its start");
    expect(*(uint32_t *)b.map == 0, "nothing done yet");
    host_signal(start, 3);
    expect_result(wait_for(1, &done, &(uint64_t){1}, 0, 60 * SECOND), VK_SUCCESS, "its end");
    expect(*(uint32_t *)b.map == 77, "the work done");
}

// ---- binary semaphores ----------------------------------------------------

static void chain(const void *argument)
{
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    VkSemaphore s[4];
    struct buffer b = make_buffer(16, 0);
    VkFence fence = make_fence(0);
    for (uint32_t i = 0; i < 4; i++) {
        s[i] = make_semaphore(false, 0);
        VkCommandBuffer cmd = begin();
        // Each copies what the one before has written.
        if (i)
            vk.CmdCopyBuffer(cmd, b.buffer, b.buffer, 1, &(VkBufferCopy){4 * i - 4, 4 * i, 4});
        else
            vk.CmdFillBuffer(cmd, b.buffer, 0, 4, 5);
        barrier(cmd);
        TRY(vk.EndCommandBuffer(cmd));
        TRY(vk.QueueSubmit(gpu.queue, 1,
                           &(VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                           .waitSemaphoreCount = i != 0,
                                           .pWaitSemaphores = i ? &s[i - 1] : NULL,
                                           .pWaitDstStageMask = &stages,
                                           .commandBufferCount = 1,
                                           .pCommandBuffers = &cmd,
                                           .signalSemaphoreCount = i != 3,
                                           .pSignalSemaphores = &s[i]},
                           i == 3 ? fence : VK_NULL_HANDLE));
    }
    TRY(vk.WaitForFences(gpu.device, 1, &fence, VK_TRUE, 60 * SECOND));
    expect_words(b.map, (const uint32_t[]){5, 5, 5, 5}, 4, "copies");
}

static void batches(const void *argument)
{
    VkSubmitInfo batch[3];
    VkCommandBuffer cmd[3];
    struct buffer b = make_buffer(12, 0);
    VkFence fence = make_fence(0);
    for (uint32_t i = 0; i < 3; i++) {
        cmd[i] = begin();
        vk.CmdFillBuffer(cmd[i], b.buffer, 4 * i, 4, i + 1);
        barrier(cmd[i]);
        TRY(vk.EndCommandBuffer(cmd[i]));
        batch[i] = (VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                  .commandBufferCount = 1,
                                  .pCommandBuffers = &cmd[i]};
    }
    TRY(vk.QueueSubmit(gpu.queue, 3, batch, fence));
    TRY(vk.WaitForFences(gpu.device, 1, &fence, VK_TRUE, 60 * SECOND));
    expect_words(b.map, (const uint32_t[]){1, 2, 3}, 3, "words");
}

// ---- events ---------------------------------------------------------------

static VkEvent make_event(void)
{
    VkEvent event;
    TRY(vk.CreateEvent(gpu.device,
                       &(VkEventCreateInfo){.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO}, NULL,
                       &event));
    return keep_Event(event);
}

static void host_event(const void *argument)
{
    VkEvent event = make_event();
    expect_result(vk.GetEventStatus(gpu.device, event), VK_EVENT_RESET, "new");
    TRY(vk.SetEvent(gpu.device, event));
    expect_result(vk.GetEventStatus(gpu.device, event), VK_EVENT_SET, "set");
    TRY(vk.ResetEvent(gpu.device, event));
    expect_result(vk.GetEventStatus(gpu.device, event), VK_EVENT_RESET, "reset");
}

static void device_event(const void *argument)
{
    VkEvent event = make_event(), other = make_event();
    VkCommandBuffer cmd = begin();
    TRY(vk.SetEvent(gpu.device, other));
    vk.CmdSetEvent(cmd, event, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);
    vk.CmdResetEvent(cmd, other, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);
    run(cmd);
    expect_result(vk.GetEventStatus(gpu.device, event), VK_EVENT_SET, "vkCmdSetEvent");
    expect_result(vk.GetEventStatus(gpu.device, other), VK_EVENT_RESET, "vkCmdResetEvent");
}

// ---- queries --------------------------------------------------------------

static VkQueryPool make_queries(VkQueryType type, uint32_t count)
{
    VkQueryPool pool;
    TRY(vk.CreateQueryPool(
        gpu.device,
        &(VkQueryPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                 .queryType = type,
                                 .queryCount = count},
        NULL, &pool));
    return keep_QueryPool(pool);
}

static void query_not_ready(const void *argument)
{
    need(offers.v12.hostQueryReset, "hostQueryReset");
    VkQueryPool pool = make_queries(VK_QUERY_TYPE_OCCLUSION, 2);
    uint64_t results[4] = {9, 9, 9, 9};
    vk.ResetQueryPool(gpu.device, pool, 0, 2);
    expect_result(
        vk.GetQueryPoolResults(gpu.device, pool, 0, 2, 16, results, 8, VK_QUERY_RESULT_64_BIT),
        VK_NOT_READY, "results");
    expect(results[0] == 9 && results[1] == 9, "what is not available, not written");
    expect_result(
        vk.GetQueryPoolResults(gpu.device, pool, 0, 2, 32, results, 16,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT),
        VK_NOT_READY, "results with availability");
    expect(results[1] == 0 && results[3] == 0, "availability 0");
}

// Results that lie apart, and what is between them. What does not fit into 32 bits may be cut or at
// its most.
static void query_stride(const void *argument)
{
    need(gpu.properties.limits.timestampComputeAndGraphics, "timestamps");
    VkQueryPool pool = make_queries(VK_QUERY_TYPE_TIMESTAMP, 2);
    uint64_t wide[4] = {9, 9, 9, 9};
    uint32_t narrow[4] = {9, 9, 9, 9};
    VkCommandBuffer cmd = begin();
    vk.CmdResetQueryPool(cmd, pool, 0, 2);
    vk.CmdWriteTimestamp(cmd, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, pool, 0);
    vk.CmdWriteTimestamp(cmd, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, pool, 1);
    run(cmd);
    TRY(vk.GetQueryPoolResults(gpu.device, pool, 0, 2, 32, wide, 16,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    TRY(vk.GetQueryPoolResults(gpu.device, pool, 0, 2, 16, narrow, 8, 0));
    expect(wide[1] == 9 && wide[3] == 9 && narrow[1] == 9 && narrow[3] == 9, "gaps as they were");
}

static void timestamps(const void *argument)
{
    need(gpu.properties.limits.timestampComputeAndGraphics, "timestamps");
    VkQueryPool pool = make_queries(VK_QUERY_TYPE_TIMESTAMP, 3);
    uint64_t results[6];
    struct buffer b = make_buffer(24, 0);
    VkCommandBuffer cmd = begin();
    vk.CmdResetQueryPool(cmd, pool, 0, 3);
    for (uint32_t i = 0; i < 3; i++)
        vk.CmdWriteTimestamp(cmd, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, pool, i);
    barrier(cmd);
    vk.CmdCopyQueryPoolResults(cmd, pool, 0, 3, b.buffer, 0, 8,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    run(cmd);
    TRY(vk.GetQueryPoolResults(gpu.device, pool, 0, 3, 48, results, 16,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT |
                                   VK_QUERY_RESULT_WAIT_BIT));
    expect(results[1] && results[3] && results[5], "all available");
    expect(results[0] <= results[2] && results[2] <= results[4], "times that do not go back");
    const uint64_t *copied = b.map;
    expect(copied[0] == results[0] && copied[2] == results[4], "the same times in the buffer");
}

// ---- command buffers ------------------------------------------------------

static void run_twice(const void *argument)
{
    struct buffer b = make_buffer(8, 0);
    const VkCommandBufferInheritanceInfo none = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO};
    VkCommandBuffer inner = begin_secondary(&none, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT);
    vk.CmdCopyBuffer(inner, b.buffer, b.buffer, 1, &(VkBufferCopy){0, 4, 4});
    TRY(vk.EndCommandBuffer(inner));
    VkCommandBuffer cmd = begin();
    for (uint32_t i = 1; i < 3; i++) {
        vk.CmdFillBuffer(cmd, b.buffer, 0, 4, i);
        barrier(cmd);
        vk.CmdExecuteCommands(cmd, 1, &inner);
        barrier(cmd);
    }
    run(cmd);
    expect_words(b.map, (const uint32_t[]){2, 2}, 2, "words");
}

static void recorded_again(const void *argument)
{
    struct buffer b = make_buffer(4, 0);
    VkCommandPool pool;
    VkCommandBuffer cmd;
    TRY(vk.CreateCommandPool(
        gpu.device,
        &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                   .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                   .queueFamilyIndex = gpu.family},
        NULL, &pool));
    keep_CommandPool(pool);
    TRY(vk.AllocateCommandBuffers(
        gpu.device,
        &(VkCommandBufferAllocateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                       .commandPool = pool,
                                       .commandBufferCount = 1},
        &cmd));
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    for (uint32_t i = 1; i < 5; i++) {
        if (i == 2)
            TRY(vk.ResetCommandBuffer(cmd, VK_COMMAND_BUFFER_RESET_RELEASE_RESOURCES_BIT));
        if (i == 3)
            TRY(vk.ResetCommandPool(gpu.device, pool, 0));
        TRY(vk.BeginCommandBuffer(cmd, &info)); // i == 4: begins anew by itself
        vk.CmdFillBuffer(cmd, b.buffer, 0, 4, i);
        run(cmd);
        expect(*(uint32_t *)b.map == i, "what was recorded last");
    }
    vk.TrimCommandPool(gpu.device, pool, 0);
}

void sync_checks(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *argument);
    } checks[] = {
        {"sync: a fence that is born signalled", born_signalled},
        {"sync: a fence that nobody signals", not_signalled},
        {"sync: any fence, or all", any_or_all},
        {"sync: a fence alone", fence_alone},
        {"sync: the first value of a timeline", initial_value},
        {"sync: a timeline signalled by the host", signalled_by_host},
        {"sync: any timeline, or all", wait_any},
        {"sync: a timeline signalled by a queue", signalled_by_queue},
        {"sync: a queue that waits for the host", queue_waits},
        {"sync: a chain of binary semaphores", chain},
        {"sync: batches of one submission", batches},
        {"sync: an event set by the host", host_event},
        {"sync: events set and reset by the device", device_event},
        {"sync: queries that are not ready", query_not_ready},
        {"sync: timestamps", timestamps},
        {"sync: results of queries that lie apart", query_stride},
        {"sync: a secondary command buffer, run twice", run_twice},
        {"sync: a command buffer, recorded again", recorded_again},
    };
    for (uint32_t i = 0; i < COUNT(checks); i++)
        check(checks[i].name, checks[i].run, NULL);
}
