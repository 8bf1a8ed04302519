// greedy PIECE MOST: takes memory in pieces of PIECE MiB until one is refused or it has MOST of
// them, says so and holds them until its input ends. What is refused costs it no more than that:
// then its device still works.
// greedy recorded MOST: records command buffers with 1 MiB of data each, which the driver keeps,
// until it may submit no more, and says how many.
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 1024, LIMIT = 4096 };

// Mesa's Venus does not wait for an allocation: the refusal may come when it is mapped.
static bool take(struct app *app, const VkMemoryAllocateInfo *info, VkDeviceMemory *piece)
{
    void *map;
    if (vk.AllocateMemory(app->device, info, NULL, piece) != VK_SUCCESS)
        return false;
    if (vk.MapMemory(app->device, *piece, 0, VK_WHOLE_SIZE, 0, &map) == VK_SUCCESS)
        return true;
    vk.FreeMemory(app->device, *piece, NULL);
    return false;
}

static bool submit(struct app *app, VkCommandBuffer commands)
{
    VkQueue queue = app->queue;
    return vk.QueueSubmit(queue, 1,
                          &(VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                          .commandBufferCount = 1,
                                          .pCommandBuffers = &commands},
                          VK_NULL_HANDLE) == VK_SUCCESS &&
           vk.QueueWaitIdle(queue) == VK_SUCCESS;
}

static bool record(struct app *app, VkBuffer buffer, VkCommandBuffer *commands)
{
    static const uint8_t data[65536];
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = app->pool,
                                        .commandBufferCount = 1};
    if (vk.AllocateCommandBuffers(app->device, &info, commands) != VK_SUCCESS ||
        vk.BeginCommandBuffer(
            *commands, &(VkCommandBufferBeginInfo){
                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}) != VK_SUCCESS)
        return false;
    for (unsigned i = 0; i < 16; i++)
        vk.CmdUpdateBuffer(*commands, buffer, 0, sizeof(data), data);
    return vk.EndCommandBuffer(*commands) == VK_SUCCESS;
}

static int record_all(uint32_t most)
{
    struct app app;
    uint32_t count = 0;
    VkCommandBuffer commands;
    app_init(&app, &(struct app_wants){.api_version = VK_API_VERSION_1_1});
    struct buffer buffer = buffer_create(&app, 65536, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                         VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    while (count < most && record(&app, buffer.buffer, &commands) && submit(&app, commands))
        count++;
    printf("%u recorded%s\n", count, count < most ? ", then refused" : "");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "recorded"))
        return record_all((uint32_t)atoi(argv[2]));
    struct app app;
    VkDeviceMemory *pieces = calloc(LIMIT, sizeof(*pieces));
    uint32_t count = 0, most = argc > 2 ? (uint32_t)atoi(argv[2]) : LIMIT;
    app_init(&app, &(struct app_wants){.api_version = VK_API_VERSION_1_1});
    app_go_on(&app);
    uint32_t type = memory_type(&app, UINT32_MAX, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = (VkDeviceSize)(argc > 1 ? atoi(argv[1]) : 1) << 20,
        .memoryTypeIndex = type,
    };
    while (count < most && count < LIMIT && take(&app, &info, &pieces[count]))
        count++;
    uint32_t heap = app.memory.memoryTypes[type].heapIndex;
    printf("%u pieces%s, of a heap of %llu MiB\n", count, count < most ? ", then refused" : "",
           (unsigned long long)app.memory.memoryHeaps[heap].size >> 20);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    while (count)
        vk.FreeMemory(app.device, pieces[--count], NULL);
    app_go_on(&app);
    printf("goes on\n");
    app_finish(&app);
    free(pieces);
    return 0;
}
