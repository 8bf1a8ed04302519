// draws: a field of 8 x 8 tiles, drawn in all the ways there are, by dynamic rendering.
//
//   draws MODE [FILE.ppm]
//
//   dynamic      depth, stencil and nearly all state dynamic
//   indirect     draws and indexed draws whose arguments, and whose number, lie in a buffer
//   multi        VK_EXT_multi_draw
//   layers       four samples, resolved, into two layers at once (multiview)
//   second       from secondary command buffers
//   library      a pipeline linked from libraries
//   queries      occlusion and statistics, read in every form
//   capture      transform feedback, its queries, and a draw of what was captured
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "capture.vert.h"
#include "draws.frag.h"
#include "draws.vert.h"

enum { SIDE = 128, TILES = 64, CORNERS = 4 };
#define COLOUR VK_FORMAT_R8G8B8A8_UNORM
#define DEPTH VK_FORMAT_D32_SFLOAT_S8_UINT

struct vertex {
    float x, y;
    uint8_t colour[4];
};

struct scene {
    struct app *app;
    struct image target, depth;
    struct buffer vertices, indices, arguments, readback;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    VkRenderingFlags rendering;
    bool with_depth, without_colour;
    uint32_t views;
    VkImageView resolve; // of the readable image, when target has several samples
};

static struct image target_create(struct app *app, VkFormat format, VkImageUsageFlags usage,
                                  VkImageAspectFlags aspect, uint32_t layers,
                                  VkSampleCountFlagBits samples)
{
    return image_create(app,
                        &(VkImageCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                            .imageType = VK_IMAGE_TYPE_2D,
                            .format = format,
                            .extent = {SIDE, SIDE, 1},
                            .mipLevels = 1,
                            .arrayLayers = layers,
                            .samples = samples,
                            .usage = usage,
                        },
                        aspect);
}

static void tiles(struct buffer *b)
{
    struct vertex *v = b->map;
    for (int t = 0; t < TILES; t++)
        for (int c = 0; c < CORNERS; c++, v++) {
            v->x = -0.98f + 0.25f * (float)(t % 8) + 0.2f * (float)(c % 2);
            v->y = -0.98f + 0.25f * (float)(t / 8) + 0.2f * (float)(c / 2);
            v->colour[0] = (uint8_t)(t * 4);
            v->colour[1] = (uint8_t)(255 - t * 3 - c * 10);
            v->colour[2] = (uint8_t)(c * 60);
            v->colour[3] = 255;
        }
}

static void scene_begin(struct scene *s, struct app *app, uint32_t layers,
                        VkSampleCountFlagBits samples)
{
    *s = (struct scene){.app = app};
    s->target = target_create(app, COLOUR,
                              VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                              VK_IMAGE_ASPECT_COLOR_BIT, layers, samples);
    s->depth =
        target_create(app, DEPTH, VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT,
                      VK_IMAGE_ASPECT_DEPTH_BIT | VK_IMAGE_ASPECT_STENCIL_BIT, layers, samples);
    s->vertices =
        buffer_create(app, TILES * CORNERS * sizeof(struct vertex),
                      VK_BUFFER_USAGE_VERTEX_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
                      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    tiles(&s->vertices);
    s->indices = buffer_create(app, 4 * CORNERS, VK_BUFFER_USAGE_INDEX_BUFFER_BIT,
                               VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    memcpy(s->indices.map, (uint32_t[CORNERS]){0, 1, 2, 3}, 4 * CORNERS);
    s->arguments = buffer_create(app, 4096, VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
                                 VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    s->readback = buffer_create(app, 2 * SIDE * SIDE * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VK_CHECK(vk.CreatePipelineLayout(
        app->device,
        &(VkPipelineLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO}, NULL,
        &s->layout));
}

static void scene_end(struct scene *s)
{
    vk.DestroyPipeline(s->app->device, s->pipeline, NULL);
    vk.DestroyPipelineLayout(s->app->device, s->layout, NULL);
    image_destroy(s->app, &s->target);
    image_destroy(s->app, &s->depth);
    struct buffer *all[] = {&s->vertices, &s->indices, &s->arguments, &s->readback};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        buffer_destroy(s->app, all[i]);
}

// --- pipelines
// -------------------------------------------------------------------------------------

static const VkDynamicState many_states[] = {
    VK_DYNAMIC_STATE_VIEWPORT_WITH_COUNT,
    VK_DYNAMIC_STATE_SCISSOR_WITH_COUNT,
    VK_DYNAMIC_STATE_CULL_MODE,
    VK_DYNAMIC_STATE_FRONT_FACE,
    VK_DYNAMIC_STATE_PRIMITIVE_TOPOLOGY,
    VK_DYNAMIC_STATE_VERTEX_INPUT_BINDING_STRIDE,
    VK_DYNAMIC_STATE_DEPTH_TEST_ENABLE,
    VK_DYNAMIC_STATE_DEPTH_WRITE_ENABLE,
    VK_DYNAMIC_STATE_DEPTH_COMPARE_OP,
    VK_DYNAMIC_STATE_STENCIL_TEST_ENABLE,
    VK_DYNAMIC_STATE_STENCIL_OP,
    VK_DYNAMIC_STATE_RASTERIZER_DISCARD_ENABLE,
    VK_DYNAMIC_STATE_PRIMITIVE_RESTART_ENABLE,
};

struct pipeline_wants {
    const uint32_t *vertex_code; // NULL: draws.vert
    size_t vertex_size;
    bool dynamic;
    VkSampleCountFlagBits samples;          // 0: one
    VkGraphicsPipelineLibraryFlagsEXT part; // 0: a whole pipeline
};

static VkPipeline pipeline_create(const struct scene *s, struct pipeline_wants w)
{
    const bool library = w.part != 0;
    const bool input =
        !library || w.part & VK_GRAPHICS_PIPELINE_LIBRARY_VERTEX_INPUT_INTERFACE_BIT_EXT;
    const bool before =
        !library || w.part & VK_GRAPHICS_PIPELINE_LIBRARY_PRE_RASTERIZATION_SHADERS_BIT_EXT;
    const bool shading = !library || w.part & VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_SHADER_BIT_EXT;
    const bool output =
        !library || w.part & VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_OUTPUT_INTERFACE_BIT_EXT;
    VkPipelineShaderStageCreateInfo stages[2];
    uint32_t stage_count = 0;
    VkPipeline pipeline;
    if (before)
        stages[stage_count++] = (VkPipelineShaderStageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .stage = VK_SHADER_STAGE_VERTEX_BIT,
            .module = w.vertex_code ? shader_create(s->app, w.vertex_code, w.vertex_size)
                                    : shader_create(s->app, draws_vert, sizeof(draws_vert)),
            .pName = "main",
        };
    if (shading && !w.vertex_code)
        stages[stage_count++] = (VkPipelineShaderStageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
            .module = shader_create(s->app, draws_frag, sizeof(draws_frag)),
            .pName = "main",
        };
    const VkVertexInputAttributeDescription attributes[] = {
        {0, 0, VK_FORMAT_R32G32_SFLOAT, offsetof(struct vertex, x)},
        {1, 0, VK_FORMAT_R8G8B8A8_UNORM, offsetof(struct vertex, colour)},
    };
    const VkPipelineVertexInputStateCreateInfo vertex_input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
        .vertexBindingDescriptionCount = 1,
        .pVertexBindingDescriptions =
            &(VkVertexInputBindingDescription){0, sizeof(struct vertex), 0},
        .vertexAttributeDescriptionCount = 2,
        .pVertexAttributeDescriptions = attributes,
    };
    const VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
        .topology =
            w.vertex_code ? VK_PRIMITIVE_TOPOLOGY_POINT_LIST : VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
    };
    const VkPipelineViewportStateCreateInfo viewport = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
        .viewportCount = !w.dynamic,
        .pViewports = &(VkViewport){0, 0, SIDE, SIDE, 0, 1},
        .scissorCount = !w.dynamic,
        .pScissors = &(VkRect2D){{0, 0}, {SIDE, SIDE}},
    };
    const VkPipelineRasterizationStateCreateInfo raster = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
        .rasterizerDiscardEnable = w.vertex_code != NULL,
        .lineWidth = 1,
    };
    const VkPipelineMultisampleStateCreateInfo multisample = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
        .rasterizationSamples = w.samples ? w.samples : VK_SAMPLE_COUNT_1_BIT,
    };
    const VkPipelineDepthStencilStateCreateInfo depth = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
        .front = {.compareMask = 0xff, .writeMask = 0xff, .reference = 1},
        .back = {.compareMask = 0xff, .writeMask = 0xff, .reference = 1},
    };
    const VkPipelineColorBlendStateCreateInfo blend = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
        .attachmentCount = 1,
        .pAttachments = &(VkPipelineColorBlendAttachmentState){.colorWriteMask = 0xf},
    };
    const VkPipelineDynamicStateCreateInfo dynamic = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
        .dynamicStateCount = sizeof(many_states) / sizeof(*many_states),
        .pDynamicStates = many_states,
    };
    const VkGraphicsPipelineLibraryCreateInfoEXT part = {
        .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_LIBRARY_CREATE_INFO_EXT,
        .flags = w.part,
    };
    const VkFormat format = COLOUR;
    const VkPipelineRenderingCreateInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
        .pNext = library ? &part : NULL,
        .viewMask = s->views,
        .colorAttachmentCount = 1,
        .pColorAttachmentFormats = &format,
        .depthAttachmentFormat = s->with_depth ? DEPTH : VK_FORMAT_UNDEFINED,
        .stencilAttachmentFormat = s->with_depth ? DEPTH : VK_FORMAT_UNDEFINED,
    };
    VK_CHECK(
        vk.CreateGraphicsPipelines(s->app->device, VK_NULL_HANDLE, 1,
                                   &(VkGraphicsPipelineCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
                                       .pNext = &rendering,
                                       .flags = library ? VK_PIPELINE_CREATE_LIBRARY_BIT_KHR : 0,
                                       .stageCount = stage_count,
                                       .pStages = stages,
                                       .pVertexInputState = input ? &vertex_input : NULL,
                                       .pInputAssemblyState = input ? &assembly : NULL,
                                       .pViewportState = before ? &viewport : NULL,
                                       .pRasterizationState = before ? &raster : NULL,
                                       .pMultisampleState = output || shading ? &multisample : NULL,
                                       .pDepthStencilState = shading ? &depth : NULL,
                                       .pColorBlendState = output ? &blend : NULL,
                                       .pDynamicState = w.dynamic ? &dynamic : NULL,
                                       .layout = before || shading ? s->layout : VK_NULL_HANDLE,
                                   },
                                   NULL, &pipeline));
    for (uint32_t i = 0; i < stage_count; i++)
        vk.DestroyShaderModule(s->app->device, stages[i].module, NULL);
    return pipeline;
}

// --- frames
// ----------------------------------------------------------------------------------------

static void frame_begin(struct scene *s, VkCommandBuffer cmd)
{
    image_barrier(cmd, s->target.image, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0,
                  VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                  VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT);
    if (s->with_depth)
        image_barrier(cmd, s->depth.image, VK_IMAGE_ASPECT_DEPTH_BIT | VK_IMAGE_ASPECT_STENCIL_BIT,
                      VK_IMAGE_LAYOUT_UNDEFINED, VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL,
                      VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0,
                      VK_PIPELINE_STAGE_EARLY_FRAGMENT_TESTS_BIT,
                      VK_ACCESS_DEPTH_STENCIL_ATTACHMENT_WRITE_BIT |
                          VK_ACCESS_DEPTH_STENCIL_ATTACHMENT_READ_BIT);
    const VkRenderingAttachmentInfo colour = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = s->target.view,
        .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .resolveMode = s->resolve ? VK_RESOLVE_MODE_AVERAGE_BIT : VK_RESOLVE_MODE_NONE,
        .resolveImageView = s->resolve,
        .resolveImageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .clearValue.color.float32 = {0.05f, 0.1f, 0.25f, 1.0f},
    };
    const VkRenderingAttachmentInfo depth = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = s->depth.view,
        .imageLayout = VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL,
        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .clearValue.depthStencil = {0.5f, 0},
    };
    vk.CmdBeginRendering(cmd, &(VkRenderingInfo){
                                  .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                  .flags = s->rendering,
                                  .renderArea = {{0, 0}, {SIDE, SIDE}},
                                  .layerCount = 1,
                                  .viewMask = s->views,
                                  .colorAttachmentCount = !s->without_colour,
                                  .pColorAttachments = &colour,
                                  .pDepthAttachment = s->with_depth ? &depth : NULL,
                                  .pStencilAttachment = s->with_depth ? &depth : NULL,
                              });
}

static void bind(struct scene *s, VkCommandBuffer cmd)
{
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_GRAPHICS, s->pipeline);
    vk.CmdBindVertexBuffers(cmd, 0, 1, &s->vertices.buffer, &(VkDeviceSize){0});
    vk.CmdBindIndexBuffer(cmd, s->indices.buffer, 0, VK_INDEX_TYPE_UINT32);
}

static void frame_end(struct scene *s, VkCommandBuffer cmd, VkImage readable, uint32_t layers,
                      const char *name, const char *path)
{
    vk.CmdEndRendering(cmd);
    image_barrier(cmd, readable, VK_IMAGE_ASPECT_COLOR_BIT,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                  VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                  VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
                  VK_ACCESS_TRANSFER_READ_BIT);
    vk.CmdCopyImageToBuffer2(
        cmd, &(VkCopyImageToBufferInfo2){
                 .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_BUFFER_INFO_2,
                 .srcImage = readable,
                 .srcImageLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                 .dstBuffer = s->readback.buffer,
                 .regionCount = 1,
                 .pRegions =
                     &(VkBufferImageCopy2){
                         .sType = VK_STRUCTURE_TYPE_BUFFER_IMAGE_COPY_2,
                         .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, layers},
                         .imageExtent = {SIDE, SIDE, 1},
                     },
             });
    commands_run(s->app, cmd);
    const uint32_t *pixels = s->readback.map;
    uint32_t drawn = 0;
    for (uint32_t i = 0; i < layers * SIDE * SIDE; i++)
        drawn += pixels[i] != pixels[0]; // no tile reaches there
    app_expect(drawn > SIDE, "tiles in the picture");
    printf("%s %u pixels %016" PRIx64 "\n", name, drawn,
           hash_bytes(pixels, layers * SIDE * SIDE * 4));
    write_ppm(path, s->readback.map, SIDE, SIDE * layers, SIDE * 4);
}

static void finish(struct scene *s, VkCommandBuffer cmd, const char *name, const char *path)
{
    frame_end(s, cmd, s->target.image, 1, name, path);
}

// --- modes
// -----------------------------------------------------------------------------------------

static void dynamic(struct app *app, const char *path)
{
    struct scene s;
    scene_begin(&s, app, 1, VK_SAMPLE_COUNT_1_BIT);
    s.with_depth = true;
    s.pipeline = pipeline_create(&s, (struct pipeline_wants){.dynamic = true});
    VkCommandBuffer cmd = commands_begin(app);
    frame_begin(&s, cmd);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_GRAPHICS, s.pipeline);
    const VkDeviceSize zero = 0, size = s.vertices.size;
    vk.CmdSetViewportWithCount(cmd, 1, &(VkViewport){0, 0, SIDE, SIDE, 0, 1});
    vk.CmdSetScissorWithCount(cmd, 1, &(VkRect2D){{0, 0}, {SIDE, SIDE}});
    vk.CmdSetRasterizerDiscardEnable(cmd, VK_FALSE);
    vk.CmdSetPrimitiveRestartEnable(cmd, VK_FALSE);
    for (uint32_t t = 0; t < TILES; t++) {
        // Every other corner only in some rows, so that a tile becomes something else.
        const VkDeviceSize stride =
            t % 16 == 15 ? 2 * sizeof(struct vertex) : sizeof(struct vertex);
        vk.CmdBindVertexBuffers2(cmd, 0, 1, &s.vertices.buffer, &zero, &size, &stride);
        vk.CmdSetPrimitiveTopology(cmd, t % 5 ? VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP
                                              : VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST);
        vk.CmdSetCullMode(cmd, t % 7 ? VK_CULL_MODE_NONE : VK_CULL_MODE_BACK_BIT);
        vk.CmdSetFrontFace(cmd, t % 14 ? VK_FRONT_FACE_CLOCKWISE : VK_FRONT_FACE_COUNTER_CLOCKWISE);
        vk.CmdSetDepthTestEnable(cmd, t % 3 != 0);
        vk.CmdSetDepthWriteEnable(cmd, t % 2);
        vk.CmdSetDepthCompareOp(cmd, t % 4 ? VK_COMPARE_OP_LESS : VK_COMPARE_OP_GREATER);
        vk.CmdSetStencilTestEnable(cmd, t % 8 == 4);
        vk.CmdSetStencilOp(cmd, VK_STENCIL_FACE_FRONT_AND_BACK, VK_STENCIL_OP_KEEP,
                           VK_STENCIL_OP_INCREMENT_AND_WRAP, VK_STENCIL_OP_KEEP,
                           t % 16 == 4 ? VK_COMPARE_OP_ALWAYS : VK_COMPARE_OP_EQUAL);
        vk.CmdDraw(cmd, CORNERS, 1, stride > sizeof(struct vertex) ? 2 * (t - 15) : CORNERS * t, 0);
    }
    const VkClearRect rect = {{{60, 60}, {20, 10}}, 0, 1};
    vk.CmdClearAttachments(cmd, 1,
                           &(VkClearAttachment){
                               .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
                               .clearValue.color.float32 = {1, 1, 0, 1},
                           },
                           1, &rect);
    finish(&s, cmd, "dynamic", path);
    scene_end(&s);
}

static void indirect(struct app *app, const char *path)
{
    enum { EACH = 5, AT_COUNT = 2048 };
    struct scene s;
    scene_begin(&s, app, 1, VK_SAMPLE_COUNT_1_BIT);
    s.pipeline = pipeline_create(&s, (struct pipeline_wants){0});
    // Wider strides than the structures need.
    struct {
        VkDrawIndirectCommand draw;
        uint32_t gap;
    } *draws = s.arguments.map;
    struct {
        VkDrawIndexedIndirectCommand draw;
        uint32_t gap[3];
    } *indexed = (void *)((char *)s.arguments.map + 1024);
    for (uint32_t i = 0; i < 2 * EACH; i++) {
        draws[i].draw = (VkDrawIndirectCommand){CORNERS, 1 + i % 3, CORNERS * (3 * i), i % 2};
        indexed[i].draw =
            (VkDrawIndexedIndirectCommand){CORNERS, 1, 0, (int32_t)(CORNERS * (3 * i + 32)), i % 3};
    }
    *(uint32_t *)((char *)s.arguments.map + AT_COUNT) = EACH - 1;
    VkCommandBuffer cmd = commands_begin(app);
    frame_begin(&s, cmd);
    bind(&s, cmd);
    vk.CmdDrawIndirect(cmd, s.arguments.buffer, 0, EACH, sizeof(*draws));
    vk.CmdDrawIndexedIndirect(cmd, s.arguments.buffer, 1024, EACH, sizeof(*indexed));
    vk.CmdDrawIndirectCount(cmd, s.arguments.buffer, EACH * sizeof(*draws), s.arguments.buffer,
                            AT_COUNT, EACH, sizeof(*draws));
    vk.CmdDrawIndexedIndirectCount(cmd, s.arguments.buffer, 1024 + EACH * sizeof(*indexed),
                                   s.arguments.buffer, AT_COUNT, EACH - 2,
                                   sizeof(*indexed)); // the smaller number counts
    finish(&s, cmd, "indirect", path);
    scene_end(&s);
}

static void multi(struct app *app, const char *path)
{
    struct scene s;
    scene_begin(&s, app, 1, VK_SAMPLE_COUNT_1_BIT);
    s.pipeline = pipeline_create(&s, (struct pipeline_wants){0});
    struct {
        VkMultiDrawInfoEXT draw;
        uint32_t gap[3];
    } draws[20];
    struct {
        VkMultiDrawIndexedInfoEXT draw;
        uint32_t gap[2];
    } indexed[20];
    for (uint32_t i = 0; i < 20; i++) {
        draws[i].draw = (VkMultiDrawInfoEXT){CORNERS * i, CORNERS};
        indexed[i].draw = (VkMultiDrawIndexedInfoEXT){0, CORNERS, (int32_t)(CORNERS * (20 + i))};
    }
    VkCommandBuffer cmd = commands_begin(app);
    frame_begin(&s, cmd);
    bind(&s, cmd);
    const int32_t offset = CORNERS * 44;
    vk.CmdDrawMultiEXT(cmd, 20, &draws[0].draw, 1, 0, sizeof(*draws));
    vk.CmdDrawMultiIndexedEXT(cmd, 20, &indexed[0].draw, 2, 0, sizeof(*indexed), NULL);
    vk.CmdDrawMultiIndexedEXT(cmd, 3, &indexed[0].draw, 1, 1, sizeof(*indexed),
                              &offset); // one offset for all
    vk.CmdDrawMultiEXT(cmd, 0, NULL, 1, 0, sizeof(*draws));
    finish(&s, cmd, "multi", path);
    scene_end(&s);
}

static void layers(struct app *app, const char *path)
{
    struct scene s;
    scene_begin(&s, app, 2, VK_SAMPLE_COUNT_4_BIT);
    s.views = 3;
    s.with_depth = true;
    s.pipeline = pipeline_create(&s, (struct pipeline_wants){.samples = VK_SAMPLE_COUNT_4_BIT});
    struct image plain = target_create(
        app, COLOUR, VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
        VK_IMAGE_ASPECT_COLOR_BIT, 2, VK_SAMPLE_COUNT_1_BIT);
    s.resolve = plain.view;
    VkCommandBuffer cmd = commands_begin(app);
    image_barrier(cmd, plain.image, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0,
                  VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                  VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT);
    frame_begin(&s, cmd);
    bind(&s, cmd);
    for (uint32_t t = 0; t < TILES; t += 3)
        vk.CmdDraw(cmd, CORNERS, 1, CORNERS * t, t % 5);
    frame_end(&s, cmd, plain.image, 2, "layers", path);
    app_expect(memcmp(s.readback.map, (char *)s.readback.map + SIDE * SIDE * 4, SIDE * SIDE * 4) !=
                   0,
               "two different views");
    image_destroy(app, &plain);
    scene_end(&s);
}

static void second(struct app *app, const char *path)
{
    enum { PARTS = 4 };
    struct scene s;
    scene_begin(&s, app, 1, VK_SAMPLE_COUNT_1_BIT);
    s.pipeline = pipeline_create(&s, (struct pipeline_wants){0});
    s.rendering = VK_RENDERING_CONTENTS_SECONDARY_COMMAND_BUFFERS_BIT;
    const VkFormat format = COLOUR;
    const VkCommandBufferInheritanceRenderingInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_RENDERING_INFO,
        .colorAttachmentCount = 1,
        .pColorAttachmentFormats = &format,
        .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT,
    };
    VkCommandBuffer part[PARTS];
    VK_CHECK(vk.AllocateCommandBuffers(app->device,
                                       &(VkCommandBufferAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = app->pool,
                                           .level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
                                           .commandBufferCount = PARTS,
                                       },
                                       part));
    for (uint32_t i = 0; i < PARTS; i++) {
        VK_CHECK(vk.BeginCommandBuffer(
            part[i], &(VkCommandBufferBeginInfo){
                         .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                         .flags = VK_COMMAND_BUFFER_USAGE_RENDER_PASS_CONTINUE_BIT,
                         .pInheritanceInfo =
                             &(VkCommandBufferInheritanceInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO,
                                 .pNext = &rendering,
                             },
                     }));
        bind(&s, part[i]);
        for (uint32_t t = i; t < TILES; t += PARTS + 1)
            vk.CmdDrawIndexed(part[i], CORNERS, 1, 0, (int32_t)(CORNERS * t), i);
        VK_CHECK(vk.EndCommandBuffer(part[i]));
    }
    VkCommandBuffer cmd = commands_begin(app);
    frame_begin(&s, cmd);
    vk.CmdExecuteCommands(cmd, PARTS, part);
    finish(&s, cmd, "second", path);
    vk.FreeCommandBuffers(app->device, app->pool, PARTS, part);
    scene_end(&s);
}

static void library(struct app *app, const char *path)
{
    static const VkGraphicsPipelineLibraryFlagsEXT part_of[] = {
        VK_GRAPHICS_PIPELINE_LIBRARY_VERTEX_INPUT_INTERFACE_BIT_EXT,
        VK_GRAPHICS_PIPELINE_LIBRARY_PRE_RASTERIZATION_SHADERS_BIT_EXT,
        VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_SHADER_BIT_EXT |
            VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_OUTPUT_INTERFACE_BIT_EXT,
    };
    enum { PARTS = sizeof(part_of) / sizeof(*part_of) };
    struct scene s;
    scene_begin(&s, app, 1, VK_SAMPLE_COUNT_1_BIT);
    VkPipeline parts[PARTS];
    for (uint32_t i = 0; i < PARTS; i++)
        parts[i] = pipeline_create(&s, (struct pipeline_wants){.part = part_of[i]});
    VK_CHECK(vk.CreateGraphicsPipelines(
        app->device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext =
                &(VkPipelineLibraryCreateInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_LIBRARY_CREATE_INFO_KHR,
                    .libraryCount = PARTS,
                    .pLibraries = parts,
                },
            .layout = s.layout,
        },
        NULL, &s.pipeline));
    VkPipeline whole = pipeline_create(&s, (struct pipeline_wants){0});
    uint64_t hashes[2];
    for (uint32_t i = 0; i < 2; i++) {
        VkCommandBuffer cmd = commands_begin(app);
        frame_begin(&s, cmd);
        bind(&s, cmd);
        for (uint32_t t = 0; t < TILES; t += 2)
            vk.CmdDraw(cmd, CORNERS, 1, CORNERS * t, 0);
        finish(&s, cmd, "library", path);
        hashes[i] = hash_bytes(s.readback.map, SIDE * SIDE * 4);
        VkPipeline other = s.pipeline;
        s.pipeline = whole;
        whole = other;
    }
    app_expect(hashes[0] == hashes[1], "linked and whole pipelines to draw the same");
    vk.DestroyPipeline(app->device, whole, NULL);
    for (uint32_t i = 0; i < PARTS; i++)
        vk.DestroyPipeline(app->device, parts[i], NULL);
    scene_end(&s);
}

static VkQueryPool query_pool(struct app *app, VkQueryType type, uint32_t count,
                              VkQueryPipelineStatisticFlags statistics)
{
    VkQueryPool pool;
    VK_CHECK(vk.CreateQueryPool(app->device,
                                &(VkQueryPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                    .queryType = type,
                                    .queryCount = count,
                                    .pipelineStatistics = statistics,
                                },
                                NULL, &pool));
    return pool;
}

static void print_words(const char *what, const uint32_t *words, uint32_t count)
{
    printf("%s", what);
    for (uint32_t i = 0; i < count; i++)
        printf(" %u", words[i]);
    putchar('\n');
}

static void queries(struct app *app, const char *path)
{
    enum { QUERIES = 6, KINDS = 6 };
    struct scene s;
    scene_begin(&s, app, 1, VK_SAMPLE_COUNT_1_BIT);
    s.pipeline = pipeline_create(&s, (struct pipeline_wants){0});
    const VkQueryPipelineStatisticFlags statistics =
        VK_QUERY_PIPELINE_STATISTIC_INPUT_ASSEMBLY_VERTICES_BIT |
        VK_QUERY_PIPELINE_STATISTIC_INPUT_ASSEMBLY_PRIMITIVES_BIT |
        VK_QUERY_PIPELINE_STATISTIC_VERTEX_SHADER_INVOCATIONS_BIT |
        VK_QUERY_PIPELINE_STATISTIC_CLIPPING_INVOCATIONS_BIT |
        VK_QUERY_PIPELINE_STATISTIC_CLIPPING_PRIMITIVES_BIT |
        VK_QUERY_PIPELINE_STATISTIC_FRAGMENT_SHADER_INVOCATIONS_BIT;
    VkQueryPool seen = query_pool(app, VK_QUERY_TYPE_OCCLUSION, QUERIES, 0);
    VkQueryPool work = query_pool(app, VK_QUERY_TYPE_PIPELINE_STATISTICS, 1, statistics);
    struct buffer copied = buffer_create(app, 256, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                         VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    vk.ResetQueryPool(app->device, seen, 0, QUERIES);
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdResetQueryPool(cmd, work, 0, 1);
    frame_begin(&s, cmd);
    bind(&s, cmd);
    vk.CmdBeginQuery(cmd, work, 0, 0);
    for (uint32_t q = 0; q < QUERIES - 1; q++) { // the last one stays unavailable
        vk.CmdBeginQuery(cmd, seen, q, VK_QUERY_CONTROL_PRECISE_BIT);
        for (uint32_t t = 0; t < q; t++)
            vk.CmdDraw(cmd, CORNERS, 1, CORNERS * (10 * q + t), 0);
        vk.CmdEndQuery(cmd, seen, q);
    }
    vk.CmdEndQuery(cmd, work, 0);
    vk.CmdEndRendering(cmd);
    vk.CmdCopyQueryPoolResults(cmd, seen, 0, QUERIES - 1, copied.buffer, 0, 16,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT |
                                   VK_QUERY_RESULT_WITH_AVAILABILITY_BIT);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    VK_CHECK(vk.QueueSubmit(app->queue, 1,
                            &(VkSubmitInfo){
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .commandBufferCount = 1,
                                .pCommandBuffers = &cmd,
                            },
                            VK_NULL_HANDLE));
    // Waits itself: nobody has waited for the submission.
    uint32_t narrow[QUERIES * 4] = {0};
    uint64_t wide[QUERIES * 4] = {0};
    VK_CHECK(vk.GetQueryPoolResults(app->device, seen, 0, QUERIES - 1, sizeof(narrow), narrow, 4,
                                    VK_QUERY_RESULT_WAIT_BIT));
    print_words("seen", narrow, QUERIES - 1);
    app_expect(narrow[0] == 0 && narrow[1] > 0 && narrow[4] == 4 * narrow[1],
               "as many pixels as tiles were drawn");
    // A stride with room for more, the last query unavailable.
    VkResult r =
        vk.GetQueryPoolResults(app->device, seen, 1, QUERIES - 1, sizeof(wide), wide, 32,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT);
    app_expect(r == VK_NOT_READY, "an unavailable query");
    for (uint32_t q = 1; q < QUERIES - 1; q++)
        app_expect(wide[4 * (q - 1)] == narrow[q] && wide[4 * (q - 1) + 1] &&
                       !wide[4 * (q - 1) + 2],
                   "wide results");
    app_expect(!wide[4 * (QUERIES - 2) + 1], "the availability of the last");
    // Nothing yet, whether that is called a success (lavapipe) or not (Venus).
    r = vk.GetQueryPoolResults(app->device, seen, QUERIES - 1, 1, 8, wide, 8,
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_PARTIAL_BIT);
    app_expect((r == VK_SUCCESS || r == VK_NOT_READY) && wide[0] == 0,
               "a partial result of nothing");
    VK_CHECK(vk.QueueWaitIdle(app->queue));
    const uint64_t *gpu = copied.map;
    for (uint32_t q = 0; q < QUERIES - 1; q++)
        app_expect(gpu[2 * q] == narrow[q] && gpu[2 * q + 1], "copied results to equal those read");
    VK_CHECK(
        vk.GetQueryPoolResults(app->device, work, 0, 1, sizeof(narrow), narrow, 4 * KINDS + 4,
                               VK_QUERY_RESULT_WAIT_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT));
    print_words("work", narrow, KINDS + 1);
    vk.FreeCommandBuffers(app->device, app->pool, 1, &cmd);
    vk.DestroyQueryPool(app->device, seen, NULL);
    vk.DestroyQueryPool(app->device, work, NULL);
    buffer_destroy(app, &copied);
    scene_end(&s);
    (void)path;
}

static void capture(struct app *app, const char *path)
{
    struct scene s;
    scene_begin(&s, app, 1, VK_SAMPLE_COUNT_1_BIT);
    const VkBufferUsageFlags usage =
        VK_BUFFER_USAGE_TRANSFORM_FEEDBACK_BUFFER_BIT_EXT | VK_BUFFER_USAGE_VERTEX_BUFFER_BIT;
    const uint32_t count = TILES * CORNERS;
    struct buffer out[] = {
        buffer_create(app, count * 8, usage, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT),
        buffer_create(app, count * 16, usage, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT),
    };
    struct buffer counters =
        buffer_create(app, 16,
                      VK_BUFFER_USAGE_TRANSFORM_FEEDBACK_COUNTER_BUFFER_BIT_EXT |
                          VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
                      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    memset(counters.map, 0, 16);
    s.pipeline = pipeline_create(&s, (struct pipeline_wants){.vertex_code = capture_vert,
                                                             .vertex_size = sizeof(capture_vert)});
    VkQueryPool written = query_pool(app, VK_QUERY_TYPE_TRANSFORM_FEEDBACK_STREAM_EXT, 2, 0);
    vk.ResetQueryPool(app->device, written, 0, 2);
    s.without_colour = true;
    VkCommandBuffer cmd = commands_begin(app);
    for (uint32_t half = 0; half < 2; half++) { // stopped, and resumed from the counters
        frame_begin(&s, cmd);
        bind(&s, cmd);
        vk.CmdBindTransformFeedbackBuffersEXT(cmd, 0, 2, (VkBuffer[]){out[0].buffer, out[1].buffer},
                                              (VkDeviceSize[]){0, 0}, NULL);
        vk.CmdBeginQueryIndexedEXT(cmd, written, half, 0, 0);
        vk.CmdBeginTransformFeedbackEXT(cmd, 0, 2, (VkBuffer[]){counters.buffer, counters.buffer},
                                        (VkDeviceSize[]){0, 4});
        vk.CmdDraw(cmd, count / 2 + (half ? 0 : 3), 1, half * count / 2, 0);
        vk.CmdEndTransformFeedbackEXT(cmd, 0, 2, (VkBuffer[]){counters.buffer, counters.buffer},
                                      (VkDeviceSize[]){0, 4});
        vk.CmdEndQueryIndexedEXT(cmd, written, half, 0);
        vk.CmdEndRendering(cmd);
        vk.CmdPipelineBarrier(
            cmd, VK_PIPELINE_STAGE_TRANSFORM_FEEDBACK_BIT_EXT,
            VK_PIPELINE_STAGE_TRANSFORM_FEEDBACK_BIT_EXT | VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT, 0,
            1,
            &(VkMemoryBarrier){
                .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                .srcAccessMask = VK_ACCESS_TRANSFORM_FEEDBACK_COUNTER_WRITE_BIT_EXT,
                .dstAccessMask = VK_ACCESS_TRANSFORM_FEEDBACK_COUNTER_READ_BIT_EXT,
            },
            0, NULL, 0, NULL);
    }
    commands_run(app, cmd);
    s.without_colour = false;
    uint64_t results[4];
    VK_CHECK(vk.GetQueryPoolResults(app->device, written, 0, 2, sizeof(results), results, 16,
                                    VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    // There was room for three vertices less than were asked for.
    printf("capture written %" PRIu64 " of %" PRIu64 ", %" PRIu64 " of %" PRIu64 "\n", results[0],
           results[1], results[2], results[3]);
    print_words("capture bytes", counters.map, 2);
    const struct vertex *v = s.vertices.map;
    const float *positions = out[0].map;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t from = i < count / 2 + 3 ? i : i - 3; // three were drawn twice
        app_expect(positions[2 * i] == -v[from].y && positions[2 * i + 1] == -v[from].x,
                   "captured positions");
    }
    printf("capture %016" PRIx64 " %016" PRIx64 "\n", hash_bytes(out[0].map, count * 8),
           hash_bytes(out[1].map, count * 16));

    // The bytes that were captured say how many vertices are drawn.
    vk.DestroyPipeline(app->device, s.pipeline, NULL);
    s.pipeline = pipeline_create(&s, (struct pipeline_wants){0});
    ((uint32_t *)counters.map)[0] = 9 * CORNERS * sizeof(struct vertex);
    cmd = commands_begin(app);
    frame_begin(&s, cmd);
    bind(&s, cmd);
    vk.CmdDrawIndirectByteCountEXT(cmd, 1, 0, counters.buffer, 0, 0, sizeof(struct vertex));
    finish(&s, cmd, "capture", path);
    vk.DestroyQueryPool(app->device, written, NULL);
    buffer_destroy(app, &counters);
    buffer_destroy(app, &out[0]);
    buffer_destroy(app, &out[1]);
    scene_end(&s);
}

static VkPhysicalDeviceMultiDrawFeaturesEXT multi_features = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MULTI_DRAW_FEATURES_EXT,
};
static VkPhysicalDeviceGraphicsPipelineLibraryFeaturesEXT library_features = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_GRAPHICS_PIPELINE_LIBRARY_FEATURES_EXT,
};
static VkPhysicalDeviceTransformFeedbackFeaturesEXT capture_features = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TRANSFORM_FEEDBACK_FEATURES_EXT,
};

int main(int argc, char **argv)
{
    static const struct app_mode modes[] = {
        {"dynamic", dynamic},
        {"indirect", indirect},
        {"layers", layers},
        {"second", second},
        {"queries", queries},
        {"multi", multi, .extensions = {VK_EXT_MULTI_DRAW_EXTENSION_NAME},
         .features = &multi_features},
        {"library", library,
         .extensions = {VK_KHR_PIPELINE_LIBRARY_EXTENSION_NAME,
                        VK_EXT_GRAPHICS_PIPELINE_LIBRARY_EXTENSION_NAME},
         .features = &library_features},
        {"capture", capture, .extensions = {VK_EXT_TRANSFORM_FEEDBACK_EXTENSION_NAME},
         .features = &capture_features},
        {0},
    };
    return app_run_modes(modes, argc, argv);
}
