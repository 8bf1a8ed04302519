// offscreen: a Vulkan 1.0 frame without a window. Textured boxes, instanced and indexed, partly
// drawn indirectly and from a secondary command buffer, with depth and 4x multisampling; the
// texture is uploaded and its mipmaps are blitted. Writes the frame as PPM and prints its hash.
#include "app.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.frag.h"
#include "scene.vert.h"

enum { WIDTH = 512, HEIGHT = 384, TEXTURE = 128, MIPS = 8, INSTANCES = 12, FRAMES = 2 };
#define COLOUR VK_FORMAT_R8G8B8A8_UNORM
#define DEPTH VK_FORMAT_D16_UNORM

struct vertex {
    float position[3], uv[2];
};

struct instance {
    float place[4], tint[4];
};

struct scene {
    struct image colour, depth, resolved, texture;
    struct buffer vertices, indices, instances, camera, indirect, readback;
    VkSampler sampler;
    VkRenderPass pass;
    VkFramebuffer framebuffer;
    VkDescriptorSetLayout set_layout;
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    uint32_t index_count;
    VkDeviceSize camera_stride;
};

// --- data ----------------------------------------------------------------------------------------

static void fill_box(struct vertex *v, uint16_t *indices)
{
    static const float corners[6][4][3] = {
        {{-1, -1, 1}, {1, -1, 1}, {1, 1, 1}, {-1, 1, 1}},
        {{1, -1, -1}, {-1, -1, -1}, {-1, 1, -1}, {1, 1, -1}},
        {{1, -1, 1}, {1, -1, -1}, {1, 1, -1}, {1, 1, 1}},
        {{-1, -1, -1}, {-1, -1, 1}, {-1, 1, 1}, {-1, 1, -1}},
        {{-1, 1, 1}, {1, 1, 1}, {1, 1, -1}, {-1, 1, -1}},
        {{-1, -1, -1}, {1, -1, -1}, {1, -1, 1}, {-1, -1, 1}},
    };
    static const float uv[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
    static const uint16_t two[6] = {0, 1, 2, 0, 2, 3};
    for (int f = 0; f < 6; f++) {
        for (int k = 0; k < 4; k++) {
            memcpy(v[4 * f + k].position, corners[f][k], sizeof(corners[f][k]));
            memcpy(v[4 * f + k].uv, uv[k], sizeof(uv[k]));
        }
        for (int k = 0; k < 6; k++)
            indices[6 * f + k] = (uint16_t)(4 * f + two[k]);
    }
}

static void fill_instances(struct instance *list)
{
    for (int i = 0; i < INSTANCES; i++) {
        const float angle = 6.2831853f * (float)i / INSTANCES;
        const struct instance one = {
            {2.6f * cosf(angle), 1.9f * sinf(angle), -0.8f * cosf(angle), 0.30f + 0.02f * (float)i},
            {0.5f + 0.5f * cosf(angle), 0.5f + 0.5f * sinf(angle), (float)i / INSTANCES, 1},
        };
        list[i] = one;
    }
}

// A perspective from z = 6 that looks down the z axis; column-major.
static void fill_camera(float *m, float lift)
{
    const float f = 1.7f, near = 1, far = 20, z = 6;
    const float aspect = (float)WIDTH / HEIGHT;
    memset(m, 0, 16 * sizeof(*m));
    m[0] = f / aspect;
    m[5] = f;
    m[10] = far / (near - far);
    m[11] = -1;
    m[13] = f * lift;
    m[14] = near * far / (near - far) - z * m[10];
    m[15] = z;
}

static void fill_texture(uint8_t *p)
{
    for (int y = 0; y < TEXTURE; y++)
        for (int x = 0; x < TEXTURE; x++, p += 4) {
            const int check = (x / 16 + y / 16) & 1;
            const int dx = x - TEXTURE / 2, dy = y - TEXTURE / 2;
            const int r = dx * dx + dy * dy;
            p[0] = (uint8_t)(check ? 230 : 40);
            p[1] = (uint8_t)(x * 2);
            p[2] = (uint8_t)(y * 2);
            p[3] = r > 900 && r < 1200 ? 0 : 255; // a ring that is cut out
        }
}

// --- set-up --------------------------------------------------------------------------------------

static struct image target(struct app *app, VkFormat format, VkSampleCountFlagBits samples,
                           VkImageUsageFlags usage, VkImageAspectFlags aspect)
{
    return image_create(app,
                        &(VkImageCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                            .imageType = VK_IMAGE_TYPE_2D,
                            .format = format,
                            .extent = {WIDTH, HEIGHT, 1},
                            .mipLevels = 1,
                            .arrayLayers = 1,
                            .samples = samples,
                            .tiling = VK_IMAGE_TILING_OPTIMAL,
                            .usage = usage,
                        },
                        aspect);
}

static void mip_barrier(VkCommandBuffer cmd, VkImage image, uint32_t level, VkImageLayout from,
                        VkImageLayout to, VkAccessFlags src, VkAccessFlags dst)
{
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT,
                          VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_FRAGMENT_SHADER_BIT, 0,
                          0, NULL, 0, NULL, 1,
                          &(VkImageMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                              .srcAccessMask = src,
                              .dstAccessMask = dst,
                              .oldLayout = from,
                              .newLayout = to,
                              .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                              .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                              .image = image,
                              .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, level, 1, 0, 1},
                          });
}

// Uploads level 0 and blits each further level from the one before.
static void texture_upload(struct app *app, struct scene *s)
{
    s->texture =
        image_create(app,
                     &(VkImageCreateInfo){
                         .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                         .imageType = VK_IMAGE_TYPE_2D,
                         .format = COLOUR,
                         .extent = {TEXTURE, TEXTURE, 1},
                         .mipLevels = MIPS,
                         .arrayLayers = 1,
                         .samples = VK_SAMPLE_COUNT_1_BIT,
                         .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
                                  VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                     },
                     VK_IMAGE_ASPECT_COLOR_BIT);
    struct buffer staging =
        buffer_create(app, TEXTURE * TEXTURE * 4, VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
                      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    fill_texture(staging.map);
    VkImage image = s->texture.image;
    VkCommandBuffer cmd = commands_begin(app);
    image_barrier(cmd, image, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0,
                  VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT);
    vk.CmdCopyBufferToImage(cmd, staging.buffer, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1,
                            &(VkBufferImageCopy){
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                .imageExtent = {TEXTURE, TEXTURE, 1},
                            });
    for (uint32_t level = 1; level < MIPS; level++) {
        const int32_t from = TEXTURE >> (level - 1), to = TEXTURE >> level;
        mip_barrier(cmd, image, level - 1, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                    VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, VK_ACCESS_TRANSFER_WRITE_BIT,
                    VK_ACCESS_TRANSFER_READ_BIT);
        vk.CmdBlitImage(cmd, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, image,
                        VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1,
                        &(VkImageBlit){
                            .srcSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, level - 1, 0, 1},
                            .srcOffsets = {{0, 0, 0}, {from, from, 1}},
                            .dstSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, level, 0, 1},
                            .dstOffsets = {{0, 0, 0}, {to, to, 1}},
                        },
                        VK_FILTER_LINEAR);
    }
    for (uint32_t level = 0; level < MIPS; level++)
        mip_barrier(cmd, image, level,
                    level < MIPS - 1 ? VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL
                                     : VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                    VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL, VK_ACCESS_TRANSFER_WRITE_BIT,
                    VK_ACCESS_SHADER_READ_BIT);
    commands_run(app, cmd);
    buffer_destroy(app, &staging);
    VK_CHECK(vk.CreateSampler(app->device,
                              &(VkSamplerCreateInfo){
                                  .sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                                  .magFilter = VK_FILTER_LINEAR,
                                  .minFilter = VK_FILTER_LINEAR,
                                  .mipmapMode = VK_SAMPLER_MIPMAP_MODE_LINEAR,
                                  .maxLod = VK_LOD_CLAMP_NONE,
                              },
                              NULL, &s->sampler));
}

static void targets_init(struct app *app, struct scene *s)
{
    s->colour =
        target(app, COLOUR, VK_SAMPLE_COUNT_4_BIT,
               VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSIENT_ATTACHMENT_BIT,
               VK_IMAGE_ASPECT_COLOR_BIT);
    s->depth = target(app, DEPTH, VK_SAMPLE_COUNT_4_BIT,
                      VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT, VK_IMAGE_ASPECT_DEPTH_BIT);
    s->resolved = target(app, COLOUR, VK_SAMPLE_COUNT_1_BIT,
                         VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                         VK_IMAGE_ASPECT_COLOR_BIT);
    const VkAttachmentDescription attachments[] = {
        {
            .format = COLOUR,
            .samples = VK_SAMPLE_COUNT_4_BIT,
            .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
            .storeOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
            .finalLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        },
        {
            .format = DEPTH,
            .samples = VK_SAMPLE_COUNT_4_BIT,
            .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
            .storeOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
            .finalLayout = VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL,
        },
        {
            .format = COLOUR,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .loadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
            .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
            .finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
        },
    };
    const VkAttachmentReference colour = {0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
    const VkAttachmentReference depth = {1, VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL};
    const VkAttachmentReference resolve = {2, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
    VK_CHECK(vk.CreateRenderPass(
        app->device,
        &(VkRenderPassCreateInfo){
            .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
            .attachmentCount = 3,
            .pAttachments = attachments,
            .subpassCount = 1,
            .pSubpasses =
                &(VkSubpassDescription){
                    .pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
                    .colorAttachmentCount = 1,
                    .pColorAttachments = &colour,
                    .pResolveAttachments = &resolve,
                    .pDepthStencilAttachment = &depth,
                },
            .dependencyCount = 1,
            .pDependencies =
                &(VkSubpassDependency){
                    .srcSubpass = 0,
                    .dstSubpass = VK_SUBPASS_EXTERNAL,
                    .srcStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                    .dstStageMask = VK_PIPELINE_STAGE_TRANSFER_BIT,
                    .srcAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
                    .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
                },
        },
        NULL, &s->pass));
    VK_CHECK(vk.CreateFramebuffer(
        app->device,
        &(VkFramebufferCreateInfo){
            .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
            .renderPass = s->pass,
            .attachmentCount = 3,
            .pAttachments = (VkImageView[]){s->colour.view, s->depth.view, s->resolved.view},
            .width = WIDTH,
            .height = HEIGHT,
            .layers = 1,
        },
        NULL, &s->framebuffer));
}

static void buffers_init(struct app *app, struct scene *s)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    s->index_count = 36;
    s->vertices =
        buffer_create(app, 24 * sizeof(struct vertex), VK_BUFFER_USAGE_VERTEX_BUFFER_BIT, visible);
    s->indices =
        buffer_create(app, 36 * sizeof(uint16_t), VK_BUFFER_USAGE_INDEX_BUFFER_BIT, visible);
    fill_box(s->vertices.map, s->indices.map);
    s->instances = buffer_create(app, INSTANCES * sizeof(struct instance),
                                 VK_BUFFER_USAGE_VERTEX_BUFFER_BIT, visible);
    fill_instances(s->instances.map);
    const VkDeviceSize align = app->properties.limits.minUniformBufferOffsetAlignment;
    s->camera_stride = (64 + align - 1) / align * align;
    s->camera =
        buffer_create(app, FRAMES * s->camera_stride, VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT, visible);
    for (uint32_t i = 0; i < FRAMES; i++)
        fill_camera((float *)((char *)s->camera.map + i * s->camera_stride), 0.3f * (float)i);
    s->indirect = buffer_create(app, sizeof(VkDrawIndexedIndirectCommand),
                                VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT, visible);
    const VkDrawIndexedIndirectCommand draw = {
        .indexCount = s->index_count,
        .instanceCount = INSTANCES / 2,
        .firstInstance = 0,
    };
    memcpy(s->indirect.map, &draw, sizeof(draw));
    s->readback = buffer_create(app, WIDTH * HEIGHT * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT, visible);
}

static void descriptors_init(struct app *app, struct scene *s)
{
    const VkDescriptorSetLayoutBinding bindings[] = {
        {0, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, 1, VK_SHADER_STAGE_VERTEX_BIT, NULL},
        {1, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 1, VK_SHADER_STAGE_FRAGMENT_BIT, NULL},
    };
    VK_CHECK(vk.CreateDescriptorSetLayout(
        app->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings = bindings,
        },
        NULL, &s->set_layout));
    const VkDescriptorPoolSize sizes[] = {
        {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, 1},
        {VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 1},
    };
    VK_CHECK(vk.CreateDescriptorPool(app->device,
                                     &(VkDescriptorPoolCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                         .maxSets = 1,
                                         .poolSizeCount = 2,
                                         .pPoolSizes = sizes,
                                     },
                                     NULL, &s->pool));
    VK_CHECK(vk.AllocateDescriptorSets(app->device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = s->pool,
                                           .descriptorSetCount = 1,
                                           .pSetLayouts = &s->set_layout,
                                       },
                                       &s->set));
    const VkWriteDescriptorSet writes[] = {
        {
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = s->set,
            .dstBinding = 0,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC,
            .pBufferInfo = &(VkDescriptorBufferInfo){s->camera.buffer, 0, 64},
        },
        {
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = s->set,
            .dstBinding = 1,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
            .pImageInfo = &(VkDescriptorImageInfo){s->sampler, s->texture.view,
                                                   VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL},
        },
    };
    vk.UpdateDescriptorSets(app->device, 2, writes, 0, NULL);
}

static void pipeline_init(struct app *app, struct scene *s)
{
    VK_CHECK(vk.CreatePipelineLayout(
        app->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &s->set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges = &(VkPushConstantRange){VK_SHADER_STAGE_VERTEX_BIT, 0, 8},
        },
        NULL, &s->layout));
    VkShaderModule vertex = shader_create(app, scene_vert, sizeof(scene_vert));
    VkShaderModule fragment = shader_create(app, scene_frag, sizeof(scene_frag));
    const VkPipelineShaderStageCreateInfo stages[] = {
        {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .stage = VK_SHADER_STAGE_VERTEX_BIT,
            .module = vertex,
            .pName = "main",
        },
        {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
            .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
            .module = fragment,
            .pName = "main",
        },
    };
    const VkVertexInputBindingDescription inputs[] = {
        {0, sizeof(struct vertex), VK_VERTEX_INPUT_RATE_VERTEX},
        {1, sizeof(struct instance), VK_VERTEX_INPUT_RATE_INSTANCE},
    };
    const VkVertexInputAttributeDescription attributes[] = {
        {0, 0, VK_FORMAT_R32G32B32_SFLOAT, offsetof(struct vertex, position)},
        {1, 0, VK_FORMAT_R32G32_SFLOAT, offsetof(struct vertex, uv)},
        {2, 1, VK_FORMAT_R32G32B32A32_SFLOAT, offsetof(struct instance, place)},
        {3, 1, VK_FORMAT_R32G32B32A32_SFLOAT, offsetof(struct instance, tint)},
    };
    const VkGraphicsPipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
        .stageCount = 2,
        .pStages = stages,
        .pVertexInputState =
            &(VkPipelineVertexInputStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
                .vertexBindingDescriptionCount = 2,
                .pVertexBindingDescriptions = inputs,
                .vertexAttributeDescriptionCount = 4,
                .pVertexAttributeDescriptions = attributes,
            },
        .pInputAssemblyState =
            &(VkPipelineInputAssemblyStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
                .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
            },
        .pViewportState =
            &(VkPipelineViewportStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                .viewportCount = 1,
                .pViewports = &(VkViewport){0, 0, WIDTH, HEIGHT, 0, 1},
                .scissorCount = 1, // dynamic: no pScissors
            },
        .pRasterizationState =
            &(VkPipelineRasterizationStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                .lineWidth = 1,
            },
        .pMultisampleState =
            &(VkPipelineMultisampleStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                .rasterizationSamples = VK_SAMPLE_COUNT_4_BIT,
                .pSampleMask = &(VkSampleMask){0xf},
            },
        .pDepthStencilState =
            &(VkPipelineDepthStencilStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
                .depthTestEnable = VK_TRUE,
                .depthWriteEnable = VK_TRUE,
                .depthCompareOp = VK_COMPARE_OP_LESS,
            },
        .pColorBlendState =
            &(VkPipelineColorBlendStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                .attachmentCount = 1,
                .pAttachments =
                    &(VkPipelineColorBlendAttachmentState){
                        .blendEnable = VK_TRUE,
                        .srcColorBlendFactor = VK_BLEND_FACTOR_CONSTANT_ALPHA,
                        .dstColorBlendFactor = VK_BLEND_FACTOR_ONE_MINUS_CONSTANT_ALPHA,
                        .srcAlphaBlendFactor = VK_BLEND_FACTOR_ONE,
                        .colorWriteMask = 0xf,
                    },
                .blendConstants = {0, 0, 0, 0.9f},
            },
        .pDynamicState =
            &(VkPipelineDynamicStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
                .dynamicStateCount = 1,
                .pDynamicStates = (VkDynamicState[]){VK_DYNAMIC_STATE_SCISSOR},
            },
        .layout = s->layout,
        .renderPass = s->pass,
    };
    VK_CHECK(vk.CreateGraphicsPipelines(app->device, VK_NULL_HANDLE, 1, &info, NULL, &s->pipeline));
    vk.DestroyShaderModule(app->device, vertex, NULL);
    vk.DestroyShaderModule(app->device, fragment, NULL);
}

// --- the frame -----------------------------------------------------------------------------------

static VkCommandBuffer record_boxes(struct app *app, struct scene *s, uint32_t frame)
{
    VkCommandBuffer cmd;
    VK_CHECK(vk.AllocateCommandBuffers(app->device,
                                       &(VkCommandBufferAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = app->pool,
                                           .level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
                                           .commandBufferCount = 1,
                                       },
                                       &cmd));
    VK_CHECK(vk.BeginCommandBuffer(
        cmd, &(VkCommandBufferBeginInfo){
                 .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                 .flags = VK_COMMAND_BUFFER_USAGE_RENDER_PASS_CONTINUE_BIT,
                 .pInheritanceInfo =
                     &(VkCommandBufferInheritanceInfo){
                         .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO,
                         .renderPass = s->pass,
                         .framebuffer = s->framebuffer,
                     },
             }));
    const uint32_t camera = frame * (uint32_t)s->camera_stride;
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_GRAPHICS, s->pipeline);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_GRAPHICS, s->layout, 0, 1, &s->set, 1,
                             &camera);
    vk.CmdBindVertexBuffers(cmd, 0, 2, (VkBuffer[]){s->vertices.buffer, s->instances.buffer},
                            (VkDeviceSize[]){0, 0});
    vk.CmdBindIndexBuffer(cmd, s->indices.buffer, 0, VK_INDEX_TYPE_UINT16);
    vk.CmdSetScissor(cmd, 0, 1, &(VkRect2D){{8, 8}, {WIDTH - 16, HEIGHT - 16}});
    vk.CmdPushConstants(cmd, s->layout, VK_SHADER_STAGE_VERTEX_BIT, 0, 8, (float[]){0.8f, 0.6f});
    vk.CmdDrawIndexedIndirect(cmd, s->indirect.buffer, 0, 1, 0);
    for (uint32_t i = INSTANCES / 2; i < INSTANCES; i++) {
        const float a = 0.3f * (float)i;
        vk.CmdPushConstants(cmd, s->layout, VK_SHADER_STAGE_VERTEX_BIT, 0, 8,
                            (float[]){cosf(a), sinf(a)});
        vk.CmdDrawIndexed(cmd, s->index_count, 1, 0, 0, i);
    }
    VK_CHECK(vk.EndCommandBuffer(cmd));
    return cmd;
}

static void draw_frame(struct app *app, struct scene *s, uint32_t frame)
{
    const VkClearValue clear[] = {
        {.color = {.float32 = {0.05f, 0.07f, 0.12f, 1}}},
        {.depthStencil = {1, 0}},
    };
    VkCommandBuffer boxes = record_boxes(app, s, frame);
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdBeginRenderPass(cmd,
                          &(VkRenderPassBeginInfo){
                              .sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                              .renderPass = s->pass,
                              .framebuffer = s->framebuffer,
                              .renderArea = {{0, 0}, {WIDTH, HEIGHT}},
                              .clearValueCount = 2,
                              .pClearValues = clear,
                          },
                          VK_SUBPASS_CONTENTS_SECONDARY_COMMAND_BUFFERS);
    vk.CmdExecuteCommands(cmd, 1, &boxes);
    vk.CmdEndRenderPass(cmd);
    vk.CmdCopyImageToBuffer(cmd, s->resolved.image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                            s->readback.buffer, 1,
                            &(VkBufferImageCopy){
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                .imageExtent = {WIDTH, HEIGHT, 1},
                            });
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                          &(VkMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
                          },
                          0, NULL, 0, NULL);
    commands_run(app, cmd);
    vk.FreeCommandBuffers(app->device, app->pool, 1, &boxes);
    printf("frame %" PRIu32 " %016" PRIx64 "\n", frame,
           hash_bytes(s->readback.map, WIDTH * HEIGHT * 4));
}

int main(int argc, char **argv)
{
    struct app app;
    struct scene s = {0};
    app_init(&app, NULL);
    texture_upload(&app, &s);
    targets_init(&app, &s);
    buffers_init(&app, &s);
    descriptors_init(&app, &s);
    pipeline_init(&app, &s);
    for (uint32_t frame = 0; frame < FRAMES; frame++)
        draw_frame(&app, &s, frame);
    write_ppm(argc > 1 ? argv[1] : NULL, s.readback.map, WIDTH, HEIGHT, WIDTH * 4);

    vk.DestroyPipeline(app.device, s.pipeline, NULL);
    vk.DestroyPipelineLayout(app.device, s.layout, NULL);
    vk.DestroyDescriptorPool(app.device, s.pool, NULL);
    vk.DestroyDescriptorSetLayout(app.device, s.set_layout, NULL);
    vk.DestroyFramebuffer(app.device, s.framebuffer, NULL);
    vk.DestroyRenderPass(app.device, s.pass, NULL);
    vk.DestroySampler(app.device, s.sampler, NULL);
    struct image *images[] = {&s.colour, &s.depth, &s.resolved, &s.texture};
    for (size_t i = 0; i < sizeof(images) / sizeof(*images); i++)
        image_destroy(&app, images[i]);
    struct buffer *buffers[] = {&s.vertices, &s.indices,  &s.instances,
                                &s.camera,   &s.indirect, &s.readback};
    for (size_t i = 0; i < sizeof(buffers) / sizeof(*buffers); i++)
        buffer_destroy(&app, buffers[i]);
    app_finish(&app);
    return 0;
}
