// beside: the same work over and over while others use the host too, until stdin ends: a buffer is
// filled, copied to mapped memory and looked at. Prints how many rounds were wrong, and the
// longest.
#include "app.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { WORDS = 4096 };

int main(void)
{
    struct app app;
    app_init(&app, NULL);
    const VkBufferUsageFlags copies =
        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    const VkDeviceSize size = WORDS * sizeof(uint32_t);
    struct buffer there = buffer_create(&app, size, copies, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    struct buffer here = buffer_create(&app, size, copies, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    const uint32_t *words = here.map;
    unsigned rounds = 0, wrong = 0;
    double longest = 0;
    printf("begun\n");
    fflush(stdout);
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    while (poll(&in, 1, 2) == 0) {
        const double began = now();
        const uint32_t value = ++rounds * 0x9e3779b9u;
        VkCommandBuffer cmd = commands_begin(&app);
        vk.CmdFillBuffer(cmd, there.buffer, 0, size, value);
        vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
                              0, 1,
                              &(VkMemoryBarrier){
                                  .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                  .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                  .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
                              },
                              0, NULL, 0, NULL);
        vk.CmdCopyBuffer(cmd, there.buffer, here.buffer, 1, &(VkBufferCopy){0, 0, size});
        commands_run(&app, cmd);
        unsigned good = 0;
        for (unsigned i = 0; i < WORDS; i++)
            good += words[i] == value;
        wrong += good != WORDS;
        longest = now() - began > longest ? now() - began : longest;
    }
    printf("%u rounds, %u wrong, longest %.0f ms\n", rounds, wrong, longest * 1000);
    buffer_destroy(&app, &there);
    buffer_destroy(&app, &here);
    app_finish(&app);
    return wrong != 0;
}
