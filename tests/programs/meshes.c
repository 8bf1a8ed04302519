// meshes: tiles drawn by task and mesh shaders (VK_EXT_mesh_shader) into an image without a window,
// directly and by an indirect draw whose size lies in a buffer. Writes the frame as PPM, prints
// hashes.
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "meshes.frag.h"
#include "meshes.mesh.h"
#include "meshes.task.h"

enum { SIDE = 128, COLUMNS = 8 };
#define COLOUR VK_FORMAT_R8G8B8A8_UNORM

static struct {
    PFN_vkCmdDrawMeshTasksEXT draw;
    PFN_vkCmdDrawMeshTasksIndirectEXT draw_indirect;
    PFN_vkCmdBeginRendering begin;
    PFN_vkCmdEndRendering end;
} mesh;

static VkPipeline pipeline_create(struct app *app, VkPipelineLayout layout)
{
    VkPipelineShaderStageCreateInfo stages[] = {
        {.stage = VK_SHADER_STAGE_TASK_BIT_EXT,
         .module = shader_create(app, meshes_task, sizeof(meshes_task))},
        {.stage = VK_SHADER_STAGE_MESH_BIT_EXT,
         .module = shader_create(app, meshes_mesh, sizeof(meshes_mesh))},
        {.stage = VK_SHADER_STAGE_FRAGMENT_BIT,
         .module = shader_create(app, meshes_frag, sizeof(meshes_frag))},
    };
    for (uint32_t i = 0; i < 3; i++) {
        stages[i].sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
        stages[i].pName = "main";
    }
    const VkFormat format = COLOUR;
    const VkPipelineColorBlendAttachmentState blend = {.colorWriteMask = 0xf};
    VkPipeline pipeline;
    VK_CHECK(vk.CreateGraphicsPipelines(
        app->device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext =
                &(VkPipelineRenderingCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
                    .colorAttachmentCount = 1,
                    .pColorAttachmentFormats = &format,
                },
            .stageCount = 3,
            .pStages = stages,
            .pViewportState =
                &(VkPipelineViewportStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                    .viewportCount = 1,
                    .pViewports = &(VkViewport){0, 0, SIDE, SIDE, 0, 1},
                    .scissorCount = 1,
                    .pScissors = &(VkRect2D){{0, 0}, {SIDE, SIDE}},
                },
            .pRasterizationState =
                &(VkPipelineRasterizationStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                    .lineWidth = 1,
                },
            .pMultisampleState =
                &(VkPipelineMultisampleStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                    .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT,
                },
            .pColorBlendState =
                &(VkPipelineColorBlendStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                    .attachmentCount = 1,
                    .pAttachments = &blend,
                },
            .layout = layout,
        },
        NULL, &pipeline));
    for (uint32_t i = 0; i < 3; i++)
        vk.DestroyShaderModule(app->device, stages[i].module, NULL);
    return pipeline;
}

static void draw(struct app *app, VkPipeline pipeline, struct image *image, struct buffer *counts,
                 struct buffer *readback)
{
    VkCommandBuffer cmd = commands_begin(app);
    image_barrier(cmd, image->image, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0,
                  VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                  VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT);
    mesh.begin(cmd, &(VkRenderingInfo){
                        .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                        .renderArea = {{0, 0}, {SIDE, SIDE}},
                        .layerCount = 1,
                        .colorAttachmentCount = 1,
                        .pColorAttachments =
                            &(VkRenderingAttachmentInfo){
                                .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                .imageView = image->view,
                                .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                .clearValue.color.float32 = {0.1f, 0.1f, 0.3f, 1.0f},
                            },
                    });
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    if (counts)
        mesh.draw_indirect(cmd, counts->buffer, 0, 1, sizeof(VkDrawMeshTasksIndirectCommandEXT));
    else
        mesh.draw(cmd, COLUMNS, 1, 1);
    mesh.end(cmd);
    image_barrier(cmd, image->image, VK_IMAGE_ASPECT_COLOR_BIT,
                  VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                  VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                  VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
                  VK_ACCESS_TRANSFER_READ_BIT);
    vk.CmdCopyImageToBuffer(cmd, image->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                            readback->buffer, 1,
                            &(VkBufferImageCopy){
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                .imageExtent = {SIDE, SIDE, 1},
                            });
    commands_run(app, cmd);
}

int main(int argc, char **argv)
{
    static const char *const extensions[] = {VK_EXT_MESH_SHADER_EXTENSION_NAME};
    static VkPhysicalDeviceMeshShaderFeaturesEXT feature = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MESH_SHADER_FEATURES_EXT,
        .taskShader = VK_TRUE,
        .meshShader = VK_TRUE,
    };
    static VkPhysicalDeviceVulkan13Features core13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = &feature,
        .dynamicRendering = VK_TRUE,
        .maintenance4 = VK_TRUE,
    };
    struct app app;
    app_init(&app, &(struct app_wants){
                       .api_version = VK_API_VERSION_1_3,
                       .extensions = extensions,
                       .extension_count = 1,
                       .features = &core13,
                   });
#define LOAD(member, name)                                                                         \
    mesh.member = (PFN_##name)vk.GetDeviceProcAddr(app.device, #name);                             \
    app_expect(mesh.member != NULL, #name)
    LOAD(draw, vkCmdDrawMeshTasksEXT);
    LOAD(draw_indirect, vkCmdDrawMeshTasksIndirectEXT);
    LOAD(begin, vkCmdBeginRendering);
    LOAD(end, vkCmdEndRendering);
#undef LOAD
    struct image image = image_create(
        &app,
        &(VkImageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
            .imageType = VK_IMAGE_TYPE_2D,
            .format = COLOUR,
            .extent = {SIDE, SIDE, 1},
            .mipLevels = 1,
            .arrayLayers = 1,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
        },
        VK_IMAGE_ASPECT_COLOR_BIT);
    struct buffer readback = buffer_create(&app, SIDE * SIDE * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                           VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    struct buffer counts =
        buffer_create(&app, sizeof(VkDrawMeshTasksIndirectCommandEXT),
                      VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    *(VkDrawMeshTasksIndirectCommandEXT *)counts.map =
        (VkDrawMeshTasksIndirectCommandEXT){COLUMNS, 1, 1};
    VkPipelineLayout layout;
    VK_CHECK(vk.CreatePipelineLayout(
        app.device,
        &(VkPipelineLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO}, NULL,
        &layout));
    VkPipeline pipeline = pipeline_create(&app, layout);

    draw(&app, pipeline, &image, NULL, &readback);
    const uint64_t direct = hash_bytes(readback.map, SIDE * SIDE * 4);
    const uint8_t *tile = (uint8_t *)readback.map + (4 * SIDE + 4) * 4;
    app_expect(tile[2] != 77 && memcmp(tile, readback.map, 4) != 0, "a tile in the corner");
    printf("direct %016" PRIx64 "\n", direct);
    draw(&app, pipeline, &image, &counts, &readback);
    printf("indirect %016" PRIx64 "\n", hash_bytes(readback.map, SIDE * SIDE * 4));
    app_expect(hash_bytes(readback.map, SIDE * SIDE * 4) == direct, "both draws to be alike");
    write_ppm(argc > 1 ? argv[1] : NULL, readback.map, SIDE, SIDE, SIDE * 4);

    vk.DestroyPipeline(app.device, pipeline, NULL);
    vk.DestroyPipelineLayout(app.device, layout, NULL);
    image_destroy(&app, &image);
    buffer_destroy(&app, &readback);
    buffer_destroy(&app, &counts);
    app_finish(&app);
    return 0;
}
