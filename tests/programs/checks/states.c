// States of graphics pipelines: depth, stencil, blending, faces, viewports; fixed and dynamic ones.
#include <stdint.h>
#include <stdio.h>

#include "drawing.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

static const char *const compare_names[] = {
    "never", "less", "equal", "less or equal", "greater", "not equal", "greater or equal",
    "always"};
static const uint32_t compare_ops[] = {0, 1, 2, 3, 4, 5, 6, 7};

// Bit 0: below, bit 1: equal, bit 2: above. So the operation's number says what passes.
static bool passes(uint32_t op, int order)
{
    return op >> (order + 1) & 1;
}

// Three columns at depths below, at and above 0.5.
static void three_columns(struct drawing *d, VkCommandBuffer cmd)
{
    struct rectangle r[3];
    for (uint32_t i = 0; i < 3; i++)
        r[i] = rectangle(4 * (float)i, 0, 4 * (float)i + 4, SIDE, 0.25f + 0.25f * (float)i, GREEN);
    drawing_begin(d, cmd);
    bind_vertices(cmd, r[0].corners, 12);
}

static void depth_test(const void *argument)
{
    const uint32_t op = *(const uint32_t *)argument;
    struct drawing d;
    drawing_open(&d);
    d.with_depth = true;
    d.clear_depth = 0.5f;
    d.depth_stencil.depthTestEnable = VK_TRUE;
    d.depth_stencil.depthWriteEnable = VK_TRUE;
    d.depth_stencil.depthCompareOp = (VkCompareOp)op;
    // 0.5 is no multiple of 1/65535, so that what is equal is drawn, and not cleared.
    drawing_prepare(&d);
    struct drawing first = d;
    first.depth_stencil.depthCompareOp = VK_COMPARE_OP_ALWAYS;
    first.blend.colorWriteMask = 0;
    first.blends.pAttachments = &first.blend;
    drawing_pipeline(&first);
    const struct rectangle all = rectangle(0, 0, SIDE, SIDE, 0.5f, RED);
    VkCommandBuffer cmd = begin();
    drawing_begin(&first, cmd);
    bind_vertices(cmd, all.corners, 4);
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    vk.CmdEndRendering(cmd);
    barrier(cmd);
    d.load = VK_ATTACHMENT_LOAD_OP_LOAD;
    three_columns(&d, cmd);
    for (uint32_t i = 0; i < 3; i++)
        vk.CmdDraw(cmd, 4, 1, 4 * i, 0);
    drawing_end(cmd);
    const uint32_t *pixels = drawing_pixels(&d);
    for (int i = 0; i < 3; i++)
        expect_colour(pixels[4 * i + 1], passes(op, i - 1) ? GREEN8 : BLACK8);
}

// References 4, 5 and 6 against the stencil value 5: the reference is on the left of the operation.
static void stencil_test(const void *argument)
{
    const uint32_t op = *(const uint32_t *)argument;
    struct drawing d;
    drawing_open(&d);
    d.with_stencil = true;
    d.clear_stencil = 0xf5;
    d.depth_stencil.stencilTestEnable = VK_TRUE;
    d.depth_stencil.front = d.depth_stencil.back =
        (VkStencilOpState){.compareOp = (VkCompareOp)op, .compareMask = 0x0f, .writeMask = 0xff};
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_STENCIL_REFERENCE;
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    three_columns(&d, cmd);
    for (uint32_t i = 0; i < 3; i++) {
        vk.CmdSetStencilReference(cmd, VK_STENCIL_FACE_FRONT_AND_BACK, 4 + i);
        vk.CmdDraw(cmd, 4, 1, 4 * i, 0);
    }
    drawing_end(cmd);
    const uint32_t *pixels = drawing_pixels(&d);
    for (int i = 0; i < 3; i++)
        expect_colour(pixels[4 * i + 1], passes(op, i - 1) ? GREEN8 : BLACK8);
}

static const struct stencil_op {
    const char *name;
    VkStencilOp op;
    uint32_t before, after;
} stencil_ops[] = {
    {"keep", VK_STENCIL_OP_KEEP, 7, 7},
    {"zero", VK_STENCIL_OP_ZERO, 7, 0},
    {"replace", VK_STENCIL_OP_REPLACE, 7, 9},
    {"increment and clamp", VK_STENCIL_OP_INCREMENT_AND_CLAMP, 255, 255},
    {"decrement and clamp", VK_STENCIL_OP_DECREMENT_AND_CLAMP, 0, 0},
    {"invert", VK_STENCIL_OP_INVERT, 0x5a, 0xa5},
    {"increment and wrap", VK_STENCIL_OP_INCREMENT_AND_WRAP, 255, 0},
    {"decrement and wrap", VK_STENCIL_OP_DECREMENT_AND_WRAP, 0, 255},
};

// When the test passes, when it fails, and under a write mask.
static void stencil_op(const void *argument)
{
    const struct stencil_op *s = argument;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, GREEN);
    for (uint32_t way = 0; way < 3; way++) {
        struct drawing d;
        drawing_open(&d);
        d.with_stencil = true;
        d.clear_stencil = s->before;
        d.depth_stencil.stencilTestEnable = VK_TRUE;
        d.depth_stencil.front = d.depth_stencil.back =
            (VkStencilOpState){.failOp = way == 1 ? s->op : VK_STENCIL_OP_ZERO,
                               .passOp = way == 1 ? VK_STENCIL_OP_ZERO : s->op,
                               .compareOp = way == 1 ? VK_COMPARE_OP_NEVER : VK_COMPARE_OP_ALWAYS,
                               .compareMask = 0xff,
                               .writeMask = way == 2 ? 0x0f : 0xff,
                               .reference = 9};
        draw(&d, r.corners, 4);
        const uint8_t *got = texels_of(&d.depth, VK_IMAGE_ASPECT_STENCIL_BIT, 0, 0, 1);
        const uint32_t want = way == 2 ? (s->before & 0xf0) | (s->after & 0x0f) : s->after;
        if (got[17] != want)
            fail("%u, expected %u", got[17], want);
    }
}

// ---- blending -------------------------------------------------------------

static const float source[4] = {0.8f, 0.2f, 0.4f, 0.6f}, there[4] = {0.2f, 0.4f, 0, 0.4f},
                   constant[4] = {0.6f, 0, 1, 0.2f};

static const struct factor {
    const char *name;
    VkBlendFactor factor;
    // 's', 'd', 'c': colour of source, destination, constant; upper case: its alpha; '-': one
    // minus.
    const char *means;
} factors[] = {
    {"zero", VK_BLEND_FACTOR_ZERO, "0"},
    {"one", VK_BLEND_FACTOR_ONE, "1"},
    {"source colour", VK_BLEND_FACTOR_SRC_COLOR, "s"},
    {"one minus source colour", VK_BLEND_FACTOR_ONE_MINUS_SRC_COLOR, "-s"},
    {"destination colour", VK_BLEND_FACTOR_DST_COLOR, "d"},
    {"one minus destination colour", VK_BLEND_FACTOR_ONE_MINUS_DST_COLOR, "-d"},
    {"source alpha", VK_BLEND_FACTOR_SRC_ALPHA, "S"},
    {"one minus source alpha", VK_BLEND_FACTOR_ONE_MINUS_SRC_ALPHA, "-S"},
    {"destination alpha", VK_BLEND_FACTOR_DST_ALPHA, "D"},
    {"one minus destination alpha", VK_BLEND_FACTOR_ONE_MINUS_DST_ALPHA, "-D"},
    {"constant colour", VK_BLEND_FACTOR_CONSTANT_COLOR, "c"},
    {"one minus constant colour", VK_BLEND_FACTOR_ONE_MINUS_CONSTANT_COLOR, "-c"},
    {"constant alpha", VK_BLEND_FACTOR_CONSTANT_ALPHA, "C"},
    {"one minus constant alpha", VK_BLEND_FACTOR_ONE_MINUS_CONSTANT_ALPHA, "-C"},
};

static float value_of(const char *means, int channel)
{
    const bool less = means[0] == '-';
    float value = 0;
    switch (means[less]) {
    case '1':
        value = 1;
        break;
    case 's':
        value = source[channel];
        break;
    case 'd':
        value = there[channel];
        break;
    case 'c':
        value = constant[channel];
        break;
    case 'S':
        value = source[3];
        break;
    case 'D':
        value = there[3];
        break;
    case 'C':
        value = constant[3];
        break;
    }
    return less ? 1 - value : value;
}

static uint32_t pixel_of(const float colour[4])
{
    uint32_t pixel = 0;
    for (int i = 0; i < 4; i++) {
        const float c = colour[i] < 0 ? 0 : colour[i] > 1 ? 1 : colour[i];
        pixel |= (uint32_t)(c * 255 + 0.5f) << 8 * i;
    }
    return pixel;
}

static void blend(VkBlendFactor from, VkBlendFactor to, VkBlendOp op, const float want[4])
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, source);
    drawing_open(&d);
    memcpy(d.clear, there, sizeof(there));
    d.blend = (VkPipelineColorBlendAttachmentState){VK_TRUE, from, to, op, from, to, op, 0xf};
    memcpy(d.blends.blendConstants, constant, sizeof(constant));
    expect_colour(draw(&d, r.corners, 4)[17], pixel_of(want));
}

static void factor(const void *argument)
{
    const struct factor *f = argument;
    float as_source[4], as_destination[4];
    for (int i = 0; i < 4; i++) {
        as_source[i] = source[i] * value_of(f->means, i);
        as_destination[i] = there[i] * value_of(f->means, i);
    }
    blend(f->factor, VK_BLEND_FACTOR_ZERO, VK_BLEND_OP_ADD, as_source);
    blend(VK_BLEND_FACTOR_ZERO, f->factor, VK_BLEND_OP_ADD, as_destination);
}

static const char *const blend_names[] = {"add", "subtract", "reverse subtract", "min", "max"};
static const VkBlendOp blend_ops[] = {VK_BLEND_OP_ADD, VK_BLEND_OP_SUBTRACT,
                                      VK_BLEND_OP_REVERSE_SUBTRACT, VK_BLEND_OP_MIN,
                                      VK_BLEND_OP_MAX};

static void blend_op(const void *argument)
{
    const VkBlendOp op = *(const VkBlendOp *)argument;
    float want[4];
    for (int i = 0; i < 4; i++) {
        const float s = source[i], t = there[i];
        want[i] = op == VK_BLEND_OP_ADD                ? s + t
                  : op == VK_BLEND_OP_SUBTRACT         ? s - t
                  : op == VK_BLEND_OP_REVERSE_SUBTRACT ? t - s
                  : (op == VK_BLEND_OP_MIN) == (s < t) ? s
                                                       : t;
    }
    blend(VK_BLEND_FACTOR_ONE, VK_BLEND_FACTOR_ONE, op, want);
}

static void write_mask(const void *argument)
{
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, WHITE);
    for (uint32_t mask = 0; mask < 16; mask += 5) {
        struct drawing d;
        uint32_t want = 0;
        drawing_open(&d);
        d.clear[3] = 0;
        d.blend.colorWriteMask = mask;
        for (uint32_t i = 0; i < 4; i++)
            want |= mask >> i & 1 ? 0xffu << 8 * i : 0;
        expect_area(draw(&d, r.corners, 4), 0, 0, SIDE, SIDE, want, 0);
    }
}

static const char *const logic_names[] = {
    "clear",         "and",         "and reverse", "copy",       "and inverted", "no-op",
    "xor",           "or",          "nor",         "equivalent", "invert",       "or reverse",
    "copy inverted", "or inverted", "nand",        "set"};
static const VkLogicOp logic_ops[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// Channels of 0xcc are drawn over 0xaa: each pair of bits is there twice.
static void logic_op(const void *argument)
{
    static const uint8_t results[] = {0x00, 0x88, 0x44, 0xcc, 0x22, 0xaa, 0x66, 0xee,
                                      0x11, 0x99, 0x55, 0xdd, 0x33, 0xbb, 0x77, 0xff};
    const VkLogicOp op = *(const VkLogicOp *)argument;
    const float over[4] = {0.8f, 0.8f, 0.8f, 0.8f};
    const float under = 170 / 255.0f;
    struct drawing d;
    need(offers.features.features.logicOp, "logicOp");
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, over);
    drawing_open(&d);
    for (int i = 0; i < 4; i++)
        d.clear[i] = under;
    d.blends.logicOpEnable = VK_TRUE;
    d.blends.logicOp = op;
    expect_area(draw(&d, r.corners, 4), 0, 0, SIDE, SIDE, 0x01010101u * results[op], 0);
}

// ---- faces, viewports -----------------------------------------------------

static const struct faces {
    const char *name;
    VkCullModeFlags cull;
    VkFrontFace front;
    bool drawn; // a strip that turns clockwise
    bool dynamic;
} faces[] = {
    {"cull nothing", VK_CULL_MODE_NONE, VK_FRONT_FACE_CLOCKWISE, true, false},
    {"cull front, clockwise", VK_CULL_MODE_FRONT_BIT, VK_FRONT_FACE_CLOCKWISE, false, false},
    {"cull back, clockwise", VK_CULL_MODE_BACK_BIT, VK_FRONT_FACE_CLOCKWISE, true, false},
    {"cull front, counterclockwise", VK_CULL_MODE_FRONT_BIT, VK_FRONT_FACE_COUNTER_CLOCKWISE, true,
     false},
    {"cull back, counterclockwise", VK_CULL_MODE_BACK_BIT, VK_FRONT_FACE_COUNTER_CLOCKWISE, false,
     false},
    {"cull both", VK_CULL_MODE_FRONT_AND_BACK, VK_FRONT_FACE_CLOCKWISE, false, false},
    {"cull front, dynamic", VK_CULL_MODE_FRONT_BIT, VK_FRONT_FACE_CLOCKWISE, false, true},
    {"front face, dynamic", VK_CULL_MODE_BACK_BIT, VK_FRONT_FACE_COUNTER_CLOCKWISE, false, true},
};

static void face(const void *argument)
{
    const struct faces *f = argument;
    const struct rectangle r = rectangle(2, 2, 9, 9, 0, GREEN);
    struct drawing d;
    drawing_open(&d);
    d.raster.cullMode = f->dynamic ? VK_CULL_MODE_NONE : f->cull;
    d.raster.frontFace = f->dynamic ? VK_FRONT_FACE_CLOCKWISE : f->front;
    if (f->dynamic) {
        d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_CULL_MODE;
        d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_FRONT_FACE;
    }
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, r.corners, 4);
    if (f->dynamic) {
        vk.CmdSetCullMode(cmd, f->cull);
        vk.CmdSetFrontFace(cmd, f->front);
    }
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 2, 2, 9, 9, f->drawn ? GREEN8 : BLACK8, BLACK8);
}

static void viewport(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, GREEN);
    drawing_open(&d);
    d.viewport = (VkViewport){4, 2, 8, 10, 0, 1};
    expect_area(draw(&d, r.corners, 4), 4, 2, 12, 12, GREEN8, BLACK8);
}

static void upside_down(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, 4, 6, 0, GREEN);
    drawing_open(&d);
    d.viewport = (VkViewport){0, SIDE, SIDE, -SIDE, 0, 1};
    expect_area(draw(&d, r.corners, 4), 0, 10, 4, 16, GREEN8, BLACK8);
}

static void scissor(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, GREEN);
    drawing_open(&d);
    d.scissor = (VkRect2D){{3, 5}, {6, 7}};
    expect_area(draw(&d, r.corners, 4), 3, 5, 9, 12, GREEN8, BLACK8);
}

static void dynamic_viewport(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, GREEN);
    drawing_open(&d);
    d.viewports.viewportCount = d.viewports.scissorCount = 0;
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_VIEWPORT_WITH_COUNT;
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_SCISSOR_WITH_COUNT;
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, r.corners, 4);
    vk.CmdSetViewportWithCount(cmd, 1, &(VkViewport){4, 4, 8, 8, 0, 1});
    vk.CmdSetScissorWithCount(cmd, 1, &(VkRect2D){{0, 0}, {10, 10}});
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 4, 4, 10, 10, GREEN8, BLACK8);
}

static void dynamic_topology(const void *argument)
{
    struct drawing d;
    const struct vertex v[] = {at(4, 2, 0, GREEN), at(12, 2, 0, GREEN), at(12, 9, 0, GREEN),
                               at(4, 9, 0, GREEN)};
    drawing_open(&d);
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_PRIMITIVE_TOPOLOGY;
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_RASTERIZER_DISCARD_ENABLE;
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, v, 4);
    vk.CmdSetPrimitiveTopology(cmd, VK_PRIMITIVE_TOPOLOGY_TRIANGLE_FAN);
    vk.CmdSetRasterizerDiscardEnable(cmd, VK_FALSE);
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 4, 2, 12, 9, GREEN8, BLACK8);
}

// Vertices that lie further apart than the pipeline was told.
static void dynamic_stride(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(2, 2, 9, 9, 0, GREEN);
    struct buffer b = make_buffer(8 + 4 * 64, VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    for (uint32_t i = 0; i < 4; i++)
        memcpy((uint8_t *)b.map + 8 + 64 * i, &r.corners[i], sizeof(r.corners[i]));
    drawing_open(&d);
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_VERTEX_INPUT_BINDING_STRIDE;
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    vk.CmdBindVertexBuffers2(cmd, 0, 1, &b.buffer, &(VkDeviceSize){8}, &(VkDeviceSize){256},
                             &(VkDeviceSize){64});
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 2, 2, 9, 9, GREEN8, BLACK8);
}

static void dynamic_depth(const void *argument)
{
    struct drawing d;
    drawing_open(&d);
    d.with_depth = true;
    d.clear_depth = 0.6f;
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_DEPTH_TEST_ENABLE;
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_DEPTH_WRITE_ENABLE;
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_DEPTH_COMPARE_OP;
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    three_columns(&d, cmd);
    vk.CmdSetDepthTestEnable(cmd, VK_TRUE);
    vk.CmdSetDepthWriteEnable(cmd, VK_FALSE);
    vk.CmdSetDepthCompareOp(cmd, VK_COMPARE_OP_LESS);
    for (uint32_t i = 0; i < 3; i++)
        vk.CmdDraw(cmd, 4, 1, 4 * i, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 0, 0, 8, SIDE, GREEN8, BLACK8);
}

static void dynamic_constants(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, WHITE);
    drawing_open(&d);
    d.blend = (VkPipelineColorBlendAttachmentState){VK_TRUE,
                                                    VK_BLEND_FACTOR_CONSTANT_COLOR,
                                                    VK_BLEND_FACTOR_ZERO,
                                                    VK_BLEND_OP_ADD,
                                                    VK_BLEND_FACTOR_ONE,
                                                    VK_BLEND_FACTOR_ZERO,
                                                    VK_BLEND_OP_ADD,
                                                    0xf};
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_BLEND_CONSTANTS;
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, r.corners, 4);
    vk.CmdSetBlendConstants(cmd, (const float[]){0.2f, 0.4f, 0.6f, 0});
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    drawing_end(cmd);
    expect_colour(drawing_pixels(&d)[0], 0xff996633);
}

// The rasterizer is turned off by a command. A pipeline that never rasterizes has no fragment
// shader.
static void discard(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, GREEN);
    drawing_open(&d);
    d.dynamic[d.dynamic_count++] = VK_DYNAMIC_STATE_RASTERIZER_DISCARD_ENABLE;
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, r.corners, 4);
    vk.CmdSetRasterizerDiscardEnable(cmd, VK_TRUE);
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 0, 0, SIDE, SIDE, BLACK8, BLACK8);
}

static void depth_clamp(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 1.5f, GREEN);
    drawing_open(&d);
    expect_area(draw(&d, r.corners, 4), 0, 0, SIDE, SIDE, BLACK8, BLACK8);
    need(offers.features.features.depthClamp, "depthClamp");
    d.raster.depthClampEnable = VK_TRUE;
    expect_area(draw(&d, r.corners, 4), 0, 0, SIDE, SIDE, GREEN8, BLACK8);
}

static void lines(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(2.5f, 2.5f, 9.5f, 9.5f, 0, GREEN);
    need(offers.features.features.fillModeNonSolid, "fillModeNonSolid");
    drawing_open(&d);
    d.raster.polygonMode = VK_POLYGON_MODE_LINE;
    const uint32_t *pixels = draw(&d, r.corners, 4);
    expect(pixels[SIDE * 2 + 5] == GREEN8 && pixels[SIDE * 5 + 2] == GREEN8, "edges");
    expect(pixels[SIDE * 4 + 4] == BLACK8 && pixels[SIDE * 8 + 7] == BLACK8, "nothing within");
}

// ---- samples --------------------------------------------------------------

static void multisampled(const void *argument)
{
    const uint32_t mask = *(const uint32_t *)argument;
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, WHITE);
    drawing_open(&d);
    d.samples = VK_SAMPLE_COUNT_4_BIT;
    d.multisample.pSampleMask = &mask;
    d.clear[3] = 0;
    const uint32_t covered = (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1);
    expect_colour(draw(&d, r.corners, 4)[17], (covered * 255 + 2) / 4 * 0x01010101u);
}

// An edge in the middle of pixels covers some of the samples only.
static void edge(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(0, 0, 4.5f, SIDE, 0, WHITE);
    drawing_open(&d);
    d.samples = VK_SAMPLE_COUNT_4_BIT;
    const uint32_t *pixels = draw(&d, r.corners, 4);
    const uint32_t red = pixels[4] & 0xff;
    expect(pixels[3] == WHITE8 && pixels[5] == BLACK8, "whole pixels beside the edge");
    expect(red > 0 && red < 255, "a pixel in part");
}

static void alpha_to_coverage(const void *argument)
{
    struct drawing d;
    const float clear[4] = {1, 1, 1, 0};
    const struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, clear);
    drawing_open(&d);
    d.samples = VK_SAMPLE_COUNT_4_BIT;
    d.multisample.alphaToCoverageEnable = VK_TRUE;
    expect_area(draw(&d, r.corners, 4), 0, 0, SIDE, SIDE, BLACK8, BLACK8);
}

void state_checks(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *argument);
    } checks[] = {
        {"states: colour write mask", write_mask},
        {"states: viewport", viewport},
        {"states: viewport upside down", upside_down},
        {"states: scissor", scissor},
        {"states: viewport and scissor, dynamic", dynamic_viewport},
        {"states: topology, dynamic", dynamic_topology},
        {"states: stride of vertices, dynamic", dynamic_stride},
        {"states: depth test, dynamic", dynamic_depth},
        {"states: blend constants, dynamic", dynamic_constants},
        {"states: rasterizer discard", discard},
        {"states: depth clip and clamp", depth_clamp},
        {"states: polygons as lines", lines},
        {"states: an edge in samples", edge},
        {"states: alpha to coverage", alpha_to_coverage},
    };
    static const uint32_t masks[] = {0xf, 0x1, 0xa, 0};
    char name[80];
    for (uint32_t i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "states: depth %s", compare_names[i]);
        check(name, depth_test, &compare_ops[i]);
        snprintf(name, sizeof(name), "states: stencil %s", compare_names[i]);
        check(name, stencil_test, &compare_ops[i]);
        snprintf(name, sizeof(name), "states: stencil operation %s", stencil_ops[i].name);
        check(name, stencil_op, &stencil_ops[i]);
    }
    for (uint32_t i = 0; i < COUNT(factors); i++) {
        snprintf(name, sizeof(name), "states: blend %s", factors[i].name);
        check(name, factor, &factors[i]);
    }
    for (uint32_t i = 0; i < COUNT(blend_ops); i++) {
        snprintf(name, sizeof(name), "states: blend operation %s", blend_names[i]);
        check(name, blend_op, &blend_ops[i]);
    }
    for (uint32_t i = 0; i < COUNT(logic_ops); i++) {
        snprintf(name, sizeof(name), "states: logic operation %s", logic_names[i]);
        check(name, logic_op, &logic_ops[i]);
    }
    for (uint32_t i = 0; i < COUNT(faces); i++) {
        snprintf(name, sizeof(name), "states: %s", faces[i].name);
        check(name, face, &faces[i]);
    }
    for (uint32_t i = 0; i < COUNT(masks); i++) {
        snprintf(name, sizeof(name), "states: sample mask %x", masks[i]);
        check(name, multisampled, &masks[i]);
    }
    for (uint32_t i = 0; i < COUNT(checks); i++)
        check(checks[i].name, checks[i].run, NULL);
}
