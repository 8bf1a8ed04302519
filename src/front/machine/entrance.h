// A socket at which front ends of VMs connect. One at a time is served; which transport it wants is
// told by its first bytes, unless there is only one.
//
// Thread: the loop's.
#ifndef MACHINE_ENTRANCE_H
#define MACHINE_ENTRANCE_H

#include "front/virtio/device.h"

struct os_loop;
struct machine_entrance;

// What serves a front end whose first four bytes these are, as a number of native byte order.
// NULL: nothing does.
typedef virtio_transport_create (*machine_entrance_choose)(uint32_t first);

struct machine_entrance_ops {
    bool (*busy)(void *data); // one is served: another is refused
    // Whatever the front end has said is still to be read.
    // Owns: `fd` is the callee's.
    void (*serve)(void *data, int fd, virtio_transport_create transport);
};

// `path`: of the socket's file; NULL: it has none. `transport` NULL: `choose` is asked.
// Owns: takes over `listener` in any case; `ops` stays the caller's and must last.
// Errors: -errno.
int machine_entrance_create(struct os_loop *loop, int listener, const char *path,
                            virtio_transport_create transport, machine_entrance_choose choose,
                            const struct machine_entrance_ops *ops, void *data,
                            struct machine_entrance **created);
// Removes the socket's file too.
void machine_entrance_destroy(struct machine_entrance *entrance);

#endif
