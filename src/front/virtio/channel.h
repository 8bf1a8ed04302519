// A stream socket that carries messages (header, payload, descriptors) both ways without blocking:
// those of vhost-user, whose form the placer's have, too, and those of vfio-user.
//
// Thread: the loop's.
#ifndef VIRTIO_CHANNEL_H
#define VIRTIO_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct os_loop;
struct virtio_channel;

enum {
    VIRTIO_MAX_FDS = 8,
    VIRTIO_MAX_HEADER = 16,
    // Longer messages are skipped. The longest known one writes the configuration space over
    // vfio-user.
    VIRTIO_MAX_PAYLOAD = 4096 + 64,
};

struct virtio_header {
    uint32_t type;
    uint32_t flags; // the lowest two bits: VIRTIO_CHANNEL_VERSION
    uint32_t size;  // of the payload, bytes
};
#define VIRTIO_CHANNEL_VERSION 1u
#define VIRTIO_CHANNEL_VERSION_MASK 3u
_Static_assert(sizeof(struct virtio_header) == 12, "vhost-user header");

// How a protocol's messages are read.
struct virtio_channel_form {
    size_t header_size;
    // The size of the payload that follows this header. Errors: -errno, the header makes no sense.
    int64_t (*payload_size)(const void *header);
    // The other side waits for nearly every answer. While one could not be sent whole, nothing more
    // is read: who does not take its answers gets no others.
    bool in_turns;
};
// Messages with a virtio_header.
extern const struct virtio_channel_form virtio_channel_form;

struct virtio_message {
    union {
        struct virtio_header header;
        unsigned char header_bytes[VIRTIO_MAX_HEADER]; // of another form
    };
    const void *payload; // `size` bytes, 8-byte aligned, valid during the call
    uint32_t size;
    int fds[VIRTIO_MAX_FDS]; // closed after the call unless set to -1
    unsigned fd_count;
    bool skipped; // longer than VIRTIO_MAX_PAYLOAD: the payload is not there
};

struct virtio_channel_ops {
    void (*message)(void *data, struct virtio_message *message);
    // The other side has ended (0), or the socket is broken, or what came makes no sense (-errno).
    // The channel does nothing more.
    void (*closed)(void *data, int error);
};

// The channel may be destroyed inside its callbacks.
// Owns: takes over `fd` in any case; `form` and `ops` stay the caller's and must last.
// Errors: -errno.
int virtio_channel_create(struct os_loop *loop, int fd, const struct virtio_channel_form *form,
                          const struct virtio_channel_ops *ops, void *data,
                          struct virtio_channel **created);
void virtio_channel_destroy(struct virtio_channel *channel);

// Sends now, or as soon as the socket takes it, in order.
// Owns: `fd` (-1: none) stays the caller's.
// Errors: false, out of memory or closed.
bool virtio_channel_send(struct virtio_channel *channel, uint32_t type, uint32_t flags,
                         const void *payload, uint32_t size, int fd);
// Sends a message of another form, or a piece of one, from `count` places.
bool virtio_channel_send_parts(struct virtio_channel *channel, const struct iovec *parts,
                               unsigned count, int fd);
// Whether the other side has yet to read what was sent, as os_socket_unread answers it.
int virtio_channel_unread(const struct virtio_channel *channel);
// While paused no message is delivered.
void virtio_channel_pause(struct virtio_channel *channel, bool paused);

#endif
