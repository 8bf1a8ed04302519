// Compute shaders: constants, dispatches, atomics, descriptors, what lies out of bounds.
#include <stdint.h>
#include <stdio.h>

#include "atomics.comp.h"
#include "checks.h"
#include "doubles.comp.h"
#include "kinds.comp.h"
#include "robust.comp.h"
#include "shared.comp.h"
#include "subgroups.comp.h"
#include "wide.comp.h"
#include "words.comp.h"

#define STORAGE_USE VK_BUFFER_USAGE_STORAGE_BUFFER_BIT

// ---- constants and dispatches ---------------------------------------------

static uint32_t pushed[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

struct words {
    struct buffer out;
    struct bound bound;
    struct work work;
};

static void open_words(struct words *w, const VkSpecializationInfo *special)
{
    w->out = make_buffer(100, STORAGE_USE);
    w->bound = (struct bound)STORAGE(w->out);
    w->work = (struct work){CODE(words_comp), .bound = &w->bound,          .bound_count = 1,
                            .push = pushed,   .push_size = sizeof(pushed), .special = special};
}

static void run_words(const VkSpecializationInfo *special, const uint32_t want[5])
{
    struct words w;
    open_words(&w, special);
    compute(&w.work, 3);
    expect_words(w.out.map, want, 5, "constants");
    const uint32_t rest[] = {3, 1, 1};
    expect_words((uint32_t *)w.out.map + 5, rest, 3, "gl_NumWorkGroups");
    expect_words((uint32_t *)w.out.map + 8, pushed, 16, "push constants");
    expect(((uint32_t *)w.out.map)[24] == 3 * want[4], "as many invocations as were asked for");
}

static void default_constants(const void *argument)
{
    run_words(NULL, (uint32_t[]){1, (uint32_t)-5, 7, 0x3f000000, 1});
}

static void all_constants(const void *argument)
{
    const uint32_t data[] = {8, 0, (uint32_t)-1000, 0xffffffff, 0xbf800000};
    const VkSpecializationMapEntry entries[] = {
        {0, 0, 4}, {1, 4, 4}, {2, 8, 4}, {3, 12, 4}, {4, 16, 4}};
    run_words(&(VkSpecializationInfo){5, entries, sizeof(data), data},
              (uint32_t[]){0, (uint32_t)-1000, 0xffffffff, 0xbf800000, 8});
}

// Entries in any order, with gaps in the data, and one that no constant has.
static void some_constants(const void *argument)
{
    uint8_t data[32] = {0};
    const uint32_t natural = 99, size = 4;
    memcpy(data + 5, &natural, 4);
    memcpy(data + 21, &size, 4);
    const VkSpecializationMapEntry entries[] = {{3, 5, 4}, {50, 1, 4}, {0, 21, 4}};
    run_words(&(VkSpecializationInfo){3, entries, sizeof(data), data},
              (uint32_t[]){1, (uint32_t)-5, 99, 0x3f000000, 4});
}

static void push_in_parts(const void *argument)
{
    struct words w;
    uint32_t want[16];
    open_words(&w, NULL);
    prepare(&w.work);
    VkCommandBuffer cmd = begin();
    bind(cmd, &w.work);
    memcpy(want, pushed, sizeof(want));
    want[3] = 300;
    want[14] = 1400;
    want[15] = 1500;
    vk.CmdPushConstants(cmd, w.work.layout, VK_SHADER_STAGE_ALL, 12, 4, &want[3]);
    vk.CmdPushConstants(cmd, w.work.layout, VK_SHADER_STAGE_ALL, 56, 8, &want[14]);
    vk.CmdDispatch(cmd, 1, 1, 1);
    run(cmd);
    expect_words((uint32_t *)w.out.map + 8, want, 16, "push constants");
}

// Push constants stay when another pipeline with the same layout is bound.
static void push_stays(const void *argument)
{
    struct words w, other;
    open_words(&w, NULL);
    open_words(&other, NULL);
    prepare(&w.work);
    prepare(&other.work);
    VkCommandBuffer cmd = begin();
    bind(cmd, &w.work);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, other.work.pipeline);
    vk.CmdDispatch(cmd, 1, 1, 1);
    run(cmd);
    expect_words((uint32_t *)w.out.map + 8, pushed, 16, "push constants");
}

static void indirect(const void *argument)
{
    struct words w;
    const uint32_t groups[] = {0, 2, 3, 4}, want[] = {2, 3, 4};
    struct buffer b = make_words(groups, 4, VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT);
    open_words(&w, NULL);
    prepare(&w.work);
    VkCommandBuffer cmd = begin();
    bind(cmd, &w.work);
    vk.CmdDispatchIndirect(cmd, b.buffer, 4);
    run(cmd);
    expect_words((uint32_t *)w.out.map + 5, want, 3, "gl_NumWorkGroups");
    expect(((uint32_t *)w.out.map)[24] == 24, "24 invocations");
}

static void no_groups(const void *argument)
{
    struct words w;
    open_words(&w, NULL);
    prepare(&w.work);
    VkCommandBuffer cmd = begin();
    bind(cmd, &w.work);
    vk.CmdDispatch(cmd, 0, 1, 1);
    vk.CmdDispatch(cmd, 5, 5, 0);
    run(cmd);
    expect(((uint32_t *)w.out.map)[24] == 0, "no invocation");
}

static const struct atomic {
    const char *name;
    uint32_t before, after;
} atomics[] = {
    {"add", 7, 2087}, {"min", 50, 1},        {"max", 50, 64},     {"and", 0xffffffff, 0xffffff80},
    {"or", 128, 255}, {"xor", 0x100, 0x140}, {"exchange", 5, 77}, {"compare and swap", 1, 129},
};

static void atomic(const void *argument)
{
    const struct atomic *a = argument;
    const uint32_t which = (uint32_t)(a - atomics);
    const VkSpecializationMapEntry entry = {0, 0, 4};
    const VkSpecializationInfo special = {1, &entry, 4, &which};
    struct buffer b = make_words(&a->before, 1, STORAGE_USE);
    const struct bound bound = STORAGE(b);
    struct work work = {CODE(atomics_comp), .bound = &bound, .bound_count = 1, .special = &special};
    compute(&work, 1);
    expect_words(b.map, &a->after, 1, a->name);
}

static void shared_memory(const void *argument)
{
    struct buffer in = make_buffer(1024, STORAGE_USE), out = make_buffer(16, STORAGE_USE);
    const struct bound bound[] = {STORAGE(in), STORAGE(out)};
    struct work work = {CODE(shared_comp), .bound = bound, .bound_count = 2};
    for (uint32_t i = 0; i < 256; i++)
        ((uint32_t *)in.map)[i] = i;
    compute(&work, 4);
    expect_words(out.map, (uint32_t[]){2016, 6112, 10208, 14304}, 4, "sums");
}

static void wide(const void *argument)
{
    need(offers.features.features.shaderInt64, "shaderInt64");
    struct buffer b = make_buffer(32, STORAGE_USE);
    uint64_t *n = b.map;
    n[0] = 0x123456789abcdefull;
    n[1] = 0xffffffffull;
    const struct bound bound = STORAGE(b);
    struct work work = {CODE(wide_comp), .bound = &bound, .bound_count = 1};
    compute(&work, 1);
    expect(n[2] == n[0] + n[1] && n[3] == n[0] * n[1], "sum and product of 64 bits");
}

static void doubles(const void *argument)
{
    need(offers.features.features.shaderFloat64, "shaderFloat64");
    struct buffer b = make_buffer(32, STORAGE_USE);
    double *n = b.map;
    n[0] = 1e200;
    n[1] = 4096;
    const struct bound bound = STORAGE(b);
    struct work work = {CODE(doubles_comp), .bound = &bound, .bound_count = 1};
    compute(&work, 1);
    expect(n[2] == n[0] + n[1] && n[3] == n[0] / n[1], "sum and quotient of 64 bits");
}

static void subgroups(const void *argument)
{
    VkPhysicalDeviceSubgroupProperties s = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                     .pNext = &s};
    vk.GetPhysicalDeviceProperties2(gpu.gpu, &p);
    struct buffer b = make_buffer(8, STORAGE_USE);
    const struct bound bound = STORAGE(b);
    struct work work = {CODE(subgroups_comp), .bound = &bound, .bound_count = 1};
    compute(&work, 1);
    const uint32_t *got = b.map;
    expect(got[0] && !(got[0] & (got[0] - 1)) && got[0] <= 128, "a power of two");
    expect(got[1] >= 64 && got[1] % got[0] == 0, "one of each subgroup elected");
    expect(s.subgroupSize && s.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT,
           "a size that is told");
}

// ---- kinds of descriptors -------------------------------------------------

static const struct kind {
    const char *name;
    uint32_t word;          // of the result
    uint32_t want, written; // what is read; what is there afterwards, if it can be written
} kinds[] = {
    {"a sampler and a sampled image", 0, 51, 0},
    {"a combined image sampler", 2, 102, 0},
    {"a storage image", 3, 3, 1003},
    {"a uniform texel buffer", 4, 41, 0},
    {"a storage texel buffer", 5, 51, 1005},
    {"a uniform buffer", 6, 6, 0},
    {"a storage buffer", 7, 7, 1007},
    {"a dynamic uniform buffer", 8, 8, 0},
    {"a dynamic storage buffer", 9, 9, 1009},
};

static VkBufferView texel_view(VkBuffer buffer, VkDeviceSize range)
{
    VkBufferView view;
    TRY(vk.CreateBufferView(
        gpu.device,
        &(VkBufferViewCreateInfo){.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                  .buffer = buffer,
                                  .format = VK_FORMAT_R32_UINT,
                                  .range = range},
        NULL, &view));
    return keep_BufferView(view);
}

static struct picture one_texel(VkFormat format, VkImageUsageFlags usage, uint32_t texel)
{
    struct picture p =
        make_picture((VkImageCreateInfo){.format = format, .extent = {1, 1, 1}, .usage = usage});
    fill_texels(&p, VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, &texel, 4);
    return p;
}

static VkSampler nearest(void)
{
    VkSampler sampler;
    TRY(vk.CreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                         NULL, &sampler));
    return keep_Sampler(sampler);
}

// Buffer descriptors begin at 1024, dynamic ones at 512 and go on by 512.
static void kind(const void *argument)
{
    const struct kind *k = argument;
    const VkDescriptorType first = VK_DESCRIPTOR_TYPE_SAMPLER;
    struct bound bound[11];
    struct buffer buffers[11];
    for (uint32_t i = 4; i < 11; i++) {
        buffers[i] = make_buffer(2048, STORAGE_USE | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
                                           VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                                           VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT);
        ((uint32_t *)buffers[i].map)[256] = i;
        ((uint32_t *)buffers[i].map)[1] = 10 * i + 1;
        bound[i] = (struct bound){.type = (VkDescriptorType)(first + i),
                                  .buffer = {buffers[i].buffer, i < 8 ? 1024 : 512, 256}};
    }
    bound[4].texels = texel_view(buffers[4].buffer, 8);
    bound[5].texels = texel_view(buffers[5].buffer, VK_WHOLE_SIZE);
    bound[10] = (struct bound)STORAGE(buffers[10]);
    struct picture a = one_texel(VK_FORMAT_R8G8B8A8_UNORM, VK_IMAGE_USAGE_SAMPLED_BIT, 51),
                   b = one_texel(VK_FORMAT_R8G8B8A8_UNORM, VK_IMAGE_USAGE_SAMPLED_BIT, 102),
                   c = one_texel(VK_FORMAT_R32_UINT, VK_IMAGE_USAGE_STORAGE_BIT, 3);
    const VkSampler sampler = nearest();
    const VkImageLayout layout = VK_IMAGE_LAYOUT_GENERAL;
    bound[0] = (struct bound){.type = VK_DESCRIPTOR_TYPE_SAMPLER, .image = {sampler, 0, 0}};
    bound[1] =
        (struct bound){.type = VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, .image = {0, a.view, layout}};
    bound[2] = (struct bound){.type = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                              .image = {sampler, b.view, layout}};
    bound[3] =
        (struct bound){.type = VK_DESCRIPTOR_TYPE_STORAGE_IMAGE, .image = {0, c.view, layout}};
    struct work work = {CODE(kinds_comp), .bound = bound, .bound_count = 11,
                        .dynamic_offsets = (const uint32_t[]){512, 512}, .dynamic_count = 2};
    compute(&work, 1);
    expect_words((uint32_t *)buffers[10].map + k->word, &k->want, 1, "what is read");
    const uint32_t *written = k->word == 3 ? texels_of(&c, VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 4)
                                           : (uint32_t *)buffers[k->word > 3 ? k->word : 10].map +
                                                 (k->word > 5 ? 256 : 0);
    if (k->written)
        expect_words(written, &k->written, 1, "what is written");
}

// ---- out of bounds --------------------------------------------------------

static const struct outside {
    const char *name;
    int kind;
    bool exact;     // VK_EXT_robustness2: reads are zeroes
    bool null;      // no descriptor at all
    uint32_t place; // four words are there
} outsides[] = {
    {"a storage buffer, read", 0, false, false, 4},
    {"a storage buffer, far away", 0, false, false, 1u << 20},
    {"a storage buffer, written", 1, false, false, 5},
    {"a texel buffer", 2, false, false, 4},
    {"an image", 3, false, false, 4},
    {"a storage buffer, by robustness2", 0, true, false, 4},
    {"a texel buffer, by robustness2", 2, true, false, 4},
    {"a null storage buffer", 0, false, true, 0},
    {"a null texel buffer", 2, false, true, 0},
    {"a null image", 3, false, true, 0},
    {"the length of a storage buffer", 4, false, false, 0},
    {"the length of a null storage buffer", 4, false, true, 0},
};

static void outside(const void *argument)
{
    const struct outside *o = argument;
    const VkPhysicalDeviceRobustness2FeaturesEXT *r2 = &offers.robustness2;
    need(!o->null || r2->nullDescriptor, "nullDescriptor");
    need(!o->exact || r2->robustBufferAccess2, "robustBufferAccess2");
    need(o->kind != 3 || o->null || offers.v13.robustImageAccess, "robustImageAccess");
    need(offers.features.features.robustBufferAccess, "robustBufferAccess");
    uint32_t words[64];
    memset(words, 0x77, sizeof(words));
    struct buffer in =
                      make_words(words, 64, STORAGE_USE | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT),
                  out = make_buffer(32, STORAGE_USE);
    struct picture p = one_texel(VK_FORMAT_R32_UINT, VK_IMAGE_USAGE_SAMPLED_BIT, 0x77777777);
    const struct bound bound[] = {
        {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
         .buffer = {o->null ? VK_NULL_HANDLE : in.buffer, 0, o->null ? VK_WHOLE_SIZE : 16}},
        {.type = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER,
         .texels = o->null ? VK_NULL_HANDLE : texel_view(in.buffer, 16)},
        {.type = VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE,
         .image = {0, o->null ? VK_NULL_HANDLE : p.view, VK_IMAGE_LAYOUT_GENERAL}},
        STORAGE(out)};
    const VkSpecializationMapEntry entry = {0, 0, 4};
    const VkSpecializationInfo special = {1, &entry, 4, &o->kind};
    struct work work = {CODE(robust_comp), .bound = bound, .bound_count = 4,
                        .push = &o->place, .push_size = 4, .special = &special};
    compute(&work, 1);
    const uint32_t *got = out.map;
    expect(got[5] == 1, "the shader goes on");
    // Without robustness2 a read may find anything of the same buffer, and zero.
    if (o->kind == 0 || o->kind == 2)
        expect(got[0] == 0 || (!o->exact && !o->null && got[0] == 0x77777777), "nothing foreign");
    if (o->kind == 3)
        expect(got[0] == 0 && got[1] == 0, "zero");
    if (o->kind == 4)
        expect(got[4] == (o->null ? 0 : 4), "the length of the range");
    if (o->kind == 1)
        expect(((uint32_t *)in.map)[0] == 0x77777777, "words within the range as they were");
}

void shader_checks(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *argument);
    } checks[] = {
        {"shaders: constants as they are", default_constants},
        {"shaders: all constants set", all_constants},
        {"shaders: some constants set", some_constants},
        {"shaders: push constants in parts", push_in_parts},
        {"shaders: push constants stay", push_stays},
        {"shaders: indirect dispatch", indirect},
        {"shaders: no workgroups", no_groups},
        {"shaders: shared memory", shared_memory},
        {"shaders: 64-bit integers", wide},
        {"shaders: 64-bit floats", doubles},
        {"shaders: subgroups", subgroups},
    };
    char name[80];
    for (uint32_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        check(checks[i].name, checks[i].run, NULL);
    for (uint32_t i = 0; i < sizeof(atomics) / sizeof(atomics[0]); i++) {
        snprintf(name, sizeof(name), "shaders: atomic %s", atomics[i].name);
        check(name, atomic, &atomics[i]);
    }
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(name, sizeof(name), "descriptors: %s", kinds[i].name);
        check(name, kind, &kinds[i]);
    }
    for (uint32_t i = 0; i < sizeof(outsides) / sizeof(outsides[0]); i++) {
        snprintf(name, sizeof(name), "out of bounds: %s", outsides[i].name);
        check(name, outside, &outsides[i]);
    }
}
