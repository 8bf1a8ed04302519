// The guest's cursor, as one viewer's process has it.
#ifndef VNC_CURSOR_H
#define VNC_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include <rfb/rfb.h>

#include "display/vnc/message.h"

struct vnc_cursor {
    uint8_t *rgba; // premultiplied; NULL: no shape
    uint32_t width, height;
    int32_t hot_x, hot_y, x, y;
    bool visible;
    rfbCursor rich; // for viewers that draw it; richSource NULL: it is too large for that
};

// The shape of a VNC_CURSOR; `fd` stays the caller's, -1: none.
void vnc_cursor_take(struct vnc_cursor *cursor, const struct vnc_message *message, int fd);
void vnc_cursor_finish(struct vnc_cursor *cursor);

#endif
