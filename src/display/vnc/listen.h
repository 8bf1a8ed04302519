// Where viewers connect: TCP ports and Unix sockets.
#ifndef VNC_LISTEN_H
#define VNC_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#define VNC_FIRST_PORT 5900
#define VNC_LAST_PORT 5999 // the last that is tried when none was given

struct vnc_listener {
    int fd;         // non-blocking, close-on-exec
    bool local;     // only programs of this machine can come
    char text[300]; // where to connect: "127.0.0.1:5900", "[::1]:5900", a path
};

// `text`: ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT, :PORT, or a path with a slash in it; an address is
// a name, too. The default is 127.0.0.1, and the first port that is free.
// Errors: false after a log line.
bool vnc_listen(const char *text, struct vnc_listener *listener);

// The address of `text` alone, without its port; false if `text` is a path.
bool vnc_listen_address(const char *text, char *address, size_t size);
// `local`: the address is on this machine's loopback, or a path. Errors: false after a log line.
bool vnc_listen_is_local(const char *text, bool *local);

#endif
