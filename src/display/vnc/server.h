// The server: shows one output to any number of viewers, each of which is served by a process of
// its own, and takes their input to the guest.
//
// Why processes: the library reads and writes in blocking calls with a time limit, and what it
// reads is a stranger's. So a viewer that stops in the middle of a message, or takes the library
// over, has stopped or taken nobody but itself.
#ifndef VNC_SERVER_H
#define VNC_SERVER_H

#include "display/vnc/listen.h"
#include "display/vnc/options.h"

// Serves until the device process is gone; takes over options->fd and the listeners, `vnc` and
// `web`, of which one has an fd that is not -1. Returns an exit status.
int vnc_server_run(const struct vnc_options *options, const struct vnc_listener *vnc,
                   const struct vnc_listener *web);

#endif
