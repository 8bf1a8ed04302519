// Draws: topologies, vertices, indices, instances, indirect ones, secondary command buffers, views.
#include <stdint.h>
#include <stdio.h>

#include "drawing.h"
#include "pass.geom.h"
#include "quad.tesc.h"
#include "quad.tese.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

// ---- topologies -----------------------------------------------------------

static const struct topology {
    const char *name;
    VkPrimitiveTopology topology;
    uint32_t count;
    float places[6][2];
    uint32_t x0, y0, x1, y1; // what is drawn
    bool adjacency;
} topologies[] = {
    {"point list", VK_PRIMITIVE_TOPOLOGY_POINT_LIST, 1, {{5.5f, 7.5f}}, 5, 7, 6, 8, false},
    {"line list", VK_PRIMITIVE_TOPOLOGY_LINE_LIST, 2, {{2, 4.5f}, {9, 4.5f}}, 2, 4, 9, 5, false},
    {"line strip",
     VK_PRIMITIVE_TOPOLOGY_LINE_STRIP,
     3,
     {{2, 4.5f}, {5, 4.5f}, {9, 4.5f}},
     2,
     4,
     9,
     5,
     false},
    {"triangle list",
     VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
     6,
     {{4, 2}, {12, 2}, {4, 9}, {4, 9}, {12, 2}, {12, 9}},
     4,
     2,
     12,
     9,
     false},
    {"triangle strip",
     VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
     4,
     {{4, 2}, {12, 2}, {4, 9}, {12, 9}},
     4,
     2,
     12,
     9,
     false},
    {"triangle fan",
     VK_PRIMITIVE_TOPOLOGY_TRIANGLE_FAN,
     4,
     {{4, 2}, {12, 2}, {12, 9}, {4, 9}},
     4,
     2,
     12,
     9,
     false},
    {"line list with adjacency",
     VK_PRIMITIVE_TOPOLOGY_LINE_LIST_WITH_ADJACENCY,
     4,
     {{0, 0}, {2, 4.5f}, {9, 4.5f}, {9, 9}},
     2,
     4,
     9,
     5,
     true},
};

static void topology(const void *argument)
{
    const struct topology *t = argument;
    struct drawing d;
    struct vertex v[6];
    need(!t->adjacency || offers.features.features.geometryShader, "geometryShader");
    drawing_open(&d);
    d.assembly.topology = t->topology;
    for (uint32_t i = 0; i < t->count; i++)
        v[i] = at(t->places[i][0], t->places[i][1], 0, RED);
    expect_area(draw(&d, v, t->count), t->x0, t->y0, t->x1, t->y1, RED8, BLACK8);
}

// ---- vertices -------------------------------------------------------------

static const struct attribute {
    const char *name;
    VkFormat format;
    uint32_t words[4]; // as they lie
    uint32_t pixel;    // channels that are not there are 0, 0, 0, 1
} attributes[] = {
    {"R8G8B8A8_UNORM", VK_FORMAT_R8G8B8A8_UNORM, {0xff80ff40}, 0xff80ff40},
    {"B8G8R8A8_UNORM", VK_FORMAT_B8G8R8A8_UNORM, {0xff80ff40}, 0xff40ff80},
    {"R8G8B8A8_SNORM", VK_FORMAT_R8G8B8A8_SNORM, {0x7f007f81}, 0xff00ff00},
    {"R8G8_UNORM", VK_FORMAT_R8G8_UNORM, {0x4080}, 0xff004080},
    {"R16G16_UNORM", VK_FORMAT_R16G16_UNORM, {0x4040ffff}, 0xff0040ff},
    {"R16G16B16A16_SNORM", VK_FORMAT_R16G16B16A16_SNORM, {0x80007fff, 0x7fff0000}, 0xff0000ff},
    {"R16G16_SFLOAT", VK_FORMAT_R16G16_SFLOAT, {0x3c000000}, 0xff00ff00},
    {"R16G16B16A16_SFLOAT", VK_FORMAT_R16G16B16A16_SFLOAT, {0x00003c00, 0x3c003800}, 0xff8000ff},
    {"R32_SFLOAT", VK_FORMAT_R32_SFLOAT, {0x3f800000}, 0xff0000ff},
    {"R32G32_SFLOAT", VK_FORMAT_R32G32_SFLOAT, {0, 0x3f800000}, 0xff00ff00},
    {"R32G32B32_SFLOAT", VK_FORMAT_R32G32B32_SFLOAT, {0, 0, 0x3f800000}, 0xffff0000},
    {"A2B10G10R10_UNORM", VK_FORMAT_A2B10G10R10_UNORM_PACK32, {0xc00003ff}, 0xff0000ff},
};

static void attribute(const void *argument)
{
    const struct attribute *a = argument;
    struct drawing d;
    struct rectangle r = rectangle(0, 0, SIDE, SIDE, 0, WHITE);
    drawing_open(&d);
    d.attributes[1].format = a->format;
    for (uint32_t i = 0; i < 4; i++)
        memcpy(r.corners[i].colour, a->words, 16);
    const uint32_t *pixels = draw(&d, r.corners, 4);
    expect_colour(pixels[0], a->pixel);
    expect_colour(pixels[SIDE * SIDE - 1], a->pixel);
}

// Positions from one buffer, a colour for each instance from another, from the second one on.
static void instances(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(4, 4, 8, 8, 0, WHITE);
    struct buffer colours = make_buffer(64, VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    const float *const list[] = {RED, RED, GREEN, RED};
    for (uint32_t i = 0; i < 4; i++)
        memcpy((uint8_t *)colours.map + 16 * i, list[i], 16);
    drawing_open(&d);
    d.bindings[1] = (VkVertexInputBindingDescription){1, 16, VK_VERTEX_INPUT_RATE_INSTANCE};
    d.input.vertexBindingDescriptionCount = 2;
    d.attributes[1] = (VkVertexInputAttributeDescription){1, 1, VK_FORMAT_R32G32B32A32_SFLOAT, 0};
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, r.corners, 4);
    vk.CmdBindVertexBuffers(cmd, 1, 1, &colours.buffer, &(VkDeviceSize){0});
    vk.CmdDraw(cmd, 4, 2, 0, 1); // red, then green over it
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 4, 4, 8, 8, GREEN8, BLACK8);
}

static void first_vertex(const void *argument)
{
    struct drawing d;
    struct rectangle r[2] = {rectangle(0, 0, 16, 16, 0, RED), rectangle(2, 3, 5, 7, 0, GREEN)};
    drawing_open(&d);
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, r[0].corners, 8);
    vk.CmdDraw(cmd, 4, 1, 4, 0);
    vk.CmdDraw(cmd, 0, 1, 0, 0);
    vk.CmdDraw(cmd, 4, 0, 0, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 2, 3, 5, 7, GREEN8, BLACK8);
}

static const struct index {
    const char *name;
    VkIndexType type;
    uint32_t size;
} indices[] = {{"of 8 bits", VK_INDEX_TYPE_UINT8_EXT, 1},
               {"of 16 bits", VK_INDEX_TYPE_UINT16, 2},
               {"of 32 bits", VK_INDEX_TYPE_UINT32, 4}};

// Two strips with a restart between them, the first index and an offset of the vertices.
static void indexed(const void *argument)
{
    const struct index *x = argument;
    const int32_t list[] = {7, 7, -1, 0, 1, 2, 3, -1, 4, 5, 6, 7}; // vertices minus 1
    struct drawing d;
    struct vertex v[9] = {{{0}, {0}}};
    const struct rectangle left = rectangle(1, 4, 4, 8, 0, GREEN),
                           right = rectangle(4, 4, 9, 8, 0, GREEN);
    need(x->size != 1 || offers.index8.indexTypeUint8, "indexTypeUint8");
    memcpy(v + 1, left.corners, sizeof(left));
    memcpy(v + 5, right.corners, sizeof(right));
    struct buffer b = make_buffer(64, VK_BUFFER_USAGE_INDEX_BUFFER_BIT);
    for (uint32_t i = 0; i < COUNT(list); i++)
        memcpy((uint8_t *)b.map + 4 + i * x->size, &list[i], x->size);
    drawing_open(&d);
    d.assembly.primitiveRestartEnable = VK_TRUE;
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, v, 9);
    vk.CmdBindIndexBuffer(cmd, b.buffer, 4, x->type);
    vk.CmdDrawIndexed(cmd, 9, 1, 3, 1, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 1, 4, 9, 8, GREEN8, BLACK8);
}

// ---- indirect draws -------------------------------------------------------

enum indirect { DRAW, INDEXED, COUNTED, INDEXED_COUNTED };
static const struct {
    const char *name;
    enum indirect how;
} indirects[] = {{"draws: indirect", DRAW},
                 {"draws: indirect, with indices", INDEXED},
                 {"draws: indirect, counted by a buffer", COUNTED},
                 {"draws: indirect, with indices, counted by a buffer", INDEXED_COUNTED}};

// Two draws whose parameters lie 32 bytes apart; a third one is beyond the count.
static void indirect(const void *argument)
{
    const enum indirect how = *(const enum indirect *)argument;
    const struct rectangle r[3] = {rectangle(1, 4, 4, 8, 0, GREEN), rectangle(4, 4, 9, 8, 0, GREEN),
                                   rectangle(0, 0, 16, 16, 0, RED)};
    const uint16_t order[] = {0, 1, 2, 3};
    struct drawing d;
    need(offers.features.features.multiDrawIndirect, "multiDrawIndirect");
    need(how < COUNTED || offers.v12.drawIndirectCount, "drawIndirectCount");
    struct buffer b = make_buffer(128, VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT),
                  i = make_buffer(8, VK_BUFFER_USAGE_INDEX_BUFFER_BIT);
    memcpy(i.map, order, 8);
    for (uint32_t k = 0; k < 3; k++) {
        const VkDrawIndirectCommand plain = {4, 1, 4 * k, 0};
        const VkDrawIndexedIndirectCommand indexed = {4, 1, 0, (int32_t)(4 * k), 0};
        if (how == INDEXED || how == INDEXED_COUNTED)
            memcpy((uint8_t *)b.map + 16 + 32 * k, &indexed, sizeof(indexed));
        else
            memcpy((uint8_t *)b.map + 16 + 32 * k, &plain, sizeof(plain));
    }
    ((uint32_t *)b.map)[1] = 2;
    drawing_open(&d);
    drawing_prepare(&d);
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    bind_vertices(cmd, r[0].corners, 12);
    vk.CmdBindIndexBuffer(cmd, i.buffer, 0, VK_INDEX_TYPE_UINT16);
    if (how == DRAW)
        vk.CmdDrawIndirect(cmd, b.buffer, 16, 2, 32);
    else if (how == INDEXED)
        vk.CmdDrawIndexedIndirect(cmd, b.buffer, 16, 2, 32);
    else if (how == COUNTED)
        vk.CmdDrawIndirectCount(cmd, b.buffer, 16, b.buffer, 4, 3, 32);
    else
        vk.CmdDrawIndexedIndirectCount(cmd, b.buffer, 16, b.buffer, 4, 3, 32);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 1, 4, 9, 8, GREEN8, BLACK8);
}

// ---- stages ---------------------------------------------------------------

static void geometry(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(2, 2, 6, 6, 0, BLUE);
    need(offers.features.features.geometryShader, "geometryShader");
    drawing_open(&d);
    d.stages[d.stage_count++] =
        (struct stage){VK_SHADER_STAGE_GEOMETRY_BIT, pass_geom, sizeof(pass_geom)};
    expect_area(draw(&d, r.corners, 4), 2, 2, 10, 6, BLUE8, BLACK8);
}

static void tessellation(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(2, 2, 8, 11, 0, BLUE);
    need(offers.features.features.tessellationShader, "tessellationShader");
    drawing_open(&d);
    d.assembly.topology = VK_PRIMITIVE_TOPOLOGY_PATCH_LIST;
    d.stages[d.stage_count++] =
        (struct stage){VK_SHADER_STAGE_TESSELLATION_CONTROL_BIT, quad_tesc, sizeof(quad_tesc)};
    d.stages[d.stage_count++] =
        (struct stage){VK_SHADER_STAGE_TESSELLATION_EVALUATION_BIT, quad_tese, sizeof(quad_tese)};
    expect_area(draw(&d, r.corners, 4), 2, 2, 8, 11, BLUE8, BLACK8);
}

// The second view is moved by two pixels.
static void views(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(2, 2, 6, 6, 0, BLUE);
    need(offers.v11.multiview, "multiview");
    drawing_open(&d);
    d.layers = 2;
    d.view_mask = 3;
    expect_area(draw(&d, r.corners, 4), 2, 2, 6, 6, BLUE8, BLACK8);
    expect_area(texels_of(&d.target, VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 4), 4, 2, 8, 6, BLUE8,
                BLACK8);
}

// ---- rendering ------------------------------------------------------------

static void secondary(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(2, 2, 6, 6, 0, BLUE);
    const VkFormat format = VK_FORMAT_R8G8B8A8_UNORM;
    const VkCommandBufferInheritanceRenderingInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_RENDERING_INFO,
        .flags = VK_RENDERING_CONTENTS_SECONDARY_COMMAND_BUFFERS_BIT,
        .colorAttachmentCount = 1,
        .pColorAttachmentFormats = &format,
        .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT};
    const VkCommandBufferInheritanceInfo inheritance = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO, .pNext = &rendering};
    drawing_open(&d);
    d.flags = VK_RENDERING_CONTENTS_SECONDARY_COMMAND_BUFFERS_BIT;
    drawing_prepare(&d);
    VkCommandBuffer inner =
        begin_secondary(&inheritance, VK_COMMAND_BUFFER_USAGE_RENDER_PASS_CONTINUE_BIT);
    vk.CmdBindPipeline(inner, VK_PIPELINE_BIND_POINT_GRAPHICS, d.pipeline);
    bind_vertices(inner, r.corners, 4);
    vk.CmdDraw(inner, 4, 1, 0, 0);
    TRY(vk.EndCommandBuffer(inner));
    VkCommandBuffer cmd = begin();
    drawing_begin(&d, cmd);
    vk.CmdExecuteCommands(cmd, 1, &inner);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 2, 2, 6, 6, BLUE8, BLACK8);
}

static void suspended(const void *argument)
{
    struct drawing d;
    const struct rectangle a = rectangle(2, 2, 6, 6, 0, BLUE), b = rectangle(6, 2, 9, 6, 0, BLUE);
    VkCommandBuffer cmd = begin();
    drawing_open(&d);
    drawing_prepare(&d);
    d.flags = VK_RENDERING_SUSPENDING_BIT;
    drawing_begin(&d, cmd);
    bind_vertices(cmd, a.corners, 4);
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    vk.CmdEndRendering(cmd);
    d.flags = VK_RENDERING_RESUMING_BIT;
    drawing_begin(&d, cmd);
    bind_vertices(cmd, b.corners, 4);
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 2, 2, 9, 6, BLUE8, BLACK8);
}

// What was there stays, and only the render area is cleared.
static void load_and_area(const void *argument)
{
    struct drawing d;
    const struct rectangle r = rectangle(2, 2, 6, 6, 0, BLUE);
    drawing_open(&d);
    draw(&d, r.corners, 4);
    VkCommandBuffer cmd = begin();
    d.load = VK_ATTACHMENT_LOAD_OP_LOAD;
    drawing_begin(&d, cmd);
    vk.CmdEndRendering(cmd);
    barrier(cmd);
    d.load = VK_ATTACHMENT_LOAD_OP_CLEAR;
    d.area = (VkRect2D){{0, 0}, {4, SIDE}};
    drawing_begin(&d, cmd);
    drawing_end(cmd);
    expect_area(drawing_pixels(&d), 4, 2, 6, 6, BLUE8, BLACK8);
}

static uint64_t query(struct drawing *d, VkQueryType type, VkQueryControlFlags flags,
                      VkQueryPipelineStatisticFlags statistics)
{
    const struct rectangle r = rectangle(2, 2, 6, 7, 0, BLUE);
    VkQueryPool pool;
    uint64_t result = 0;
    TRY(vk.CreateQueryPool(
        gpu.device,
        &(VkQueryPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                 .queryType = type,
                                 .queryCount = 1,
                                 .pipelineStatistics = statistics},
        NULL, &pool));
    keep_QueryPool(pool);
    drawing_prepare(d);
    VkCommandBuffer cmd = begin();
    vk.CmdResetQueryPool(cmd, pool, 0, 1);
    drawing_begin(d, cmd);
    bind_vertices(cmd, r.corners, 4);
    vk.CmdBeginQuery(cmd, pool, 0, flags);
    vk.CmdDraw(cmd, 4, 1, 0, 0);
    vk.CmdEndQuery(cmd, pool, 0);
    drawing_end(cmd);
    TRY(vk.GetQueryPoolResults(gpu.device, pool, 0, 1, 8, &result, 8,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    return result;
}

static void occlusion(const void *argument)
{
    struct drawing d;
    need(offers.features.features.occlusionQueryPrecise, "occlusionQueryPrecise");
    drawing_open(&d);
    expect(query(&d, VK_QUERY_TYPE_OCCLUSION, VK_QUERY_CONTROL_PRECISE_BIT, 0) == 20, "20 samples");
}

static void nothing_seen(const void *argument)
{
    struct drawing d;
    drawing_open(&d);
    d.scissor.extent.width = 2;
    expect(query(&d, VK_QUERY_TYPE_OCCLUSION, 0, 0) == 0, "no sample");
}

static void statistics(const void *argument)
{
    struct drawing d;
    need(offers.features.features.pipelineStatisticsQuery, "pipelineStatisticsQuery");
    drawing_open(&d);
    expect(query(&d, VK_QUERY_TYPE_PIPELINE_STATISTICS, 0,
                 VK_QUERY_PIPELINE_STATISTIC_INPUT_ASSEMBLY_PRIMITIVES_BIT) == 2,
           "two triangles");
}

void draw_checks(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *argument);
    } checks[] = {
        {"draws: the first vertex", first_vertex},
        {"draws: instances", instances},
        {"draws: a geometry shader", geometry},
        {"draws: tessellation", tessellation},
        {"draws: two views", views},
        {"draws: a secondary command buffer", secondary},
        {"draws: suspended rendering", suspended},
        {"draws: load, and the render area", load_and_area},
        {"draws: occlusion query", occlusion},
        {"draws: occlusion query of nothing", nothing_seen},
        {"draws: pipeline statistics", statistics},
    };
    char name[80];
    for (uint32_t i = 0; i < COUNT(topologies); i++) {
        snprintf(name, sizeof(name), "draws: %s", topologies[i].name);
        check(name, topology, &topologies[i]);
    }
    for (uint32_t i = 0; i < COUNT(attributes); i++) {
        snprintf(name, sizeof(name), "draws: vertices of %s", attributes[i].name);
        check(name, attribute, &attributes[i]);
    }
    for (uint32_t i = 0; i < COUNT(indices); i++) {
        snprintf(name, sizeof(name), "draws: indices %s", indices[i].name);
        check(name, indexed, &indices[i]);
    }
    for (uint32_t i = 0; i < COUNT(indirects); i++)
        check(indirects[i].name, indirect, &indirects[i].how);
    for (uint32_t i = 0; i < COUNT(checks); i++)
        check(checks[i].name, checks[i].run, NULL);
}
