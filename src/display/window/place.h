// Where a machine's window stood when it was open last. Small files of this user keep it, one for
// each window, in XDG_STATE_HOME/hesper/windows or ~/.local/state/hesper/windows.
#ifndef WINDOW_PLACE_H
#define WINDOW_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window_place {
    int x, y; // of its picture's corner, in SDL's units
    bool full_screen;
};

// `name` is the machine's.
// Errors: false: it is not known, or no screen is there any more.
bool window_place_find(const char *name, uint32_t output, struct window_place *place);
// The folder of these files, which is made. Errors: false: there is none.
bool window_place_folder(char *path, size_t size);
// Best effort.
void window_place_keep(const char *name, uint32_t output, const struct window_place *place);

#endif
