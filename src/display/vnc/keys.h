// From a viewer's name of a key to the key of the guest's keyboard (evdev's codes, as EV_KEY
// carries them). RFB names symbols, not keys. They are looked up on a US keyboard, which a guest
// has unless its person has chosen another layout. Viewers with QEMU's extension name the key
// itself, and then the layout matters to the guest alone.
#ifndef VNC_KEYS_H
#define VNC_KEYS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VNC_KEY_LEFTCTRL = 29,
    VNC_KEY_LEFTSHIFT = 42,
    VNC_KEY_M = 50,
    VNC_KEY_RIGHTSHIFT = 54,
    VNC_KEY_LEFTALT = 56,
    VNC_KEY_CAPSLOCK = 58,
    VNC_KEY_RIGHTCTRL = 97,
    VNC_KEY_RIGHTALT = 100,
    VNC_KEY_LEFTMETA = 125,
    VNC_KEY_RIGHTMETA = 126,
    VNC_KEY_MAX = 255, // no code below is higher
};

enum vnc_shift {
    VNC_SHIFT_ANY, // the symbol is the key's with and without Shift
    VNC_SHIFT_UP,
    VNC_SHIFT_DOWN,
    VNC_SHIFT_LOWER, // a letter: as VNC_SHIFT_UP, the other way round while Caps Lock is on
    VNC_SHIFT_UPPER,
};

struct vnc_key {
    uint16_t code;
    uint16_t shift; // enum vnc_shift
};

// `num_lock`: it is on in the guest. If it is off, digits of the keypad become those of the main
// row. False: a US keyboard has no such key.
bool vnc_key_of_symbol(uint32_t symbol, bool num_lock, struct vnc_key *key);
// `scancode` is one of QEMU's extension: PC/XT's, with 0x80 added if it has the prefix 0xe0.
// Returns 0 if it is unknown.
uint16_t vnc_key_of_scancode(uint32_t scancode);

#endif
