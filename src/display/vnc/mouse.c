#include "display/vnc/mouse.h"

#include "display/vnc/extension.h"
#include "display/vnc/keys.h"
#include "link/display_messages.h"

// A viewer adds this to what it tells of motion.
enum { ZERO = 0x7fff };

static bool tell(const struct vnc_mouse *mouse, rfbClientPtr client)
{
    return vnc_extension_confirm(client, VNC_QEMU_MOUSE, !mouse->captured); // 1: places are meant
}

static void capture(struct vnc_mouse *mouse, rfbClientPtr client, bool captured)
{
    if (mouse->captured == captured)
        return;
    mouse->captured = captured;
    mouse->has_place = false;
    if (mouse->able)
        tell(mouse, client);
}

bool vnc_mouse_enable(struct vnc_mouse *mouse, rfbClientPtr client)
{
    mouse->able = true;
    return tell(mouse, client);
}

void vnc_mouse_devices(struct vnc_mouse *mouse, rfbClientPtr client, uint32_t devices)
{
    if (mouse->devices == devices)
        return;
    mouse->devices = devices;
    capture(mouse, client, devices >> LINK_INPUT_MOUSE & 1 && !(devices >> LINK_INPUT_POINTER & 1));
}

bool vnc_mouse_key(struct vnc_mouse *mouse, rfbClientPtr client, uint16_t code, bool down)
{
    static const uint16_t modifiers[] = {VNC_KEY_LEFTCTRL, VNC_KEY_RIGHTCTRL, VNC_KEY_LEFTALT,
                                         VNC_KEY_RIGHTALT};
    const uint32_t both = 1u << LINK_INPUT_MOUSE | 1u << LINK_INPUT_POINTER;
    for (unsigned i = 0; i < 4; i++)
        if (code == modifiers[i])
            mouse->modifiers = (mouse->modifiers & ~(1u << i)) | (unsigned)down << i;
    if (code != VNC_KEY_M)
        return false;
    bool ours = down ? mouse->able && (mouse->devices & both) == both && mouse->modifiers & 3 &&
                           mouse->modifiers & 12
                     : mouse->chord;
    mouse->chord = ours && down;
    if (mouse->chord)
        capture(mouse, client, !mouse->captured);
    return ours;
}

bool vnc_mouse_point(struct vnc_mouse *mouse, int buttons, int x, int y,
                     struct vnc_message *message)
{
    // What was on its way when the mouse was captured or given back. A place is smaller than any
    // picture can be, and nobody moves a mouse by as much in one step.
    bool motion = mouse->able && (x >= VNC_MAX_SIZE || y >= VNC_MAX_SIZE);
    if (mouse->able && motion != mouse->captured)
        return false;
    *message = (struct vnc_message){.type = mouse->captured ? VNC_MOTION : VNC_POINTER,
                                    .code = (uint32_t)buttons,
                                    .x = x,
                                    .y = y};
    if (mouse->captured) {
        message->x -= mouse->able ? ZERO : mouse->has_place ? mouse->x : x;
        message->y -= mouse->able ? ZERO : mouse->has_place ? mouse->y : y;
    }
    mouse->has_place = true;
    mouse->x = x;
    mouse->y = y;
    return true;
}
