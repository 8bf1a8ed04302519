// Messages between the server and the process of one viewer, all of one size, over a stream socket.
//
// The server sends what has changed as one batch that ends with VNC_END. It sends no other until
// VNC_TAKEN answers it, and gathers what happens meanwhile. So nothing queues up for a viewer whose
// line is slow, and a batch always fits into the socket. In the other direction, the server stops
// reading while the guest does not take its input.
//
// The server does not trust the process of a viewer, which reads a stranger's bytes.
#ifndef VNC_MESSAGE_H
#define VNC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

enum vnc_message_type {
    // server → viewer
    VNC_PICTURE = 1, // size; + 1 fd: rows of width × 4 bytes, B G R X. The picture from here on
    VNC_DAMAGE,      // rect: the part of the picture that has changed
    VNC_CURSOR,      // size, x and y of its hot spot; + 1 fd: R G B A, premultiplied
    VNC_CURSOR_AT,   // x, y of its upper left corner; on: it is visible
    VNC_INPUTS,      // on: as in struct link_keyboard_leds; code: devices, as in link_display_setup
    VNC_TEXT,        // width: bytes; + 1 fd: the guest's person has copied this UTF-8
    VNC_END,

    // viewer → server
    VNC_TAKEN = 64,
    VNC_JOINED,  // the viewer is no stranger any more: show it the picture
    VNC_KEY,     // on, code
    VNC_POINTER, // x, y; code: buttons as RFB has them
    VNC_MOTION,  // the same of a mouse that was captured: how far it has moved
    VNC_MODE,    // the new size of the viewer's window
    VNC_COPIED,  // width: bytes of UTF-8 in the file that both have; its person has copied them
};

struct vnc_message {
    uint32_t type;
    uint32_t on, code;
    int32_t x, y;
    uint32_t width, height;
    uint32_t pad;
};

#define VNC_MAX_TEXT (1u << 20) // bytes of a text; the file for it is descriptor VNC_TEXT_FD
enum { VNC_TEXT_FD = 5 };
#define VNC_MAX_SIZE 16384 // pixels, each way

#endif
