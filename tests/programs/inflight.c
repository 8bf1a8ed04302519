// inflight: far more submissions under way than any pool of fences holds. Whatever waits for them,
// their work is done when the wait says so.
#include "app.h"

#include <stdio.h>
#include <string.h>

enum { SUBMISSIONS = 700, ROUNDS = 20, SCRATCH = 1 << 20 };

struct work {
    struct app *app;
    struct buffer words, scratch;
    VkCommandBuffer commands[SUBMISSIONS];
};

static void barrier(VkCommandBuffer cmd)
{
    vk.CmdPipelineBarrier(
        cmd, VK_PIPELINE_STAGE_TRANSFER_BIT,
        VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
        &(VkMemoryBarrier){
            .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
            .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
            .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT,
        },
        0, NULL, 0, NULL);
}

// Keeps the GPU busy for a while, then writes a word of its own.
static VkCommandBuffer record(struct work *w, uint32_t number)
{
    VkCommandBuffer cmd = commands_begin(w->app);
    for (int i = 0; i < ROUNDS; i++) {
        vk.CmdFillBuffer(cmd, w->scratch.buffer, 0, SCRATCH, (uint32_t)i);
        barrier(cmd);
    }
    vk.CmdFillBuffer(cmd, w->words.buffer, 4 * number, 4, number + 1);
    barrier(cmd);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    return cmd;
}

static void submit(struct work *w, uint32_t number, VkFence fence)
{
    VK_CHECK(vk.QueueSubmit(w->app->queue, 1,
                            &(VkSubmitInfo){
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .commandBufferCount = 1,
                                .pCommandBuffers = &w->commands[number],
                            },
                            fence));
}

static void wait_for_fence(struct work *w)
{
    VkFence fence;
    VK_CHECK(vk.CreateFence(w->app->device,
                            &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                            NULL, &fence));
    for (uint32_t i = 0; i < SUBMISSIONS; i++)
        submit(w, i, i == SUBMISSIONS - 1 ? fence : VK_NULL_HANDLE);
    VK_CHECK(vk.WaitForFences(w->app->device, 1, &fence, VK_TRUE, UINT64_MAX));
    vk.DestroyFence(w->app->device, fence, NULL);
}

static void wait_for_queue(struct work *w)
{
    for (uint32_t i = 0; i < SUBMISSIONS; i++)
        submit(w, i, VK_NULL_HANDLE);
    VK_CHECK(vk.QueueWaitIdle(w->app->queue));
}

static void wait_for_device(struct work *w)
{
    for (uint32_t i = 0; i < SUBMISSIONS; i++)
        submit(w, i, VK_NULL_HANDLE);
    VK_CHECK(vk.DeviceWaitIdle(w->app->device));
}

static void one_fence_each(struct work *w)
{
    static VkFence fences[SUBMISSIONS];
    for (uint32_t i = 0; i < SUBMISSIONS; i++) {
        VK_CHECK(vk.CreateFence(w->app->device,
                                &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                                NULL, &fences[i]));
        submit(w, i, fences[i]);
    }
    VK_CHECK(vk.WaitForFences(w->app->device, SUBMISSIONS, fences, VK_TRUE, UINT64_MAX));
    for (uint32_t i = 0; i < SUBMISSIONS; i++)
        vk.DestroyFence(w->app->device, fences[i], NULL);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(struct work *w);
    } ways[] = {{"queue", wait_for_queue},
                {"fence", wait_for_fence},
                {"device", wait_for_device},
                {"fences", one_fence_each}};
    struct app app;
    app_init(&app, NULL);
    static struct work w;
    w.app = &app;
    const VkMemoryPropertyFlags flags =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    w.words = buffer_create(&app, 4 * SUBMISSIONS, VK_BUFFER_USAGE_TRANSFER_DST_BIT, flags);
    w.scratch = buffer_create(&app, SCRATCH, VK_BUFFER_USAGE_TRANSFER_DST_BIT, 0);
    for (uint32_t i = 0; i < SUBMISSIONS; i++)
        w.commands[i] = record(&w, i);
    for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
        volatile uint32_t *words = w.words.map;
        memset(w.words.map, 0, 4 * SUBMISSIONS);
        ways[way].run(&w);
        uint32_t done = 0;
        while (done < SUBMISSIONS && words[done] == done + 1)
            done++;
        VK_CHECK(vk.DeviceWaitIdle(app.device));
        printf("%s: %u of %d done\n", ways[way].name, done, SUBMISSIONS);
        app_expect(done == SUBMISSIONS, "all to be done");
    }
    vk.FreeCommandBuffers(app.device, app.pool, SUBMISSIONS, w.commands);
    buffer_destroy(&app, &w.words);
    buffer_destroy(&app, &w.scratch);
    app_finish(&app);
    return 0;
}
