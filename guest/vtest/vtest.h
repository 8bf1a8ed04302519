// The transport over a vtest socket: a program on the host itself, without a virtual machine. It
// reaches what `hesper vtest` serves. A screen is a file: HESPER_GUEST_SCREEN=WIDTHxHEIGHT:FILE
// (PPM).
//
// This is the test bed: what works here works over any other transport.
#ifndef GUEST_VTEST_H
#define GUEST_VTEST_H

#include "guest/system.h"
#include "guest/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

// Connects to the socket at `path`; NULL: VTEST_SOCKET_NAME of the environment says where it is, or
// it is at vtest's usual place.
// Owns: the transport's `close` frees it.
// Errors: 0 or a negative enum guest_error; the system's log has the reason.
int guest_vtest_connect(const struct guest_system *system, const char *path,
                        struct guest_transport **transport);

// A system with a C library, POSIX threads, and stderr for the log.
extern const struct guest_system guest_posix_system;

#ifdef __cplusplus
}
#endif

#endif
