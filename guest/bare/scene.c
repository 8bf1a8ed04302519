// Instance, device, memory, and the drawing of a frame. setup.c makes what is drawn with.
#include "guest/bare/scene.h"

#include <string.h>

#include "guest/bare/mesh.h"
#include "guest/bare/scene_private.h"

// ---- instance and device --------------------------------------------------

// The first that can draw.
static VkResult choose_device(struct scene *scene)
{
    VkPhysicalDevice devices[8];
    VkQueueFamilyProperties families[16];
    uint32_t count = 8;
    VkResult result = vkEnumeratePhysicalDevices(scene->instance, &count, devices);
    if (result < 0)
        return result;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t family_count = 16;
        vkGetPhysicalDeviceQueueFamilyProperties(devices[i], &family_count, families);
        for (uint32_t family = 0; family < family_count; family++) {
            if ((families[family].queueFlags & VK_QUEUE_GRAPHICS_BIT) &&
                (families[family].queueFlags & VK_QUEUE_COMPUTE_BIT)) {
                scene->physical = devices[i];
                scene->family = family;
                return VK_SUCCESS;
            }
        }
    }
    return VK_ERROR_INITIALIZATION_FAILED;
}

static VkResult create_instance(struct scene *scene)
{
    static const char *const extensions[] = {VK_KHR_SURFACE_EXTENSION_NAME,
                                             VK_KHR_DISPLAY_EXTENSION_NAME};
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .pApplicationName = "hesper bare",
                                           .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo instance = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                           .pApplicationInfo = &application,
                                           .enabledExtensionCount = 2,
                                           .ppEnabledExtensionNames = extensions};
    return vkCreateInstance(&instance, NULL, &scene->instance);
}

static VkResult create_device(struct scene *scene)
{
    static const char *const extensions[] = {VK_KHR_SWAPCHAIN_EXTENSION_NAME};
    TRY(choose_device(scene));
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(scene->physical, &properties);
    memcpy(scene->name, properties.deviceName, sizeof(scene->name));
    vkGetPhysicalDeviceMemoryProperties(scene->physical, &scene->memory);
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = scene->family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo device = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                       .queueCreateInfoCount = 1,
                                       .pQueueCreateInfos = &queue,
                                       .enabledExtensionCount = 1,
                                       .ppEnabledExtensionNames = extensions};
    TRY(vkCreateDevice(scene->physical, &device, NULL, &scene->device));
    vkGetDeviceQueue(scene->device, scene->family, 0, &scene->queue);
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = scene->family};
    TRY(vkCreateCommandPool(scene->device, &pool, NULL, &scene->pool));
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    return vkCreateFence(scene->device, &fence, NULL, &scene->fence);
}

// ---- memory ---------------------------------------------------------------

VkResult scene_allocate(struct scene *scene, const VkMemoryRequirements *needs, bool mapped,
                        struct scene_memory *memory)
{
    const VkMemoryPropertyFlags wanted =
        mapped ? VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
               : VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    uint32_t type = UINT32_MAX;
    for (uint32_t i = 0; i < scene->memory.memoryTypeCount; i++) {
        if (!(needs->memoryTypeBits & 1u << i))
            continue;
        bool good = (scene->memory.memoryTypes[i].propertyFlags & wanted) == wanted;
        // Where nothing is local to the device, anything is good for what is not mapped.
        if (good || (!mapped && type == UINT32_MAX))
            type = i;
        if (good)
            break;
    }
    if (type == UINT32_MAX)
        return VK_ERROR_FEATURE_NOT_PRESENT;
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = needs->size,
                                       .memoryTypeIndex = type};
    TRY(vkAllocateMemory(scene->device, &info, NULL, &memory->memory));
    return mapped ? vkMapMemory(scene->device, memory->memory, 0, VK_WHOLE_SIZE, 0, &memory->pixels)
                  : VK_SUCCESS;
}

VkResult scene_buffer(struct scene *scene, VkDeviceSize size, VkBufferUsageFlags usage,
                      VkBuffer *buffer, struct scene_memory *memory)
{
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size, .usage = usage};
    VkMemoryRequirements needs;
    TRY(vkCreateBuffer(scene->device, &info, NULL, buffer));
    vkGetBufferMemoryRequirements(scene->device, *buffer, &needs);
    TRY(scene_allocate(scene, &needs, true, memory));
    return vkBindBufferMemory(scene->device, *buffer, memory->memory, 0);
}

VkResult scene_image(struct scene *scene, const struct scene_image_info *info, VkImage *image,
                     struct scene_memory *memory, VkImageView *view)
{
    const VkImageCreateInfo create = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                      .imageType = VK_IMAGE_TYPE_2D,
                                      .format = info->format,
                                      .extent = {info->width, info->height, 1},
                                      .mipLevels = 1,
                                      .arrayLayers = 1,
                                      .samples = VK_SAMPLE_COUNT_1_BIT,
                                      .tiling = info->mapped ? VK_IMAGE_TILING_LINEAR
                                                             : VK_IMAGE_TILING_OPTIMAL,
                                      .usage = info->usage};
    VkMemoryRequirements needs;
    TRY(vkCreateImage(scene->device, &create, NULL, image));
    vkGetImageMemoryRequirements(scene->device, *image, &needs);
    TRY(scene_allocate(scene, &needs, info->mapped, memory));
    TRY(vkBindImageMemory(scene->device, *image, memory->memory, 0));
    const VkImageViewCreateInfo seen = {.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                        .image = *image,
                                        .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                        .format = info->format,
                                        .subresourceRange = {info->aspect, 0, 1, 0, 1}};
    return vkCreateImageView(scene->device, &seen, NULL, view);
}

// ---- work -----------------------------------------------------------------

VkResult scene_begin(VkCommandBuffer commands)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    return vkBeginCommandBuffer(commands, &info);
}

VkResult scene_run(struct scene *scene, VkCommandBuffer commands)
{
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                 .commandBufferCount = 1,
                                 .pCommandBuffers = &commands};
    TRY(vkEndCommandBuffer(commands));
    TRY(vkQueueSubmit(scene->queue, 1, &submit, scene->fence));
    TRY(vkWaitForFences(scene->device, 1, &scene->fence, VK_TRUE, UINT64_MAX));
    return vkResetFences(scene->device, 1, &scene->fence);
}

// What the device has written becomes visible to whoever reads memory.
static void hand_over(VkCommandBuffer commands, VkPipelineStageFlags stage, VkAccessFlags access)
{
    const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                     .srcAccessMask = access,
                                     .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
    vkCmdPipelineBarrier(commands, stage, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0,
                         NULL);
}

static void copy_picture(const struct scene *scene, const struct scene_picture *picture)
{
    const VkBufferImageCopy copy = {
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
        .imageExtent = {scene->width, scene->height, 1},
    };
    vkCmdCopyImageToBuffer(picture->commands, picture->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                           picture->copy, 1, &copy);
}

VkResult scene_draw(struct scene *scene, uint32_t index, double turn)
{
    const struct scene_picture *picture = &scene->pictures[index];
    VkCommandBuffer commands = picture->commands;
    const VkClearValue clear[2] = {{.color = {.float32 = {0.05f, 0.07f, 0.12f, 1}}},
                                   {.depthStencil = {.depth = 1}}};
    const VkRenderPassBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                         .renderPass = scene->pass,
                                         .framebuffer = picture->framebuffer,
                                         .renderArea = {{0, 0}, {scene->width, scene->height}},
                                         .clearValueCount = 2,
                                         .pClearValues = clear};
    const VkDeviceSize vertices = 0;
    struct mesh_place place;
    mesh_place(&place, turn, scene->width, scene->height);
    TRY(scene_begin(commands));
    vkCmdBeginRenderPass(commands, &begin, VK_SUBPASS_CONTENTS_INLINE);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, scene->draw_pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, scene->draw_layout, 0, 1,
                            &scene->skin_set, 0, NULL);
    vkCmdPushConstants(commands, scene->draw_layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(place),
                       &place);
    vkCmdBindVertexBuffers(commands, 0, 1, &scene->mesh, &vertices);
    vkCmdBindIndexBuffer(commands, scene->mesh, MESH_VERTICES * sizeof(struct mesh_vertex),
                         VK_INDEX_TYPE_UINT16);
    vkCmdDrawIndexed(commands, MESH_INDICES, 1, 0, 0, 0);
    vkCmdEndRenderPass(commands);
    if (scene->copied)
        copy_picture(scene, picture);
    hand_over(commands,
              scene->copied ? VK_PIPELINE_STAGE_TRANSFER_BIT
                            : VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
              scene->copied ? VK_ACCESS_TRANSFER_WRITE_BIT : VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT);
    return scene_run(scene, commands);
}

// What shaders/mix.comp does.
static uint32_t mixed(uint32_t i)
{
    uint32_t word = i ^ (i * 2654435761u);
    word = (word ^ (word >> 15)) * 2246822519u;
    return word ^ (word >> 13);
}

VkResult scene_compute(struct scene *scene, uint64_t *sum, bool *right)
{
    VkCommandBuffer commands = scene->pictures[0].commands;
    uint32_t *words = scene->words_memory.pixels;
    for (uint32_t i = 0; i < SCENE_WORDS; i++)
        words[i] = i;
    TRY(scene_begin(commands));
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, scene->compute_pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, scene->compute_layout, 0, 1,
                            &scene->words_set, 0, NULL);
    vkCmdDispatch(commands, SCENE_WORDS / 64, 1, 1);
    hand_over(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT);
    TRY(scene_run(scene, commands));
    *sum = 0;
    *right = true;
    for (uint32_t i = 0; i < SCENE_WORDS; i++) {
        *sum += words[i];
        *right &= words[i] == mixed(i);
    }
    return VK_SUCCESS;
}

// ---- the whole ------------------------------------------------------------

VkResult scene_create(struct scene *scene, uint32_t width, uint32_t height, bool copy)
{
    memset(scene, 0, sizeof(*scene));
    scene->width = width;
    scene->height = height;
    TRY(create_instance(scene));
    TRY(create_device(scene));
    VkFormatProperties format;
    vkGetPhysicalDeviceFormatProperties(scene->physical, SCENE_FORMAT, &format);
    scene->copied = copy || !(format.linearTilingFeatures & VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT);
    return scene_set_up(scene);
}

static void free_memory(const struct scene *scene, const struct scene_memory *memory)
{
    vkFreeMemory(scene->device, memory->memory, NULL);
}

// What was not made is null, and destroying that does nothing.
static void destroy_device(struct scene *scene)
{
    VkDevice device = scene->device;
    if (device) {
        for (uint32_t i = 0; i < SCENE_PICTURES; i++) {
            const struct scene_picture *picture = &scene->pictures[i];
            vkDestroyFramebuffer(device, picture->framebuffer, NULL);
            vkDestroyImageView(device, picture->view, NULL);
            vkDestroyImage(device, picture->image, NULL);
            vkDestroyBuffer(device, picture->copy, NULL);
            free_memory(scene, &picture->memory);
            free_memory(scene, &picture->drawn);
        }
        vkDestroyPipeline(device, scene->draw_pipeline, NULL);
        vkDestroyPipeline(device, scene->compute_pipeline, NULL);
        vkDestroyPipelineLayout(device, scene->draw_layout, NULL);
        vkDestroyPipelineLayout(device, scene->compute_layout, NULL);
        vkDestroyRenderPass(device, scene->pass, NULL);
        vkDestroyDescriptorPool(device, scene->descriptors, NULL);
        vkDestroyDescriptorSetLayout(device, scene->skin_layout, NULL);
        vkDestroyDescriptorSetLayout(device, scene->words_layout, NULL);
        vkDestroySampler(device, scene->sampler, NULL);
        vkDestroyImageView(device, scene->depth_view, NULL);
        vkDestroyImageView(device, scene->skin_view, NULL);
        vkDestroyImage(device, scene->depth, NULL);
        vkDestroyImage(device, scene->skin, NULL);
        vkDestroyBuffer(device, scene->mesh, NULL);
        vkDestroyBuffer(device, scene->words, NULL);
        free_memory(scene, &scene->depth_memory);
        free_memory(scene, &scene->skin_memory);
        free_memory(scene, &scene->mesh_memory);
        free_memory(scene, &scene->words_memory);
        vkDestroyFence(device, scene->fence, NULL);
        vkDestroyCommandPool(device, scene->pool, NULL);
        vkDestroyDevice(device, NULL);
    }
}

VkResult scene_renew(struct scene *scene)
{
    const struct scene old = *scene;
    destroy_device(scene);
    memset(scene, 0, sizeof(*scene));
    scene->instance = old.instance;
    scene->width = old.width;
    scene->height = old.height;
    scene->copied = old.copied;
    TRY(create_device(scene));
    return scene_set_up(scene);
}

void scene_destroy(struct scene *scene)
{
    destroy_device(scene);
    if (scene->instance)
        vkDestroyInstance(scene->instance, NULL);
    memset(scene, 0, sizeof(*scene));
}
