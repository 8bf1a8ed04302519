// What a device says of itself, and what it answers to what cannot be done.
#include <stdio.h>
#include <stdlib.h>

#include "checks.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

static void expect_result(VkResult got, VkResult want, const char *what)
{
    if (got != want)
        fail("%s: VkResult %d, expected %d", what, (int)got, (int)want);
}

// ---- limits that every device has -----------------------------------------

static const struct limit {
    const char *name;
    size_t at;
    uint32_t value;
} limits[] = {
#define AT_LEAST(member, value)                                                                    \
    {                                                                                              \
#member, offsetof(VkPhysicalDeviceLimits, member), value                                   \
    }
    AT_LEAST(maxImageDimension1D, 4096),
    AT_LEAST(maxImageDimension2D, 4096),
    AT_LEAST(maxImageDimension3D, 256),
    AT_LEAST(maxImageDimensionCube, 4096),
    AT_LEAST(maxImageArrayLayers, 256),
    AT_LEAST(maxTexelBufferElements, 65536),
    AT_LEAST(maxUniformBufferRange, 16384),
    AT_LEAST(maxStorageBufferRange, 1u << 27),
    AT_LEAST(maxPushConstantsSize, 128),
    AT_LEAST(maxMemoryAllocationCount, 4096),
    AT_LEAST(maxSamplerAllocationCount, 4000),
    AT_LEAST(maxBoundDescriptorSets, 4),
    AT_LEAST(maxPerStageDescriptorSamplers, 16),
    AT_LEAST(maxPerStageDescriptorUniformBuffers, 12),
    AT_LEAST(maxPerStageDescriptorStorageBuffers, 4),
    AT_LEAST(maxPerStageDescriptorSampledImages, 16),
    AT_LEAST(maxPerStageDescriptorStorageImages, 4),
    AT_LEAST(maxVertexInputAttributes, 16),
    AT_LEAST(maxVertexInputBindings, 16),
    AT_LEAST(maxVertexInputBindingStride, 2048),
    AT_LEAST(maxFragmentOutputAttachments, 4),
    AT_LEAST(maxComputeSharedMemorySize, 16384),
    AT_LEAST(maxComputeWorkGroupCount[0], 65535),
    AT_LEAST(maxComputeWorkGroupInvocations, 128),
    AT_LEAST(maxComputeWorkGroupSize[0], 128),
    AT_LEAST(maxFramebufferWidth, 4096),
    AT_LEAST(maxFramebufferHeight, 4096),
    AT_LEAST(maxColorAttachments, 4),
    AT_LEAST(maxViewportDimensions[0], 4096),
    AT_LEAST(framebufferColorSampleCounts, VK_SAMPLE_COUNT_1_BIT | VK_SAMPLE_COUNT_4_BIT),
    AT_LEAST(discreteQueuePriorities, 2),
#undef AT_LEAST
};

static void limit(const void *argument)
{
    const struct limit *l = argument;
    uint32_t value;
    memcpy(&value, (const uint8_t *)&gpu.properties.limits + l->at, 4);
    if (value < l->value)
        fail("%u, at least %u", value, l->value);
}

static bool power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

static void alignments(const void *argument)
{
    const VkPhysicalDeviceLimits *l = &gpu.properties.limits;
    expect(power_of_two(l->minMemoryMapAlignment) && l->minMemoryMapAlignment >= 64,
           "minMemoryMapAlignment of 64 or more");
    expect(power_of_two(l->minTexelBufferOffsetAlignment) &&
               l->minTexelBufferOffsetAlignment <= 256 &&
               power_of_two(l->minUniformBufferOffsetAlignment) &&
               l->minUniformBufferOffsetAlignment <= 256 &&
               power_of_two(l->minStorageBufferOffsetAlignment) &&
               l->minStorageBufferOffsetAlignment <= 256,
           "offset alignments up to 256");
    expect(power_of_two(l->nonCoherentAtomSize) && l->nonCoherentAtomSize <= 256,
           "nonCoherentAtomSize up to 256");
}

// ---- formats that every device has ----------------------------------------

#define SAMPLED VK_FORMAT_FEATURE_2_SAMPLED_IMAGE_BIT
#define LINEAR (SAMPLED | VK_FORMAT_FEATURE_2_SAMPLED_IMAGE_FILTER_LINEAR_BIT)
#define TARGET VK_FORMAT_FEATURE_2_COLOR_ATTACHMENT_BIT
#define BLENDED (TARGET | VK_FORMAT_FEATURE_2_COLOR_ATTACHMENT_BLEND_BIT)
#define STORED VK_FORMAT_FEATURE_2_STORAGE_IMAGE_BIT
#define ATOMIC VK_FORMAT_FEATURE_2_STORAGE_IMAGE_ATOMIC_BIT

static const struct promise {
    const char *name;
    VkFormat format;
    VkFormatFeatureFlags2 features;
} promises[] = {
#define PROMISE(name, features)                                                                    \
    {                                                                                              \
#name, VK_FORMAT_##name, features                                                          \
    }
    PROMISE(R8_UNORM, LINEAR | BLENDED),
    PROMISE(R8G8_UNORM, LINEAR | BLENDED),
    PROMISE(R8G8B8A8_UNORM, LINEAR | BLENDED | STORED),
    PROMISE(R8G8B8A8_SRGB, LINEAR | BLENDED),
    PROMISE(B8G8R8A8_UNORM, LINEAR | BLENDED),
    PROMISE(B8G8R8A8_SRGB, LINEAR | BLENDED),
    PROMISE(A2B10G10R10_UNORM_PACK32, LINEAR | BLENDED),
    PROMISE(R16_SFLOAT, LINEAR | BLENDED),
    PROMISE(R16G16B16A16_SFLOAT, LINEAR | BLENDED | STORED),
    PROMISE(R32_UINT, SAMPLED | TARGET | STORED | ATOMIC),
    PROMISE(R32_SFLOAT, SAMPLED | TARGET | STORED),
    PROMISE(R32G32B32A32_SFLOAT, SAMPLED | TARGET | STORED),
    PROMISE(R5G6B5_UNORM_PACK16, LINEAR | BLENDED),
    PROMISE(A1R5G5B5_UNORM_PACK16, LINEAR | BLENDED),
    PROMISE(B10G11R11_UFLOAT_PACK32, LINEAR),
    PROMISE(E5B9G9R9_UFLOAT_PACK32, LINEAR),
    PROMISE(D16_UNORM, SAMPLED | VK_FORMAT_FEATURE_2_DEPTH_STENCIL_ATTACHMENT_BIT),
    PROMISE(D32_SFLOAT, SAMPLED),
#undef PROMISE
};

static void promise(const void *argument)
{
    const struct promise *p = argument;
    expect(format_has(p->format, p->features), "the features that are promised");
}

// ---- lists ----------------------------------------------------------------

static void incomplete(const void *argument)
{
    VkExtensionProperties two[2] = {{{0}, 0}, {{0}, 7}};
    uint32_t all = 0, count = 1;
    TRY(vk.EnumerateDeviceExtensionProperties(gpu.gpu, NULL, &all, NULL));
    need(all > 1, "two extensions");
    expect_result(vk.EnumerateDeviceExtensionProperties(gpu.gpu, NULL, &count, two), VK_INCOMPLETE,
                  "room for one");
    expect(count == 1 && two[0].extensionName[0], "one extension");
    expect(!two[1].extensionName[0] && two[1].specVersion == 7, "nothing behind it");
    count = 0;
    expect_result(vk.EnumerateDeviceExtensionProperties(gpu.gpu, NULL, &count, two), VK_INCOMPLETE,
                  "room for none");
    count = 1;
    VkQueueFamilyProperties family;
    vk.GetPhysicalDeviceQueueFamilyProperties(gpu.gpu, &count, &family);
    expect(count == 1 && family.queueCount >= 1, "one queue family");
}

static void memory_types(const void *argument)
{
    const VkPhysicalDeviceMemoryProperties *m = &gpu.memory;
    const VkMemoryPropertyFlags coherent =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    expect(m->memoryTypeCount && m->memoryHeapCount, "types and heaps");
    for (uint32_t i = 0; i < m->memoryTypeCount; i++)
        expect(m->memoryTypes[i].heapIndex < m->memoryHeapCount, "each type in a heap");
    expect(memory_type(&gpu, UINT32_MAX, coherent) != UINT32_MAX, "a coherent type");
    expect(memory_type(&gpu, UINT32_MAX, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) != UINT32_MAX,
           "a device-local type");
}

static void requirements(const void *argument)
{
    for (VkDeviceSize size = 1; size < 1 << 20; size = size * 3 + 1) {
        const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                         .size = size,
                                         .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT};
        VkMemoryRequirements2 r = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
        VkMemoryRequirements old;
        VkBuffer buffer;
        TRY(vk.CreateBuffer(gpu.device, &info, NULL, &buffer));
        keep_Buffer(buffer);
        vk.GetBufferMemoryRequirements(gpu.device, buffer, &old);
        vk.GetDeviceBufferMemoryRequirements(
            gpu.device,
            &(VkDeviceBufferMemoryRequirements){
                .sType = VK_STRUCTURE_TYPE_DEVICE_BUFFER_MEMORY_REQUIREMENTS, .pCreateInfo = &info},
            &r);
        expect(old.size >= size && power_of_two(old.alignment) && old.memoryTypeBits,
               "room, an alignment, a type");
        const VkMemoryRequirements *now = &r.memoryRequirements;
        expect(now->size == old.size && now->alignment == old.alignment &&
                   now->memoryTypeBits == old.memoryTypeBits,
               "the same without the buffer");
    }
}

// ---- what cannot be done --------------------------------------------------

static VkResult try_device(const void *next, const char *extension,
                           const VkPhysicalDeviceFeatures *features)
{
    VkDevice device = VK_NULL_HANDLE;
    VkResult result = vk.CreateDevice(
        gpu.gpu,
        &(VkDeviceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
            .pNext = next,
            .queueCreateInfoCount = 1,
            .pQueueCreateInfos =
                &(VkDeviceQueueCreateInfo){.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = gpu.family,
                                           .queueCount = 1,
                                           .pQueuePriorities = (const float[]){1}},
            .enabledExtensionCount = extension != NULL,
            .ppEnabledExtensionNames = &extension,
            .pEnabledFeatures = features},
        NULL, &device);
    if (result == VK_SUCCESS)
        vk.DestroyDevice(device, NULL);
    return result;
}

static void no_extension(const void *argument)
{
    expect_result(try_device(NULL, "VK_XYZ_no_such_extension", NULL),
                  VK_ERROR_EXTENSION_NOT_PRESENT, "vkCreateDevice");
}

// The first feature that the device lacks.
static void no_feature(const void *argument)
{
    VkPhysicalDeviceFeatures wish = {0};
    const VkBool32 *offered = (const VkBool32 *)&offers.features.features;
    uint32_t i = 0;
    while (i < sizeof(wish) / sizeof(VkBool32) && offered[i])
        i++;
    need(i < sizeof(wish) / sizeof(VkBool32), "all features are there");
    ((VkBool32 *)&wish)[i] = VK_TRUE;
    expect_result(try_device(NULL, NULL, &wish), VK_ERROR_FEATURE_NOT_PRESENT, "vkCreateDevice");
}

static void second_device(const void *argument)
{
    expect_result(try_device(NULL, NULL, NULL), VK_SUCCESS, "vkCreateDevice");
}

static void no_format(const void *argument)
{
    VkImageFormatProperties2 p = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2};
    const VkPhysicalDeviceImageFormatInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .format = VK_FORMAT_R8G8B8_SSCALED,
        .type = VK_IMAGE_TYPE_3D,
        .usage = VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT};
    expect_result(vk.GetPhysicalDeviceImageFormatProperties2(gpu.gpu, &info, &p),
                  VK_ERROR_FORMAT_NOT_SUPPORTED, "a depth buffer of scaled colours");
}

static void no_layer(const void *argument)
{
    const char *layer = "VK_LAYER_no_such_layer", *extension = "VK_XYZ_no_such_extension";
    VkInstance instance;
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .enabledLayerCount = 1,
                                 .ppEnabledLayerNames = &layer};
    expect_result(vk.CreateInstance(&info, NULL, &instance), VK_ERROR_LAYER_NOT_PRESENT, "a layer");
    info = (VkInstanceCreateInfo){.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                  .enabledExtensionCount = 1,
                                  .ppEnabledExtensionNames = &extension};
    expect_result(vk.CreateInstance(&info, NULL, &instance), VK_ERROR_EXTENSION_NOT_PRESENT,
                  "an extension");
}

static void pool_empty(const void *argument)
{
    VkDescriptorSetLayout layout;
    VkDescriptorPool pool;
    VkDescriptorSet sets[2];
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1};
    const VkDescriptorSetLayoutBinding binding = {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
                                                  VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    TRY(vk.CreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){.sType =
                                               VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                           .bindingCount = 1,
                                           .pBindings = &binding},
        NULL, &layout));
    keep_DescriptorSetLayout(layout);
    TRY(vk.CreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                      .maxSets = 1,
                                      .poolSizeCount = 1,
                                      .pPoolSizes = &size},
        NULL, &pool));
    keep_DescriptorPool(pool);
    const VkDescriptorSetAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = pool,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &layout};
    TRY(vk.AllocateDescriptorSets(gpu.device, &info, &sets[0]));
    VkResult result = vk.AllocateDescriptorSets(gpu.device, &info, &sets[1]);
    expect(result == VK_ERROR_OUT_OF_POOL_MEMORY || result == VK_ERROR_FRAGMENTED_POOL ||
               result == VK_SUCCESS,
           "VK_ERROR_OUT_OF_POOL_MEMORY, or more than was asked for");
    TRY(vk.ResetDescriptorPool(gpu.device, pool, 0));
    TRY(vk.AllocateDescriptorSets(gpu.device, &info, &sets[0]));
}

// ---- small services -------------------------------------------------------

static void private_data(const void *argument)
{
    VkPrivateDataSlot slots[2];
    VkFence fence = make_fence(0);
    uint64_t a = 1, b = 1;
    need(offers.v13.privateData, "privateData");
    for (uint32_t i = 0; i < 2; i++)
        TRY(vk.CreatePrivateDataSlot(gpu.device,
                                     &(VkPrivateDataSlotCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_PRIVATE_DATA_SLOT_CREATE_INFO},
                                     NULL, &slots[i]));
    TRY(vk.SetPrivateData(gpu.device, VK_OBJECT_TYPE_FENCE, (uint64_t)fence, slots[0],
                          0x123456789abcdefull));
    vk.GetPrivateData(gpu.device, VK_OBJECT_TYPE_FENCE, (uint64_t)fence, slots[0], &a);
    vk.GetPrivateData(gpu.device, VK_OBJECT_TYPE_FENCE, (uint64_t)fence, slots[1], &b);
    for (uint32_t i = 0; i < 2; i++)
        vk.DestroyPrivateDataSlot(gpu.device, slots[i], NULL);
    expect(a == 0x123456789abcdefull && b == 0, "the number of the slot, and none of the other");
}

static void pipeline_cache(const void *argument)
{
    VkPipelineCache cache;
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    VkPipelineCacheHeaderVersionOne header = {0};
    size_t size = 0, little = 8;
    TRY(vk.CreatePipelineCache(gpu.device, &info, NULL, &cache));
    keep_PipelineCache(cache);
    TRY(vk.GetPipelineCacheData(gpu.device, cache, &size, NULL));
    expect(size >= sizeof(header), "a header");
    void *data = malloc(size);
    VkResult result = vk.GetPipelineCacheData(gpu.device, cache, &size, data);
    memcpy(&header, data, sizeof(header));
    info.initialDataSize = size;
    info.pInitialData = data;
    VkResult again = vk.CreatePipelineCache(gpu.device, &info, NULL, &cache);
    free(data);
    TRY(again);
    keep_PipelineCache(cache);
    expect_result(result, VK_SUCCESS, "vkGetPipelineCacheData");
    expect(header.headerSize == 32 && header.headerVersion == 1, "a header of version 1");
    // lavapipe says that it has written less than all of the header.
    expect(size >= 20 && header.vendorID == gpu.properties.vendorID &&
               header.deviceID == gpu.properties.deviceID &&
               !memcmp(header.pipelineCacheUUID, gpu.properties.pipelineCacheUUID,
                       size < 32 ? size - 16 : VK_UUID_SIZE),
           "the header of this device");
    uint8_t few[8];
    expect_result(vk.GetPipelineCacheData(gpu.device, cache, &little, few), VK_INCOMPLETE,
                  "too little room");
    expect(little == 0, "nothing written where the header has no room");
}

static void functions(const void *argument)
{
    expect(!vk.GetDeviceProcAddr(gpu.device, "vkNoSuchFunction"), "no such function");
    expect(!vk.GetDeviceProcAddr(gpu.device, "vkCreateInstance"), "no function of instances");
    expect(vk.GetDeviceProcAddr(gpu.device, "vkCmdDraw") != NULL, "vkCmdDraw");
}

static void mapped_again(const void *argument)
{
    struct buffer b = make_buffer(8192, 0);
    void *part = NULL;
    ((uint32_t *)b.map)[1024] = 0x1234567;
    vk.UnmapMemory(gpu.device, b.memory);
    TRY(vk.MapMemory(gpu.device, b.memory, 4096, 64, 0, &part));
    expect(*(uint32_t *)part == 0x1234567, "the same memory from its middle");
}

void answer_checks(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *argument);
    } checks[] = {
        {"answers: alignments", alignments},
        {"answers: lists with too little room", incomplete},
        {"answers: memory types", memory_types},
        {"answers: memory requirements", requirements},
        {"answers: an extension that is not there", no_extension},
        {"answers: a feature that is not there", no_feature},
        {"answers: a second device", second_device},
        {"answers: a format that is not there", no_format},
        {"answers: a layer that is not there", no_layer},
        {"answers: an empty descriptor pool", pool_empty},
        {"answers: private data", private_data},
        {"answers: pipeline caches", pipeline_cache},
        {"answers: names of functions", functions},
        {"answers: memory mapped again", mapped_again},
    };
    char name[80];
    for (uint32_t i = 0; i < COUNT(limits); i++) {
        snprintf(name, sizeof(name), "answers: %s", limits[i].name);
        check(name, limit, &limits[i]);
    }
    for (uint32_t i = 0; i < COUNT(promises); i++) {
        snprintf(name, sizeof(name), "answers: %s as promised", promises[i].name);
        check(name, promise, &promises[i]);
    }
    for (uint32_t i = 0; i < COUNT(checks); i++)
        check(checks[i].name, checks[i].run, NULL);
}
