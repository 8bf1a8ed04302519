// What the viewers are shown: a copy of the output's picture in a file that their processes map. On
// the server's thread.
#ifndef VNC_SCREEN_H
#define VNC_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "picture/picture.h"

struct display;

struct vnc_screen {
    int fd;          // rows of width × 4 bytes, B G R X; -1: none yet
    uint8_t *pixels; // its mapping
    uint32_t width, height;
    uint8_t *band; // a few rows, as they have been read
};

// Another size. The last file stays with whom it was passed to. False: errno.
bool vnc_screen_resize(struct vnc_screen *screen, uint32_t width, uint32_t height);
void vnc_screen_finish(struct vnc_screen *screen);

// Copies `rect` of the output's picture, and tells of the parts that have become different: guests
// that flip between buffers damage all of it each time. False: it can't be read.
typedef void (*vnc_changed)(void *data, const struct picture_rect *rect);
bool vnc_screen_update(struct vnc_screen *screen, struct display *display, uint32_t output,
                       const struct picture_rect *rect, vnc_changed changed, void *data);
// Fills it with a line of text in place of a picture: small letters and spaces.
void vnc_screen_say(struct vnc_screen *screen, const char *text);

#endif
