// The server shows one output to any number of viewers and takes their input to the guest. A
// process of its own serves each viewer.
//
// There are processes because the library reads and writes in blocking calls with a time limit, and
// reads a stranger's bytes. A viewer that stops in the middle of a message, or takes the library
// over, does so in its own process only.
#ifndef VNC_SERVER_H
#define VNC_SERVER_H

#include "display/vnc/listen.h"
#include "display/vnc/options.h"

// Serves until the device process is gone; takes over options->fd and the listeners, `vnc` and
// `web`, of which one has an fd that is not -1. Returns an exit status.
int vnc_server_run(const struct vnc_options *options, const struct vnc_listener *vnc,
                   const struct vnc_listener *web);

#endif
