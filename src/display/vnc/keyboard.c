#include "display/vnc/keyboard.h"

#include <string.h>

#include "display/vnc/keys.h"

#define SCANCODE 0x80000000u // in a name: no symbol is that high

static bool is_modifier(uint16_t code)
{
    return code == VNC_KEY_LEFTCTRL || code == VNC_KEY_RIGHTCTRL || code == VNC_KEY_LEFTALT ||
           code == VNC_KEY_RIGHTALT || code == VNC_KEY_LEFTMETA || code == VNC_KEY_RIGHTMETA;
}

static unsigned count_held(const struct vnc_keyboard *keyboard, bool modifiers)
{
    unsigned count = 0;
    for (size_t i = 0; i < keyboard->held_count; i++)
        count += is_modifier(keyboard->held[i].code) == modifiers;
    return count;
}

static void set_shift(struct vnc_keyboard *keyboard, bool left, bool right)
{
    static const uint16_t codes[2] = {VNC_KEY_LEFTSHIFT, VNC_KEY_RIGHTSHIFT};
    const bool wanted[2] = {left, right};
    for (int i = 0; i < 2; i++)
        if (keyboard->guest_shift[i] != wanted[i]) {
            keyboard->guest_shift[i] = wanted[i];
            keyboard->send(keyboard->data, codes[i], wanted[i]);
        }
}

// Gives the guest the Shift that a symbol needs, which on the viewer's layout may have been typed
// with another one. It stays so until the key is up: the guest may be repeating it.
static void shift_for(struct vnc_keyboard *keyboard, unsigned shift)
{
    bool down = keyboard->guest_shift[0] || keyboard->guest_shift[1], wanted = down;
    switch (shift) {
    case VNC_SHIFT_UP:
        wanted = false;
        break;
    case VNC_SHIFT_DOWN:
        wanted = true;
        break;
    case VNC_SHIFT_LOWER:
    case VNC_SHIFT_UPPER:
        // With Control and the like it is the key that counts.
        if (!count_held(keyboard, true))
            wanted = (shift == VNC_SHIFT_UPPER) != keyboard->caps_lock;
        break;
    }
    if (wanted && !down)
        set_shift(keyboard, true, false);
    else if (!wanted && down)
        set_shift(keyboard, false, false);
}

static void release(struct vnc_keyboard *keyboard, size_t index)
{
    uint16_t code = keyboard->held[index].code;
    keyboard->held_count--;
    memmove(&keyboard->held[index], &keyboard->held[index + 1],
            (keyboard->held_count - index) * sizeof(keyboard->held[0]));
    keyboard->send(keyboard->data, code, false);
}

static void press(struct vnc_keyboard *keyboard, uint32_t name, struct vnc_key key)
{
    for (size_t i = 0; i < keyboard->held_count; i++)
        if (keyboard->held[i].name == name)
            return;
    for (size_t i = 0; i < keyboard->held_count; i++)
        if (keyboard->held[i].code == key.code) { // by another name, whose release was lost
            release(keyboard, i);
            break;
        }
    if (keyboard->held_count == VNC_HELD_KEYS)
        release(keyboard, 0);
    shift_for(keyboard, key.shift);
    keyboard->held[keyboard->held_count].name = name;
    keyboard->held[keyboard->held_count++].code = key.code;
    keyboard->send(keyboard->data, key.code, true);
    if (key.code == VNC_KEY_CAPSLOCK)
        keyboard->caps_lock = !keyboard->caps_lock; // until the guest tells by its LED
}

static void unpress(struct vnc_keyboard *keyboard, uint32_t name, uint16_t code)
{
    size_t index = 0;
    while (index < keyboard->held_count && keyboard->held[index].name != name)
        index++;
    if (index == keyboard->held_count)
        for (index = 0; index < keyboard->held_count && keyboard->held[index].code != code;)
            index++;
    if (index < keyboard->held_count) {
        release(keyboard, index);
    } else if (!is_modifier(code)) {
        // Shift has changed the key's name since it was pressed, so that its release names no key
        // that is down. All go up: one that stayed down would repeat for ever.
        for (size_t i = keyboard->held_count; i-- > 0;)
            if (!is_modifier(keyboard->held[i].code))
                release(keyboard, i);
    }
    if (!count_held(keyboard, false))
        set_shift(keyboard, keyboard->shift[0], keyboard->shift[1]);
}

static void take(struct vnc_keyboard *keyboard, uint32_t name, struct vnc_key key, bool down)
{
    if (key.code == VNC_KEY_LEFTSHIFT || key.code == VNC_KEY_RIGHTSHIFT) {
        bool same = keyboard->shift[0] == keyboard->guest_shift[0] &&
                    keyboard->shift[1] == keyboard->guest_shift[1];
        keyboard->shift[key.code == VNC_KEY_RIGHTSHIFT] = down;
        if (same || !count_held(keyboard, false))
            set_shift(keyboard, keyboard->shift[0], keyboard->shift[1]);
    } else if (down) {
        press(keyboard, name, key);
    } else {
        unpress(keyboard, name, key.code);
    }
}

void vnc_keyboard_symbol(struct vnc_keyboard *keyboard, uint32_t symbol, bool down)
{
    struct vnc_key key;
    if (vnc_key_of_symbol(symbol, keyboard->num_lock, &key))
        take(keyboard, symbol & ~SCANCODE, key, down);
}

void vnc_keyboard_scancode(struct vnc_keyboard *keyboard, uint32_t scancode, bool down)
{
    struct vnc_key key = {vnc_key_of_scancode(scancode), VNC_SHIFT_ANY};
    if (key.code)
        take(keyboard, scancode | SCANCODE, key, down);
}

void vnc_keyboard_leds(struct vnc_keyboard *keyboard, uint32_t leds)
{
    keyboard->num_lock = leds & 1;
    keyboard->caps_lock = leds & 2;
}
