// Rectangles, formats and pixels of pictures, for those who hand pictures on and those who read
// them by CPU: the device, displays, cursors.
//
// Thread: any; nothing is kept between calls.
#ifndef PICTURE_PICTURE_H
#define PICTURE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- rectangles -----------------------------------------------------------

struct picture_rect {
    uint32_t x, y, width, height; // pixels
};

// Whether the rectangle, which may be empty, lies within width x height.
bool picture_rect_fits(const struct picture_rect *rect, uint32_t width, uint32_t height);
// Makes `sum` the smallest rectangle that holds both; a `sum` of width 0 holds nothing. Both must
// fit a picture.
void picture_rect_join(struct picture_rect *sum, const struct picture_rect *rect);

// Gives `count` outputs, whose sizes are in `places`, their x and y: side by side from the left, in
// their order. An output of width 0 is off and takes no room. Returns the size of all together.
struct picture_rect picture_side_by_side(struct picture_rect *places, uint32_t count);

// ---- formats --------------------------------------------------------------

// A name gives the order of a pixel's bytes in memory. The numbers are those of virtio-gpu (virtio
// 1.2, 5.7.6.8, enum virtio_gpu_formats).
enum picture_format {
    PICTURE_FORMAT_B8G8R8A8 = 1,
    PICTURE_FORMAT_B8G8R8X8 = 2,
    PICTURE_FORMAT_A8R8G8B8 = 3,
    PICTURE_FORMAT_X8R8G8B8 = 4,
    PICTURE_FORMAT_R8G8B8A8 = 67,
    PICTURE_FORMAT_X8B8G8R8 = 68,
    PICTURE_FORMAT_A8B8G8R8 = 121,
    PICTURE_FORMAT_R8G8B8X8 = 134,
};
bool picture_format_known(uint32_t format);

// ---- pixels ---------------------------------------------------------------

// The order of a pixel's bytes in memory.
enum picture_order { PICTURE_ORDER_RGBA, PICTURE_ORDER_BGRA };

// Converts `count` pixels of `format`, which must be a known one. A becomes 255 if `opaque` is set
// or the format has no alpha.
void picture_convert(uint32_t format, const uint8_t *from, enum picture_order order, uint8_t *to,
                     uint32_t count, bool opaque);

// Draws a cursor's shape (premultiplied R, G, B, A) over opaque pixels. `x` and `y` are the place
// of its upper left corner. `to` has rows of `stride` bytes and is width x height.
void picture_blend(const uint8_t *rgba, uint32_t shape_width, uint32_t shape_height, int64_t x,
                   int64_t y, enum picture_order order, uint8_t *to, size_t stride, uint32_t width,
                   uint32_t height);

#endif
