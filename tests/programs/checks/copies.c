// Copies: buffers, regions of images, blits, resolves.
#include <stdio.h>

#include "checks.h"

#define COLOUR VK_IMAGE_ASPECT_COLOR_BIT

// A number that tells each word from the others.
static uint32_t word_at(uint32_t i)
{
    return i * 2654435761u + 1;
}

static struct buffer counted(uint32_t count)
{
    struct buffer b = make_buffer(4 * count, 0);
    for (uint32_t i = 0; i < count; i++)
        ((uint32_t *)b.map)[i] = word_at(i);
    return b;
}

// ---- buffers --------------------------------------------------------------

static void copy_regions(const void *argument)
{
    struct buffer a = counted(64), b = make_buffer(256, 0);
    const VkBufferCopy regions[] = {{0, 128, 64}, {64, 0, 32}, {255, 255, 1}};
    uint32_t want[64] = {0};
    VkCommandBuffer cmd = begin();
    vk.CmdCopyBuffer(cmd, a.buffer, b.buffer, 3, regions);
    run(cmd);
    memcpy((uint8_t *)want + 128, a.map, 64);
    memcpy((uint8_t *)want, (uint8_t *)a.map + 64, 32);
    ((uint8_t *)want)[255] = ((uint8_t *)a.map)[255];
    expect_words(b.map, want, 64, "buffer");
}

static void copy_within(const void *argument)
{
    struct buffer a = counted(64);
    uint32_t want[64];
    memcpy(want, a.map, sizeof(want));
    memcpy(want + 32, want, 128);
    VkCommandBuffer cmd = begin();
    vk.CmdCopyBuffer(cmd, a.buffer, a.buffer, 1, &(VkBufferCopy){0, 128, 128});
    run(cmd);
    expect_words(a.map, want, 64, "buffer");
}

static void copy_many(const void *argument)
{
    enum { COUNT = 2048 };
    static VkBufferCopy regions[COUNT];
    static uint32_t want[COUNT];
    struct buffer a = counted(COUNT), b = make_buffer(4 * COUNT, 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        regions[i] = (VkBufferCopy){4 * i, 4 * (COUNT - 1 - i), 4};
        want[COUNT - 1 - i] = word_at(i);
    }
    VkCommandBuffer cmd = begin();
    vk.CmdCopyBuffer(cmd, a.buffer, b.buffer, COUNT, regions);
    run(cmd);
    expect_words(b.map, want, COUNT, "buffer");
}

// Whole: what is left over of four bytes stays as it is.
static void fill(const void *argument)
{
    struct buffer b = make_buffer(30, 0);
    const uint32_t want[] = {0, 0x01020304, 0x01020304, 0x01020304, 0x01020304, 0x01020304, 7};
    VkCommandBuffer cmd = begin();
    memset(b.map, 0xee, 30);
    vk.CmdFillBuffer(cmd, b.buffer, 4, VK_WHOLE_SIZE, 0x01020304);
    barrier(cmd);
    vk.CmdFillBuffer(cmd, b.buffer, 0, 4, 0);
    barrier(cmd);
    vk.CmdFillBuffer(cmd, b.buffer, 24, 4, 7);
    run(cmd);
    expect_words(b.map, want, 7, "buffer");
    expect(((uint8_t *)b.map)[28] == 0xee && ((uint8_t *)b.map)[29] == 0xee, "two bytes untouched");
}

static void update(const void *argument)
{
    static uint32_t words[16384]; // as much as one command may bring
    for (uint32_t i = 0; i < 16384; i++)
        words[i] = word_at(i);
    struct buffer b = make_buffer(sizeof(words) + 8, 0);
    VkCommandBuffer cmd = begin();
    vk.CmdUpdateBuffer(cmd, b.buffer, 4, sizeof(words), words);
    memset(words, 0, 64); // the command has its own copy
    run(cmd);
    for (uint32_t i = 0; i < 16384; i++)
        words[i] = word_at(i);
    expect_words((uint32_t *)b.map + 1, words, 16384, "buffer");
    expect(((uint32_t *)b.map)[0] == 0 && ((uint32_t *)b.map)[16385] == 0, "nothing beside it");
}

static void copy2(const void *argument)
{
    struct buffer a = counted(16), b = make_buffer(64, 0);
    uint32_t want[16] = {0};
    const VkBufferCopy2 region = {VK_STRUCTURE_TYPE_BUFFER_COPY_2, NULL, 8, 16, 40};
    VkCommandBuffer cmd = begin();
    vk.CmdCopyBuffer2(cmd, &(VkCopyBufferInfo2){.sType = VK_STRUCTURE_TYPE_COPY_BUFFER_INFO_2,
                                                .srcBuffer = a.buffer,
                                                .dstBuffer = b.buffer,
                                                .regionCount = 1,
                                                .pRegions = &region});
    run(cmd);
    memcpy(want + 4, (uint32_t *)a.map + 2, 40);
    expect_words(b.map, want, 16, "buffer");
}

// ---- buffers and images ---------------------------------------------------

static struct picture picture_of(VkImageCreateInfo info)
{
    info.format = info.format ? info.format : VK_FORMAT_R32_UINT;
    return make_picture(info);
}

// Texel (x, y) of a picture from the middle of a wider one in a buffer.
static void row_length(const void *argument)
{
    struct buffer a = counted(16 * 16);
    struct picture p = picture_of((VkImageCreateInfo){.extent = {8, 8, 1}});
    VkBufferImageCopy copy = whole(&p, COLOUR, 0, 0);
    copy.bufferOffset = 4 * (2 * 16 + 3);
    copy.bufferRowLength = 16;
    VkCommandBuffer cmd = begin();
    vk.CmdCopyBufferToImage(cmd, a.buffer, p.image, VK_IMAGE_LAYOUT_GENERAL, 1, &copy);
    run(cmd);
    const uint32_t *got = texels_of(&p, COLOUR, 0, 0, 4);
    for (uint32_t i = 0; i < 64; i++)
        expect(got[i] == word_at((2 + i / 8) * 16 + 3 + i % 8), "the texels of the rectangle");
}

// Layers that lie further apart in the buffer than they are high.
static void image_height(const void *argument)
{
    struct buffer a = counted(4 * 6 * 3);
    struct picture p = picture_of((VkImageCreateInfo){.extent = {4, 4, 1}, .arrayLayers = 3});
    VkBufferImageCopy copy = whole(&p, COLOUR, 0, 0);
    copy.bufferImageHeight = 6;
    copy.imageSubresource.layerCount = 3;
    VkCommandBuffer cmd = begin();
    vk.CmdCopyBufferToImage(cmd, a.buffer, p.image, VK_IMAGE_LAYOUT_GENERAL, 1, &copy);
    run(cmd);
    for (uint32_t layer = 0; layer < 3; layer++) {
        const uint32_t *got = texels_of(&p, COLOUR, 0, layer, 4);
        for (uint32_t i = 0; i < 16; i++)
            expect(got[i] == word_at(layer * 24 + i), "the texels of each layer");
    }
}

static void part_of_image(const void *argument)
{
    struct buffer a = counted(4), b = make_buffer(4, 0);
    struct picture p = picture_of((VkImageCreateInfo){.extent = {8, 8, 1}});
    VkBufferImageCopy copy = whole(&p, COLOUR, 0, 0);
    static const uint32_t zeroes[64];
    fill_texels(&p, COLOUR, 0, 0, zeroes, sizeof(zeroes));
    copy.imageOffset = (VkOffset3D){5, 6, 0};
    copy.imageExtent = (VkExtent3D){2, 2, 1};
    VkCommandBuffer cmd = begin();
    vk.CmdCopyBufferToImage(cmd, a.buffer, p.image, VK_IMAGE_LAYOUT_GENERAL, 1, &copy);
    barrier(cmd);
    copy.imageOffset = (VkOffset3D){6, 7, 0};
    copy.imageExtent = (VkExtent3D){1, 1, 1};
    vk.CmdCopyImageToBuffer(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL, b.buffer, 1, &copy);
    run(cmd);
    const uint32_t *got = texels_of(&p, COLOUR, 0, 0, 4), one = word_at(3);
    for (uint32_t i = 0; i < 64; i++) {
        const uint32_t x = i % 8 - 5, y = i / 8 - 6;
        expect(got[i] == (x < 2 && y < 2 ? word_at(2 * y + x) : 0), "four texels, and no other");
    }
    expect_words(b.map, &one, 1, "one texel");
}

static void levels(const void *argument)
{
    struct picture p = picture_of((VkImageCreateInfo){.extent = {16, 8, 1}, .mipLevels = 5});
    uint32_t words[128];
    for (uint32_t level = 0; level < 5; level++) {
        const VkExtent3D e = whole(&p, COLOUR, level, 0).imageExtent;
        for (uint32_t i = 0; i < e.width * e.height; i++)
            words[i] = word_at(1000 * level + i);
        fill_texels(&p, COLOUR, level, 0, words, 4 * e.width * e.height);
    }
    for (uint32_t level = 0; level < 5; level++) {
        const VkExtent3D e = whole(&p, COLOUR, level, 0).imageExtent;
        const uint32_t *got = texels_of(&p, COLOUR, level, 0, 4);
        for (uint32_t i = 0; i < e.width * e.height; i++)
            expect(got[i] == word_at(1000 * level + i), "each level has its own texels");
    }
}

static void volume(const void *argument)
{
    struct buffer a = counted(4 * 4 * 4);
    struct picture p =
        picture_of((VkImageCreateInfo){.imageType = VK_IMAGE_TYPE_3D, .extent = {4, 4, 4}});
    fill_texels(&p, COLOUR, 0, 0, a.map, a.size);
    expect_words(texels_of(&p, COLOUR, 0, 0, 4), a.map, 64, "volume");
}

static void line(const void *argument)
{
    struct buffer a = counted(32);
    struct picture p = picture_of((VkImageCreateInfo){.extent = {32, 0, 0}});
    fill_texels(&p, COLOUR, 0, 0, a.map, a.size);
    expect_words(texels_of(&p, COLOUR, 0, 0, 4), a.map, 32, "1D image");
}

// Blocks of a compressed format come back as they were.
static void blocks(const void *argument)
{
    const VkFormat format = *(const VkFormat *)argument;
    need(format_has(format, VK_FORMAT_FEATURE_2_TRANSFER_DST_BIT), "no such format");
    const uint32_t size = format == VK_FORMAT_BC1_RGB_UNORM_BLOCK ? 8 : 16;
    struct buffer a = counted(size), b = make_buffer(4 * size, 0);
    struct picture p = make_picture((VkImageCreateInfo){
        .format = format, .extent = {8, 8, 1}, .usage = VK_IMAGE_USAGE_SAMPLED_BIT});
    const VkBufferImageCopy copy = whole(&p, COLOUR, 0, 0);
    VkCommandBuffer cmd = begin();
    vk.CmdCopyBufferToImage(cmd, a.buffer, p.image, VK_IMAGE_LAYOUT_GENERAL, 1, &copy);
    barrier(cmd);
    vk.CmdCopyImageToBuffer(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL, b.buffer, 1, &copy);
    run(cmd);
    expect_words(b.map, a.map, size, "blocks");
}

// ---- images and images ----------------------------------------------------

static void image_to_image(const void *argument)
{
    struct buffer a = counted(64);
    struct picture p = picture_of((VkImageCreateInfo){.extent = {8, 8, 1}});
    struct picture q = picture_of((VkImageCreateInfo){.extent = {8, 8, 1}});
    static const uint32_t zeroes[64];
    fill_texels(&p, COLOUR, 0, 0, a.map, a.size);
    fill_texels(&q, COLOUR, 0, 0, zeroes, sizeof(zeroes));
    const VkImageCopy copy = {.srcSubresource = {COLOUR, 0, 0, 1},
                              .srcOffset = {1, 2, 0},
                              .dstSubresource = {COLOUR, 0, 0, 1},
                              .dstOffset = {4, 3, 0},
                              .extent = {4, 5, 1}};
    VkCommandBuffer cmd = begin();
    vk.CmdCopyImage(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL, q.image, VK_IMAGE_LAYOUT_GENERAL, 1,
                    &copy);
    run(cmd);
    const uint32_t *got = texels_of(&q, COLOUR, 0, 0, 4);
    for (uint32_t i = 0; i < 64; i++) {
        const uint32_t x = i % 8 - 4, y = i / 8 - 3;
        expect(got[i] == (x < 4 && y < 5 ? word_at((y + 2) * 8 + x + 1) : 0), "the rectangle");
    }
}

// Formats of one size are copied as bits.
static void other_format(const void *argument)
{
    struct buffer a = counted(16);
    struct picture p = picture_of((VkImageCreateInfo){.extent = {4, 4, 1}});
    struct picture q =
        picture_of((VkImageCreateInfo){.format = VK_FORMAT_R8G8B8A8_UNORM, .extent = {4, 4, 1}});
    const VkImageCopy copy = {.srcSubresource = {COLOUR, 0, 0, 1},
                              .dstSubresource = {COLOUR, 0, 0, 1},
                              .extent = {4, 4, 1}};
    fill_texels(&p, COLOUR, 0, 0, a.map, a.size);
    VkCommandBuffer cmd = begin();
    vk.CmdCopyImage(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL, q.image, VK_IMAGE_LAYOUT_GENERAL, 1,
                    &copy);
    run(cmd);
    expect_words(texels_of(&q, COLOUR, 0, 0, 4), a.map, 16, "image");
}

static void layers_to_volume(const void *argument)
{
    struct buffer a = counted(4 * 4 * 3);
    struct picture p = picture_of((VkImageCreateInfo){.extent = {4, 4, 1}, .arrayLayers = 3});
    struct picture q =
        picture_of((VkImageCreateInfo){.imageType = VK_IMAGE_TYPE_3D, .extent = {4, 4, 3}});
    const VkImageCopy copy = {.srcSubresource = {COLOUR, 0, 0, 3},
                              .dstSubresource = {COLOUR, 0, 0, 1},
                              .extent = {4, 4, 3}};
    for (uint32_t i = 0; i < 3; i++)
        fill_texels(&p, COLOUR, 0, i, (uint32_t *)a.map + 16 * i, 64);
    VkCommandBuffer cmd = begin();
    vk.CmdCopyImage(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL, q.image, VK_IMAGE_LAYOUT_GENERAL, 1,
                    &copy);
    run(cmd);
    expect_words(texels_of(&q, COLOUR, 0, 0, 4), a.map, 48, "volume");
}

// The clear of one level and layer leaves the others alone.
static void clear_range(const void *argument)
{
    struct picture p =
        picture_of((VkImageCreateInfo){.extent = {4, 4, 1}, .mipLevels = 2, .arrayLayers = 2});
    const VkImageSubresourceRange all = {COLOUR, 0, VK_REMAINING_MIP_LEVELS, 0,
                                         VK_REMAINING_ARRAY_LAYERS},
                                  one = {COLOUR, 1, 1, 1, 1};
    VkCommandBuffer cmd = begin();
    vk.CmdClearColorImage(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL,
                          &(VkClearColorValue){.uint32 = {7}}, 1, &all);
    barrier(cmd);
    vk.CmdClearColorImage(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL,
                          &(VkClearColorValue){.uint32 = {9}}, 1, &one);
    run(cmd);
    for (uint32_t i = 0; i < 4; i++) {
        const uint32_t *got = texels_of(&p, COLOUR, i / 2, i % 2, 4);
        expect(got[0] == (i == 3 ? 9 : 7) && got[3] == got[0], "one level of one layer");
    }
}

static void linear_tiling(const void *argument)
{
    struct picture p = picture_of((VkImageCreateInfo){
        .format = VK_FORMAT_R8G8B8A8_UNORM, .extent = {8, 8, 1}, .tiling = VK_IMAGE_TILING_LINEAR});
    VkSubresourceLayout layout;
    vk.GetImageSubresourceLayout(gpu.device, p.image, &(VkImageSubresource){COLOUR, 0, 0}, &layout);
    expect(layout.rowPitch >= 32 && layout.size >= 7 * layout.rowPitch + 32, "room for all rows");
    struct buffer a = counted(64);
    fill_texels(&p, COLOUR, 0, 0, a.map, a.size);
    expect_words(texels_of(&p, COLOUR, 0, 0, 4), a.map, 64, "image");
}

// ---- blits ----------------------------------------------------------------

static struct picture rgba(uint32_t side)
{
    return make_picture(
        (VkImageCreateInfo){.format = VK_FORMAT_R8G8B8A8_UNORM, .extent = {side, side, 1}});
}

static void blit(const struct picture *p, const struct picture *q, VkOffset3D from[2],
                 VkOffset3D to[2], VkFilter filter)
{
    const VkImageBlit region = {.srcSubresource = {COLOUR, 0, 0, 1},
                                .srcOffsets = {from[0], from[1]},
                                .dstSubresource = {COLOUR, 0, 0, 1},
                                .dstOffsets = {to[0], to[1]}};
    VkCommandBuffer cmd = begin();
    vk.CmdBlitImage(cmd, p->image, VK_IMAGE_LAYOUT_GENERAL, q->image, VK_IMAGE_LAYOUT_GENERAL, 1,
                    &region, filter);
    run(cmd);
}

static void enlarge(const void *argument)
{
    struct buffer a = counted(16);
    struct picture p = rgba(4), q = rgba(8);
    fill_texels(&p, COLOUR, 0, 0, a.map, a.size);
    blit(&p, &q, (VkOffset3D[]){{0, 0, 0}, {4, 4, 1}}, (VkOffset3D[]){{0, 0, 0}, {8, 8, 1}},
         VK_FILTER_NEAREST);
    const uint32_t *got = texels_of(&q, COLOUR, 0, 0, 4);
    for (uint32_t i = 0; i < 64; i++)
        expect(got[i] == word_at(i / 16 * 4 + i % 8 / 2), "each texel four times");
}

static void mirror(const void *argument)
{
    struct buffer a = counted(16);
    struct picture p = rgba(4), q = rgba(4);
    fill_texels(&p, COLOUR, 0, 0, a.map, a.size);
    blit(&p, &q, (VkOffset3D[]){{4, 0, 0}, {0, 4, 1}}, (VkOffset3D[]){{0, 4, 0}, {4, 0, 1}},
         VK_FILTER_NEAREST);
    const uint32_t *got = texels_of(&q, COLOUR, 0, 0, 4);
    for (uint32_t i = 0; i < 16; i++)
        expect(got[i] == word_at(15 - i), "the picture, turned by half a turn");
}

static void halve(const void *argument)
{
    struct picture p = rgba(2), q = rgba(1);
    const uint32_t in[] = {0x00000000, 0x000000ff, 0x0000ff00, 0xff00ffff};
    fill_texels(&p, COLOUR, 0, 0, in, sizeof(in));
    blit(&p, &q, (VkOffset3D[]){{0, 0, 0}, {2, 2, 1}}, (VkOffset3D[]){{0, 0, 0}, {1, 1, 1}},
         VK_FILTER_LINEAR);
    const uint8_t *got = texels_of(&q, COLOUR, 0, 0, 4);
    const int want[] = {128, 128, 0, 64};
    for (int i = 0; i < 4; i++)
        expect(got[i] >= want[i] - 2 && got[i] <= want[i] + 2, "the mean of four texels");
}

// ---- resolves -------------------------------------------------------------

static void resolve(const void *argument)
{
    struct picture p =
        make_picture((VkImageCreateInfo){.format = VK_FORMAT_R8G8B8A8_UNORM,
                                         .extent = {4, 4, 1},
                                         .samples = VK_SAMPLE_COUNT_4_BIT,
                                         .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT});
    struct picture q = rgba(4);
    const VkImageSubresourceRange all = {COLOUR, 0, 1, 0, 1};
    const VkClearColorValue colour = {.float32 = {1, 0, 0.2f, 1}};
    const VkImageResolve region = {.srcSubresource = {COLOUR, 0, 0, 1},
                                   .dstSubresource = {COLOUR, 0, 0, 1},
                                   .extent = {4, 4, 1}};
    VkCommandBuffer cmd = begin();
    vk.CmdClearColorImage(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL, &colour, 1, &all);
    barrier(cmd);
    vk.CmdResolveImage(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL, q.image, VK_IMAGE_LAYOUT_GENERAL, 1,
                       &region);
    run(cmd);
    const uint32_t *got = texels_of(&q, COLOUR, 0, 0, 4);
    for (uint32_t i = 0; i < 16; i++)
        expect(got[i] == 0xff3300ff, "the colour of all samples");
}

void copy_checks(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *argument);
    } checks[] = {
        {"copies: regions of a buffer", copy_regions},
        {"copies: within a buffer", copy_within},
        {"copies: 2048 regions", copy_many},
        {"copies: vkCmdFillBuffer", fill},
        {"copies: vkCmdUpdateBuffer", update},
        {"copies: vkCmdCopyBuffer2", copy2},
        {"copies: rows of a wider picture", row_length},
        {"copies: layers of a higher picture", image_height},
        {"copies: part of an image", part_of_image},
        {"copies: mip levels", levels},
        {"copies: a volume", volume},
        {"copies: a line", line},
        {"copies: image to image", image_to_image},
        {"copies: to another format", other_format},
        {"copies: layers to a volume", layers_to_volume},
        {"copies: clear of one level and layer", clear_range},
        {"copies: linear tiling", linear_tiling},
        {"copies: blit that enlarges", enlarge},
        {"copies: blit that mirrors", mirror},
        {"copies: blit with a linear filter", halve},
        {"copies: resolve", resolve},
    };
    static const VkFormat compressed[] = {
        VK_FORMAT_BC1_RGB_UNORM_BLOCK, VK_FORMAT_BC3_UNORM_BLOCK, VK_FORMAT_BC7_UNORM_BLOCK,
        VK_FORMAT_ETC2_R8G8B8A8_UNORM_BLOCK, VK_FORMAT_ASTC_4x4_UNORM_BLOCK};
    static const char *const names[] = {"BC1", "BC3", "BC7", "ETC2", "ASTC"};
    char name[80];
    for (uint32_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        check(checks[i].name, checks[i].run, NULL);
    for (uint32_t i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "copies: blocks of %s", names[i]);
        check(name, blocks, &compressed[i]);
    }
}
