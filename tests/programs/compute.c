// compute: rounds of an integer mixer over a storage buffer, from mapped memory to device memory
// and back, checked against the same rounds on the CPU; then a sum, and an indirect dispatch whose
// size the GPU wrote. Prints hashes.
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mix.comp.h"
#include "sum.comp.h"

enum { COUNT = 1 << 18, ROUNDS = 9, GROUP = 64 };
#define MULTIPLIER 0x2c1b3c6du

struct push {
    uint32_t count, round;
};

struct compute {
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorPool pool;
    VkPipeline mix, sum;
};

static VkPipeline pipeline_create(struct app *app, const struct compute *c, const uint32_t *code,
                                  size_t size)
{
    const uint32_t constants[] = {GROUP, MULTIPLIER};
    const VkSpecializationMapEntry entries[] = {{0, 0, 4}, {1, 4, 4}};
    VkShaderModule module = shader_create(app, code, size);
    VkPipeline pipeline =
        compute_pipeline(app, 0, VK_NULL_HANDLE, c->layout, module,
                         &(VkSpecializationInfo){2, entries, sizeof(constants), constants});
    vk.DestroyShaderModule(app->device, module, NULL);
    return pipeline;
}

static void compute_init(struct app *app, struct compute *c)
{
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
            .bindingCount = 2,
            .pBindings = bindings,
        },
        NULL, &c->set_layout));
    VK_CHECK(vk.CreatePipelineLayout(
        app->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &c->set_layout,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(struct push)},
        },
        NULL, &c->layout));
    VK_CHECK(vk.CreateDescriptorPool(
        app->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 3,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 6},
        },
        NULL, &c->pool));
    c->mix = pipeline_create(app, c, mix_comp, sizeof(mix_comp));
    c->sum = pipeline_create(app, c, sum_comp, sizeof(sum_comp));
}

static VkDescriptorSet set_create(struct app *app, struct compute *c, VkBuffer from, VkBuffer to)
{
    VkDescriptorSet set;
    VK_CHECK(vk.AllocateDescriptorSets(app->device,
                                       &(VkDescriptorSetAllocateInfo){
                                           .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = c->pool,
                                           .descriptorSetCount = 1,
                                           .pSetLayouts = &c->set_layout,
                                       },
                                       &set));
    const VkDescriptorBufferInfo infos[] = {{from, 0, VK_WHOLE_SIZE}, {to, 0, VK_WHOLE_SIZE}};
    vk.UpdateDescriptorSets(app->device, 1,
                            &(VkWriteDescriptorSet){
                                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                .dstSet = set,
                                .dstBinding = 0,
                                .descriptorCount = 2, // runs over into binding 1
                                .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                .pBufferInfo = infos,
                            },
                            0, NULL);
    return set;
}

static void barrier(VkCommandBuffer cmd)
{
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT |
                                        VK_PIPELINE_STAGE_TRANSFER_BIT |
                                        VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT;
    vk.CmdPipelineBarrier(
        cmd, stages, stages | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
        &(VkMemoryBarrier){
            .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
            .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
            .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                             VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT |
                             VK_ACCESS_INDIRECT_COMMAND_READ_BIT | VK_ACCESS_HOST_READ_BIT,
        },
        0, NULL, 0, NULL);
}

static uint32_t mixed(uint32_t x, uint32_t i, uint32_t round)
{
    x ^= round * 0x9e3779b9u;
    x = (x ^ (x >> 15)) * MULTIPLIER;
    return (x << 7 | x >> 25) + i;
}

static void bind(VkCommandBuffer cmd, const struct compute *c, VkPipeline pipeline,
                 VkDescriptorSet set, uint32_t count, uint32_t round)
{
    const struct push push = {count, round};
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, c->layout, 0, 1, &set, 0, NULL);
    vk.CmdPushConstants(cmd, c->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push), &push);
}

int main(int argc, char **argv)
{
    struct app app;
    app_init(&app, NULL);
    const VkDeviceSize size = COUNT * sizeof(uint32_t);
    const VkBufferUsageFlags copies =
        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    const VkBufferUsageFlags storage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | copies;
    struct buffer up = buffer_create(&app, size, copies, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    struct buffer down = buffer_create(&app, size, copies, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    struct buffer a = buffer_create(&app, size, storage, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    struct buffer b = buffer_create(&app, size, storage, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    struct buffer sum = buffer_create(&app, 16, storage | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
                                      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    struct compute c;
    compute_init(&app, &c);
    VkDescriptorSet ab = set_create(&app, &c, a.buffer, b.buffer);
    VkDescriptorSet ba = set_create(&app, &c, b.buffer, a.buffer);

    uint32_t *expected = malloc(size);
    app_expect(expected != NULL, "memory");
    for (uint32_t i = 0; i < COUNT; i++)
        ((uint32_t *)up.map)[i] = expected[i] = i * 747796405u + 2891336453u;

    VkCommandBuffer cmd = commands_begin(&app);
    vk.CmdCopyBuffer(cmd, up.buffer, a.buffer, 1, &(VkBufferCopy){0, 0, size});
    for (uint32_t round = 0; round < ROUNDS; round++) {
        barrier(cmd);
        bind(cmd, &c, c.mix, round % 2 ? ba : ab, COUNT, round);
        vk.CmdDispatch(cmd, COUNT / GROUP, 1, 1);
    }
    barrier(cmd);
    VkBuffer last = ROUNDS % 2 ? b.buffer : a.buffer;
    vk.CmdCopyBuffer(cmd, last, down.buffer, 1, &(VkBufferCopy){0, 0, size});
    barrier(cmd);
    commands_run(&app, cmd);
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < COUNT; i++)
            expected[i] = mixed(expected[i], i, round);
    app_expect(memcmp(down.map, expected, size) == 0, "the GPU's rounds to equal the CPU's");
    printf("mix %016" PRIx64 "\n", hash_bytes(down.map, size));

    // The sum of what the last round left, then one more round over half of it, sized by the GPU.
    uint32_t total = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        total += expected[i];
    VkDescriptorSet to_sum = set_create(&app, &c, last, sum.buffer);
    cmd = commands_begin(&app);
    vk.CmdUpdateBuffer(cmd, sum.buffer, 0, 16, (uint32_t[4]){0});
    barrier(cmd);
    bind(cmd, &c, c.sum, to_sum, COUNT, 0);
    vk.CmdDispatch(cmd, COUNT / GROUP, 1, 1);
    barrier(cmd);
    bind(cmd, &c, c.mix, ROUNDS % 2 ? ba : ab, COUNT, ROUNDS);
    vk.CmdFillBuffer(cmd, ROUNDS % 2 ? a.buffer : b.buffer, 0, VK_WHOLE_SIZE, 0x5a5a5a5a);
    barrier(cmd);
    vk.CmdDispatchIndirect(cmd, sum.buffer, 4);
    barrier(cmd);
    vk.CmdCopyBuffer(cmd, ROUNDS % 2 ? a.buffer : b.buffer, down.buffer, 1,
                     &(VkBufferCopy){0, 0, size});
    barrier(cmd);
    commands_run(&app, cmd);
    app_expect(((uint32_t *)sum.map)[0] == total, "the GPU's sum to equal the CPU's");
    for (uint32_t i = 0; i < COUNT; i++)
        expected[i] = i < COUNT / 2 ? mixed(expected[i], i, ROUNDS) : 0x5a5a5a5a;
    app_expect(memcmp(down.map, expected, size) == 0, "the indirect dispatch over half the buffer");
    printf("sum %08" PRIx32 "\nindirect %016" PRIx64 "\n", total, hash_bytes(down.map, size));

    if (argc > 1) {
        FILE *f = fopen(argv[1], "wb");
        if (!f || fwrite(down.map, 1, size, f) != size || fclose(f))
            app_fail("cannot write %s", argv[1]);
    }
    free(expected);
    vk.DestroyPipeline(app.device, c.mix, NULL);
    vk.DestroyPipeline(app.device, c.sum, NULL);
    vk.DestroyDescriptorPool(app.device, c.pool, NULL);
    vk.DestroyPipelineLayout(app.device, c.layout, NULL);
    vk.DestroyDescriptorSetLayout(app.device, c.set_layout, NULL);
    struct buffer *all[] = {&up, &down, &a, &b, &sum};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        buffer_destroy(&app, all[i]);
    app_finish(&app);
    return 0;
}
