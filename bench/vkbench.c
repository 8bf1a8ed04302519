// vkbench: what single Vulkan operations cost, in microseconds, to compare ways to the same driver.
//
//   vkbench [-t SECONDS] [ROW...]      each row runs for about SECONDS (default 0.3)
//
// Prints "ROW<TAB>MICROSECONDS" a line: the median over slices of the run. bench/compare runs it on
// several sides by turns.
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spin.comp.h"

enum { COMMANDS = 10000, SLICES = 15, GROUPS = 256, MAPPED = 1 << 20 };

struct bench {
    struct app app;
    struct buffer target; // 64 KiB that commands write to
    struct buffer mapped;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline spin;
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VkFence fence;
    VkSemaphore timeline;
    uint64_t value;
    VkCommandBuffer small, push, barriers, update, dispatch;
};

static void run(struct bench *b, VkCommandBuffer cmd)
{
    VK_CHECK(vk.QueueSubmit(b->app.queue, 1,
                            &(VkSubmitInfo){
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .commandBufferCount = 1,
                                .pCommandBuffers = &cmd,
                            },
                            b->fence));
    VK_CHECK(vk.WaitForFences(b->app.device, 1, &b->fence, VK_TRUE, UINT64_MAX));
    VK_CHECK(vk.ResetFences(b->app.device, 1, &b->fence));
}

static VkCommandBuffer begin(struct bench *b, VkCommandBuffer cmd)
{
    if (!cmd)
        return commands_begin(&b->app);
    VK_CHECK(vk.BeginCommandBuffer(
        cmd, &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    return cmd;
}

// ---- rows: each does one operation, or `COMMANDS` of them -----------------

static void image_format(struct bench *b)
{
    VkImageFormatProperties2 p = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2};
    vk.GetPhysicalDeviceImageFormatProperties2(
        b->app.gpu,
        &(VkPhysicalDeviceImageFormatInfo2){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
            .format = VK_FORMAT_R8G8B8A8_UNORM,
            .type = VK_IMAGE_TYPE_2D,
            .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
        },
        &p);
}

// Nothing that a client caches: a command with a reply, there and back.
static void round_trip(struct bench *b)
{
    VkImage image;
    VkSubresourceLayout layout;
    VK_CHECK(vk.CreateImage(b->app.device,
                            &(VkImageCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                .imageType = VK_IMAGE_TYPE_2D,
                                .format = VK_FORMAT_R8G8B8A8_UNORM,
                                .extent = {64, 64, 1},
                                .mipLevels = 1,
                                .arrayLayers = 1,
                                .samples = VK_SAMPLE_COUNT_1_BIT,
                                .tiling = VK_IMAGE_TILING_LINEAR,
                                .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
                            },
                            NULL, &image));
    vk.GetImageSubresourceLayout(b->app.device, image,
                                 &(VkImageSubresource){VK_IMAGE_ASPECT_COLOR_BIT, 0, 0}, &layout);
    vk.DestroyImage(b->app.device, image, NULL);
}

static void descriptor_update(struct bench *b)
{
    vk.UpdateDescriptorSets(
        b->app.device, 1,
        &(VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = b->set,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &(VkDescriptorBufferInfo){b->target.buffer, 0, VK_WHOLE_SIZE},
        },
        0, NULL);
}

static void buffer_create_destroy(struct bench *b)
{
    VkBuffer buffer;
    VK_CHECK(vk.CreateBuffer(b->app.device,
                             &(VkBufferCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                 .size = 4096,
                                 .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                             },
                             NULL, &buffer));
    vk.DestroyBuffer(b->app.device, buffer, NULL);
}

static void fence_status(struct bench *b)
{
    (void)vk.GetFenceStatus(b->app.device, b->fence);
}

static void empty_submit(struct bench *b)
{
    VK_CHECK(vk.QueueSubmit(b->app.queue, 0, NULL, b->fence));
    VK_CHECK(vk.WaitForFences(b->app.device, 1, &b->fence, VK_TRUE, UINT64_MAX));
    VK_CHECK(vk.ResetFences(b->app.device, 1, &b->fence));
}

static void small_submit(struct bench *b)
{
    run(b, b->small);
}

static void timeline_submit(struct bench *b)
{
    b->value++;
    VK_CHECK(vk.QueueSubmit(b->app.queue, 1,
                            &(VkSubmitInfo){
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .pNext =
                                    &(VkTimelineSemaphoreSubmitInfo){
                                        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                        .signalSemaphoreValueCount = 1,
                                        .pSignalSemaphoreValues = &b->value,
                                    },
                                .commandBufferCount = 1,
                                .pCommandBuffers = &b->small,
                                .signalSemaphoreCount = 1,
                                .pSignalSemaphores = &b->timeline,
                            },
                            VK_NULL_HANDLE));
    VK_CHECK(vk.WaitSemaphores(b->app.device,
                               &(VkSemaphoreWaitInfo){
                                   .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                   .semaphoreCount = 1,
                                   .pSemaphores = &b->timeline,
                                   .pValues = &b->value,
                               },
                               UINT64_MAX));
}

static void alloc_map_free(struct bench *b)
{
    VkDeviceMemory memory;
    void *map;
    const VkMemoryPropertyFlags flags =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VK_CHECK(vk.AllocateMemory(b->app.device,
                               &(VkMemoryAllocateInfo){
                                   .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                   .allocationSize = 64 << 10,
                                   .memoryTypeIndex = memory_type(&b->app, UINT32_MAX, flags),
                               },
                               NULL, &memory));
    VK_CHECK(vk.MapMemory(b->app.device, memory, 0, VK_WHOLE_SIZE, 0, &map));
    for (int i = 0; i < 64 << 10; i += 4096)
        ((volatile char *)map)[i] = 1;
    vk.UnmapMemory(b->app.device, memory);
    vk.FreeMemory(b->app.device, memory, NULL);
}

static void push_constants(struct bench *b)
{
    b->push = begin(b, b->push);
    for (uint32_t i = 0; i < COMMANDS; i++)
        vk.CmdPushConstants(b->push, b->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 4, &i);
    VK_CHECK(vk.EndCommandBuffer(b->push));
    run(b, b->push);
}

static void barriers(struct bench *b)
{
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
    };
    b->barriers = begin(b, b->barriers);
    for (uint32_t i = 0; i < COMMANDS; i++)
        vk.CmdPipelineBarrier(b->barriers, VK_PIPELINE_STAGE_TRANSFER_BIT,
                              VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
    VK_CHECK(vk.EndCommandBuffer(b->barriers));
    run(b, b->barriers);
}

static void update_buffer(struct bench *b) // a megabyte
{
    static const uint32_t data[16 << 10];
    b->update = begin(b, b->update);
    for (int i = 0; i < 16; i++)
        vk.CmdUpdateBuffer(b->update, b->target.buffer, 0, sizeof(data), data);
    VK_CHECK(vk.EndCommandBuffer(b->update));
    run(b, b->update);
}

static void long_dispatch(struct bench *b)
{
    run(b, b->dispatch);
}

// ---- set-up ---------------------------------------------------------------

// A mebibyte into mapped memory, and out of it.
static void mapped_memcpy(struct bench *b)
{
    static uint8_t local[MAPPED];
    memcpy(b->mapped.map, local, MAPPED);
    memcpy(local, b->mapped.map, MAPPED);
}

static void init(struct bench *b)
{
    VkPhysicalDeviceVulkan12Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .timelineSemaphore = VK_TRUE,
    };
    memset(b, 0, sizeof(*b));
    app_init(&b->app,
             &(struct app_wants){.api_version = VK_API_VERSION_1_2, .features = &features});
    b->target = buffer_create(&b->app, 64 << 10,
                              VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                              VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    b->mapped = buffer_create(&b->app, MAPPED, VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
                              VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VK_CHECK(vk.CreateFence(b->app.device,
                            &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                            NULL, &b->fence));
    VK_CHECK(vk.CreateSemaphore(b->app.device,
                                &(VkSemaphoreCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                    .pNext =
                                        &(VkSemaphoreTypeCreateInfo){
                                            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                        },
                                },
                                NULL, &b->timeline));
    VK_CHECK(vk.CreateDescriptorSetLayout(
        b->app.device,
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
        NULL, &b->set_layout));
    VK_CHECK(vk.CreatePipelineLayout(
        b->app.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &b->set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges = &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, 4},
        },
        NULL, &b->layout));
    VK_CHECK(vk.CreateDescriptorPool(
        b->app.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 1,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1},
        },
        NULL, &b->pool));
    VK_CHECK(vk.AllocateDescriptorSets(b->app.device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = b->pool,
                                           .descriptorSetCount = 1,
                                           .pSetLayouts = &b->set_layout,
                                       },
                                       &b->set));
    descriptor_update(b);
    VkShaderModule module = shader_create(&b->app, spin_comp, sizeof(spin_comp));
    VK_CHECK(vk.CreateComputePipelines(
        b->app.device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = module,
                    .pName = "main",
                },
            .layout = b->layout,
        },
        NULL, &b->spin));
    vk.DestroyShaderModule(b->app.device, module, NULL);

    b->small = begin(b, NULL);
    vk.CmdFillBuffer(b->small, b->target.buffer, 0, 256, 1);
    VK_CHECK(vk.EndCommandBuffer(b->small));
    b->dispatch = begin(b, NULL);
    vk.CmdBindPipeline(b->dispatch, VK_PIPELINE_BIND_POINT_COMPUTE, b->spin);
    vk.CmdBindDescriptorSets(b->dispatch, VK_PIPELINE_BIND_POINT_COMPUTE, b->layout, 0, 1, &b->set,
                             0, NULL);
    vk.CmdPushConstants(b->dispatch, b->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 4,
                        &(uint32_t){4000});
    vk.CmdDispatch(b->dispatch, GROUPS, 1, 1);
    VK_CHECK(vk.EndCommandBuffer(b->dispatch));
}

// ---- measuring ------------------------------------------------------------

static const struct row {
    const char *name;
    void (*run)(struct bench *);
    int per_run; // operations in one call
} rows[] = {
    {"image_format", image_format, 1},
    {"round_trip", round_trip, 1},
    {"descriptor_update", descriptor_update, 1},
    {"buffer_create_destroy", buffer_create_destroy, 1},
    {"fence_status", fence_status, 1},
    {"empty_submit", empty_submit, 1},
    {"small_submit", small_submit, 1},
    {"timeline_submit", timeline_submit, 1},
    {"alloc_map_free_64k", alloc_map_free, 1},
    {"mapped_memcpy_mb", mapped_memcpy, 1},
    {"push_constants", push_constants, COMMANDS},
    {"barriers", barriers, COMMANDS},
    {"update_buffer_mb", update_buffer, 1},
    {"long_dispatch", long_dispatch, 1},
};

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Slices of equal length; what was only queued when a slice ends counts, for the queue is then full
// and each further operation pays for one that leaves it.
static double measure(struct bench *b, const struct row *row, double seconds)
{
    double slices[SLICES];
    row->run(b); // warm up
    VK_CHECK(vk.DeviceWaitIdle(b->app.device));
    for (int i = 0; i < SLICES; i++) {
        const double start = now();
        double end;
        long runs = 0;
        long chunk = 1; // calls between two looks at the clock
        do {
            for (long k = 0; k < chunk; k++)
                row->run(b);
            runs += chunk;
            end = now();
            if ((end - start) * 20 < seconds / SLICES)
                chunk *= 2;
        } while (end - start < seconds / SLICES);
        slices[i] = 1e6 * (end - start) / (double)(runs * row->per_run);
    }
    VK_CHECK(vk.DeviceWaitIdle(b->app.device));
    qsort(slices, SLICES, sizeof(*slices), by_value);
    return slices[SLICES / 2];
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 0;
}

int main(int argc, char **argv)
{
    double seconds = 0.3;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "-t") == 0) {
        seconds = atof(argv[2]);
        first = 3;
    }
    struct bench b;
    init(&b);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (wanted(rows[i].name, argc - first, argv + first))
            printf("%s\t%.4f\n", rows[i].name, measure(&b, &rows[i], seconds));
    fflush(stdout);
    vk.DestroyPipeline(b.app.device, b.spin, NULL);
    vk.DestroyDescriptorPool(b.app.device, b.pool, NULL);
    vk.DestroyPipelineLayout(b.app.device, b.layout, NULL);
    vk.DestroyDescriptorSetLayout(b.app.device, b.set_layout, NULL);
    vk.DestroySemaphore(b.app.device, b.timeline, NULL);
    vk.DestroyFence(b.app.device, b.fence, NULL);
    buffer_destroy(&b.app, &b.mapped);
    buffer_destroy(&b.app, &b.target);
    app_finish(&b.app);
    return 0;
}
