// refused: what a driver that has no more refuses costs its program no more than that. Mesa's Venus
// tells a program success before it knows, so that the error may come later there: at the first
// call that needs what was refused. Each mode says the same however late it comes.
//
// The driver must be made to refuse: tests/plan.
#include "app.h"

#include <stdio.h>
#include <stdlib.h>

#include "mix.comp.h"

enum { PIECES = 12, PIECE = 1 << 20, WORDS = 1024 };

// Takes pieces of memory until one is refused, at the latest when it is mapped; gives all back.
static void memory(struct app *app, const char *path)
{
    VkDeviceMemory pieces[PIECES];
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = PIECE,
        .memoryTypeIndex = memory_type(app, UINT32_MAX, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT),
    };
    uint32_t count = 0;
    bool refused = false;
    while (!refused && count < PIECES) {
        void *map;
        refused = vk.AllocateMemory(app->device, &info, NULL, &pieces[count]) != VK_SUCCESS;
        if (!refused)
            refused =
                vk.MapMemory(app->device, pieces[count++], 0, VK_WHOLE_SIZE, 0, &map) != VK_SUCCESS;
    }
    app_expect(refused, "a piece to be refused");
    while (count)
        vk.FreeMemory(app->device, pieces[--count], NULL);
    app_go_on(app);
    printf("memory: refused, and goes on\n");
}

static VkPipeline pipeline_create(struct app *app, VkShaderModule shader, VkPipelineLayout layout)
{
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = shader,
                  .pName = "main"},
        .layout = layout,
    };
    VkPipeline pipeline = VK_NULL_HANDLE;
    if (vk.CreateComputePipelines(app->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline) !=
        VK_SUCCESS)
        return VK_NULL_HANDLE;
    return pipeline;
}

// A pipeline that is refused is bound and dispatched where nobody said so: nobody may be told that
// this worked.
static void pipeline(struct app *app, const char *path)
{
    const VkDescriptorSetLayoutBinding bindings[] = {
        {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
        {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
    };
    const VkDescriptorSetLayoutCreateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = 2,
        .pBindings = bindings,
    };
    VkDescriptorSetLayout set;
    VK_CHECK(vk.CreateDescriptorSetLayout(app->device, &set_info, NULL, &set));
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, 64};
    const VkPipelineLayoutCreateInfo layout_info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &set,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &range,
    };
    VkPipelineLayout layout;
    VK_CHECK(vk.CreatePipelineLayout(app->device, &layout_info, NULL, &layout));
    VkShaderModule shader = shader_create(app, mix_comp, sizeof(mix_comp));
    VkPipeline refused = pipeline_create(app, shader, layout);
    if (refused) {
        VkCommandBuffer cmd = commands_begin(app);
        vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, refused);
        vk.CmdDispatch(cmd, 1, 1, 1);
        const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                     .commandBufferCount = 1,
                                     .pCommandBuffers = &cmd};
        app_expect(vk.EndCommandBuffer(cmd) != VK_SUCCESS ||
                       vk.QueueSubmit(app->queue, 1, &submit, VK_NULL_HANDLE) != VK_SUCCESS ||
                       vk.QueueWaitIdle(app->queue) == VK_ERROR_DEVICE_LOST,
                   "to be told");
    } else {
        app_go_on(app);
    }
    printf("pipeline: refused, and the program knows\n");
    exit(0); // the device may be lost: nothing can be waited for
}

// Tries to use a buffer whose memory is refused: nobody may be told that it worked. Whoever learns
// of it late loses the device.
static bool fill_works(struct app *app, VkDeviceMemory memory, VkBuffer buffer)
{
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence;
    if (vk.BindBufferMemory(app->device, buffer, memory, 0) != VK_SUCCESS ||
        vk.CreateFence(app->device, &fence_info, NULL, &fence) != VK_SUCCESS)
        return false;
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdFillBuffer(cmd, buffer, 0, VK_WHOLE_SIZE, 3);
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &cmd};
    bool works = vk.EndCommandBuffer(cmd) == VK_SUCCESS &&
                 vk.QueueSubmit(app->queue, 1, &submit, fence) == VK_SUCCESS &&
                 vk.WaitForFences(app->device, 1, &fence, VK_TRUE, UINT64_MAX) == VK_SUCCESS;
    vk.DestroyFence(app->device, fence, NULL);
    return works;
}

static void buffer(struct app *app, const char *path)
{
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = PIECE,
                                     .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    uint32_t tried = 0;
    for (bool works = true; works; tried++) {
        app_expect(tried < PIECES, "a piece to be refused");
        VkBuffer target;
        VkDeviceMemory piece;
        VkMemoryRequirements needs;
        VK_CHECK(vk.CreateBuffer(app->device, &info, NULL, &target));
        vk.GetBufferMemoryRequirements(app->device, target, &needs);
        const VkMemoryAllocateInfo allocation = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .allocationSize = needs.size,
            .memoryTypeIndex = memory_type(app, needs.memoryTypeBits, 0),
        };
        works = vk.AllocateMemory(app->device, &allocation, NULL, &piece) == VK_SUCCESS;
        if (works) {
            works = fill_works(app, piece, target);
            vk.FreeMemory(app->device, piece, NULL);
        }
        vk.DestroyBuffer(app->device, target, NULL);
    }
    printf("buffer: refused, and the program knows\n");
    exit(0); // the device may be lost: nothing can be waited for
}

int main(int argc, char **argv)
{
    static const struct app_mode modes[] = {
        {.name = "memory", .run = memory},
        {.name = "pipeline", .run = pipeline},
        {.name = "buffer", .run = buffer},
        {0},
    };
    return app_run_modes(modes, argc, argv);
}
