// The clipboard of one viewer, in its process: texts go to the server through a file that both have
// mapped, and come from it in a file of their own.
//
// Thread: one.
#ifndef VNC_CLIPBOARD_H
#define VNC_CLIPBOARD_H

#include <rfb/rfb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "display/vnc/message.h"

// Shows the text of a VNC_TEXT to the viewer. Owns: `fd` stays the caller's.
void vnc_clipboard_show(rfbClientPtr client, const struct vnc_message *message, int fd);
// Writes what a viewer has sent, as UTF-8, to `file`, of VNC_MAX_TEXT bytes. Returns its size; 0:
// it is none, or too long.
uint32_t vnc_clipboard_put(uint8_t *file, const char *text, int length, bool latin1);

#endif
