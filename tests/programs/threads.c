// threads: several threads share one device. Each makes compute pipelines of its own (different
// constants, through its own cache, merged at the end), its own buffers, command pools and
// descriptor pools, and runs each pipeline on the queue that all share. Prints one hash a thread.
// "threads many": 1100 threads, none of which ends before each has made a pipeline.
#include "app.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "mix.comp.h"

enum { THREADS = 6, MANY = 1100, PIPELINES = 12, COUNT = 4096, GROUP = 64 };

struct thread {
    pthread_t id;
    struct app *app; // shared; its queue only under `queue`
    pthread_mutex_t *queue;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipelineCache cache;
    uint32_t number;
    uint64_t hash;
};

static uint32_t multiplier(uint32_t thread, uint32_t pipeline)
{
    return 0x9e3779b1u + 2 * (thread * 1000 + pipeline);
}

static VkPipeline pipeline_create(struct thread *t, VkShaderModule module, uint32_t number)
{
    const uint32_t constants[] = {GROUP, multiplier(t->number, number)};
    const VkSpecializationMapEntry entries[] = {{0, 0, 4}, {1, 4, 4}};
    return compute_pipeline(t->app, 0, t->cache, t->layout, module,
                            &(VkSpecializationInfo){2, entries, sizeof(constants), constants});
}

static VkDescriptorSet set_create(struct thread *t, VkDescriptorPool pool, VkBuffer from,
                                  VkBuffer to)
{
    VkDescriptorSet set;
    VK_CHECK(vk.AllocateDescriptorSets(t->app->device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = pool,
                                           .descriptorSetCount = 1,
                                           .pSetLayouts = &t->set_layout,
                                       },
                                       &set));
    const VkDescriptorBufferInfo infos[] = {{from, 0, VK_WHOLE_SIZE}, {to, 0, VK_WHOLE_SIZE}};
    vk.UpdateDescriptorSets(t->app->device, 1,
                            &(VkWriteDescriptorSet){
                                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                .dstSet = set,
                                .descriptorCount = 2,
                                .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                .pBufferInfo = infos,
                            },
                            0, NULL);
    return set;
}

static void run(struct thread *t, VkCommandBuffer cmd, VkPipeline pipeline, VkDescriptorSet set,
                uint32_t round)
{
    struct app *app = t->app;
    VkFence fence;
    VK_CHECK(vk.BeginCommandBuffer(
        cmd, &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, t->layout, 0, 1, &set, 0, NULL);
    vk.CmdPushConstants(cmd, t->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 8,
                        (uint32_t[]){COUNT, round});
    vk.CmdDispatch(cmd, COUNT / GROUP, 1, 1);
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0,
                          1,
                          &(VkMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
                          },
                          0, NULL, 0, NULL);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    VK_CHECK(vk.CreateFence(app->device,
                            &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                            NULL, &fence));
    pthread_mutex_lock(t->queue);
    VK_CHECK(vk.QueueSubmit(app->queue, 1,
                            &(VkSubmitInfo){
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                .commandBufferCount = 1,
                                .pCommandBuffers = &cmd,
                            },
                            fence));
    pthread_mutex_unlock(t->queue);
    app_expect(vk.WaitForFences(app->device, 1, &fence, VK_TRUE, 60ull * 1000000000) == VK_SUCCESS,
               "the submission to end within a minute");
    vk.DestroyFence(app->device, fence, NULL);
}

static void check(struct thread *t, const uint32_t *from, const uint32_t *to, uint32_t number)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t x = from[i] ^ (number * 0x9e3779b9u);
        x = (x ^ (x >> 15)) * multiplier(t->number, number);
        app_expect(to[i] == (x << 7 | x >> 25) + i, "each pipeline to use its own constant");
    }
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    VkDevice device = t->app->device;
    VkCommandPool commands;
    VkCommandBuffer cmd;
    VkDescriptorPool pool;
    VkPipeline pipelines[PIPELINES];
    VK_CHECK(vk.CreateCommandPool(device,
                                  &(VkCommandPoolCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                      .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                      .queueFamilyIndex = t->app->family,
                                  },
                                  NULL, &commands));
    VK_CHECK(vk.AllocateCommandBuffers(device,
                                       &(VkCommandBufferAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = commands,
                                           .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                           .commandBufferCount = 1,
                                       },
                                       &cmd));
    VK_CHECK(vk.CreateDescriptorPool(
        device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 2,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 4},
        },
        NULL, &pool));
    VK_CHECK(vk.CreatePipelineCache(
        device, &(VkPipelineCacheCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO},
        NULL, &t->cache));
    VkShaderModule module = shader_create(t->app, mix_comp, sizeof(mix_comp));
    for (uint32_t i = 0; i < PIPELINES; i++)
        pipelines[i] = pipeline_create(t, module, i);
    vk.DestroyShaderModule(device, module, NULL);

    const VkDeviceSize size = COUNT * sizeof(uint32_t);
    struct buffer a = buffer_create(t->app, size, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                                    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    struct buffer b = buffer_create(t->app, size, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                                    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VkDescriptorSet ab = set_create(t, pool, a.buffer, b.buffer);
    VkDescriptorSet ba = set_create(t, pool, b.buffer, a.buffer);
    for (uint32_t i = 0; i < COUNT; i++)
        ((uint32_t *)a.map)[i] = i + t->number;
    for (uint32_t i = 0; i < PIPELINES; i++) {
        run(t, cmd, pipelines[i], i % 2 ? ba : ab, i);
        check(t, i % 2 ? b.map : a.map, i % 2 ? a.map : b.map, i);
    }
    t->hash = hash_bytes(PIPELINES % 2 ? b.map : a.map, size);

    for (uint32_t i = 0; i < PIPELINES; i++)
        vk.DestroyPipeline(device, pipelines[i], NULL);
    buffer_destroy(t->app, &a);
    buffer_destroy(t->app, &b);
    vk.DestroyDescriptorPool(device, pool, NULL);
    vk.DestroyCommandPool(device, commands, NULL);
    return NULL;
}

// What many threads share. macOS has no barriers of threads.
static struct {
    struct thread each;
    VkShaderModule module;
    pthread_mutex_t lock;
    pthread_cond_t all;
    uint32_t left; // that have no pipeline yet
} crowd = {.lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER, .left = MANY};

static void *one_of_many(void *arg)
{
    const VkPipeline pipeline = pipeline_create(&crowd.each, crowd.module, 0);
    pthread_mutex_lock(&crowd.lock);
    if (--crowd.left == 0)
        pthread_cond_broadcast(&crowd.all);
    while (crowd.left)
        pthread_cond_wait(&crowd.all, &crowd.lock);
    pthread_mutex_unlock(&crowd.lock);
    vk.DestroyPipeline(crowd.each.app->device, pipeline, NULL);
    return NULL;
}

static void many(struct app *app, VkPipelineLayout layout)
{
    static pthread_t ids[MANY];
    crowd.each = (struct thread){.app = app, .layout = layout};
    crowd.module = shader_create(app, mix_comp, sizeof(mix_comp));
    for (uint32_t i = 0; i < MANY; i++)
        if (pthread_create(&ids[i], NULL, one_of_many, NULL))
            app_fail("cannot start a thread");
    for (uint32_t i = 0; i < MANY; i++)
        pthread_join(ids[i], NULL);
    printf("%d threads\n", MANY);
}

int main(int argc, char **argv)
{
    struct app app;
    app_init(&app, NULL);
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorSetLayoutBinding bindings[2];
    for (uint32_t i = 0; i < 2; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    VK_CHECK(vk.CreateDescriptorSetLayout(
        app.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings = bindings,
        },
        NULL, &set_layout));
    VK_CHECK(vk.CreatePipelineLayout(
        app.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges = &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, 8},
        },
        NULL, &layout));

    if (argc > 1) {
        many(&app, layout);
        return 0;
    }

    pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;
    struct thread threads[THREADS];
    VkPipelineCache caches[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){.app = &app, .queue = &queue, .number = i};
        threads[i].set_layout = set_layout;
        threads[i].layout = layout;
        if (pthread_create(&threads[i].id, NULL, thread_main, &threads[i]))
            app_fail("cannot start a thread");
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i].id, NULL);
        caches[i] = threads[i].cache;
        printf("thread %" PRIu32 " %016" PRIx64 "\n", i, threads[i].hash);
    }
    size_t size = 0;
    VK_CHECK(vk.MergePipelineCaches(app.device, caches[0], THREADS - 1, caches + 1));
    VK_CHECK(vk.GetPipelineCacheData(app.device, caches[0], &size, NULL));
    char *data = malloc(size);
    app_expect(size >= sizeof(VkPipelineCacheHeaderVersionOne) && data, "a pipeline cache header");
    VK_CHECK(vk.GetPipelineCacheData(app.device, caches[0], &size, data));
    app_expect(((VkPipelineCacheHeaderVersionOne *)(void *)data)->headerVersion ==
                   VK_PIPELINE_CACHE_HEADER_VERSION_ONE,
               "version 1 in the pipeline cache header");
    VkPipelineCache again;
    VK_CHECK(vk.CreatePipelineCache(app.device,
                                    &(VkPipelineCacheCreateInfo){
                                        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                        .initialDataSize = size,
                                        .pInitialData = data,
                                    },
                                    NULL, &again));
    vk.DestroyPipelineCache(app.device, again, NULL);
    free(data);
    for (uint32_t i = 0; i < THREADS; i++)
        vk.DestroyPipelineCache(app.device, caches[i], NULL);
    vk.DestroyPipelineLayout(app.device, layout, NULL);
    vk.DestroyDescriptorSetLayout(app.device, set_layout, NULL);
    app_finish(&app);
    return 0;
}
