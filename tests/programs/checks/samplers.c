// Samplers and image views: where a shader finds its texels, and what it makes of them.
#include <math.h>
#include <stdio.h>

#include "checks.h"
#include "sample.comp.h"
#include "shadow.comp.h"

#define COLOUR VK_IMAGE_ASPECT_COLOR_BIT

enum how { LOD, GATHER, SIZE, OFFSET };

// A picture of 4 x 4 whose red is 16 * its number; 2 x 2: 200 + number; 1 x 1: 240.
static struct picture steps(void)
{
    uint32_t texels[16];
    struct picture p = make_picture((VkImageCreateInfo){.format = VK_FORMAT_R8G8B8A8_UNORM,
                                                        .extent = {4, 4, 1},
                                                        .mipLevels = 3,
                                                        .usage = VK_IMAGE_USAGE_SAMPLED_BIT});
    for (uint32_t level = 0; level < 3; level++) {
        const uint32_t count = 16u >> 2 * level;
        for (uint32_t i = 0; i < count; i++)
            texels[i] = 0xff000000 | (level == 0 ? 16 * i : level == 1 ? 200 + i : 240);
        fill_texels(&p, COLOUR, level, 0, texels, 4 * count);
    }
    return p;
}

static VkSamplerCreateInfo plain(void)
{
    return (VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                                 .maxLod = VK_LOD_CLAMP_NONE,
                                 .addressModeU = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE,
                                 .addressModeV = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE};
}

// The four floats that the shader gets, in units of 1/255.
static const float *sample(VkImageView view, const VkSamplerCreateInfo *info, enum how how, float x,
                           float y, float lod)
{
    static float result[4];
    VkSampler sampler;
    TRY(vk.CreateSampler(gpu.device, info, NULL, &sampler));
    keep_Sampler(sampler);
    struct buffer out = make_buffer(16, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const struct bound bound[] = {{.type = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                                   .image = {sampler, view, VK_IMAGE_LAYOUT_GENERAL}},
                                  STORAGE(out)};
    const float push[] = {x, y, lod};
    const VkSpecializationMapEntry entry = {0, 0, 4};
    const VkSpecializationInfo special = {1, &entry, 4, &how};
    struct work work = {CODE(sample_comp),         .bound = bound,
                        .bound_count = 2,          .push = push,
                        .push_size = sizeof(push), .special = &special};
    compute(&work, 1);
    memcpy(result, out.map, 16);
    for (int i = 0; i < 4 && how != SIZE; i++)
        result[i] *= 255;
    return result;
}

static void expect_near(float got, float want, float room)
{
    if (!(fabsf(got - want) <= room))
        fail("%.2f, expected %.2f", (double)got, (double)want);
}

// ---- addresses and borders ------------------------------------------------

static const struct address {
    const char *name;
    VkSamplerAddressMode mode;
    float at[4];    // along x, in texels
    float texel[4]; // of the first row; 5: the border
} addresses[] = {
    {"repeat", VK_SAMPLER_ADDRESS_MODE_REPEAT, {-0.5f, 0.5f, 4.5f, -3.5f}, {3, 0, 0, 0}},
    {"mirrored repeat",
     VK_SAMPLER_ADDRESS_MODE_MIRRORED_REPEAT,
     {-0.5f, -1.5f, 4.5f, 5.5f},
     {0, 1, 3, 2}},
    {"clamp to edge", VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE, {-0.5f, -9, 4.5f, 90}, {0, 0, 3, 3}},
    {"clamp to border",
     VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_BORDER,
     {-0.5f, 0.5f, 3.5f, 4.5f},
     {5, 0, 3, 5}},
    {"mirror clamp to edge",
     VK_SAMPLER_ADDRESS_MODE_MIRROR_CLAMP_TO_EDGE,
     {-0.5f, -2.5f, 4.5f, -7.5f},
     {0, 2, 3, 3}},
};

static void address(const void *argument)
{
    const struct address *a = argument;
    VkSamplerCreateInfo info = plain();
    need(a->mode != VK_SAMPLER_ADDRESS_MODE_MIRROR_CLAMP_TO_EDGE ||
             offers.v12.samplerMirrorClampToEdge,
         "samplerMirrorClampToEdge");
    struct picture p = steps();
    info.addressModeU = a->mode;
    info.borderColor = VK_BORDER_COLOR_FLOAT_OPAQUE_WHITE;
    for (int i = 0; i < 4; i++)
        expect_near(sample(p.view, &info, LOD, a->at[i] / 4, 0.1f, 0)[0],
                    a->texel[i] == 5 ? 255 : 16 * a->texel[i], 0.1f);
}

static const struct border {
    const char *name;
    VkBorderColor colour;
    float want[4];
} borders[] = {
    {"transparent black", VK_BORDER_COLOR_FLOAT_TRANSPARENT_BLACK, {0, 0, 0, 0}},
    {"opaque black", VK_BORDER_COLOR_FLOAT_OPAQUE_BLACK, {0, 0, 0, 255}},
    {"opaque white", VK_BORDER_COLOR_FLOAT_OPAQUE_WHITE, {255, 255, 255, 255}},
    {"custom", VK_BORDER_COLOR_FLOAT_CUSTOM_EXT, {51, 102, 0, 204}},
};

static void border(const void *argument)
{
    const struct border *b = argument;
    VkSamplerCreateInfo info = plain();
    const VkSamplerCustomBorderColorCreateInfoEXT custom = {
        .sType = VK_STRUCTURE_TYPE_SAMPLER_CUSTOM_BORDER_COLOR_CREATE_INFO_EXT,
        .customBorderColor.float32 = {0.2f, 0.4f, 0, 0.8f},
        .format = VK_FORMAT_R8G8B8A8_UNORM};
    info.addressModeU = info.addressModeV = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_BORDER;
    info.borderColor = b->colour;
    if (b->colour == VK_BORDER_COLOR_FLOAT_CUSTOM_EXT) {
        need(offers.border.customBorderColors, "customBorderColors");
        info.pNext = &custom;
    }
    struct picture p = steps();
    const float *got = sample(p.view, &info, LOD, 2, 2, 0);
    for (int i = 0; i < 4; i++)
        expect_near(got[i], b->want[i], 1);
}

// ---- filters and levels ---------------------------------------------------

static const struct filter {
    const char *name;
    VkFilter filter;
    VkSamplerMipmapMode mip;
    float bias, least, most;
    float x, y, lod;
    float want;
} filters[] = {
    {"nearest", 0, 0, 0, 0, 9, 1.9f, 2.1f, 0, 16 * 9},
    {"linear along x", 1, 0, 0, 0, 9, 2, 0.5f, 0, 24},
    {"linear along both", 1, 0, 0, 0, 9, 2, 2, 0, 16 * 7.5f},
    {"linear at a texel", 1, 0, 0, 0, 9, 1.5f, 1.5f, 0, 80},
    {"level 1", 0, 0, 0, 0, 9, 0.1f, 0.1f, 1, 200},
    {"level 2", 0, 0, 0, 0, 9, 0.1f, 0.1f, 2, 240},
    {"a level that there is not", 0, 0, 0, 0, 9, 0.1f, 0.1f, 7, 240},
    {"the nearest level", 0, 0, 0, 0, 9, 0.1f, 0.1f, 1.6f, 240},
    {"between two levels", 0, 1, 0, 0, 9, 0.1f, 0.1f, 1.5f, 220},
    {"minLod", 0, 0, 0, 1, 9, 0.1f, 0.1f, 0, 200},
    {"maxLod", 0, 0, 0, 0, 1, 0.1f, 0.1f, 2, 200},
    {"mipLodBias", 0, 0, 1, 0, 9, 0.1f, 0.1f, 1, 240},
};

static void filter(const void *argument)
{
    const struct filter *f = argument;
    VkSamplerCreateInfo info = plain();
    info.minFilter = info.magFilter = f->filter;
    info.mipmapMode = f->mip;
    info.mipLodBias = f->bias;
    info.minLod = f->least;
    info.maxLod = f->most;
    struct picture p = steps();
    expect_near(sample(p.view, &info, LOD, f->x / 4, f->y / 4, f->lod)[0], f->want, 1);
}

// Four texels, from the lower left one counterclockwise.
static void gather(const void *argument)
{
    VkSamplerCreateInfo info = plain();
    struct picture p = steps();
    const float *got = sample(p.view, &info, GATHER, 0.5f, 0.5f, 0);
    const float want[] = {16 * 9, 16 * 10, 16 * 6, 16 * 5};
    for (int i = 0; i < 4; i++)
        expect_near(got[i], want[i], 0.1f);
}

static void size(const void *argument)
{
    VkSamplerCreateInfo info = plain();
    struct picture p = steps();
    const float *got = sample(p.view, &info, SIZE, 0, 0, 1);
    expect(got[0] == 2 && got[1] == 2 && got[2] == 3, "2 x 2 in level 1, three levels");
}

static void offset(const void *argument)
{
    VkSamplerCreateInfo info = plain();
    struct picture p = steps();
    expect_near(sample(p.view, &info, OFFSET, 0.1f, 0.1f, 0)[0], 16, 0.1f);
}

// ---- comparisons ----------------------------------------------------------

static const struct comparison {
    const char *name;
    float below, equal, above; // the reference, against the texel
} comparisons[] = {
    [VK_COMPARE_OP_NEVER] = {"never", 0, 0, 0},
    [VK_COMPARE_OP_LESS] = {"less", 1, 0, 0},
    [VK_COMPARE_OP_EQUAL] = {"equal", 0, 1, 0},
    [VK_COMPARE_OP_LESS_OR_EQUAL] = {"less or equal", 1, 1, 0},
    [VK_COMPARE_OP_GREATER] = {"greater", 0, 0, 1},
    [VK_COMPARE_OP_NOT_EQUAL] = {"not equal", 1, 0, 1},
    [VK_COMPARE_OP_GREATER_OR_EQUAL] = {"greater or equal", 0, 1, 1},
    [VK_COMPARE_OP_ALWAYS] = {"always", 1, 1, 1},
};

static void comparison(const void *argument)
{
    const struct comparison *c = argument;
    VkSamplerCreateInfo info = plain();
    VkSampler sampler;
    info.compareEnable = VK_TRUE;
    info.compareOp = (VkCompareOp)(c - comparisons);
    struct picture p = make_picture((VkImageCreateInfo){
        .format = VK_FORMAT_D32_SFLOAT, .extent = {1, 1, 1}, .usage = VK_IMAGE_USAGE_SAMPLED_BIT});
    fill_texels(&p, VK_IMAGE_ASPECT_DEPTH_BIT, 0, 0, &(float){0.5f}, 4);
    TRY(vk.CreateSampler(gpu.device, &info, NULL, &sampler));
    keep_Sampler(sampler);
    struct buffer out = make_buffer(16, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const struct bound bound[] = {{.type = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                                   .image = {sampler, p.view, VK_IMAGE_LAYOUT_GENERAL}},
                                  STORAGE(out)};
    const float push[] = {0.5f, 0.5f, 0.25f, 0, 0.5f, 0.5f, 0.5f, 0, 0.5f, 0.5f, 0.75f};
    struct work work = {CODE(shadow_comp), .bound = bound, .bound_count = 2, .push = push,
                        .push_size = sizeof(push)};
    compute(&work, 1);
    const float *got = out.map;
    expect(got[0] == c->below && got[1] == c->equal && got[2] == c->above, "three comparisons");
}

// ---- views ----------------------------------------------------------------

static void swizzle(const void *argument)
{
    struct picture p = make_picture((VkImageCreateInfo){.format = VK_FORMAT_R8G8B8A8_UNORM,
                                                        .extent = {1, 1, 1},
                                                        .usage = VK_IMAGE_USAGE_SAMPLED_BIT});
    const uint32_t texel = 0x40302010;
    const VkSamplerCreateInfo info = plain();
    VkImageView view;
    fill_texels(&p, COLOUR, 0, 0, &texel, 4);
    TRY(vk.CreateImageView(
        gpu.device,
        &(VkImageViewCreateInfo){.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                 .image = p.image,
                                 .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                 .format = p.info.format,
                                 .components = {VK_COMPONENT_SWIZZLE_B, VK_COMPONENT_SWIZZLE_ONE,
                                                VK_COMPONENT_SWIZZLE_ZERO, VK_COMPONENT_SWIZZLE_R},
                                 .subresourceRange = {COLOUR, 0, 1, 0, 1}},
        NULL, &view));
    const float *got = sample(keep_ImageView(view), &info, LOD, 0.5f, 0.5f, 0);
    const float want[] = {0x30, 255, 0, 0x10};
    for (int i = 0; i < 4; i++)
        expect_near(got[i], want[i], 0.1f);
}

static void one_level(const void *argument)
{
    struct picture p = steps();
    const VkSamplerCreateInfo info = plain();
    VkImageView view =
        make_view(&p, VK_IMAGE_VIEW_TYPE_2D, 0, (VkImageSubresourceRange){COLOUR, 1, 1, 0, 1});
    expect_near(sample(view, &info, LOD, 0.9f, 0.9f, 0)[0], 203, 0.1f);
    expect_near(sample(view, &info, LOD, 0.9f, 0.9f, 2)[0], 203, 0.1f);
}

static void one_layer(const void *argument)
{
    struct picture p = make_picture((VkImageCreateInfo){.format = VK_FORMAT_R8G8B8A8_UNORM,
                                                        .extent = {1, 1, 1},
                                                        .arrayLayers = 3,
                                                        .usage = VK_IMAGE_USAGE_SAMPLED_BIT});
    const VkSamplerCreateInfo info = plain();
    for (uint32_t layer = 0; layer < 3; layer++)
        fill_texels(&p, COLOUR, 0, layer, &(uint32_t){10 * layer + 5}, 4);
    VkImageView view =
        make_view(&p, VK_IMAGE_VIEW_TYPE_2D, 0, (VkImageSubresourceRange){COLOUR, 0, 1, 2, 1});
    expect_near(sample(view, &info, LOD, 0.5f, 0.5f, 0)[0], 25, 0.1f);
}

static void other_format(const void *argument)
{
    struct picture p = make_picture((VkImageCreateInfo){.flags = VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT,
                                                        .format = VK_FORMAT_R8G8B8A8_UNORM,
                                                        .extent = {4, 4, 1},
                                                        .usage = VK_IMAGE_USAGE_SAMPLED_BIT});
    uint32_t texels[16];
    for (uint32_t i = 0; i < 16; i++)
        texels[i] = 0x01020304 * i;
    fill_texels(&p, COLOUR, 0, 0, texels, sizeof(texels));
    VkImageView view = make_view(&p, VK_IMAGE_VIEW_TYPE_2D, VK_FORMAT_R32_UINT,
                                 (VkImageSubresourceRange){COLOUR, 0, 1, 0, 1});
    uint32_t texel[4];
    fetch_uint(view, texel);
    expect_words(texel, &texels[9], 1, "the texel as one number");
}

#define TABLE(table, what, run)                                                                    \
    for (uint32_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++) {                            \
        snprintf(name, sizeof(name), what, (table)[i].name);                                       \
        check(name, run, &(table)[i]);                                                             \
    }

void sampler_checks(void)
{
    char name[80];
    TABLE(addresses, "samplers: %s", address)
    TABLE(borders, "samplers: border of %s", border)
    TABLE(filters, "samplers: %s", filter)
    TABLE(comparisons, "samplers: compare %s", comparison)
    check("samplers: textureGather", gather, NULL);
    check("samplers: textureSize", size, NULL);
    check("samplers: an offset", offset, NULL);
    check("views: swizzle", swizzle, NULL);
    check("views: one level", one_level, NULL);
    check("views: one layer", one_layer, NULL);
    check("views: another format", other_format, NULL);
}
