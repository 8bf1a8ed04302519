// blobs: 3000 mapped allocations alive at once, each with its own content, half of it written by
// the CPU and half by the GPU, both read by the other; then a third of them freed and allocated
// anew with other sizes, three times. In a virtual machine each is a range of the window.
//
//   blobs          does that
//   blobs limit N  allocates 64 KiB and maps it until one or the other fails, which it must before
//   N; what it has is whole
//                  and works, and when a part was freed there is room again
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 3000, REFILLS = 3, PAGE = 4096, WORDS = 4 };

struct blob {
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkDeviceSize size;
    uint32_t *map;
    uint32_t content;
};

static uint32_t mix(uint32_t a, uint32_t b)
{
    uint32_t x = a * 2654435761u ^ b * 40503u;
    return (x ^ x >> 15) * 2246822519u;
}

static void blob_create(struct app *app, struct blob *blob, uint32_t index, uint32_t round)
{
    // Mostly some pages; every hundredth has megabytes.
    const uint32_t pages =
        index % 100 == 99 ? 256 + mix(index, round) % 768 : 1 + mix(index, round) % 16;
    blob->size = (VkDeviceSize)pages * PAGE;
    blob->content = mix(index, round + 7) | 1;
    VK_CHECK(vk.CreateBuffer(
        app->device,
        &(VkBufferCreateInfo){
            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
            .size = blob->size,
            .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        },
        NULL, &blob->buffer));
    VkMemoryRequirements need;
    vk.GetBufferMemoryRequirements(app->device, blob->buffer, &need);
    VK_CHECK(vk.AllocateMemory(
        app->device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .allocationSize = need.size,
            .memoryTypeIndex = memory_type(app, need.memoryTypeBits,
                                           VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                               VK_MEMORY_PROPERTY_HOST_COHERENT_BIT),
        },
        NULL, &blob->memory));
    VK_CHECK(vk.BindBufferMemory(app->device, blob->buffer, blob->memory, 0));
    void *map;
    VK_CHECK(vk.MapMemory(app->device, blob->memory, 0, VK_WHOLE_SIZE, 0, &map));
    blob->map = map;
}

static void blob_destroy(struct app *app, struct blob *blob)
{
    vk.DestroyBuffer(app->device, blob->buffer, NULL);
    vk.FreeMemory(app->device, blob->memory, NULL);
}

// The content of a page's first words, whoever wrote it.
static uint32_t word(const struct blob *blob, bool by_gpu, VkDeviceSize page)
{
    return by_gpu ? blob->content : mix(blob->content, (uint32_t)page);
}

// Blobs first, first + step, …: odd ones by the GPU, even ones by the CPU.
static void fill(struct app *app, struct blob *blobs, uint32_t first, uint32_t step)
{
    VkCommandBuffer cmd = commands_begin(app);
    for (uint32_t i = first; i < COUNT; i += step) {
        if (i % 2)
            vk.CmdFillBuffer(cmd, blobs[i].buffer, 0, VK_WHOLE_SIZE, blobs[i].content);
        else
            for (VkDeviceSize page = 0; page < blobs[i].size / PAGE; page++)
                for (uint32_t w = 0; w < WORDS; w++)
                    blobs[i].map[page * (PAGE / 4) + w] = word(&blobs[i], false, page);
    }
    commands_run(app, cmd);
}

static void check(struct app *app, const struct blob *blobs)
{
    struct buffer seen = buffer_create(app, COUNT * WORDS * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                       VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VkCommandBuffer cmd = commands_begin(app);
    for (uint32_t i = 0; i < COUNT; i++) // of the last page
        vk.CmdCopyBuffer(cmd, blobs[i].buffer, seen.buffer, 1,
                         &(VkBufferCopy){blobs[i].size - PAGE, i * WORDS * 4, WORDS * 4});
    commands_run(app, cmd);
    const uint32_t *by_gpu = seen.map;
    for (uint32_t i = 0; i < COUNT; i++) {
        const VkDeviceSize pages = blobs[i].size / PAGE;
        for (VkDeviceSize page = 0; page < pages; page++)
            for (uint32_t w = 0; w < WORDS; w++)
                if (blobs[i].map[page * (PAGE / 4) + w] != word(&blobs[i], i % 2, page))
                    app_fail("blob %" PRIu32 ", page %" PRIu64 ": the CPU sees %08" PRIx32, i, page,
                             blobs[i].map[page * (PAGE / 4) + w]);
        for (uint32_t w = 0; w < WORDS; w++)
            if (by_gpu[i * WORDS + w] != word(&blobs[i], i % 2, pages - 1))
                app_fail("blob %" PRIu32 ": the GPU sees %08" PRIx32, i, by_gpu[i * WORDS + w]);
    }
    buffer_destroy(app, &seen);
}

// ---- until nothing is left ------------------------------------------------

enum { LIMITED_SIZE = 64 << 10 };

struct range {
    VkDeviceMemory memory;
    uint32_t *map;
};

static VkResult range_create(struct app *app, struct range *range, uint32_t content)
{
    void *map;
    VkResult result = vk.AllocateMemory(
        app->device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .allocationSize = LIMITED_SIZE,
            .memoryTypeIndex = memory_type(app, ~0u,
                                           VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                               VK_MEMORY_PROPERTY_HOST_COHERENT_BIT),
        },
        NULL, &range->memory);
    if (result != VK_SUCCESS)
        return result;
    result = vk.MapMemory(app->device, range->memory, 0, VK_WHOLE_SIZE, 0, &map);
    if (result != VK_SUCCESS) {
        vk.FreeMemory(app->device, range->memory, NULL);
        return result;
    }
    range->map = map;
    for (uint32_t i = 0; i < LIMITED_SIZE / 4; i += PAGE / 4)
        range->map[i] = content + i;
    return VK_SUCCESS;
}

static void range_destroy(struct app *app, struct range *range, uint32_t content)
{
    for (uint32_t i = 0; i < LIMITED_SIZE / 4; i += PAGE / 4)
        app_expect(range->map[i] == content + i, "another content");
    vk.FreeMemory(app->device, range->memory, NULL);
}

static void until_full(struct app *app, uint32_t bound)
{
    struct range *ranges = calloc(bound, sizeof(*ranges));
    uint32_t count = 0, again;
    VkResult result = VK_SUCCESS;
    app_expect(ranges != NULL, "memory");
    while (count < bound && (result = range_create(app, &ranges[count], count)) == VK_SUCCESS)
        count++;
    if (count == bound)
        app_fail("%" PRIu32 " ranges and no limit", count);
    if (result != VK_ERROR_MEMORY_MAP_FAILED && result != VK_ERROR_OUT_OF_DEVICE_MEMORY &&
        result != VK_ERROR_OUT_OF_HOST_MEMORY)
        app_fail("the limit is VkResult %d", result);
    app_expect(count > 16, "next to nothing");
    for (again = 0; again < count; again += 2)
        range_destroy(app, &ranges[again], again);
    for (again = 0; again < count; again += 2)
        VK_CHECK(range_create(app, &ranges[again], again));
    for (again = 0; again < count; again++)
        range_destroy(app, &ranges[again], again);
    printf("%" PRIu32 " ranges, then VkResult %d\n", count, result);
    free(ranges);
}

int main(int argc, char **argv)
{
    struct app app;
    struct blob *blobs = calloc(COUNT, sizeof(*blobs));
    uint64_t bytes = 0;
    app_expect(blobs != NULL, "memory");
    app_init(&app, &(struct app_wants){0});
    if (argc == 3 && !strcmp(argv[1], "limit")) {
        until_full(&app, (uint32_t)strtoul(argv[2], NULL, 10));
        free(blobs);
        app_finish(&app);
        return 0;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        blob_create(&app, &blobs[i], i, 0);
    fill(&app, blobs, 0, 1);
    check(&app, blobs);
    for (uint32_t round = 1; round <= REFILLS; round++) {
        for (uint32_t i = round - 1; i < COUNT; i += 3)
            blob_destroy(&app, &blobs[i]);
        for (uint32_t i = round - 1; i < COUNT; i += 3)
            blob_create(&app, &blobs[i], i, round);
        fill(&app, blobs, round - 1, 3);
        check(&app, blobs);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        bytes += blobs[i].size;
        blob_destroy(&app, &blobs[i]);
    }
    printf("blobs %d, %" PRIu64 " bytes, refilled %d times\n", COUNT, bytes, REFILLS);
    free(blobs);
    app_finish(&app);
    return 0;
}
