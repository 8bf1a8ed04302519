// Turns what a person does in the windows into events for the guest.
//
// Thread: the main thread.
#ifndef WINDOW_INPUT_H
#define WINDOW_INPUT_H

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

#include "display/display.h"
#include "display/window/keymap.h"

enum { WINDOW_TOUCHES = 10 };

struct window_input {
    struct display *display;
    bool captured;                 // the guest's mouse has the buttons and wheels, not its pointer
    bool down[WINDOW_KEY_MAX + 1]; // keys of the guest
    uint32_t buttons;              // bit n: SDL's button n is down
    double wheel_x, wheel_y;       // not yet passed on, 120ths of a notch
    struct {
        bool down;
        SDL_FingerID finger;
    } touches[WINDOW_TOUCHES];
    int32_t next_touch; // tracking id
};

// A key of the keyboard, without repeats. True: the guest has such a key.
bool window_input_key(struct window_input *input, SDL_Scancode scancode, bool down);
// x, y: pixels of the output's picture.
void window_input_motion(struct window_input *input, uint32_t output, double x, double y);
// The mouse was captured and has moved, in SDL's units.
void window_input_relative(struct window_input *input, int32_t x, int32_t y);
// Buttons that are down go up, at the device that has them.
void window_input_capture(struct window_input *input, bool captured);
// `button`: SDL's number.
void window_input_button(struct window_input *input, unsigned button, bool down);
// Notches, positive: right, away from the person.
void window_input_wheel(struct window_input *input, double x, double y);
// A finger has come, moved or (`down` false) gone.
void window_input_finger(struct window_input *input, SDL_FingerID finger, bool down,
                         uint32_t output, double x, double y);
// The windows have lost the keyboard: nothing is held any more.
void window_input_release_all(struct window_input *input);
// Presses a lock key if the guest's light (bit 0: num, 1: caps) differs from the person's.
void window_input_match_lock(struct window_input *input, uint32_t leds, SDL_Keymod state);

#endif
