// A stream socket that carries messages (header, payload, descriptors) both ways without blocking:
// those of vhost-user, whose form the placer's have, too.
//
// Thread: the loop's.
#ifndef VIRTIO_CHANNEL_H
#define VIRTIO_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct os_loop;
struct virtio_channel;

enum {
    VIRTIO_MAX_FDS = 8,
    // Longer messages are skipped; the longest known one is vhost-user's GET_SHMEM_CONFIG's reply.
    VIRTIO_MAX_PAYLOAD = 4096,
};

struct virtio_header {
    uint32_t type;
    uint32_t flags; // the lowest two bits: VIRTIO_CHANNEL_VERSION
    uint32_t size;  // of the payload, bytes
};
#define VIRTIO_CHANNEL_VERSION 1u
#define VIRTIO_CHANNEL_VERSION_MASK 3u
_Static_assert(sizeof(struct virtio_header) == 12, "vhost-user header");

struct virtio_message {
    struct virtio_header header;
    const void *payload;     // header.size bytes, 8-byte aligned, valid during the call
    int fds[VIRTIO_MAX_FDS]; // closed after the call unless set to -1
    unsigned fd_count;
    bool skipped; // longer than VIRTIO_MAX_PAYLOAD: the payload is not there
};

struct virtio_channel_ops {
    void (*message)(void *data, struct virtio_message *message);
    // The other side has ended (0), or the socket is broken (-errno). The channel does nothing
    // more.
    void (*closed)(void *data, int error);
};

// The channel may be destroyed inside its callbacks.
// Owns: takes over `fd` in any case; `ops` stays the caller's and must last.
// Errors: -errno.
int virtio_channel_create(struct os_loop *loop, int fd, const struct virtio_channel_ops *ops,
                          void *data, struct virtio_channel **created);
void virtio_channel_destroy(struct virtio_channel *channel);

// Sends now, or as soon as the socket takes it, in order.
// Owns: `fd` (-1: none) stays the caller's.
// Errors: false, out of memory or closed.
bool virtio_channel_send(struct virtio_channel *channel, uint32_t type, uint32_t flags,
                         const void *payload, uint32_t size, int fd);
// Sends bytes of a message that goes in pieces.
bool virtio_channel_send_bytes(struct virtio_channel *channel, const void *bytes, uint32_t size,
                               int fd);
// Whether the other side has yet to read what was sent, as os_socket_unread answers it.
int virtio_channel_unread(const struct virtio_channel *channel);
// While paused no message is delivered.
void virtio_channel_pause(struct virtio_channel *channel, bool paused);

#endif
