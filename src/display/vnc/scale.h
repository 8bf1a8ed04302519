// Scaling in the library, which some viewers ask for (UltraVNC's, PalmVNC's).
#ifndef VNC_SCALE_H
#define VNC_SCALE_H

#include <rfb/rfb.h>

// To be called after each of the viewer's messages. Gives a viewer that has asked for a smaller
// picture the whole one back, or closes its connection when it could not follow that.
// Thread: the viewer's.
void vnc_scale_undo(rfbClientPtr client);

#endif
