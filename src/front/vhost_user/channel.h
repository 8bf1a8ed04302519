// A stream socket that carries vhost-user messages (struct vhost_header, payload, descriptors) both
// ways without blocking.
#ifndef VHOST_USER_CHANNEL_H
#define VHOST_USER_CHANNEL_H

#include "front/vhost_user/protocol.h"

#include <stdbool.h>
#include <stddef.h>

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
    // The other side has ended, or the socket is broken (-errno). The channel does nothing any
    // more.
    void (*closed)(void *data, int error);
};

// Takes `fd` over in any case. NULL: errno. The channel may be destroyed inside its callbacks.
struct vhost_channel *vhost_channel_create(struct os_loop *loop, int fd,
                                           const struct vhost_channel_ops *ops, void *data);
void vhost_channel_destroy(struct vhost_channel *channel);

// Sent now or as soon as the socket takes it, in order. `fd` (-1: none) stays the caller's. False:
// no memory, or closed.
bool vhost_channel_send(struct vhost_channel *channel, uint32_t type, uint32_t flags,
                        const void *payload, uint32_t size, int fd);
// Bytes of a message that is sent in pieces.
bool vhost_channel_send_bytes(struct vhost_channel *channel, const void *bytes, uint32_t size,
                              int fd);
// As of os_socket_unread: has the other side read all that was sent?
int vhost_channel_unread(const struct vhost_channel *channel);
// While paused no message is delivered.
void vhost_channel_pause(struct vhost_channel *channel, bool paused);

#endif
