// The vectors of MSI-X: each is an eventfd of the front end's.
//
// Thread: the loop's.
#ifndef VFIO_USER_INTERRUPTS_H
#define VFIO_USER_INTERRUPTS_H

#include <stdint.h>

#include "front/virtio/device.h"

struct vfio_set_interrupts;

enum { VFIO_MAX_VECTORS = VIRTIO_MAX_QUEUES + 1 };

struct vfio_interrupts {
    unsigned count;
    int fds[VFIO_MAX_VECTORS]; // -1: none
};

void vfio_interrupts_init(struct vfio_interrupts *interrupts, unsigned count);
// Closes all.
void vfio_interrupts_clear(struct vfio_interrupts *interrupts);
// Carries out SET_IRQS.
// Owns: descriptors that it keeps are set to -1 in `fds`.
// Errors: -errno, and nothing has changed.
int vfio_interrupts_set(struct vfio_interrupts *interrupts,
                        const struct vfio_set_interrupts *request, int *fds, unsigned fd_count);
// A vector that does not exist, or has no eventfd, is nothing.
void vfio_interrupts_fire(const struct vfio_interrupts *interrupts, unsigned vector);

#endif
