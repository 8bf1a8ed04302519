// The rules of structures, their chains, and unions, one by one: what comes out, and what is
// refused.
#include <pthread.h>

#include "decoding.h"
#include "wire/table.h"

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
    REFUSE(&s, "a pointer that cannot cross is not null");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_chain_is_rebuilt),          TEST(test_wrong_structures), TEST(test_longest_chain),
        TEST(test_chain_bodies_are_reversed), TEST(test_untagged_unions),
#ifdef VK_KHR_acceleration_structure
        TEST(test_selected_unions),           TEST(test_arrays_of_arrays),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, finish_all);
}
