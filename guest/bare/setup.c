// What the scene is drawn with: pictures, depth, texture, mesh, pipelines.
#include <string.h>

#include "guest/bare/mesh.h"
#include "guest/bare/scene_private.h"
#include "mix.comp.h"
#include "torus.frag.h"
#include "torus.vert.h"

static const VkFormat depth_format = VK_FORMAT_D16_UNORM; // every device has it

// ---- pictures -------------------------------------------------------------

static VkResult create_pass(struct scene *scene)
{
    const VkAttachmentDescription attachments[2] = {
        {.format = SCENE_FORMAT,
         .samples = VK_SAMPLE_COUNT_1_BIT,
         .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
         .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
         .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
         .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
         .finalLayout =
             scene->copied ? VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL : VK_IMAGE_LAYOUT_GENERAL},
        {.format = depth_format,
         .samples = VK_SAMPLE_COUNT_1_BIT,
         .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
         .storeOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
         .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
         .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
         .finalLayout = VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL}};
    const VkAttachmentReference colour = {0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL},
                                depth = {1, VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL};
    const VkSubpassDescription subpass = {.pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
                                          .colorAttachmentCount = 1,
                                          .pColorAttachments = &colour,
                                          .pDepthStencilAttachment = &depth};
    const VkPipelineStageFlags drawing = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT |
                                         VK_PIPELINE_STAGE_EARLY_FRAGMENT_TESTS_BIT |
                                         VK_PIPELINE_STAGE_LATE_FRAGMENT_TESTS_BIT;
    const VkAccessFlags written =
        VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT | VK_ACCESS_DEPTH_STENCIL_ATTACHMENT_WRITE_BIT;
    const VkSubpassDependency dependencies[2] = {
        {.srcSubpass = VK_SUBPASS_EXTERNAL,
         .srcStageMask = drawing | VK_PIPELINE_STAGE_TRANSFER_BIT,
         .dstStageMask = drawing,
         .srcAccessMask = written,
         .dstAccessMask = written},
        {.dstSubpass = VK_SUBPASS_EXTERNAL,
         .srcStageMask = drawing,
         .dstStageMask = VK_PIPELINE_STAGE_TRANSFER_BIT,
         .srcAccessMask = written,
         .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT}};
    const VkRenderPassCreateInfo info = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
                                         .attachmentCount = 2,
                                         .pAttachments = attachments,
                                         .subpassCount = 1,
                                         .pSubpasses = &subpass,
                                         .dependencyCount = 2,
                                         .pDependencies = dependencies};
    return vkCreateRenderPass(scene->device, &info, NULL, &scene->pass);
}

static VkResult create_picture(struct scene *scene, struct scene_picture *picture)
{
    const struct scene_image_info info = {
        .width = scene->width,
        .height = scene->height,
        .format = SCENE_FORMAT,
        .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
        .aspect = VK_IMAGE_ASPECT_COLOR_BIT,
        .mapped = !scene->copied,
    };
    TRY(scene_image(scene, &info, &picture->image,
                    scene->copied ? &picture->drawn : &picture->memory, &picture->view));
    if (scene->copied) {
        scene->stride = 4 * scene->width;
        TRY(scene_buffer(scene, (VkDeviceSize)scene->stride * scene->height,
                         VK_BUFFER_USAGE_TRANSFER_DST_BIT, &picture->copy, &picture->memory));
    } else {
        const VkImageSubresource subresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0};
        VkSubresourceLayout layout;
        vkGetImageSubresourceLayout(scene->device, picture->image, &subresource, &layout);
        scene->stride = (uint32_t)layout.rowPitch;
        scene->offset = (uint32_t)layout.offset;
    }
    const VkImageView views[2] = {picture->view, scene->depth_view};
    const VkFramebufferCreateInfo framebuffer = {.sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                                 .renderPass = scene->pass,
                                                 .attachmentCount = 2,
                                                 .pAttachments = views,
                                                 .width = scene->width,
                                                 .height = scene->height,
                                                 .layers = 1};
    TRY(vkCreateFramebuffer(scene->device, &framebuffer, NULL, &picture->framebuffer));
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = scene->pool,
        .commandBufferCount = 1};
    return vkAllocateCommandBuffers(scene->device, &commands, &picture->commands);
}

static VkResult create_pictures(struct scene *scene)
{
    const struct scene_image_info depth = {
        .width = scene->width,
        .height = scene->height,
        .format = depth_format,
        .usage = VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT,
        .aspect = VK_IMAGE_ASPECT_DEPTH_BIT,
    };
    TRY(create_pass(scene));
    TRY(scene_image(scene, &depth, &scene->depth, &scene->depth_memory, &scene->depth_view));
    for (uint32_t i = 0; i < SCENE_PICTURES; i++)
        TRY(create_picture(scene, &scene->pictures[i]));
    return VK_SUCCESS;
}

// ---- texture and buffers --------------------------------------------------

static void move_skin(VkCommandBuffer commands, VkImage image, VkImageLayout from, VkImageLayout to)
{
    const bool first = from == VK_IMAGE_LAYOUT_UNDEFINED;
    const VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = first ? 0 : VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = first ? VK_ACCESS_TRANSFER_WRITE_BIT : VK_ACCESS_SHADER_READ_BIT,
        .oldLayout = from,
        .newLayout = to,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}};
    vkCmdPipelineBarrier(
        commands, first ? VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT : VK_PIPELINE_STAGE_TRANSFER_BIT,
        first ? VK_PIPELINE_STAGE_TRANSFER_BIT : VK_PIPELINE_STAGE_FRAGMENT_SHADER_BIT, 0, 0, NULL,
        0, NULL, 1, &barrier);
}

// By a buffer, as textures get to their devices.
static VkResult upload_skin(struct scene *scene, VkBuffer buffer)
{
    const VkBufferImageCopy copy = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                    .imageExtent = {MESH_SKIN, MESH_SKIN, 1}};
    VkCommandBuffer commands = scene->pictures[0].commands;
    TRY(scene_begin(commands));
    move_skin(commands, scene->skin, VK_IMAGE_LAYOUT_UNDEFINED,
              VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vkCmdCopyBufferToImage(commands, buffer, scene->skin, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1,
                           &copy);
    move_skin(commands, scene->skin, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
              VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    return scene_run(scene, commands);
}

static VkResult create_skin(struct scene *scene)
{
    const struct scene_image_info info = {
        .width = MESH_SKIN,
        .height = MESH_SKIN,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
        .aspect = VK_IMAGE_ASPECT_COLOR_BIT,
    };
    const VkSamplerCreateInfo sampler = {.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                                         .magFilter = VK_FILTER_LINEAR,
                                         .minFilter = VK_FILTER_LINEAR};
    VkBuffer buffer = VK_NULL_HANDLE;
    struct scene_memory memory = {VK_NULL_HANDLE, NULL};
    TRY(scene_image(scene, &info, &scene->skin, &scene->skin_memory, &scene->skin_view));
    TRY(vkCreateSampler(scene->device, &sampler, NULL, &scene->sampler));
    VkResult result = scene_buffer(scene, MESH_SKIN * MESH_SKIN * 4,
                                   VK_BUFFER_USAGE_TRANSFER_SRC_BIT, &buffer, &memory);
    if (result == VK_SUCCESS) {
        mesh_skin(memory.pixels);
        result = upload_skin(scene, buffer);
    }
    vkDestroyBuffer(scene->device, buffer, NULL);
    vkFreeMemory(scene->device, memory.memory, NULL);
    return result;
}

static VkResult create_buffers(struct scene *scene)
{
    const VkDeviceSize vertices = MESH_VERTICES * sizeof(struct mesh_vertex);
    TRY(scene_buffer(scene, vertices + MESH_INDICES * sizeof(uint16_t),
                     VK_BUFFER_USAGE_VERTEX_BUFFER_BIT | VK_BUFFER_USAGE_INDEX_BUFFER_BIT,
                     &scene->mesh, &scene->mesh_memory));
    uint8_t *mesh = scene->mesh_memory.pixels;
    mesh_torus((struct mesh_vertex *)mesh, (uint16_t *)(mesh + vertices));
    return scene_buffer(scene, SCENE_WORDS * sizeof(uint32_t), VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                        &scene->words, &scene->words_memory);
}

// ---- descriptors and pipelines --------------------------------------------

static VkResult create_set(struct scene *scene, VkDescriptorType type, VkShaderStageFlags stage,
                           VkDescriptorSetLayout *layout, VkDescriptorSet *set)
{
    const VkDescriptorSetLayoutBinding binding = {
        .descriptorType = type, .descriptorCount = 1, .stageFlags = stage};
    const VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = 1,
        .pBindings = &binding};
    TRY(vkCreateDescriptorSetLayout(scene->device, &info, NULL, layout));
    const VkDescriptorSetAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = scene->descriptors,
        .descriptorSetCount = 1,
        .pSetLayouts = layout};
    return vkAllocateDescriptorSets(scene->device, &allocate, set);
}

static VkResult create_descriptors(struct scene *scene)
{
    const VkDescriptorPoolSize sizes[2] = {{VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 1},
                                           {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1}};
    const VkDescriptorPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = 2,
                                             .poolSizeCount = 2,
                                             .pPoolSizes = sizes};
    TRY(vkCreateDescriptorPool(scene->device, &pool, NULL, &scene->descriptors));
    TRY(create_set(scene, sizes[0].type, VK_SHADER_STAGE_FRAGMENT_BIT, &scene->skin_layout,
                   &scene->skin_set));
    TRY(create_set(scene, sizes[1].type, VK_SHADER_STAGE_COMPUTE_BIT, &scene->words_layout,
                   &scene->words_set));
    const VkDescriptorImageInfo image = {scene->sampler, scene->skin_view,
                                         VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL};
    const VkDescriptorBufferInfo buffer = {scene->words, 0, VK_WHOLE_SIZE};
    const VkWriteDescriptorSet writes[2] = {{.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                             .dstSet = scene->skin_set,
                                             .descriptorCount = 1,
                                             .descriptorType = sizes[0].type,
                                             .pImageInfo = &image},
                                            {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                             .dstSet = scene->words_set,
                                             .descriptorCount = 1,
                                             .descriptorType = sizes[1].type,
                                             .pBufferInfo = &buffer}};
    vkUpdateDescriptorSets(scene->device, 2, writes, 0, NULL);
    return VK_SUCCESS;
}

static VkResult create_shader(struct scene *scene, const uint32_t *words, size_t size,
                              VkShaderStageFlagBits stage, VkPipelineShaderStageCreateInfo *info)
{
    const VkShaderModuleCreateInfo module = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = words};
    *info = (VkPipelineShaderStageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
        .stage = stage,
        .pName = "main"};
    return vkCreateShaderModule(scene->device, &module, NULL, &info->module);
}

static VkResult create_compute_pipeline(struct scene *scene)
{
    const VkPipelineLayoutCreateInfo layout = {.sType =
                                                   VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .setLayoutCount = 1,
                                               .pSetLayouts = &scene->words_layout};
    TRY(vkCreatePipelineLayout(scene->device, &layout, NULL, &scene->compute_layout));
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                        .layout = scene->compute_layout};
    TRY(create_shader(scene, mix_comp, sizeof(mix_comp), VK_SHADER_STAGE_COMPUTE_BIT, &info.stage));
    VkResult result = vkCreateComputePipelines(scene->device, VK_NULL_HANDLE, 1, &info, NULL,
                                               &scene->compute_pipeline);
    vkDestroyShaderModule(scene->device, info.stage.module, NULL);
    return result;
}

static VkResult create_pipeline(struct scene *scene, const VkPipelineShaderStageCreateInfo *stages)
{
    const VkVertexInputBindingDescription binding = {.stride = sizeof(struct mesh_vertex)};
    const VkVertexInputAttributeDescription attributes[3] = {
        {0, 0, VK_FORMAT_R32G32B32_SFLOAT, offsetof(struct mesh_vertex, position)},
        {1, 0, VK_FORMAT_R32G32B32_SFLOAT, offsetof(struct mesh_vertex, normal)},
        {2, 0, VK_FORMAT_R32G32_SFLOAT, offsetof(struct mesh_vertex, texel)}};
    const VkPipelineVertexInputStateCreateInfo input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
        .vertexBindingDescriptionCount = 1,
        .pVertexBindingDescriptions = &binding,
        .vertexAttributeDescriptionCount = 3,
        .pVertexAttributeDescriptions = attributes};
    const VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
        .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST};
    const VkViewport whole = {0, 0, (float)scene->width, (float)scene->height, 0, 1};
    const VkRect2D all = {{0, 0}, {scene->width, scene->height}};
    const VkPipelineViewportStateCreateInfo viewport = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
        .viewportCount = 1,
        .pViewports = &whole,
        .scissorCount = 1,
        .pScissors = &all};
    const VkPipelineRasterizationStateCreateInfo raster = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
        .polygonMode = VK_POLYGON_MODE_FILL,
        .cullMode = VK_CULL_MODE_NONE, // the depth buffer alone says what is in front
        .lineWidth = 1};
    const VkPipelineMultisampleStateCreateInfo samples = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
        .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT};
    const VkPipelineDepthStencilStateCreateInfo depth = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
        .depthTestEnable = VK_TRUE,
        .depthWriteEnable = VK_TRUE,
        .depthCompareOp = VK_COMPARE_OP_LESS};
    const VkPipelineColorBlendAttachmentState attachment = {.colorWriteMask = 15};
    const VkPipelineColorBlendStateCreateInfo blend = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
        .attachmentCount = 1,
        .pAttachments = &attachment};
    const VkGraphicsPipelineCreateInfo info = {.sType =
                                                   VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
                                               .stageCount = 2,
                                               .pStages = stages,
                                               .pVertexInputState = &input,
                                               .pInputAssemblyState = &assembly,
                                               .pViewportState = &viewport,
                                               .pRasterizationState = &raster,
                                               .pMultisampleState = &samples,
                                               .pDepthStencilState = &depth,
                                               .pColorBlendState = &blend,
                                               .layout = scene->draw_layout,
                                               .renderPass = scene->pass};
    return vkCreateGraphicsPipelines(scene->device, VK_NULL_HANDLE, 1, &info, NULL,
                                     &scene->draw_pipeline);
}

static VkResult create_draw_pipeline(struct scene *scene)
{
    const VkPushConstantRange place = {VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(struct mesh_place)};
    const VkPipelineLayoutCreateInfo layout = {.sType =
                                                   VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .setLayoutCount = 1,
                                               .pSetLayouts = &scene->skin_layout,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &place};
    VkPipelineShaderStageCreateInfo stages[2] = {{.module = VK_NULL_HANDLE}};
    TRY(vkCreatePipelineLayout(scene->device, &layout, NULL, &scene->draw_layout));
    VkResult result = create_shader(scene, torus_vert, sizeof(torus_vert),
                                    VK_SHADER_STAGE_VERTEX_BIT, &stages[0]);
    if (result == VK_SUCCESS)
        result = create_shader(scene, torus_frag, sizeof(torus_frag), VK_SHADER_STAGE_FRAGMENT_BIT,
                               &stages[1]);
    if (result == VK_SUCCESS)
        result = create_pipeline(scene, stages);
    vkDestroyShaderModule(scene->device, stages[0].module, NULL);
    vkDestroyShaderModule(scene->device, stages[1].module, NULL);
    return result;
}

VkResult scene_set_up(struct scene *scene)
{
    TRY(create_pictures(scene));
    TRY(create_skin(scene));
    TRY(create_buffers(scene));
    TRY(create_descriptors(scene));
    TRY(create_compute_pipeline(scene));
    return create_draw_pipeline(scene);
}
