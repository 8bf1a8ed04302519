// hostcopy: pixels between images and the program's own memory without a command buffer
// (VK_EXT_host_image_copy): plain and compressed formats, mipmaps and array layers, rows longer
// than the region, several regions at once, a copy between images, the driver's own layout and
// back.
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    PFN_vkCopyMemoryToImageEXT to_image;
    PFN_vkCopyImageToMemoryEXT to_memory;
    PFN_vkCopyImageToImageEXT between;
    PFN_vkTransitionImageLayoutEXT transition;
    PFN_vkGetImageSubresourceLayout2EXT layout;
} copy;

static VkPhysicalDeviceHostImageCopyFeaturesEXT wanted = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_FEATURES_EXT,
    .hostImageCopy = VK_TRUE,
};

static void load(struct app *app)
{
#define LOAD(member, name) copy.member = (PFN_##name)vk.GetDeviceProcAddr(app->device, #name)
    LOAD(to_image, vkCopyMemoryToImageEXT);
    LOAD(to_memory, vkCopyImageToMemoryEXT);
    LOAD(between, vkCopyImageToImageEXT);
    LOAD(transition, vkTransitionImageLayoutEXT);
    LOAD(layout, vkGetImageSubresourceLayout2EXT);
#undef LOAD
    app_expect(copy.to_image && copy.to_memory && copy.between && copy.transition && copy.layout,
               "the functions of VK_EXT_host_image_copy");
}

static struct image make_image(struct app *app, VkFormat format, uint32_t width, uint32_t height,
                               uint32_t mips, uint32_t layers)
{
    struct image image =
        image_create(app,
                     &(VkImageCreateInfo){
                         .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                         .imageType = VK_IMAGE_TYPE_2D,
                         .format = format,
                         .extent = {width, height, 1},
                         .mipLevels = mips,
                         .arrayLayers = layers,
                         .samples = VK_SAMPLE_COUNT_1_BIT,
                         .usage = VK_IMAGE_USAGE_HOST_TRANSFER_BIT_EXT |
                                  VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                     },
                     VK_IMAGE_ASPECT_COLOR_BIT);
    VK_CHECK(
        copy.transition(app->device, 1,
                        &(VkHostImageLayoutTransitionInfoEXT){
                            .sType = VK_STRUCTURE_TYPE_HOST_IMAGE_LAYOUT_TRANSITION_INFO_EXT,
                            .image = image.image,
                            .newLayout = VK_IMAGE_LAYOUT_GENERAL,
                            .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, mips, 0, layers},
                        }));
    return image;
}

static uint8_t *pattern(size_t size, uint32_t seed)
{
    uint8_t *bytes = malloc(size);
    app_expect(bytes != NULL, "memory");
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    return bytes;
}

static VkMemoryToImageCopyEXT region(const void *bytes, uint32_t mip, uint32_t layers,
                                     VkOffset3D at, VkExtent3D extent, uint32_t row)
{
    return (VkMemoryToImageCopyEXT){
        .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY_EXT,
        .pHostPointer = bytes,
        .memoryRowLength = row,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, mip, 0, layers},
        .imageOffset = at,
        .imageExtent = extent,
    };
}

static void write_regions(struct app *app, struct image *image, VkHostImageCopyFlagsEXT flags,
                          const VkMemoryToImageCopyEXT *regions, uint32_t count)
{
    VK_CHECK(
        copy.to_image(app->device, &(VkCopyMemoryToImageInfoEXT){
                                       .sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_EXT,
                                       .flags = flags,
                                       .dstImage = image->image,
                                       .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                                       .regionCount = count,
                                       .pRegions = regions,
                                   }));
}

static void read_region(struct app *app, struct image *image, VkHostImageCopyFlagsEXT flags,
                        void *bytes, uint32_t mip, uint32_t layers, VkOffset3D at,
                        VkExtent3D extent, uint32_t row)
{
    const VkImageToMemoryCopyEXT one = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY_EXT,
        .pHostPointer = bytes,
        .memoryRowLength = row,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, mip, 0, layers},
        .imageOffset = at,
        .imageExtent = extent,
    };
    VK_CHECK(
        copy.to_memory(app->device, &(VkCopyImageToMemoryInfoEXT){
                                        .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_EXT,
                                        .flags = flags,
                                        .srcImage = image->image,
                                        .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                                        .regionCount = 1,
                                        .pRegions = &one,
                                    }));
}

static void check(const char *name, const void *got, const void *want, size_t size)
{
    app_expect(memcmp(got, want, size) == 0, name);
    printf("%s %016" PRIx64 "\n", name, hash_bytes(got, size));
}

// A whole image there and back.
static void round_trip(struct app *app, const char *name, VkFormat format, uint32_t width,
                       uint32_t height, uint32_t layers, size_t size)
{
    struct image image = make_image(app, format, width, height, 1, layers);
    uint8_t *bytes = pattern(size, 1), *back = calloc(1, size);
    app_expect(back != NULL, "memory");
    const VkExtent3D all = {width, height, 1};
    const VkMemoryToImageCopyEXT one = region(bytes, 0, layers, (VkOffset3D){0, 0, 0}, all, 0);
    write_regions(app, &image, 0, &one, 1);
    read_region(app, &image, 0, back, 0, layers, (VkOffset3D){0, 0, 0}, all, 0);
    check(name, back, bytes, size);
    free(bytes);
    free(back);
    image_destroy(app, &image);
}

// Two regions with long rows into a mip level, read back as one that covers both.
static void regions(struct app *app)
{
    enum { WIDTH = 32, HEIGHT = 16, ROW = 50 };
    struct image image = make_image(app, VK_FORMAT_R8G8B8A8_UNORM, WIDTH * 2, HEIGHT * 2, 2, 1);
    uint32_t *left = (uint32_t *)pattern(ROW * HEIGHT * 4, 2);
    uint32_t *right = (uint32_t *)pattern(ROW * HEIGHT * 4, 3);
    uint32_t want[WIDTH * HEIGHT], got[WIDTH * HEIGHT] = {0};
    const VkExtent3D half = {WIDTH / 2, HEIGHT, 1};
    const VkMemoryToImageCopyEXT both[] = {
        region(left, 1, 1, (VkOffset3D){0, 0, 0}, half, ROW),
        region(right, 1, 1, (VkOffset3D){WIDTH / 2, 0, 0}, half, ROW),
    };
    write_regions(app, &image, 0, both, 2);
    read_region(app, &image, 0, got, 1, 1, (VkOffset3D){0, 0, 0}, (VkExtent3D){WIDTH, HEIGHT, 1},
                0);
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++)
            want[y * WIDTH + x] =
                x < WIDTH / 2 ? left[y * ROW + x] : right[y * ROW + x - WIDTH / 2];
    check("regions", got, want, sizeof(want));

    // The last row of a read ends where its pixels end.
    uint32_t rows[ROW * HEIGHT];
    memset(rows, 0xee, sizeof(rows));
    read_region(app, &image, 0, rows, 1, 1, (VkOffset3D){0, 0, 0}, half, ROW);
    for (uint32_t y = 0; y < HEIGHT; y++)
        app_expect(memcmp(rows + y * ROW, left + y * ROW, WIDTH / 2 * 4) == 0, "rows of a read");
    app_expect(rows[(HEIGHT - 1) * ROW + WIDTH / 2] == 0xeeeeeeee, "nothing behind the last row");
    free(left);
    free(right);
    image_destroy(app, &image);
}

// From image to image, and out and in again in whatever layout the driver has for itself.
static void other_ways(struct app *app)
{
    enum { SIDE = 64, SIZE = SIDE * SIDE * 4 };
    struct image from = make_image(app, VK_FORMAT_B8G8R8A8_UNORM, SIDE, SIDE, 1, 1);
    struct image to = make_image(app, VK_FORMAT_B8G8R8A8_UNORM, SIDE, SIDE, 1, 1);
    const VkExtent3D all = {SIDE, SIDE, 1};
    const VkOffset3D zero = {0, 0, 0};
    uint8_t *bytes = pattern(SIZE, 4), *back = calloc(1, SIZE);
    app_expect(back != NULL, "memory");
    const VkMemoryToImageCopyEXT one = region(bytes, 0, 1, zero, all, 0);
    write_regions(app, &from, 0, &one, 1);
    const VkImageCopy2 whole = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_COPY_2,
        .srcSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
        .dstSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
        .extent = all,
    };
    VK_CHECK(copy.between(app->device, &(VkCopyImageToImageInfoEXT){
                                           .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_IMAGE_INFO_EXT,
                                           .srcImage = from.image,
                                           .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                                           .dstImage = to.image,
                                           .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                                           .regionCount = 1,
                                           .pRegions = &whole,
                                       }));
    read_region(app, &to, 0, back, 0, 1, zero, all, 0);
    check("between", back, bytes, SIZE);

    VkSubresourceHostMemcpySizeEXT own = {.sType =
                                              VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE_EXT};
    VkSubresourceLayout2EXT layout = {.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2_EXT,
                                      .pNext = &own};
    const VkImageSubresource2EXT first = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2_EXT,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0},
    };
    copy.layout(app->device, from.image, &first, &layout);
    app_expect(own.size >= SIZE, "the size of the driver's layout");
    uint8_t *opaque = calloc(1, own.size);
    app_expect(opaque != NULL, "memory");
    struct image again = make_image(app, VK_FORMAT_B8G8R8A8_UNORM, SIDE, SIDE, 1, 1);
    read_region(app, &from, VK_HOST_IMAGE_COPY_MEMCPY_EXT, opaque, 0, 1, zero, all, 0);
    const VkMemoryToImageCopyEXT raw = region(opaque, 0, 1, zero, all, 0);
    write_regions(app, &again, VK_HOST_IMAGE_COPY_MEMCPY_EXT, &raw, 1);
    memset(back, 0, SIZE);
    read_region(app, &again, 0, back, 0, 1, zero, all, 0);
    check("memcpy", back, bytes, SIZE);
    free(bytes);
    free(back);
    free(opaque);
    image_destroy(app, &from);
    image_destroy(app, &to);
    image_destroy(app, &again);
}

int main(void)
{
    static const char *const extensions[] = {VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME};
    struct app app;
    app_init(&app, &(struct app_wants){
                       .api_version = VK_API_VERSION_1_3,
                       .extensions = extensions,
                       .extension_count = 1,
                       .features = &wanted,
                   });
    load(&app);
    round_trip(&app, "rgba", VK_FORMAT_R8G8B8A8_UNORM, 100, 40, 1, 100 * 40 * 4);
    round_trip(&app, "layers", VK_FORMAT_R16_UNORM, 33, 20, 3, 33 * 20 * 3 * 2);
    round_trip(&app, "blocks", VK_FORMAT_BC1_RGB_UNORM_BLOCK, 62, 30, 1, 16 * 8 * 8);
    regions(&app);
    other_ways(&app);
    app_finish(&app);
    return 0;
}
