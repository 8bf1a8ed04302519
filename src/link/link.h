// Messages with descriptors between two processes, over a SOCK_STREAM socket. What they say is
// elsewhere: context.h (device process and worker), display.h (device process and display).
//
// Framing: struct link_header, then `size` bytes of payload (fixed part and tail), then zeroes up
// to a multiple of 8, so that every payload is aligned. Descriptors are attached to the first byte
// of the message. Byte order is the machine's, as both ends are processes of one machine. Each end
// treats the other as hostile.
//
// Thread: one receives; any may send.
// Errors: 0 or -errno, of which two are no fault:
//   -EAGAIN: non-blocking; nothing whole has arrived yet, or some of what was sent is queued
//   -EPIPE: the other end is gone
// Any other (-EPROTO: it broke the rules) means that the link is broken: destroy it.
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_MAX_PAYLOAD (16u << 20) // bytes; larger submissions are refused by the front
#define LINK_MAX_FDS 4

struct link_header {
    uint32_t size; // payload bytes
    uint16_t type;
    uint16_t fd_count;
};

struct link_message {
    uint16_t type;
    uint16_t fd_count;
    uint32_t size;
    const uint8_t *payload; // valid until the next receive; 8-byte aligned
    const int *fds;         // likewise, and then closed: link_take_fd keeps one
};

struct link;

// `blocking` says how link_receive behaves; sending from a non-blocking link queues what the socket
// does not take.
// Owns: takes over `fd`, also when it fails.
int link_create(int fd, bool blocking, struct link **created);
// Closes the socket and descriptors that were not handed out. NULL: nothing.
void link_destroy(struct link *link);
int link_fd(const struct link *link);

// Neither waiting nor the end of the other side.
static inline bool link_is_broken(int error)
{
    return error && error != -EAGAIN && error != -EPIPE;
}

// The message is well formed: size, number of descriptors and inner counts are those of its type,
// text members are terminated, so that a receiver may cast the payload; whether the type is one
// that this end may get, and every value in it, is the receiver's to check. Descriptors that were
// not taken are closed at the next receive. After -EAGAIN wait for readability.
int link_receive(struct link *link, struct link_message *message);
// Descriptor `index` of the message received last becomes the caller's; -1 if there is none or it
// was taken before.
int link_take_fd(struct link *link, unsigned index);

// Header, payload and tail as one message; messages of several threads do not mix. Descriptors are
// duplicated or sent at once: the caller keeps its own. -EAGAIN: taken, but some of it waits in the
// queue.
int link_send(struct link *link, uint16_t type, const void *payload, size_t size, const void *tail,
              size_t tail_size, const int *fds, unsigned fd_count);

// From here on small messages are gathered, until link_release sends them as one (as link_send).
// Larger ones go out at once, behind what was gathered. The order stays. For one sender that knows
// when it will pause.
void link_hold(struct link *link);
int link_release(struct link *link);

// For a non-blocking link: bytes waiting in the send queue, and trying to send them (0 when it is
// empty).
size_t link_queued(struct link *link);
int link_flush(struct link *link);

#endif
