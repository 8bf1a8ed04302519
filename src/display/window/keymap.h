// From the place of a key on SDL's keyboard to the key of the guest's keyboard. Layouts are the
// guest's matter.
#ifndef WINDOW_KEYMAP_H
#define WINDOW_KEYMAP_H

#include <SDL.h>
#include <stdint.h>

// The highest code that window_key_code gives.
#define WINDOW_KEY_MAX 255

// Returns evdev's code, as EV_KEY carries it; 0: a guest's keyboard has no such key.
uint16_t window_key_code(SDL_Scancode scancode);

#endif
