// sparse: memory bound page by page, by the queue.
//
//   sparse buffer     pages of a buffer in another order, bound anew, taken away
//   sparse mapped     the same in memory that the CPU sees
//   sparse image      tiles and the tail of its mip levels
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PAGES = 8, SIDE = 256, LEVELS = 4 };
#define COPIES (VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT)

static void need(struct app *app, VkBool32 feature, const char *what)
{
    (void)app;
    if (!feature)
        app_skip("no %s", what);
}

static VkPhysicalDeviceFeatures features_of(struct app *app)
{
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    vk.GetPhysicalDeviceFeatures2(app->gpu, &features);
    return features.features;
}

static VkDeviceMemory allocate(struct app *app, uint32_t type, VkDeviceSize size)
{
    VkDeviceMemory memory;
    VK_CHECK(vk.AllocateMemory(app->device,
                               &(VkMemoryAllocateInfo){
                                   .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                   .allocationSize = size,
                                   .memoryTypeIndex = type,
                               },
                               NULL, &memory));
    return memory;
}

// Binds and waits for it with a fence.
static void bind(struct app *app, const VkBindSparseInfo *info)
{
    VkFence fence;
    VK_CHECK(vk.CreateFence(app->device,
                            &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                            NULL, &fence));
    VK_CHECK(vk.QueueBindSparse(app->queue, 1, info, fence));
    app_expect(vk.WaitForFences(app->device, 1, &fence, VK_TRUE, 20000000000ull) == VK_SUCCESS,
               "the binding to end");
    vk.DestroyFence(app->device, fence, NULL);
}

static void bind_pages(struct app *app, VkBuffer buffer, VkDeviceMemory memory, const int *place,
                       VkDeviceSize page)
{
    VkSparseMemoryBind binds[PAGES];
    for (int i = 0; i < PAGES; i++)
        binds[i] = (VkSparseMemoryBind){
            .resourceOffset = (VkDeviceSize)i * page,
            .size = page,
            .memory = place[i] < 0 ? VK_NULL_HANDLE : memory,
            .memoryOffset = place[i] < 0 ? 0 : (VkDeviceSize)place[i] * page,
        };
    bind(app, &(VkBindSparseInfo){
                  .sType = VK_STRUCTURE_TYPE_BIND_SPARSE_INFO,
                  .bufferBindCount = 1,
                  .pBufferBinds = &(VkSparseBufferMemoryBindInfo){buffer, PAGES, binds},
              });
}

// First word of each page, as the GPU reads it.
static void read_pages(struct app *app, VkBuffer buffer, VkDeviceSize page, uint32_t words[PAGES])
{
    struct buffer back = buffer_create(app, 4 * PAGES, COPIES, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VkCommandBuffer cmd = commands_begin(app);
    for (uint32_t i = 0; i < PAGES; i++)
        vk.CmdCopyBuffer(cmd, buffer, back.buffer, 1, &(VkBufferCopy){i * page, 4 * i, 4});
    transfer_barrier(cmd);
    commands_run(app, cmd);
    memcpy(words, back.map, 4 * PAGES);
    buffer_destroy(app, &back);
}

static void pages(struct app *app, VkMemoryPropertyFlags flags, const char *name)
{
    const VkPhysicalDeviceFeatures features = features_of(app);
    need(app, features.sparseBinding, "sparse binding");
    need(app, features.sparseResidencyBuffer, "sparse buffers");
    VkBuffer buffer;
    VkMemoryRequirements wants;
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .flags = VK_BUFFER_CREATE_SPARSE_BINDING_BIT | VK_BUFFER_CREATE_SPARSE_RESIDENCY_BIT,
        .size = PAGES * 65536,
        .usage = COPIES,
    };
    VK_CHECK(vk.CreateBuffer(app->device, &info, NULL, &buffer));
    vk.GetBufferMemoryRequirements(app->device, buffer, &wants);
    const VkDeviceSize page = wants.alignment < 65536 ? 65536 : wants.alignment;
    vk.DestroyBuffer(app->device, buffer, NULL);
    info.size = PAGES * page;
    VK_CHECK(vk.CreateBuffer(app->device, &info, NULL, &buffer));
    vk.GetBufferMemoryRequirements(app->device, buffer, &wants);
    const uint32_t type = memory_type(app, wants.memoryTypeBits, flags);
    if (type == UINT32_MAX)
        app_skip("no such memory for sparse buffers");
    VkDeviceMemory memory = allocate(app, type, PAGES * page);
    void *map = NULL;
    if (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
        VK_CHECK(vk.MapMemory(app->device, memory, 0, VK_WHOLE_SIZE, 0, &map));

    const int order[PAGES] = {3, 1, 7, 0, 5, 2, 6, 4};
    uint32_t words[PAGES];
    bind_pages(app, buffer, memory, order, page);
    VkCommandBuffer cmd = commands_begin(app);
    for (uint32_t i = 0; i < PAGES; i++)
        vk.CmdFillBuffer(cmd, buffer, i * page, page, 0x11111111 * (i + 1));
    transfer_barrier(cmd);
    commands_run(app, cmd);
    read_pages(app, buffer, page, words);
    for (uint32_t i = 0; i < PAGES; i++) {
        app_expect(words[i] == 0x11111111 * (i + 1), "what was written");
        app_expect(!map || ((uint32_t *)map)[order[i] * (page / 4)] == words[i],
                   "what was written, where it was bound");
    }
    // The other way round: pages keep what they hold and show it elsewhere.
    const int reverse[PAGES] = {4, 6, 2, 5, 0, 7, 1, 3};
    bind_pages(app, buffer, memory, reverse, page);
    read_pages(app, buffer, page, words);
    for (uint32_t i = 0; i < PAGES; i++)
        app_expect(words[i] == 0x11111111 * (PAGES - i), "pages in reverse order");
    // Half of them taken away; those that stay are not touched by writes to the others.
    const int half[PAGES] = {4, -1, 2, -1, 0, -1, 1, -1};
    bind_pages(app, buffer, memory, half, page);
    cmd = commands_begin(app);
    vk.CmdFillBuffer(cmd, buffer, page, page, 0xdeadbeef);
    transfer_barrier(cmd);
    commands_run(app, cmd);
    read_pages(app, buffer, page, words);
    for (uint32_t i = 0; i < PAGES; i += 2)
        app_expect(words[i] == 0x11111111 * (PAGES - i), "pages that stay");
    printf("%s %d pages of %" PRIu64 "\n", name, PAGES, page);
    vk.DestroyBuffer(app->device, buffer, NULL);
    vk.FreeMemory(app->device, memory, NULL);
}

static void buffer(struct app *app, const char *path)
{
    (void)path;
    pages(app, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, "buffer");
}

static void mapped(struct app *app, const char *path)
{
    (void)path;
    pages(app, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
          "mapped");
}

static void image(struct app *app, const char *path)
{
    (void)path;
    const VkPhysicalDeviceFeatures features = features_of(app);
    need(app, features.sparseBinding, "sparse binding");
    need(app, features.sparseResidencyImage2D, "sparse images");
    VkImage im;
    VK_CHECK(vk.CreateImage(
        app->device,
        &(VkImageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
            .flags = VK_IMAGE_CREATE_SPARSE_BINDING_BIT | VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT,
            .imageType = VK_IMAGE_TYPE_2D,
            .format = VK_FORMAT_R8G8B8A8_UNORM,
            .extent = {SIDE, SIDE, 1},
            .mipLevels = LEVELS,
            .arrayLayers = 1,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
        },
        NULL, &im));
    VkMemoryRequirements wants;
    VkSparseImageMemoryRequirements sparse[4];
    uint32_t count = 4;
    vk.GetImageMemoryRequirements(app->device, im, &wants);
    vk.GetImageSparseMemoryRequirements(app->device, im, &count, sparse);
    app_expect(count >= 1, "sparse requirements");
    const VkExtent3D grain = sparse[0].formatProperties.imageGranularity;
    printf("image tiles %ux%u, tail from level %u\n", grain.width, grain.height,
           sparse[0].imageMipTailFirstLod);
    VkDeviceMemory memory = allocate(app, memory_type(app, wants.memoryTypeBits, 0), wants.size);

    VkSparseImageMemoryBind tiles[256];
    uint32_t tile_count = 0;
    VkDeviceSize offset = 0;
    for (uint32_t level = 0; level < LEVELS && level < sparse[0].imageMipTailFirstLod; level++) {
        const uint32_t side = SIDE >> level;
        for (uint32_t y = 0; y < side; y += grain.height)
            for (uint32_t x = 0; x < side && tile_count < 256;
                 x += grain.width, offset += wants.alignment)
                tiles[tile_count++] = (VkSparseImageMemoryBind){
                    .subresource = {VK_IMAGE_ASPECT_COLOR_BIT, level, 0},
                    .offset = {(int32_t)x, (int32_t)y, 0},
                    .extent = {side - x < grain.width ? side - x : grain.width,
                               side - y < grain.height ? side - y : grain.height, 1},
                    .memory = memory,
                    .memoryOffset = offset,
                };
    }
    const VkSparseMemoryBind tail = {
        .resourceOffset = sparse[0].imageMipTailOffset,
        .size = sparse[0].imageMipTailSize,
        .memory = memory,
        .memoryOffset = offset,
    };
    const bool has_tail = sparse[0].imageMipTailFirstLod < LEVELS;
    bind(app, &(VkBindSparseInfo){
                  .sType = VK_STRUCTURE_TYPE_BIND_SPARSE_INFO,
                  .imageOpaqueBindCount = has_tail,
                  .pImageOpaqueBinds = &(VkSparseImageOpaqueMemoryBindInfo){im, 1, &tail},
                  .imageBindCount = 1,
                  .pImageBinds = &(VkSparseImageMemoryBindInfo){im, tile_count, tiles},
              });

    struct buffer up =
        buffer_create(app, 2 * SIDE * SIDE * 4, COPIES, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    struct buffer down =
        buffer_create(app, 2 * SIDE * SIDE * 4, COPIES, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    for (uint32_t i = 0; i < 2 * SIDE * SIDE; i++)
        ((uint32_t *)up.map)[i] = i * 2654435761u;
    VkBufferImageCopy regions[LEVELS];
    VkDeviceSize at = 0;
    for (uint32_t level = 0; level < LEVELS; level++) {
        const uint32_t side = SIDE >> level;
        regions[level] = (VkBufferImageCopy){
            .bufferOffset = at,
            .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, level, 0, 1},
            .imageExtent = {side, side, 1},
        };
        at += (VkDeviceSize)side * side * 4;
    }
    VkCommandBuffer cmd = commands_begin(app);
    image_barrier(cmd, im, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0,
                  VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT);
    vk.CmdCopyBufferToImage(cmd, up.buffer, im, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, LEVELS,
                            regions);
    image_barrier(cmd, im, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                  VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, VK_PIPELINE_STAGE_TRANSFER_BIT,
                  VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
                  VK_ACCESS_TRANSFER_READ_BIT);
    vk.CmdCopyImageToBuffer(cmd, im, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, down.buffer, LEVELS,
                            regions);
    transfer_barrier(cmd);
    commands_run(app, cmd);
    app_expect(memcmp(up.map, down.map, at) == 0, "all levels to come back as they went");
    printf("image %u tiles, %016" PRIx64 "\n", tile_count, hash_bytes(down.map, at));
    buffer_destroy(app, &up);
    buffer_destroy(app, &down);
    vk.DestroyImage(app->device, im, NULL);
    vk.FreeMemory(app->device, memory, NULL);
}

int main(int argc, char **argv)
{
    static const struct app_mode modes[] = {
        {"buffer", buffer},
        {"mapped", mapped},
        {"image", image},
        {0},
    };
    return app_run_modes(modes, argc, argv);
}
