// A stream socket that carries vhost-user messages (struct vhost_header, payload, descriptors) both
// ways without blocking.
//
// Thread: the loop's.
#ifndef VHOST_USER_CHANNEL_H
#define VHOST_USER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "front/vhost_user/protocol.h"

struct os_loop;
struct vhost_channel;

struct vhost_message {
    struct vhost_header header;
    const void *payload;    // header.size bytes, 8-byte aligned, valid during the call
    int fds[VHOST_MAX_FDS]; // closed after the call unless set to -1
    unsigned fd_count;
    bool skipped; // longer than VHOST_MAX_PAYLOAD: the payload is not there
};

struct vhost_channel_ops {
    void (*message)(void *data, struct vhost_message *message);
    // The other side has ended (0), or the socket is broken (-errno). The channel does nothing
    // more.
    void (*closed)(void *data, int error);
};

// The channel may be destroyed inside its callbacks.
// Owns: takes over `fd` in any case; `ops` stays the caller's and must last.
// Errors: -errno.
int vhost_channel_create(struct os_loop *loop, int fd, const struct vhost_channel_ops *ops,
                         void *data, struct vhost_channel **created);
void vhost_channel_destroy(struct vhost_channel *channel);

// Sends now, or as soon as the socket takes it, in order.
// Owns: `fd` (-1: none) stays the caller's.
// Errors: false, out of memory or closed.
bool vhost_channel_send(struct vhost_channel *channel, uint32_t type, uint32_t flags,
                        const void *payload, uint32_t size, int fd);
// Sends bytes of a message that goes in pieces.
bool vhost_channel_send_bytes(struct vhost_channel *channel, const void *bytes, uint32_t size,
                              int fd);
// Whether the other side has yet to read what was sent, as os_socket_unread answers it.
int vhost_channel_unread(const struct vhost_channel *channel);
// While paused no message is delivered.
void vhost_channel_pause(struct vhost_channel *channel, bool paused);

#endif
