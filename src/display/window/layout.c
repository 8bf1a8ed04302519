#include "display/window/layout.h"

static uint32_t at_least_1(uint64_t n)
{
    return n ? (uint32_t)n : 1;
}

bool window_layout(enum window_scale scale, uint32_t width, uint32_t height, uint32_t window_width,
                   uint32_t window_height, struct window_layout *layout)
{
    if (!width || !height || !window_width || !window_height)
        return false;
    uint32_t w = width, h = height;
    uint32_t whole = window_width / width < window_height / height ? window_width / width
                                                                   : window_height / height;
    if (scale == WINDOW_SCALE_WHOLE && whole) {
        w = width * whole;
        h = height * whole;
    } else if (scale != WINDOW_SCALE_NONE) {
        if ((uint64_t)window_width * height <= (uint64_t)window_height * width) {
            w = window_width;
            h = at_least_1(((uint64_t)window_width * height + width / 2) / width);
        } else {
            h = window_height;
            w = at_least_1(((uint64_t)window_height * width + height / 2) / height);
        }
    }
    // Only WINDOW_SCALE_NONE leaves anything larger than the window: no scaling, so one size.
    uint32_t seen_w = w < window_width ? w : window_width;
    uint32_t seen_h = h < window_height ? h : window_height;
    layout->target.x = (window_width - seen_w) / 2;
    layout->target.y = (window_height - seen_h) / 2;
    layout->target.width = seen_w;
    layout->target.height = seen_h;
    bool cut = scale == WINDOW_SCALE_NONE;
    layout->source.x = cut ? (width - seen_w) / 2 : 0;
    layout->source.y = cut ? (height - seen_h) / 2 : 0;
    layout->source.width = cut ? seen_w : width;
    layout->source.height = cut ? seen_h : height;
    return true;
}

bool window_layout_has_bars(const struct window_layout *layout, uint32_t window_width,
                            uint32_t window_height)
{
    return layout->target.width < window_width || layout->target.height < window_height;
}

static double along(double at, uint32_t target, uint32_t target_size, uint32_t source,
                    uint32_t source_size)
{
    double inside = (at - target) * source_size / target_size;
    if (!(inside > 0)) // NaN too
        inside = 0;
    if (inside > source_size - 1.0)
        inside = source_size - 1.0;
    return source + inside;
}

void window_layout_point(const struct window_layout *layout, double *x, double *y)
{
    *x = along(*x, layout->target.x, layout->target.width, layout->source.x, layout->source.width);
    *y =
        along(*y, layout->target.y, layout->target.height, layout->source.y, layout->source.height);
}
