// memory: allocations of many sizes, mapped, written, read back by the GPU, freed; many alive at
// once; large ones; several buffers in one allocation; flush and invalidate where a type is not
// coherent. Says the same everywhere; with EXPECT_ZERO=1 fresh mapped memory must also be zero
// (Hesper promises it, Vulkan does not).
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 1000, LIVE = 300, LARGE_MIB = 256, PARTS = 16, PART = 3000 };

struct allocation {
    VkDeviceMemory memory;
    VkDeviceSize size;
    uint8_t *map;
};

static bool expect_zero;

static struct allocation allocate(struct app *app, uint32_t type, VkDeviceSize size)
{
    struct allocation a = {.size = size};
    VK_CHECK(vk.AllocateMemory(app->device,
                               &(VkMemoryAllocateInfo){
                                   .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                   .allocationSize = size,
                                   .memoryTypeIndex = type,
                               },
                               NULL, &a.memory));
    void *map;
    VK_CHECK(vk.MapMemory(app->device, a.memory, 0, VK_WHOLE_SIZE, 0, &map));
    a.map = map;
    if (expect_zero)
        for (VkDeviceSize i = 0; i<size; i += size> 1 << 20 ? 4093 : 1)
            if (a.map[i])
                app_fail("fresh memory of %" PRIu64 " bytes holds %#x at %" PRIu64, size, a.map[i],
                         i);
    return a;
}

static void release(struct app *app, struct allocation *a, bool unmap)
{
    if (unmap)
        vk.UnmapMemory(app->device, a->memory);
    vk.FreeMemory(app->device, a->memory, NULL);
}

static uint8_t pattern(uint32_t seed, VkDeviceSize i)
{
    return (uint8_t)((seed * 2654435761u + (uint32_t)i * 40503u) >> 11);
}

// Small allocations, one after another: sizes that are and that aren't multiples of a page.
static void rounds(struct app *app, uint32_t type)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const VkDeviceSize size = 1 + (i * 7919u) % (64u << 10);
        struct allocation a = allocate(app, type, size);
        for (VkDeviceSize k = 0; k < size; k++)
            a.map[k] = pattern(i, k);
        if (i % 3 == 0) { // map again, at an offset
            vk.UnmapMemory(app->device, a.memory);
            void *map;
            VK_CHECK(vk.MapMemory(app->device, a.memory, size / 2, VK_WHOLE_SIZE, 0, &map));
            a.map = (uint8_t *)map - size / 2;
        }
        for (VkDeviceSize k = size / 2; k < size; k += 61)
            app_expect(a.map[k] == pattern(i, k), "mapped memory to keep what was written");
        release(app, &a, i % 2 == 0);
        bytes += size;
    }
    printf("rounds %d, %" PRIu64 " bytes\n", ROUNDS, bytes);
}

// Many alive; every second is freed and allocated anew; none may touch another.
static void live(struct app *app, uint32_t type)
{
    struct allocation list[LIVE];
    for (uint32_t i = 0; i < LIVE; i++) {
        list[i] = allocate(app, type, 4096 * (1 + i % 5));
        memset(list[i].map, (int)(i & 0xff), list[i].size);
    }
    for (uint32_t i = 0; i < LIVE; i += 2) {
        release(app, &list[i], true);
        list[i] = allocate(app, type, 4096 * (1 + i % 7));
        memset(list[i].map, (int)(~i & 0xff), list[i].size);
    }
    for (uint32_t i = 0; i < LIVE; i++) {
        const uint8_t want = (uint8_t)(i % 2 ? i : ~i);
        for (VkDeviceSize k = 0; k < list[i].size; k += 509)
            app_expect(list[i].map[k] == want, "live allocations to be separate");
        release(app, &list[i], true);
    }
    printf("live %d\n", LIVE);
}

static void large(struct app *app, uint32_t type)
{
    const VkDeviceSize size = (VkDeviceSize)LARGE_MIB << 20;
    struct allocation a = allocate(app, type, size), b = allocate(app, type, size);
    for (VkDeviceSize k = 0; k < size; k += 1 << 20) {
        a.map[k] = (uint8_t)(k >> 20);
        b.map[size - 1 - k] = (uint8_t) ~(k >> 20);
    }
    for (VkDeviceSize k = 0; k < size; k += 1 << 20)
        app_expect(a.map[k] == (uint8_t)(k >> 20) && b.map[size - 1 - k] == (uint8_t) ~(k >> 20),
                   "large allocations to keep what was written");
    release(app, &a, true);
    release(app, &b, false);
    printf("large 2 x %d MiB\n", LARGE_MIB);
}

// Buffers at offsets of one allocation; the GPU copies between them.
static void parts(struct app *app)
{
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = PART,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    VkBuffer buffers[PARTS];
    VkMemoryRequirements need;
    for (int i = 0; i < PARTS; i++)
        VK_CHECK(vk.CreateBuffer(app->device, &info, NULL, &buffers[i]));
    vk.GetBufferMemoryRequirements(app->device, buffers[0], &need);
    const VkDeviceSize stride = (need.size + need.alignment - 1) / need.alignment * need.alignment;
    const uint32_t type =
        memory_type(app, need.memoryTypeBits,
                    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
    struct allocation a = allocate(app, type, stride * PARTS);
    for (int i = 0; i < PARTS; i++)
        VK_CHECK(vk.BindBufferMemory(app->device, buffers[i], a.memory, (VkDeviceSize)i * stride));
    for (VkDeviceSize k = 0; k < PART; k++)
        a.map[k] = pattern(1, k);
    VkCommandBuffer cmd = commands_begin(app);
    for (int i = 1; i < PARTS; i++) {
        vk.CmdCopyBuffer(cmd, buffers[i - 1], buffers[i], 1, &(VkBufferCopy){0, 0, PART});
        vk.CmdPipelineBarrier(
            cmd, VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
            &(VkMemoryBarrier){
                .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_HOST_READ_BIT,
            },
            0, NULL, 0, NULL);
    }
    commands_run(app, cmd);
    for (int i = 0; i < PARTS; i++)
        app_expect(memcmp(a.map, a.map + (VkDeviceSize)i * stride, PART) == 0,
                   "copies within one allocation");
    printf("parts %016" PRIx64 "\n", hash_bytes(a.map + (PARTS - 1) * stride, PART));
    for (int i = 0; i < PARTS; i++)
        vk.DestroyBuffer(app->device, buffers[i], NULL);
    release(app, &a, true);
}

// Every host-visible type, with explicit flush and invalidate and a copy on the GPU.
static void types(struct app *app)
{
    const VkBufferUsageFlags usage =
        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    const VkDeviceSize size = 64 << 10;
    bool found = false;
    for (uint32_t t = 0; t < app->memory.memoryTypeCount; t++) {
        if (!(app->memory.memoryTypes[t].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT))
            continue;
        VkBuffer buffer;
        VkMemoryRequirements need;
        VK_CHECK(vk.CreateBuffer(app->device,
                                 &(VkBufferCreateInfo){
                                     .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = size,
                                     .usage = usage,
                                 },
                                 NULL, &buffer));
        vk.GetBufferMemoryRequirements(app->device, buffer, &need);
        if (need.memoryTypeBits & (1u << t)) {
            struct allocation a = allocate(app, t, need.size);
            const VkMappedMemoryRange range = {
                .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
                .memory = a.memory,
                .size = VK_WHOLE_SIZE,
            };
            VK_CHECK(vk.BindBufferMemory(app->device, buffer, a.memory, 0));
            for (VkDeviceSize k = 0; k < size / 2; k++)
                a.map[k] = pattern(t, k);
            VK_CHECK(vk.FlushMappedMemoryRanges(app->device, 1, &range));
            VkCommandBuffer cmd = commands_begin(app);
            vk.CmdCopyBuffer(cmd, buffer, buffer, 1, &(VkBufferCopy){0, size / 2, size / 2});
            vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT,
                                  0, 1,
                                  &(VkMemoryBarrier){
                                      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                      .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                      .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
                                  },
                                  0, NULL, 0, NULL);
            commands_run(app, cmd);
            VK_CHECK(vk.InvalidateMappedMemoryRanges(app->device, 1, &range));
            app_expect(memcmp(a.map, a.map + size / 2, size / 2) == 0,
                       "the GPU to see, and to show, every host-visible type");
            release(app, &a, true);
            found = true;
        }
        vk.DestroyBuffer(app->device, buffer, NULL);
    }
    app_expect(found, "a host-visible memory type for buffers");
    puts("types");
}

int main(void)
{
    struct app app;
    const char *zero = getenv("EXPECT_ZERO");
    expect_zero = zero && *zero == '1';
    app_init(&app, NULL);
    const uint32_t type =
        memory_type(&app, UINT32_MAX,
                    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
    app_expect(type != UINT32_MAX, "a host-visible, coherent memory type");
    rounds(&app, type);
    live(&app, type);
    large(&app, type);
    parts(&app);
    types(&app);
    app_finish(&app);
    return 0;
}
