#include "display/vnc/scale.h"

#include <stdlib.h>

#include "base/log.h"

// The library keeps the smaller picture as a screen of its own. It divides by zero when that is
// less than a pixel wide, and the smaller picture does not follow the guest's mode.
void vnc_scale_undo(rfbClientPtr client)
{
    rfbScreenInfoPtr screen = client->screen, scaled = client->scaledScreen;
    if (scaled == screen)
        return;
    client->scaledScreen = screen;
    screen->scaledScreenRefCount++;
    // The only one: each is gone before there is another.
    screen->scaledScreenNext = NULL;
    free(scaled->frameBuffer);
    free(scaled);
    // With DesktopSize it is told the size by the next update. Else it was told the smaller one.
    if (!client->useNewFBSize) {
        log_warning("a viewer without DesktopSize asked for a smaller picture; it is dropped");
        rfbCloseClient(client);
    }
}
