// The rules of the wire, one by one, on streams written by hand: what is accepted and what comes
// out, and what is refused.
#include <pthread.h>

#include "support.h"
#include "wire/table.h"

static struct arena arena;
static struct wire_decoder decoder;
static struct wire_call call;

static int reset(void **state)
{
    arena_init(&arena, 1 << 20);
    memset(&decoder, 0, sizeof(decoder));
    decoder.reply_capacity = UINT64_MAX;
    return 0;
}

static int finish(void **state)
{
    arena_finish(&arena);
    return 0;
}

static uint8_t *last_copy;

static bool decode(const struct stream *stream)
{
    free(last_copy);
    uint8_t *copy = last_copy = exact_copy(stream->data, stream->size);
    decoder.cursor = copy;
    decoder.end = copy + stream->size;
    decoder.arena = &arena;
    return wire_decode(&decoder, &call);
}

#define ACCEPT(stream)                                                                             \
    do {                                                                                           \
        if (!decode(stream))                                                                       \
            fail_msg("refused: %s", decoder.reason);                                               \
        assert_ptr_equal(decoder.cursor, decoder.end);                                             \
    } while (0)

#define REFUSE(stream, why)                                                                        \
    do {                                                                                           \
        assert_false(decode(stream));                                                              \
        assert_string_equal(decoder.reason, why);                                                  \
    } while (0)

#define ID(type, id) ((type)(uintptr_t)(id))
#define PRESENT(stream) put64(stream, 1)
#define NONE(stream) put64(stream, 0)

// ---- handles ----

static int resolved;
static enum wire_handle resolved_types[8];

static bool resolve(void *context, enum wire_handle type, uint64_t id, uint64_t *handle,
                    const char **reason)
{
    assert_int_not_equal(id, 0);
    if (id == 666) {
        *reason = "no such object";
        return false;
    }
    resolved_types[resolved++] = type;
    *handle = id + 1000;
    return true;
}

static void use_resolve(void)
{
    decoder.resolve = resolve;
    resolved = 0;
}

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

// ---- commands ----

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

// ---- pointers, arrays, strings ----

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
    REFUSE(&s, "a pointer that can't cross is not null");
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

// ---- structures and chains ----

static void put_features_query(struct stream *s, int32_t stype, const int32_t *chain)
{
    put_command(s, WIRE_vkGetPhysicalDeviceFeatures2, 0);
    put64(s, 1);
    PRESENT(s);
    put32(s, (uint32_t)stype);
    for (; *chain; chain++) {
        PRESENT(s);
        put32(s, (uint32_t)*chain);
    }
    NONE(s);
}

static void test_chain_is_rebuilt(void **state)
{
    static const int32_t chain[] = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT, 0};
    struct stream s = {.size = 0};
    put_features_query(&s, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, chain);
    ACCEPT(&s);
    VkPhysicalDeviceFeatures2 *features =
        ((struct wire_args_vkGetPhysicalDeviceFeatures2 *)call.args)->pFeatures;
    assert_int_equal(features->sType, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2);
    VkBaseOutStructure *next = features->pNext;
    for (int i = 0; i < 3; i++, next = next->pNext)
        assert_int_equal(next->sType, chain[i]);
    assert_null(next);
    const VkPhysicalDeviceVulkan12Features *zero = features->pNext;
    assert_false(zero->drawIndirectCount || zero->subgroupBroadcastDynamicId ||
                 features->features.robustBufferAccess);
}

static void test_wrong_structures(void **state)
{
    static const int32_t unknown[] = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                      VK_STRUCTURE_TYPE_SUBMIT_INFO, 0};
    static const int32_t twice[] = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, 0};
    static const int32_t none[] = {0};
    struct stream s = {.size = 0};
    put_features_query(&s, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, unknown);
    REFUSE(&s, "a pNext chain holds a structure that is not known there");
    s.size = 0;
    put_features_query(&s, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, twice);
    REFUSE(&s, "a pNext chain holds a structure twice");
    s.size = 0;
    put_features_query(&s, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, none);
    REFUSE(&s, "wrong sType");
}

// The deepest recursion there is: everything that may be chained, chained. A ring's thread need not
// have a large stack for it.
static void *decode_in_thread(void *stream)
{
    return decode(stream) ? stream : NULL;
}

static void test_longest_chain(void **state)
{
    const struct wire_struct *features = wire_structs;
    while (features->stype != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2)
        features++;
    assert_true(features->count >= 60);
    int32_t chain[WIRE_MAX_CHILDREN + 1] = {0};
    for (uint32_t i = 0; i < features->count; i++)
        chain[i] = wire_children[features->first + i].stype;
    struct stream s = {.size = 0};
    put_features_query(&s, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, chain);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 << 10);
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, &attributes, decode_in_thread, &s), 0);
    pthread_join(thread, &result);
    pthread_attr_destroy(&attributes);
    assert_ptr_equal(result, &s);
    const VkBaseOutStructure *next =
        (void *)((struct wire_args_vkGetPhysicalDeviceFeatures2 *)call.args)->pFeatures;
    uint32_t count = 0;
    while ((next = next->pNext))
        count++;
    assert_int_equal(count, features->count);
}

static void test_chain_bodies_are_reversed(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkAllocateMemory, 0);
    put64(&s, 1);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    NONE(&s);
    put32(&s, 0x200); // handleTypes of the last
    put64(&s, 21);    // image, buffer of the one before
    put64(&s, 0);
    put64(&s, 4096); // allocationSize, memoryTypeIndex
    put32(&s, 3);
    NONE(&s);
    PRESENT(&s);
    put64(&s, 50);
    use_resolve();
    ACCEPT(&s);
    const VkMemoryAllocateInfo *info =
        ((struct wire_args_vkAllocateMemory *)call.args)->pAllocateInfo;
    const VkMemoryDedicatedAllocateInfo *dedicated = info->pNext;
    const VkExportMemoryAllocateInfo *export_info = dedicated->pNext;
    assert_int_equal(info->memoryTypeIndex, 3);
    assert_ptr_equal(dedicated->image,
                     ID(void *, 1021)); // handles in chains are resolved like any other
    assert_int_equal(export_info->handleTypes, 0x200);
    assert_null(export_info->pNext);
}

static void put_clear(struct stream *s, uint32_t tag, uint32_t color_tag)
{
    put_command(s, WIRE_vkCmdBeginRenderPass, 0);
    put64(s, 1);
    PRESENT(s);
    put32(s, VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO);
    NONE(s);
    put64(s, 2);
    put64(s, 3);
    for (int i = 0; i < 4; i++)
        put32(s, 0);
    put32(s, 1);
    put64(s, 1);
    put32(s, tag);
    if (tag == 0) {
        put32(s, color_tag);
        put64(s, 4);
        for (uint32_t i = 0; i < 4; i++)
            put32(s, 10 + i);
    } else {
        put32(s, 0x3f800000);
        put32(s, 7);
    }
    put32(s, 0);
}

static void test_untagged_unions(void **state)
{
    for (uint32_t tag = 0; tag < 3; tag++) {
        struct stream s = {.size = 0};
        put_clear(&s, 0, tag);
        ACCEPT(&s);
        const VkRenderPassBeginInfo *info =
            ((struct wire_args_vkCmdBeginRenderPass *)call.args)->pRenderPassBegin;
        assert_int_equal(info->pClearValues[0].color.uint32[3], 13);
    }
    struct stream s = {.size = 0};
    put_clear(&s, 1, 0);
    ACCEPT(&s);
    const VkRenderPassBeginInfo *info =
        ((struct wire_args_vkCmdBeginRenderPass *)call.args)->pRenderPassBegin;
    assert_true(info->pClearValues[0].depthStencil.depth == 1.0f);
    assert_int_equal(info->pClearValues[0].depthStencil.stencil, 7);
    s.size = 0;
    put_clear(&s, 2, 0);
    REFUSE(&s, "a union's tag is unknown");
    s.size = 0;
    put_clear(&s, 0, 3);
    REFUSE(&s, "a union's tag is unknown");
}

#ifdef VK_KHR_acceleration_structure

static void put_geometry(struct stream *s, uint32_t type, uint32_t tag, uint32_t address_tag,
                         uint64_t address)
{
    put32(s, VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_KHR);
    NONE(s);
    put32(s, type);
    put32(s, tag);
    put32(s, VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_AABBS_DATA_KHR);
    NONE(s);
    put32(s, address_tag);
    put64(s, address);
    put64(s, 24); // stride
    put32(s, 1);  // flags
}

static void put_build(struct stream *s, uint32_t type, uint32_t tag, uint32_t address_tag,
                      uint64_t address, bool indirect, uint64_t ranges)
{
    put_command(s,
                indirect ? WIRE_vkCmdBuildAccelerationStructuresIndirectKHR
                         : WIRE_vkCmdBuildAccelerationStructuresKHR,
                0);
    put64(s, 1);
    put32(s, 1);
    put64(s, 1);
    put32(s, VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR);
    NONE(s);
    for (int i = 0; i < 3; i++)
        put32(s, 0);
    put64(s, 0);
    put64(s, 5);
    put32(s, 2); // geometryCount
    NONE(s);     // pGeometries
    put64(s, 2); // ppGeometries
    for (int i = 0; i < 2; i++) {
        PRESENT(s);
        put_geometry(s, type, tag, address_tag, address);
    }
    put32(s, 0);
    put64(s, 0x1000); // scratch
    if (indirect) {
        put64(s, 1);
        put64(s, 0x2000);
        put64(s, 1);
        put32(s, 16);
    }
    put64(s, 1);
    put64(s, ranges);
    for (uint32_t i = 0; i < (indirect ? 1 : 4) * ranges && i < 16; i++)
        put32(s, 100 + i);
}

static void test_selected_unions(void **state)
{
    struct stream s = {.size = 0};
    put_build(&s, VK_GEOMETRY_TYPE_AABBS_KHR, VK_GEOMETRY_TYPE_AABBS_KHR, 0, 0x4000, false, 2);
    ACCEPT(&s);
    struct wire_args_vkCmdBuildAccelerationStructuresKHR *args = call.args;
    const VkAccelerationStructureGeometryKHR *geometry = args->pInfos->ppGeometries[1];
    assert_int_equal(geometry->geometry.aabbs.data.deviceAddress, 0x4000);
    assert_int_equal(geometry->geometry.aabbs.stride, 24);
    assert_int_equal(args->ppBuildRangeInfos[0][1].primitiveCount, 104);
    s.size = 0;
    put_build(&s, VK_GEOMETRY_TYPE_TRIANGLES_KHR, VK_GEOMETRY_TYPE_AABBS_KHR, 0, 0x4000, false, 2);
    REFUSE(&s, "a union's tag disagrees with its selector");
    s.size = 0;
    put_build(&s, 77, 77, 0, 0x4000, false, 2);
    REFUSE(&s, "a union's tag is unknown");
    // addresses of the guest's own memory mean nothing here
    s.size = 0;
    put_build(&s, VK_GEOMETRY_TYPE_AABBS_KHR, VK_GEOMETRY_TYPE_AABBS_KHR, 1, 0, false, 2);
    ACCEPT(&s);
    s.size = 0;
    put_build(&s, VK_GEOMETRY_TYPE_AABBS_KHR, VK_GEOMETRY_TYPE_AABBS_KHR, 1, 0x4000, false, 2);
    REFUSE(&s, "a pointer that can't cross is not null");
}

static void test_arrays_of_arrays(void **state)
{
    struct stream s = {.size = 0};
    put_build(&s, VK_GEOMETRY_TYPE_AABBS_KHR, VK_GEOMETRY_TYPE_AABBS_KHR, 0, 0, true, 2);
    ACCEPT(&s);
    struct wire_args_vkCmdBuildAccelerationStructuresIndirectKHR *args = call.args;
    assert_int_equal(args->pIndirectDeviceAddresses[0], 0x2000);
    assert_int_equal(args->ppMaxPrimitiveCounts[0][1], 101);
    for (uint64_t ranges = 0; ranges < 5; ranges++) {
        if (ranges == 2)
            continue;
        for (int indirect = 0; indirect < 2; indirect++) {
            s.size = 0;
            put_build(&s, VK_GEOMETRY_TYPE_AABBS_KHR, VK_GEOMETRY_TYPE_AABBS_KHR, 0, 0, indirect,
                      ranges);
            REFUSE(&s, "an array in an array has another length than its counter says");
        }
    }
}

#endif

// ---- outputs ----

static void put_enumerate_extensions(struct stream *s, uint32_t flags, uint32_t count,
                                     uint64_t wire_count)
{
    put_command(s, WIRE_vkEnumerateDeviceExtensionProperties, flags);
    put64(s, 1);
    NONE(s); // pLayerName
    PRESENT(s);
    put32(s, count);
    put64(s, wire_count);
}

static void test_output_arrays_are_bounded(void **state)
{
    struct stream s = {.size = 0};
    put_enumerate_extensions(&s, 1, 100, 100);
    decoder.reply_capacity = 100 * (8 + 256 + 4) + 32;
    ACCEPT(&s);
    struct wire_args_vkEnumerateDeviceExtensionProperties *args = call.args;
    assert_int_equal(args->pProperties[99].specVersion, 0);
    decoder.reply_capacity = 100 * 260;
    REFUSE(&s, "an output array is larger than the reply may be");
    // without a reply only memory bounds it
    s.size = 0;
    put_enumerate_extensions(&s, 0, 100, 100);
    ACCEPT(&s);
    s.size = 0;
    put_enumerate_extensions(&s, 0, UINT32_MAX, UINT32_MAX);
    REFUSE(&s, "the command needs more memory than a command may take");
    s.size = 0;
    put_enumerate_extensions(&s, 0, 2, UINT32_MAX);
    REFUSE(&s, "an array has another length than its counter says");
    // a query for the count
    s.size = 0;
    put_enumerate_extensions(&s, 1, 0, 0);
    ACCEPT(&s);
    assert_null(((struct wire_args_vkEnumerateDeviceExtensionProperties *)call.args)->pProperties);
    // the counter itself is mandatory
    s.size = 0;
    put_command(&s, WIRE_vkEnumerateDeviceExtensionProperties, 0);
    put64(&s, 1);
    NONE(&s);
    NONE(&s);
    NONE(&s);
    REFUSE(&s, "a pointer is missing");
}

static void test_output_blobs_are_bounded(void **state)
{
    for (uint64_t size = 1; size; size <<= 9) {
        struct stream s = {.size = 0};
        put_command(&s, WIRE_vkGetQueryPoolResults, 1);
        put64(&s, 1);
        put64(&s, 2);
        put32(&s, 0);
        put32(&s, 1);
        put64(&s, size);
        put64(&s, size);
        put64(&s, 8);
        put32(&s, 0);
        decoder.reply_capacity = 1000;
        if (size <= 1000)
            ACCEPT(&s);
        else
            REFUSE(&s, "an output array is larger than the reply may be");
    }
}

static void test_capacities_in_skeletons(void **state)
{
#ifdef VK_EXT_host_image_copy
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkGetPhysicalDeviceProperties2, 1);
    put64(&s, 1);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_PROPERTIES_EXT);
    NONE(&s);
    put32(&s, 5); // copySrcLayoutCount
    put64(&s, 5);
    put32(&s, 2); // copyDstLayoutCount
    put64(&s, 0);
    ACCEPT(&s);
    VkPhysicalDeviceProperties2 *properties =
        ((struct wire_args_vkGetPhysicalDeviceProperties2 *)call.args)->pProperties;
    VkPhysicalDeviceHostImageCopyPropertiesEXT *copy = properties->pNext;
    assert_int_equal(copy->copySrcLayoutCount, 5);
    assert_int_equal(copy->pCopySrcLayouts[4], 0);
    assert_int_equal(copy->copyDstLayoutCount, 2);
    assert_null(copy->pCopyDstLayouts);
#endif
}

static void test_length_in_front(void **state)
{
#ifdef VK_EXT_descriptor_heap
    // VkHostAddressRangeEXT: the size crosses first although C has it last
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkGetImageOpaqueCaptureDataEXT, 1);
    put64(&s, 1);
    put32(&s, 1);
    put64(&s, 1);
    put64(&s, 6); // image
    put64(&s, 1);
    put64(&s, 40);
    put64(&s, 40);
    ACCEPT(&s);
    struct wire_args_vkGetImageOpaqueCaptureDataEXT *args = call.args;
    assert_int_equal(args->pDatas[0].size, 40);
    memset(args->pDatas[0].address, 0xab, 40);
    uint8_t reply[4 + 4 + 8 + 8 + 8 + 40];
    struct wire_encoder encoder = {reply, reply + sizeof(reply)};
    assert_true(wire_encode_reply(&encoder, &call));
    assert_ptr_equal(encoder.cursor, encoder.end);
    assert_int_equal(reply[16], 40);
    assert_int_equal(reply[sizeof(reply) - 1], 0xab);
#endif
}

static void test_in_and_out(void **state)
{
#ifdef VK_EXT_descriptor_heap
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkRegisterCustomBorderColorEXT, 1);
    put64(&s, 1);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_SAMPLER_CUSTOM_BORDER_COLOR_CREATE_INFO_EXT);
    NONE(&s);
    put32(&s, 2);
    put64(&s, 4);
    for (int i = 0; i < 4; i++)
        put32(&s, 0);
    put32(&s, 37);
    put32(&s, 1);
    PRESENT(&s);
    put32(&s, 12); // pIndex goes both ways
    ACCEPT(&s);
    assert_int_equal(*((struct wire_args_vkRegisterCustomBorderColorEXT *)call.args)->pIndex, 12);
#endif
}

// ---- replies ----

static void test_reply(void **state)
{
    struct stream s = {.size = 0};
    put_enumerate_extensions(&s, 1, 3, 3);
    ACCEPT(&s);
    struct wire_args_vkEnumerateDeviceExtensionProperties *args = call.args;
    *args->pPropertyCount = 1; // fewer than there was room for
    strcpy(args->pProperties[0].extensionName, "VK_KHR_x");
    args->pProperties[0].specVersion = 4;
    args->ret = VK_INCOMPLETE;
    uint8_t reply[4 + 4 + 12 + 8 + 268];
    struct wire_encoder encoder = {reply, reply + sizeof(reply)};
    assert_true(wire_encode_reply(&encoder, &call));
    assert_ptr_equal(encoder.cursor, encoder.end);
    uint32_t words[sizeof(reply) / 4];
    memcpy(words, reply, sizeof(reply));
    assert_int_equal(words[0], WIRE_vkEnumerateDeviceExtensionProperties);
    assert_int_equal(words[1], VK_INCOMPLETE);
    assert_int_equal(words[2], 1);
    assert_int_equal(words[4], 1);
    assert_int_equal(words[5], 1);
    assert_int_equal(words[7], 256);
    assert_string_equal((char *)(words + 9), "VK_KHR_x");
    assert_int_equal(words[9 + 64], 4);
    // any size too small is noticed before it is exceeded
    for (size_t size = 0; size < sizeof(reply); size++) {
        uint8_t *tight = malloc(size ? size : 1);
        struct wire_encoder small = {tight, tight + size};
        assert_false(wire_encode_reply(&small, &call));
        free(tight);
    }
}

// A handler may hang structures of its own into a chain that the guest gets back.
static void test_foreign_structures_are_left_out(void **state)
{
    static const int32_t chain[] = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MULTIVIEW_FEATURES, 0};
    struct stream s = {.size = 0};
    put_features_query(&s, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, chain);
    ACCEPT(&s);
    VkPhysicalDeviceFeatures2 *features =
        ((struct wire_args_vkGetPhysicalDeviceFeatures2 *)call.args)->pFeatures;
    uint8_t plain[1024], with[1024];
    struct wire_encoder a = {plain, plain + 1024}, b = {with, with + 1024};
    assert_true(wire_encode_reply(&a, &call));
    VkBaseOutStructure foreign = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                  .pNext = features->pNext};
    features->pNext = &foreign;
    assert_true(wire_encode_reply(&b, &call));
    assert_int_equal(a.cursor - plain, b.cursor - with);
    assert_same("reply", with, plain, (size_t)(a.cursor - plain));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, finish)

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
        TEST(test_chain_is_rebuilt),
        TEST(test_wrong_structures),
        TEST(test_longest_chain),
        TEST(test_chain_bodies_are_reversed),
        TEST(test_untagged_unions),
#ifdef VK_KHR_acceleration_structure
        TEST(test_selected_unions),
        TEST(test_arrays_of_arrays),
#endif
        TEST(test_output_arrays_are_bounded),
        TEST(test_output_blobs_are_bounded),
        TEST(test_capacities_in_skeletons),
        TEST(test_length_in_front),
        TEST(test_in_and_out),
        TEST(test_reply),
        TEST(test_foreign_structures_are_left_out),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(last_copy);
    return failed;
}
