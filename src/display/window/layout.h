// Where in a window a picture of another size lies. Pure.
#ifndef WINDOW_LAYOUT_H
#define WINDOW_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

enum window_scale {
    WINDOW_SCALE_FIT,   // as large as it goes, its shape kept
    WINDOW_SCALE_WHOLE, // likewise, but by whole numbers when it is enlarged: sharp
    WINDOW_SCALE_NONE,  // pixel by pixel; the middle of a picture that is too large
};

struct window_layout { // pixels
    struct {
        uint32_t x, y, width, height;
    } source, target; // the part of the picture, and of the window. Neither is empty
};

// False: one of the sizes is 0, so there is nothing to show.
bool window_layout(enum window_scale scale, uint32_t width, uint32_t height, uint32_t window_width,
                   uint32_t window_height, struct window_layout *layout);
// Whether the window has parts that the picture does not cover.
bool window_layout_has_bars(const struct window_layout *layout, uint32_t window_width,
                            uint32_t window_height);
// Turns a place of the window into a place of the picture. One beside the picture moves to its
// edge.
void window_layout_point(const struct window_layout *layout, double *x, double *y);

#endif
