// rays: triangles in a bottom-level acceleration structure, built and compacted on the GPU, placed
// three times in a top-level one, and met by rays in two ways: ray queries of a compute shader, and
// a ray tracing pipeline with its shader binding table. Both must find the same.
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rays.comp.h"
#include "rays.rchit.h"
#include "rays.rgen.h"
#include "rays.rmiss.h"

enum { WIDTH = 96, HEIGHT = 64, GEOMETRIES = 2, INSTANCES = 3 };

#define RAY_FUNCTIONS                                                                              \
    RAY_FUNCTION(GetAccelerationStructureBuildSizesKHR)                                            \
    RAY_FUNCTION(CreateAccelerationStructureKHR)                                                   \
    RAY_FUNCTION(DestroyAccelerationStructureKHR)                                                  \
    RAY_FUNCTION(GetAccelerationStructureDeviceAddressKHR)                                         \
    RAY_FUNCTION(CmdBuildAccelerationStructuresKHR)                                                \
    RAY_FUNCTION(CmdWriteAccelerationStructuresPropertiesKHR)                                      \
    RAY_FUNCTION(CmdCopyAccelerationStructureKHR)                                                  \
    RAY_FUNCTION(CreateRayTracingPipelinesKHR)                                                     \
    RAY_FUNCTION(GetRayTracingShaderGroupHandlesKHR)                                               \
    RAY_FUNCTION(CmdTraceRaysKHR)                                                                  \
    RAY_FUNCTION(GetBufferDeviceAddress)                                                           \
    RAY_FUNCTION(CreateQueryPool)                                                                  \
    RAY_FUNCTION(DestroyQueryPool)                                                                 \
    RAY_FUNCTION(CmdResetQueryPool)                                                                \
    RAY_FUNCTION(GetQueryPoolResults)

static struct {
#define RAY_FUNCTION(name) PFN_vk##name name;
    RAY_FUNCTIONS
#undef RAY_FUNCTION
} ray;

struct structure {
    struct buffer store;
    VkAccelerationStructureKHR handle;
    VkDeviceAddress address;
};

static VkDeviceAddress address_of(struct app *app, const struct buffer *buffer)
{
    return ray.GetBufferDeviceAddress(app->device,
                                      &(VkBufferDeviceAddressInfo){
                                          .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                          .buffer = buffer->buffer,
                                      });
}

static struct buffer addressed(struct app *app, VkDeviceSize size, VkBufferUsageFlags usage,
                               VkMemoryPropertyFlags flags)
{
    return buffer_create(app, size, usage | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT, flags);
}

static struct structure structure_create(struct app *app, VkAccelerationStructureTypeKHR type,
                                         VkDeviceSize size)
{
    struct structure s = {
        .store = addressed(app, size, VK_BUFFER_USAGE_ACCELERATION_STRUCTURE_STORAGE_BIT_KHR, 0)};
    VK_CHECK(ray.CreateAccelerationStructureKHR(
        app->device,
        &(VkAccelerationStructureCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_CREATE_INFO_KHR,
            .buffer = s.store.buffer,
            .size = size,
            .type = type,
        },
        NULL, &s.handle));
    s.address = ray.GetAccelerationStructureDeviceAddressKHR(
        app->device, &(VkAccelerationStructureDeviceAddressInfoKHR){
                         .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_DEVICE_ADDRESS_INFO_KHR,
                         .accelerationStructure = s.handle,
                     });
    return s;
}

static void structure_destroy(struct app *app, struct structure *s)
{
    ray.DestroyAccelerationStructureKHR(app->device, s->handle, NULL);
    buffer_destroy(app, &s->store);
}

static struct structure build(struct app *app, VkAccelerationStructureTypeKHR type,
                              const VkAccelerationStructureGeometryKHR *geometries,
                              const uint32_t *counts, uint32_t count)
{
    VkAccelerationStructureBuildGeometryInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR,
        .type = type,
        .flags = VK_BUILD_ACCELERATION_STRUCTURE_ALLOW_COMPACTION_BIT_KHR,
        .mode = VK_BUILD_ACCELERATION_STRUCTURE_MODE_BUILD_KHR,
        .geometryCount = count,
        .pGeometries = geometries,
    };
    VkAccelerationStructureBuildSizesInfoKHR sizes = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_SIZES_INFO_KHR};
    ray.GetAccelerationStructureBuildSizesKHR(
        app->device, VK_ACCELERATION_STRUCTURE_BUILD_TYPE_DEVICE_KHR, &info, counts, &sizes);
    app_expect(sizes.accelerationStructureSize && sizes.buildScratchSize, "sizes of a build");

    struct structure s = structure_create(app, type, sizes.accelerationStructureSize);
    struct buffer scratch =
        addressed(app, sizes.buildScratchSize + 256, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, 0);
    info.dstAccelerationStructure = s.handle;
    info.scratchData.deviceAddress = (address_of(app, &scratch) + 255) & ~255ull;
    VkAccelerationStructureBuildRangeInfoKHR ranges[GEOMETRIES] = {0};
    for (uint32_t i = 0; i < count; i++)
        ranges[i].primitiveCount = counts[i];
    const VkAccelerationStructureBuildRangeInfoKHR *all = ranges;
    VkCommandBuffer cmd = commands_begin(app);
    ray.CmdBuildAccelerationStructuresKHR(cmd, 1, &info, &all);
    commands_run(app, cmd);
    buffer_destroy(app, &scratch);
    return s;
}

static struct structure compact(struct app *app, struct structure *from)
{
    VkQueryPool pool;
    VkDeviceSize size = 0;
    VK_CHECK(ray.CreateQueryPool(
        app->device,
        &(VkQueryPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
            .queryType = VK_QUERY_TYPE_ACCELERATION_STRUCTURE_COMPACTED_SIZE_KHR,
            .queryCount = 1,
        },
        NULL, &pool));
    VkCommandBuffer cmd = commands_begin(app);
    ray.CmdResetQueryPool(cmd, pool, 0, 1);
    ray.CmdWriteAccelerationStructuresPropertiesKHR(
        cmd, 1, &from->handle, VK_QUERY_TYPE_ACCELERATION_STRUCTURE_COMPACTED_SIZE_KHR, pool, 0);
    commands_run(app, cmd);
    VK_CHECK(ray.GetQueryPoolResults(app->device, pool, 0, 1, sizeof(size), &size, sizeof(size),
                                     VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    app_expect(size && size <= from->store.size, "a compacted size");

    struct structure s =
        structure_create(app, VK_ACCELERATION_STRUCTURE_TYPE_BOTTOM_LEVEL_KHR, size);
    cmd = commands_begin(app);
    ray.CmdCopyAccelerationStructureKHR(
        cmd, &(VkCopyAccelerationStructureInfoKHR){
                 .sType = VK_STRUCTURE_TYPE_COPY_ACCELERATION_STRUCTURE_INFO_KHR,
                 .src = from->handle,
                 .dst = s.handle,
                 .mode = VK_COPY_ACCELERATION_STRUCTURE_MODE_COMPACT_KHR,
             });
    commands_run(app, cmd);
    ray.DestroyQueryPool(app->device, pool, NULL);
    structure_destroy(app, from);
    return s;
}

// Two triangles that make a square, and one beside it.
static struct structure build_bottom(struct app *app, struct buffer *vertices)
{
    static const float square[] = {0,   0, 0, .4f, 0,   0, 0, .4f, 0,
                                   .4f, 0, 0, .4f, .4f, 0, 0, .4f, 0};
    static const float beside[] = {.5f, 0, 0, .7f, 0, 0, .6f, .3f, 0};
    *vertices = addressed(app, sizeof(square) + sizeof(beside),
                          VK_BUFFER_USAGE_ACCELERATION_STRUCTURE_BUILD_INPUT_READ_ONLY_BIT_KHR,
                          VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    memcpy(vertices->map, square, sizeof(square));
    memcpy((uint8_t *)vertices->map + sizeof(square), beside, sizeof(beside));
    VkAccelerationStructureGeometryKHR geometries[GEOMETRIES];
    for (uint32_t i = 0; i < GEOMETRIES; i++)
        geometries[i] = (VkAccelerationStructureGeometryKHR){
            .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_KHR,
            .geometryType = VK_GEOMETRY_TYPE_TRIANGLES_KHR,
            .geometry.triangles =
                {
                    .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_TRIANGLES_DATA_KHR,
                    .vertexFormat = VK_FORMAT_R32G32B32_SFLOAT,
                    .vertexData.deviceAddress =
                        address_of(app, vertices) + (i ? sizeof(square) : 0),
                    .vertexStride = 12,
                    .maxVertex = i ? 2 : 5,
                    .indexType = VK_INDEX_TYPE_NONE_KHR,
                },
            .flags = VK_GEOMETRY_OPAQUE_BIT_KHR,
        };
    return build(app, VK_ACCELERATION_STRUCTURE_TYPE_BOTTOM_LEVEL_KHR, geometries,
                 (uint32_t[]){2, 1}, GEOMETRIES);
}

static struct structure build_top(struct app *app, const struct structure *bottom,
                                  struct buffer *placed)
{
    *placed = addressed(app, INSTANCES * sizeof(VkAccelerationStructureInstanceKHR),
                        VK_BUFFER_USAGE_ACCELERATION_STRUCTURE_BUILD_INPUT_READ_ONLY_BIT_KHR,
                        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VkAccelerationStructureInstanceKHR *instances = placed->map;
    for (uint32_t i = 0; i < INSTANCES; i++)
        instances[i] = (VkAccelerationStructureInstanceKHR){
            .transform = {{{1, 0, 0, i * .6f - .9f},
                           {0, 1 + i * .5f, 0, i * .3f - .8f},
                           {0, 0, 1, i * .1f}}},
            .instanceCustomIndex = i + 1,
            .mask = 0xff,
            .flags = VK_GEOMETRY_INSTANCE_TRIANGLE_FACING_CULL_DISABLE_BIT_KHR,
            .accelerationStructureReference = bottom->address,
        };
    const VkAccelerationStructureGeometryKHR geometry = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_KHR,
        .geometryType = VK_GEOMETRY_TYPE_INSTANCES_KHR,
        .geometry.instances =
            {
                .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_INSTANCES_DATA_KHR,
                .data.deviceAddress = address_of(app, placed),
            },
    };
    return build(app, VK_ACCELERATION_STRUCTURE_TYPE_TOP_LEVEL_KHR, &geometry,
                 (uint32_t[]){INSTANCES}, 1);
}

// ---- both ways to shoot ---------------------------------------------------

struct shooter {
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorPool pool;
    VkDescriptorSet set;
};

static struct shooter shooter_create(struct app *app, const struct structure *top,
                                     const struct buffer *hits)
{
    const VkShaderStageFlags stages = VK_SHADER_STAGE_COMPUTE_BIT | VK_SHADER_STAGE_RAYGEN_BIT_KHR;
    struct shooter s;
    const VkDescriptorSetLayoutBinding bindings[] = {
        {0, VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR, 1, stages, NULL},
        {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, stages, NULL},
    };
    const VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR, 1},
                                          {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1}};
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, 8};
    VK_CHECK(vk.CreateDescriptorSetLayout(
        app->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings = bindings,
        },
        NULL, &s.set_layout));
    VK_CHECK(vk.CreatePipelineLayout(app->device,
                                     &(VkPipelineLayoutCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 1,
                                         .pSetLayouts = &s.set_layout,
                                         .pushConstantRangeCount = 1,
                                         .pPushConstantRanges = &range,
                                     },
                                     NULL, &s.layout));
    VK_CHECK(vk.CreateDescriptorPool(app->device,
                                     &(VkDescriptorPoolCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                         .maxSets = 1,
                                         .poolSizeCount = 2,
                                         .pPoolSizes = sizes,
                                     },
                                     NULL, &s.pool));
    VK_CHECK(vk.AllocateDescriptorSets(app->device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = s.pool,
                                           .descriptorSetCount = 1,
                                           .pSetLayouts = &s.set_layout,
                                       },
                                       &s.set));
    const VkWriteDescriptorSetAccelerationStructureKHR world = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_ACCELERATION_STRUCTURE_KHR,
        .accelerationStructureCount = 1,
        .pAccelerationStructures = &top->handle,
    };
    const VkDescriptorBufferInfo out = {hits->buffer, 0, VK_WHOLE_SIZE};
    const VkWriteDescriptorSet writes[] = {
        {
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .pNext = &world,
            .dstSet = s.set,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR,
        },
        {
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = s.set,
            .dstBinding = 1,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &out,
        },
    };
    vk.UpdateDescriptorSets(app->device, 2, writes, 0, NULL);
    return s;
}

static VkPipelineShaderStageCreateInfo stage(struct app *app, VkShaderStageFlagBits bit,
                                             const uint32_t *code, size_t size)
{
    return (VkPipelineShaderStageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
        .stage = bit,
        .module = shader_create(app, code, size),
        .pName = "main",
    };
}

static void shoot_by_query(struct app *app, const struct shooter *s)
{
    const uint32_t size[] = {WIDTH, HEIGHT};
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = stage(app, VK_SHADER_STAGE_COMPUTE_BIT, rays_comp, sizeof(rays_comp)),
        .layout = s->layout,
    };
    VkPipeline pipeline;
    VK_CHECK(vk.CreateComputePipelines(app->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline));
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, s->layout, 0, 1, &s->set, 0,
                             NULL);
    vk.CmdPushConstants(cmd, s->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(size), size);
    vk.CmdDispatch(cmd, WIDTH / 8, HEIGHT / 8, 1);
    commands_run(app, cmd);
    vk.DestroyShaderModule(app->device, info.stage.module, NULL);
    vk.DestroyPipeline(app->device, pipeline, NULL);
}

static void shoot_by_pipeline(struct app *app, const struct shooter *s)
{
    VkPhysicalDeviceRayTracingPipelinePropertiesKHR limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_TRACING_PIPELINE_PROPERTIES_KHR};
    vk.GetPhysicalDeviceProperties2(app->gpu,
                                    &(VkPhysicalDeviceProperties2){
                                        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                        .pNext = &limits,
                                    });
    VkPipelineShaderStageCreateInfo stages[] = {
        stage(app, VK_SHADER_STAGE_RAYGEN_BIT_KHR, rays_rgen, sizeof(rays_rgen)),
        stage(app, VK_SHADER_STAGE_MISS_BIT_KHR, rays_rmiss, sizeof(rays_rmiss)),
        stage(app, VK_SHADER_STAGE_CLOSEST_HIT_BIT_KHR, rays_rchit, sizeof(rays_rchit)),
    };
    VkRayTracingShaderGroupCreateInfoKHR groups[3];
    for (uint32_t i = 0; i < 3; i++)
        groups[i] = (VkRayTracingShaderGroupCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_RAY_TRACING_SHADER_GROUP_CREATE_INFO_KHR,
            .type = i < 2 ? VK_RAY_TRACING_SHADER_GROUP_TYPE_GENERAL_KHR
                          : VK_RAY_TRACING_SHADER_GROUP_TYPE_TRIANGLES_HIT_GROUP_KHR,
            .generalShader = i < 2 ? i : VK_SHADER_UNUSED_KHR,
            .closestHitShader = i < 2 ? VK_SHADER_UNUSED_KHR : i,
            .anyHitShader = VK_SHADER_UNUSED_KHR,
            .intersectionShader = VK_SHADER_UNUSED_KHR,
        };
    VkPipeline pipeline;
    VK_CHECK(ray.CreateRayTracingPipelinesKHR(
        app->device, VK_NULL_HANDLE, VK_NULL_HANDLE, 1,
        &(VkRayTracingPipelineCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_RAY_TRACING_PIPELINE_CREATE_INFO_KHR,
            .stageCount = 3,
            .pStages = stages,
            .groupCount = 3,
            .pGroups = groups,
            .maxPipelineRayRecursionDepth = 1,
            .layout = s->layout,
        },
        NULL, &pipeline));

    // The shader binding table: one record a group, each at the base alignment.
    const uint32_t handle = limits.shaderGroupHandleSize, at = limits.shaderGroupBaseAlignment;
    uint8_t handles[3 * 64];
    app_expect(3 * handle <= sizeof(handles), "shader group handles of sane size");
    VK_CHECK(
        ray.GetRayTracingShaderGroupHandlesKHR(app->device, pipeline, 0, 3, 3 * handle, handles));
    struct buffer table = addressed(app, 4 * at, VK_BUFFER_USAGE_SHADER_BINDING_TABLE_BIT_KHR,
                                    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    const VkDeviceAddress base = (address_of(app, &table) + at - 1) / at * at;
    VkStridedDeviceAddressRegionKHR regions[4] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        memcpy((uint8_t *)table.map + (base - address_of(app, &table)) + i * at,
               handles + i * handle, handle);
        regions[i] = (VkStridedDeviceAddressRegionKHR){base + i * at, at, at};
    }
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_RAY_TRACING_KHR, pipeline);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_RAY_TRACING_KHR, s->layout, 0, 1, &s->set,
                             0, NULL);
    ray.CmdTraceRaysKHR(cmd, &regions[0], &regions[1], &regions[2], &regions[3], WIDTH, HEIGHT, 1);
    commands_run(app, cmd);
    for (uint32_t i = 0; i < 3; i++)
        vk.DestroyShaderModule(app->device, stages[i].module, NULL);
    vk.DestroyPipeline(app->device, pipeline, NULL);
    buffer_destroy(app, &table);
}

static void report(const char *name, const uint32_t *hits)
{
    uint32_t met = 0;
    bool seen[INSTANCES + 1] = {false};
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
        met += hits[i] != 0;
        if (hits[i])
            seen[(hits[i] - 1) / 16] = true;
    }
    app_expect(seen[1] && seen[2] && seen[3] && met < WIDTH * HEIGHT, "every instance, and sky");
    printf("%s %u of %u, %016" PRIx64 "\n", name, met, WIDTH * HEIGHT,
           hash_bytes(hits, WIDTH * HEIGHT * 4));
}

int main(void)
{
    static const char *const extensions[] = {VK_KHR_ACCELERATION_STRUCTURE_EXTENSION_NAME,
                                             VK_KHR_DEFERRED_HOST_OPERATIONS_EXTENSION_NAME,
                                             VK_KHR_RAY_QUERY_EXTENSION_NAME,
                                             VK_KHR_RAY_TRACING_PIPELINE_EXTENSION_NAME};
    static VkPhysicalDeviceAccelerationStructureFeaturesKHR structures = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR,
        .accelerationStructure = VK_TRUE,
    };
    static VkPhysicalDeviceRayQueryFeaturesKHR queries = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_QUERY_FEATURES_KHR,
        .pNext = &structures,
        .rayQuery = VK_TRUE,
    };
    static VkPhysicalDeviceRayTracingPipelineFeaturesKHR pipelines = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_TRACING_PIPELINE_FEATURES_KHR,
        .pNext = &queries,
        .rayTracingPipeline = VK_TRUE,
    };
    static VkPhysicalDeviceVulkan12Features core12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &pipelines,
        .bufferDeviceAddress = VK_TRUE,
    };
    struct app app;
    app_init(&app, &(struct app_wants){
                       .api_version = VK_API_VERSION_1_2,
                       .extensions = extensions,
                       .extension_count = sizeof(extensions) / sizeof(extensions[0]),
                       .features = &core12,
                   });
#define RAY_FUNCTION(name)                                                                         \
    ray.name = (PFN_vk##name)vk.GetDeviceProcAddr(app.device, "vk" #name);                         \
    app_expect(ray.name != NULL, "vk" #name);
    RAY_FUNCTIONS
#undef RAY_FUNCTION

    struct buffer vertices, placed;
    struct structure bottom = build_bottom(&app, &vertices);
    bottom = compact(&app, &bottom);
    struct structure top = build_top(&app, &bottom, &placed);
    struct buffer hits = buffer_create(&app, WIDTH * HEIGHT * 4, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                                       VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    uint32_t *first = malloc(WIDTH * HEIGHT * 4);
    app_expect(first != NULL, "memory");
    struct shooter shooter = shooter_create(&app, &top, &hits);
    memset(hits.map, 0xee, hits.size);
    shoot_by_query(&app, &shooter);
    memcpy(first, hits.map, WIDTH * HEIGHT * 4);
    report("query", first);
    memset(hits.map, 0xee, hits.size);
    shoot_by_pipeline(&app, &shooter);
    report("pipeline", hits.map);
    app_expect(memcmp(first, hits.map, WIDTH * HEIGHT * 4) == 0, "both ways to meet the same");

    free(first);
    vk.DestroyDescriptorPool(app.device, shooter.pool, NULL);
    vk.DestroyPipelineLayout(app.device, shooter.layout, NULL);
    vk.DestroyDescriptorSetLayout(app.device, shooter.set_layout, NULL);
    structure_destroy(&app, &top);
    structure_destroy(&app, &bottom);
    buffer_destroy(&app, &vertices);
    buffer_destroy(&app, &placed);
    buffer_destroy(&app, &hits);
    app_finish(&app);
    return 0;
}
