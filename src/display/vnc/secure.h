// TLS of one viewer's connection, by GnuTLS: VeNCrypt (X.509) for viewers, HTTPS for browsers. A
// thread stands between the network and the library, which reads and writes plain bytes.
#ifndef VNC_SECURE_H
#define VNC_SECURE_H

#include "display/vnc/options.h"

struct vnc_secure;

// Reads certificate and key. NULL after a log line.
struct vnc_secure *vnc_secure_create(const struct vnc_options *options);
// Agrees with the viewer, and begins. The connection as the library shall see it, which behaves as
// a viewer without TLS from the start; takes over `client`. -1: it is none to be served. Blocks for
// a bounded time.
int vnc_secure_begin(struct vnc_secure *secure, const struct vnc_options *options, int client);
// Sends what is left, and ends. NULL is allowed.
void vnc_secure_destroy(struct vnc_secure *secure);

#endif
