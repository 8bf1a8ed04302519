// Our end of the connection to the placer inside QEMU (src/placer/placer.h). Requests are
// pipelined; answers come in order.
#ifndef VHOST_USER_PLACER_LINK_H
#define VHOST_USER_PLACER_LINK_H

#include "placer/placer.h"

#include <stdbool.h>

struct os_loop;
struct vhost_placer;

struct vhost_placer_ops {
    void (*answered)(void *data, enum placer_type type, const struct placer_reply *reply);
    // The connection has ended: requests without an answer get none.
    void (*closed)(void *data);
};

// Takes `fd` over. NULL: errno. May be destroyed inside its callbacks.
struct vhost_placer *vhost_placer_create(struct os_loop *loop, int fd,
                                         const struct vhost_placer_ops *ops, void *data);
void vhost_placer_destroy(struct vhost_placer *placer);

// What the plugin said of itself; NULL: nothing yet, and it can't be used.
const struct placer_hello *vhost_placer_hello(const struct vhost_placer *placer);
// `fd` (-1: none) stays the caller's. 0 or -errno: not sent.
int vhost_placer_send(struct vhost_placer *placer, enum placer_type type,
                      const struct placer_request *request, int fd);

#endif
