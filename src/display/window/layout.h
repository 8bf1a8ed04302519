// Where in a window a picture of another size lies. Pure.
#ifndef WINDOW_LAYOUT_H
#define WINDOW_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

enum window_scale {
    WINDOW_SCALE_FIT,   // as large as it goes, its shape kept
    WINDOW_SCALE_WHOLE, // likewise, but by whole numbers when it is enlarged: sharp
    WINDOW_SCALE_NONE,  // pixel by pixel; of what is too large the middle
};

struct window_layout { // pixels
    struct {
        uint32_t x, y, width, height;
    } source, target; // of the picture; of the window. Neither is empty
};

// False: there is nothing to be seen, one of the sizes is 0.
bool window_layout(enum window_scale scale, uint32_t width, uint32_t height, uint32_t window_width,
                   uint32_t window_height, struct window_layout *layout);
// Whether the window has parts that the picture does not cover.
bool window_layout_has_bars(const struct window_layout *layout, uint32_t window_width,
                            uint32_t window_height);
// A place of the window → a place of the picture, moved to its edge if it lies beside it.
void window_layout_point(const struct window_layout *layout, double *x, double *y);

#endif
