// Objects that never came to be: a guest that did not wait goes on naming them, and its stream goes
// on; the driver never gets to see what there is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> // needs the three above

#include <errno.h>

#include "fake_driver.h"
#include "os/os.h"
#include "venus/ending.h"
#include "venus/feedback.h"
#include "venus/loss.h"
#include "venus/memory.h"
#include "venus/queue.h"
#include "wire/guest.h"

#define ID(type, number) ((type)(uintptr_t)(number))

enum {
    DEVICE = 3,
    QUEUE = 4,
    MEMORY = 10,
    BUFFER = 20,
    GOOD_BUFFER = 21,
    SHADER = 30,
    LAYOUT = 31,
    PIPELINE = 32,
    GOOD_PIPELINE = 33,
    POOL = 40,
    COMMANDS = 41,
    SET_LAYOUT = 50,
    SET_POOL = 51,
    SET = 52,
};

static struct fake_context f;

// What the driver was asked, and what it refuses.
static struct {
    VkResult allocate, shader, pipeline, commands, bind, end, set;
    unsigned binds, bound, pipelines, begun, draws, dispatches, fills, submits, freed, resets;
    unsigned writes, pipelines_bound, destroyed_buffers;
} host;

static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice d, const VkMemoryAllocateInfo *info,
                                                      const VkAllocationCallbacks *a,
                                                      VkDeviceMemory *memory)
{
    *memory = ID(VkDeviceMemory, 0x4000);
    return host.allocate;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice d, const VkBufferCreateInfo *info,
                                                    const VkAllocationCallbacks *a,
                                                    VkBuffer *buffer)
{
    *buffer = ID(VkBuffer, 0x5000);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_buffer(VkDevice d, VkBuffer buffer,
                                                 const VkAllocationCallbacks *a)
{
    assert_true(buffer == ID(VkBuffer, 0x5000));
    host.destroyed_buffers++;
}

static VKAPI_ATTR VkResult VKAPI_CALL bind_buffer(VkDevice d, VkBuffer buffer,
                                                  VkDeviceMemory memory, VkDeviceSize offset)
{
    host.binds++;
    return host.bind;
}

static VKAPI_ATTR VkResult VKAPI_CALL bind_buffers(VkDevice d, uint32_t count,
                                                   const VkBindBufferMemoryInfo *infos)
{
    host.binds++;
    host.bound += count;
    for (uint32_t i = 0; i < count; i++)
        assert_true(infos[i].memory == ID(VkDeviceMemory, 0x4000));
    return host.bind;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_shader(VkDevice d,
                                                    const VkShaderModuleCreateInfo *info,
                                                    const VkAllocationCallbacks *a,
                                                    VkShaderModule *shader)
{
    *shader = ID(VkShaderModule, 0x6000);
    return host.shader;
}

static VKAPI_ATTR void VKAPI_CALL destroy_any(VkDevice d, uint64_t handle,
                                              const VkAllocationCallbacks *a)
{
    assert_true(handle);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_layout(VkDevice d,
                                                    const VkPipelineLayoutCreateInfo *info,
                                                    const VkAllocationCallbacks *a,
                                                    VkPipelineLayout *layout)
{
    *layout = ID(VkPipelineLayout, 0x6100);
    return VK_SUCCESS;
}

// The second of several is refused.
static VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice d, VkPipelineCache cache,
                                                       uint32_t count,
                                                       const VkComputePipelineCreateInfo *infos,
                                                       const VkAllocationCallbacks *a,
                                                       VkPipeline *pipelines)
{
    for (uint32_t i = 0; i < count; i++)
        pipelines[i] = host.pipeline && i != 0 ? VK_NULL_HANDLE : ID(VkPipeline, 0x7000 + i);
    host.pipelines += count;
    return host.pipeline;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pool(VkDevice d, const VkCommandPoolCreateInfo *info,
                                                  const VkAllocationCallbacks *a,
                                                  VkCommandPool *pool)
{
    *pool = ID(VkCommandPool, 0x8000);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_commands(VkDevice d,
                                                        const VkCommandBufferAllocateInfo *info,
                                                        VkCommandBuffer *commands)
{
    for (uint32_t i = 0; i < info->commandBufferCount; i++)
        commands[i] = ID(VkCommandBuffer, 0x8100 + i);
    return host.commands;
}

static VKAPI_ATTR void VKAPI_CALL free_commands(VkDevice d, VkCommandPool pool, uint32_t count,
                                                const VkCommandBuffer *commands)
{
    for (uint32_t i = 0; i < count; i++)
        host.freed += commands[i] != NULL;
}

static VKAPI_ATTR VkResult VKAPI_CALL begin(VkCommandBuffer c, const VkCommandBufferBeginInfo *info)
{
    assert_true(c == ID(VkCommandBuffer, 0x8100));
    host.begun++;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL end(VkCommandBuffer c)
{
    return host.end;
}

static VKAPI_ATTR void VKAPI_CALL bind_pipeline(VkCommandBuffer c, VkPipelineBindPoint point,
                                                VkPipeline pipeline)
{
    assert_true(pipeline == ID(VkPipeline, 0x7000));
    host.pipelines_bound++;
}

static VKAPI_ATTR void VKAPI_CALL draw(VkCommandBuffer c, uint32_t a, uint32_t b, uint32_t d,
                                       uint32_t e)
{
    host.draws++;
}

static VKAPI_ATTR void VKAPI_CALL dispatch(VkCommandBuffer c, uint32_t x, uint32_t y, uint32_t z)
{
    host.dispatches++;
}

static VKAPI_ATTR void VKAPI_CALL fill_buffer(VkCommandBuffer c, VkBuffer buffer, VkDeviceSize o,
                                              VkDeviceSize size, uint32_t value)
{
    assert_true(buffer == ID(VkBuffer, 0x5000));
    host.fills++;
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue q, uint32_t count, const VkSubmitInfo *infos,
                                             VkFence fence)
{
    host.submits++;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL reset_fences(VkDevice d, uint32_t count,
                                                   const VkFence *fences)
{
    host.resets += count;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_fence(VkDevice d, const VkFenceCreateInfo *info,
                                                   const VkAllocationCallbacks *a, VkFence *fence)
{
    *fence = ID(VkFence, 0x9000);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_event(VkDevice d, const VkEventCreateInfo *info,
                                                   const VkAllocationCallbacks *a, VkEvent *event)
{
    *event = ID(VkEvent, 0x9100);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL set_event(VkDevice d, VkEvent event)
{
    return host.set;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_set_pool(VkDevice d,
                                                      const VkDescriptorPoolCreateInfo *info,
                                                      const VkAllocationCallbacks *a,
                                                      VkDescriptorPool *pool)
{
    *pool = ID(VkDescriptorPool, 0xa000);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_set_layout(VkDevice d,
                                                        const VkDescriptorSetLayoutCreateInfo *info,
                                                        const VkAllocationCallbacks *a,
                                                        VkDescriptorSetLayout *layout)
{
    *layout = ID(VkDescriptorSetLayout, 0xa100);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_sets(VkDevice d,
                                                    const VkDescriptorSetAllocateInfo *info,
                                                    VkDescriptorSet *sets)
{
    sets[0] = ID(VkDescriptorSet, 0xa200);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL reset_sets(VkDevice d, VkDescriptorPool pool,
                                                 VkDescriptorPoolResetFlags flags)
{
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL update_sets(VkDevice d, uint32_t count,
                                              const VkWriteDescriptorSet *writes, uint32_t copies,
                                              const VkCopyDescriptorSet *copy)
{
    for (uint32_t i = 0; i < count; i++)
        assert_true(writes[i].pBufferInfo[0].buffer == ID(VkBuffer, 0x5000));
    host.writes += count;
}

static PFN_vkVoidFunction more(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } table[] = {
#define ENTRY(name, function) {#name, (PFN_vkVoidFunction)function}
        ENTRY(vkAllocateMemory, allocate_memory),
        ENTRY(vkCreateBuffer, create_buffer),
        ENTRY(vkDestroyBuffer, destroy_buffer),
        ENTRY(vkBindBufferMemory, bind_buffer),
        ENTRY(vkBindBufferMemory2, bind_buffers),
        ENTRY(vkCreateShaderModule, create_shader),
        ENTRY(vkDestroyShaderModule, destroy_any),
        ENTRY(vkCreatePipelineLayout, create_layout),
        ENTRY(vkDestroyPipelineLayout, destroy_any),
        ENTRY(vkCreateComputePipelines, create_pipelines),
        ENTRY(vkDestroyPipeline, destroy_any),
        ENTRY(vkCreateCommandPool, create_pool),
        ENTRY(vkDestroyCommandPool, destroy_any),
        ENTRY(vkAllocateCommandBuffers, allocate_commands),
        ENTRY(vkFreeCommandBuffers, free_commands),
        ENTRY(vkBeginCommandBuffer, begin),
        ENTRY(vkEndCommandBuffer, end),
        ENTRY(vkCmdBindPipeline, bind_pipeline),
        ENTRY(vkCmdDraw, draw),
        ENTRY(vkCmdDispatch, dispatch),
        ENTRY(vkCmdFillBuffer, fill_buffer),
        ENTRY(vkQueueSubmit, submit),
        ENTRY(vkResetFences, reset_fences),
        ENTRY(vkCreateEvent, create_event),
        ENTRY(vkDestroyEvent, destroy_any),
        ENTRY(vkSetEvent, set_event),
        ENTRY(vkCreateFence, create_fence),
        ENTRY(vkDestroyFence, destroy_any),
        ENTRY(vkCreateDescriptorPool, create_set_pool),
        ENTRY(vkDestroyDescriptorPool, destroy_any),
        ENTRY(vkCreateDescriptorSetLayout, create_set_layout),
        ENTRY(vkDestroyDescriptorSetLayout, destroy_any),
        ENTRY(vkAllocateDescriptorSets, allocate_sets),
        ENTRY(vkUpdateDescriptorSets, update_sets),
        ENTRY(vkResetDescriptorPool, reset_sets),
#undef ENTRY
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].function;
    }
    return NULL;
}

static int set_up(void **state)
{
    memset(&host, 0, sizeof(host));
    fake_reset();
    fake.more = more;
    fake_context_init(&f, false);
    f.context.stopping = true; // a broken stream is told by its result only
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    struct venus_device *device = (struct venus_device *)fake_find(&f, DEVICE);
    assert_true(venus_object_insert(&f.context.objects, &device->queues->base, QUEUE));
    return 0;
}

static int tear_down(void **state)
{
    fake_context_finish(&f);
    assert_int_equal(fake.devices_alive, 0);
    return 0;
}

// Sends a command as Mesa does that does not wait. Returns its arguments as they were afterwards.
static void *send(uint32_t command, const void *args)
{
    static _Alignas(8) uint8_t bytes[4096];
    struct wire_encoder encoder = {.cursor = bytes, .end = bytes + sizeof(bytes)};
    const struct wire_call call = {.number = command, .args = (void *)(uintptr_t)args};
    assert_true(wire_encode_request(&encoder, &call));
    const uint8_t *cursor = bytes;
    if (!venus_stream_step(&f.stream, &cursor, encoder.cursor))
        fail_msg("%s breaks the stream", wire_command_info(command)->name);
    return f.stream.call.wire.args;
}
#define SEND(command, ...)                                                                         \
    ((struct wire_args_##command *)send(WIRE_##command, &(struct wire_args_##command){__VA_ARGS__}))
#define ON_DEVICE .device = ID(VkDevice, DEVICE)

static bool is_failed(uint64_t id)
{
    struct venus_object *object = fake_find(&f, id);
    assert_non_null(object);
    return venus_object_failed(object);
}

static void allocate_of(uint32_t type, uint64_t id, VkResult result)
{
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .memoryTypeIndex = type,
                                       .allocationSize = 65536};
    VkDeviceMemory memory = ID(VkDeviceMemory, id);
    host.allocate = result;
    SEND(vkAllocateMemory, ON_DEVICE, .pAllocateInfo = &info, .pMemory = &memory);
}

static void allocate(uint64_t id, VkResult result)
{
    allocate_of(0, id, result);
}

static void make_buffer(uint64_t id)
{
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 4096};
    VkBuffer buffer = ID(VkBuffer, id);
    SEND(vkCreateBuffer, ON_DEVICE, .pCreateInfo = &info, .pBuffer = &buffer);
}

static void make_pipelines(uint32_t count, uint64_t first, uint64_t second)
{
    const VkPipelineLayoutCreateInfo layout_info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
    const VkShaderModuleCreateInfo shader_info = {.sType =
                                                      VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                  .codeSize = 4,
                                                  .pCode = &(uint32_t){0x07230203}};
    VkPipelineLayout layout = ID(VkPipelineLayout, LAYOUT);
    VkShaderModule shader = ID(VkShaderModule, SHADER);
    VkPipeline pipelines[] = {ID(VkPipeline, first), ID(VkPipeline, second)};
    if (!fake_find(&f, LAYOUT)) {
        SEND(vkCreatePipelineLayout, ON_DEVICE, .pCreateInfo = &layout_info,
             .pPipelineLayout = &layout);
        SEND(vkCreateShaderModule, ON_DEVICE, .pCreateInfo = &shader_info,
             .pShaderModule = &shader);
    }
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = shader,
                  .pName = "main"},
        .layout = layout};
    const VkComputePipelineCreateInfo infos[] = {info, info};
    SEND(vkCreateComputePipelines, ON_DEVICE, .createInfoCount = count, .pCreateInfos = infos,
         .pPipelines = pipelines);
}

static void make_commands(uint32_t count)
{
    const VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    VkCommandPool pool = ID(VkCommandPool, POOL);
    SEND(vkCreateCommandPool, ON_DEVICE, .pCreateInfo = &pool_info, .pCommandPool = &pool);
    const VkCommandBufferAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = pool,
                                              .commandBufferCount = count};
    VkCommandBuffer commands[] = {ID(VkCommandBuffer, COMMANDS), ID(VkCommandBuffer, COMMANDS + 1)};
    SEND(vkAllocateCommandBuffers, ON_DEVICE, .pAllocateInfo = &info, .pCommandBuffers = commands);
}

#define ON_COMMANDS .commandBuffer = ID(VkCommandBuffer, COMMANDS)

static void start(void)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    SEND(vkBeginCommandBuffer, ON_COMMANDS, .pBeginInfo = &info);
}

static VkResult submit_commands(void)
{
    const VkCommandBuffer commands = ID(VkCommandBuffer, COMMANDS);
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .commandBufferCount = 1,
                               .pCommandBuffers = &commands};
    return SEND(vkQueueSubmit, .queue = ID(VkQueue, QUEUE), .submitCount = 1, .pSubmits = &info)
        ->ret;
}

// ---- memory ---------------------------------------------------------------

static void memory_that_failed_can_be_freed(void **state)
{
    allocate(MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_true(is_failed(MEMORY));
    assert_int_equal(f.context.failures, 1);
    const struct link_blob_export export = {
        .resource_id = 1, .memory_id = MEMORY, .size = 4096, .blob_flags = LINK_BLOB_MAPPABLE};
    struct link_blob_exported answer;
    int fd;
    assert_int_equal(venus_memory_export(&f.context, &export, &answer, &fd), -ENOMEM);
    SEND(vkFreeMemory, ON_DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
    assert_null(fake_find(&f, MEMORY));
    // The id is free for another one.
    allocate(MEMORY, VK_SUCCESS);
    assert_false(is_failed(MEMORY));
    SEND(vkFreeMemory, ON_DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
}

static void memory_goes_only_where_it_was_meant_to(void **state)
{
    f.context.pages = venus_pages_pool_create();
    allocate_of(1, MEMORY, VK_SUCCESS); // mappable, and not for others
    struct link_blob_export export = {
        .resource_id = 1, .memory_id = MEMORY, .size = 4096, .blob_flags = LINK_BLOB_SHAREABLE};
    struct link_blob_exported answer;
    int fd;
    assert_int_equal(venus_memory_export(&f.context, &export, &answer, &fd), -EINVAL);
    export.blob_flags = LINK_BLOB_MAPPABLE | LINK_BLOB_CROSS_DEVICE;
    assert_int_equal(venus_memory_export(&f.context, &export, &answer, &fd), -EINVAL);
}

static void a_bind_to_it_fails_with_what_is_bound(void **state)
{
    allocate(MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    make_buffer(BUFFER);
    assert_int_equal(SEND(vkBindBufferMemory, ON_DEVICE, .buffer = ID(VkBuffer, BUFFER),
                          .memory = ID(VkDeviceMemory, MEMORY))
                         ->ret,
                     VK_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_int_equal(host.binds, 0);
    assert_true(is_failed(BUFFER));
    SEND(vkDestroyBuffer, ON_DEVICE, .buffer = ID(VkBuffer, BUFFER));
    assert_int_equal(host.destroyed_buffers, 1);
}

static void of_several_binds_the_good_ones_are_done(void **state)
{
    allocate(MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    allocate(MEMORY + 1, VK_SUCCESS);
    make_buffer(BUFFER);
    make_buffer(GOOD_BUFFER);
    const VkBindBufferMemoryInfo infos[] = {
        {.sType = VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO,
         .buffer = ID(VkBuffer, BUFFER),
         .memory = ID(VkDeviceMemory, MEMORY)},
        {.sType = VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO,
         .buffer = ID(VkBuffer, GOOD_BUFFER),
         .memory = ID(VkDeviceMemory, MEMORY + 1)},
    };
    assert_int_equal(
        SEND(vkBindBufferMemory2, ON_DEVICE, .bindInfoCount = 2, .pBindInfos = infos)->ret,
        VK_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_int_equal(host.bound, 1);
    assert_true(is_failed(BUFFER));
    assert_false(is_failed(GOOD_BUFFER));
}

static void a_bind_that_the_driver_refuses_fails_the_buffer(void **state)
{
    allocate(MEMORY, VK_SUCCESS);
    make_buffer(BUFFER);
    host.bind = VK_ERROR_OUT_OF_HOST_MEMORY;
    SEND(vkBindBufferMemory, ON_DEVICE, .buffer = ID(VkBuffer, BUFFER),
         .memory = ID(VkDeviceMemory, MEMORY));
    assert_true(is_failed(BUFFER));
}

// ---- pipelines ------------------------------------------------------------

static void what_is_made_from_it_fails(void **state)
{
    host.shader = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_pipelines(1, PIPELINE, 0);
    assert_true(is_failed(SHADER));
    assert_true(is_failed(PIPELINE));
    assert_int_equal(host.pipelines, 0);
    SEND(vkDestroyPipeline, ON_DEVICE, .pipeline = ID(VkPipeline, PIPELINE));
    SEND(vkDestroyShaderModule, ON_DEVICE, .shaderModule = ID(VkShaderModule, SHADER));
    assert_null(fake_find(&f, PIPELINE));
    assert_null(fake_find(&f, SHADER));
}

static void of_several_pipelines_one_may_fail(void **state)
{
    host.pipeline = VK_ERROR_INVALID_SHADER_NV;
    make_pipelines(2, GOOD_PIPELINE, PIPELINE);
    assert_false(is_failed(GOOD_PIPELINE));
    assert_true(is_failed(PIPELINE));
}

static void bind(VkPipelineBindPoint point, uint64_t pipeline)
{
    SEND(vkCmdBindPipeline, ON_COMMANDS, .pipelineBindPoint = point,
         .pipeline = ID(VkPipeline, pipeline));
}

static void draws_of_no_pipeline_are_left_out(void **state)
{
    const VkPipelineBindPoint graphics = VK_PIPELINE_BIND_POINT_GRAPHICS;
    host.pipeline = VK_ERROR_INVALID_SHADER_NV;
    make_pipelines(2, GOOD_PIPELINE, PIPELINE);
    make_commands(1);
    start();
    bind(VK_PIPELINE_BIND_POINT_COMPUTE, GOOD_PIPELINE);
    bind(graphics, PIPELINE);
    SEND(vkCmdDraw, ON_COMMANDS, 3, 1);
    SEND(vkCmdDispatch, ON_COMMANDS, 1, 1, 1);
    assert_int_equal(host.draws, 0);
    assert_int_equal(host.dispatches, 1); // of another bind point
    bind(graphics, GOOD_PIPELINE);
    SEND(vkCmdDraw, ON_COMMANDS, 3, 1);
    assert_int_equal(host.draws, 1);
    assert_int_equal(host.pipelines_bound, 2);
    assert_int_equal(fake_find(&f, COMMANDS)->type, WIRE_HANDLE_COMMAND_BUFFER);
    bind(graphics, PIPELINE);
    SEND(vkEndCommandBuffer, ON_COMMANDS);
    assert_int_equal(submit_commands(), VK_SUCCESS);
    assert_int_equal(host.submits, 1);
}

// Nobody sees that numbers are missing.
static void a_dispatch_of_no_pipeline_is_not_submitted(void **state)
{
    const VkPipelineBindPoint compute = VK_PIPELINE_BIND_POINT_COMPUTE;
    host.pipeline = VK_ERROR_INVALID_SHADER_NV;
    make_pipelines(2, GOOD_PIPELINE, PIPELINE);
    make_commands(1);
    start();
    bind(compute, PIPELINE);
    bind(compute, GOOD_PIPELINE); // no harm was done
    SEND(vkCmdDispatch, ON_COMMANDS, 1, 1, 1);
    SEND(vkEndCommandBuffer, ON_COMMANDS);
    assert_int_equal(submit_commands(), VK_SUCCESS);
    start();
    bind(compute, PIPELINE);
    SEND(vkCmdDispatch, ON_COMMANDS, 1, 1, 1);
    bind(compute, GOOD_PIPELINE);
    SEND(vkEndCommandBuffer, ON_COMMANDS);
    assert_int_equal(submit_commands(), VK_ERROR_DEVICE_LOST);
    assert_int_equal(host.dispatches, 1);
    assert_int_equal(host.submits, 1);
}

// ---- command buffers ------------------------------------------------------

static void a_command_buffer_that_names_it_is_not_submitted(void **state)
{
    allocate(MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    make_buffer(GOOD_BUFFER);
    make_buffer(BUFFER);
    SEND(vkBindBufferMemory, ON_DEVICE, .buffer = ID(VkBuffer, BUFFER),
         .memory = ID(VkDeviceMemory, MEMORY));
    make_commands(1);
    start();
    SEND(vkCmdFillBuffer, ON_COMMANDS, .dstBuffer = ID(VkBuffer, BUFFER), .size = 4);
    SEND(vkCmdFillBuffer, ON_COMMANDS, .dstBuffer = ID(VkBuffer, GOOD_BUFFER), .size = 4);
    assert_int_equal(host.fills, 0);
    assert_int_equal(SEND(vkEndCommandBuffer, ON_COMMANDS)->ret, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    // Begun anew it is as good as any.
    start();
    SEND(vkCmdFillBuffer, ON_COMMANDS, .dstBuffer = ID(VkBuffer, GOOD_BUFFER), .size = 4);
    assert_int_equal(SEND(vkEndCommandBuffer, ON_COMMANDS)->ret, VK_SUCCESS);
    assert_int_equal(host.begun, 2);
    assert_int_equal(host.fills, 1);
    assert_int_equal(submit_commands(), VK_SUCCESS);
    assert_int_equal(host.submits, 1);

    start();
    SEND(vkCmdFillBuffer, ON_COMMANDS, .dstBuffer = ID(VkBuffer, BUFFER), .size = 4);
    SEND(vkEndCommandBuffer, ON_COMMANDS);
    assert_int_equal(submit_commands(), VK_ERROR_DEVICE_LOST);
    assert_int_equal(host.submits, 1);
    assert_true(((struct venus_device *)fake_find(&f, DEVICE))->lost);
}

static void command_buffers_that_failed_can_be_freed(void **state)
{
    host.commands = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_commands(2);
    assert_true(is_failed(COMMANDS));
    assert_true(is_failed(COMMANDS + 1));
    start();
    SEND(vkCmdDraw, ON_COMMANDS, 3, 1);
    assert_int_equal(host.begun + host.draws, 0);
    const VkCommandBuffer both[] = {ID(VkCommandBuffer, COMMANDS),
                                    ID(VkCommandBuffer, COMMANDS + 1)};
    SEND(vkFreeCommandBuffers, ON_DEVICE, .commandPool = ID(VkCommandPool, POOL),
         .commandBufferCount = 2, .pCommandBuffers = both);
    assert_int_equal(host.freed, 0);
    assert_null(fake_find(&f, COMMANDS));
}

static void a_command_buffer_without_an_end_is_not_submitted(void **state)
{
    make_commands(1);
    start();
    host.end = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    SEND(vkEndCommandBuffer, ON_COMMANDS);
    assert_int_equal(submit_commands(), VK_ERROR_DEVICE_LOST);
    assert_int_equal(host.submits, 0);
    // With its pool goes what failed in it.
    SEND(vkDestroyCommandPool, ON_DEVICE, .commandPool = ID(VkCommandPool, POOL));
    assert_null(fake_find(&f, COMMANDS));
}

// ---- what is set ----------------------------------------------------------

static bool is_lost(void)
{
    return ((struct venus_device *)fake_find(&f, DEVICE))->lost;
}

// A queue that waits for it would wait for ever.
static void an_event_that_cannot_be_set_loses_the_device(void **state)
{
    const VkEventCreateInfo info = {.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO};
    VkEvent event = ID(VkEvent, 61);
    SEND(vkCreateEvent, ON_DEVICE, .pCreateInfo = &info, .pEvent = &event);
    SEND(vkSetEvent, ON_DEVICE, .event = ID(VkEvent, 61));
    assert_false(is_lost());
    host.set = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    SEND(vkSetEvent, ON_DEVICE, .event = ID(VkEvent, 61));
    assert_true(is_lost());
}

// The GPU would read and write elsewhere.
static void the_address_of_a_buffer_without_memory_loses_the_device(void **state)
{
    allocate(MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    make_buffer(BUFFER);
    SEND(vkBindBufferMemory, ON_DEVICE, .buffer = ID(VkBuffer, BUFFER),
         .memory = ID(VkDeviceMemory, MEMORY));
    assert_false(is_lost());
    const VkBufferDeviceAddressInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                            .buffer = ID(VkBuffer, BUFFER)};
    SEND(vkGetBufferDeviceAddress, ON_DEVICE, .pInfo = &info);
    assert_true(is_lost());
}

// ---- a lost device --------------------------------------------------------

// As Mesa before 26.2 does: a word of memory that the GPU fills when a fence is done.
static void what_a_guest_looks_at_says_that_the_device_is_lost(void **state)
{
    f.context.stopping = false;
    struct venus_device *device = (struct venus_device *)fake_find(&f, DEVICE);
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence = ID(VkFence, 60);
    SEND(vkCreateFence, ON_DEVICE, .pCreateInfo = &info, .pFence = &fence);
    f.context.pages = venus_pages_pool_create();
    allocate_of(1, MEMORY, VK_SUCCESS); // mappable
    make_buffer(GOOD_BUFFER);
    SEND(vkBindBufferMemory, ON_DEVICE, .buffer = ID(VkBuffer, GOOD_BUFFER),
         .memory = ID(VkDeviceMemory, MEMORY), .memoryOffset = 256);
    _Atomic(int32_t) *words =
        (void *)((char *)((struct venus_memory *)fake_find(&f, MEMORY))->pages->address + 256);
    make_commands(1);
    start();
    for (uint64_t offset = 8; offset < 24; offset += 4)
        SEND(vkCmdFillBuffer, ON_COMMANDS, .dstBuffer = ID(VkBuffer, GOOD_BUFFER),
             .dstOffset = offset, .size = 4, .data = offset == 16);
    SEND(vkCmdFillBuffer, ON_COMMANDS, .dstBuffer = ID(VkBuffer, GOOD_BUFFER), .dstOffset = 32,
         .size = 8);
    for (int i = 0; i < 10; i++)
        words[i] = VK_NOT_READY;
    words[3] = VK_SUCCESS;
    venus_device_lose(device, "vkQueueSubmit", VK_ERROR_DEVICE_LOST);
    assert_int_equal(words[2], VK_ERROR_DEVICE_LOST);
    assert_int_equal(words[3], VK_SUCCESS);   // done before
    assert_int_equal(words[4], VK_NOT_READY); // not filled with VK_SUCCESS
    assert_int_equal(words[5], VK_ERROR_DEVICE_LOST);
    assert_int_equal(words[8], VK_NOT_READY); // more than a word
    assert_false(venus_context_stopping(&f.context));

    words[3] = VK_NOT_READY; // the program goes on
    assert_int_equal(submit_commands(), VK_ERROR_DEVICE_LOST);
    assert_int_equal(words[3], VK_ERROR_DEVICE_LOST);
    assert_false(venus_context_stopping(&f.context));

    // More words than are kept: somebody would wait for ever.
    assert_true(venus_feedback_tell(device));
    for (uint64_t offset = 0; offset <= 4 * 4096; offset += 4)
        SEND(vkCmdFillBuffer, ON_COMMANDS, .dstBuffer = ID(VkBuffer, GOOD_BUFFER),
             .dstOffset = offset, .size = 4);
    assert_false(venus_feedback_tell(device));

    SEND(vkFreeMemory, ON_DEVICE, .memory = ID(VkDeviceMemory, MEMORY));
    f.context.stopping = true;
    assert_int_equal(submit_commands(), VK_ERROR_DEVICE_LOST);
    venus_pages_pool_destroy(f.context.pages);
}

// ---- arrays ---------------------------------------------------------------

static void a_descriptor_set_fails_that_it_is_written_to(void **state)
{
    const VkDescriptorPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1};
    const VkDescriptorSetLayoutCreateInfo layout_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
    VkDescriptorPool pool = ID(VkDescriptorPool, SET_POOL);
    VkDescriptorSetLayout layout = ID(VkDescriptorSetLayout, SET_LAYOUT);
    VkDescriptorSet set = ID(VkDescriptorSet, SET);
    SEND(vkCreateDescriptorPool, ON_DEVICE, .pCreateInfo = &pool_info, .pDescriptorPool = &pool);
    SEND(vkCreateDescriptorSetLayout, ON_DEVICE, .pCreateInfo = &layout_info,
         .pSetLayout = &layout);
    const VkDescriptorSetAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = pool,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &layout};
    SEND(vkAllocateDescriptorSets, ON_DEVICE, .pAllocateInfo = &info, .pDescriptorSets = &set);

    allocate(MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    make_buffer(BUFFER);
    make_buffer(GOOD_BUFFER);
    SEND(vkBindBufferMemory, ON_DEVICE, .buffer = ID(VkBuffer, BUFFER),
         .memory = ID(VkDeviceMemory, MEMORY));
    const VkDescriptorBufferInfo buffers[] = {{ID(VkBuffer, BUFFER), 0, 16},
                                              {ID(VkBuffer, GOOD_BUFFER), 0, 16}};
    VkWriteDescriptorSet writes[2];
    for (uint32_t i = 0; i < 2; i++)
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = set,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &buffers[i]};
    SEND(vkUpdateDescriptorSets, ON_DEVICE, .descriptorWriteCount = 2, .pDescriptorWrites = writes);
    assert_int_equal(host.writes, 1);
    assert_true(is_failed(SET));
    SEND(vkUpdateDescriptorSets, ON_DEVICE, .descriptorWriteCount = 1, .pDescriptorWrites = writes);
    assert_int_equal(host.writes, 1);
    SEND(vkResetDescriptorPool, ON_DEVICE, .descriptorPool = pool);
    assert_null(fake_find(&f, SET));
}

static void the_other_fences_are_reset(void **state)
{
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence = ID(VkFence, 60);
    SEND(vkCreateFence, ON_DEVICE, .pCreateInfo = &info, .pFence = &fence);
    struct venus_object *failed = fake_find(&f, 60);
    failed->lacks = VENUS_LACKS_ALL;
    failed->type |= VENUS_INCOMPLETE;
    fence = ID(VkFence, 61);
    SEND(vkCreateFence, ON_DEVICE, .pCreateInfo = &info, .pFence = &fence);
    const VkFence fences[] = {ID(VkFence, 60), ID(VkFence, 61)};
    assert_int_equal(SEND(vkResetFences, ON_DEVICE, .fenceCount = 2, .pFences = fences)->ret,
                     VK_SUCCESS);
    assert_int_equal(host.resets, 1);
    assert_int_equal(SEND(vkWaitForFences, ON_DEVICE, .fenceCount = 2, .pFences = fences)->ret,
                     VK_ERROR_DEVICE_LOST);
}

// ---- values that there are not --------------------------------------------

static void a_value_that_there_is_not_costs_one_object(void **state)
{
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1};
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = 1,
                                             .poolSizeCount = 1,
                                             .pPoolSizes = &size};
    VkDescriptorPool pool = ID(VkDescriptorPool, SET_POOL), good = ID(VkDescriptorPool, SET_LAYOUT);
    size.type = (VkDescriptorType)77;
    assert_true(
        SEND(vkCreateDescriptorPool, ON_DEVICE, .pCreateInfo = &info, .pDescriptorPool = &pool)
            ->ret < 0);
    assert_true(is_failed(SET_POOL));
    SEND(vkDestroyDescriptorPool, ON_DEVICE, .descriptorPool = pool);
    size.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    SEND(vkCreateDescriptorPool, ON_DEVICE, .pCreateInfo = &info, .pDescriptorPool = &good);
    assert_false(is_failed(SET_LAYOUT));
}

// ---- null -----------------------------------------------------------------

static void null_is_no_object_where_one_is_wanted(void **state)
{
    make_commands(1);
    start();
    SEND(vkCmdFillBuffer, ON_COMMANDS, .size = 4);
    assert_int_equal(host.fills, 0);
    assert_int_equal(submit_commands(), VK_ERROR_DEVICE_LOST);

    const VkCommandBuffer none = NULL;
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &none};
    assert_int_equal(
        SEND(vkQueueSubmit, .queue = ID(VkQueue, QUEUE), .submitCount = 1, .pSubmits = &info)->ret,
        VK_ERROR_DEVICE_LOST);
    assert_int_equal(host.submits, 0);
    make_buffer(BUFFER);
    SEND(vkBindBufferMemory, ON_DEVICE, .buffer = ID(VkBuffer, BUFFER));
    assert_int_equal(host.binds, 0);
    assert_true(is_failed(BUFFER));
}

static void null_passes_where_it_may_stand(void **state)
{
    // No fence, no pipeline cache, nothing to destroy.
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO};
    assert_int_equal(
        SEND(vkQueueSubmit, .queue = ID(VkQueue, QUEUE), .submitCount = 1, .pSubmits = &info)->ret,
        VK_SUCCESS);
    assert_int_equal(host.submits, 1);
    make_pipelines(1, GOOD_PIPELINE, 0);
    assert_false(is_failed(GOOD_PIPELINE));
    SEND(vkDestroyBuffer, ON_DEVICE);
    SEND(vkFreeMemory, ON_DEVICE);
    assert_int_equal(host.destroyed_buffers, 0);
}

int main(int argc, char **argv)
{
    const struct os_options options = {.portable = argc > 1};
    os_init(&options);
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(memory_that_failed_can_be_freed),
        TEST(memory_goes_only_where_it_was_meant_to),
        TEST(a_bind_to_it_fails_with_what_is_bound),
        TEST(of_several_binds_the_good_ones_are_done),
        TEST(a_bind_that_the_driver_refuses_fails_the_buffer),
        TEST(what_is_made_from_it_fails),
        TEST(of_several_pipelines_one_may_fail),
        TEST(draws_of_no_pipeline_are_left_out),
        TEST(a_dispatch_of_no_pipeline_is_not_submitted),
        TEST(a_command_buffer_that_names_it_is_not_submitted),
        TEST(command_buffers_that_failed_can_be_freed),
        TEST(a_command_buffer_without_an_end_is_not_submitted),
        TEST(what_a_guest_looks_at_says_that_the_device_is_lost),
        TEST(a_descriptor_set_fails_that_it_is_written_to),
        TEST(the_other_fences_are_reset),
        TEST(a_value_that_there_is_not_costs_one_object),
        TEST(null_is_no_object_where_one_is_wanted),
        TEST(null_passes_where_it_may_stand),
        TEST(an_event_that_cannot_be_set_loses_the_device),
        TEST(the_address_of_a_buffer_without_memory_loses_the_device),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
