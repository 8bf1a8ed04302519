// Formats: how a colour lies in a texel, after a clear, a blit, a render pass, and in a shader.
#include <math.h>
#include <stdio.h>

#include "checks.h"
#include "fetch_float.comp.h"
#include "fetch_int.comp.h"
#include "fetch_uint.comp.h"

// ---- formats, as the specification describes them -------------------------

// U: normalized, S: signed normalized, u, i: integers, f: floats, r: sRGB.
struct format {
    VkFormat format;
    const char *name;
    char kind;
    const char *order; // channels from the least significant bit on
    uint8_t bits[4];
};

#define FORMAT(name, kind, order, ...)                                                             \
    {                                                                                              \
        VK_FORMAT_##name, #name, kind, order,                                                      \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
static const struct format formats[] = {
    FORMAT(R8_UNORM, 'U', "r", 8),
    FORMAT(R8_SNORM, 'S', "r", 8),
    FORMAT(R8_UINT, 'u', "r", 8),
    FORMAT(R8_SINT, 'i', "r", 8),
    FORMAT(R8G8_UNORM, 'U', "rg", 8, 8),
    FORMAT(R8G8_SNORM, 'S', "rg", 8, 8),
    FORMAT(R8G8_UINT, 'u', "rg", 8, 8),
    FORMAT(R8G8_SINT, 'i', "rg", 8, 8),
    FORMAT(R8G8B8A8_UNORM, 'U', "rgba", 8, 8, 8, 8),
    FORMAT(R8G8B8A8_SNORM, 'S', "rgba", 8, 8, 8, 8),
    FORMAT(R8G8B8A8_UINT, 'u', "rgba", 8, 8, 8, 8),
    FORMAT(R8G8B8A8_SINT, 'i', "rgba", 8, 8, 8, 8),
    FORMAT(R8G8B8A8_SRGB, 'r', "rgba", 8, 8, 8, 8),
    FORMAT(B8G8R8A8_UNORM, 'U', "bgra", 8, 8, 8, 8),
    FORMAT(B8G8R8A8_SRGB, 'r', "bgra", 8, 8, 8, 8),
    FORMAT(A8B8G8R8_UNORM_PACK32, 'U', "rgba", 8, 8, 8, 8),
    FORMAT(A8B8G8R8_SRGB_PACK32, 'r', "rgba", 8, 8, 8, 8),
    FORMAT(A2B10G10R10_UNORM_PACK32, 'U', "rgba", 10, 10, 10, 2),
    FORMAT(A2B10G10R10_UINT_PACK32, 'u', "rgba", 10, 10, 10, 2),
    FORMAT(A2R10G10B10_UNORM_PACK32, 'U', "bgra", 10, 10, 10, 2),
    FORMAT(R5G6B5_UNORM_PACK16, 'U', "bgr", 5, 6, 5),
    FORMAT(B5G6R5_UNORM_PACK16, 'U', "rgb", 5, 6, 5),
    FORMAT(A1R5G5B5_UNORM_PACK16, 'U', "bgra", 5, 5, 5, 1),
    FORMAT(R5G5B5A1_UNORM_PACK16, 'U', "abgr", 1, 5, 5, 5),
    FORMAT(R4G4B4A4_UNORM_PACK16, 'U', "abgr", 4, 4, 4, 4),
    FORMAT(A4R4G4B4_UNORM_PACK16, 'U', "bgra", 4, 4, 4, 4),
    FORMAT(R16_UNORM, 'U', "r", 16),
    FORMAT(R16_UINT, 'u', "r", 16),
    FORMAT(R16_SINT, 'i', "r", 16),
    FORMAT(R16_SFLOAT, 'f', "r", 16),
    FORMAT(R16G16_UNORM, 'U', "rg", 16, 16),
    FORMAT(R16G16_SNORM, 'S', "rg", 16, 16),
    FORMAT(R16G16_UINT, 'u', "rg", 16, 16),
    FORMAT(R16G16_SFLOAT, 'f', "rg", 16, 16),
    FORMAT(R16G16B16A16_UNORM, 'U', "rgba", 16, 16, 16, 16),
    FORMAT(R16G16B16A16_UINT, 'u', "rgba", 16, 16, 16, 16),
    FORMAT(R16G16B16A16_SINT, 'i', "rgba", 16, 16, 16, 16),
    FORMAT(R16G16B16A16_SFLOAT, 'f', "rgba", 16, 16, 16, 16),
    FORMAT(R32_UINT, 'u', "r", 32),
    FORMAT(R32_SINT, 'i', "r", 32),
    FORMAT(R32_SFLOAT, 'f', "r", 32),
    FORMAT(R32G32_UINT, 'u', "rg", 32, 32),
    FORMAT(R32G32_SFLOAT, 'f', "rg", 32, 32),
    FORMAT(R32G32B32A32_UINT, 'u', "rgba", 32, 32, 32, 32),
    FORMAT(R32G32B32A32_SINT, 'i', "rgba", 32, 32, 32, 32),
    FORMAT(R32G32B32A32_SFLOAT, 'f', "rgba", 32, 32, 32, 32),
    FORMAT(B10G11R11_UFLOAT_PACK32, 'F', "rgb", 11, 11, 10),
};

// The colour that goes in, by kind. Floats have few digits, so that they fit exactly.
static const float normalized[4] = {1, 0.2f, 0, 0.6f}, signed_normalized[4] = {-1, 0.25f, 0, 1},
                   floats[4] = {1.5f, -0.25f, 2, 0.5f}, positive[4] = {1.5f, 0.25f, 2, 1};
static const uint32_t integers[4] = {5, 100, 0, 3};
static const int32_t signed_integers[4] = {-5, 100, 0, -128};

static VkClearColorValue colour_of(const struct format *f)
{
    VkClearColorValue c;
    const void *from = f->kind == 'u'   ? (const void *)integers
                       : f->kind == 'i' ? (const void *)signed_integers
                       : f->kind == 'f' ? floats
                       : f->kind == 'F' ? positive
                       : f->kind == 'S' ? signed_normalized
                                        : normalized;
    memcpy(&c, from, sizeof(c));
    return c;
}

static uint32_t texel_size(const struct format *f)
{
    return (f->bits[0] + f->bits[1] + f->bits[2] + f->bits[3]) / 8u;
}

static int channel_of(char letter)
{
    return letter == 'r' ? 0 : letter == 'g' ? 1 : letter == 'b' ? 2 : 3;
}

static uint32_t bits_at(const uint8_t *texel, uint32_t at, uint32_t count)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; i++)
        value |= (uint64_t)(texel[(at + i) / 8] >> (at + i) % 8 & 1) << i;
    return (uint32_t)value;
}

// Floats of 5 bits of exponent, or of 32 bits.
static float float_of(uint32_t raw, uint32_t bits)
{
    if (bits == 32) {
        float f;
        memcpy(&f, &raw, 4);
        return f;
    }
    const uint32_t mantissa = bits == 16 ? 10 : bits - 5;
    const int exponent = (int)(raw >> mantissa & 31) - 15;
    const float f =
        ldexpf(1 + (float)(raw & ((1u << mantissa) - 1)) / (float)(1u << mantissa), exponent);
    return raw & ((1u << (mantissa + 5)) - 1) ? (raw >> 15 & 1 ? -f : f) : 0;
}

static double srgb(double linear)
{
    return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
}

// One channel of a texel against the colour.
static void expect_channel(const struct format *f, uint32_t raw, uint32_t bits, int channel,
                           const VkClearColorValue *c, const char *what)
{
    const double most =
        f->kind == 'S' ? (double)((1ull << (bits - 1)) - 1) : (double)((1ull << bits) - 1);
    const uint32_t mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1;
    double want = c->float32[channel], got = raw;
    bool same;
    switch (f->kind) {
    case 'u':
    case 'i':
        same = raw == (c->uint32[channel] & mask);
        break;
    case 'f':
    case 'F':
        same = float_of(raw, bits) == c->float32[channel];
        break;
    case 'S':
        got = (double)((int32_t)(raw << (32 - bits)) >> (32 - bits));
        same = fabs(got - want * most) <= 1;
        break;
    default:
        if (f->kind == 'r' && channel < 3)
            want = srgb(want);
        same = fabs(got - want * most) <= 1;
    }
    if (!same)
        fail("%s: channel %c is %x", what, "rgba"[channel], raw);
}

static void expect_texels(const struct format *f, const void *texels, uint32_t count,
                          const VkClearColorValue *c, const char *what)
{
    const uint32_t size = texel_size(f);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        for (uint32_t k = 0; f->order[k]; at += f->bits[k++])
            expect_channel(f, bits_at((const uint8_t *)texels + i * size, at, f->bits[k]),
                           f->bits[k], channel_of(f->order[k]), c, what);
    }
}

static struct picture picture_of(const struct format *f, VkImageUsageFlags usage)
{
    return make_picture(
        (VkImageCreateInfo){.format = f->format, .extent = {4, 4, 1}, .usage = usage});
}

static void clear(const struct picture *p, const VkClearColorValue *c)
{
    const VkImageSubresourceRange all = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    VkCommandBuffer cmd = begin();
    vk.CmdClearColorImage(cmd, p->image, VK_IMAGE_LAYOUT_GENERAL, c, 1, &all);
    run(cmd);
}

// ---- checks ---------------------------------------------------------------

static void cleared(const void *argument)
{
    const struct format *f = argument;
    const VkClearColorValue c = colour_of(f);
    struct picture p = picture_of(f, 0);
    clear(&p, &c);
    expect_texels(f, texels_of(&p, VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, texel_size(f)), 16, &c,
                  "clear");
}

static void attached(const void *argument)
{
    const struct format *f = argument;
    VkClearColorValue c = colour_of(f);
    need(format_has(f->format, VK_FORMAT_FEATURE_2_COLOR_ATTACHMENT_BIT), "not an attachment");
    struct picture p = picture_of(f, VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT);
    VkCommandBuffer cmd = begin();
    VkRenderingAttachmentInfo attachment = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = p.view,
        .imageLayout = VK_IMAGE_LAYOUT_GENERAL,
        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
    };
    const VkClearAttachment again = {VK_IMAGE_ASPECT_COLOR_BIT, 0, {.color = c}};
    const VkClearRect area = {{{0, 0}, {4, 2}}, 0, 1};
    vk.CmdBeginRendering(cmd, &(VkRenderingInfo){.sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                                 .renderArea = {{0, 0}, {4, 4}},
                                                 .layerCount = 1,
                                                 .colorAttachmentCount = 1,
                                                 .pColorAttachments = &attachment});
    vk.CmdClearAttachments(cmd, 1, &again, 1, &area);
    vk.CmdEndRendering(cmd);
    run(cmd);
    const uint8_t *texels = texels_of(&p, VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, texel_size(f));
    expect_texels(f, texels, 8, &c, "vkCmdClearAttachments");
    c = (VkClearColorValue){.uint32 = {0}};
    expect_texels(f, texels + 8 * texel_size(f), 8, &c, "the clear of the attachment");
}

static void blitted(const void *argument)
{
    const struct format *f = argument;
    static const struct format from = FORMAT(R32G32B32A32_SFLOAT, 'f', "rgba", 32, 32, 32, 32);
    const VkClearColorValue c = colour_of(f);
    need(format_has(f->format, VK_FORMAT_FEATURE_2_BLIT_DST_BIT) &&
             format_has(from.format, VK_FORMAT_FEATURE_2_BLIT_SRC_BIT),
         "not for blits");
    struct picture a = picture_of(&from, 0), b = picture_of(f, 0);
    const VkImageBlit region = {.srcSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                .srcOffsets = {{0, 0, 0}, {4, 4, 1}},
                                .dstSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                .dstOffsets = {{0, 0, 0}, {4, 4, 1}}};
    clear(&a, &c);
    VkCommandBuffer cmd = begin();
    vk.CmdBlitImage(cmd, a.image, VK_IMAGE_LAYOUT_GENERAL, b.image, VK_IMAGE_LAYOUT_GENERAL, 1,
                    &region, VK_FILTER_NEAREST);
    run(cmd);
    expect_texels(f, texels_of(&b, VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, texel_size(f)), 16, &c, "blit");
}

// What a shader makes of a texel, near what went in; channels that the format lacks are 0, 0, 0, 1.
static void expect_fetched(const struct format *f, const VkClearColorValue *c, const void *words)
{
    VkClearColorValue got;
    memcpy(&got, words, sizeof(got));
    for (int channel = 0; channel < 4; channel++) {
        const char *place = strchr(f->order, "rgba"[channel]);
        const uint32_t bits = place ? f->bits[place - f->order] : 0;
        if (f->kind == 'u' || f->kind == 'i') {
            const uint32_t mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1;
            uint32_t want = place ? c->uint32[channel] : channel == 3;
            if (place && f->kind == 'u')
                want &= mask;
            if (got.uint32[channel] != want)
                fail("channel %c is %x", "rgba"[channel], got.uint32[channel]);
            continue;
        }
        const float want = place ? c->float32[channel] : channel == 3;
        const float room = f->kind == 'f' || f->kind == 'F' ? 0
                           : !place                         ? 0
                           : f->kind == 'r'                 ? 0.02f
                                                            : 1.01f / (float)((1u << bits) - 1);
        if (fabsf(got.float32[channel] - want) > room * (f->kind == 'S' ? 2 : 1))
            fail("channel %c is %f", "rgba"[channel], (double)got.float32[channel]);
    }
}

void fetch_uint(VkImageView view, uint32_t texel[4])
{
    struct buffer out = make_buffer(16, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const struct bound bound[] = {
        {.type = VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, .image = {0, view, VK_IMAGE_LAYOUT_GENERAL}},
        STORAGE(out)};
    struct work work = {CODE(fetch_uint_comp), .bound = bound, .bound_count = 2};
    compute(&work, 1);
    memcpy(texel, out.map, 16);
}

static void fetched(const void *argument)
{
    const struct format *f = argument;
    const VkClearColorValue c = colour_of(f);
    need(format_has(f->format, VK_FORMAT_FEATURE_2_SAMPLED_IMAGE_BIT), "not sampled");
    struct picture p = picture_of(f, VK_IMAGE_USAGE_SAMPLED_BIT);
    struct buffer out = make_buffer(16, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const struct bound bound[] = {
        {.type = VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, .image = {0, p.view, VK_IMAGE_LAYOUT_GENERAL}},
        STORAGE(out)};
    struct work work = {CODE(fetch_float_comp), .bound = bound, .bound_count = 2};
    if (f->kind == 'i')
        work = (struct work){CODE(fetch_int_comp), .bound = bound, .bound_count = 2};
    clear(&p, &c);
    if (f->kind == 'u')
        fetch_uint(p.view, out.map);
    else
        compute(&work, 1);
    expect_fetched(f, &c, out.map);
}

// ---- depth and stencil ----------------------------------------------------

static const struct depth {
    VkFormat format;
    const char *name;
    uint32_t depth_size; // bytes in a buffer; 0: none
    bool stencil;
} depths[] = {
    {VK_FORMAT_D16_UNORM, "D16_UNORM", 2, false},
    {VK_FORMAT_X8_D24_UNORM_PACK32, "X8_D24_UNORM_PACK32", 4, false},
    {VK_FORMAT_D32_SFLOAT, "D32_SFLOAT", 4, false},
    {VK_FORMAT_S8_UINT, "S8_UINT", 0, true},
    {VK_FORMAT_D24_UNORM_S8_UINT, "D24_UNORM_S8_UINT", 4, true},
    {VK_FORMAT_D32_SFLOAT_S8_UINT, "D32_SFLOAT_S8_UINT", 4, true},
};

static void depth_cleared(const void *argument)
{
    const struct depth *d = argument;
    const VkClearDepthStencilValue value = {0.5f, 0xa5};
    struct picture p = make_picture((VkImageCreateInfo){.format = d->format, .extent = {4, 4, 1}});
    const VkImageSubresourceRange all = {p.aspect, 0, 1, 0, 1};
    VkCommandBuffer cmd = begin();
    vk.CmdClearDepthStencilImage(cmd, p.image, VK_IMAGE_LAYOUT_GENERAL, &value, 1, &all);
    run(cmd);
    if (d->depth_size) {
        uint32_t raw = 0;
        memcpy(&raw, texels_of(&p, VK_IMAGE_ASPECT_DEPTH_BIT, 0, 0, d->depth_size), d->depth_size);
        const bool is_float = strstr(d->name, "SFLOAT") != NULL;
        const double most = d->depth_size == 2 ? 65535 : 16777215;
        const double got =
            is_float ? float_of(raw, 32) : (d->depth_size == 2 ? raw : raw & 0xffffff) / most;
        if (fabs(got - 0.5) > (is_float ? 0 : 1 / most))
            fail("depth is %x", raw);
    }
    if (d->stencil) {
        const uint8_t *stencil = texels_of(&p, VK_IMAGE_ASPECT_STENCIL_BIT, 0, 0, 1);
        expect(stencil[0] == 0xa5 && stencil[15] == 0xa5, "the stencil value");
    }
}

// Depths and stencil values that a buffer brings come back as they are.
static void depth_copied(const void *argument)
{
    const struct depth *d = argument;
    struct picture p = make_picture((VkImageCreateInfo){.format = d->format, .extent = {4, 4, 1}});
    if (d->depth_size == 2) {
        uint16_t in[16];
        for (uint32_t i = 0; i < 16; i++)
            in[i] = (uint16_t)(i * 4369);
        fill_texels(&p, VK_IMAGE_ASPECT_DEPTH_BIT, 0, 0, in, sizeof(in));
        expect(!memcmp(texels_of(&p, VK_IMAGE_ASPECT_DEPTH_BIT, 0, 0, 2), in, sizeof(in)),
               "the same depths");
    } else if (d->depth_size == 4 && strstr(d->name, "SFLOAT")) {
        float in[16];
        for (uint32_t i = 0; i < 16; i++)
            in[i] = (float)i / 16;
        fill_texels(&p, VK_IMAGE_ASPECT_DEPTH_BIT, 0, 0, in, sizeof(in));
        expect(!memcmp(texels_of(&p, VK_IMAGE_ASPECT_DEPTH_BIT, 0, 0, 4), in, sizeof(in)),
               "the same depths");
    }
    if (d->stencil) {
        uint8_t in[16];
        for (uint32_t i = 0; i < 16; i++)
            in[i] = (uint8_t)(i * 17);
        fill_texels(&p, VK_IMAGE_ASPECT_STENCIL_BIT, 0, 0, in, sizeof(in));
        expect(!memcmp(texels_of(&p, VK_IMAGE_ASPECT_STENCIL_BIT, 0, 0, 1), in, sizeof(in)),
               "the same stencil values");
    }
}

void format_checks(void)
{
    static const struct {
        const char *word;
        void (*run)(const void *argument);
    } ways[] = {{"clear", cleared}, {"attach", attached}, {"blit to", blitted}, {"fetch", fetched}};
    char name[80];
    for (uint32_t way = 0; way < 4; way++)
        for (uint32_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
            // A blit does not turn floats into integers.
            if (ways[way].run == blitted && (formats[i].kind == 'u' || formats[i].kind == 'i'))
                continue;
            snprintf(name, sizeof(name), "formats: %s %s", ways[way].word, formats[i].name);
            check(name, ways[way].run, &formats[i]);
        }
    for (uint32_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        snprintf(name, sizeof(name), "formats: clear %s", depths[i].name);
        check(name, depth_cleared, &depths[i]);
        snprintf(name, sizeof(name), "formats: copy %s", depths[i].name);
        check(name, depth_copied, &depths[i]);
    }
}
