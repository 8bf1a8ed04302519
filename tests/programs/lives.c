// lives: objects that end in unusual ways, and calls that are meant to fail.
//
//   lives instances    three instances and devices in one process, used in turn
//   lives children     devices destroyed with everything that was made of them still there
//   lives failures     results that are not VK_SUCCESS, after each of which the device still works
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mix.comp.h"

#define STORAGE                                                                                    \
    (VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |                       \
     VK_BUFFER_USAGE_TRANSFER_DST_BIT)

// The device carries out a command, and the CPU sees what it did.
static void works(struct app *app, uint32_t word)
{
    struct buffer b = buffer_create(app, 4096, STORAGE, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    memset(b.map, 0, b.size);
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdFillBuffer(cmd, b.buffer, 0, VK_WHOLE_SIZE, word);
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                          &(VkMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
                          },
                          0, NULL, 0, NULL);
    commands_run(app, cmd);
    for (uint32_t i = 0; i < 1024; i++)
        app_expect(((uint32_t *)b.map)[i] == word, "the device to work");
    buffer_destroy(app, &b);
}

// --- instances
// -------------------------------------------------------------------------------------

static int instances(void)
{
    struct app a, b, c;
    app_init(&a, NULL);
    app_init(&b, NULL);
    for (uint32_t i = 0; i < 20; i++) {
        works(&a, i);
        works(&b, ~i);
    }
    app_finish(&a);
    works(&b, 1);
    app_init(&c, NULL);
    works(&b, 2);
    works(&c, 3);
    app_finish(&b);
    works(&c, 4);
    app_finish(&c);
    for (uint32_t i = 0; i < 5; i++) { // one after another
        app_init(&a, NULL);
        works(&a, i);
        app_finish(&a);
    }
    puts("instances");
    return 0;
}

// --- children
// --------------------------------------------------------------------------------------

static VkDescriptorSetLayout set_layout_create(struct app *app)
{
    VkDescriptorSetLayout layout;
    const VkDescriptorSetLayoutBinding bindings[] = {
        {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
        {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
    };
    VK_CHECK(vk.CreateDescriptorSetLayout(
        app->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings = bindings,
        },
        NULL, &layout));
    return layout;
}

static VkPipelineLayout layout_create(struct app *app, VkDescriptorSetLayout set_layout)
{
    VkPipelineLayout layout;
    VK_CHECK(vk.CreatePipelineLayout(
        app->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges = &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, 8},
        },
        NULL, &layout));
    return layout;
}

static VkComputePipelineCreateInfo pipeline_info(VkPipelineLayout layout, VkShaderModule module,
                                                 VkPipelineCreateFlags flags)
{
    return (VkComputePipelineCreateInfo){
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = flags,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "main",
            },
        .layout = layout,
    };
}

static VkDescriptorPool pool_create(struct app *app, uint32_t sets)
{
    VkDescriptorPool pool;
    VK_CHECK(vk.CreateDescriptorPool(
        app->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .flags = VK_DESCRIPTOR_POOL_CREATE_FREE_DESCRIPTOR_SET_BIT,
            .maxSets = sets,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2 * sets},
        },
        NULL, &pool));
    return pool;
}

static VkResult set_allocate(struct app *app, VkDescriptorPool pool, VkDescriptorSetLayout layout,
                             VkDescriptorSet *set)
{
    return vk.AllocateDescriptorSets(app->device,
                                     &(VkDescriptorSetAllocateInfo){
                                         .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                         .descriptorPool = pool,
                                         .descriptorSetCount = 1,
                                         .pSetLayouts = &layout,
                                     },
                                     set);
}

// Makes some of everything and forgets it.
static void leave_children(struct app *app)
{
    VkFence fence;
    VkSemaphore semaphore;
    VkEvent event;
    VkQueryPool queries;
    VkSampler sampler;
    VkPipelineCache cache;
    VkPipeline pipeline;
    VkDescriptorSet set;
    VkCommandPool commands;
    VkCommandBuffer cmds[3];
    struct buffer b =
        buffer_create(app, 100000, STORAGE, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT); // mapped
    memset(b.map, 1, b.size);
    image_create(app,
                 &(VkImageCreateInfo){
                     .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                     .imageType = VK_IMAGE_TYPE_2D,
                     .format = VK_FORMAT_R8G8B8A8_UNORM,
                     .extent = {64, 64, 1},
                     .mipLevels = 1,
                     .arrayLayers = 1,
                     .samples = VK_SAMPLE_COUNT_1_BIT,
                     .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
                 },
                 VK_IMAGE_ASPECT_COLOR_BIT);
    VK_CHECK(vk.CreateFence(app->device,
                            &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                            NULL, &fence));
    VK_CHECK(vk.CreateSemaphore(
        app->device, &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO},
        NULL, &semaphore));
    VK_CHECK(vk.CreateEvent(app->device,
                            &(VkEventCreateInfo){.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO},
                            NULL, &event));
    VK_CHECK(vk.CreateQueryPool(app->device,
                                &(VkQueryPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                    .queryType = VK_QUERY_TYPE_OCCLUSION,
                                    .queryCount = 3,
                                },
                                NULL, &queries));
    VK_CHECK(vk.CreateSampler(
        app->device, &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO}, NULL,
        &sampler));
    VK_CHECK(vk.CreatePipelineCache(
        app->device,
        &(VkPipelineCacheCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO}, NULL,
        &cache));
    VkDescriptorSetLayout set_layout = set_layout_create(app);
    VK_CHECK(set_allocate(app, pool_create(app, 4), set_layout, &set));
    const VkComputePipelineCreateInfo info = pipeline_info(
        layout_create(app, set_layout), shader_create(app, mix_comp, sizeof(mix_comp)), 0);
    VK_CHECK(vk.CreateComputePipelines(app->device, cache, 1, &info, NULL, &pipeline));
    VK_CHECK(vk.CreateCommandPool(app->device,
                                  &(VkCommandPoolCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                      .queueFamilyIndex = app->family,
                                  },
                                  NULL, &commands));
    VK_CHECK(vk.AllocateCommandBuffers(app->device,
                                       &(VkCommandBufferAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = commands,
                                           .commandBufferCount = 3,
                                       },
                                       cmds));
    VK_CHECK(vk.BeginCommandBuffer(
        cmds[1],
        &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    vk.CmdFillBuffer(cmds[1], b.buffer, 0, VK_WHOLE_SIZE, 5);
}

static int children(void)
{
    struct app app;
    app_init(&app, NULL);
    for (uint32_t round = 0; round < 6; round++) {
        works(&app, round);
        for (uint32_t i = 0; i < 3; i++)
            leave_children(&app);
        VK_CHECK(vk.DeviceWaitIdle(app.device));
        vk.DestroyDevice(app.device, NULL); // app.pool goes with it too
        const float priority = 1;
        VK_CHECK(vk.CreateDevice(app.gpu,
                                 &(VkDeviceCreateInfo){
                                     .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos =
                                         &(VkDeviceQueueCreateInfo){
                                             .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                             .queueFamilyIndex = app.family,
                                             .queueCount = 1,
                                             .pQueuePriorities = &priority,
                                         },
                                 },
                                 NULL, &app.device));
        vk.GetDeviceQueue(app.device, app.family, 0, &app.queue);
        VK_CHECK(vk.CreateCommandPool(app.device,
                                      &(VkCommandPoolCreateInfo){
                                          .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = app.family,
                                      },
                                      NULL, &app.pool));
    }
    works(&app, 77);
    app_finish(&app);
    puts("children");
    return 0;
}

// --- failures
// --------------------------------------------------------------------------------------

static void pools(struct app *app)
{
    VkDescriptorSetLayout layout = set_layout_create(app);
    VkDescriptorPool pool = pool_create(app, 3);
    VkDescriptorSet sets[5];
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t count = 0;
        VkResult r = VK_SUCCESS;
        while (count < 5 && (r = set_allocate(app, pool, layout, &sets[count])) == VK_SUCCESS)
            count++;
        // Some drivers have more than they were asked for.
        app_expect(count >= 3 && (r == VK_SUCCESS || r == VK_ERROR_OUT_OF_POOL_MEMORY ||
                                  r == VK_ERROR_FRAGMENTED_POOL),
                   "a pool of three sets");
        if (round == 0)
            VK_CHECK(vk.FreeDescriptorSets(app->device, pool, count, sets));
        else
            VK_CHECK(vk.ResetDescriptorPool(app->device, pool, 0));
    }
    vk.DestroyDescriptorPool(app->device, pool, NULL);
    vk.DestroyDescriptorSetLayout(app->device, layout, NULL);
    works(app, 2);
    puts("pools run out");
}

static VkResult device_with(struct app *app, const char *extension, const void *features)
{
    VkDevice device = VK_NULL_HANDLE;
    const VkResult r =
        vk.CreateDevice(app->gpu,
                        &(VkDeviceCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                            .pNext = features,
                            .queueCreateInfoCount = 1,
                            .pQueueCreateInfos =
                                &(VkDeviceQueueCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                    .queueFamilyIndex = app->family,
                                    .queueCount = 1,
                                    .pQueuePriorities = (float[]){1},
                                },
                            .enabledExtensionCount = extension != NULL,
                            .ppEnabledExtensionNames = &extension,
                        },
                        NULL, &device);
    if (r == VK_SUCCESS)
        vk.DestroyDevice(device, NULL);
    return r;
}

static void devices(struct app *app)
{
    app_expect(device_with(app, "VK_EXT_of_another_star", NULL) == VK_ERROR_EXTENSION_NOT_PRESENT,
               "an unknown extension");
    VkPhysicalDeviceFeatures2 offered = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    vk.GetPhysicalDeviceFeatures2(app->gpu, &offered);
    VkPhysicalDeviceFeatures2 asked = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    const VkBool32 *has = (VkBool32 *)&offered.features;
    VkBool32 *wants = (VkBool32 *)&asked.features;
    // The first that is missing; which it is depends on the driver.
    for (size_t i = 0; i < sizeof(offered.features) / sizeof(*has); i++)
        if (!has[i]) {
            wants[i] = VK_TRUE;
            app_expect(device_with(app, NULL, &asked) == VK_ERROR_FEATURE_NOT_PRESENT,
                       "a feature that is not offered");
            break;
        }
    app_expect(device_with(app, NULL, NULL) == VK_SUCCESS, "a second device");
    works(app, 3);
    puts("devices are refused");
}

static void formats(struct app *app)
{
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2};
    const VkResult r = vk.GetPhysicalDeviceImageFormatProperties2(
        app->gpu,
        &(VkPhysicalDeviceImageFormatInfo2){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
            .format = VK_FORMAT_D32_SFLOAT,
            .type = VK_IMAGE_TYPE_3D,
            .tiling = VK_IMAGE_TILING_LINEAR,
            .usage = VK_IMAGE_USAGE_STORAGE_BIT | VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
        },
        &properties);
    app_expect(r == VK_ERROR_FORMAT_NOT_SUPPORTED, "an image that can't be");
    works(app, 4);
    puts("formats are refused");
}

// Pipelines that would have to be compiled, and are asked for only if they need not be.
static void pipelines(struct app *app)
{
    VkDescriptorSetLayout set_layout = set_layout_create(app);
    VkPipelineLayout layout = layout_create(app, set_layout);
    VkShaderModule module = shader_create(app, mix_comp, sizeof(mix_comp));
    const VkPipelineCreateFlags lazy = VK_PIPELINE_CREATE_FAIL_ON_PIPELINE_COMPILE_REQUIRED_BIT;
    const VkComputePipelineCreateInfo infos[] = {
        pipeline_info(layout, module, 0),
        pipeline_info(layout, module, lazy | VK_PIPELINE_CREATE_EARLY_RETURN_ON_FAILURE_BIT),
        pipeline_info(layout, module, 0),
    };
    VkPipeline made[3];
    for (uint32_t i = 0; i < 3; i++)
        made[i] = (VkPipeline)(uintptr_t)0x5a5a;
    const VkResult r = vk.CreateComputePipelines(app->device, VK_NULL_HANDLE, 3, infos, NULL, made);
    app_expect(r == VK_SUCCESS || r == VK_PIPELINE_COMPILE_REQUIRED,
               "no compilation, or no need for it");
    app_expect(made[0] && made[0] != (VkPipeline)(uintptr_t)0x5a5a,
               "the pipelines before that one");
    if (r == VK_PIPELINE_COMPILE_REQUIRED)
        app_expect(!made[1] && !made[2], "none from there on");
    printf("pipelines %d\n", (int)r);
    for (uint32_t i = 0; i < 3; i++)
        vk.DestroyPipeline(app->device, made[i], NULL);
    vk.DestroyShaderModule(app->device, module, NULL);
    vk.DestroyPipelineLayout(app->device, layout, NULL);
    vk.DestroyDescriptorSetLayout(app->device, set_layout, NULL);
    works(app, 5);
}

static int failures(void)
{
    struct app app;
    VkPhysicalDeviceVulkan13Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pipelineCreationCacheControl = VK_TRUE,
    };
    app_init(&app, &(struct app_wants){.api_version = VK_API_VERSION_1_3, .features = &features});
    pools(&app);
    devices(&app);
    formats(&app);
    pipelines(&app);
    app_finish(&app);
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "instances") == 0)
        return instances();
    if (strcmp(mode, "children") == 0)
        return children();
    if (strcmp(mode, "failures") == 0)
        return failures();
    app_fail("instances, children or failures?");
}
