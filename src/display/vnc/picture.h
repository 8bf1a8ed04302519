// What the viewers are shown: a copy of the output's picture, in a file that their processes map.
//
// Thread: the server's.
#ifndef VNC_PICTURE_H
#define VNC_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "picture/picture.h"

struct display;

struct vnc_picture {
    int fd;          // rows of width × 4 bytes, B G R X; -1: none yet
    uint8_t *pixels; // its mapping
    uint32_t width, height;
    uint8_t *band; // the rows that were read last
};

// Makes a new file of this size. Processes that map the last one keep it.
// Errors: -errno, and the last file stays.
int vnc_picture_resize(struct vnc_picture *picture, uint32_t width, uint32_t height);
void vnc_picture_finish(struct vnc_picture *picture);

// Copies `rect` of the output's picture, and tells which parts differ from what was there: guests
// that flip between buffers damage all of it each time.
// Errors: false, the output's picture cannot be read.
typedef void (*vnc_changed)(void *data, const struct picture_rect *rect);
bool vnc_picture_update(struct vnc_picture *picture, struct display *display, uint32_t output,
                        const struct picture_rect *rect, vnc_changed changed, void *data);
// Shows two lines of text (small letters and spaces) in place of a picture.
void vnc_picture_say(struct vnc_picture *picture, const char *text, const char *below);

#endif
