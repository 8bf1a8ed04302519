#include "drawing.h"

#include <stdint.h>

#include "quad.frag.h"
#include "quad.vert.h"

const float RED[4] = {1, 0, 0, 1}, GREEN[4] = {0, 1, 0, 1}, BLUE[4] = {0, 0, 1, 1},
            WHITE[4] = {1, 1, 1, 1};

void drawing_open(struct drawing *d)
{
    *d = (struct drawing){
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .layers = 1,
        .stages = {{VK_SHADER_STAGE_VERTEX_BIT, quad_vert, sizeof(quad_vert)},
                   {VK_SHADER_STAGE_FRAGMENT_BIT, quad_frag, sizeof(quad_frag)}},
        .stage_count = 2,
        .bindings = {{0, sizeof(struct vertex), VK_VERTEX_INPUT_RATE_VERTEX}},
        .attributes = {{0, 0, VK_FORMAT_R32G32B32A32_SFLOAT, 0},
                       {1, 0, VK_FORMAT_R32G32B32A32_SFLOAT, 16}},
        .input = {.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
                  .vertexBindingDescriptionCount = 1,
                  .pVertexBindingDescriptions = d->bindings,
                  .vertexAttributeDescriptionCount = 2,
                  .pVertexAttributeDescriptions = d->attributes},
        .assembly = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
                     .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP},
        .tessellation = {.sType = VK_STRUCTURE_TYPE_PIPELINE_TESSELLATION_STATE_CREATE_INFO,
                         .patchControlPoints = 4},
        .viewport = {0, 0, SIDE, SIDE, 0, 1},
        .scissor = {{0, 0}, {SIDE, SIDE}},
        .viewports = {.sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                      .viewportCount = 1,
                      .pViewports = &d->viewport,
                      .scissorCount = 1,
                      .pScissors = &d->scissor},
        .raster = {.sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                   .lineWidth = 1},
        .multisample = {.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO},
        .depth_stencil = {.sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
                          .maxDepthBounds = 1},
        .blend = {.colorWriteMask = 0xf},
        .blends = {.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                   .attachmentCount = 1,
                   .pAttachments = &d->blend},
        .area = {{0, 0}, {SIDE, SIDE}},
        .load = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .clear = {0, 0, 0, 1},
        .clear_depth = 1,
    };
}

static VkFormat depth_format(const struct drawing *d)
{
    if (!d->with_stencil)
        return VK_FORMAT_D16_UNORM;
    // The specification promises one of the two.
    return format_has(VK_FORMAT_D32_SFLOAT_S8_UINT,
                      VK_FORMAT_FEATURE_2_DEPTH_STENCIL_ATTACHMENT_BIT)
               ? VK_FORMAT_D32_SFLOAT_S8_UINT
               : VK_FORMAT_D24_UNORM_S8_UINT;
}

void drawing_targets(struct drawing *d)
{
    VkImageCreateInfo info = {.format = VK_FORMAT_R8G8B8A8_UNORM,
                              .extent = {SIDE, SIDE, 1},
                              .arrayLayers = d->layers,
                              .samples = d->samples,
                              .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT};
    if (d->target.image)
        return;
    d->target = make_picture(info);
    info.samples = VK_SAMPLE_COUNT_1_BIT;
    if (d->samples != VK_SAMPLE_COUNT_1_BIT)
        d->resolve = make_picture(info);
    info.samples = d->samples;
    info.format = depth_format(d);
    info.usage = VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT;
    if (d->with_depth || d->with_stencil)
        d->depth = make_picture(info);
}

void drawing_pipeline(struct drawing *d)
{
    VkPipelineShaderStageCreateInfo stages[5];
    VkPipelineLayout layout;
    for (uint32_t i = 0; i < d->stage_count; i++)
        stages[i] = (VkPipelineShaderStageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .stage = d->stages[i].stage,
            .module = make_shader(d->stages[i].code, d->stages[i].size),
            .pName = "main"};
    TRY(vk.CreatePipelineLayout(
        gpu.device,
        &(VkPipelineLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO}, NULL,
        &layout));
    d->multisample.rasterizationSamples = d->samples;
    const VkPipelineRenderingCreateInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
        .viewMask = d->view_mask,
        .colorAttachmentCount = 1,
        .pColorAttachmentFormats = &d->target.info.format,
        .depthAttachmentFormat = d->with_depth ? d->depth.info.format : 0,
        .stencilAttachmentFormat = d->with_stencil ? d->depth.info.format : 0};
    const VkPipelineDynamicStateCreateInfo dynamic = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
        .dynamicStateCount = d->dynamic_count,
        .pDynamicStates = d->dynamic};
    const VkGraphicsPipelineCreateInfo info = {.sType =
                                                   VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
                                               .pNext = &rendering,
                                               .stageCount = d->stage_count,
                                               .pStages = stages,
                                               .pVertexInputState = &d->input,
                                               .pInputAssemblyState = &d->assembly,
                                               .pTessellationState = &d->tessellation,
                                               .pViewportState = &d->viewports,
                                               .pRasterizationState = &d->raster,
                                               .pMultisampleState = &d->multisample,
                                               .pDepthStencilState = &d->depth_stencil,
                                               .pColorBlendState = &d->blends,
                                               .pDynamicState = &dynamic,
                                               .layout = keep_PipelineLayout(layout)};
    TRY(vk.CreateGraphicsPipelines(gpu.device, VK_NULL_HANDLE, 1, &info, NULL, &d->pipeline));
    keep_Pipeline(d->pipeline);
}

void drawing_prepare(struct drawing *d)
{
    drawing_targets(d);
    drawing_pipeline(d);
}

void drawing_begin(const struct drawing *d, VkCommandBuffer cmd)
{
    const VkRenderingAttachmentInfo colour = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = d->target.view,
        .imageLayout = VK_IMAGE_LAYOUT_GENERAL,
        .resolveMode = d->resolve.view ? VK_RESOLVE_MODE_AVERAGE_BIT : VK_RESOLVE_MODE_NONE,
        .resolveImageView = d->resolve.view,
        .resolveImageLayout = VK_IMAGE_LAYOUT_GENERAL,
        .loadOp = d->load,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .clearValue.color.float32 = {d->clear[0], d->clear[1], d->clear[2], d->clear[3]}};
    const VkRenderingAttachmentInfo depth = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = d->depth.view,
        .imageLayout = VK_IMAGE_LAYOUT_GENERAL,
        .loadOp = d->load,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .clearValue.depthStencil = {d->clear_depth, d->clear_stencil}};
    vk.CmdBeginRendering(cmd,
                         &(VkRenderingInfo){.sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                            .flags = d->flags,
                                            .renderArea = d->area,
                                            .layerCount = d->view_mask ? 1 : d->layers,
                                            .viewMask = d->view_mask,
                                            .colorAttachmentCount = 1,
                                            .pColorAttachments = &colour,
                                            .pDepthAttachment = d->with_depth ? &depth : NULL,
                                            .pStencilAttachment = d->with_stencil ? &depth : NULL});
    if (!(d->flags & VK_RENDERING_CONTENTS_SECONDARY_COMMAND_BUFFERS_BIT))
        vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_GRAPHICS, d->pipeline);
}

void drawing_end(VkCommandBuffer cmd)
{
    vk.CmdEndRendering(cmd);
    run(cmd);
}

const uint32_t *drawing_pixels(const struct drawing *d)
{
    return texels_of(d->resolve.view ? &d->resolve : &d->target, VK_IMAGE_ASPECT_COLOR_BIT, 0, 0,
                     4);
}

void bind_vertices(VkCommandBuffer cmd, const struct vertex *vertices, uint32_t count)
{
    struct buffer b = make_buffer(count * sizeof(*vertices), VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    memcpy(b.map, vertices, count * sizeof(*vertices));
    vk.CmdBindVertexBuffers(cmd, 0, 1, &b.buffer, &(VkDeviceSize){0});
}

const uint32_t *draw(struct drawing *d, const struct vertex *vertices, uint32_t count)
{
    drawing_prepare(d);
    VkCommandBuffer cmd = begin();
    drawing_begin(d, cmd);
    bind_vertices(cmd, vertices, count);
    vk.CmdDraw(cmd, count, 1, 0, 0);
    drawing_end(cmd);
    return drawing_pixels(d);
}

struct vertex at(float x, float y, float z, const float colour[4])
{
    struct vertex v = {.position = {x / (SIDE / 2) - 1, y / (SIDE / 2) - 1, z, 1}};
    memcpy(v.colour, colour, sizeof(v.colour));
    return v;
}

struct rectangle rectangle(float x0, float y0, float x1, float y1, float z, const float colour[4])
{
    return (struct rectangle){{at(x0, y0, z, colour), at(x1, y0, z, colour), at(x0, y1, z, colour),
                               at(x1, y1, z, colour)}};
}

void expect_area(const uint32_t *pixels, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1,
                 uint32_t inside, uint32_t outside)
{
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        const uint32_t x = i % SIDE, y = i / SIDE;
        const uint32_t want = x >= x0 && x < x1 && y >= y0 && y < y1 ? inside : outside;
        if (pixels[i] != want)
            fail("pixel (%u, %u) is %08x, expected %08x", x, y, pixels[i], want);
    }
}

void expect_colour(uint32_t got, uint32_t want)
{
    for (uint32_t shift = 0; shift < 32; shift += 8) {
        const int difference = (int)(got >> shift & 255) - (int)(want >> shift & 255);
        if (difference < -1 || difference > 1)
            fail("a pixel is %08x, expected %08x", got, want);
    }
}
