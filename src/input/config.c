// The configuration space: what the devices are.
#include <string.h>

#include "input/private.h"

enum select {
    SELECT_ID_NAME = 0x01,
    SELECT_ID_SERIAL = 0x02,
    SELECT_ID_DEVIDS = 0x03,
    SELECT_PROP_BITS = 0x10,
    SELECT_EV_BITS = 0x11,
    SELECT_ABS_INFO = 0x12,
};

enum { BUS_VIRTUAL = 0x06, VENDOR = 0x4853, VERSION = 1 };

struct codes {
    uint16_t type, first, last;
};

// udev and libinput go by these bits: keys make a keyboard; ABS_X, ABS_Y and mouse buttons without
// any touch an absolute mouse; PROP_DIRECT and BTN_TOUCH a touch screen.
static const struct codes keyboard[] = {
    {INPUT_EV_KEY, INPUT_KEY_FIRST, INPUT_KEY_LAST},
    {INPUT_EV_LED, INPUT_LED_NUML, INPUT_LED_SCROLLL},
    {INPUT_EV_REP, INPUT_REP_DELAY, INPUT_REP_PERIOD}, // the driver's core repeats keys then
};
static const struct codes pointer[] = {
    {INPUT_EV_KEY, INPUT_BTN_LEFT, INPUT_BTN_TASK},
    {INPUT_EV_REL, INPUT_REL_HWHEEL, INPUT_REL_HWHEEL},
    {INPUT_EV_REL, INPUT_REL_WHEEL, INPUT_REL_WHEEL},
    {INPUT_EV_REL, INPUT_REL_WHEEL_HI_RES, INPUT_REL_HWHEEL_HI_RES},
    {INPUT_EV_ABS, INPUT_ABS_X, INPUT_ABS_Y},
};
static const struct codes mouse[] = {
    {INPUT_EV_KEY, INPUT_BTN_LEFT, INPUT_BTN_TASK},
    {INPUT_EV_REL, INPUT_REL_X, INPUT_REL_Y},
    {INPUT_EV_REL, INPUT_REL_HWHEEL, INPUT_REL_HWHEEL},
    {INPUT_EV_REL, INPUT_REL_WHEEL, INPUT_REL_WHEEL},
    {INPUT_EV_REL, INPUT_REL_WHEEL_HI_RES, INPUT_REL_HWHEEL_HI_RES},
};
static const struct codes touch[] = {
    {INPUT_EV_KEY, INPUT_BTN_TOUCH, INPUT_BTN_TOUCH},
    {INPUT_EV_ABS, INPUT_ABS_X, INPUT_ABS_Y},
    {INPUT_EV_ABS, INPUT_ABS_MT_SLOT, INPUT_ABS_MT_SLOT},
    {INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X, INPUT_ABS_MT_POSITION_Y},
    {INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, INPUT_ABS_MT_TRACKING_ID},
};

static const struct codes pad[] = {
    {INPUT_EV_KEY, INPUT_BTN_SOUTH, INPUT_BTN_EAST},
    {INPUT_EV_KEY, INPUT_BTN_NORTH, INPUT_BTN_WEST},
    {INPUT_EV_KEY, INPUT_BTN_TL, INPUT_BTN_TR},
    {INPUT_EV_KEY, INPUT_BTN_SELECT, INPUT_BTN_THUMBR},
    {INPUT_EV_ABS, INPUT_ABS_X, INPUT_ABS_RZ},
    {INPUT_EV_ABS, INPUT_ABS_HAT0X, INPUT_ABS_HAT0Y},
};

static const struct {
    const char *name, *title;
    const struct codes *codes;
    unsigned count;
} kinds[INPUT_KINDS] = {
    [INPUT_KEYBOARD] = {"keyboard", "Hesper Keyboard", keyboard,
                        sizeof(keyboard) / sizeof(*keyboard)},
    [INPUT_POINTER] = {"pointer", "Hesper Pointer", pointer, sizeof(pointer) / sizeof(*pointer)},
    [INPUT_MOUSE] = {"mouse", "Hesper Mouse", mouse, sizeof(mouse) / sizeof(*mouse)},
    [INPUT_PAD] = {"pad", "Hesper Game Pad", pad, sizeof(pad) / sizeof(*pad)},
    [INPUT_PAD2] = {"pad2", "Hesper Game Pad 2", pad, sizeof(pad) / sizeof(*pad)},
    [INPUT_PAD3] = {"pad3", "Hesper Game Pad 3", pad, sizeof(pad) / sizeof(*pad)},
    [INPUT_PAD4] = {"pad4", "Hesper Game Pad 4", pad, sizeof(pad) / sizeof(*pad)},
    [INPUT_TOUCH] = {"touch", "Hesper Touchscreen", touch, sizeof(touch) / sizeof(*touch)},
};

const char *input_kind_name(enum input_kind kind)
{
    return kinds[kind].name;
}

static bool has(enum input_kind kind, uint16_t type, uint16_t code)
{
    for (unsigned i = 0; i < kinds[kind].count; i++) {
        const struct codes *codes = &kinds[kind].codes[i];
        if (codes->type == type && code >= codes->first && code <= codes->last)
            return true;
    }
    return false;
}

bool input_kind_takes(enum input_kind kind, uint16_t type, uint16_t code)
{
    switch (type) {
    case INPUT_EV_SYN:
        return code == INPUT_SYN_REPORT;
    case INPUT_EV_KEY:
    case INPUT_EV_REL:
    case INPUT_EV_ABS:
        return has(kind, type, code);
    default:
        return false; // the driver sends LEDs, it does not get them
    }
}

static uint8_t text(uint8_t bytes[128], const char *string)
{
    size_t length = strlen(string);
    memcpy(bytes, string, length);
    return (uint8_t)length;
}

static void put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static uint8_t event_bits(enum input_kind kind, uint8_t type, uint8_t bytes[128])
{
    unsigned size = 0;
    if (type == INPUT_EV_SYN)
        return 0;
    for (unsigned code = 0; code < 128 * 8; code++) {
        if (!has(kind, type, (uint16_t)code))
            continue;
        bytes[code / 8] |= (uint8_t)(1 << code % 8);
        size = code / 8 + 1;
    }
    return (uint8_t)size;
}

static void put32(uint8_t *to, int32_t value)
{
    put16(to, (uint32_t)value & 0xffff);
    put16(to + 2, (uint32_t)value >> 16);
}

int32_t input_axis_most(unsigned code)
{
    return code >= INPUT_ABS_HAT0X                       ? 1
           : code == INPUT_ABS_Z || code == INPUT_ABS_RZ ? INPUT_TRIGGER
                                                         : INPUT_STICK;
}

int32_t input_axis_least(unsigned code)
{
    return code == INPUT_ABS_Z || code == INPUT_ABS_RZ ? 0 : -input_axis_most(code);
}

static uint8_t absolute_info(enum input_kind kind, uint8_t code, uint8_t bytes[128])
{
    enum { INFO_SIZE = 20, MAXIMUM = 4 }; // minimum, maximum, fuzz, flat, resolution: 32 bits each
    if (!has(kind, INPUT_EV_ABS, code))
        return 0;
    if (input_kind_is_pad(kind)) {
        put32(bytes, input_axis_least(code));
        put32(bytes + MAXIMUM, input_axis_most(code));
        return INFO_SIZE;
    }
    put16(bytes + MAXIMUM, code == INPUT_ABS_MT_SLOT          ? INPUT_CONTACTS - 1
                           : code == INPUT_ABS_MT_TRACKING_ID ? INPUT_MAX_TRACKING
                                                              : INPUT_RANGE);
    return INFO_SIZE;
}

// Puts what a selection shows into `bytes`, and returns its size.
static uint8_t selected(enum input_kind kind, uint8_t select, uint8_t subselect, uint8_t bytes[128])
{
    memset(bytes, 0, 128);
    switch (select) {
    case SELECT_ID_NAME:
        return subselect ? 0 : text(bytes, kinds[kind].title);
    case SELECT_ID_SERIAL:
        return subselect ? 0 : text(bytes, kinds[kind].name);
    case SELECT_ID_DEVIDS:
        if (subselect)
            return 0;
        put16(bytes, BUS_VIRTUAL);
        put16(bytes + 2, VENDOR);
        put16(bytes + 4, kind + 1u);
        put16(bytes + 6, VERSION);
        return 8;
    case SELECT_PROP_BITS:
        if (subselect || kind != INPUT_TOUCH)
            return 0;
        bytes[0] = 1 << INPUT_PROP_DIRECT;
        return 1;
    case SELECT_EV_BITS:
        return event_bits(kind, subselect, bytes);
    case SELECT_ABS_INFO:
        return absolute_info(kind, subselect, bytes);
    }
    return 0;
}

void input_device_read_config(const struct input_device *device, uint32_t offset, void *bytes,
                              uint32_t size)
{
    uint8_t config[INPUT_CONFIG_SIZE] = {device->select, device->subselect};
    config[2] = selected(device->kind, device->select, device->subselect, config + 8);
    if (offset <= sizeof(config) && size <= sizeof(config) - offset)
        memcpy(bytes, config + offset, size);
}

// Only the selection can be written; QEMU sends the whole space.
void input_device_write_config(struct input_device *device, uint32_t offset, const void *bytes,
                               uint32_t size)
{
    const uint8_t *from = bytes;
    if (offset == 0 && size > 0)
        device->select = from[0];
    if (offset <= 1 && size > 1 - offset)
        device->subselect = from[1 - offset];
}
