#include "picture/picture.h"

#include <string.h>

// ---- rectangles -----------------------------------------------------------

bool picture_rect_fits(const struct picture_rect *rect, uint32_t width, uint32_t height)
{
    return rect->x <= width && rect->width <= width - rect->x && rect->y <= height &&
           rect->height <= height - rect->y;
}

void picture_rect_join(struct picture_rect *sum, const struct picture_rect *rect)
{
    if (!sum->width) {
        *sum = *rect;
        return;
    }
    uint32_t right = sum->x + sum->width, bottom = sum->y + sum->height;
    if (rect->x + rect->width > right)
        right = rect->x + rect->width;
    if (rect->y + rect->height > bottom)
        bottom = rect->y + rect->height;
    sum->x = rect->x < sum->x ? rect->x : sum->x;
    sum->y = rect->y < sum->y ? rect->y : sum->y;
    sum->width = right - sum->x;
    sum->height = bottom - sum->y;
}

struct picture_rect picture_side_by_side(struct picture_rect *places, uint32_t count)
{
    struct picture_rect all = {0};
    for (uint32_t i = 0; i < count; i++) {
        places[i].x = all.width;
        places[i].y = 0;
        all.width += places[i].width;
        if (places[i].width && places[i].height > all.height)
            all.height = places[i].height;
    }
    return all;
}

// ---- formats --------------------------------------------------------------

bool picture_format_known(uint32_t format)
{
    switch (format) {
    case PICTURE_FORMAT_B8G8R8A8:
    case PICTURE_FORMAT_B8G8R8X8:
    case PICTURE_FORMAT_A8R8G8B8:
    case PICTURE_FORMAT_X8R8G8B8:
    case PICTURE_FORMAT_R8G8B8A8:
    case PICTURE_FORMAT_X8B8G8R8:
    case PICTURE_FORMAT_A8B8G8R8:
    case PICTURE_FORMAT_R8G8B8X8:
        return true;
    }
    return false;
}

// Which byte of a pixel is R, G, B and A; A: 4 if that byte means nothing.
struct layout {
    uint8_t red, green, blue, alpha;
};

static struct layout layout_of(uint32_t format)
{
    switch (format) {
    case PICTURE_FORMAT_B8G8R8A8:
        return (struct layout){2, 1, 0, 3};
    case PICTURE_FORMAT_B8G8R8X8:
        return (struct layout){2, 1, 0, 4};
    case PICTURE_FORMAT_A8R8G8B8:
        return (struct layout){1, 2, 3, 0};
    case PICTURE_FORMAT_X8R8G8B8:
        return (struct layout){1, 2, 3, 4};
    case PICTURE_FORMAT_R8G8B8A8:
        return (struct layout){0, 1, 2, 3};
    case PICTURE_FORMAT_X8B8G8R8:
        return (struct layout){3, 2, 1, 4};
    case PICTURE_FORMAT_A8B8G8R8:
        return (struct layout){3, 2, 1, 0};
    default: // PICTURE_FORMAT_R8G8B8X8
        return (struct layout){0, 1, 2, 4};
    }
}

static struct layout layout_of_order(enum picture_order order)
{
    return order == PICTURE_ORDER_RGBA ? (struct layout){0, 1, 2, 3} : (struct layout){2, 1, 0, 3};
}

void picture_convert(uint32_t format, const uint8_t *from, enum picture_order order, uint8_t *to,
                     uint32_t count, bool opaque)
{
    const struct layout in = layout_of(format), out = layout_of_order(order);
    // Shifts of a little-endian word: compilers make vectors of this.
    const unsigned red = in.red * 8, green = in.green * 8, blue = in.blue * 8;
    const unsigned to_red = out.red * 8, to_blue = out.blue * 8;
    const bool has_alpha = !opaque && in.alpha < 4;
    const unsigned alpha = has_alpha ? in.alpha * 8 : 0;
    const uint32_t opacity = has_alpha ? 0 : 255;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v, w;
        memcpy(&v, from + (size_t)i * 4, 4);
        w = (v >> red & 255) << to_red | (v >> green & 255) << 8 | (v >> blue & 255) << to_blue |
            ((v >> alpha & 255) | opacity) << 24;
        memcpy(to + (size_t)i * 4, &w, 4);
    }
}

void picture_blend(const uint8_t *rgba, uint32_t shape_width, uint32_t shape_height, int64_t x,
                   int64_t y, enum picture_order order, uint8_t *to, size_t stride, uint32_t width,
                   uint32_t height)
{
    const struct layout out = layout_of_order(order);
    const uint8_t places[3] = {out.red, out.green, out.blue};
    for (uint32_t row = 0; row < shape_height; row++) {
        int64_t to_y = y + row;
        if (to_y < 0 || to_y >= height)
            continue;
        for (uint32_t column = 0; column < shape_width; column++) {
            int64_t to_x = x + column;
            if (to_x < 0 || to_x >= width)
                continue;
            const uint8_t *pixel = rgba + ((size_t)row * shape_width + column) * 4;
            uint8_t *under = to + (size_t)to_y * stride + (size_t)to_x * 4;
            for (int i = 0; i < 3; i++) {
                uint8_t *value = &under[places[i]];
                unsigned sum = pixel[i] + (*value * (255u - pixel[3]) + 127) / 255;
                *value = sum > 255 ? 255 : (uint8_t)sum;
            }
        }
    }
}
