// TLS of one viewer's connection, by GnuTLS: VeNCrypt (X.509) for viewers, HTTPS for browsers. A
// thread stands between the network and the library, which reads and writes plain bytes.
#ifndef VNC_SECURE_H
#define VNC_SECURE_H

#include "display/vnc/options.h"

struct vnc_secure;

// Reads certificate and key. Errors: NULL after a log line.
struct vnc_secure *vnc_secure_create(const struct vnc_options *options);
// Agrees with the viewer, and begins. Returns the connection for the library, on which a viewer
// without TLS seems to call. Blocks for a bounded time.
// Owns: takes over `client`.
// Errors: -1, the viewer is not to be served.
int vnc_secure_begin(struct vnc_secure *secure, const struct vnc_options *options, int client);
// Sends what is left, and ends. NULL is allowed.
void vnc_secure_destroy(struct vnc_secure *secure);

#endif
