// loss: what a program hears of a device that its driver loses while it works. Each mode submits
// work again and again and asks for its end in its own way, until the driver says that the device
// is lost; then it goes on with a new device. tests/vtest/cases.py has the driver lose it
// (tests/plan/icd.c). A second argument says how many rounds the new device works, for a plan that
// begins again in a new process of the host. "done" must never be said of work that is not done.
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ull

enum { ROUNDS = 20 };

struct work {
    struct app *app;
    struct buffer word;
    VkFence fence;
    VkSemaphore semaphore; // a timeline
};

static VkCommandBuffer fill(struct work *w, uint32_t value)
{
    VkCommandBuffer cmd = commands_begin(w->app);
    vk.CmdFillBuffer(cmd, w->word.buffer, 0, 4, value);
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                          &(VkMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
                          },
                          0, NULL, 0, NULL);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    return cmd;
}

static VkResult by_fence(struct work *w, uint64_t value)
{
    return vk.WaitForFences(w->app->device, 1, &w->fence, VK_TRUE, UINT64_MAX);
}

// Gives up after 30 s, which is far more than the work takes.
static VkResult by_status(struct work *w, uint64_t value)
{
    VkResult result;
    for (double end = now() + 30;
         (result = vk.GetFenceStatus(w->app->device, w->fence)) == VK_NOT_READY && now() < end;)
        ;
    return result;
}

static VkResult by_queue(struct work *w, uint64_t value)
{
    return vk.QueueWaitIdle(w->app->queue);
}

static VkResult by_device(struct work *w, uint64_t value)
{
    return vk.DeviceWaitIdle(w->app->device);
}

static VkResult by_semaphore(struct work *w, uint64_t value)
{
    return vk.WaitSemaphores(w->app->device,
                             &(VkSemaphoreWaitInfo){
                                 .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                 .semaphoreCount = 1,
                                 .pSemaphores = &w->semaphore,
                                 .pValues = &value,
                             },
                             30 * SECOND);
}

static VkResult by_counter(struct work *w, uint64_t value)
{
    VkResult result;
    uint64_t at = 0;
    for (double end = now() + 30;
         (result = vk.GetSemaphoreCounterValue(w->app->device, w->semaphore, &at)) == VK_SUCCESS &&
         at < value && now() < end;)
        ;
    return result == VK_SUCCESS && at < value ? VK_NOT_READY : result;
}

static const struct {
    const char *name;
    VkResult (*wait)(struct work *w, uint64_t value);
    bool fence, semaphore;
} ways[] = {
    {"fence", by_fence, .fence = true},
    {"status", by_status, .fence = true},
    {"queue", by_queue},
    {"device", by_device},
    {"semaphore", by_semaphore, .semaphore = true},
    {"counter", by_counter, .semaphore = true},
};

// Submits work that writes `value`, and waits for it.
static VkResult round_of(struct work *w, size_t way, uint32_t value)
{
    const VkCommandBuffer cmd = fill(w, value);
    const uint64_t signal = value;
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .pNext =
            &(VkTimelineSemaphoreSubmitInfo){
                .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                .signalSemaphoreValueCount = ways[way].semaphore,
                .pSignalSemaphoreValues = &signal,
            },
        .commandBufferCount = 1,
        .pCommandBuffers = &cmd,
        .signalSemaphoreCount = ways[way].semaphore,
        .pSignalSemaphores = &w->semaphore,
    };
    if (ways[way].fence)
        VK_CHECK(vk.ResetFences(w->app->device, 1, &w->fence));
    VkResult result = vk.QueueSubmit(w->app->queue, 1, &submit, ways[way].fence ? w->fence : NULL);
    if (result == VK_SUCCESS)
        result = ways[way].wait(w, value);
    if (result == VK_SUCCESS)
        app_expect(*(uint32_t *)w->word.map == value, "work to be done that is said to be done");
    return result;
}

// The application's device is gone: makes another one.
static void renew(struct app *app, const void *features)
{
    VK_CHECK(vk.CreateDevice(app->gpu,
                             &(VkDeviceCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                 .pNext = features,
                                 .queueCreateInfoCount = 1,
                                 .pQueueCreateInfos =
                                     &(VkDeviceQueueCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                         .queueFamilyIndex = app->family,
                                         .queueCount = 1,
                                         .pQueuePriorities = &(float){1},
                                     },
                             },
                             NULL, &app->device));
    vk.GetDeviceQueue(app->device, app->family, 0, &app->queue);
    VK_CHECK(vk.CreateCommandPool(app->device,
                                  &(VkCommandPoolCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                      .queueFamilyIndex = app->family,
                                  },
                                  NULL, &app->pool));
}

// Works until the device is lost, or for so many rounds. The device is gone afterwards.
static VkResult work(struct app *app, size_t way, uint32_t rounds)
{
    struct work w = {.app = app};
    w.word =
        buffer_create(app, 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
    if (ways[way].fence)
        VK_CHECK(vk.CreateFence(app->device,
                                &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                                NULL, &w.fence));
    VK_CHECK(vk.CreateSemaphore(app->device,
                                &(VkSemaphoreCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                    .pNext =
                                        &(VkSemaphoreTypeCreateInfo){
                                            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                        },
                                },
                                NULL, &w.semaphore));
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 1; i <= rounds && result == VK_SUCCESS; i++)
        result = round_of(&w, way, i);
    vk.DestroySemaphore(app->device, w.semaphore, NULL);
    vk.DestroyFence(app->device, w.fence, NULL);
    buffer_destroy(app, &w.word);
    vk.DestroyCommandPool(app->device, app->pool, NULL);
    vk.DestroyDevice(app->device, NULL);
    return result;
}

int main(int argc, char **argv)
{
    size_t way = 0;
    while (way < sizeof(ways) / sizeof(ways[0]) && (argc < 2 || strcmp(argv[1], ways[way].name)))
        way++;
    if (way == sizeof(ways) / sizeof(ways[0]))
        app_fail("usage: loss fence|status|queue|device|semaphore|counter");
    VkPhysicalDeviceTimelineSemaphoreFeatures features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
        .timelineSemaphore = VK_TRUE};
    struct app app;
    app_init(&app, &(struct app_wants){.api_version = VK_API_VERSION_1_2, .features = &features});
    const VkResult result = work(&app, way, ROUNDS);
    printf("%s: %s\n", ways[way].name,
           result == VK_SUCCESS             ? "all done"
           : result == VK_ERROR_DEVICE_LOST ? "VK_ERROR_DEVICE_LOST"
                                            : "something else");
    if (result == VK_ERROR_DEVICE_LOST) {
        renew(&app, &features);
        app_expect(work(&app, way, argc > 2 ? (uint32_t)atoi(argv[2]) : ROUNDS) == VK_SUCCESS,
                   "a new device to work");
        puts("a new device works");
    }
    vk.DestroyInstance(app.instance, NULL);
    return result != VK_SUCCESS && result != VK_ERROR_DEVICE_LOST;
}
