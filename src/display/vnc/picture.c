#include "display/vnc/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "display/display.h"
#include "os/shm.h"

enum { BAND_ROWS = 32 };

void vnc_picture_finish(struct vnc_picture *picture)
{
    if (picture->pixels)
        os_shm_unmap(picture->pixels, (uint64_t)picture->width * picture->height * 4);
    if (picture->fd >= 0)
        close(picture->fd);
    free(picture->band);
    *picture = (struct vnc_picture){.fd = -1};
}

int vnc_picture_resize(struct vnc_picture *picture, uint32_t width, uint32_t height)
{
    uint64_t size = (uint64_t)width * height * 4;
    struct vnc_picture new = {
        .fd = os_shm_create("hesper-vnc", size), .width = width, .height = height};
    if (new.fd < 0)
        return new.fd;
    void *pixels = NULL;
    int error = os_shm_map(new.fd, 0, size, &pixels);
    new.pixels = pixels;
    new.band = malloc((size_t)width * BAND_ROWS * 4);
    if (error || !new.band) {
        vnc_picture_finish(&new);
        return error ? error : -ENOMEM;
    }
    vnc_picture_finish(picture);
    *picture = new;
    return 0;
}

// Widens left to right to the columns of a row that differ. False: none do.
static bool row_changed(const uint8_t *old, const uint8_t *new, uint32_t width, uint32_t *left,
                        uint32_t *right)
{
    size_t size = (size_t)width * 4;
    if (!memcmp(old, new, size))
        return false;
    uint32_t first = 0, last = width;
    while (!memcmp(old + (size_t)first * 4, new + (size_t)first * 4, 4))
        first++;
    while (!memcmp(old + (size_t)(last - 1) * 4, new + (size_t)(last - 1) * 4, 4))
        last--;
    if (first < *left)
        *left = first;
    if (last > *right)
        *right = last;
    return true;
}

static void update_band(struct vnc_picture *picture, const struct picture_rect *rect,
                        vnc_changed changed, void *data)
{
    const size_t stride = (size_t)picture->width * 4, row_size = (size_t)rect->width * 4;
    uint32_t left = rect->width, right = 0, first = rect->height, last = 0;
    for (uint32_t row = 0; row < rect->height; row++) {
        uint8_t *old = picture->pixels + (rect->y + row) * stride + (size_t)rect->x * 4;
        const uint8_t *new = picture->band + row *row_size;
        if (!row_changed(old, new, rect->width, &left, &right))
            continue;
        memcpy(old, new, row_size);
        if (row < first)
            first = row;
        last = row + 1;
    }
    if (last)
        changed(data, &(struct picture_rect){rect->x + left, rect->y + first, right - left,
                                             last - first});
}

bool vnc_picture_update(struct vnc_picture *picture, struct display *display, uint32_t output,
                        const struct picture_rect *rect, vnc_changed changed, void *data)
{
    if (rect->x > picture->width || rect->width > picture->width - rect->x ||
        rect->y > picture->height || rect->height > picture->height - rect->y)
        return false;
    for (uint32_t done = 0; done < rect->height; done += BAND_ROWS) {
        struct picture_rect band = {rect->x, rect->y + done, rect->width, rect->height - done};
        if (band.height > BAND_ROWS)
            band.height = BAND_ROWS;
        if (!display_read(display, output, &band, PICTURE_ORDER_BGRA, picture->band,
                          (size_t)band.width * 4))
            return false;
        update_band(picture, &band, changed, data);
    }
    return true;
}

// Letters a to z: rows of 5 pixels, the highest bit left; the last two hang below the line.
static const uint8_t glyphs[26][9] = {
    {0x00, 0x00, 0x0e, 0x01, 0x0f, 0x11, 0x0f, 0x00, 0x00}, // a
    {0x10, 0x10, 0x1e, 0x11, 0x11, 0x11, 0x1e, 0x00, 0x00}, // b
    {0x00, 0x00, 0x0e, 0x10, 0x10, 0x10, 0x0e, 0x00, 0x00}, // c
    {0x01, 0x01, 0x0f, 0x11, 0x11, 0x11, 0x0f, 0x00, 0x00}, // d
    {0x00, 0x00, 0x0e, 0x11, 0x1f, 0x10, 0x0e, 0x00, 0x00}, // e
    {0x06, 0x08, 0x1e, 0x08, 0x08, 0x08, 0x08, 0x00, 0x00}, // f
    {0x00, 0x00, 0x0f, 0x11, 0x11, 0x11, 0x0f, 0x01, 0x0e}, // g
    {0x10, 0x10, 0x1e, 0x11, 0x11, 0x11, 0x11, 0x00, 0x00}, // h
    {0x04, 0x00, 0x0c, 0x04, 0x04, 0x04, 0x0e, 0x00, 0x00}, // i
    {0x02, 0x00, 0x06, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0c}, // j
    {0x10, 0x10, 0x12, 0x14, 0x18, 0x14, 0x12, 0x00, 0x00}, // k
    {0x0c, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e, 0x00, 0x00}, // l
    {0x00, 0x00, 0x1a, 0x15, 0x15, 0x15, 0x15, 0x00, 0x00}, // m
    {0x00, 0x00, 0x1e, 0x11, 0x11, 0x11, 0x11, 0x00, 0x00}, // n
    {0x00, 0x00, 0x0e, 0x11, 0x11, 0x11, 0x0e, 0x00, 0x00}, // o
    {0x00, 0x00, 0x1e, 0x11, 0x11, 0x11, 0x1e, 0x10, 0x10}, // p
    {0x00, 0x00, 0x0f, 0x11, 0x11, 0x11, 0x0f, 0x01, 0x01}, // q
    {0x00, 0x00, 0x16, 0x18, 0x10, 0x10, 0x10, 0x00, 0x00}, // r
    {0x00, 0x00, 0x0f, 0x10, 0x0e, 0x01, 0x1e, 0x00, 0x00}, // s
    {0x08, 0x08, 0x1e, 0x08, 0x08, 0x08, 0x06, 0x00, 0x00}, // t
    {0x00, 0x00, 0x11, 0x11, 0x11, 0x11, 0x0f, 0x00, 0x00}, // u
    {0x00, 0x00, 0x11, 0x11, 0x11, 0x0a, 0x04, 0x00, 0x00}, // v
    {0x00, 0x00, 0x11, 0x15, 0x15, 0x15, 0x0a, 0x00, 0x00}, // w
    {0x00, 0x00, 0x11, 0x0a, 0x04, 0x0a, 0x11, 0x00, 0x00}, // x
    {0x00, 0x00, 0x11, 0x11, 0x11, 0x11, 0x0f, 0x01, 0x0e}, // y
    {0x00, 0x00, 0x1f, 0x02, 0x04, 0x08, 0x1f, 0x00, 0x00}, // z
};
enum { GLYPH_ROWS = 9, GLYPH_COLUMNS = 6, GLYPH_SCALE = 2 };

// In the middle of the row. Nothing where the picture is too small.
static void say_line(struct vnc_picture *picture, const char *text, uint32_t top)
{
    static const uint32_t foreground = 0x9aa4ae;
    const uint32_t width = (uint32_t)strlen(text) * GLYPH_COLUMNS * GLYPH_SCALE;
    const uint32_t height = GLYPH_ROWS * GLYPH_SCALE;
    if (width > picture->width || top >= picture->height || height > picture->height - top)
        return;
    uint32_t *corner = (uint32_t *)(void *)picture->pixels + (uint64_t)top * picture->width +
                       (picture->width - width) / 2;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            char letter = text[x / (GLYPH_COLUMNS * GLYPH_SCALE)];
            if (letter < 'a' || letter > 'z')
                continue;
            unsigned column = x / GLYPH_SCALE % GLYPH_COLUMNS;
            if (glyphs[letter - 'a'][y / GLYPH_SCALE] << column & 0x10)
                corner[(uint64_t)y * picture->width + x] = foreground;
        }
    }
}

void vnc_picture_say(struct vnc_picture *picture, const char *text, const char *below)
{
    static const uint32_t background = 0x101418;
    uint32_t *pixels = (void *)picture->pixels;
    for (uint64_t i = 0; i < (uint64_t)picture->width * picture->height; i++)
        pixels[i] = background;
    say_line(picture, text, picture->height / 2 - GLYPH_ROWS * GLYPH_SCALE);
    say_line(picture, below, picture->height / 2 + GLYPH_ROWS * GLYPH_SCALE);
}
