// Where a key is on SDL's keyboard → which key it is on the guest's. Layouts are the guest's
// matter.
#ifndef WINDOW_KEYMAP_H
#define WINDOW_KEYMAP_H

#include <SDL.h>
#include <stdint.h>

// The highest code that window_key_code gives.
#define WINDOW_KEY_MAX 255

// The code of evdev, as EV_KEY carries it; 0: a guest's keyboard has no such key.
uint16_t window_key_code(SDL_Scancode scancode);

#endif
