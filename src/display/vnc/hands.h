// What viewers' persons do to the guest's keyboard, pointer and mouse, and what each holds down.
//
// Thread: the loop's.
#ifndef VNC_HANDS_H
#define VNC_HANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "display/display.h"
#include "display/vnc/keys.h"
#include "display/vnc/message.h"

enum {
    VNC_BUTTONS = 9, // of RFB's mask
    VNC_FIRST_BUTTON = VNC_KEY_MAX + 1,
    VNC_HELD = VNC_FIRST_BUTTON + 2 * VNC_BUTTONS, // keys, the pointer's buttons, the mouse's
};

// What all viewers together hold down. The owner sets `display`.
struct vnc_input {
    struct display *display;
    uint8_t held[VNC_HELD]; // number of viewers that hold the key or button down
};

// What one viewer holds down. All begins as 0.
struct vnc_hands {
    bool down[VNC_HELD];
    uint32_t buttons;
    bool captured; // the buttons are the mouse's, not the pointer's
};

// VNC_KEY, VNC_POINTER or VNC_MOTION, from a stranger. A place is meant on an output of width ×
// height pixels.
void vnc_hands_take(struct vnc_input *input, struct vnc_hands *hands,
                    const struct vnc_message *message, uint32_t output, uint32_t width,
                    uint32_t height);
// Everything goes up.
void vnc_hands_let_go(struct vnc_input *input, struct vnc_hands *hands);

#endif
