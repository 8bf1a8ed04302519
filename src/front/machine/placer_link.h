// Our end of the connection to the placer inside QEMU (src/placer/placer.h). Requests are
// pipelined, and answers come in order.
//
// Thread: the loop's.
#ifndef MACHINE_PLACER_LINK_H
#define MACHINE_PLACER_LINK_H

#include <stdbool.h>

#include "placer/placer.h"

struct os_loop;
struct machine_placer;

struct machine_placer_ops {
    void (*answered)(void *data, enum placer_type type, const struct placer_reply *reply);
    // The connection has ended: requests without an answer get none.
    void (*closed)(void *data);
};

// It may be destroyed inside its callbacks.
// Owns: takes over `fd` in any case; `ops` stays the caller's and must last.
// Errors: -errno.
int machine_placer_create(struct os_loop *loop, int fd, const struct machine_placer_ops *ops,
                          void *data, struct machine_placer **created);
void machine_placer_destroy(struct machine_placer *placer);

// What the plugin said of itself. NULL: nothing yet, and it cannot be used.
const struct placer_hello *machine_placer_hello(const struct machine_placer *placer);
// Owns: `fd` (-1: none) stays the caller's.
// Errors: -errno, and nothing was sent.
int machine_placer_send(struct machine_placer *placer, enum placer_type type,
                        const struct placer_request *request, int fd);

#endif
