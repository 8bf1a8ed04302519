// Between the server and the process of one viewer, over a stream socket: messages of one size.
//
// The server sends what has changed as one batch that ends with VNC_END, and no other until
// VNC_TAKEN answers it: what happens meanwhile is gathered. So nothing queues up for a viewer whose
// line is slow, and a batch always fits into the socket. The other way the server stops reading
// while the guest does not take its input.
//
// The server trusts no viewer: its process reads a stranger's bytes.
#ifndef VNC_MESSAGE_H
#define VNC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

enum vnc_message_type {
    // server → viewer
    VNC_SCREEN = 1, // size; + 1 fd: rows of width × 4 bytes, B G R X. From here on the picture
    VNC_DAMAGE,     // rect: of the picture, to be shown
    VNC_CURSOR,     // size, x and y of its hot spot; + 1 fd: R G B A, premultiplied
    VNC_CURSOR_AT,  // x, y of its upper left corner; on: it is visible
    VNC_LEDS,       // on: of struct link_keyboard_leds
    VNC_END,

    // viewer → server
    VNC_TAKEN = 64,
    VNC_JOINED,  // no stranger any more: show it the picture
    VNC_KEY,     // on, code
    VNC_POINTER, // x, y; code: buttons as RFB has them
    VNC_MODE,    // size: what the viewer's window has become
};

struct vnc_message {
    uint32_t type;
    uint32_t on, code;
    int32_t x, y;
    uint32_t width, height;
    uint32_t pad;
};

#define VNC_MAX_SIZE 16384 // pixels, each way

#endif
