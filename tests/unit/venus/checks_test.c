// What Vulkan forbids and drivers do not look at: numbers beyond what there is, results that are
// longer than their room, draws without a pipeline. No driver gets to see it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> // needs the three above

#include "fake_driver.h"
#include "os/os.h"
#include "venus/ending.h"
#include "venus/extent.h"

#define ID(type, number) ((type)(uintptr_t)(number))

enum {
    DEVICE = 3,
    POOL = 10,
    COMMANDS,
    QUERIES,
    STATISTICS,
    CAPTURED,
    PASS,
    BINARY,
    COUNTING,
    SECONDARY,
    BUFFER,
    IMAGE,
    BLOCKS,
    PLANES
};

static struct fake_context f;
static unsigned calls; // of the driver, but for those that make something

static VKAPI_ATTR VkResult VKAPI_CALL make(uint64_t device, const void *info,
                                           const VkAllocationCallbacks *a, uint64_t *made)
{
    static uint64_t handles = 0x9000;
    *made = ++handles;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL make_commands(uint64_t device, const void *info,
                                                    uint64_t *made)
{
    return make(device, info, NULL, made);
}

static VKAPI_ATTR VkResult VKAPI_CALL count_call(uint64_t object)
{
    calls++;
    return VK_SUCCESS;
}

static unsigned unready; // so often the results of queries are not there yet

static VKAPI_ATTR VkResult VKAPI_CALL get_results(uint64_t device)
{
    calls++;
    return unready && unready-- ? VK_NOT_READY : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL time_out(uint64_t device)
{
    calls++;
    return VK_TIMEOUT;
}

static PFN_vkVoidFunction more(const char *name)
{
    static const char *const makers[] = {"vkCreateCommandPool", "vkCreateQueryPool",
                                         "vkCreateRenderPass", "vkCreateSemaphore"};
    static const char *const counted[] = {
        "vkBeginCommandBuffer",   "vkCmdBindPipeline",      "vkCmdDraw",
        "vkCmdDispatch",          "vkCmdNextSubpass",       "vkCmdBeginRenderPass",
        "vkCmdEndRenderPass",     "vkCmdSetViewport",       "vkCmdPushConstants",
        "vkCmdResetQueryPool",    "vkCmdBeginQuery",        "vkCmdCopyBuffer",
        "vkCmdCopyBufferToImage", "vkCmdCopyImage",         "vkCmdEndQuery",
        "vkCmdExecuteCommands",   "vkCmdPushDescriptorSet", "vkCreateComputePipelines",
        "vkUpdateDescriptorSets", "vkSignalSemaphore",      "vkGetSemaphoreCounterValue"};
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (!strcmp(name, makers[i]))
            return (PFN_vkVoidFunction)make;
    }
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        if (!strcmp(name, counted[i]))
            return (PFN_vkVoidFunction)count_call;
    }
    if (!strcmp(name, "vkGetQueryPoolResults"))
        return (PFN_vkVoidFunction)get_results;
    if (!strcmp(name, "vkWaitForFences") || !strcmp(name, "vkWaitSemaphores"))
        return (PFN_vkVoidFunction)time_out;
    return strcmp(name, "vkAllocateCommandBuffers") ? NULL : (PFN_vkVoidFunction)make_commands;
}

// A command on `self`, which may name two other objects. Is the driver asked, and does the stream
// go on?
enum { REFUSED, LEFT_OUT, ASKED };

static int say3(uint32_t command, void *args, uint64_t self, uint64_t other, uint64_t third)
{
    struct venus_object *objects[3] = {fake_find(&f, self), other ? fake_find(&f, other) : NULL,
                                       third ? fake_find(&f, third) : NULL};
    assert_non_null(objects[0]);
    unsigned before = calls;
    if (!fake_call(&f, command, args, objects, third ? 3 : other ? 2 : 1, NULL))
        return REFUSED;
    return calls == before ? LEFT_OUT : ASKED;
}

static int say(uint32_t command, void *args, uint64_t self, uint64_t other)
{
    return say3(command, args, self, other, 0);
}

#define SAY(name, self, other, ...)                                                                \
    say(WIRE_##name, &(struct wire_args_##name){__VA_ARGS__}, self, other)

static int set_up(void **state)
{
    fake_reset();
    fake.more = more;
    fake_context_init(&f, false);
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    VkCommandPool pool = ID(VkCommandPool, POOL);
    const VkCommandPoolCreateInfo pool_info = {0};
    SAY(vkCreateCommandPool, DEVICE, 0, .pCreateInfo = &pool_info, .pCommandPool = &pool);
    VkCommandBuffer commands = ID(VkCommandBuffer, COMMANDS);
    const VkCommandBufferAllocateInfo commands_info = {.commandBufferCount = 1};
    SAY(vkAllocateCommandBuffers, DEVICE, POOL, .pAllocateInfo = &commands_info,
        .pCommandBuffers = &commands);
    VkQueryPool queries = ID(VkQueryPool, QUERIES), statistics = ID(VkQueryPool, STATISTICS);
    const VkQueryPoolCreateInfo queries_info = {.queryCount = 4};
    const VkQueryPoolCreateInfo statistics_info = {
        .queryType = VK_QUERY_TYPE_PIPELINE_STATISTICS, .queryCount = 1, .pipelineStatistics = 7};
    SAY(vkCreateQueryPool, DEVICE, 0, .pCreateInfo = &queries_info, .pQueryPool = &queries);
    SAY(vkCreateQueryPool, DEVICE, 0, .pCreateInfo = &statistics_info, .pQueryPool = &statistics);
    VkQueryPool captured = ID(VkQueryPool, CAPTURED);
    const VkQueryPoolCreateInfo captured_info = {
        .queryType = VK_QUERY_TYPE_TRANSFORM_FEEDBACK_STREAM_EXT, .queryCount = 1};
    SAY(vkCreateQueryPool, DEVICE, 0, .pCreateInfo = &captured_info, .pQueryPool = &captured);
    VkRenderPass pass = ID(VkRenderPass, PASS);
    const VkSubpassDescription subpasses[2] = {{0}};
    const VkRenderPassCreateInfo pass_info = {.subpassCount = 2, .pSubpasses = subpasses};
    SAY(vkCreateRenderPass, DEVICE, 0, .pCreateInfo = &pass_info, .pRenderPass = &pass);
    VkSemaphore binary = ID(VkSemaphore, BINARY), counting = ID(VkSemaphore, COUNTING);
    const VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    const VkSemaphoreCreateInfo binary_info = {0}, counting_info = {.pNext = &type};
    SAY(vkCreateSemaphore, DEVICE, 0, .pCreateInfo = &binary_info, .pSemaphore = &binary);
    SAY(vkCreateSemaphore, DEVICE, 0, .pCreateInfo = &counting_info, .pSemaphore = &counting);
    assert_non_null(fake_find(&f, COUNTING));
    VkCommandBuffer second = ID(VkCommandBuffer, SECONDARY);
    const VkCommandBufferAllocateInfo second_info = {.level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
                                                     .commandBufferCount = 1};
    SAY(vkAllocateCommandBuffers, DEVICE, POOL, .pAllocateInfo = &second_info,
        .pCommandBuffers = &second);
    VkBuffer buffer = ID(VkBuffer, BUFFER);
    const VkBufferCreateInfo buffer_info = {.size = 4096};
    SAY(vkCreateBuffer, DEVICE, 0, .pCreateInfo = &buffer_info, .pBuffer = &buffer);
    VkImage image = ID(VkImage, IMAGE), blocks = ID(VkImage, BLOCKS), planes = ID(VkImage, PLANES);
    VkImageCreateInfo image_info = {.imageType = VK_IMAGE_TYPE_2D,
                                    .format = VK_FORMAT_R8G8B8A8_UNORM,
                                    .extent = {16, 16, 1},
                                    .mipLevels = 2,
                                    .arrayLayers = 3,
                                    .samples = VK_SAMPLE_COUNT_1_BIT,
                                    .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT};
    SAY(vkCreateImage, DEVICE, 0, .pCreateInfo = &image_info, .pImage = &image);
    image_info.format = VK_FORMAT_BC1_RGB_UNORM_BLOCK;
    image_info.extent = (VkExtent3D){64, 62, 1};
    SAY(vkCreateImage, DEVICE, 0, .pCreateInfo = &image_info, .pImage = &blocks);
    image_info.format = VK_FORMAT_G8_B8R8_2PLANE_420_UNORM;
    image_info.extent = (VkExtent3D){30, 18, 1};
    image_info.mipLevels = image_info.arrayLayers = 1;
    SAY(vkCreateImage, DEVICE, 0, .pCreateInfo = &image_info, .pImage = &planes);
    assert_non_null(fake_find(&f, PLANES));
    return 0;
}

static int tear_down(void **state)
{
    fake_context_finish(&f);
    return 0;
}

static void draws_need_a_pipeline(void **state)
{
    SAY(vkBeginCommandBuffer, COMMANDS, 0, .pBeginInfo = NULL);
    assert_int_equal(SAY(vkCmdDraw, COMMANDS, 0, .vertexCount = 3), LEFT_OUT);
    assert_int_equal(SAY(vkCmdDispatch, COMMANDS, 0, .groupCountX = 1), LEFT_OUT);
    SAY(vkCmdBindPipeline, COMMANDS, 0, .pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS);
    assert_int_equal(SAY(vkCmdDraw, COMMANDS, 0, .vertexCount = 3), ASKED);
    assert_int_equal(SAY(vkCmdDispatch, COMMANDS, 0, .groupCountX = 1), LEFT_OUT);
    SAY(vkCmdBindPipeline, COMMANDS, 0, .pipelineBindPoint = VK_PIPELINE_BIND_POINT_COMPUTE);
    assert_int_equal(SAY(vkCmdDispatch, COMMANDS, 0, .groupCountX = 1), ASKED);
    // What was bound before is forgotten.
    SAY(vkBeginCommandBuffer, COMMANDS, 0, .pBeginInfo = NULL);
    assert_int_equal(SAY(vkCmdDraw, COMMANDS, 0, .vertexCount = 3), LEFT_OUT);
    assert_int_equal(SAY(vkCmdBindPipeline, COMMANDS, 0, .pipelineBindPoint = 77), REFUSED);
}

static void passes_begin_before_they_end(void **state)
{
    SAY(vkBeginCommandBuffer, COMMANDS, 0, .pBeginInfo = NULL);
    assert_int_equal(SAY(vkCmdNextSubpass, COMMANDS, 0, .contents = 0), REFUSED);
    assert_int_equal(SAY(vkCmdEndRenderPass, COMMANDS, 0, .commandBuffer = NULL), REFUSED);
    assert_int_equal(SAY(vkCmdBeginRenderPass, COMMANDS, PASS, .contents = 0), ASKED);
    assert_int_equal(SAY(vkCmdNextSubpass, COMMANDS, 0, .contents = 0), ASKED);
    assert_int_equal(SAY(vkCmdNextSubpass, COMMANDS, 0, .contents = 0), REFUSED);
    assert_int_equal(SAY(vkCmdEndRenderPass, COMMANDS, 0, .commandBuffer = NULL), ASKED);
    assert_int_equal(SAY(vkCmdEndRenderPass, COMMANDS, 0, .commandBuffer = NULL), REFUSED);
}

static void numbers_are_below_the_limits(void **state)
{
    assert_int_equal(SAY(vkCmdSetViewport, COMMANDS, 0, .firstViewport = 15, .viewportCount = 1),
                     ASKED);
    assert_int_equal(SAY(vkCmdSetViewport, COMMANDS, 0, .firstViewport = 16, .viewportCount = 1),
                     REFUSED);
    assert_int_equal(
        SAY(vkCmdSetViewport, COMMANDS, 0, .firstViewport = UINT32_MAX, .viewportCount = 2),
        REFUSED);
    assert_int_equal(SAY(vkCmdPushConstants, COMMANDS, 0, .offset = 252, .size = 4), ASKED);
    assert_int_equal(SAY(vkCmdPushConstants, COMMANDS, 0, .offset = 256, .size = 4), REFUSED);
}

static void queries_are_of_the_pool(void **state)
{
    SAY(vkBeginCommandBuffer, COMMANDS, 0, .pBeginInfo = NULL);
    assert_int_equal(SAY(vkCmdEndQuery, COMMANDS, QUERIES, .query = 3), LEFT_OUT); // has not begun
    assert_int_equal(SAY(vkCmdBeginQuery, COMMANDS, QUERIES, .query = 4), REFUSED);
    assert_int_equal(SAY(vkCmdBeginQuery, COMMANDS, QUERIES, .query = 3), ASKED);
    assert_int_equal(SAY(vkCmdEndQuery, COMMANDS, QUERIES, .query = 3), ASKED);
    assert_int_equal(SAY(vkCmdEndQuery, COMMANDS, QUERIES, .query = 4), REFUSED);
    assert_int_equal(SAY(vkCmdResetQueryPool, COMMANDS, QUERIES, .firstQuery = 2, .queryCount = 2),
                     ASKED);
    assert_int_equal(SAY(vkCmdResetQueryPool, COMMANDS, QUERIES, .firstQuery = 2, .queryCount = 3),
                     REFUSED);
}

static void results_fit_into_their_room(void **state)
{
    uint64_t room[4];
#define RESULTS(pool, count, bytes, step, bits)                                                    \
    SAY(vkGetQueryPoolResults, DEVICE, pool, .queryCount = count, .dataSize = bytes,               \
        .pData = room, .stride = step, .flags = bits)
    assert_int_equal(RESULTS(QUERIES, 4, 16, 4, 0), ASKED);
    assert_int_equal(RESULTS(QUERIES, 4, 15, 4, 0), REFUSED);
    assert_int_equal(RESULTS(QUERIES, 5, 32, 4, 0), REFUSED);
    assert_int_equal(RESULTS(QUERIES, 4, 16, 1 << 20, 0), REFUSED);
    assert_int_equal(RESULTS(QUERIES, 3, 32, UINT64_MAX / 2 + 1, 0), REFUSED);
    assert_int_equal(RESULTS(QUERIES, 2, 16, 8, VK_QUERY_RESULT_64_BIT), ASKED);
    assert_int_equal(
        RESULTS(QUERIES, 2, 16, 8, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT),
        REFUSED);
    assert_int_equal(RESULTS(STATISTICS, 1, 24, 24, VK_QUERY_RESULT_64_BIT), ASKED);
    assert_int_equal(RESULTS(STATISTICS, 1, 16, 16, VK_QUERY_RESULT_64_BIT), REFUSED);
    assert_int_equal(RESULTS(CAPTURED, 1, 16, 16, VK_QUERY_RESULT_64_BIT), ASKED);
    assert_int_equal(RESULTS(CAPTURED, 1, 8, 8, VK_QUERY_RESULT_64_BIT), REFUSED);
}

static void results_are_waited_for_if_the_guest_does(void **state)
{
    uint32_t room;
    struct wire_args_vkGetQueryPoolResults args = {
        .queryCount = 1, .dataSize = 4, .pData = &room, .stride = 4};
    unsigned before = calls;
    unready = 3;
    assert_int_equal(say(WIRE_vkGetQueryPoolResults, &args, DEVICE, QUERIES), ASKED);
    assert_int_equal(args.ret, VK_NOT_READY);
    args.flags = VK_QUERY_RESULT_WAIT_BIT;
    assert_int_equal(say(WIRE_vkGetQueryPoolResults, &args, DEVICE, QUERIES), ASKED);
    assert_int_equal(args.ret, VK_SUCCESS);
    assert_int_equal(calls - before, 1 + 3);
}

// The driver waits a slice at a time.
static void waits_end_when_their_time_is_over(void **state)
{
    const uint64_t timeout = 2 * VENUS_WAIT_SLICE_NS + 1;
    struct wire_args_vkWaitForFences fences = {.timeout = timeout};
    struct wire_args_vkWaitSemaphores semaphores = {.timeout = timeout};
    unsigned before = calls;
    assert_int_equal(say(WIRE_vkWaitForFences, &fences, DEVICE, 0), ASKED);
    assert_int_equal(fences.ret, VK_TIMEOUT);
    assert_int_equal(calls - before, 3);
    assert_int_equal(say(WIRE_vkWaitSemaphores, &semaphores, DEVICE, COUNTING), ASKED);
    assert_int_equal(semaphores.ret, VK_TIMEOUT);
    assert_int_equal(calls - before, 6);
}

static void binary_semaphores_have_no_value(void **state)
{
    assert_int_equal(SAY(vkGetSemaphoreCounterValue, DEVICE, BINARY, .pValue = NULL), REFUSED);
    assert_int_equal(SAY(vkGetSemaphoreCounterValue, DEVICE, COUNTING, .pValue = NULL), ASKED);
    assert_int_equal(SAY(vkSignalSemaphore, DEVICE, BINARY, .pSignalInfo = NULL), REFUSED);
    assert_int_equal(SAY(vkSignalSemaphore, DEVICE, COUNTING, .pSignalInfo = NULL), ASKED);
}

static void copies_stay_inside(void **state)
{
    VkBufferCopy bytes = {1024, 2048, 2048};
#define BYTES()                                                                                    \
    say3(WIRE_vkCmdCopyBuffer,                                                                     \
         &(struct wire_args_vkCmdCopyBuffer){.regionCount = 1, .pRegions = &bytes}, COMMANDS,      \
         BUFFER, BUFFER)
    assert_int_equal(BYTES(), ASKED);
    bytes.size++;
    assert_int_equal(BYTES(), LEFT_OUT);
    bytes = (VkBufferCopy){UINT64_MAX, 0, 2};
    assert_int_equal(BYTES(), LEFT_OUT);

    VkBufferImageCopy texels = {.bufferOffset = 3072,
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 1},
                                .imageExtent = {16, 16, 1}};
#define TEXELS()                                                                                   \
    say3(WIRE_vkCmdCopyBufferToImage,                                                              \
         &(struct wire_args_vkCmdCopyBufferToImage){.regionCount = 1, .pRegions = &texels},        \
         COMMANDS, BUFFER, IMAGE)
    assert_int_equal(TEXELS(), ASKED);
    texels.bufferOffset += 4;
    assert_int_equal(TEXELS(), LEFT_OUT);
    texels.bufferOffset = 0;
    texels.imageSubresource.baseArrayLayer = 3;
    assert_int_equal(TEXELS(), LEFT_OUT);
    texels.imageSubresource = (VkImageSubresourceLayers){VK_IMAGE_ASPECT_DEPTH_BIT, 0, 0, 1};
    assert_int_equal(TEXELS(), LEFT_OUT);

    // A texel of one image is a block of the other; blocks at the edge are whole.
    VkImageCopy region = {.srcSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 3},
                          .dstSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 3},
                          .extent = {16, 16, 1}};
#define REGION(from, to)                                                                           \
    say3(WIRE_vkCmdCopyImage,                                                                      \
         &(struct wire_args_vkCmdCopyImage){.regionCount = 1, .pRegions = &region}, COMMANDS,      \
         from, to)
    assert_int_equal(REGION(IMAGE, IMAGE), ASKED);
    assert_int_equal(REGION(IMAGE, BLOCKS), ASKED);
    region.extent = (VkExtent3D){64, 62, 1};
    assert_int_equal(REGION(BLOCKS, IMAGE), ASKED);
    region.dstOffset.x = 1;
    assert_int_equal(REGION(BLOCKS, IMAGE), LEFT_OUT);
    region.dstOffset.x = -1;
    region.extent.width = 4;
    assert_int_equal(REGION(BLOCKS, IMAGE), LEFT_OUT);
    region.dstOffset.x = 0;
    assert_int_equal(REGION(BLOCKS, IMAGE), ASKED);
    region.extent.depth = 4; // of three layers
    assert_int_equal(REGION(BLOCKS, IMAGE), LEFT_OUT);
    region.extent.depth = 1;
    region.srcSubresource.mipLevel = 2;
    assert_int_equal(REGION(BLOCKS, IMAGE), LEFT_OUT);

    // The second plane is of half the size.
    region = (VkImageCopy){.srcSubresource = {VK_IMAGE_ASPECT_PLANE_1_BIT, 0, 0, 1},
                           .dstSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                           .extent = {15, 9, 1}};
    assert_int_equal(REGION(PLANES, IMAGE), ASKED);
    region.extent.width++;
    assert_int_equal(REGION(PLANES, IMAGE), LEFT_OUT);
    region.srcSubresource.aspectMask = VK_IMAGE_ASPECT_PLANE_0_BIT;
    assert_int_equal(REGION(PLANES, IMAGE), ASKED);
}

static void only_secondary_command_buffers_are_executed(void **state)
{
    VkCommandBuffer one = NULL;
#define EXECUTE(self, other)                                                                       \
    SAY(vkCmdExecuteCommands, self, other, .commandBufferCount = 1, .pCommandBuffers = &one)
    assert_int_equal(EXECUTE(COMMANDS, SECONDARY), ASKED);
    assert_int_equal(EXECUTE(COMMANDS, COMMANDS), LEFT_OUT);
    assert_int_equal(EXECUTE(SECONDARY, SECONDARY), LEFT_OUT);
    const VkCommandBufferAllocateInfo odd = {.level = 7, .commandBufferCount = 1};
    assert_int_equal(
        SAY(vkAllocateCommandBuffers, DEVICE, POOL, .pAllocateInfo = &odd, .pCommandBuffers = &one),
        LEFT_OUT);
}

static void constants_lie_inside_their_data(void **state)
{
    VkPipeline pipeline = VK_NULL_HANDLE;
    VkSpecializationMapEntry entry = {0, 4, 4};
    VkSpecializationInfo constants = {1, &entry, 8, &entry};
    VkComputePipelineCreateInfo info = {
        .stage = {.stage = VK_SHADER_STAGE_COMPUTE_BIT, .pSpecializationInfo = &constants}};
#define PIPELINE()                                                                                 \
    SAY(vkCreateComputePipelines, DEVICE, 0, .createInfoCount = 1, .pCreateInfos = &info,          \
        .pPipelines = &pipeline)
    assert_int_equal(PIPELINE(), ASKED);
    entry.offset = 5;
    assert_int_equal(PIPELINE(), LEFT_OUT);
    entry.offset = 4;
    info.stage.stage = VK_SHADER_STAGE_VERTEX_BIT;
    assert_int_equal(PIPELINE(), LEFT_OUT);
}

static void attachments_are_of_the_pass(void **state)
{
    VkRenderPass pass = ID(VkRenderPass, 77);
    const VkAttachmentDescription attachment = {.samples = VK_SAMPLE_COUNT_1_BIT};
    VkAttachmentReference color = {.attachment = 1};
    VkSubpassDescription subpass = {.colorAttachmentCount = 1, .pColorAttachments = &color};
    const VkRenderPassCreateInfo info = {.attachmentCount = 1,
                                         .pAttachments = &attachment,
                                         .subpassCount = 1,
                                         .pSubpasses = &subpass};
    struct wire_args_vkCreateRenderPass args = {.pCreateInfo = &info, .pRenderPass = &pass};
    say(WIRE_vkCreateRenderPass, &args, DEVICE, 0);
    assert_int_equal(args.ret, VK_ERROR_UNKNOWN);
    color.attachment = VK_ATTACHMENT_UNUSED;
    say(WIRE_vkCreateRenderPass, &args, DEVICE, 0);
    assert_int_equal(args.ret, VK_SUCCESS);
    const uint32_t preserved = 1;
    subpass.preserveAttachmentCount = 1;
    subpass.pPreserveAttachments = &preserved;
    say(WIRE_vkCreateRenderPass, &args, DEVICE, 0);
    assert_int_equal(args.ret, VK_ERROR_UNKNOWN);
}

static void descriptors_are_written_from_somewhere(void **state)
{
    const VkDescriptorBufferInfo buffer = {.range = VK_WHOLE_SIZE};
    VkWriteDescriptorSet write = {.descriptorCount = 1,
                                  .descriptorType = VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE,
                                  .pBufferInfo = &buffer};
#define WRITE()                                                                                    \
    SAY(vkUpdateDescriptorSets, DEVICE, 0, .descriptorWriteCount = 1, .pDescriptorWrites = &write)
    assert_int_equal(WRITE(), LEFT_OUT);
    write.descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER;
    assert_int_equal(WRITE(), ASKED);
    write.descriptorType = VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK;
    assert_int_equal(WRITE(), LEFT_OUT);
    write.descriptorType = (VkDescriptorType)77;
    assert_int_equal(WRITE(), LEFT_OUT);
    write.descriptorCount = 0;
    write.descriptorType = VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE;
    assert_int_equal(WRITE(), ASKED);

    // A sampler that is pushed may be the layout's.
    write.descriptorCount = 3;
#define PUSH()                                                                                     \
    SAY(vkCmdPushDescriptorSet, COMMANDS, 0, .descriptorWriteCount = 1, .pDescriptorWrites = &write)
    assert_int_equal(PUSH(), LEFT_OUT);
    write.descriptorType = VK_DESCRIPTOR_TYPE_SAMPLER;
    assert_int_equal(PUSH(), ASKED);
    assert_null(write.pImageInfo[2].sampler);
    write.pImageInfo = NULL;
    assert_int_equal(WRITE(), LEFT_OUT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_need_a_pipeline),
        cmocka_unit_test(passes_begin_before_they_end),
        cmocka_unit_test(numbers_are_below_the_limits),
        cmocka_unit_test(queries_are_of_the_pool),
        cmocka_unit_test(results_fit_into_their_room),
        cmocka_unit_test(results_are_waited_for_if_the_guest_does),
        cmocka_unit_test(waits_end_when_their_time_is_over),
        cmocka_unit_test(binary_semaphores_have_no_value),
        cmocka_unit_test(copies_stay_inside),
        cmocka_unit_test(only_secondary_command_buffers_are_executed),
        cmocka_unit_test(constants_lie_inside_their_data),
        cmocka_unit_test(attachments_are_of_the_pass),
        cmocka_unit_test(descriptors_are_written_from_somewhere),
    };
    os_init(&(struct os_options){.portable = argc > 1});
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
