// large: single commands that are larger than what usually crosses, up to several MB.
//
//   large descriptors   updates of thousands of descriptors in one call
//   large regions       a copy of 40 000 regions; 64 KiB updates by the dozen
//   large shader        shader modules of 3 MB
//   large cache         pipeline caches of 5 and 300 MB given, caches read in pieces and merged
//   large recording     50 000 commands in one command buffer, recorded again and again
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "many.comp.h"
#include "mix.comp.h"

#define COPIES (VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT)
#define STORAGE (VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | COPIES)

static void *memory(size_t size)
{
    void *p = calloc(1, size);
    app_expect(p != NULL, "memory");
    return p;
}

static void barrier(VkCommandBuffer cmd)
{
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                          VK_PIPELINE_STAGE_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                          &(VkMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT |
                                               VK_ACCESS_MEMORY_WRITE_BIT | VK_ACCESS_HOST_READ_BIT,
                          },
                          0, NULL, 0, NULL);
}

static VkPipeline pipeline_create(struct app *app, VkPipelineLayout layout, VkPipelineCache cache,
                                  const uint32_t *code, size_t size,
                                  const VkSpecializationInfo *special)
{
    VkShaderModule module = shader_create(app, code, size);
    VkPipeline pipeline = compute_pipeline(app, 0, cache, layout, module, special);
    vk.DestroyShaderModule(app->device, module, NULL);
    return pipeline;
}

// A set of `first` storage buffers in binding 0 and one in binding 1.
struct binding {
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorPool pool;
};

static struct binding binding_create(struct app *app, uint32_t first, uint32_t sets)
{
    struct binding b;
    const VkDescriptorSetLayoutBinding bindings[] = {
        {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, first, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
        {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
    };
    VK_CHECK(vk.CreateDescriptorSetLayout(
        app->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings = bindings,
        },
        NULL, &b.set_layout));
    VK_CHECK(vk.CreatePipelineLayout(
        app->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &b.set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges = &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, 8},
        },
        NULL, &b.layout));
    VK_CHECK(vk.CreateDescriptorPool(
        app->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = sets,
            .poolSizeCount = 1,
            .pPoolSizes =
                &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, (first + 1) * sets},
        },
        NULL, &b.pool));
    return b;
}

static void binding_destroy(struct app *app, struct binding *b)
{
    vk.DestroyDescriptorPool(app->device, b->pool, NULL);
    vk.DestroyPipelineLayout(app->device, b->layout, NULL);
    vk.DestroyDescriptorSetLayout(app->device, b->set_layout, NULL);
}

// --- descriptors
// -----------------------------------------------------------------------------------

static void descriptors(struct app *app, const char *path)
{
    enum { BUFFERS = 256, SETS = 16, WRITES = SETS * BUFFERS };
    (void)path;
    const VkPhysicalDeviceLimits *limits = &app->properties.limits;
    if (limits->maxPerStageDescriptorStorageBuffers <= BUFFERS ||
        limits->maxDescriptorSetStorageBuffers <= BUFFERS)
        app_skip("only %u storage buffers", limits->maxPerStageDescriptorStorageBuffers);
    struct binding b = binding_create(app, BUFFERS, SETS);
    const uint32_t count = BUFFERS;
    VkPipeline pipeline =
        pipeline_create(app, b.layout, VK_NULL_HANDLE, many_comp, sizeof(many_comp),
                        &(VkSpecializationInfo){
                            .mapEntryCount = 1,
                            .pMapEntries = &(VkSpecializationMapEntry){0, 0, 4},
                            .dataSize = 4,
                            .pData = &count,
                        });
    const VkDeviceSize align = limits->minStorageBufferOffsetAlignment;
    struct buffer words =
        buffer_create(app, BUFFERS * align, STORAGE, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    struct buffer out =
        buffer_create(app, BUFFERS * 4, STORAGE, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    for (uint32_t i = 0; i < BUFFERS; i++)
        memcpy((char *)words.map + i * align, &(uint32_t){i * 7 + 1}, 4);
    VkDescriptorSetLayout layouts[SETS];
    VkDescriptorSet sets[SETS];
    for (uint32_t i = 0; i < SETS; i++)
        layouts[i] = b.set_layout;
    VK_CHECK(vk.AllocateDescriptorSets(app->device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = b.pool,
                                           .descriptorSetCount = SETS,
                                           .pSetLayouts = layouts,
                                       },
                                       sets));
    // In one call: each descriptor by a write of its own; set s turns the buffers by s.
    VkWriteDescriptorSet *writes = memory((WRITES + SETS) * sizeof(*writes));
    VkDescriptorBufferInfo *infos = memory((WRITES + SETS) * sizeof(*infos));
    for (uint32_t w = 0; w < WRITES + SETS; w++) {
        const bool result = w >= WRITES;
        const uint32_t s = result ? w - WRITES : w / BUFFERS, i = w % BUFFERS;
        infos[w] = result ? (VkDescriptorBufferInfo){out.buffer, 0, VK_WHOLE_SIZE}
                          : (VkDescriptorBufferInfo){words.buffer, (i + s) % BUFFERS * align, 4};
        writes[w] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = sets[s],
            .dstBinding = result,
            .dstArrayElement = result ? 0 : i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &infos[w],
        };
    }
    vk.UpdateDescriptorSets(app->device, WRITES + SETS, writes, 0, NULL);
    for (uint32_t s = 0; s < SETS; s++) {
        VkCommandBuffer cmd = commands_begin(app);
        vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
        vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, b.layout, 0, 1, &sets[s], 0,
                                 NULL);
        vk.CmdDispatch(cmd, 1, 1, 1);
        barrier(cmd);
        commands_run(app, cmd);
        for (uint32_t i = 0; i < BUFFERS; i++)
            app_expect(((uint32_t *)out.map)[i] == (i + s) % BUFFERS * 7 + 1,
                       "the buffer of each descriptor");
    }
    printf("descriptors %d in one call, %016" PRIx64 "\n", WRITES,
           hash_bytes(out.map, BUFFERS * 4));
    free(writes);
    free(infos);
    vk.DestroyPipeline(app->device, pipeline, NULL);
    buffer_destroy(app, &words);
    buffer_destroy(app, &out);
    binding_destroy(app, &b);
}

// --- regions
// ---------------------------------------------------------------------------------------

static void regions(struct app *app, const char *path)
{
    enum { REGIONS = 40000, UPDATES = 48, UPDATE = 65536 };
    (void)path;
    struct buffer from =
        buffer_create(app, UPDATES * UPDATE, COPIES, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    struct buffer to =
        buffer_create(app, UPDATES * UPDATE, COPIES, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    uint32_t *words = memory(UPDATES * UPDATE);
    for (uint32_t i = 0; i < UPDATES * UPDATE / 4; i++)
        words[i] = i * 2654435761u;
    VkBufferCopy *copies = memory(REGIONS * sizeof(*copies));
    for (uint32_t i = 0; i < REGIONS; i++) // word by word, backwards
        copies[i] = (VkBufferCopy){4 * i, 4 * (REGIONS - 1 - i), 4};
    VkCommandBuffer cmd = commands_begin(app);
    for (uint32_t i = 0; i < UPDATES; i++)
        vk.CmdUpdateBuffer(cmd, from.buffer, (VkDeviceSize)i * UPDATE, UPDATE,
                           (char *)words + i * UPDATE);
    barrier(cmd);
    vk.CmdCopyBuffer(cmd, from.buffer, to.buffer, 1, &(VkBufferCopy){0, 0, UPDATES * UPDATE});
    barrier(cmd);
    vk.CmdCopyBuffer(cmd, from.buffer, to.buffer, REGIONS, copies);
    barrier(cmd);
    commands_run(app, cmd);
    const uint32_t *got = to.map;
    for (uint32_t i = 0; i < UPDATES * UPDATE / 4; i++)
        app_expect(got[i] == words[i < REGIONS ? REGIONS - 1 - i : i], "every region");
    printf("regions %d, updates %d, %016" PRIx64 "\n", REGIONS, UPDATES,
           hash_bytes(got, UPDATES * UPDATE));
    free(copies);
    free(words);
    buffer_destroy(app, &from);
    buffer_destroy(app, &to);
}

// --- shaders
// ---------------------------------------------------------------------------------------

struct mixer {
    struct binding b;
    VkDescriptorSet set;
    struct buffer in, out;
};

enum { COUNT = 64 };

static struct mixer mixer_create(struct app *app)
{
    struct mixer m;
    m.b = binding_create(app, 1, 1);
    m.in = buffer_create(app, COUNT * 4, STORAGE, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    m.out = buffer_create(app, COUNT * 4, STORAGE, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    for (uint32_t i = 0; i < COUNT; i++)
        ((uint32_t *)m.in.map)[i] = i * 747796405u;
    VK_CHECK(vk.AllocateDescriptorSets(app->device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = m.b.pool,
                                           .descriptorSetCount = 1,
                                           .pSetLayouts = &m.b.set_layout,
                                       },
                                       &m.set));
    const VkDescriptorBufferInfo infos[] = {{m.in.buffer, 0, VK_WHOLE_SIZE},
                                            {m.out.buffer, 0, VK_WHOLE_SIZE}};
    vk.UpdateDescriptorSets(app->device, 1,
                            &(VkWriteDescriptorSet){
                                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                .dstSet = m.set,
                                .descriptorCount = 2,
                                .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                .pBufferInfo = infos,
                            },
                            0, NULL);
    return m;
}

static void mixer_destroy(struct app *app, struct mixer *m)
{
    buffer_destroy(app, &m->in);
    buffer_destroy(app, &m->out);
    binding_destroy(app, &m->b);
}

static VkPipeline mixer_pipeline(struct app *app, struct mixer *m, VkPipelineCache cache,
                                 const uint32_t *code, size_t size, uint32_t multiplier)
{
    const uint32_t data[] = {COUNT, multiplier};
    const VkSpecializationMapEntry entries[] = {{0, 0, 4}, {1, 4, 4}};
    return pipeline_create(app, m->b.layout, cache, code, size,
                           &(VkSpecializationInfo){
                               .mapEntryCount = 2,
                               .pMapEntries = entries,
                               .dataSize = sizeof(data),
                               .pData = data,
                           });
}

static void expect_mix(struct app *app, struct mixer *m, VkPipeline pipeline, uint32_t multiplier)
{
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, m->b.layout, 0, 1, &m->set, 0,
                             NULL);
    vk.CmdPushConstants(cmd, m->b.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 8,
                        (uint32_t[]){COUNT, 1});
    vk.CmdDispatch(cmd, 1, 1, 1);
    barrier(cmd);
    commands_run(app, cmd);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t x = (i * 747796405u) ^ 0x9e3779b9u;
        x = (x ^ (x >> 15)) * multiplier;
        app_expect(((uint32_t *)m->out.map)[i] == (x << 7 | x >> 25) + i, "the mixer");
    }
}

// The module with `extra` bytes of names of source extensions, which mean nothing.
static uint32_t *fattened(const uint32_t *code, size_t size, size_t extra, size_t *new_size)
{
    enum { OP_SOURCE_EXTENSION = 4, OP_EXECUTION_MODE = 16, LONGEST = 60000, HEADER = 5 };
    const size_t words = size / 4, more = extra / 4 / LONGEST * LONGEST;
    size_t at = HEADER, place = HEADER;
    for (; at < words; at += code[at] >> 16)
        if ((code[at] & 0xffff) == OP_EXECUTION_MODE)
            place = at + (code[at] >> 16);
    uint32_t *fat = memory((words + more) * 4);
    memcpy(fat, code, place * 4);
    for (size_t i = 0; i < more; i++) {
        const size_t in = i % LONGEST;
        fat[place + i] = in == 0             ? LONGEST << 16 | OP_SOURCE_EXTENSION
                         : in == LONGEST - 1 ? 0x00626262 // the end of a string
                                             : 0x62626262;
    }
    memcpy(fat + place + more, code + place, (words - place) * 4);
    *new_size = (words + more) * 4;
    return fat;
}

static void shader(struct app *app, const char *path)
{
    (void)path;
    struct mixer m = mixer_create(app);
    for (size_t extra = 256 << 10; extra <= 4 << 20; extra *= 4) {
        size_t size;
        uint32_t *fat = fattened(mix_comp, sizeof(mix_comp), extra, &size);
        VkPipeline pipeline =
            mixer_pipeline(app, &m, VK_NULL_HANDLE, fat, size, 12345 + (uint32_t)extra);
        expect_mix(app, &m, pipeline, 12345 + (uint32_t)extra);
        printf("shader of %zu KiB %016" PRIx64 "\n", size >> 10, hash_bytes(m.out.map, COUNT * 4));
        vk.DestroyPipeline(app->device, pipeline, NULL);
        free(fat);
    }
    mixer_destroy(app, &m);
}

// --- pipeline caches
// -------------------------------------------------------------------------------

static VkPipelineCache cache_create(struct app *app, size_t size, const void *data)
{
    VkPipelineCache cache;
    VK_CHECK(vk.CreatePipelineCache(app->device,
                                    &(VkPipelineCacheCreateInfo){
                                        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                        .initialDataSize = size,
                                        .pInitialData = data,
                                    },
                                    NULL, &cache));
    return cache;
}

static void *cache_data(struct app *app, VkPipelineCache cache, size_t *size)
{
    VK_CHECK(vk.GetPipelineCacheData(app->device, cache, size, NULL));
    void *data = memory(*size);
    app_expect(vk.GetPipelineCacheData(app->device, cache, size, data) == VK_SUCCESS,
               "the data of a cache");
    return data;
}

static void cache(struct app *app, const char *path)
{
    enum { PIPELINES = 12, BIG = 5 << 20, HUGE = 300 << 20 };
    (void)path;
    struct mixer m = mixer_create(app);
    VkPipelineCache caches[2] = {cache_create(app, 0, NULL), cache_create(app, 0, NULL)};
    VkPipeline pipelines[PIPELINES];
    for (uint32_t i = 0; i < PIPELINES; i++)
        pipelines[i] =
            mixer_pipeline(app, &m, caches[i % 2], mix_comp, sizeof(mix_comp), 2 * i + 3);
    size_t sizes[2], size, less;
    void *data[2] = {cache_data(app, caches[0], &sizes[0]), cache_data(app, caches[1], &sizes[1])};
    VK_CHECK(vk.MergePipelineCaches(app->device, caches[0], 1, &caches[1]));
    void *merged = cache_data(app, caches[0], &size);
    app_expect(size >= sizes[0] && size >= sizes[1], "a merged cache to hold more");
    VkPipelineCacheHeaderVersionOne header = {0};
    memcpy(&header, merged, size < sizeof(header) ? size : sizeof(header));
    app_expect(header.vendorID == app->properties.vendorID &&
                   header.deviceID == app->properties.deviceID,
               "the header of a cache to name its device");
    // Mesa 26.2's lavapipe holds nothing in a cache, not even a whole header.
    app_expect(
        size < sizeof(header) ||
            memcmp(header.pipelineCacheUUID, app->properties.pipelineCacheUUID, VK_UUID_SIZE) == 0,
        "the header of a cache to name its driver");
    less = size - 1;
    app_expect(vk.GetPipelineCacheData(app->device, caches[0], &less, merged) == VK_INCOMPLETE &&
                   less < size,
               "incomplete data where there is no room");
    free(merged);

    // 5 MB, of which the first bytes are a cache.
    merged = cache_data(app, caches[0], &size);
    char *big = memory(BIG);
    memcpy(big, merged, size < BIG ? size : BIG);
    VkPipelineCache third = cache_create(app, BIG, big);
    for (uint32_t i = 0; i < PIPELINES; i++) {
        VkPipeline again = mixer_pipeline(app, &m, third, mix_comp, sizeof(mix_comp), 2 * i + 3);
        expect_mix(app, &m, again, 2 * i + 3);
        expect_mix(app, &m, pipelines[i], 2 * i + 3);
        vk.DestroyPipeline(app->device, again, NULL);
        vk.DestroyPipeline(app->device, pipelines[i], NULL);
    }
    printf("cache of %d bytes, %d pipelines\n", BIG, PIPELINES);
    char *huge = calloc(1, HUGE);
    if (!huge)
        app_fail("out of memory");
    memcpy(huge, big, BIG);
    VkPipelineCache fourth = cache_create(app, HUGE, huge);
    vk.DestroyPipelineCache(app->device, fourth, NULL);
    free(huge);
    size = 0;
    VK_CHECK(vk.GetPipelineCacheData(app->device, third, &size, NULL)); // it has been carried out
    printf("cache of %d bytes\n", HUGE);
    free(big);
    free(merged);
    free(data[0]);
    free(data[1]);
    vk.DestroyPipelineCache(app->device, third, NULL);
    vk.DestroyPipelineCache(app->device, caches[0], NULL);
    vk.DestroyPipelineCache(app->device, caches[1], NULL);
    mixer_destroy(app, &m);
}

// --- recording
// -------------------------------------------------------------------------------------

static void recording(struct app *app, const char *path)
{
    enum { COMMANDS = 50000, TIMES = 3 };
    (void)path;
    struct buffer b = buffer_create(app, COMMANDS * 4, COPIES, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VkCommandBuffer cmd = commands_begin(app);
    VK_CHECK(vk.EndCommandBuffer(cmd));
    for (uint32_t times = 0; times < TIMES; times++) {
        VK_CHECK(vk.BeginCommandBuffer(
            cmd,
            &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
        for (uint32_t i = 0; i < COMMANDS; i++)
            vk.CmdFillBuffer(cmd, b.buffer, 4 * i, 4, i * 31 + times);
        barrier(cmd);
        VK_CHECK(vk.EndCommandBuffer(cmd));
        VK_CHECK(vk.QueueSubmit(app->queue, 1,
                                &(VkSubmitInfo){
                                    .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                    .commandBufferCount = 1,
                                    .pCommandBuffers = &cmd,
                                },
                                VK_NULL_HANDLE));
        VK_CHECK(vk.QueueWaitIdle(app->queue));
        for (uint32_t i = 0; i < COMMANDS; i++)
            app_expect(((uint32_t *)b.map)[i] == i * 31 + times, "every command");
    }
    vk.FreeCommandBuffers(app->device, app->pool, 1, &cmd);
    printf("recording %d commands %016" PRIx64 "\n", COMMANDS, hash_bytes(b.map, COMMANDS * 4));
    buffer_destroy(app, &b);
}

int main(int argc, char **argv)
{
    static const struct app_mode modes[] = {
        {"descriptors", descriptors}, {"regions", regions},
        {"shader", shader},           {"cache", cache},
        {"recording", recording},     {0},
    };
    return app_run_modes(modes, argc, argv);
}
