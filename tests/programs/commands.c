// commands: what Vulkan 1.3 and its neighbours add to recording and binding, without graphics.
//
//   commands push          push descriptors, also by template
//   commands template      descriptor update templates with every kind of descriptor; copies of
//   sets commands sync2         barriers, events, timestamps and submissions of synchronization2
//   commands secondary     secondary command buffers, used again and again
//   commands conditional   conditional rendering around dispatches
//   commands address       buffers by their addresses, dispatches that do not begin at 0
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "address.comp.h"
#include "gather.comp.h"
#include "mix.comp.h"

enum { COUNT = 64, SIDE = 8, ROUNDS = 5 };
#define SECOND 1000000000ull

#define COPIES (VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT)

static struct buffer words_create(struct app *app, VkBufferUsageFlags usage, uint32_t seed)
{
    struct buffer b =
        buffer_create(app, COUNT * 4, usage | COPIES, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    for (uint32_t i = 0; i < COUNT; i++)
        ((uint32_t *)b.map)[i] = (i + 1) * seed;
    return b;
}

// Everything before it is done and visible to everything behind it.
static void barrier(VkCommandBuffer cmd)
{
    vk.CmdPipelineBarrier2(
        cmd, &(VkDependencyInfo){
                 .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                 .memoryBarrierCount = 1,
                 .pMemoryBarriers =
                     &(VkMemoryBarrier2){
                         .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                         .srcStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
                         .srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT,
                         .dstStageMask =
                             VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_2_HOST_BIT,
                         .dstAccessMask = VK_ACCESS_2_MEMORY_READ_BIT |
                                          VK_ACCESS_2_MEMORY_WRITE_BIT | VK_ACCESS_2_HOST_READ_BIT,
                     },
             });
}

// --- the mixer of compute.c, bound in different ways
// -----------------------------------------------

struct mixer {
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    struct buffer a, b;
};

struct push {
    uint32_t count, round;
};

static VkPipeline based_pipeline(struct app *app, VkPipelineLayout layout, const uint32_t *code,
                                 size_t size, const VkSpecializationInfo *special)
{
    VkShaderModule module = shader_create(app, code, size);
    VkPipeline pipeline = compute_pipeline(app, VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
                                           VK_NULL_HANDLE, layout, module, special);
    vk.DestroyShaderModule(app->device, module, NULL);
    return pipeline;
}

static struct mixer mixer_create(struct app *app, VkDescriptorSetLayoutCreateFlags flags)
{
    struct mixer m;
    VkDescriptorSetLayoutBinding bindings[2];
    for (uint32_t i = 0; i < 2; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    VK_CHECK(vk.CreateDescriptorSetLayout(
        app->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .flags = flags,
            .bindingCount = 2,
            .pBindings = bindings,
        },
        NULL, &m.set_layout));
    VK_CHECK(vk.CreatePipelineLayout(
        app->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &m.set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(struct push)},
        },
        NULL, &m.layout));
    const uint32_t group = COUNT;
    m.pipeline = based_pipeline(app, m.layout, mix_comp, sizeof(mix_comp),
                                &(VkSpecializationInfo){
                                    .mapEntryCount = 1,
                                    .pMapEntries = &(VkSpecializationMapEntry){0, 0, 4},
                                    .dataSize = 4,
                                    .pData = &group,
                                });
    m.a = words_create(app, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, 747796405u);
    m.b = words_create(app, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, 0);
    return m;
}

static void mixer_destroy(struct app *app, struct mixer *m)
{
    buffer_destroy(app, &m->a);
    buffer_destroy(app, &m->b);
    vk.DestroyPipeline(app->device, m->pipeline, NULL);
    vk.DestroyPipelineLayout(app->device, m->layout, NULL);
    vk.DestroyDescriptorSetLayout(app->device, m->set_layout, NULL);
}

static void push_round(VkCommandBuffer cmd, const struct mixer *m, uint32_t round)
{
    const struct push push = {COUNT, round};
    vk.CmdPushConstants(cmd, m->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push), &push);
}

// What `rounds` rounds make of the buffer that words_create(…, 747796405) made.
static void expect_mixed(const struct mixer *m, uint32_t rounds, const char *what)
{
    const uint32_t *last = rounds % 2 ? m->b.map : m->a.map;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t x = (i + 1) * 747796405u;
        for (uint32_t round = 0; round < rounds; round++) {
            x ^= round * 0x9e3779b9u;
            x = (x ^ (x >> 15)) * 2654435761u;
            x = (x << 7 | x >> 25) + i;
        }
        app_expect(last[i] == x, what);
    }
    printf("%s %016" PRIx64 "\n", what, hash_bytes(last, COUNT * 4));
}

struct pair { // what a template reads
    VkDescriptorBufferInfo from, to;
};

static struct pair pair_of(const struct mixer *m, uint32_t round)
{
    const VkDescriptorBufferInfo a = {m->a.buffer, 0, VK_WHOLE_SIZE},
                                 b = {m->b.buffer, 0, VK_WHOLE_SIZE};
    return round % 2 ? (struct pair){b, a} : (struct pair){a, b};
}

static void push(struct app *app, const char *path)
{
    (void)path;
    struct mixer m = mixer_create(app, VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR);
    VkDescriptorUpdateTemplate template;
    VkDescriptorUpdateTemplateEntry entries[2];
    for (uint32_t i = 0; i < 2; i++)
        entries[i] = (VkDescriptorUpdateTemplateEntry){
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .offset = i * sizeof(VkDescriptorBufferInfo),
            .stride = sizeof(VkDescriptorBufferInfo),
        };
    VK_CHECK(vk.CreateDescriptorUpdateTemplate(
        app->device,
        &(VkDescriptorUpdateTemplateCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
            .descriptorUpdateEntryCount = 2,
            .pDescriptorUpdateEntries = entries,
            .templateType = VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_PUSH_DESCRIPTORS_KHR,
            .pipelineBindPoint = VK_PIPELINE_BIND_POINT_COMPUTE,
            .pipelineLayout = m.layout,
        },
        NULL, &template));
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, m.pipeline);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const struct pair pair = pair_of(&m, round);
        if (round < 2) {
            VkWriteDescriptorSet writes[2];
            for (uint32_t i = 0; i < 2; i++)
                writes[i] = (VkWriteDescriptorSet){
                    .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                    .dstBinding = i,
                    .descriptorCount = 1,
                    .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                    .pBufferInfo = i ? &pair.to : &pair.from,
                };
            vk.CmdPushDescriptorSetKHR(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, m.layout, 0, 2, writes);
        } else {
            vk.CmdPushDescriptorSetWithTemplateKHR(cmd, template, m.layout, 0, &pair);
        }
        push_round(cmd, &m, round);
        vk.CmdDispatch(cmd, 1, 1, 1);
        barrier(cmd);
    }
    commands_run(app, cmd);
    expect_mixed(&m, ROUNDS, "push");
    vk.DestroyDescriptorUpdateTemplate(app->device, template, NULL);
    mixer_destroy(app, &m);
}

// --- templates
// -------------------------------------------------------------------------------------

enum { KINDS = 7, STORAGES = 3 };

struct gathered { // what the template reads: out of order and with gaps, as templates may
    uint32_t inlined[4];
    VkDescriptorBufferInfo result;
    uint64_t gap;
    struct {
        VkDescriptorBufferInfo info;
        uint64_t gap;
    } storage[STORAGES];
    VkBufferView texels;
    VkDescriptorImageInfo texture, image;
    VkDescriptorBufferInfo uniforms;
};

static struct image words_image(struct app *app, struct buffer *from, VkImageUsageFlags usage,
                                VkImageLayout layout)
{
    struct image im = image_create(app,
                                   &(VkImageCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                       .imageType = VK_IMAGE_TYPE_2D,
                                       .format = VK_FORMAT_R32_UINT,
                                       .extent = {SIDE, SIDE, 1},
                                       .mipLevels = 1,
                                       .arrayLayers = 1,
                                       .samples = VK_SAMPLE_COUNT_1_BIT,
                                       .usage = usage | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                                   },
                                   VK_IMAGE_ASPECT_COLOR_BIT);
    VkCommandBuffer cmd = commands_begin(app);
    image_barrier(cmd, im.image, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0,
                  VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT);
    vk.CmdCopyBufferToImage2(cmd,
                             &(VkCopyBufferToImageInfo2){
                                 .sType = VK_STRUCTURE_TYPE_COPY_BUFFER_TO_IMAGE_INFO_2,
                                 .srcBuffer = from->buffer,
                                 .dstImage = im.image,
                                 .dstImageLayout = VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                                 .regionCount = 1,
                                 .pRegions =
                                     &(VkBufferImageCopy2){
                                         .sType = VK_STRUCTURE_TYPE_BUFFER_IMAGE_COPY_2,
                                         .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                         .imageExtent = {SIDE, SIDE, 1},
                                     },
                             });
    image_barrier(cmd, im.image, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                  layout, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                  VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT);
    commands_run(app, cmd);
    return im;
}

static const VkDescriptorType kinds[KINDS] = {
    VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,       VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
    VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
    VK_DESCRIPTOR_TYPE_STORAGE_IMAGE,        VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK,
    VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
};
static const uint32_t counts[KINDS] = {1, STORAGES, 1, 1, 1, 16, 1};

static VkDescriptorPool pool_create(struct app *app)
{
    VkDescriptorPool pool;
    VkDescriptorPoolSize sizes[KINDS];
    for (uint32_t i = 0; i < KINDS; i++)
        sizes[i] = (VkDescriptorPoolSize){kinds[i], 2 * counts[i]};
    VK_CHECK(vk.CreateDescriptorPool(
        app->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .pNext =
                &(VkDescriptorPoolInlineUniformBlockCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_INLINE_UNIFORM_BLOCK_CREATE_INFO,
                    .maxInlineUniformBlockBindings = 2,
                },
            .maxSets = 2,
            .poolSizeCount = KINDS,
            .pPoolSizes = sizes,
        },
        NULL, &pool));
    return pool;
}

static VkDescriptorUpdateTemplate gather_template(struct app *app, VkDescriptorSetLayout set_layout)
{
    static const size_t offsets[KINDS] = {
        offsetof(struct gathered, uniforms), offsetof(struct gathered, storage),
        offsetof(struct gathered, texels),   offsetof(struct gathered, texture),
        offsetof(struct gathered, image),    offsetof(struct gathered, inlined),
        offsetof(struct gathered, result),
    };
    VkDescriptorUpdateTemplate template;
    VkDescriptorUpdateTemplateEntry entries[KINDS];
    for (uint32_t i = 0; i < KINDS; i++)
        entries[i] = (VkDescriptorUpdateTemplateEntry){
            .dstBinding = i,
            .descriptorCount = counts[i],
            .descriptorType = kinds[i],
            .offset = offsets[i],
            .stride = sizeof((struct gathered *)0)->storage[0],
        };
    VK_CHECK(vk.CreateDescriptorUpdateTemplate(
        app->device,
        &(VkDescriptorUpdateTemplateCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
            .descriptorUpdateEntryCount = KINDS,
            .pDescriptorUpdateEntries = entries,
            .templateType = VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_DESCRIPTOR_SET,
            .descriptorSetLayout = set_layout,
        },
        NULL, &template));
    return template;
}

static void template(struct app *app, const char *path)
{
    (void)path;
    VkDescriptorSetLayoutBinding bindings[KINDS];
    for (uint32_t i = 0; i < KINDS; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = kinds[i],
            .descriptorCount = counts[i],
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorSet sets[2];
    VkBufferView view;
    VkSampler sampler;
    VK_CHECK(vk.CreateDescriptorSetLayout(
        app->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = KINDS,
            .pBindings = bindings,
        },
        NULL, &set_layout));
    VK_CHECK(vk.CreatePipelineLayout(app->device,
                                     &(VkPipelineLayoutCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 1,
                                         .pSetLayouts = &set_layout,
                                     },
                                     NULL, &layout));
    VkPipeline pipeline = based_pipeline(app, layout, gather_comp, sizeof(gather_comp), NULL);
    VkDescriptorPool pool = pool_create(app);
    VK_CHECK(vk.AllocateDescriptorSets(
        app->device,
        &(VkDescriptorSetAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = pool,
            .descriptorSetCount = 2,
            .pSetLayouts = (VkDescriptorSetLayout[]){set_layout, set_layout},
        },
        sets));
    struct buffer uniforms = words_create(app, VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT, 101),
                  storage[STORAGES],
                  texels = words_create(app, VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT, 1009),
                  pixels = words_create(app, 0, 10007),
                  result = words_create(app, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, 0);
    for (uint32_t i = 0; i < STORAGES; i++)
        storage[i] = words_create(app, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, 211 + i);
    struct image texture = words_image(app, &pixels, VK_IMAGE_USAGE_SAMPLED_BIT,
                                       VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    struct image image =
        words_image(app, &texels, VK_IMAGE_USAGE_STORAGE_BIT, VK_IMAGE_LAYOUT_GENERAL);
    VK_CHECK(vk.CreateBufferView(app->device,
                                 &(VkBufferViewCreateInfo){
                                     .sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                     .buffer = texels.buffer,
                                     .format = VK_FORMAT_R32_UINT,
                                     .range = VK_WHOLE_SIZE,
                                 },
                                 NULL, &view));
    VK_CHECK(vk.CreateSampler(
        app->device, &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO}, NULL,
        &sampler));

    struct gathered data = {
        .inlined = {5, 6, 7, 8},
        .result = {result.buffer, 0, VK_WHOLE_SIZE},
        .texels = view,
        .texture = {sampler, texture.view, VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL},
        .image = {VK_NULL_HANDLE, image.view, VK_IMAGE_LAYOUT_GENERAL},
        .uniforms = {uniforms.buffer, 0, 16},
    };
    for (uint32_t i = 0; i < STORAGES; i++)
        data.storage[i].info = (VkDescriptorBufferInfo){storage[i].buffer, 0, VK_WHOLE_SIZE};
    VkDescriptorUpdateTemplate t = gather_template(app, set_layout);
    vk.UpdateDescriptorSetWithTemplate(app->device, sets[0], t, &data);
    // The other set by copies of the first one's.
    VkCopyDescriptorSet copies[KINDS];
    for (uint32_t i = 0; i < KINDS; i++)
        copies[i] = (VkCopyDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_COPY_DESCRIPTOR_SET,
            .srcSet = sets[0],
            .srcBinding = i,
            .dstSet = sets[1],
            .dstBinding = i,
            .descriptorCount = counts[i],
        };
    vk.UpdateDescriptorSets(app->device, 0, NULL, KINDS, copies);

    for (uint32_t s = 0; s < 2; s++) {
        memset(result.map, 0, COUNT * 4);
        VkCommandBuffer cmd = commands_begin(app);
        vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
        vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &sets[s], 0,
                                 NULL);
        vk.CmdDispatch(cmd, 1, 1, 1);
        barrier(cmd);
        commands_run(app, cmd);
        for (uint32_t i = 0; i < COUNT; i++) {
            const uint32_t n = i + 1, k = i % 4;
            const uint32_t want =
                (k + 1) * 101 +
                n * (3 * 211 + 5 * 212 + 7 * 213 + 11 * 1009 + 13 * 10007 + 17 * 1009) +
                19 * data.inlined[k];
            app_expect(((uint32_t *)result.map)[i] == want, "every kind of descriptor to be read");
        }
        printf("template %016" PRIx64 "\n", hash_bytes(result.map, COUNT * 4));
    }
    vk.DestroyDescriptorUpdateTemplate(app->device, t, NULL);
    vk.DestroySampler(app->device, sampler, NULL);
    vk.DestroyBufferView(app->device, view, NULL);
    image_destroy(app, &texture);
    image_destroy(app, &image);
    for (uint32_t i = 0; i < STORAGES; i++)
        buffer_destroy(app, &storage[i]);
    buffer_destroy(app, &uniforms);
    buffer_destroy(app, &texels);
    buffer_destroy(app, &pixels);
    buffer_destroy(app, &result);
    vk.DestroyDescriptorPool(app->device, pool, NULL);
    vk.DestroyPipeline(app->device, pipeline, NULL);
    vk.DestroyPipelineLayout(app->device, layout, NULL);
    vk.DestroyDescriptorSetLayout(app->device, set_layout, NULL);
}

// --- synchronization2
// --------------------------------------------------------------------------------

static void copy2(VkCommandBuffer cmd, struct buffer *from, struct buffer *to)
{
    vk.CmdCopyBuffer2(cmd, &(VkCopyBufferInfo2){
                               .sType = VK_STRUCTURE_TYPE_COPY_BUFFER_INFO_2,
                               .srcBuffer = from->buffer,
                               .dstBuffer = to->buffer,
                               .regionCount = 1,
                               .pRegions =
                                   &(VkBufferCopy2){
                                       .sType = VK_STRUCTURE_TYPE_BUFFER_COPY_2,
                                       .size = from->size,
                                   },
                           });
}

static void sync2(struct app *app, const char *path)
{
    (void)path;
    enum { CHAIN = 4 };
    struct buffer b[CHAIN + 1];
    for (uint32_t i = 0; i <= CHAIN; i++)
        b[i] = words_create(app, 0, i ? 0 : 31337);
    VkEvent event;
    VkQueryPool pool;
    VkSemaphore timeline;
    VK_CHECK(vk.CreateEvent(app->device,
                            &(VkEventCreateInfo){.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO},
                            NULL, &event));
    VK_CHECK(vk.CreateQueryPool(app->device,
                                &(VkQueryPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                    .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                    .queryCount = CHAIN,
                                },
                                NULL, &pool));
    VK_CHECK(vk.CreateSemaphore(app->device,
                                &(VkSemaphoreCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                    .pNext =
                                        &(VkSemaphoreTypeCreateInfo){
                                            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                        },
                                },
                                NULL, &timeline));
    const VkMemoryBarrier2 copied = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
        .srcStageMask = VK_PIPELINE_STAGE_2_COPY_BIT,
        .srcAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT,
        .dstStageMask = VK_PIPELINE_STAGE_2_COPY_BIT,
        .dstAccessMask = VK_ACCESS_2_TRANSFER_READ_BIT,
    };
    const VkDependencyInfo dependency = {
        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
        .memoryBarrierCount = 1,
        .pMemoryBarriers = &copied,
    };
    VkCommandBuffer cmd[CHAIN];
    VkCommandBufferSubmitInfo infos[CHAIN];
    VkSemaphoreSubmitInfo waits[CHAIN], signals[CHAIN];
    VkSubmitInfo2 submits[CHAIN];
    for (uint32_t i = 0; i < CHAIN; i++) {
        cmd[i] = commands_begin(app);
        vk.CmdResetQueryPool(cmd[i], pool, i, 1);
        copy2(cmd[i], &b[i], &b[i + 1]);
        vk.CmdSetEvent2(cmd[i], event, &dependency);
        vk.CmdWaitEvents2(cmd[i], 1, &event, &dependency);
        vk.CmdResetEvent2(cmd[i], event, VK_PIPELINE_STAGE_2_COPY_BIT);
        vk.CmdUpdateBuffer(cmd[i], b[i].buffer, 4 * i, 4, &(uint32_t){i});
        barrier(cmd[i]);
        vk.CmdWriteTimestamp2(cmd[i], VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, pool, i);
        VK_CHECK(vk.EndCommandBuffer(cmd[i]));
        infos[i] = (VkCommandBufferSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
            .commandBuffer = cmd[i],
        };
        waits[i] = signals[i] = (VkSemaphoreSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
            .semaphore = timeline,
            .value = i,
            .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
        };
        signals[i].value = i + 1;
        submits[i] = (VkSubmitInfo2){
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
            .waitSemaphoreInfoCount = i > 0,
            .pWaitSemaphoreInfos = &waits[i],
            .commandBufferInfoCount = 1,
            .pCommandBufferInfos = &infos[i],
            .signalSemaphoreInfoCount = 1,
            .pSignalSemaphoreInfos = &signals[i],
        };
    }
    VK_CHECK(vk.QueueSubmit2(app->queue, CHAIN, submits, VK_NULL_HANDLE));
    const uint64_t end = CHAIN;
    app_expect(vk.WaitSemaphores(app->device,
                                 &(VkSemaphoreWaitInfo){
                                     .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                     .semaphoreCount = 1,
                                     .pSemaphores = &timeline,
                                     .pValues = &end,
                                 },
                                 20 * SECOND) == VK_SUCCESS,
               "the chain of submissions to end");
    uint64_t times[CHAIN];
    VK_CHECK(vk.GetQueryPoolResults(app->device, pool, 0, CHAIN, sizeof(times), times, 8,
                                    VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    for (uint32_t i = 1; i < CHAIN; i++)
        app_expect(times[i - 1] <= times[i], "timestamps to grow");
    app_expect(vk.GetEventStatus(app->device, event) == VK_EVENT_RESET, "the event to be reset");
    for (uint32_t i = 0; i <= CHAIN; i++) {
        for (uint32_t k = 0; k < COUNT; k++)
            app_expect(((uint32_t *)b[i].map)[k] == (i < CHAIN && k == i ? i : (k + 1) * 31337),
                       "each submission to see what those before it wrote before the event");
        printf("sync2 %016" PRIx64 "\n", hash_bytes(b[i].map, COUNT * 4));
        buffer_destroy(app, &b[i]);
    }
    VK_CHECK(vk.DeviceWaitIdle(app->device));
    vk.FreeCommandBuffers(app->device, app->pool, CHAIN, cmd);
    vk.DestroySemaphore(app->device, timeline, NULL);
    vk.DestroyQueryPool(app->device, pool, NULL);
    vk.DestroyEvent(app->device, event, NULL);
}

// --- secondary command buffers
// -----------------------------------------------------------------------

static VkDescriptorPool mixer_sets(struct app *app, const struct mixer *m, VkDescriptorSet sets[2])
{
    VkDescriptorPool pool;
    VK_CHECK(vk.CreateDescriptorPool(
        app->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 2,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 4},
        },
        NULL, &pool));
    VK_CHECK(vk.AllocateDescriptorSets(
        app->device,
        &(VkDescriptorSetAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = pool,
            .descriptorSetCount = 2,
            .pSetLayouts = (VkDescriptorSetLayout[]){m->set_layout, m->set_layout},
        },
        sets));
    for (uint32_t i = 0; i < 2; i++) {
        const struct pair pair = pair_of(m, i);
        // Runs on from one binding into the next.
        vk.UpdateDescriptorSets(app->device, 1,
                                &(VkWriteDescriptorSet){
                                    .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                    .dstSet = sets[i],
                                    .descriptorCount = 2,
                                    .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                    .pBufferInfo = &pair.from,
                                },
                                0, NULL);
    }
    return pool;
}

static void record_round(VkCommandBuffer cmd, const struct mixer *m, VkDescriptorSet set,
                         uint32_t round)
{
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, m->pipeline);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, m->layout, 0, 1, &set, 0, NULL);
    push_round(cmd, m, round);
    vk.CmdDispatch(cmd, 1, 1, 1);
    barrier(cmd);
}

static void secondary(struct app *app, const char *path)
{
    (void)path;
    struct mixer m = mixer_create(app, 0);
    VkDescriptorSet sets[2];
    VkDescriptorPool pool = mixer_sets(app, &m, sets);
    VkCommandBuffer second[ROUNDS];
    VK_CHECK(vk.AllocateCommandBuffers(app->device,
                                       &(VkCommandBufferAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = app->pool,
                                           .level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
                                           .commandBufferCount = ROUNDS,
                                       },
                                       second));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        VK_CHECK(vk.BeginCommandBuffer(
            second[i], &(VkCommandBufferBeginInfo){
                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                           .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT,
                           .pInheritanceInfo =
                               &(VkCommandBufferInheritanceInfo){
                                   .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO,
                               },
                       }));
        record_round(second[i], &m, sets[i % 2], i);
        VK_CHECK(vk.EndCommandBuffer(second[i]));
    }
    for (uint32_t times = 0; times < 3; times++) {
        VkCommandBuffer cmd = commands_begin(app);
        vk.CmdFillBuffer(cmd, m.b.buffer, 0, VK_WHOLE_SIZE, 0);
        for (uint32_t i = 0; times && i < COUNT; i++) // the first words again
            vk.CmdUpdateBuffer(cmd, m.a.buffer, 4 * i, 4, &(uint32_t){(i + 1) * 747796405u});
        barrier(cmd);
        vk.CmdExecuteCommands(cmd, 2, second);
        vk.CmdExecuteCommands(cmd, ROUNDS - 2, second + 2);
        commands_run(app, cmd);
        expect_mixed(&m, ROUNDS, "secondary");
    }
    vk.FreeCommandBuffers(app->device, app->pool, ROUNDS, second);
    vk.DestroyDescriptorPool(app->device, pool, NULL);
    mixer_destroy(app, &m);
}

// --- conditional rendering
// ---------------------------------------------------------------------------

static void conditional(struct app *app, const char *path)
{
    (void)path;
    struct mixer m = mixer_create(app, 0);
    VkDescriptorSet sets[2];
    VkDescriptorPool pool = mixer_sets(app, &m, sets);
    struct buffer conditions = buffer_create(app, 64, VK_BUFFER_USAGE_CONDITIONAL_RENDERING_BIT_EXT,
                                             VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    ((uint32_t *)conditions.map)[0] = 0;
    ((uint32_t *)conditions.map)[4] = 7;
    VkCommandBuffer cmd = commands_begin(app);
    uint32_t round = 0;
    for (uint32_t i = 0; i < 8; i++) {
        const bool set = i & 1, inverted = i & 2;
        vk.CmdBeginConditionalRenderingEXT(
            cmd, &(VkConditionalRenderingBeginInfoEXT){
                     .sType = VK_STRUCTURE_TYPE_CONDITIONAL_RENDERING_BEGIN_INFO_EXT,
                     .buffer = conditions.buffer,
                     .offset = set ? 16 : 0,
                     .flags = inverted ? VK_CONDITIONAL_RENDERING_INVERTED_BIT_EXT : 0,
                 });
        // Those that are left out would mix into the wrong buffer.
        record_round(cmd, &m, sets[(set != inverted ? round : round + 1) % 2], round);
        vk.CmdEndConditionalRenderingEXT(cmd);
        round += set != inverted;
    }
    commands_run(app, cmd);
    expect_mixed(&m, round, "conditional");
    buffer_destroy(app, &conditions);
    vk.DestroyDescriptorPool(app->device, pool, NULL);
    mixer_destroy(app, &m);
}

// --- buffers by address
// --------------------------------------------------------------------------------

static void address(struct app *app, const char *path)
{
    (void)path;
    const VkBufferUsageFlags usage =
        VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    struct buffer from = words_create(app, usage, 97), to = words_create(app, usage, 0);
    struct {
        VkDeviceAddress from, to;
        uint32_t first;
    } push = {0};
    VkPipelineLayout layout;
    VK_CHECK(vk.CreatePipelineLayout(
        app->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push)},
        },
        NULL, &layout));
    VkPipeline pipeline = based_pipeline(app, layout, address_comp, sizeof(address_comp), NULL);
    push.from = vk.GetBufferDeviceAddress(
        app->device,
        &(VkBufferDeviceAddressInfo){.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                     .buffer = from.buffer});
    push.to = vk.GetBufferDeviceAddress(
        app->device,
        &(VkBufferDeviceAddressInfo){.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                     .buffer = to.buffer});
    app_expect(push.from && push.to && push.from != push.to, "addresses of buffers");
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    for (uint32_t i = 0; i < COUNT / 16; i++) {
        push.first = i;
        vk.CmdPushConstants(cmd, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push), &push);
        vk.CmdDispatchBase(cmd, i, 0, 0, 1, 1, 1);
    }
    barrier(cmd);
    commands_run(app, cmd);
    for (uint32_t i = 0; i < COUNT; i++)
        app_expect(((uint32_t *)to.map)[i] == (COUNT - i) * 97 + i / 16,
                   "the words in reverse order");
    printf("address %016" PRIx64 "\n", hash_bytes(to.map, COUNT * 4));
    vk.DestroyPipeline(app->device, pipeline, NULL);
    vk.DestroyPipelineLayout(app->device, layout, NULL);
    buffer_destroy(app, &from);
    buffer_destroy(app, &to);
}

static VkPhysicalDeviceConditionalRenderingFeaturesEXT conditional_features = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_CONDITIONAL_RENDERING_FEATURES_EXT,
};

int main(int argc, char **argv)
{
    static const struct app_mode modes[] = {
        {"push", push, .extensions = {VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME}},
        {"template", template},
        {"sync2", sync2},
        {"secondary", secondary},
        {"address", address},
        {"conditional", conditional, .extensions = {VK_EXT_CONDITIONAL_RENDERING_EXTENSION_NAME},
         .features = &conditional_features},
        {0},
    };
    return app_run_modes(modes, argc, argv);
}
