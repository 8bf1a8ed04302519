// A front end that has connected and has not said a word yet: which transport it wants is told by
// its first bytes.
//
// Thread: the loop's.
#ifndef MACHINE_CALLER_H
#define MACHINE_CALLER_H

#include "front/virtio/device.h"

struct os_loop;
struct machine_caller;

// What serves a front end whose first four bytes these are, as a number of native byte order.
// NULL: nothing does.
typedef virtio_transport_create (*machine_caller_choose)(uint32_t first);
// It has spoken, and its words are still to be read. `transport` NULL: nothing serves it, or it has
// ended. The caller is gone.
// Owns: `fd` is the callee's; -1 where `transport` is NULL.
typedef void (*machine_caller_known)(void *data, int fd, virtio_transport_create transport);

// Owns: takes over `fd` in any case.
// Errors: -errno.
int machine_caller_create(struct os_loop *loop, int fd, machine_caller_choose choose,
                          machine_caller_known known, void *data, struct machine_caller **created);
void machine_caller_destroy(struct machine_caller *caller);

#endif
