// What the targets of whole machines share: a guest's memory, sockets of a front end and a placer,
// and actions that are the same by any transport.
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "../scarce/scarce.h"
#include "../unit/short.h"
#include "actions.h"
#include "front/machine/aperture.h"
#include "front/virtio/channel.h"
#include "front/virtio/device.h"
#include "front/virtio/queue.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"
#include "placer/placer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GUEST = 1 << 16, APERTURE = 1 << 20, RINGS = 0x1000 };
#define GUEST_ADDRESS 0x10000ull

struct machine {
    struct os_loop *loop;
    struct virtio_transport *transport; // NULL: it has ended
    struct machine_aperture *aperture;
    bool always_fresh;          // no driver is paused, and none waits to stop
    int front, backend, placer; // our ends; -1: none
    int for_placer;             // its end, until it is handed over
    int memory_fd, range_fd;
    uint8_t *memory;
    struct virtio_request *pending[256];
    uint32_t pending_count;
    // What the back-end channel and the placer are told; NULL: nobody reads it.
    void (*heard)(struct machine *m, int socket, const uint8_t *bytes, size_t size);
};

// ---- the whole ------------------------------------------------------------

// Sockets and the guest's memory. Returns the end of whoever serves the front end.
static int open_machine(struct machine *m)
{
    int front[2], placer[2];
    signal(SIGPIPE, SIG_IGN); // the actions close pipes in any order
    m->loop = new_loop();
    m->memory_fd = os_shm_create("guest", GUEST);
    m->memory = map_file(m->memory_fd, 0, GUEST);
    if (!m->loop || !m->memory || os_socket_pair(front) || os_socket_pair(placer))
        abort();
    m->front = front[0];
    m->backend = -1;
    m->placer = placer[0];
    m->for_placer = placer[1];
    os_socket_set_nonblocking(m->front, true);
    os_socket_set_nonblocking(m->placer, true);
    return front[1];
}

// What serves it is gone.
static void close_machine(struct machine *m)
{
    close(m->front);
    if (m->backend >= 0)
        close(m->backend);
    close(m->placer);
    os_shm_unmap(m->memory, GUEST);
    close(m->memory_fd);
    os_loop_destroy(m->loop);
}

static void stop_turn(void *data)
{
    os_loop_stop(data, 0);
}

static void turn(struct machine *m)
{
    struct os_source *timer = os_loop_add_timer(m->loop, 1, stop_turn, m->loop);
    SCARCE(os_loop_run(m->loop));
    os_source_remove(timer);
    uint8_t bytes[4096];
    int fds[8];
    int sockets[] = {m->front, m->backend, m->placer};
    for (unsigned i = 0; i < 3; i++) {
        unsigned count = 0;
        ssize_t size;
        while (sockets[i] >= 0 &&
               (size = os_socket_recv(sockets[i], bytes, sizeof(bytes), fds, 8, &count)) > 0) {
            while (count)
                close(fds[--count]);
            if (m->heard)
                m->heard(m, sockets[i], bytes, (size_t)size);
        }
    }
}

// Up to three descriptors, each the guest's memory or an end of a pipe, as `kinds` says.
struct some_fds {
    int fds[4], ends[2];
    unsigned count;
};

static void make_fds(const struct machine *m, uint32_t kinds, struct some_fds *some)
{
    some->count = kinds & 3;
    if (pipe(some->ends) < 0)
        abort();
    for (unsigned i = 0; i < some->count; i++)
        some->fds[i] = kinds & (4u << i) ? m->memory_fd : some->ends[i & 1];
}

static void close_fds(const struct some_fds *some)
{
    close(some->ends[0]);
    close(some->ends[1]);
}

// A message whose header is that of vhost-user: of its front end, on its back-end channel, of the
// placer.
static void send_bytes(int socket, uint32_t type, uint32_t flags, const void *payload,
                       uint32_t size, const int *fds, unsigned fd_count)
{
    uint8_t message[sizeof(struct virtio_header) + 512];
    struct virtio_header header = {type, flags, size};
    memcpy(message, &header, sizeof(header));
    if (size)
        memcpy(message + sizeof(header), payload, size);
    os_socket_send(socket, message, sizeof(header) + size, fds, fd_count);
}

// for_placer is handed over by whoever calls.
static void placer_says_hello(struct machine *m, uint32_t flags)
{
    struct placer_hello hello = {PLACER_MAGIC, 4096, flags, 0};
    send_bytes(m->placer, PLACER_HELLO, PLACER_VERSION, &hello, sizeof(hello), NULL, 0);
}

// `any`: also with flags that are no answer's.
static void placer_answers(struct machine *m, struct input *in, bool any)
{
    struct placer_reply reply = {take(in, 1), take(in, 1), -(int64_t)take(in, 1)};
    uint32_t type = (uint32_t)take(in, 1),
             flags = any ? (uint32_t)take(in, 1) : PLACER_REPLY | PLACER_VERSION;
    send_bytes(m->placer, type, flags, &reply, sizeof(reply), NULL, 0);
}

// ---- actions --------------------------------------------------------------

static void write_memory(struct machine *m, struct input *in)
{
    uint32_t at = (uint32_t)take(in, 2), size = (uint32_t)take(in, 1);
    for (uint32_t i = 0; i < size; i++)
        m->memory[(at + i) % GUEST] = (uint8_t)take(in, 1);
}

#endif
