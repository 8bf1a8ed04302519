// What a driver finds in the configuration space: that of virtio 1.2 §5.8.4, as Linux reads it.
#include "driver.h"

#include <string.h>

enum {
    ID_NAME = 0x01,
    ID_SERIAL = 0x02,
    ID_DEVIDS = 0x03,
    PROP_BITS = 0x10,
    EV_BITS = 0x11,
    ABS_INFO = 0x12,
};

// Selects as QEMU does (all bytes), reads as Linux does (size, then data).
static uint8_t look(struct driver *d, uint8_t select, uint8_t subselect, uint8_t data[128])
{
    uint8_t all[INPUT_CONFIG_SIZE] = {select, subselect, 0xff, 0xff};
    uint8_t size;
    input_device_write_config(d->device, 0, all, sizeof(all));
    input_device_read_config(d->device, 2, &size, 1);
    input_device_read_config(d->device, 8, data, 128);
    for (unsigned i = size; i < 128; i++)
        assert_int_equal(data[i], 0);
    return size;
}

static bool bit(const uint8_t *data, unsigned code)
{
    return data[code / 8] >> code % 8 & 1;
}

static unsigned bits(const uint8_t *data)
{
    unsigned count = 0;
    for (unsigned code = 0; code < 128 * 8; code++)
        count += bit(data, code);
    return count;
}

static uint32_t word(const uint8_t *data, unsigned index)
{
    uint32_t value;
    memcpy(&value, data + 4 * index, 4);
    return value;
}

static int keyboard(void **state)
{
    *state = driver_create(INPUT_KEYBOARD);
    return 0;
}

static int pointer(void **state)
{
    *state = driver_create(INPUT_POINTER);
    return 0;
}

static int mouse(void **state)
{
    *state = driver_create(INPUT_MOUSE);
    return 0;
}

static int pad(void **state)
{
    *state = driver_create(INPUT_PAD2);
    return 0;
}

static int touch(void **state)
{
    *state = driver_create(INPUT_TOUCH);
    return 0;
}

static void a_keyboard(void **state)
{
    uint8_t data[128];
    assert_int_equal(look(*state, ID_NAME, 0, data), strlen("Hesper Keyboard"));
    assert_memory_equal(data, "Hesper Keyboard", strlen("Hesper Keyboard"));
    assert_true(look(*state, ID_SERIAL, 0, data) > 0);
    assert_int_equal(look(*state, ID_DEVIDS, 0, data), 8);
    assert_int_equal(data[0], 6); // BUS_VIRTUAL
    assert_int_equal(look(*state, PROP_BITS, 0, data), 0);

    assert_int_equal(look(*state, EV_BITS, INPUT_EV_KEY, data), 32);
    assert_int_equal(bits(data), 248); // all that have a place on a keyboard, and no buttons
    assert_false(bit(data, 0));
    assert_true(bit(data, 1));
    assert_int_equal(look(*state, EV_BITS, INPUT_EV_LED, data), 1);
    assert_int_equal(data[0], 7);
    assert_true(look(*state, EV_BITS, INPUT_EV_REP, data) > 0); // the guest repeats keys
    assert_int_equal(look(*state, EV_BITS, INPUT_EV_REL, data), 0);
    assert_int_equal(look(*state, EV_BITS, INPUT_EV_ABS, data), 0);
}

// libinput takes for a mouse what has ABS_X, ABS_Y, mouse buttons, and nothing of a touch screen.
static void a_pointer(void **state)
{
    uint8_t data[128];
    assert_true(look(*state, ID_NAME, 0, data) > 0);
    assert_int_equal(look(*state, PROP_BITS, 0, data), 0);
    look(*state, EV_BITS, INPUT_EV_KEY, data);
    assert_int_equal(bits(data), 8);
    assert_true(bit(data, INPUT_BTN_LEFT) && bit(data, INPUT_BTN_TASK));
    look(*state, EV_BITS, INPUT_EV_REL, data);
    assert_int_equal(bits(data), 4);
    assert_true(bit(data, INPUT_REL_WHEEL) && bit(data, INPUT_REL_WHEEL_HI_RES));
    assert_true(bit(data, INPUT_REL_HWHEEL) && bit(data, INPUT_REL_HWHEEL_HI_RES));
    look(*state, EV_BITS, INPUT_EV_ABS, data);
    assert_int_equal(bits(data), 2);
    assert_int_equal(look(*state, ABS_INFO, INPUT_ABS_Y, data), 20);
    assert_int_equal(word(data, 0), 0);
    assert_int_equal(word(data, 1), INPUT_RANGE);
    assert_int_equal(look(*state, ABS_INFO, INPUT_ABS_MT_SLOT, data), 0);
    assert_int_equal(look(*state, EV_BITS, INPUT_EV_LED, data), 0);
    assert_int_equal(look(*state, EV_BITS, INPUT_EV_REP, data), 0);
}

// udev takes for a mouse what has REL_X, REL_Y and mouse buttons, and no positions.
static void a_mouse(void **state)
{
    uint8_t data[128];
    look(*state, EV_BITS, INPUT_EV_KEY, data);
    assert_int_equal(bits(data), 8);
    assert_true(bit(data, INPUT_BTN_LEFT) && bit(data, INPUT_BTN_TASK));
    look(*state, EV_BITS, INPUT_EV_REL, data);
    assert_int_equal(bits(data), 6);
    assert_true(bit(data, INPUT_REL_X) && bit(data, INPUT_REL_Y));
    assert_int_equal(look(*state, EV_BITS, INPUT_EV_ABS, data), 0);
    assert_int_equal(look(*state, PROP_BITS, 0, data), 0);
}

// Linux's input core and SDL take what has BTN_SOUTH and so on for a game pad, and go by its
// ranges.
static void a_game_pad(void **state)
{
    uint8_t data[128];
    look(*state, EV_BITS, INPUT_EV_KEY, data);
    assert_int_equal(bits(data), 11);
    assert_true(bit(data, INPUT_BTN_SOUTH) && bit(data, INPUT_BTN_THUMBR));
    look(*state, EV_BITS, INPUT_EV_ABS, data);
    assert_int_equal(bits(data), 8);
    assert_int_equal(look(*state, EV_BITS, INPUT_EV_REL, data), 0);
    assert_int_equal(look(*state, ABS_INFO, INPUT_ABS_Y, data), 20);
    assert_int_equal((int32_t)word(data, 0), -INPUT_STICK);
    assert_int_equal((int32_t)word(data, 1), INPUT_STICK);
    look(*state, ABS_INFO, INPUT_ABS_RZ, data);
    assert_int_equal(word(data, 0), 0);
    assert_int_equal(word(data, 1), INPUT_TRIGGER);
    look(*state, ABS_INFO, INPUT_ABS_HAT0X, data);
    assert_int_equal((int32_t)word(data, 0), -1);
    assert_int_equal(word(data, 1), 1);
    assert_int_equal(look(*state, ID_NAME, 0, data), strlen("Hesper Game Pad 2"));
}

static void a_touch_screen(void **state)
{
    uint8_t data[128];
    assert_int_equal(look(*state, PROP_BITS, 0, data), 1);
    assert_true(bit(data, INPUT_PROP_DIRECT));
    look(*state, EV_BITS, INPUT_EV_KEY, data);
    assert_int_equal(bits(data), 1);
    assert_true(bit(data, INPUT_BTN_TOUCH));
    look(*state, EV_BITS, INPUT_EV_ABS, data);
    assert_int_equal(bits(data), 6);
    look(*state, ABS_INFO, INPUT_ABS_MT_SLOT, data);
    assert_int_equal(word(data, 1), INPUT_CONTACTS - 1);
    look(*state, ABS_INFO, INPUT_ABS_MT_TRACKING_ID, data);
    assert_int_equal(word(data, 1), 65535);
    look(*state, ABS_INFO, INPUT_ABS_MT_POSITION_X, data);
    assert_int_equal(word(data, 1), INPUT_RANGE);
}

static void what_is_not_there_has_no_size(void **state)
{
    uint8_t data[128];
    for (unsigned select = 0; select < 256; select++)
        for (unsigned sub = 0; sub < 256; sub++)
            if (select != ABS_INFO && select != EV_BITS && (sub || (select > 3 && select != 16)))
                assert_int_equal(look(*state, (uint8_t)select, (uint8_t)sub, data), 0);
    assert_int_equal(look(*state, EV_BITS, 0, data), 0);
    assert_int_equal(look(*state, 0, 0, data), 0);
}

static void a_selection_may_be_written_byte_by_byte(void **state)
{
    struct driver *d = *state;
    uint8_t select = EV_BITS, sub = INPUT_EV_ABS, size = 0, bytes[4];
    input_device_write_config(d->device, 0, &select, 1);
    input_device_write_config(d->device, 1, &sub, 1);
    input_device_read_config(d->device, 2, &size, 1);
    assert_true(size > 0);
    memset(bytes, 0xff, sizeof(bytes));
    input_device_write_config(d->device, 2, bytes, 4); // not to be written
    input_device_read_config(d->device, 0, bytes, 4);
    assert_int_equal(bytes[0], EV_BITS);
    assert_int_equal(bytes[1], INPUT_EV_ABS);
    assert_int_equal(bytes[2], size);
    assert_int_equal(bytes[3], 0);
}

static void nothing_is_read_or_written_beyond_the_end(void **state)
{
    struct driver *d = *state;
    uint8_t bytes[8];
    memset(bytes, 0xee, sizeof(bytes));
    input_device_read_config(d->device, INPUT_CONFIG_SIZE - 4, bytes, 8);
    assert_int_equal(bytes[0], 0xee);
    input_device_read_config(d->device, UINT32_MAX, bytes, 8);
    assert_int_equal(bytes[0], 0xee);
    input_device_write_config(d->device, UINT32_MAX, bytes, 8);
    input_device_write_config(d->device, INPUT_CONFIG_SIZE, bytes, 8);
    input_device_write_config(d->device, 0, bytes, 0);
    input_device_read_config(d->device, 0, bytes, 2);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_keyboard, keyboard, driver_teardown),
        cmocka_unit_test_setup_teardown(a_pointer, pointer, driver_teardown),
        cmocka_unit_test_setup_teardown(a_mouse, mouse, driver_teardown),
        cmocka_unit_test_setup_teardown(a_game_pad, pad, driver_teardown),
        cmocka_unit_test_setup_teardown(a_touch_screen, touch, driver_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_has_no_size, touch, driver_teardown),
        cmocka_unit_test_setup_teardown(a_selection_may_be_written_byte_by_byte, pointer,
                                        driver_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_read_or_written_beyond_the_end, keyboard,
                                        driver_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
