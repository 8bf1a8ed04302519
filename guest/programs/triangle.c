// A triangle, drawn off screen and written to stdout as PPM: Vulkan 1.3 on the guest kit, without a
// loader. The next program to try after hello.c.
#include <stdio.h>
#include <stdlib.h>

#include "guest/vtest/vtest.h"
#include "guest/vulkan/guest.h"
#include "triangle.frag.h"
#include "triangle.vert.h"

enum { WIDTH = 256, HEIGHT = 256 };
#define FORMAT VK_FORMAT_R8G8B8A8_UNORM

static void check(VkResult result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "triangle: %s: error %d\n", what, result);
    exit(1);
}

struct gpu {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    VkPhysicalDeviceMemoryProperties memory;
};

static void open_gpu(struct gpu *gpu)
{
    uint32_t count = 1;
    VkPhysicalDeviceVulkan13Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .synchronization2 = VK_TRUE,
        .dynamicRendering = VK_TRUE};
    check(vkCreateInstance(
              &(VkInstanceCreateInfo){
                  .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                  .pApplicationInfo =
                      &(VkApplicationInfo){.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .pApplicationName = "triangle",
                                           .apiVersion = VK_API_VERSION_1_3}},
              NULL, &gpu->instance),
          "vkCreateInstance");
    check(vkEnumeratePhysicalDevices(gpu->instance, &count, &gpu->physical), "no GPU");
    vkGetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->memory);
    check(vkCreateDevice(
              gpu->physical,
              &(VkDeviceCreateInfo){.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                    .pNext = &features,
                                    .queueCreateInfoCount = 1,
                                    .pQueueCreateInfos =
                                        &(VkDeviceQueueCreateInfo){
                                            .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                            .queueCount = 1,
                                            .pQueuePriorities = &(float){1}}},
              NULL, &gpu->device),
          "vkCreateDevice");
    vkGetDeviceQueue(gpu->device, 0, 0, &gpu->queue);
}

static VkDeviceMemory allocate(struct gpu *gpu, VkMemoryRequirements needs,
                               VkMemoryPropertyFlags wanted)
{
    VkDeviceMemory memory;
    uint32_t type = 0;
    while (type < gpu->memory.memoryTypeCount &&
           (!(needs.memoryTypeBits >> type & 1) ||
            (gpu->memory.memoryTypes[type].propertyFlags & wanted) != wanted))
        type++;
    check(vkAllocateMemory(gpu->device,
                           &(VkMemoryAllocateInfo){.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                                   .allocationSize = needs.size,
                                                   .memoryTypeIndex = type},
                           NULL, &memory),
          "vkAllocateMemory");
    return memory;
}

static VkImageView make_image(struct gpu *gpu, VkImage *image)
{
    VkImageView view;
    VkMemoryRequirements needs;
    check(vkCreateImage(gpu->device,
                        &(VkImageCreateInfo){.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                             .imageType = VK_IMAGE_TYPE_2D,
                                             .format = FORMAT,
                                             .extent = {WIDTH, HEIGHT, 1},
                                             .mipLevels = 1,
                                             .arrayLayers = 1,
                                             .samples = VK_SAMPLE_COUNT_1_BIT,
                                             .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                                                      VK_IMAGE_USAGE_TRANSFER_SRC_BIT},
                        NULL, image),
          "vkCreateImage");
    vkGetImageMemoryRequirements(gpu->device, *image, &needs);
    check(vkBindImageMemory(gpu->device, *image, allocate(gpu, needs, 0), 0), "vkBindImageMemory");
    check(vkCreateImageView(
              gpu->device,
              &(VkImageViewCreateInfo){.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                       .image = *image,
                                       .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                       .format = FORMAT,
                                       .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}},
              NULL, &view),
          "vkCreateImageView");
    return view;
}

static const uint8_t *make_buffer(struct gpu *gpu, VkBuffer *buffer)
{
    VkMemoryRequirements needs;
    void *pixels;
    check(vkCreateBuffer(gpu->device,
                         &(VkBufferCreateInfo){.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                               .size = WIDTH * HEIGHT * 4,
                                               .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT},
                         NULL, buffer),
          "vkCreateBuffer");
    vkGetBufferMemoryRequirements(gpu->device, *buffer, &needs);
    VkDeviceMemory memory = allocate(
        gpu, needs, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
    check(vkBindBufferMemory(gpu->device, *buffer, memory, 0), "vkBindBufferMemory");
    check(vkMapMemory(gpu->device, memory, 0, VK_WHOLE_SIZE, 0, &pixels), "vkMapMemory");
    return pixels;
}

static VkShaderModule make_shader(struct gpu *gpu, const uint32_t *code, size_t size)
{
    VkShaderModule module;
    check(vkCreateShaderModule(
              gpu->device,
              &(VkShaderModuleCreateInfo){.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                          .codeSize = size,
                                          .pCode = code},
              NULL, &module),
          "vkCreateShaderModule");
    return module;
}

static VkPipeline make_pipeline(struct gpu *gpu)
{
    VkPipelineLayout layout;
    VkPipeline pipeline;
    check(vkCreatePipelineLayout(
              gpu->device,
              &(VkPipelineLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO},
              NULL, &layout),
          "vkCreatePipelineLayout");
    const VkPipelineShaderStageCreateInfo stages[] = {
        {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
         .stage = VK_SHADER_STAGE_VERTEX_BIT,
         .module = make_shader(gpu, triangle_vert, sizeof(triangle_vert)),
         .pName = "main"},
        {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
         .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
         .module = make_shader(gpu, triangle_frag, sizeof(triangle_frag)),
         .pName = "main"}};
    const VkFormat format = FORMAT;
    const VkGraphicsPipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
        .pNext =
            &(VkPipelineRenderingCreateInfo){.sType =
                                                 VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
                                             .colorAttachmentCount = 1,
                                             .pColorAttachmentFormats = &format},
        .stageCount = 2,
        .pStages = stages,
        .pVertexInputState =
            &(VkPipelineVertexInputStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO},
        .pInputAssemblyState =
            &(VkPipelineInputAssemblyStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
                .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST},
        .pViewportState =
            &(VkPipelineViewportStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                .viewportCount = 1,
                .pViewports = &(VkViewport){0, 0, WIDTH, HEIGHT, 0, 1},
                .scissorCount = 1,
                .pScissors = &(VkRect2D){{0, 0}, {WIDTH, HEIGHT}}},
        .pRasterizationState =
            &(VkPipelineRasterizationStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                .lineWidth = 1},
        .pMultisampleState =
            &(VkPipelineMultisampleStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT},
        .pColorBlendState =
            &(VkPipelineColorBlendStateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                .attachmentCount = 1,
                .pAttachments = &(VkPipelineColorBlendAttachmentState){.colorWriteMask = 0xf}},
        .layout = layout};
    check(vkCreateGraphicsPipelines(gpu->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline),
          "vkCreateGraphicsPipelines");
    return pipeline;
}

// ---- drawing --------------------------------------------------------------

static void barrier(VkCommandBuffer commands, VkImage image, VkImageLayout from, VkImageLayout to)
{
    const VkImageMemoryBarrier2 change = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER_2,
        .srcStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
        .srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT,
        .dstStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
        .dstAccessMask = VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT,
        .oldLayout = from,
        .newLayout = to,
        .image = image,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}};
    vkCmdPipelineBarrier2(commands, &(VkDependencyInfo){.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                                        .imageMemoryBarrierCount = 1,
                                                        .pImageMemoryBarriers = &change});
}

static void record(VkCommandBuffer commands, VkPipeline pipeline, VkImage image, VkImageView view,
                   VkBuffer buffer)
{
    const VkRenderingAttachmentInfo attachment = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = view,
        .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .clearValue.color.float32 = {0.1f, 0.1f, 0.1f, 1}};
    barrier(commands, image, VK_IMAGE_LAYOUT_UNDEFINED, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vkCmdBeginRendering(commands, &(VkRenderingInfo){.sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                                     .renderArea = {{0, 0}, {WIDTH, HEIGHT}},
                                                     .layerCount = 1,
                                                     .colorAttachmentCount = 1,
                                                     .pColorAttachments = &attachment});
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdDraw(commands, 3, 1, 0, 0);
    vkCmdEndRendering(commands);
    barrier(commands, image, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
            VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    vkCmdCopyImageToBuffer(
        commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, buffer, 1,
        &(VkBufferImageCopy){.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                             .imageExtent = {WIDTH, HEIGHT, 1}});
}

static void draw(struct gpu *gpu, VkImage image, VkImageView view, VkBuffer buffer)
{
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
    check(vkCreateCommandPool(
              gpu->device,
              &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO}, NULL,
              &pool),
          "vkCreateCommandPool");
    check(vkAllocateCommandBuffers(gpu->device,
                                   &(VkCommandBufferAllocateInfo){
                                       .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                       .commandPool = pool,
                                       .commandBufferCount = 1},
                                   &commands),
          "vkAllocateCommandBuffers");
    check(vkCreateFence(gpu->device,
                        &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                        &fence),
          "vkCreateFence");
    check(vkBeginCommandBuffer(
              commands,
              &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}),
          "vkBeginCommandBuffer");
    record(commands, make_pipeline(gpu), image, view, buffer);
    check(vkEndCommandBuffer(commands), "vkEndCommandBuffer");
    check(vkQueueSubmit(gpu->queue, 1,
                        &(VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                        .commandBufferCount = 1,
                                        .pCommandBuffers = &commands},
                        fence),
          "vkQueueSubmit");
    check(vkWaitForFences(gpu->device, 1, &fence, VK_TRUE, UINT64_MAX), "vkWaitForFences");
}

static int connect_here(void *context, struct guest_transport **transport)
{
    return guest_vtest_connect(&guest_posix_system, NULL, transport);
}

int main(void)
{
    struct gpu gpu;
    VkImage image;
    VkBuffer buffer;
    guest_use(&guest_posix_system, connect_here, NULL);
    open_gpu(&gpu);
    VkImageView view = make_image(&gpu, &image);
    const uint8_t *pixels = make_buffer(&gpu, &buffer);
    draw(&gpu, image, view, buffer);
    printf("P6\n%d %d\n255\n", WIDTH, HEIGHT);
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
        fwrite(pixels + i * 4, 1, 3, stdout);
    // The rest goes with the instance.
    vkDestroyDevice(gpu.device, NULL);
    vkDestroyInstance(gpu.instance, NULL);
    return 0;
}
