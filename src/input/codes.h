// Event types and codes that our devices have, by evdev's numbers (virtio 1.2 §5.8 takes them as
// they are).
#ifndef INPUT_CODES_H
#define INPUT_CODES_H

enum input_type {
    INPUT_EV_SYN = 0x00,
    INPUT_EV_KEY = 0x01,
    INPUT_EV_REL = 0x02,
    INPUT_EV_ABS = 0x03,
    INPUT_EV_LED = 0x11,
    INPUT_EV_REP = 0x14,
};

enum input_code {
    INPUT_SYN_REPORT = 0,

    INPUT_KEY_FIRST = 1, // KEY_ESC
    INPUT_KEY_LEFTCTRL = 29,
    INPUT_KEY_LEFTSHIFT = 42,
    INPUT_KEY_RIGHTSHIFT = 54,
    INPUT_KEY_LEFTALT = 56,
    INPUT_KEY_F1 = 59,
    INPUT_KEY_F10 = 68,
    INPUT_KEY_F11 = 87,
    INPUT_KEY_F12 = 88,
    INPUT_KEY_RIGHTCTRL = 97,
    INPUT_KEY_RIGHTALT = 100,
    INPUT_KEY_LEFTMETA = 125,
    INPUT_KEY_RIGHTMETA = 126,
    INPUT_KEY_LAST = 248, // KEY_MICMUTE, the last that X11 and the like know

    INPUT_BTN_LEFT = 0x110,
    INPUT_BTN_RIGHT = 0x111,
    INPUT_BTN_MIDDLE = 0x112,
    INPUT_BTN_SIDE = 0x113,
    INPUT_BTN_EXTRA = 0x114,
    INPUT_BTN_TASK = 0x117, // behind BTN_FORWARD and BTN_BACK
    INPUT_BTN_SOUTH = 0x130,
    INPUT_BTN_EAST = 0x131,
    INPUT_BTN_NORTH = 0x133,
    INPUT_BTN_WEST = 0x134,
    INPUT_BTN_TL = 0x136,
    INPUT_BTN_TR = 0x137,
    INPUT_BTN_SELECT = 0x13a,
    INPUT_BTN_THUMBR = 0x13e, // behind BTN_START, BTN_MODE and BTN_THUMBL
    INPUT_BTN_TOUCH = 0x14a,
    INPUT_KEY_LIMIT = 0x150, // of the codes above

    INPUT_REL_X = 0x00,
    INPUT_REL_Y = 0x01,
    INPUT_REL_HWHEEL = 0x06,
    INPUT_REL_WHEEL = 0x08,
    INPUT_REL_WHEEL_HI_RES = 0x0b, // 120 to a click of the wheel
    INPUT_REL_HWHEEL_HI_RES = 0x0c,

    INPUT_ABS_X = 0x00,
    INPUT_ABS_Y = 0x01,
    INPUT_ABS_Z = 0x02,
    INPUT_ABS_RZ = 0x05, // behind ABS_RX and ABS_RY
    INPUT_ABS_HAT0X = 0x10,
    INPUT_ABS_HAT0Y = 0x11,
    INPUT_ABS_MT_SLOT = 0x2f,
    INPUT_ABS_MT_POSITION_X = 0x35,
    INPUT_ABS_MT_POSITION_Y = 0x36,
    INPUT_ABS_MT_TRACKING_ID = 0x39,

    INPUT_LED_NUML = 0,
    INPUT_LED_CAPSL = 1,
    INPUT_LED_SCROLLL = 2,

    INPUT_REP_DELAY = 0,
    INPUT_REP_PERIOD = 1,

    INPUT_PROP_DIRECT = 1,
};

enum {
    INPUT_RANGE = 32767,        // of positions: 0…INPUT_RANGE
    INPUT_STICK = 32767,        // of the sticks of a pad: -INPUT_STICK…INPUT_STICK
    INPUT_TRIGGER = 255,        // of its triggers: 0…INPUT_TRIGGER
    INPUT_AXES = 0x12,          // of a pad, with gaps: their codes are below
    INPUT_CLICK = 120,          // of a wheel, in the units of high resolution
    INPUT_MAX_CLICKS = 1000,    // of one event
    INPUT_MAX_MOTION = 32767,   // of a mouse, in one group
    INPUT_MAX_TRACKING = 65535, // ids of contacts
};

#endif
