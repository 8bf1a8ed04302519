#include "rows.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "spin.comp.h"

enum {
    COMMANDS = 10000,
    GROUPS = 256,
    MAPPED = 1 << 20,
    SUBMITS = 64,
    INPUTS = 10,
    THINKS_NS = 20000,
    THREADS = 4,
    PIPELINES = 25
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

static void begin_again(VkCommandBuffer cmd, VkCommandBufferUsageFlags usage)
{
    VK_CHECK(vk.BeginCommandBuffer(cmd, &(VkCommandBufferBeginInfo){
                                            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = usage,
                                        }));
}

static VkCommandBuffer begin(struct bench *b, VkCommandBuffer cmd)
{
    if (!cmd)
        return commands_begin(&b->app);
    begin_again(cmd, 0);
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

static void descriptor_write(struct bench *b, VkDescriptorSet set, VkBuffer buffer)
{
    vk.UpdateDescriptorSets(b->app.device, 1,
                            &(VkWriteDescriptorSet){
                                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                .dstSet = set,
                                .descriptorCount = 1,
                                .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                .pBufferInfo = &(VkDescriptorBufferInfo){buffer, 0, VK_WHOLE_SIZE},
                            },
                            0, NULL);
}

static void descriptor_update(struct bench *b)
{
    descriptor_write(b, b->set, b->target.buffer);
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

static void image_create_destroy(struct bench *b)
{
    VkImage image;
    VkMemoryRequirements need;
    VK_CHECK(vk.CreateImage(b->app.device,
                            &(VkImageCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                .imageType = VK_IMAGE_TYPE_2D,
                                .format = VK_FORMAT_R8G8B8A8_UNORM,
                                .extent = {256, 256, 1},
                                .mipLevels = 1,
                                .arrayLayers = 1,
                                .samples = VK_SAMPLE_COUNT_1_BIT,
                                .tiling = VK_IMAGE_TILING_OPTIMAL,
                                .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
                            },
                            NULL, &image));
    vk.GetImageMemoryRequirements(b->app.device, image, &need);
    vk.DestroyImage(b->app.device, image, NULL);
}

static void fence_create_destroy(struct bench *b)
{
    VkFence fence;
    VK_CHECK(vk.CreateFence(b->app.device,
                            &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                            NULL, &fence));
    vk.DestroyFence(b->app.device, fence, NULL);
}

static VkPipeline pipeline_create(struct bench *b)
{
    VkPipeline pipeline;
    VK_CHECK(vk.CreateComputePipelines(
        b->app.device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = b->module,
                    .pName = "main",
                },
            .layout = b->layout,
        },
        NULL, &pipeline));
    return pipeline;
}

static void pipeline_create_destroy(struct bench *b)
{
    vk.DestroyPipeline(b->app.device, pipeline_create(b), NULL);
}

static void *make_pipelines(void *bench)
{
    for (int i = 0; i < PIPELINES; i++)
        pipeline_create_destroy(bench);
    return NULL;
}

// Several threads at once: Mesa gives each a ring of its own for this.
static void pipelines_threads(struct bench *b)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, make_pipelines, b))
            app_fail("no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
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

// Only the last one is waited for.
static void submit_64(struct bench *b)
{
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &b->shared,
    };
    for (int i = 0; i < SUBMITS - 1; i++)
        VK_CHECK(vk.QueueSubmit(b->app.queue, 1, &info, VK_NULL_HANDLE));
    run(b, b->shared);
}

// What a language model's program does for each token: it writes its inputs one by one, each by a
// submission that it waits for, and computes between them.
static void inputs_and_dispatch(struct bench *b)
{
    for (int i = 0; i < INPUTS; i++) {
        struct timespec now, began;
        clock_gettime(CLOCK_MONOTONIC, &began);
        do
            clock_gettime(CLOCK_MONOTONIC, &now);
        while ((now.tv_sec - began.tv_sec) * 1000000000L + now.tv_nsec - began.tv_nsec < THINKS_NS);
        run(b, b->small);
    }
    run(b, b->mapped_dispatch);
}

// What a program does that records anew for each frame.
static void record_submit(struct bench *b)
{
    b->ten = begin(b, b->ten);
    for (uint32_t i = 0; i < 10; i++)
        vk.CmdFillBuffer(b->ten, b->target.buffer, 0, 256, i);
    VK_CHECK(vk.EndCommandBuffer(b->ten));
    run(b, b->ten);
}

static void timeline_signal(struct bench *b)
{
    uint64_t value;
    b->host_value++;
    VK_CHECK(vk.SignalSemaphore(b->app.device, &(VkSemaphoreSignalInfo){
                                                   .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                                   .semaphore = b->host_timeline,
                                                   .value = b->host_value,
                                               }));
    VK_CHECK(vk.GetSemaphoreCounterValue(b->app.device, b->host_timeline, &value));
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

static void alloc_map_free(struct bench *b, VkDeviceSize size)
{
    VkDeviceMemory memory;
    void *map;
    const VkMemoryPropertyFlags flags =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VK_CHECK(vk.AllocateMemory(b->app.device,
                               &(VkMemoryAllocateInfo){
                                   .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                   .allocationSize = size,
                                   .memoryTypeIndex = memory_type(&b->app, UINT32_MAX, flags),
                               },
                               NULL, &memory));
    VK_CHECK(vk.MapMemory(b->app.device, memory, 0, VK_WHOLE_SIZE, 0, &map));
    for (VkDeviceSize i = 0; i < size; i += 4096)
        ((volatile char *)map)[i] = 1;
    vk.UnmapMemory(b->app.device, memory);
    vk.FreeMemory(b->app.device, memory, NULL);
}

static void alloc_map_free_64k(struct bench *b)
{
    alloc_map_free(b, 64 << 10);
}

static void alloc_map_free_16m(struct bench *b)
{
    alloc_map_free(b, 16 << 20);
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

// The same, and its results go to memory that the host can read.
static void mapped_dispatch(struct bench *b)
{
    run(b, b->mapped_dispatch);
}

// A program that has done something, and now does nothing for a second.
static void idle(struct bench *b)
{
    (void)b;
    nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
}

// A mebibyte into mapped memory, and out of it.
static void mapped_memcpy(struct bench *b)
{
    static uint8_t local[MAPPED];
    memcpy(b->mapped.map, local, MAPPED);
    memcpy(local, b->mapped.map, MAPPED);
}

// ---- set-up ---------------------------------------------------------------

static VkSemaphore timeline_create(struct bench *b)
{
    VkSemaphore timeline;
    VK_CHECK(vk.CreateSemaphore(b->app.device,
                                &(VkSemaphoreCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                    .pNext =
                                        &(VkSemaphoreTypeCreateInfo){
                                            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                        },
                                },
                                NULL, &timeline));
    return timeline;
}

static VkDescriptorSet set_create(struct bench *b, VkBuffer buffer)
{
    VkDescriptorSet set;
    VK_CHECK(vk.AllocateDescriptorSets(b->app.device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = b->pool,
                                           .descriptorSetCount = 1,
                                           .pSetLayouts = &b->set_layout,
                                       },
                                       &set));
    descriptor_write(b, set, buffer);
    return set;
}

static VkCommandBuffer fill_create(struct bench *b, VkCommandBufferUsageFlags usage)
{
    VkCommandBuffer cmd = begin(b, NULL);
    begin_again(cmd, usage);
    vk.CmdFillBuffer(cmd, b->target.buffer, 0, 256, 1);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    return cmd;
}

static VkCommandBuffer dispatch_create(struct bench *b, VkDescriptorSet set, uint32_t rounds,
                                       uint32_t groups)
{
    VkCommandBuffer cmd = begin(b, NULL);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, b->spin);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, b->layout, 0, 1, &set, 0, NULL);
    vk.CmdPushConstants(cmd, b->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 4, &rounds);
    vk.CmdDispatch(cmd, groups, 1, 1);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    return cmd;
}

void bench_init(struct bench *b)
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
    b->mapped = buffer_create(&b->app, MAPPED, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                              VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VK_CHECK(vk.CreateFence(b->app.device,
                            &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                            NULL, &b->fence));
    b->timeline = timeline_create(b);
    b->host_timeline = timeline_create(b);
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
            .maxSets = 2,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2},
        },
        NULL, &b->pool));
    b->set = set_create(b, b->target.buffer);
    b->mapped_set = set_create(b, b->mapped.buffer);
    b->module = shader_create(&b->app, spin_comp, sizeof(spin_comp));
    b->spin = pipeline_create(b);
    b->small = fill_create(b, 0);
    b->shared = fill_create(b, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT);
    b->dispatch = dispatch_create(b, b->set, 4000, GROUPS);
    b->mapped_dispatch = dispatch_create(b, b->mapped_set, 16, MAPPED / 4 / 64);
}

void bench_finish(struct bench *b)
{
    vk.DestroyShaderModule(b->app.device, b->module, NULL);
    vk.DestroyPipeline(b->app.device, b->spin, NULL);
    vk.DestroyDescriptorPool(b->app.device, b->pool, NULL);
    vk.DestroyPipelineLayout(b->app.device, b->layout, NULL);
    vk.DestroyDescriptorSetLayout(b->app.device, b->set_layout, NULL);
    vk.DestroySemaphore(b->app.device, b->host_timeline, NULL);
    vk.DestroySemaphore(b->app.device, b->timeline, NULL);
    vk.DestroyFence(b->app.device, b->fence, NULL);
    buffer_destroy(&b->app, &b->mapped);
    buffer_destroy(&b->app, &b->target);
    app_finish(&b->app);
}

// ---- the table ------------------------------------------------------------

const struct row rows[] = {
    {"image_format", image_format, 1, 0},
    {"round_trip", round_trip, 1, 0},
    {"descriptor_update", descriptor_update, 1, 0},
    {"buffer_create_destroy", buffer_create_destroy, 1, 0},
    {"image_create_destroy", image_create_destroy, 1, 0},
    {"fence_create_destroy", fence_create_destroy, 1, 0},
    {"pipeline_create_destroy", pipeline_create_destroy, 1, 0},
    {"pipelines_threads", pipelines_threads, THREADS *PIPELINES, 0},
    {"fence_status", fence_status, 1, 0},
    {"empty_submit", empty_submit, 1, 0},
    {"small_submit", small_submit, 1, 0},
    {"record_submit", record_submit, 1, 0},
    {"inputs_and_dispatch", inputs_and_dispatch, 1, 0},
    {"submit_64", submit_64, SUBMITS, 0},
    {"timeline_submit", timeline_submit, 1, 0},
    {"timeline_signal", timeline_signal, 1, 0},
    {"alloc_map_free_64k", alloc_map_free_64k, 1, 0},
    {"alloc_map_free_16m", alloc_map_free_16m, 1, 0},
    {"mapped_memcpy_mb", mapped_memcpy, 1, 0},
    {"push_constants", push_constants, COMMANDS, 0},
    {"barriers", barriers, COMMANDS, 0},
    {"update_buffer_mb", update_buffer, 1, 0},
    {"long_dispatch", long_dispatch, 1, 0},
    {"mapped_dispatch", mapped_dispatch, 1, 0},
    {"idle", idle, 1, 3},
    {0},
};
