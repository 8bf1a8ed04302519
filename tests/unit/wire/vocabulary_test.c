// The vocabulary and the capset that is made from it. Run with vk.xml 1.4.343 or newer: full; with
// an older one: what it covers.
#include "support.h"
#include "wire/capset.h"

static uint32_t word(const uint8_t *capset, int index)
{
    uint32_t v;
    memcpy(&v, capset + index * 4, 4);
    return v;
}

static void test_capset(void **state)
{
    // As documented for 1.4.343, "mask is valid" included.
    static const uint32_t mask[32] = {
        0x2001c001, 0x30402000, 0x005f6bef, 0xc25660c0, 0xf0bb6919, 0xa2658e0c, 0x41310562,
        0xf0e47a0f, 0x9625b474, 0x0800054d, 0x30b70a5a, 0xc6000233, 0x5002073b, 0x000800ca,
        0x008d0150, 0x08198004, 0x00c2e001, 0x01288007, 0x20000090, 0x00000020, 0x00000008};
    uint8_t capset[WIRE_CAPSET_SIZE];
    wire_capset(capset);
    bool full = wire_vk_xml_version() == VK_MAKE_API_VERSION(0, 1, 4, 343);
    assert_int_equal(word(capset, 0), 1);
    assert_int_equal(word(capset, 1), wire_vk_xml_version());
    assert_true(wire_vk_xml_version() <= VK_MAKE_API_VERSION(0, 1, 4, 343));
    assert_int_equal(word(capset, 2), 1);
    assert_int_equal(word(capset, 3), WIRE_PROTOCOL_SPEC);
    if (full)
        assert_int_equal(WIRE_PROTOCOL_SPEC, 4);
    assert_int_equal(word(capset, 4), 1);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(word(capset, 5 + i) & ~mask[i], 0);
        if (full)
            assert_int_equal(word(capset, 5 + i), mask[i]);
    }
    assert_int_equal(word(capset, 5) & 1, 1);
    assert_int_equal(word(capset, 37), 1);
    assert_int_equal(word(capset, 38), 1);
    assert_int_equal(word(capset, 39), 0);
}

static void test_extensions(void **state)
{
    uint32_t count;
    const struct wire_extension *extensions = wire_extensions(&count);
    if (wire_vk_xml_version() == VK_MAKE_API_VERSION(0, 1, 4, 343))
        assert_int_equal(count, 187);
    for (uint32_t i = 0; i < count; i++) {
        assert_ptr_equal(wire_find_extension(extensions[i].name), &extensions[i]);
        assert_true(extensions[i].spec_version > 0);
        assert_true(i == 0 || strcmp(extensions[i - 1].name, extensions[i].name) < 0);
    }
    assert_null(wire_find_extension("VK_KHR_swapchain"));
    assert_null(wire_find_extension(""));
    assert_int_equal(wire_find_extension("VK_EXT_command_serialization")->number, 384);
    assert_int_equal(wire_find_extension("VK_MESA_venus_protocol")->spec_version,
                     WIRE_PROTOCOL_SPEC);
}

static void test_commands(void **state)
{
    assert_string_equal(wire_command_info(WIRE_vkCreateInstance)->name, "vkCreateInstance");
    assert_string_equal(wire_command_info(188)->name, "vkCreateRingMESA");
    assert_int_equal(wire_command_info(WIRE_vkCmdDraw)->args_size,
                     sizeof(struct wire_args_vkCmdDraw));
    // vkGetInstanceProcAddr, vkMapMemory, a dead number, numbers not given out
    static const uint32_t never[] = {9, 10, 23, 160, 195, 250, 293, WIRE_COMMAND_COUNT, UINT32_MAX};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_null(wire_command_info(never[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capset),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
