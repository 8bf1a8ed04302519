// Outputs: storage for the driver, bounded by the reply; and replies.
#include "decoding.h"

// ---- outputs --------------------------------------------------------------

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

// ---- replies --------------------------------------------------------------

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_output_arrays_are_bounded),
        TEST(test_output_blobs_are_bounded),
        TEST(test_capacities_in_skeletons),
        TEST(test_length_in_front),
        TEST(test_in_and_out),
        TEST(test_reply),
        TEST(test_foreign_structures_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, finish_all);
}
