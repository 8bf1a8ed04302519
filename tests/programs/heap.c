// heap: a compute shader whose buffers come from a descriptor heap (VK_EXT_descriptor_heap). The
// program asks for the bytes of each descriptor, puts them into a heap of its own, and the pipeline
// maps set and binding to places in it; push constants are push data. Checked against the CPU.
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mix.comp.h"

#ifndef VK_EXT_descriptor_heap
int main(void)
{
    app_skip("built with Vulkan headers that lack VK_EXT_descriptor_heap");
}
#else

enum { COUNT = 4096, GROUP = 64, SLOTS = 8 };
#define MULTIPLIER 0x2c1b3c6du

struct push {
    uint32_t count, round;
};

static struct {
    PFN_vkWriteResourceDescriptorsEXT write_resources;
    PFN_vkWriteSamplerDescriptorsEXT write_samplers;
    PFN_vkCmdBindResourceHeapEXT bind_resources;
    PFN_vkCmdPushDataEXT push_data;
    PFN_vkGetBufferDeviceAddress address;
} heap;

static void load(struct app *app)
{
#define LOAD(member, name) heap.member = (PFN_##name)vk.GetDeviceProcAddr(app->device, #name)
    LOAD(write_resources, vkWriteResourceDescriptorsEXT);
    LOAD(write_samplers, vkWriteSamplerDescriptorsEXT);
    LOAD(bind_resources, vkCmdBindResourceHeapEXT);
    LOAD(push_data, vkCmdPushDataEXT);
    LOAD(address, vkGetBufferDeviceAddress);
#undef LOAD
    app_expect(heap.write_resources && heap.write_samplers && heap.bind_resources &&
                   heap.push_data && heap.address,
               "the functions of VK_EXT_descriptor_heap");
}

static VkDeviceAddress address_of(struct app *app, const struct buffer *buffer)
{
    return heap.address(app->device, &(VkBufferDeviceAddressInfo){
                                         .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                         .buffer = buffer->buffer,
                                     });
}

static VkPipeline pipeline_create(struct app *app, uint32_t from, uint32_t to)
{
    const uint32_t constants[] = {GROUP, MULTIPLIER};
    const VkSpecializationMapEntry entries[] = {{0, 0, 4}, {1, 4, 4}};
    VkDescriptorSetAndBindingMappingEXT mappings[2];
    for (uint32_t i = 0; i < 2; i++)
        mappings[i] = (VkDescriptorSetAndBindingMappingEXT){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_AND_BINDING_MAPPING_EXT,
            .firstBinding = i,
            .bindingCount = 1,
            .resourceMask = VK_SPIRV_RESOURCE_TYPE_ALL_EXT,
            .source = VK_DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_CONSTANT_OFFSET_EXT,
            .sourceData = {.constantOffset = {.heapOffset = i ? to : from}},
        };
    const VkShaderDescriptorSetAndBindingMappingInfoEXT mapping = {
        .sType = VK_STRUCTURE_TYPE_SHADER_DESCRIPTOR_SET_AND_BINDING_MAPPING_INFO_EXT,
        .mappingCount = 2,
        .pMappings = mappings,
    };
    const VkPipelineCreateFlags2CreateInfo flags = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CREATE_FLAGS_2_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_2_DESCRIPTOR_HEAP_BIT_EXT,
    };
    VkShaderModule module = shader_create(app, mix_comp, sizeof(mix_comp));
    VkPipeline pipeline;
    VK_CHECK(vk.CreateComputePipelines(
        app->device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .pNext = &flags,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .pNext = &mapping,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = module,
                    .pName = "main",
                    .pSpecializationInfo =
                        &(VkSpecializationInfo){2, entries, sizeof(constants), constants},
                },
        },
        NULL, &pipeline));
    vk.DestroyShaderModule(app->device, module, NULL);
    return pipeline;
}

static uint32_t mixed(uint32_t x, uint32_t i, uint32_t round)
{
    x ^= round * 0x9e3779b9u;
    x = (x ^ (x >> 15)) * MULTIPLIER;
    return (x << 7 | x >> 25) + i;
}

int main(void)
{
    static const char *const extensions[] = {VK_EXT_DESCRIPTOR_HEAP_EXTENSION_NAME};
    static VkPhysicalDeviceDescriptorHeapFeaturesEXT feature = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_HEAP_FEATURES_EXT,
        .descriptorHeap = VK_TRUE,
    };
    static VkPhysicalDeviceVulkan14Features core14 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_FEATURES,
        .pNext = &feature,
        .maintenance5 = VK_TRUE,
    };
    static VkPhysicalDeviceVulkan12Features core12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &core14,
        .bufferDeviceAddress = VK_TRUE,
    };
    struct app app;
    app_init(&app, &(struct app_wants){
                       .api_version = VK_API_VERSION_1_4,
                       .extensions = extensions,
                       .extension_count = 1,
                       .features = &core12,
                   });
    load(&app);
    VkPhysicalDeviceDescriptorHeapPropertiesEXT limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_HEAP_PROPERTIES_EXT};
    vk.GetPhysicalDeviceProperties2(app.gpu,
                                    &(VkPhysicalDeviceProperties2){
                                        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                        .pNext = &limits,
                                    });
    const uint32_t slot =
        (uint32_t)((limits.bufferDescriptorSize + limits.bufferDescriptorAlignment - 1) /
                   limits.bufferDescriptorAlignment * limits.bufferDescriptorAlignment);

    const VkBufferUsageFlags data =
        VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    struct buffer a = buffer_create(&app, COUNT * 4, data, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    struct buffer b = buffer_create(&app, COUNT * 4, data, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    const VkDeviceSize heap_size = (VkDeviceSize)slot * SLOTS + limits.minResourceHeapReservedRange;
    struct buffer store = buffer_create(&app, heap_size,
                                        VK_BUFFER_USAGE_DESCRIPTOR_HEAP_BIT_EXT |
                                            VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT,
                                        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);

    // Two descriptors by one call, into slots 3 and 5.
    const VkDeviceAddressRangeEXT ranges[] = {{address_of(&app, &a), a.size},
                                              {address_of(&app, &b), b.size}};
    VkResourceDescriptorInfoEXT infos[2];
    VkHostAddressRangeEXT places[2];
    for (uint32_t i = 0; i < 2; i++) {
        infos[i] = (VkResourceDescriptorInfoEXT){
            .sType = VK_STRUCTURE_TYPE_RESOURCE_DESCRIPTOR_INFO_EXT,
            .type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .data = {.pAddressRange = &ranges[i]},
        };
        places[i] = (VkHostAddressRangeEXT){(uint8_t *)store.map + slot * (i ? 5 : 3),
                                            (size_t)limits.bufferDescriptorSize};
    }
    VK_CHECK(heap.write_resources(app.device, 2, infos, places));
    uint8_t sampler[256] = {0};
    app_expect(limits.samplerDescriptorSize <= sizeof(sampler),
               "a sampler descriptor of sane size");
    const VkSamplerCreateInfo sampler_info = {.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                                              .maxLod = 4.0f};
    const VkHostAddressRangeEXT sampler_place = {sampler, (size_t)limits.samplerDescriptorSize};
    VK_CHECK(heap.write_samplers(app.device, 1, &sampler_info, &sampler_place));

    for (uint32_t i = 0; i < COUNT; i++)
        ((uint32_t *)a.map)[i] = i * 747796405u + 2891336453u;
    VkPipeline pipeline = pipeline_create(&app, slot * 3, slot * 5);
    VkCommandBuffer cmd = commands_begin(&app);
    const struct push push = {COUNT, 7};
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    heap.bind_resources(cmd, &(VkBindHeapInfoEXT){
                                 .sType = VK_STRUCTURE_TYPE_BIND_HEAP_INFO_EXT,
                                 .heapRange = {address_of(&app, &store), heap_size},
                                 .reservedRangeOffset = (VkDeviceSize)slot * SLOTS,
                                 .reservedRangeSize = limits.minResourceHeapReservedRange,
                             });
    heap.push_data(cmd, &(VkPushDataInfoEXT){
                            .sType = VK_STRUCTURE_TYPE_PUSH_DATA_INFO_EXT,
                            .data = {&push, sizeof(push)},
                        });
    vk.CmdDispatch(cmd, COUNT / GROUP, 1, 1);
    commands_run(&app, cmd);
    for (uint32_t i = 0; i < COUNT; i++)
        app_expect(((uint32_t *)b.map)[i] == mixed(i * 747796405u + 2891336453u, i, 7),
                   "the GPU's round to equal the CPU's");
    printf("heap %016" PRIx64 "\n", hash_bytes(b.map, COUNT * 4));

    vk.DestroyPipeline(app.device, pipeline, NULL);
    buffer_destroy(&app, &a);
    buffer_destroy(&app, &b);
    buffer_destroy(&app, &store);
    app_finish(&app);
    return 0;
}
#endif
