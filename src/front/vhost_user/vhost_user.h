// A virtio device over vhost-user: messages, guest memory, virtqueues, notifications, configuration
// space and the shared-memory region. docs/vhost-user.md says what may be sent to a front end
// (QEMU), when, and why.
//
// Thread: the loop's. Nothing blocks.
#ifndef VHOST_USER_VHOST_USER_H
#define VHOST_USER_VHOST_USER_H

#include "front/virtio/device.h"

// Whether a front end whose first four bytes these are speaks vhost-user.
bool vhost_user_is_spoken(uint32_t first);

// As virtio_transport_create.
int vhost_user_create(struct os_loop *loop, int fd, const struct virtio_device *device,
                      struct virtio_transport **created);

#endif
