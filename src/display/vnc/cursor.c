#include "display/vnc/cursor.h"

#include <stdlib.h>
#include <string.h>

#include "os/shm.h"

void vnc_cursor_finish(struct vnc_cursor *cursor)
{
    free(cursor->rgba);
    free(cursor->rich.richSource);
    free(cursor->rich.mask);
    cursor->rgba = NULL;
    memset(&cursor->rich, 0, sizeof(cursor->rich));
}

// RFB's cursor has a mask in place of alpha.
static void make_rich(struct vnc_cursor *cursor)
{
    const uint32_t width = cursor->width, height = cursor->height;
    const size_t mask_stride = (width + 7) / 8;
    if ((size_t)width * height * 4 + mask_stride * height + 64 > UPDATE_BUF_SIZE)
        return; // the library sends none that large
    uint8_t *pixels = malloc((size_t)width * height * 4), *mask = calloc(mask_stride, height);
    if (!pixels || !mask) {
        free(pixels);
        free(mask);
        return;
    }
    const uint8_t *from = cursor->rgba;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++, from += 4) {
            uint8_t *to = pixels + ((size_t)y * width + x) * 4;
            unsigned alpha = from[3];
            for (int i = 0; i < 3; i++) {
                unsigned value = alpha ? from[i] * 255u / alpha : 0;
                to[2 - i] = (uint8_t)(value > 255 ? 255 : value);
            }
            to[3] = 0;
            if (alpha >= 128)
                mask[y * mask_stride + x / 8] |= (uint8_t)(0x80 >> (x & 7));
        }
    }
    cursor->rich = (rfbCursor){.mask = mask,
                               .richSource = pixels,
                               .width = (unsigned short)width,
                               .height = (unsigned short)height,
                               .xhot = (unsigned short)cursor->hot_x,
                               .yhot = (unsigned short)cursor->hot_y};
}

void vnc_cursor_take(struct vnc_cursor *cursor, const struct vnc_message *message, int fd)
{
    size_t size = (size_t)message->width * message->height * 4;
    void *pixels = NULL;
    if (fd >= 0)
        os_shm_map(fd, 0, size, &pixels);
    vnc_cursor_finish(cursor);
    cursor->width = message->width;
    cursor->height = message->height;
    cursor->hot_x = message->x;
    cursor->hot_y = message->y;
    if (!pixels)
        return;
    cursor->rgba = malloc(size);
    if (cursor->rgba) {
        memcpy(cursor->rgba, pixels, size);
        make_rich(cursor);
    }
    os_shm_unmap(pixels, size);
}
