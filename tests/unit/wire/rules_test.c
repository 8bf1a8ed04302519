// The rules of commands, handles, pointers, arrays and strings, one by one: what comes out, and
// what is refused.
#include "decoding.h"

// ---- handles --------------------------------------------------------------

static void put_bind_descriptor_sets(struct stream *s, uint64_t command_buffer, uint64_t set)
{
    put_command(s, WIRE_vkCmdBindDescriptorSets, 0);
    put64(s, command_buffer);
    put32(s, 1);
    put64(s, 2); // layout
    put32(s, 0);
    put32(s, 2);
    put64(s, 2);
    put64(s, 3);
    put64(s, set);
    put32(s, 1);
    put64(s, 1);
    put32(s, 256);
}

static void test_input_handles_are_resolved(void **state)
{
    use_resolve();
    struct stream s = {.size = 0};
    put_bind_descriptor_sets(&s, 1, 0);
    ACCEPT(&s);
    struct wire_args_vkCmdBindDescriptorSets *args = call.args;
    assert_ptr_equal(args->commandBuffer, ID(void *, 1001));
    assert_ptr_equal(args->layout, ID(void *, 1002));
    assert_ptr_equal(args->pDescriptorSets[0], ID(void *, 1003));
    assert_null(args->pDescriptorSets[1]); // null passes unseen
    assert_int_equal(args->pDynamicOffsets[0], 256);
    assert_int_equal(resolved, 3);
    assert_int_equal(resolved_types[0], WIRE_HANDLE_COMMAND_BUFFER);
    assert_int_equal(resolved_types[1], WIRE_HANDLE_PIPELINE_LAYOUT);
    assert_int_equal(resolved_types[2], WIRE_HANDLE_DESCRIPTOR_SET);
}

static void test_resolver_refuses(void **state)
{
    use_resolve();
    struct stream s = {.size = 0};
    put_bind_descriptor_sets(&s, 1, 666);
    REFUSE(&s, "no such object");
    s.size = 0;
    put_bind_descriptor_sets(&s, 666, 4);
    REFUSE(&s, "no such object");
}

static void test_first_handle_is_not_null(void **state)
{
    struct stream s = {.size = 0};
    put_bind_descriptor_sets(&s, 0, 4);
    REFUSE(&s, "the object that the command is for is null");
}

static void test_outputs_keep_ids(void **state)
{
    use_resolve();
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkCreateSemaphore, 0);
    put64(&s, 1);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO);
    NONE(&s);
    put32(&s, 0);
    NONE(&s); // pAllocator
    PRESENT(&s);
    put64(&s, 77);
    ACCEPT(&s);
    struct wire_args_vkCreateSemaphore *args = call.args;
    assert_ptr_equal(*args->pSemaphore, ID(void *, 77));
    assert_int_equal(resolved, 1);
    assert_null(args->pAllocator);
}

static void test_destroyed_keep_ids(void **state)
{
    use_resolve();
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkDestroyBuffer, 0);
    put64(&s, 1);
    put64(&s, 666); // not looked up
    NONE(&s);
    ACCEPT(&s);
    struct wire_args_vkDestroyBuffer *args = call.args;
    assert_ptr_equal(args->device, ID(void *, 1001));
    assert_ptr_equal(args->buffer, ID(void *, 666));
}

static void put_free_command_buffers(struct stream *s, uint32_t count, uint64_t wire_count)
{
    put_command(s, WIRE_vkFreeCommandBuffers, 0);
    put64(s, 1);
    put64(s, 2);
    put32(s, count);
    put64(s, wire_count);
    for (uint64_t i = 0; i < wire_count; i++)
        put64(s, 666 + i);
}

static void test_freed_keep_ids(void **state)
{
    use_resolve();
    struct stream s = {.size = 0};
    put_free_command_buffers(&s, 2, 2);
    ACCEPT(&s);
    struct wire_args_vkFreeCommandBuffers *args = call.args;
    assert_ptr_equal(args->commandPool, ID(void *, 1002));
    assert_ptr_equal(args->pCommandBuffers[1], ID(void *, 667));
    // vk.xml lets the array be left out; here that would be a NULL for the driver
    s.size = 0;
    put_free_command_buffers(&s, 2, 0);
    REFUSE(&s, "an array is missing");
}

// ---- commands -------------------------------------------------------------

static void test_unknown_commands(void **state)
{
    static const uint32_t numbers[] = {9, 195, WIRE_COMMAND_COUNT, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct stream s = {.size = 0};
        put_command(&s, numbers[i], 0);
        put64(&s, 1);
        REFUSE(&s, "unknown command");
    }
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkEndCommandBuffer, 2);
    put64(&s, 1);
    REFUSE(&s, "unknown command flags");
}

static void test_commands_follow_each_other(void **state)
{
    struct stream s = {.size = 0};
    for (int i = 0; i < 2; i++) {
        put_command(&s, WIRE_vkCmdDraw, (uint32_t)i);
        put64(&s, 5);
        for (uint32_t j = 0; j < 4; j++)
            put32(&s, (uint32_t)i * 10 + j);
    }
    assert_true(decode(&s));
    assert_int_equal(call.number, WIRE_vkCmdDraw);
    assert_int_equal(decoder.cursor - last_copy, 32);
    assert_true(wire_decode(&decoder, &call));
    struct wire_args_vkCmdDraw *args = call.args;
    assert_int_equal(args->vertexCount, 10);
    assert_int_equal(args->firstInstance, 13);
    assert_int_equal(call.flags, WIRE_FLAG_REPLY);
    assert_false(wire_decode(&decoder, &call));
}

// ---- pointers, arrays, strings --------------------------------------------

static void put_create_shader(struct stream *s, uint64_t code_size, uint64_t count,
                              uint64_t allocator)
{
    put_command(s, WIRE_vkCreateShaderModule, 0);
    put64(s, 1);
    PRESENT(s);
    put32(s, VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO);
    NONE(s);
    put32(s, 0);
    put64(s, code_size);
    put64(s, count);
    for (uint32_t i = 0; i < 4; i++)
        put32(s, 100 + i);
    put64(s, allocator);
    PRESENT(s);
    put64(s, 9);
}

static void test_code_size(void **state)
{
    struct stream s = {.size = 0};
    put_create_shader(&s, 16, 4, 0);
    ACCEPT(&s);
    struct wire_args_vkCreateShaderModule *args = call.args;
    assert_int_equal(args->pCreateInfo->codeSize, 16);
    assert_int_equal(args->pCreateInfo->pCode[3], 103);
    static const uint64_t wrong[][2] = {{17, 4},         {15, 4},          {16, 3}, {20, 4},
                                        {UINT64_MAX, 4}, {17, UINT64_MAX}, {0, 4}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        s.size = 0;
        put_create_shader(&s, wrong[i][0], wrong[i][1], 0);
        if (wrong[i][1] ==
            UINT64_MAX) // equals the number that stands for "does not divide": still not there
            REFUSE(&s, "the stream ends inside a command");
        else
            REFUSE(&s, "an array has another length than its counter says");
    }
    s.size = 0;
    put_create_shader(&s, 16, 0, 0);
    REFUSE(&s, "an array is missing");
}

static void test_what_cannot_cross_is_null(void **state)
{
    struct stream s = {.size = 0};
    put_create_shader(&s, 16, 4, 1);
    REFUSE(&s, "a pointer that cannot cross is not null");
}

static void test_mandatory_pointer(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkCreateShaderModule, 0);
    put64(&s, 1);
    NONE(&s);
    REFUSE(&s, "a pointer is missing");
    s.size = 0;
    put_command(&s, WIRE_vkGetFenceStatus, 0); // no pointer at all
    put64(&s, 1);
    put64(&s, 2);
    ACCEPT(&s);
}

static void put_instance(struct stream *s, const char *name, uint64_t bytes)
{
    put_command(s, WIRE_vkCreateInstance, 0);
    PRESENT(s);
    put32(s, VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO);
    NONE(s);
    put32(s, 0);
    NONE(s); // pApplicationInfo
    put32(s, 0);
    NONE(s); // layers
    put32(s, 1);
    put64(s, 1);
    put64(s, bytes);
    memcpy(s->data + s->size, name, 8);
    s->size += 8;
    NONE(s);
    PRESENT(s);
    put64(s, 1);
}

static void test_strings(void **state)
{
    struct stream s = {.size = 0};
    put_instance(&s, "abcdefg", 8);
    ACCEPT(&s);
    struct wire_args_vkCreateInstance *args = call.args;
    assert_string_equal(args->pCreateInfo->ppEnabledExtensionNames[0], "abcdefg");
    // no terminator: the last byte becomes one
    s.size = 0;
    put_instance(&s, "abcdefgh", 8);
    ACCEPT(&s);
    args = call.args;
    assert_string_equal(args->pCreateInfo->ppEnabledExtensionNames[0], "abcdefg");
    s.size = 0;
    put_instance(&s, "abcdefgh", 6); // pads to 8
    ACCEPT(&s);
    args = call.args;
    assert_string_equal(args->pCreateInfo->ppEnabledExtensionNames[0], "abcde");
    s.size = 0;
    put_instance(&s, "abcdefg", 0);
    REFUSE(&s, "a string is missing");
    static const uint64_t sizes[] = {1 << 20, UINT64_MAX, UINT64_MAX - 3, 1ull << 63};
    for (size_t i = 0; i < 4; i++) {
        s.size = 0;
        put_instance(&s, "abcdefg", sizes[i]);
        REFUSE(&s, "the stream ends inside a command");
    }
}

static void put_buffer(struct stream *s, uint32_t count, uint64_t wire_count)
{
    put_command(s, WIRE_vkCreateBuffer, 0);
    put64(s, 1);
    PRESENT(s);
    put32(s, VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
    NONE(s);
    put32(s, 0);
    put64(s, 65536);
    put32(s, 3);
    put32(s, VK_SHARING_MODE_EXCLUSIVE);
    put32(s, count);
    put64(s, wire_count);
    for (uint64_t i = 0; i < wire_count && i < 16; i++)
        put32(s, (uint32_t)i);
    NONE(s);
    PRESENT(s);
    put64(s, 9);
}

static void test_array_counts(void **state)
{
    struct stream s = {.size = 0};
    put_buffer(&s, 3, 3);
    ACCEPT(&s);
    const VkBufferCreateInfo *info = ((struct wire_args_vkCreateBuffer *)call.args)->pCreateInfo;
    assert_int_equal(info->pQueueFamilyIndices[2], 2);
    assert_int_equal(info->size, 65536);
    // left out although the counter is not 0: the encoder does so where the array is ignored
    s.size = 0;
    put_buffer(&s, 3, 0);
    ACCEPT(&s);
    info = ((struct wire_args_vkCreateBuffer *)call.args)->pCreateInfo;
    assert_null(info->pQueueFamilyIndices);
    assert_int_equal(info->queueFamilyIndexCount, 3);
    s.size = 0;
    put_buffer(&s, 0, 2);
    REFUSE(&s, "an array has another length than its counter says");
    s.size = 0;
    put_buffer(&s, 2, 3);
    REFUSE(&s, "an array has another length than its counter says");
    s.size = 0;
    put_buffer(&s, UINT32_MAX, UINT32_MAX);
    REFUSE(&s, "the stream ends inside a command");
}

static void test_huge_arrays(void **state)
{
    // elements with structures inside: bounded before memory is taken
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkQueueSubmit, 0);
    put64(&s, 1);
    put32(&s, UINT32_MAX);
    put64(&s, UINT32_MAX);
    put64(&s, 0);
    REFUSE(&s, "the stream ends inside a command");
    assert_true(arena.used == 0);
    // handles
    s.size = 0;
    put_command(&s, WIRE_vkCmdExecuteCommands, 0);
    put64(&s, 1);
    put32(&s, UINT32_MAX);
    put64(&s, UINT32_MAX);
    put64(&s, 0);
    REFUSE(&s, "the stream ends inside a command");
    // count × size would overflow
    s.size = 0;
    put_command(&s, WIRE_vkCmdUpdateBuffer, 0);
    put64(&s, 1);
    put64(&s, 2);
    put64(&s, 0);
    put64(&s, UINT64_MAX);
    put64(&s, UINT64_MAX);
    put64(&s, 0);
    REFUSE(&s, "the stream ends inside a command");
}

static void test_static_arrays(void **state)
{
    for (uint64_t count = 3; count <= 5; count++) {
        struct stream s = {.size = 0};
        put_command(&s, WIRE_vkCmdSetBlendConstants, 0);
        put64(&s, 1);
        put64(&s, count);
        for (uint32_t i = 0; i < 4; i++)
            put32(&s, 0x3f800000);
        if (count == 4) {
            ACCEPT(&s);
            struct wire_args_vkCmdSetBlendConstants *args = call.args;
            assert_true(args->blendConstants[3] == 1.0f);
        } else {
            REFUSE(&s, "an array of fixed size has another count");
        }
    }
}

static void test_aligned_for_c(void **state)
{
    // 64-bit elements at an odd multiple of 4
    for (int shift = 0; shift < 2; shift++) {
        struct stream s = {.size = 0};
        put_command(&s, WIRE_vkExecuteCommandStreamsMESA, 0);
        put32(&s, 1);
        put64(&s, 1);
        put32(&s, 7);
        put64(&s, 64);
        put64(&s, 128);
        put64(&s, 1);
        put64(&s, 0x123456789a);
        put32(&s, (uint32_t)shift);
        put64(&s, (uint64_t)shift);
        for (int i = 0; i < 2 * shift; i++)
            put32(&s, (uint32_t)i);
        put32(&s, 0);
        ACCEPT(&s);
        struct wire_args_vkExecuteCommandStreamsMESA *args = call.args;
        assert_int_equal((uintptr_t)args->pReplyPositions % 8, 0);
        assert_int_equal(args->pReplyPositions[0], 0x123456789a);
        assert_int_equal(args->pStreams[0].offset, 64);
        assert_int_equal(args->pStreams[0].size, 128);
        assert_int_equal(args->dependencyCount, shift);
    }
}

static void test_multi_draw_stride(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkCmdDrawMultiEXT, 0);
    put64(&s, 1);
    put32(&s, 2);
    put64(&s, 2);
    for (uint32_t i = 0; i < 4; i++)
        put32(&s, i);
    put32(&s, 1);
    put32(&s, 0);
    put32(&s, 4000); // whatever the guest says
    ACCEPT(&s);
    struct wire_args_vkCmdDrawMultiEXT *args = call.args;
    assert_int_equal(args->stride, sizeof(VkMultiDrawInfoEXT));
    assert_int_equal(args->pVertexInfo[1].vertexCount, 3);
}

static void put_sampler(struct stream *s, uint32_t filter, uint32_t address, uint32_t compare)
{
    s->size = 0;
    put_command(s, WIRE_vkCreateSampler, 0);
    put64(s, 1);
    PRESENT(s);
    put32(s, VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO);
    NONE(s);
    put32(s, 0);
    put32(s, filter);
    put32(s, filter);
    put32(s, VK_SAMPLER_MIPMAP_MODE_LINEAR);
    for (unsigned i = 0; i < 3; i++)
        put32(s, address);
    for (unsigned i = 0; i < 4; i++)
        put32(s, 0);
    put32(s, compare);
    for (unsigned i = 0; i < 4; i++)
        put32(s, 0);
    NONE(s); // pAllocator
    PRESENT(s);
    put64(s, 77);
}

// Drivers index tables with some of them.
static void test_enumerants(void **state)
{
    use_resolve();
    struct stream s = {.size = 0};
    put_sampler(&s, VK_FILTER_LINEAR, VK_SAMPLER_ADDRESS_MODE_MIRROR_CLAMP_TO_EDGE, 0);
    ACCEPT(&s);
    put_sampler(&s, VK_FILTER_CUBIC_EXT, VK_SAMPLER_ADDRESS_MODE_REPEAT, 0); // of an extension
    ACCEPT(&s);
    put_sampler(&s, VK_FILTER_LINEAR, VK_SAMPLER_ADDRESS_MODE_REPEAT, 77); // may be anything
    ACCEPT(&s);
    put_sampler(&s, VK_FILTER_LINEAR, 5, 0);
    REFUSE(&s, "a value that its type does not have");
    put_sampler(&s, VK_FILTER_CUBIC_EXT + 1, VK_SAMPLER_ADDRESS_MODE_REPEAT, 0);
    REFUSE(&s, "a value that its type does not have");
    put_sampler(&s, UINT32_MAX, VK_SAMPLER_ADDRESS_MODE_REPEAT, 0);
    REFUSE(&s, "a value that its type does not have");
    assert_true(decoder.unknown_value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_input_handles_are_resolved),
        TEST(test_resolver_refuses),
        TEST(test_first_handle_is_not_null),
        TEST(test_outputs_keep_ids),
        TEST(test_destroyed_keep_ids),
        TEST(test_freed_keep_ids),
        TEST(test_unknown_commands),
        TEST(test_commands_follow_each_other),
        TEST(test_code_size),
        TEST(test_what_cannot_cross_is_null),
        TEST(test_mandatory_pointer),
        TEST(test_strings),
        TEST(test_array_counts),
        TEST(test_huge_arrays),
        TEST(test_static_arrays),
        TEST(test_aligned_for_c),
        TEST(test_multi_draw_stride),
        TEST(test_enumerants),
    };
    return cmocka_run_group_tests(tests, NULL, finish_all);
}
