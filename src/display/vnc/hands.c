#include "display/vnc/hands.h"

#include "link/display_messages.h"

enum { MAX_MOTION = 32767 }; // of a mouse, at once

// evdev's numbers.
enum { EV_KEY = 1, EV_REL = 2, REL_X = 0, REL_Y = 1, REL_HWHEEL = 6, REL_WHEEL = 8 };
static const struct {
    uint16_t type, code;
    int32_t value; // which way a wheel turns
} buttons[VNC_BUTTONS] = {
    {EV_KEY, 0x110, 0},       // left
    {EV_KEY, 0x112, 0},       // middle
    {EV_KEY, 0x111, 0},       // right
    {EV_REL, REL_WHEEL, 1},   // up
    {EV_REL, REL_WHEEL, -1},  // down
    {EV_REL, REL_HWHEEL, -1}, // left
    {EV_REL, REL_HWHEEL, 1},  // right
    {EV_KEY, 0x113, 0},       // side
    {EV_KEY, 0x114, 0},       // extra
};

static enum link_input_device pointing(bool captured)
{
    return captured ? LINK_INPUT_MOUSE : LINK_INPUT_POINTER;
}

// `index` is a key, or a button from VNC_FIRST_BUTTON on. Two viewers may hold the same one: it
// goes up when both have let go.
static void hold(struct vnc_input *input, struct vnc_hands *hands, unsigned index, bool down)
{
    if (hands->down[index] == down)
        return;
    hands->down[index] = down;
    input->held[index] += down ? 1 : -1;
    if (input->held[index] != (down ? 1 : 0))
        return;
    unsigned button = index - VNC_FIRST_BUTTON;
    if (index < VNC_FIRST_BUTTON)
        display_input(input->display, LINK_INPUT_KEYBOARD, EV_KEY, (uint16_t)index, down);
    else
        display_input(input->display, pointing(button >= VNC_BUTTONS), EV_KEY,
                      buttons[button % VNC_BUTTONS].code, down);
}

static void hold_button(struct vnc_input *input, struct vnc_hands *hands, unsigned bit, bool down)
{
    hold(input, hands, VNC_FIRST_BUTTON + hands->captured * VNC_BUTTONS + bit, down);
}

static void capture(struct vnc_input *input, struct vnc_hands *hands, bool captured)
{
    if (hands->captured == captured)
        return;
    for (unsigned i = 0; i < VNC_BUTTONS; i++)
        hold_button(input, hands, i, false);
    if (hands->buttons)
        display_input_end(input->display, pointing(hands->captured));
    hands->captured = captured;
}

static void move(struct vnc_input *input, const struct vnc_message *message)
{
    const int32_t moved[2] = {message->x, message->y};
    for (unsigned i = 0; i < 2; i++)
        if (moved[i] && moved[i] >= -MAX_MOTION && moved[i] <= MAX_MOTION)
            display_input(input->display, LINK_INPUT_MOUSE, EV_REL, (uint16_t)(REL_X + i),
                          moved[i]);
}

static uint32_t within(int32_t place, uint32_t size)
{
    return place < 0 ? 0 : (uint32_t)place < size ? (uint32_t)place : size - 1;
}

void vnc_hands_take(struct vnc_input *input, struct vnc_hands *hands,
                    const struct vnc_message *message, uint32_t output, uint32_t width,
                    uint32_t height)
{
    if (message->type == VNC_KEY) {
        if (!message->code || message->code > VNC_KEY_MAX)
            return;
        hold(input, hands, message->code, message->on);
        display_input_end(input->display, LINK_INPUT_KEYBOARD);
        return;
    }
    capture(input, hands, message->type == VNC_MOTION);
    enum link_input_device device = pointing(hands->captured);
    if (hands->captured)
        move(input, message);
    else
        display_input_position(input->display, device, output, within(message->x, width),
                               within(message->y, height));
    for (unsigned i = 0; i < VNC_BUTTONS; i++) {
        bool down = message->code >> i & 1, was = hands->buttons >> i & 1;
        if (buttons[i].type == EV_KEY)
            hold_button(input, hands, i, down);
        else if (down && !was)
            display_input(input->display, device, EV_REL, buttons[i].code, buttons[i].value);
    }
    hands->buttons = message->code;
    display_input_end(input->display, device);
}

void vnc_hands_let_go(struct vnc_input *input, struct vnc_hands *hands)
{
    for (unsigned i = 0; i < VNC_HELD; i++)
        hold(input, hands, i, false);
    display_input_end(input->display, LINK_INPUT_KEYBOARD);
    display_input_end(input->display, LINK_INPUT_POINTER);
    display_input_end(input->display, LINK_INPUT_MOUSE);
}
