// A person's game pads are the guest's, in the order in which they are plugged in.
//
// Thread: the main thread.
#ifndef WINDOW_PADS_H
#define WINDOW_PADS_H

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

#include "display/display.h"

enum { WINDOW_PADS = 4 };

struct window_pads {
    struct display *display;
    unsigned wanted; // bit n: the guest has pad n
    struct window_pad {
        SDL_GameController *controller; // NULL: nobody plays with it
        SDL_JoystickID id;
        uint16_t down; // bit n: SDL's button n
    } list[WINDOW_PADS];
};

// `inputs`: bit n: the guest has device n of enum link_input_device.
void window_pads_init(struct window_pads *pads, struct display *display, uint32_t inputs);
void window_pads_finish(struct window_pads *pads);
// Takes an event of SDL's game controllers, and leaves others.
void window_pads_event(struct window_pads *pads, const SDL_Event *event);

// What a person does with pad n.
void window_pads_axis(struct window_pads *pads, unsigned pad, unsigned axis, int16_t value);
void window_pads_button(struct window_pads *pads, unsigned pad, unsigned button, bool down);

#endif
