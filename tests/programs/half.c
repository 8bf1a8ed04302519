// half: the functions of GLSL at 16 bits, one pipeline each. A driver that has no instructions for
// them calls the C library's, which it expects to find in its process. Prints hashes.
#include "app.h"

#include <math.h>
#include <stdio.h>

#include "half.comp.h"

enum { COUNT = 64 };

struct function {
    const char *name;
    double (*expected)(double x, double y); // NULL: only the hash is compared
};

static double of_exp(double x, double y)
{
    return exp(x);
}

static double of_log2(double x, double y)
{
    return log2(x);
}

static double of_sin(double x, double y)
{
    return sin(x);
}

static double of_tanh(double x, double y)
{
    return tanh(x);
}

// In the order of half.comp.
static const struct function functions[] = {
    {"pow", pow},    {"exp", of_exp}, {"log", NULL},  {"exp2", NULL},   {"log2", of_log2},
    {"sin", of_sin}, {"cos", NULL},   {"tan", NULL},  {"atan", NULL},   {"tanh", of_tanh},
    {"mod", NULL},   {"round", NULL}, {"sinh", NULL}, {"asin", NULL},   {"acos", NULL},
    {"ldexp", NULL}, {"roots", NULL}, {"fma", NULL},  {"length", NULL}, {"inverses", NULL},
};

static VkDescriptorSetLayout set_layout_create(struct app *app)
{
    VkDescriptorSetLayout layout;
    VK_CHECK(vk.CreateDescriptorSetLayout(
        app->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings =
                &(VkDescriptorSetLayoutBinding){
                    .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                    .descriptorCount = 1,
                    .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                },
        },
        NULL, &layout));
    return layout;
}

static VkDescriptorPool pool_create(struct app *app)
{
    VkDescriptorPool pool;
    VK_CHECK(vk.CreateDescriptorPool(
        app->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 1,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1},
        },
        NULL, &pool));
    return pool;
}

static VkDescriptorSet set_create(struct app *app, VkDescriptorPool pool,
                                  VkDescriptorSetLayout layout, VkBuffer buffer)
{
    VkDescriptorSet set;
    VK_CHECK(vk.AllocateDescriptorSets(app->device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = pool,
                                           .descriptorSetCount = 1,
                                           .pSetLayouts = &layout,
                                       },
                                       &set));
    vk.UpdateDescriptorSets(app->device, 1,
                            &(VkWriteDescriptorSet){
                                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                .dstSet = set,
                                .descriptorCount = 1,
                                .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                .pBufferInfo = &(VkDescriptorBufferInfo){buffer, 0, VK_WHOLE_SIZE},
                            },
                            0, NULL);
    return set;
}

static void run(struct app *app, VkPipeline pipeline, VkPipelineLayout layout, VkDescriptorSet set)
{
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
    vk.CmdDispatch(cmd, 1, 1, 1);
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0,
                          1,
                          &(VkMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
                          },
                          0, NULL, 0, NULL);
    commands_run(app, cmd);
}

// Vulkan asks for little precision at 16 bits; a function that was not called gives something else.
static void check(const struct function *function, const float *results)
{
    for (unsigned i = 0; i < COUNT && function->expected; i++) {
        double expected = function->expected(0.01 + i * 0.014, 0.5 + i * 0.011);
        if (fabs(results[i] - expected) > 0.02 + fabs(expected) * 0.02)
            app_fail("%s, number %u: %g, not %g", function->name, i, results[i], expected);
    }
}

int main(void)
{
    struct app app;
    VkPhysicalDeviceVulkan12Features v12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
    };
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &v12,
    };
    app_init(&app, &(struct app_wants){.api_version = VK_API_VERSION_1_2, .offered = &features});
    if (!v12.shaderFloat16)
        app_skip("no shaderFloat16");
    struct buffer buffer =
        buffer_create(&app, COUNT * sizeof(float), VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VkDescriptorSetLayout set_layout = set_layout_create(&app);
    VkDescriptorPool pool = pool_create(&app);
    VkDescriptorSet set = set_create(&app, pool, set_layout, buffer.buffer);
    VkPipelineLayout layout;
    VK_CHECK(vk.CreatePipelineLayout(app.device,
                                     &(VkPipelineLayoutCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 1,
                                         .pSetLayouts = &set_layout,
                                     },
                                     NULL, &layout));
    VkShaderModule module = shader_create(&app, half_comp, sizeof(half_comp));
    for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        const int32_t function = (int32_t)i;
        VkPipeline pipeline =
            compute_pipeline(&app, 0, VK_NULL_HANDLE, layout, module,
                             &(VkSpecializationInfo){1, &(VkSpecializationMapEntry){0, 0, 4},
                                                     sizeof(function), &function});
        run(&app, pipeline, layout, set);
        check(&functions[i], buffer.map);
        printf("%s %016llx\n", functions[i].name,
               (unsigned long long)hash_bytes(buffer.map, COUNT * sizeof(float)));
        vk.DestroyPipeline(app.device, pipeline, NULL);
    }
    vk.DestroyShaderModule(app.device, module, NULL);
    vk.DestroyPipelineLayout(app.device, layout, NULL);
    vk.DestroyDescriptorPool(app.device, pool, NULL);
    vk.DestroyDescriptorSetLayout(app.device, set_layout, NULL);
    buffer_destroy(&app, &buffer);
    app_finish(&app);
    return 0;
}
