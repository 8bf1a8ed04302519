// What the targets of vhost-user and vfio-user share: a guest's memory, a device that reads every
// byte it is handed, an aperture, a placer, and the actions that are the same by either.
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
};

// ---- the device -----------------------------------------------------------

static void read_config(void *data, uint32_t offset, void *bytes, uint32_t size)
{
    if (offset + size > 20)
        abort();
    memset(bytes, 1, size);
}

static void write_config(void *data, uint32_t offset, const void *bytes, uint32_t size)
{
    if (offset + size > 20)
        abort();
}

static bool start(void *data, uint64_t features, bool resumed)
{
    struct machine *m = data;
    if (m->always_fresh && (resumed || !(features & VIRTIO_F_VERSION_1)))
        abort();
    return machine_aperture_start(m->aperture, resumed);
}

static bool stop(void *data)
{
    return machine_aperture_stop(((struct machine *)data)->aperture);
}

static void reset(void *data)
{
    struct machine *m = data;
    m->pending_count = 0;
    machine_aperture_reset(m->aperture);
}

static void request(void *data, unsigned queue, const struct iovec *readable,
                    unsigned readable_count, void *response, uint32_t response_size,
                    struct virtio_request *token)
{
    struct machine *m = data;
    unsigned sum = 0, total = 0;
    for (unsigned i = 0; i < readable_count; i++) // every byte must be there
        for (size_t b = 0; b < readable[i].iov_len && total < 4096; b++, total++)
            sum += ((const volatile uint8_t *)readable[i].iov_base)[b];
    if (response_size > 64)
        abort();
    if (response_size)
        memset(response, (int)sum, response_size);
    if (sum & 1 && m->pending_count < 256)
        m->pending[m->pending_count++] = token;
    else
        virtio_complete(token, response_size);
}

static void closed(void *data)
{
    struct machine *m = data;
    virtio_transport_destroy(m->transport);
    m->transport = NULL;
}

// ---- the aperture ---------------------------------------------------------

static void placed(void *data, uint64_t cookie, int error)
{
}

static void started(void *data)
{
    struct machine *m = data;
    if (m->transport)
        virtio_ready(m->transport);
}

static void stopped(void *data)
{
    struct machine *m = data;
    if (m->always_fresh)
        abort();
    virtio_stopped(m->transport);
}

static void gone(void *data)
{
    struct machine *m = data;
    if (m->always_fresh)
        abort();
    virtio_driver_gone(m->transport);
}

// ---- the whole ------------------------------------------------------------

static void create_machine(struct machine *m, virtio_transport_create create)
{
    static const struct virtio_device_ops ops = {read_config, write_config, start, stop,
                                                 reset,       request,      closed};
    static const struct machine_aperture_ops aperture_ops = {placed, started, stopped, gone};
    struct virtio_device device = {"fuzz", 16, 0x1f, 2, 20, 64, 1, APERTURE, &ops, m};
    struct machine_aperture_options options = {APERTURE, 4, NULL};
    int front[2], placer[2];
    signal(SIGPIPE, SIG_IGN); // the actions close pipes in any order
    m->loop = new_loop();
    m->memory_fd = os_shm_create("guest", GUEST);
    m->range_fd = os_shm_create("range", APERTURE);
    m->memory = map_file(m->memory_fd, 0, GUEST);
    if (!m->loop || !m->memory || os_socket_pair(front) || os_socket_pair(placer))
        abort();
    m->front = front[0];
    m->backend = -1;
    m->placer = placer[0];
    m->for_placer = placer[1];
    os_socket_set_nonblocking(m->front, true);
    os_socket_set_nonblocking(m->placer, true);
    m->aperture = machine_aperture_create(m->loop, &options, &aperture_ops, m);
    if (!m->aperture || create(m->loop, front[1], &device, &m->transport))
        abort();
    machine_aperture_set_transport(m->aperture, m->transport);
}

static void destroy_machine(struct machine *m)
{
    virtio_transport_destroy(m->transport);
    machine_aperture_destroy(m->aperture);
    close(m->front);
    if (m->backend >= 0)
        close(m->backend);
    close(m->placer);
    os_shm_unmap(m->memory, GUEST);
    close(m->memory_fd);
    close(m->range_fd);
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
    uint8_t bytes[4096]; // nobody reads what they say
    int fds[8];
    int sockets[] = {m->front, m->backend, m->placer};
    for (unsigned i = 0; i < 3; i++) {
        unsigned count = 0;
        while (sockets[i] >= 0 &&
               os_socket_recv(sockets[i], bytes, sizeof(bytes), fds, 8, &count) > 0)
            while (count)
                close(fds[--count]);
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

static void placer_says_hello(struct machine *m, uint32_t flags)
{
    struct placer_hello hello = {PLACER_MAGIC, 4096, flags, 0};
    machine_aperture_set_placer(m->aperture, m->for_placer);
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

// A request in one go: descriptors from the input, offered.
static void offer_request(struct machine *m, struct input *in)
{
    for (unsigned i = 0; i < 16; i++)
        m->memory[take(in, 1)] = (uint8_t)take(in, 1);
    m->memory[0x402]++;
}

static void complete_request(struct machine *m, struct input *in)
{
    if (!m->pending_count)
        return;
    SCARCE(virtio_complete(m->pending[--m->pending_count], (uint32_t)take(in, 4)));
    virtio_flush(m->transport);
}

static void place(struct machine *m, struct input *in)
{
    SCARCE(machine_aperture_place(m->aperture, take(in, 2) << 12, m->range_fd, take(in, 1) << 12,
                                  take(in, 1) << 12, true, take(in, 1)));
}

static void unplace(struct machine *m, struct input *in)
{
    SCARCE(
        machine_aperture_unplace(m->aperture, take(in, 2) << 12, take(in, 1) << 12, take(in, 1)));
}

#endif
