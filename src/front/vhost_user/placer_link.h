// Our end of the connection to the placer inside QEMU (src/placer/placer.h). Requests are
// pipelined, and answers come in order.
//
// Thread: the loop's.
#ifndef VHOST_USER_PLACER_LINK_H
#define VHOST_USER_PLACER_LINK_H

#include <stdbool.h>

#include "placer/placer.h"

struct os_loop;
struct vhost_placer;

struct vhost_placer_ops {
    void (*answered)(void *data, enum placer_type type, const struct placer_reply *reply);
    // The connection has ended: requests without an answer get none.
    void (*closed)(void *data);
};

// It may be destroyed inside its callbacks.
// Owns: takes over `fd` in any case; `ops` stays the caller's and must last.
// Errors: -errno.
int vhost_placer_create(struct os_loop *loop, int fd, const struct vhost_placer_ops *ops,
                        void *data, struct vhost_placer **created);
void vhost_placer_destroy(struct vhost_placer *placer);

// What the plugin said of itself. NULL: nothing yet, and it cannot be used.
const struct placer_hello *vhost_placer_hello(const struct vhost_placer *placer);
// Owns: `fd` (-1: none) stays the caller's.
// Errors: -errno, and nothing was sent.
int vhost_placer_send(struct vhost_placer *placer, enum placer_type type,
                      const struct placer_request *request, int fd);

#endif
