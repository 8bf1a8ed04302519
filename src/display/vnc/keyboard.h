// The keyboard of one viewer: the keys that it holds down, and Shift as each symbol needs it.
//
// Thread: one.
#ifndef VNC_KEYBOARD_H
#define VNC_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VNC_HELD_KEYS 32

struct vnc_keyboard {
    // Called for each key of the guest's keyboard that goes down or up.
    void (*send)(void *data, uint16_t code, bool down);
    void *data;

    // Private. A key is released under the name by which it was pressed.
    struct {
        uint32_t name;
        uint16_t code;
    } held[VNC_HELD_KEYS]; // without Shift
    size_t held_count;
    bool shift[2], guest_shift[2]; // left, right: as the viewer holds it, as the guest has it
    bool caps_lock, num_lock;      // of the guest
};

// All members but `send` and `data` begin as 0. A key that is down and goes down again is ignored:
// it is the viewer's repetition, and guests repeat by themselves.
void vnc_keyboard_symbol(struct vnc_keyboard *keyboard, uint32_t symbol, bool down);
void vnc_keyboard_scancode(struct vnc_keyboard *keyboard, uint32_t scancode, bool down);
// `leds` as in struct link_keyboard_leds.
void vnc_keyboard_leds(struct vnc_keyboard *keyboard, uint32_t leds);

#endif
