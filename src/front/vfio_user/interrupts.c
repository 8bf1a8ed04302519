#include "front/vfio_user/interrupts.h"

#include <errno.h>
#include <unistd.h>

#include "base/checked.h"
#include "front/vfio_user/protocol.h"
#include "os/socket.h"

void vfio_interrupts_init(struct vfio_interrupts *interrupts, unsigned count)
{
    interrupts->count = count;
    for (unsigned i = 0; i < VFIO_MAX_VECTORS; i++)
        interrupts->fds[i] = -1;
}

static void set(struct vfio_interrupts *interrupts, unsigned vector, int fd)
{
    if (interrupts->fds[vector] >= 0)
        close(interrupts->fds[vector]);
    interrupts->fds[vector] = fd;
}

void vfio_interrupts_clear(struct vfio_interrupts *interrupts)
{
    for (unsigned i = 0; i < interrupts->count; i++)
        set(interrupts, i, -1);
}

void vfio_interrupts_fire(const struct vfio_interrupts *interrupts, unsigned vector)
{
    uint64_t one = 1;
    if (vector < interrupts->count && interrupts->fds[vector] >= 0)
        while (write(interrupts->fds[vector], &one, sizeof(one)) < 0 && errno == EINTR)
            ;
}

int vfio_interrupts_set(struct vfio_interrupts *interrupts,
                        const struct vfio_set_interrupts *request, int *fds, unsigned fd_count)
{
    if (request->index != VFIO_INTERRUPT_MSIX ||
        !checked_range(request->start, request->count, interrupts->count))
        return -EINVAL;
    if (request->flags == (VFIO_SET_NONE | VFIO_SET_TRIGGER) && !fd_count) {
        if (!request->count)
            vfio_interrupts_clear(interrupts);
        for (unsigned i = 0; i < request->count; i++)
            vfio_interrupts_fire(interrupts, request->start + i);
        return 0;
    }
    // Without a descriptor: MSI-X is on, and these vectors are not used yet.
    if (request->flags != (VFIO_SET_EVENTFD | VFIO_SET_TRIGGER) ||
        (fd_count && fd_count != request->count))
        return -EINVAL;
    for (unsigned i = 0; i < fd_count; i++) { // what is not read must not hold us up
        int error = os_socket_set_nonblocking(fds[i], true);
        if (error)
            return error;
    }
    for (unsigned i = 0; i < request->count; i++) {
        unsigned vector = request->start + i;
        set(interrupts, vector, fd_count ? fds[i] : -1);
        if (!fd_count)
            continue;
        fds[i] = -1;
        // What was to be told while there was nobody to tell: a driver looks, and finds nothing at
        // worst.
        vfio_interrupts_fire(interrupts, vector);
    }
    return 0;
}
