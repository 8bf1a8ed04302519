#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/patience.h"
#include "link/form.h"
#include "os/socket.h"

enum {
    BUFFER_SIZE = 64 << 10, // one recvmsg takes as many small messages as fit
    BUFFER_KEEP = 1 << 20,  // a larger one is given back when it is empty
    FD_QUEUE = 64,          // descriptors received ahead of their messages
    HELD_SIZE = 4096,       // of small messages that link_hold gathers
};

// What the socket did not take, of a non-blocking link.
struct chunk {
    struct list node;
    size_t size, sent;
    unsigned fd_count;
    int fds[LINK_MAX_FDS]; // our duplicates; gone once the first byte is sent
    uint8_t bytes[];
};

struct link {
    int fd;
    bool blocking;
    struct patience patience; // of one that is blocking

    // Receiving: one thread.
    uint8_t *buffer;
    size_t capacity, start,
        end; // bytes [start, end) are received and not consumed; start is a multiple of 8
    int fds[FD_QUEUE];
    unsigned fd_count;
    int handed[LINK_MAX_FDS]; // of the message received last; -1: taken
    unsigned handed_count;
    bool drained; // the last read took all there was
    int failed;   // what broke it; 0: nothing

    // Sending: any thread.
    pthread_mutex_t lock;
    struct list chunks;
    atomic_size_t queued;
    bool holding;
    size_t held;
    uint8_t held_bytes[HELD_SIZE];
};

int link_create(int fd, bool blocking, struct link **created)
{
    *created = NULL;
    struct link *link = calloc(1, sizeof(*link));
    uint8_t *buffer = malloc(BUFFER_SIZE);
    int error = link && buffer ? os_socket_set_nonblocking(fd, !blocking) : -ENOMEM;
    if (error) {
        free(link);
        free(buffer);
        close(fd);
        return error;
    }
    link->fd = fd;
    link->blocking = blocking;
    link->buffer = buffer;
    link->capacity = BUFFER_SIZE;
    list_init(&link->chunks);
    pthread_mutex_init(&link->lock, NULL);
    *created = link;
    return 0;
}

static void close_fds(int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void close_unclaimed(struct link *link)
{
    close_fds(link->handed, link->handed_count);
    link->handed_count = 0;
}

int link_take_fd(struct link *link, unsigned index)
{
    if (index >= link->handed_count)
        return -1;
    int fd = link->handed[index];
    link->handed[index] = -1;
    return fd;
}

void link_destroy(struct link *link)
{
    if (!link)
        return;
    close_unclaimed(link);
    close_fds(link->fds, link->fd_count);
    LIST_EACH (node, &link->chunks) {
        struct chunk *chunk = LIST_ENTRY(node, struct chunk, node);
        close_fds(chunk->fds, chunk->fd_count);
        free(chunk);
    }
    close(link->fd);
    pthread_mutex_destroy(&link->lock);
    free(link->buffer);
    free(link);
}

int link_fd(const struct link *link)
{
    return link->fd;
}

// ---- receiving ------------------------------------------------------------

// Makes room for a message of `needed` bytes at `start`, or for more messages.
static bool make_room(struct link *link, size_t needed)
{
    size_t held = link->end - link->start;
    if (link->start + needed <= link->capacity && link->end < link->capacity)
        return true;
    if (needed <= link->capacity) {
        memmove(link->buffer, link->buffer + link->start, held);
    } else {
        uint8_t *larger = malloc(needed);
        if (!larger)
            return false;
        memcpy(larger, link->buffer + link->start, held);
        free(link->buffer);
        link->buffer = larger;
        link->capacity = needed;
    }
    link->start = 0;
    link->end = held;
    return true;
}

static void reset_if_empty(struct link *link)
{
    if (link->start != link->end)
        return;
    link->start = link->end = 0;
    if (link->capacity > BUFFER_KEEP) {
        uint8_t *smaller = malloc(BUFFER_SIZE);
        if (!smaller)
            return;
        free(link->buffer);
        link->buffer = smaller;
        link->capacity = BUFFER_SIZE;
    }
}

// Linux wakes whoever sleeps in recvmsg each time that the other end has read something of ours; a
// poll sleeps on.
static void await(struct link *link)
{
    struct pollfd ready = {.fd = link->fd, .events = POLLIN};
    unsigned looks = patience_looks(&link->patience);
    if (looks) {
        int got = poll(&ready, 1, 0);
        while (!got && looks--) {
            sched_yield();
            got = poll(&ready, 1, 0);
        }
        patience_learn(&link->patience, got);
        if (got)
            return;
    }
    poll(&ready, 1, -1);
}

static int fill(struct link *link, size_t needed)
{
    if (link->drained && !link->blocking) {
        link->drained = false; // asking again would only be told to wait
        return -EAGAIN;
    }
    if (!make_room(link, needed))
        return -ENOMEM;
    size_t room = link->capacity - link->end;
    if (link->blocking)
        await(link);
    ssize_t got = os_socket_recv(link->fd, link->buffer + link->end, room, link->fds, FD_QUEUE,
                                 &link->fd_count);
    if (got == 0)
        return link->start == link->end ? -EPIPE : -EPROTO; // in the middle of a message
    if (got < 0)
        return got == -ECONNRESET ? -EPIPE : (int)got;
    link->end += (size_t)got;
    link->drained = (size_t)got < room && !link->fd_count;
    return 0;
}

// 0: taken out of the buffer. -EAGAIN: not whole yet, *needed says how many bytes it has.
static int take(struct link *link, struct link_message *message, size_t *needed)
{
    struct link_header header;
    size_t held = link->end - link->start;
    *needed = sizeof(header);
    if (held < sizeof(header))
        return -EAGAIN;
    memcpy(&header, link->buffer + link->start, sizeof(header));
    if (header.size > LINK_MAX_PAYLOAD || header.fd_count > link->fd_count)
        return -EPROTO; // descriptors come with the first byte
    *needed = sizeof(header) + (((size_t)header.size + 7) & ~(size_t)7);
    if (held < *needed)
        return -EAGAIN;

    const uint8_t *payload = link->buffer + link->start + sizeof(header);
    if (header.fd_count > LINK_MAX_FDS || !link_well_formed(&header, payload))
        return -EPROTO;
    message->type = header.type;
    message->size = header.size;
    message->payload = payload;
    message->fd_count = header.fd_count;
    message->fds = link->handed;
    link->handed_count = header.fd_count;
    if (header.fd_count) {
        memcpy(link->handed, link->fds, header.fd_count * sizeof(int));
        link->fd_count -= header.fd_count;
        memmove(link->fds, link->fds + header.fd_count, link->fd_count * sizeof(int));
    }
    link->start += *needed;
    return 0;
}

int link_receive(struct link *link, struct link_message *message)
{
    close_unclaimed(link);
    if (link->failed)
        return link->failed;
    reset_if_empty(link);
    for (;;) {
        size_t needed;
        int error = take(link, message, &needed);
        if (error == -EAGAIN) {
            error = fill(link, needed);
            if (!error)
                continue;
        }
        if (link_is_broken(error))
            link->failed = error;
        return error;
    }
}

// ---- sending --------------------------------------------------------------

static int send_failed(ssize_t error)
{
    return error == -ECONNRESET || error == -ENOTCONN ? -EPIPE : (int)error;
}

// Drops `sent` bytes from the front of the parts.
static unsigned advance(struct iovec *parts, unsigned count, size_t sent)
{
    unsigned left = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t gone = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        sent -= gone;
        if (gone == parts[i].iov_len)
            continue;
        parts[left++] =
            (struct iovec){(uint8_t *)parts[i].iov_base + gone, parts[i].iov_len - gone};
    }
    return left;
}

static int enqueue(struct link *link, const struct iovec *parts, unsigned count, const int *fds,
                   unsigned fd_count)
{
    size_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].iov_len;
    struct chunk *chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        return -ENOMEM;
    *chunk = (struct chunk){.size = size};
    for (; chunk->fd_count < fd_count; chunk->fd_count++) {
        int copy = fcntl(fds[chunk->fd_count], F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            int error = -errno;
            close_fds(chunk->fds, chunk->fd_count);
            free(chunk);
            return error;
        }
        chunk->fds[chunk->fd_count] = copy;
    }
    uint8_t *to = chunk->bytes;
    for (unsigned i = 0; i < count; i++) {
        memcpy(to, parts[i].iov_base, parts[i].iov_len);
        to += parts[i].iov_len;
    }
    list_append(&link->chunks, &chunk->node);
    atomic_fetch_add_explicit(&link->queued, size, memory_order_relaxed);
    return -EAGAIN;
}

static int send_locked(struct link *link, struct iovec *parts, unsigned count, const int *fds,
                       unsigned fd_count)
{
    if (!list_is_empty(&link->chunks))
        return enqueue(link, parts, count, fds, fd_count);
    while (count) {
        ssize_t sent = os_socket_send_vector(link->fd, parts, count, fds, fd_count);
        if (sent == -EAGAIN)
            return link->blocking ? -ETIMEDOUT : enqueue(link, parts, count, fds, fd_count);
        if (sent < 0)
            return send_failed(sent);
        count = advance(parts, count, (size_t)sent);
        fd_count = 0;
    }
    return 0;
}

static void gather(struct link *link, const struct iovec *parts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        memcpy(link->held_bytes + link->held, parts[i].iov_base, parts[i].iov_len);
        link->held += parts[i].iov_len;
    }
}

static int send_held(struct link *link)
{
    struct iovec part = {link->held_bytes, link->held};
    link->held = 0;
    return part.iov_len ? send_locked(link, &part, 1, NULL, 0) : 0;
}

int link_send(struct link *link, uint16_t type, const void *payload, size_t size, const void *tail,
              size_t tail_size, const int *fds, unsigned fd_count)
{
    if (size > LINK_MAX_PAYLOAD || tail_size > LINK_MAX_PAYLOAD - size || fd_count > LINK_MAX_FDS)
        return -EMSGSIZE;
    static const uint8_t zeroes[8];
    size_t total = size + tail_size, padding = (8 - total % 8) % 8;
    struct link_header header = {
        .size = (uint32_t)total, .type = type, .fd_count = (uint16_t)fd_count};
    struct iovec parts[4] = {
        {&header, sizeof(header)},
        {(void *)payload, size},
        {(void *)tail, tail_size},
        {(void *)zeroes, padding},
    };
    unsigned count = advance(parts, 4, 0); // leaves out the empty ones
    int error = 0;

    pthread_mutex_lock(&link->lock);
    if (link->holding && !fd_count && sizeof(header) + total + padding <= HELD_SIZE - link->held) {
        gather(link, parts, count);
    } else {
        if (link->held)
            error = send_held(link);
        if (!error || error == -EAGAIN)
            error = send_locked(link, parts, count, fds, fd_count);
    }
    pthread_mutex_unlock(&link->lock);
    return error;
}

void link_hold(struct link *link)
{
    pthread_mutex_lock(&link->lock);
    link->holding = true;
    pthread_mutex_unlock(&link->lock);
}

int link_release(struct link *link)
{
    pthread_mutex_lock(&link->lock);
    link->holding = false;
    int error = send_held(link);
    pthread_mutex_unlock(&link->lock);
    return error;
}

size_t link_queued(struct link *link)
{
    return atomic_load_explicit(&link->queued, memory_order_relaxed);
}

int link_flush(struct link *link)
{
    int error = 0;
    pthread_mutex_lock(&link->lock);
    struct chunk *chunk;
    while (!error && (chunk = LIST_FIRST(&link->chunks, struct chunk, node))) {
        ssize_t sent = os_socket_send(link->fd, chunk->bytes + chunk->sent,
                                      chunk->size - chunk->sent, chunk->fds, chunk->fd_count);
        if (sent == -EAGAIN) {
            error = -EAGAIN;
        } else if (sent < 0) {
            error = send_failed(sent);
        } else {
            close_fds(chunk->fds, chunk->fd_count);
            chunk->fd_count = 0;
            chunk->sent += (size_t)sent;
            atomic_fetch_sub_explicit(&link->queued, (size_t)sent, memory_order_relaxed);
            if (chunk->sent == chunk->size) {
                list_remove(&chunk->node);
                free(chunk);
            }
        }
    }
    pthread_mutex_unlock(&link->lock);
    return error;
}
