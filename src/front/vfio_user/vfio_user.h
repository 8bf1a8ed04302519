// A virtio device over vfio-user: a PCI function of our own making, which QEMU's vfio-user-pci
// shows to the guest. docs/vfio-user.md says what QEMU wants of it, when, and why.
//
// Thread: the loop's. Nothing blocks.
#ifndef VFIO_USER_VFIO_USER_H
#define VFIO_USER_VFIO_USER_H

#include "front/virtio/device.h"

// Whether a front end whose first four bytes these are speaks vfio-user.
bool vfio_user_is_spoken(uint32_t first);

// As virtio_transport_create.
int vfio_user_create(struct os_loop *loop, int fd, const struct virtio_device *device,
                     struct virtio_transport **created);

#endif
