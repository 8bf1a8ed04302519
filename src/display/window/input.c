#include "display/window/input.h"

#include <math.h>

// Linux's numbers, as virtio-input carries them.
enum {
    EV_KEY = 1,
    EV_REL = 2,
    EV_ABS = 3,
    REL_X = 0,
    REL_Y = 1,
    REL_WHEEL_HI_RES = 11,
    REL_HWHEEL_HI_RES = 12,
    ABS_MT_SLOT = 0x2f,
    ABS_MT_TRACKING_ID = 0x39,
    BTN_LEFT = 0x110,
    BTN_RIGHT,
    BTN_MIDDLE,
    BTN_SIDE,
    BTN_EXTRA,
    BTN_FORWARD,
    BTN_BACK,
    BTN_TASK,
    NOTCH = 120, // of a wheel, in units of REL_WHEEL_HI_RES
};

static void send_key(struct window_input *input, uint16_t code, bool down)
{
    display_input(input->display, LINK_INPUT_KEYBOARD, EV_KEY, code, down);
    display_input_end(input->display, LINK_INPUT_KEYBOARD);
}

bool window_input_key(struct window_input *input, SDL_Scancode scancode, bool down)
{
    uint16_t code = window_key_code(scancode);
    if (!code)
        return false;
    if (input->down[code] != down) {
        input->down[code] = down;
        send_key(input, code, down);
    }
    return true;
}

static bool is_down(const struct window_input *input, SDL_Scancode scancode)
{
    return input->down[window_key_code(scancode)];
}

static void release_keys(struct window_input *input)
{
    for (uint16_t code = 1; code <= WINDOW_KEY_MAX; code++) {
        if (!input->down[code])
            continue;
        input->down[code] = false;
        send_key(input, code, false);
    }
}

void window_input_match_lock(struct window_input *input, uint32_t leds, SDL_Keymod state)
{
    static const struct {
        SDL_Scancode key;
        SDL_Keymod on;
    } locks[] = {{SDL_SCANCODE_NUMLOCKCLEAR, KMOD_NUM}, {SDL_SCANCODE_CAPSLOCK, KMOD_CAPS}};
    for (unsigned led = 0; led < 2; led++) {
        if ((leds >> led & 1) == ((state & locks[led].on) != 0) || is_down(input, locks[led].key))
            continue;
        window_input_key(input, locks[led].key, true);
        window_input_key(input, locks[led].key, false);
    }
}

// ---- pointer --------------------------------------------------------------

void window_input_motion(struct window_input *input, uint32_t output, double x, double y)
{
    display_input_position(input->display, LINK_INPUT_POINTER, output, x, y);
    display_input_end(input->display, LINK_INPUT_POINTER);
}

static enum link_input_device mouse(const struct window_input *input)
{
    return input->captured ? LINK_INPUT_MOUSE : LINK_INPUT_POINTER;
}

void window_input_relative(struct window_input *input, int32_t x, int32_t y)
{
    if (x)
        display_input(input->display, LINK_INPUT_MOUSE, EV_REL, REL_X, x);
    if (y)
        display_input(input->display, LINK_INPUT_MOUSE, EV_REL, REL_Y, y);
    if (x || y)
        display_input_end(input->display, LINK_INPUT_MOUSE);
}

void window_input_button(struct window_input *input, unsigned button, bool down)
{
    static const uint16_t codes[] = {
        [SDL_BUTTON_LEFT] = BTN_LEFT,   [SDL_BUTTON_MIDDLE] = BTN_MIDDLE,
        [SDL_BUTTON_RIGHT] = BTN_RIGHT, [SDL_BUTTON_X1] = BTN_SIDE,
        [SDL_BUTTON_X2] = BTN_EXTRA,    [SDL_BUTTON_X2 + 1] = BTN_FORWARD,
        [SDL_BUTTON_X2 + 2] = BTN_BACK, [SDL_BUTTON_X2 + 3] = BTN_TASK,
    };
    if (!button || button >= sizeof(codes) / sizeof(*codes) ||
        (input->buttons >> button & 1) == (uint32_t)down)
        return;
    input->buttons ^= 1u << button;
    display_input(input->display, mouse(input), EV_KEY, codes[button], down);
    display_input_end(input->display, mouse(input));
}

static void release_buttons(struct window_input *input)
{
    for (unsigned button = 1; button < 32; button++)
        if (input->buttons >> button & 1)
            window_input_button(input, button, false);
}

void window_input_capture(struct window_input *input, bool captured)
{
    if (input->captured == captured)
        return;
    release_buttons(input);
    input->captured = captured;
}

// Adds to what is left of before; returns the whole units and keeps the rest.
static int32_t whole(double *rest, double add)
{
    *rest += add;
    double units = trunc(*rest);
    if (!(fabs(units) <= 10000 * NOTCH)) { // no hand turns a wheel that far
        *rest = 0;
        return 0;
    }
    *rest -= units;
    return (int32_t)units;
}

// Whole notches follow from the fine ones in the guest's device.
void window_input_wheel(struct window_input *input, double x, double y)
{
    int32_t up = whole(&input->wheel_y, y * NOTCH), right = whole(&input->wheel_x, x * NOTCH);
    if (up)
        display_input(input->display, mouse(input), EV_REL, REL_WHEEL_HI_RES, up);
    if (right)
        display_input(input->display, mouse(input), EV_REL, REL_HWHEEL_HI_RES, right);
    if (up || right)
        display_input_end(input->display, mouse(input));
}

// ---- touch ----------------------------------------------------------------

static int find_touch(const struct window_input *input, SDL_FingerID finger)
{
    for (int slot = 0; slot < WINDOW_TOUCHES; slot++)
        if (input->touches[slot].down && input->touches[slot].finger == finger)
            return slot;
    return -1;
}

static int free_touch(const struct window_input *input)
{
    for (int slot = 0; slot < WINDOW_TOUCHES; slot++)
        if (!input->touches[slot].down)
            return slot;
    return -1;
}

static void send_touch(struct window_input *input, uint16_t type, uint16_t code, int32_t value)
{
    display_input(input->display, LINK_INPUT_TOUCH, type, code, value);
}

void window_input_finger(struct window_input *input, SDL_FingerID finger, bool down,
                         uint32_t output, double x, double y)
{
    int slot = find_touch(input, finger);
    bool known = slot >= 0;
    if (!known)
        slot = down ? free_touch(input) : -1;
    if (slot < 0)
        return;
    send_touch(input, EV_ABS, ABS_MT_SLOT, slot);
    if (!down) {
        input->touches[slot].down = false;
        send_touch(input, EV_ABS, ABS_MT_TRACKING_ID, -1);
    } else {
        if (!known) {
            send_touch(input, EV_ABS, ABS_MT_TRACKING_ID, input->next_touch);
            input->next_touch = (input->next_touch + 1) & 0xffff;
            input->touches[slot].down = true;
            input->touches[slot].finger = finger;
        }
        display_input_position(input->display, LINK_INPUT_TOUCH, output, x, y);
    }
    display_input_end(input->display, LINK_INPUT_TOUCH);
}

void window_input_release_all(struct window_input *input)
{
    release_keys(input);
    release_buttons(input);
    for (unsigned slot = 0; slot < WINDOW_TOUCHES; slot++)
        if (input->touches[slot].down)
            window_input_finger(input, input->touches[slot].finger, false, 0, 0, 0);
}
