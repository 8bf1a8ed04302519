// QEMU's extensions of RFB, by the numbers of their pseudo-encodings.
#ifndef VNC_EXTENSION_H
#define VNC_EXTENSION_H

#include <rfb/rfb.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    VNC_QEMU_MOUSE = -257, // the viewer can tell of motion
    VNC_QEMU_KEYS = -258,  // key events that name the key
};

// Confirms one by an update with an empty rectangle, at `x`.
// Thread: the viewer's. Errors: false: the connection is gone.
static inline bool vnc_extension_confirm(rfbClientPtr client, int encoding, uint8_t x)
{
    const uint8_t update[16] = {rfbFramebufferUpdate,
                                [3] = 1, // rectangle
                                [5] = x,
                                [12] = 0xff,
                                [13] = 0xff,
                                [14] = (uint8_t)((unsigned)encoding >> 8),
                                [15] = (uint8_t)encoding};
    return rfbWriteExact(client, (const char *)update, sizeof(update)) > 0;
}

#endif
