#include "front/virtio/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/loop.h"
#include "os/socket.h"

// Messages that are taken before others have their turn.
enum { MESSAGES_A_ROUND = 64 };

// Bytes that the socket has not taken yet.
struct chunk {
    struct chunk *next;
    size_t size, sent;
    int fd; // our duplicate; -1: none, or sent
    uint8_t bytes[];
};

struct virtio_channel {
    int fd;
    struct os_source *source;
    const struct virtio_channel_form *form;
    const struct virtio_channel_ops *ops;
    void *data;
    bool paused, closed;
    bool busy, destroyed; // in a callback; to be freed after it

    struct virtio_message message;
    size_t got; // bytes of the header, then of header and payload
    _Alignas(8) uint8_t payload[VIRTIO_MAX_PAYLOAD];

    struct chunk *first, **last;
};

static void on_socket(void *data, int fd, unsigned events);

static int64_t payload_size(const void *header)
{
    return ((const struct virtio_header *)header)->size;
}

const struct virtio_channel_form virtio_channel_form = {.header_size = sizeof(struct virtio_header),
                                                        .payload_size = payload_size};

int virtio_channel_create(struct os_loop *loop, int fd, const struct virtio_channel_form *form,
                          const struct virtio_channel_ops *ops, void *data,
                          struct virtio_channel **created)
{
    struct virtio_channel *channel = calloc(1, sizeof(*channel));
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
    channel->form = form;
    channel->ops = ops;
    channel->data = data;
    channel->last = &channel->first;
    *created = channel;
    return 0;
}

static void close_fds(struct virtio_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->fd_count = 0;
}

static void free_chunk(struct chunk *chunk)
{
    if (chunk->fd >= 0)
        close(chunk->fd);
    free(chunk);
}

static void shut(struct virtio_channel *channel)
{
    channel->closed = true;
    os_source_remove(channel->source);
    channel->source = NULL;
    while (channel->first) {
        struct chunk *chunk = channel->first;
        channel->first = chunk->next;
        free_chunk(chunk);
    }
    channel->last = &channel->first;
}

void virtio_channel_destroy(struct virtio_channel *channel)
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

static bool is_read(const struct virtio_channel *channel)
{
    return !channel->paused && !(channel->form->in_turns && channel->first);
}

static void set_events(struct virtio_channel *channel)
{
    if (channel->source)
        os_source_set_events(channel->source, (is_read(channel) ? OS_READABLE : 0) |
                                                  (channel->first ? OS_WRITABLE : 0));
}

void virtio_channel_pause(struct virtio_channel *channel, bool paused)
{
    channel->paused = paused;
    set_events(channel);
}

// ---- sending --------------------------------------------------------------

static bool enqueue(struct virtio_channel *channel, const struct iovec *parts, unsigned count,
                    size_t size, size_t skip, int fd)
{
    struct chunk *chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        return false;
    *chunk = (struct chunk){.size = size, .sent = skip, .fd = -1};
    if (fd >= 0 && (chunk->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
        free(chunk);
        return false;
    }
    uint8_t *to = chunk->bytes;
    for (unsigned i = 0; i < count; i++) {
        if (parts[i].iov_len)
            memcpy(to, parts[i].iov_base, parts[i].iov_len);
        to += parts[i].iov_len;
    }
    *channel->last = chunk;
    channel->last = &chunk->next;
    set_events(channel);
    return true;
}

bool virtio_channel_send_parts(struct virtio_channel *channel, const struct iovec *parts,
                               unsigned count, int fd)
{
    if (channel->closed)
        return false;
    size_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].iov_len;
    ssize_t sent = 0;
    if (!channel->first) {
        sent = os_socket_send_vector(channel->fd, parts, count, &fd, fd >= 0 ? 1 : 0);
        if (sent == (ssize_t)size)
            return true;
        if (sent < 0 && sent != -EAGAIN && sent != -EWOULDBLOCK)
            return false; // reading finds out and tells
    }
    if (sent > 0)
        fd = -1; // travelled with the first byte
    return enqueue(channel, parts, count, size, sent > 0 ? (size_t)sent : 0, fd);
}

bool virtio_channel_send(struct virtio_channel *channel, uint32_t type, uint32_t flags,
                         const void *payload, uint32_t size, int fd)
{
    struct virtio_header header = {
        .type = type, .flags = flags | VIRTIO_CHANNEL_VERSION, .size = size};
    struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)payload, size}};
    return virtio_channel_send_parts(channel, parts, size ? 2 : 1, fd);
}

int virtio_channel_unread(const struct virtio_channel *channel)
{
    return channel->first ? 1 : os_socket_unread(channel->fd);
}

static void flush(struct virtio_channel *channel)
{
    while (channel->first) {
        struct chunk *chunk = channel->first;
        ssize_t sent =
            os_socket_send(channel->fd, chunk->bytes + chunk->sent, chunk->size - chunk->sent,
                           &chunk->fd, chunk->fd >= 0 ? 1 : 0);
        if (sent < 0)
            break;
        if (chunk->fd >= 0)
            close(chunk->fd);
        chunk->fd = -1;
        chunk->sent += (size_t)sent;
        if (chunk->sent < chunk->size)
            break;
        channel->first = chunk->next;
        if (!channel->first)
            channel->last = &channel->first;
        free(chunk);
    }
    set_events(channel);
}

// ---- receiving ------------------------------------------------------------

static int end(struct virtio_channel *channel, int error)
{
    shut(channel);
    channel->ops->closed(channel->data, error);
    return -1;
}

// Reads up to `size` bytes and counts them in `got`. 1: it read some; 0: there are none now; -1:
// the socket is closed, and the callback was called.
static int receive(struct virtio_channel *channel, void *to, size_t size)
{
    struct virtio_message *message = &channel->message;
    ssize_t got =
        os_socket_recv(channel->fd, to, size, message->fds, VIRTIO_MAX_FDS, &message->fd_count);
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
static int receive_message(struct virtio_channel *channel)
{
    struct virtio_message *message = &channel->message;
    for (;;) {
        size_t have = channel->got, header = channel->form->header_size;
        if (have < header) {
            int more = receive(channel, message->header_bytes + have, header - have);
            if (more != 1)
                return more;
            continue;
        }
        int64_t follows = channel->form->payload_size(message->header_bytes);
        if (follows < 0)
            return end(channel, (int)follows);
        size_t size = message->size = (uint32_t)follows;
        have -= header;
        if (have == size)
            return 1;
        message->skipped = size > sizeof(channel->payload);
        size_t at = message->skipped ? 0 : have;
        size_t room = sizeof(channel->payload) - at;
        int more = receive(channel, channel->payload + at, size - have < room ? size - have : room);
        if (more != 1)
            return more;
    }
}

static void on_socket(void *data, int fd, unsigned events)
{
    struct virtio_channel *channel = data;
    channel->busy = true;
    if (events & OS_WRITABLE)
        flush(channel);
    for (unsigned i = 0; i < MESSAGES_A_ROUND && !channel->closed && is_read(channel); i++) {
        struct virtio_message *message = &channel->message;
        if (receive_message(channel) != 1)
            break;
        message->payload = channel->payload;
        channel->ops->message(channel->data, message);
        close_fds(message);
        message->skipped = false;
        channel->got = 0;
    }
    // A channel that is not read must notice the other side's end here.
    if (!channel->closed && !channel->destroyed && !is_read(channel) && (events & OS_HANGUP))
        end(channel, 0);
    channel->busy = false;
    if (channel->destroyed)
        virtio_channel_destroy(channel);
}
