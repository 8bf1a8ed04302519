// A stream socket that carries vfio-user messages. QEMU, and a processor of the guest with it,
// waits for nearly every answer, so an answer goes out inside the callback. While one could not be
// sent whole, nothing more is read: a front end that does not take its answers gets no others.
//
// Thread: the loop's.
#ifndef VFIO_USER_CHANNEL_H
#define VFIO_USER_CHANNEL_H

#include <stdbool.h>

#include "front/vfio_user/protocol.h"

struct os_loop;
struct vfio_channel;

struct vfio_message {
    struct vfio_header header;
    const void *payload; // `size` bytes, 8-byte aligned, valid during the call
    uint32_t size;
    int fds[VFIO_USER_MAX_FDS]; // closed after the call unless set to -1
    unsigned fd_count;
};

struct vfio_channel_ops {
    void (*message)(void *data, struct vfio_message *message);
    // The other side has ended (0), or what it said makes no sense (-errno). The channel does
    // nothing more.
    void (*closed)(void *data, int error);
};

// The channel may be destroyed inside its callbacks.
// Owns: takes over `fd` in any case; `ops` stays the caller's and must last.
// Errors: -errno.
int vfio_channel_create(struct os_loop *loop, int fd, const struct vfio_channel_ops *ops,
                        void *data, struct vfio_channel **created);
void vfio_channel_destroy(struct vfio_channel *channel);

// Sends a message of `size` bytes of payload in two parts (`tail` may be NULL).
// Owns: `fd` (-1: none) stays the caller's.
// Errors: false, one before it is still to be sent, or the channel is closed.
bool vfio_channel_send(struct vfio_channel *channel, const struct vfio_header *header,
                       const void *payload, uint32_t size, const void *tail, uint32_t tail_size,
                       int fd);

#endif
