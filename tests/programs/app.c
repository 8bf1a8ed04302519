#include "app.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct vk_functions vk;

void app_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fputs("FAIL: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void app_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("skip: ");
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    exit(APP_SKIP);
}

void app_check(VkResult result, const char *call)
{
    if (result < 0)
        app_fail("%s: VkResult %d", call, (int)result);
}

void app_expect(bool ok, const char *what)
{
    if (!ok)
        app_fail("expected: %s", what);
}

static PFN_vkGetInstanceProcAddr load_vulkan(void)
{
    void *lib = dlopen("libvulkan.so.1", RTLD_NOW);
    if (!lib)
        app_fail("cannot load the Vulkan loader: %s", dlerror());
    // POSIX promises that an object pointer from dlsym holds a function; ISO C has no cast for it.
    PFN_vkGetInstanceProcAddr get;
    *(void **)&get = dlsym(lib, "vkGetInstanceProcAddr");
    if (!get)
        app_fail("libvulkan.so.1 has no vkGetInstanceProcAddr");
    return get;
}

bool app_has_extension(VkPhysicalDevice gpu, const char *name)
{
    uint32_t count = 0;
    VK_CHECK(vk.EnumerateDeviceExtensionProperties(gpu, NULL, &count, NULL));
    VkExtensionProperties *list = calloc(count ? count : 1, sizeof(*list));
    VK_CHECK(vk.EnumerateDeviceExtensionProperties(gpu, NULL, &count, list));
    bool found = false;
    for (uint32_t i = 0; i < count && !found; i++)
        found = strcmp(list[i].extensionName, name) == 0;
    free(list);
    return found;
}

static uint32_t graphics_family(VkPhysicalDevice gpu)
{
    VkQueueFamilyProperties families[16];
    uint32_t count = 16;
    vk.GetPhysicalDeviceQueueFamilyProperties(gpu, &count, families);
    const VkQueueFlags both = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
    for (uint32_t i = 0; i < count; i++)
        if ((families[i].queueFlags & both) == both)
            return i;
    app_fail("no queue family with graphics and compute");
}

void app_init(struct app *app, const struct app_wants *wants)
{
    static const struct app_wants nothing;
    if (!wants)
        wants = &nothing;
    *app = (struct app){0};
    setvbuf(stdout, NULL, _IOLBF, 0);

    PFN_vkGetInstanceProcAddr get = load_vulkan();
#define VK_FUNCTION(name) vk.name = (PFN_vk##name)get(NULL, "vk" #name);
    VK_GLOBAL_FUNCTIONS
#undef VK_FUNCTION

    const uint32_t api = wants->api_version ? wants->api_version : VK_API_VERSION_1_1;
    VK_CHECK(vk.CreateInstance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo =
                &(VkApplicationInfo){
                    .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                    .pApplicationName = "hesper-test",
                    .apiVersion = api,
                },
        },
        NULL, &app->instance));
#define VK_FUNCTION(name) vk.name = (PFN_vk##name)get(app->instance, "vk" #name);
    VK_INSTANCE_FUNCTIONS
#undef VK_FUNCTION

    uint32_t count = 1;
    VkResult r = vk.EnumeratePhysicalDevices(app->instance, &count, &app->gpu);
    if (r < 0 || count == 0)
        app_fail("no Vulkan device (VkResult %d)", (int)r);
    vk.GetPhysicalDeviceProperties(app->gpu, &app->properties);
    vk.GetPhysicalDeviceMemoryProperties(app->gpu, &app->memory);
    if (app->properties.apiVersion < api)
        app_skip("the device offers Vulkan %u.%u only",
                 VK_API_VERSION_MAJOR(app->properties.apiVersion),
                 VK_API_VERSION_MINOR(app->properties.apiVersion));
    for (uint32_t i = 0; i < wants->extension_count; i++)
        if (!app_has_extension(app->gpu, wants->extensions[i]))
            app_skip("no %s", wants->extensions[i]);

    const void *features = wants->features;
    if (wants->offered) {
        vk.GetPhysicalDeviceFeatures2(app->gpu, wants->offered);
        features = wants->offered;
    }
    app->family = graphics_family(app->gpu);
    VK_CHECK(vk.CreateDevice(app->gpu,
                             &(VkDeviceCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                 .pNext = features,
                                 .queueCreateInfoCount = 1,
                                 .pQueueCreateInfos =
                                     &(VkDeviceQueueCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                         .queueFamilyIndex = app->family,
                                         .queueCount = 1,
                                         .pQueuePriorities = (float[]){1.0f},
                                     },
                                 .enabledExtensionCount = wants->extension_count,
                                 .ppEnabledExtensionNames = wants->extensions,
                             },
                             NULL, &app->device));
#define VK_FUNCTION(name) vk.name = (PFN_vk##name)vk.GetDeviceProcAddr(app->device, "vk" #name);
    VK_DEVICE_FUNCTIONS
#undef VK_FUNCTION
    vk.GetDeviceQueue(app->device, app->family, 0, &app->queue);
    VK_CHECK(vk.CreateCommandPool(app->device,
                                  &(VkCommandPoolCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                      .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                      .queueFamilyIndex = app->family,
                                  },
                                  NULL, &app->pool));
}

static void run_mode(const struct app_mode *mode, const char *path)
{
    VkPhysicalDeviceVulkan13Features v13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = mode->features,
    };
    VkPhysicalDeviceVulkan12Features v12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &v13,
    };
    VkPhysicalDeviceVulkan11Features v11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .pNext = &v12,
    };
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &v11,
    };
    struct app app;
    struct app_wants wants = {
        .api_version = mode->api_version ? mode->api_version : VK_API_VERSION_1_3,
        .extensions = mode->extensions,
        .offered = &features,
    };
    while (mode->extensions[wants.extension_count])
        wants.extension_count++;
    app_init(&app, &wants);
    mode->run(&app, path);
    app_finish(&app);
}

int app_run_modes(const struct app_mode *modes, int argc, char **argv)
{
    bool found = false;
    for (const struct app_mode *m = modes; m->name; m++)
        if (argc < 2 || strcmp(argv[1], m->name) == 0) {
            found = true;
            run_mode(m, argc > 2 ? argv[2] : NULL);
        }
    if (!found)
        app_fail("no mode '%s'", argv[1]);
    return 0;
}

void app_finish(struct app *app)
{
    VK_CHECK(vk.DeviceWaitIdle(app->device));
    vk.DestroyCommandPool(app->device, app->pool, NULL);
    vk.DestroyDevice(app->device, NULL);
    vk.DestroyInstance(app->instance, NULL);
}

uint32_t memory_type(const struct app *app, uint32_t bits, VkMemoryPropertyFlags flags)
{
    for (uint32_t i = 0; i < app->memory.memoryTypeCount; i++)
        if ((bits & (1u << i)) && (app->memory.memoryTypes[i].propertyFlags & flags) == flags)
            return i;
    return UINT32_MAX;
}

struct buffer buffer_create(struct app *app, VkDeviceSize size, VkBufferUsageFlags usage,
                            VkMemoryPropertyFlags flags)
{
    struct buffer b = {.size = size};
    VK_CHECK(vk.CreateBuffer(app->device,
                             &(VkBufferCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                 .size = size,
                                 .usage = usage,
                             },
                             NULL, &b.buffer));
    VkMemoryRequirements need;
    vk.GetBufferMemoryRequirements(app->device, b.buffer, &need);
    if (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
        flags |= VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const uint32_t type = memory_type(app, need.memoryTypeBits, flags);
    app_expect(type != UINT32_MAX, "a memory type for the buffer");
    const VkMemoryAllocateFlagsInfo address = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT,
    };
    VK_CHECK(vk.AllocateMemory(
        app->device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .pNext = usage & VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT ? &address : NULL,
            .allocationSize = need.size,
            .memoryTypeIndex = type,
        },
        NULL, &b.memory));
    VK_CHECK(vk.BindBufferMemory(app->device, b.buffer, b.memory, 0));
    if (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
        VK_CHECK(vk.MapMemory(app->device, b.memory, 0, VK_WHOLE_SIZE, 0, &b.map));
    return b;
}

void buffer_destroy(struct app *app, struct buffer *b)
{
    vk.DestroyBuffer(app->device, b->buffer, NULL);
    vk.FreeMemory(app->device, b->memory, NULL);
    *b = (struct buffer){0};
}

struct image image_create(struct app *app, const VkImageCreateInfo *info, VkImageAspectFlags aspect)
{
    struct image im = {
        .format = info->format, .width = info->extent.width, .height = info->extent.height};
    VK_CHECK(vk.CreateImage(app->device, info, NULL, &im.image));
    VkMemoryRequirements need;
    vk.GetImageMemoryRequirements(app->device, im.image, &need);
    const uint32_t type = memory_type(app, need.memoryTypeBits, 0);
    VK_CHECK(vk.AllocateMemory(app->device,
                               &(VkMemoryAllocateInfo){
                                   .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                   .allocationSize = need.size,
                                   .memoryTypeIndex = type,
                               },
                               NULL, &im.memory));
    VK_CHECK(vk.BindImageMemory(app->device, im.image, im.memory, 0));
    VK_CHECK(vk.CreateImageView(
        app->device,
        &(VkImageViewCreateInfo){
            .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
            .image = im.image,
            .viewType = info->arrayLayers > 1 ? VK_IMAGE_VIEW_TYPE_2D_ARRAY : VK_IMAGE_VIEW_TYPE_2D,
            .format = info->format,
            .subresourceRange = {aspect, 0, info->mipLevels, 0, info->arrayLayers},
        },
        NULL, &im.view));
    return im;
}

void image_destroy(struct app *app, struct image *im)
{
    vk.DestroyImageView(app->device, im->view, NULL);
    vk.DestroyImage(app->device, im->image, NULL);
    vk.FreeMemory(app->device, im->memory, NULL);
    *im = (struct image){0};
}

void image_barrier(VkCommandBuffer cmd, VkImage image, VkImageAspectFlags aspect,
                   VkImageLayout from, VkImageLayout to, VkPipelineStageFlags src_stage,
                   VkAccessFlags src, VkPipelineStageFlags dst_stage, VkAccessFlags dst)
{
    vk.CmdPipelineBarrier(
        cmd, src_stage, dst_stage, 0, 0, NULL, 0, NULL, 1,
        &(VkImageMemoryBarrier){
            .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
            .srcAccessMask = src,
            .dstAccessMask = dst,
            .oldLayout = from,
            .newLayout = to,
            .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
            .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
            .image = image,
            .subresourceRange = {aspect, 0, VK_REMAINING_MIP_LEVELS, 0, VK_REMAINING_ARRAY_LAYERS},
        });
}

VkShaderModule shader_create(struct app *app, const uint32_t *code, size_t size)
{
    VkShaderModule module;
    VK_CHECK(vk.CreateShaderModule(app->device,
                                   &(VkShaderModuleCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                       .codeSize = size,
                                       .pCode = code,
                                   },
                                   NULL, &module));
    return module;
}

VkPipeline compute_pipeline(struct app *app, VkPipelineCreateFlags flags, VkPipelineCache cache,
                            VkPipelineLayout layout, VkShaderModule module,
                            const VkSpecializationInfo *special)
{
    VkPipeline pipeline;
    VK_CHECK(vk.CreateComputePipelines(
        app->device, cache, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .flags = flags,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = module,
                    .pName = "main",
                    .pSpecializationInfo = special,
                },
            .layout = layout,
        },
        NULL, &pipeline));
    return pipeline;
}

void transfer_barrier(VkCommandBuffer cmd)
{
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TRANSFER_BIT,
                          VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                          &(VkMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT |
                                               VK_ACCESS_TRANSFER_WRITE_BIT |
                                               VK_ACCESS_HOST_READ_BIT,
                          },
                          0, NULL, 0, NULL);
}

VkCommandBuffer commands_begin(struct app *app)
{
    VkCommandBuffer cmd;
    VK_CHECK(vk.AllocateCommandBuffers(app->device,
                                       &(VkCommandBufferAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = app->pool,
                                           .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                           .commandBufferCount = 1,
                                       },
                                       &cmd));
    VK_CHECK(vk.BeginCommandBuffer(
        cmd, &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    return cmd;
}

void commands_run(struct app *app, VkCommandBuffer cmd)
{
    VkFence fence;
    VK_CHECK(vk.EndCommandBuffer(cmd));
    VK_CHECK(vk.CreateFence(app->device,
                            &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                            NULL, &fence));
    VK_CHECK(vk.QueueSubmit(app->queue, 1,
                            &(VkSubmitInfo){
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .commandBufferCount = 1,
                                .pCommandBuffers = &cmd,
                            },
                            fence));
    VkResult r = vk.WaitForFences(app->device, 1, &fence, VK_TRUE, 60ull * 1000 * 1000 * 1000);
    app_expect(r == VK_SUCCESS, "the submission to end within a minute");
    vk.DestroyFence(app->device, fence, NULL);
    vk.FreeCommandBuffers(app->device, app->pool, 1, &cmd);
}

void app_go_on(struct app *app)
{
    enum { WORDS = 1024 };
    struct buffer buffer = buffer_create(app, WORDS * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                         VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdFillBuffer(cmd, buffer.buffer, 0, WORDS * 4, 7);
    commands_run(app, cmd);
    app_expect(((const uint32_t *)buffer.map)[WORDS - 1] == 7, "the device to go on");
    buffer_destroy(app, &buffer);
}

uint64_t hash_bytes(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

void write_ppm(const char *path, const uint8_t *rgba, uint32_t width, uint32_t height,
               size_t stride)
{
    if (!path)
        return;
    FILE *f = fopen(path, "wb");
    if (!f)
        app_fail("cannot write %s", path);
    fprintf(f, "P6\n%u %u\n255\n", width, height);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            fwrite(rgba + y * stride + 4 * x, 1, 3, f);
    if (fclose(f))
        app_fail("cannot write %s", path);
}

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
