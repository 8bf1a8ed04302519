// The mouse of one viewer: a place on the picture, or motion without bounds, for games. A viewer
// with QEMU's pseudo-encoding for it is told which; of others the difference of places is taken.
//
// Thread: one.
#ifndef VNC_MOUSE_H
#define VNC_MOUSE_H

#include <rfb/rfb.h>
#include <stdbool.h>
#include <stdint.h>

#include "display/vnc/message.h"

// Private. All begins as 0.
struct vnc_mouse {
    uint32_t devices; // of the guest, as in struct link_display_setup
    bool able;        // the viewer can tell of motion
    bool captured;    // the guest has motion, not places
    bool has_place;
    int x, y;           // the viewer's last place
    unsigned modifiers; // that the viewer holds down
    bool chord;         // its last key is kept from the guest
};

// The viewer has VNC_QEMU_MOUSE.
// Errors: false: the connection is gone.
bool vnc_mouse_enable(struct vnc_mouse *mouse, rfbClientPtr client);
// What the guest has. With a mouse and no absolute pointer, all is motion.
void vnc_mouse_devices(struct vnc_mouse *mouse, rfbClientPtr client, uint32_t devices);
// A key of evdev's goes down or up. True: the guest shall not get it, for it is the one that
// captures the mouse or gives it back.
bool vnc_mouse_key(struct vnc_mouse *mouse, rfbClientPtr client, uint16_t code, bool down);
// What the viewer has sent as a message to the server. False: nothing is to be sent.
bool vnc_mouse_point(struct vnc_mouse *mouse, int buttons, int x, int y,
                     struct vnc_message *message);

#endif
