// Pixels of the formats that scanouts have, for those who read them by CPU: screenshots, VNC,
// cursors.
#ifndef GPU_PIXELS_H
#define GPU_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/scanout.h"

enum gpu_order { GPU_ORDER_RGBA, GPU_ORDER_BGRA }; // of the bytes of a pixel in memory

// `count` pixels of `format` (a known one); `opaque`, or a format without alpha: A is 255.
void gpu_pixels_convert(uint32_t format, const uint8_t *from, enum gpu_order order, uint8_t *to,
                        uint32_t count, bool opaque);

// Draws premultiplied R, G, B, A pixels (a cursor's shape), whose upper left corner is at `x`, `y`,
// over opaque pixels: rows of `stride` bytes, `width` × `height`.
void gpu_pixels_blend(const uint8_t *rgba, uint32_t shape_width, uint32_t shape_height, int64_t x,
                      int64_t y, enum gpu_order order, uint8_t *to, size_t stride, uint32_t width,
                      uint32_t height);

#endif
