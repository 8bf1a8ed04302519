// What decoding costs: the table interpreter against straight-line C for the same commands, same
// checks, same arena. Prints nanoseconds per command, best of several rounds. docs/codec.md quotes
// it.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec_straight.h"
#include "wire/guest.h"

#define BATCH 64 // commands in the stream, as a ring would hold them
#define ROUNDS 400
#define REPEATS 40

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// Stands for the object table: one dependent load per handle.
static uint64_t handles[64];

static bool resolve(void *context, enum wire_handle type, uint64_t id, uint64_t *handle,
                    const char **reason)
{
    (void)context, (void)type, (void)reason;
    *handle = handles[id % 64];
    return true;
}

typedef bool (*decode_function)(struct wire_decoder *decoder, struct wire_call *call);

static double measure(decode_function decode, const uint8_t *stream, size_t size,
                      struct arena *arena)
{
    uint32_t commands = 0;
    double start = now_ns();
    for (int i = 0; i < REPEATS; i++) {
        struct wire_decoder decoder = {
            .cursor = stream, .end = stream + size, .arena = arena, .resolve = resolve};
        while (decoder.cursor < decoder.end) {
            struct wire_call call;
            if (!decode(&decoder, &call)) {
                fprintf(stderr, "decoding failed: %s\n", decoder.reason);
                exit(1);
            }
            arena_reset(arena);
            commands++;
        }
    }
    return (now_ns() - start) / commands;
}

static void run(enum wire_command number, void *args)
{
    static uint8_t stream[4 << 20] __attribute__((aligned(16)));
    struct wire_encoder encoder = {stream, stream + sizeof(stream)};
    struct wire_call call = {.number = number, .args = args};
    for (int i = 0; i < BATCH; i++) {
        if (!wire_encode_request(&encoder, &call))
            exit(1);
    }
    size_t size = (size_t)(encoder.cursor - stream);
    struct arena arena;
    arena_init(&arena, 64 << 20);
    double table = 1e30, straight = 1e30;
    for (int round = 0; round < ROUNDS; round++) { // alternating: the machine's speed drifts
        double a = measure(wire_decode, stream, size, &arena),
               b = measure(straight_decode, stream, size, &arena);
        table = a < table ? a : table;
        straight = b < straight ? b : straight;
    }
    printf("%-28s %8zu %12.1f %12.1f %8.2f\n", wire_command_info(number)->name, size / BATCH, table,
           straight, table / straight);
    arena_finish(&arena);
}

#define ID(type, n) ((type)(uintptr_t)(n))

int main(void)
{
    for (uint64_t i = 0; i < 64; i++)
        handles[i] = 0x1000 + i;
    printf("%-28s %8s %12s %12s %8s\n", "command", "bytes", "table ns", "straight ns", "ratio");

    struct wire_args_vkCmdDraw draw = {ID(VkCommandBuffer, 7), 3, 1, 0, 0};
    run(WIRE_vkCmdDraw, &draw);

    uint8_t push[16] = {1};
    struct wire_args_vkCmdPushConstants constants = {
        ID(VkCommandBuffer, 7), ID(VkPipelineLayout, 9), 1, 0, sizeof(push), push};
    run(WIRE_vkCmdPushConstants, &constants);

    VkImageMemoryBarrier image = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                  .image = ID(VkImage, 5),
                                  .subresourceRange = {1, 0, 1, 0, 1}};
    struct wire_args_vkCmdPipelineBarrier barrier = {.commandBuffer = ID(VkCommandBuffer, 7),
                                                     .srcStageMask = 1,
                                                     .dstStageMask = 2,
                                                     .imageMemoryBarrierCount = 1,
                                                     .pImageMemoryBarriers = &image};
    run(WIRE_vkCmdPipelineBarrier, &barrier);

    VkDescriptorBufferInfo buffers[4];
    for (int i = 0; i < 4; i++)
        buffers[i] = (VkDescriptorBufferInfo){ID(VkBuffer, 10 + i), 0, 256};
    VkDescriptorImageInfo texture = {ID(VkSampler, 20), ID(VkImageView, 21),
                                     VK_IMAGE_LAYOUT_GENERAL};
    VkWriteDescriptorSet writes[2] = {
        {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
         .dstSet = ID(VkDescriptorSet, 30),
         .descriptorCount = 4,
         .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
         .pBufferInfo = buffers},
        {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
         .dstSet = ID(VkDescriptorSet, 30),
         .dstBinding = 1,
         .descriptorCount = 1,
         .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
         .pImageInfo = &texture},
    };
    struct wire_args_vkUpdateDescriptorSets update = {
        .device = ID(VkDevice, 1), .descriptorWriteCount = 2, .pDescriptorWrites = writes};
    run(WIRE_vkUpdateDescriptorSets, &update);

    VkDescriptorSet sets[2] = {ID(VkDescriptorSet, 30), ID(VkDescriptorSet, 31)};
    uint32_t offsets[1] = {256};
    struct wire_args_vkCmdBindDescriptorSets bind = {ID(VkCommandBuffer, 7),
                                                     VK_PIPELINE_BIND_POINT_GRAPHICS,
                                                     ID(VkPipelineLayout, 9),
                                                     0,
                                                     2,
                                                     sets,
                                                     1,
                                                     offsets};
    run(WIRE_vkCmdBindDescriptorSets, &bind);

    static uint8_t data[32768];
    struct wire_args_vkCmdUpdateBuffer fill = {ID(VkCommandBuffer, 7), ID(VkBuffer, 10), 0,
                                               sizeof(data), data};
    run(WIRE_vkCmdUpdateBuffer, &fill);
    return 0;
}
