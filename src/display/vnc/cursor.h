// The guest's cursor, in the process of one viewer.
#ifndef VNC_CURSOR_H
#define VNC_CURSOR_H

#include <rfb/rfb.h>
#include <stdbool.h>
#include <stdint.h>

#include "display/vnc/message.h"

struct vnc_cursor {
    uint8_t *rgba; // premultiplied; NULL: no shape
    uint32_t width, height;
    int32_t hot_x, hot_y, x, y;
    bool visible;
    rfbCursor rich; // for viewers that draw it; richSource NULL: it is too large for that
};

// Takes the shape of a VNC_CURSOR out of `fd`; -1: there is none. Owns: `fd` stays the caller's.
void vnc_cursor_take(struct vnc_cursor *cursor, const struct vnc_message *message, int fd);
void vnc_cursor_finish(struct vnc_cursor *cursor);

#endif
