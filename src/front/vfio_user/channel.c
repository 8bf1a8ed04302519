#include "front/vfio_user/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/loop.h"
#include "os/socket.h"

// Messages that are taken before others have their turn.
enum { MESSAGES_A_ROUND = 64 };

struct vfio_channel {
    int fd;
    struct os_source *source;
    const struct vfio_channel_ops *ops;
    void *data;
    bool closed;
    bool busy, destroyed; // in a callback; to be freed after it

    struct vfio_message message;
    size_t got; // bytes of the header, then of header and payload
    _Alignas(8) uint8_t payload[VFIO_USER_MAX_PAYLOAD];

    // What the socket has not taken yet.
    uint8_t unsent[sizeof(struct vfio_header) + VFIO_USER_MAX_PAYLOAD];
    size_t unsent_size, sent;
    int unsent_fd; // our duplicate; -1: none, or sent
};

static void on_socket(void *data, int fd, unsigned events);

int vfio_channel_create(struct os_loop *loop, int fd, const struct vfio_channel_ops *ops,
                        void *data, struct vfio_channel **created)
{
    struct vfio_channel *channel = calloc(1, sizeof(*channel));
    int error = channel ? os_socket_set_nonblocking(fd, true) : -ENOMEM;
    *created = NULL;
    if (!error)
        channel->source = os_loop_add_fd(loop, fd, OS_READABLE, on_socket, channel);
    if (error || !channel->source) {
        free(channel);
        close(fd);
        return error ? error : -ENOMEM;
    }
    channel->fd = fd;
    channel->ops = ops;
    channel->data = data;
    channel->unsent_fd = -1;
    *created = channel;
    return 0;
}

static void close_fds(struct vfio_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->fd_count = 0;
}

static void drop_unsent(struct vfio_channel *channel)
{
    if (channel->unsent_fd >= 0)
        close(channel->unsent_fd);
    channel->unsent_fd = -1;
    channel->unsent_size = channel->sent = 0;
}

static void shut(struct vfio_channel *channel)
{
    channel->closed = true;
    os_source_remove(channel->source);
    channel->source = NULL;
    drop_unsent(channel);
}

void vfio_channel_destroy(struct vfio_channel *channel)
{
    if (!channel)
        return;
    if (!channel->closed)
        shut(channel);
    if (channel->busy) {
        channel->destroyed = true;
        return;
    }
    close_fds(&channel->message);
    close(channel->fd);
    free(channel);
}

// ---- sending --------------------------------------------------------------

static void set_events(struct vfio_channel *channel)
{
    if (channel->source)
        os_source_set_events(channel->source, channel->unsent_size ? OS_WRITABLE : OS_READABLE);
}

bool vfio_channel_send(struct vfio_channel *channel, const struct vfio_header *header,
                       const void *payload, uint32_t size, const void *tail, uint32_t tail_size,
                       int fd)
{
    struct iovec parts[3] = {
        {(void *)header, sizeof(*header)}, {(void *)payload, size}, {(void *)tail, tail_size}};
    size_t whole = sizeof(*header) + size + tail_size;
    if (channel->closed || channel->unsent_size || whole > sizeof(channel->unsent))
        return false;
    ssize_t sent = os_socket_send_vector(channel->fd, parts, 3, &fd, fd >= 0 ? 1 : 0);
    if (sent == (ssize_t)whole)
        return true;
    if (sent < 0 && sent != -EAGAIN && sent != -EWOULDBLOCK)
        return false; // reading finds out and tells
    channel->sent = sent > 0 ? (size_t)sent : 0;
    if (fd >= 0 && sent <= 0 && (channel->unsent_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
        return false;
    uint8_t *to = channel->unsent;
    for (unsigned i = 0; i < 3; i++) {
        if (parts[i].iov_len)
            memcpy(to, parts[i].iov_base, parts[i].iov_len);
        to += parts[i].iov_len;
    }
    channel->unsent_size = whole;
    set_events(channel);
    return true;
}

static void flush(struct vfio_channel *channel)
{
    if (!channel->unsent_size)
        return;
    ssize_t sent = os_socket_send(channel->fd, channel->unsent + channel->sent,
                                  channel->unsent_size - channel->sent, &channel->unsent_fd,
                                  channel->unsent_fd >= 0 ? 1 : 0);
    if (sent < 0)
        return;
    if (channel->unsent_fd >= 0)
        close(channel->unsent_fd);
    channel->unsent_fd = -1;
    channel->sent += (size_t)sent;
    if (channel->sent == channel->unsent_size)
        drop_unsent(channel);
    set_events(channel);
}

// ---- receiving ------------------------------------------------------------

static int end(struct vfio_channel *channel, int error)
{
    shut(channel);
    channel->ops->closed(channel->data, error);
    return -1;
}

// Reads up to `size` bytes. 1: it read some; 0: there are none now; -1: the channel is closed, and
// the callback was called.
static int receive(struct vfio_channel *channel, void *to, size_t size)
{
    struct vfio_message *message = &channel->message;
    ssize_t got =
        os_socket_recv(channel->fd, to, size, message->fds, VFIO_USER_MAX_FDS, &message->fd_count);
    if (got > 0) {
        channel->got += (size_t)got;
        return 1;
    }
    if (got == -EAGAIN || got == -EWOULDBLOCK)
        return 0;
    return end(channel, (int)got);
}

// Header and payload are read apart. Descriptors come with a message's first byte, so those that
// are received with a header belong to its message.
static int receive_message(struct vfio_channel *channel)
{
    struct vfio_message *message = &channel->message;
    for (;;) {
        size_t have = channel->got;
        if (have < sizeof(message->header)) {
            int more = receive(channel, (uint8_t *)&message->header + have,
                               sizeof(message->header) - have);
            if (more != 1)
                return more;
            continue;
        }
        uint32_t whole = message->header.size;
        if (whole < sizeof(message->header) ||
            whole > sizeof(message->header) + VFIO_USER_MAX_PAYLOAD)
            return end(channel, -EPROTO);
        message->size = whole - (uint32_t)sizeof(message->header);
        have -= sizeof(message->header);
        if (have == message->size)
            return 1;
        int more = receive(channel, channel->payload + have, message->size - have);
        if (more != 1)
            return more;
    }
}

static void on_socket(void *data, int fd, unsigned events)
{
    struct vfio_channel *channel = data;
    (void)fd;
    channel->busy = true;
    if (events & OS_WRITABLE)
        flush(channel);
    for (unsigned i = 0; i < MESSAGES_A_ROUND && !channel->closed && !channel->unsent_size; i++) {
        if (receive_message(channel) != 1)
            break;
        channel->message.payload = channel->payload;
        channel->ops->message(channel->data, &channel->message);
        close_fds(&channel->message);
        channel->got = 0;
    }
    // One that does not read its answers is not read, so its end must be noticed here.
    if (!channel->closed && channel->unsent_size && (events & OS_HANGUP))
        end(channel, 0);
    channel->busy = false;
    if (channel->destroyed)
        vfio_channel_destroy(channel);
}
