#include "display/window/confine.h"

#include <stdlib.h>

#include "base/log.h"
#include "display/window/place.h"
#include "os/sandbox.h"

static bool connects; // still, in the sandbox

void window_confine(bool sandbox)
{
    // These are meant for guests. A loader that knows Venus would come back to us.
    unsetenv("VN_DEBUG");
    unsetenv("VTEST_SOCKET_NAME");
    if (!sandbox)
        return;
    // Whoever may speak to the person's bus may have programs started, outside. SDL asks it not to
    // let the screen sleep, which a window does not want, and for input methods, which it has none
    // of.
    setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", 1);
    setenv("NO_AT_BRIDGE", "1", 1);
    char places[4096], summary[128];
    const struct os_sandbox_options confined = {
        .kind = OS_SANDBOX_DESKTOP,
        .writable = window_place_folder(places, sizeof(places)) ? places : NULL};
    connects = os_sandbox_enter(&confined, summary, sizeof(summary)) == 0;
    if (connects)
        log_debug("sandbox: %s", summary);
}

void window_confine_more(void)
{
    if (connects)
        os_sandbox_close(OS_SANDBOX_DESKTOP);
    connects = false;
}
