// libFuzzer target: a front end, a driver and a placer that say anything in any order. The input is
// a list of actions.
#include "front/machine/aperture.h"
#include "front/vhost_user/private.h"

#include "../unit/short.h"
#include "base/log.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"
#include "placer/placer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GUEST = 1 << 16, APERTURE = 1 << 20, RINGS = 0x1000 };
#define GUEST_ADDRESS 0x10000ull
#define USER_ADDRESS 0x7f0000000000ull

struct machine {
    struct os_loop *loop;
    struct virtio_transport *vhost;
    struct machine_aperture *aperture;
    int front, backend, placer; // our ends; -1: closed
    int memory_fd, range_fd;
    uint8_t *memory;
    int kicks[2];
    struct virtio_request *pending[256];
    uint32_t pending_count;
    bool ended;
};

struct input {
    const uint8_t *at, *end;
};

static uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && in->at < in->end; i++)
        value |= (uint64_t)*in->at++ << (8 * i);
    return value;
}

// In place of base/log.c: a fuzzer's log is of no interest, and slow.
void log_write(enum log_level level, const char *format, ...)
{
}

enum log_level log_get_level(void)
{
    return LOG_ERROR;
}

int log_limit_allows(struct log_limit *limit, uint64_t now_ns, uint32_t burst, uint64_t period_ns)
{
    return 1;
}

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
    return machine_aperture_start(((struct machine *)data)->aperture, resumed);
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
    virtio_transport_destroy(m->vhost);
    m->vhost = NULL;
    m->ended = true;
}

static void placed(void *data, uint64_t cookie, int error)
{
}

static void started(void *data)
{
    virtio_ready(((struct machine *)data)->vhost);
}

static void stopped(void *data)
{
    virtio_stopped(((struct machine *)data)->vhost);
}

static void gone(void *data)
{
    virtio_driver_gone(((struct machine *)data)->vhost);
}

// ---- the others -----------------------------------------------------------

static void stop_turn(void *data)
{
    os_loop_stop(data, 0);
}

static void turn(struct machine *m)
{
    struct os_source *timer = os_loop_add_timer(m->loop, 1, stop_turn, m->loop);
    os_loop_run(m->loop);
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

static void send_bytes(int socket, uint32_t type, uint32_t flags, const void *payload,
                       uint32_t size, const int *fds, unsigned fd_count)
{
    uint8_t message[12 + 512];
    struct virtio_header header = {type, flags, size};
    memcpy(message, &header, sizeof(header));
    if (size)
        memcpy(message + 12, payload, size);
    os_socket_send(socket, message, 12 + size, fds, fd_count);
}

// A message of the front end with descriptors of a kind that suits some message.
static void fuzz_message(struct machine *m, struct input *in)
{
    uint8_t payload[512];
    uint32_t type = (uint32_t)take(in, 1), flags = (uint32_t)take(in, 1),
             kinds = (uint32_t)take(in, 1);
    uint32_t size = (uint32_t)take(in, 2) % (sizeof(payload) + 1);
    for (uint32_t i = 0; i < size; i++)
        payload[i] = (uint8_t)take(in, 1);
    int fds[4], ends[2] = {-1, -1};
    unsigned count = kinds & 3;
    if (pipe(ends) < 0)
        abort();
    for (unsigned i = 0; i < count; i++)
        fds[i] = kinds & (4u << i) ? m->memory_fd : ends[i & 1];
    send_bytes(m->front, type, flags, payload, size, fds, count);
    close(ends[0]);
    close(ends[1]);
}

static void say(struct machine *m, uint32_t type, const void *payload, uint32_t size, int fd)
{
    send_bytes(m->front, type, VHOST_VERSION, payload, size, &fd, fd >= 0);
}

static void start_driver(struct machine *m, struct input *in)
{
    uint64_t features = 0x1f | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC |
                        VHOST_F_PROTOCOL_FEATURES | (take(in, 1) & 1 ? VIRTIO_F_EVENT_IDX : 0);
    struct vhost_memory_table table = {.count = 1,
                                       .regions = {{GUEST_ADDRESS, GUEST, USER_ADDRESS, 0}}};
    say(m, VHOST_SET_FEATURES, &features, 8, -1);
    say(m, VHOST_SET_MEM_TABLE, &table, 40, m->memory_fd);
    for (uint32_t q = 0; q < 2; q++) {
        uint64_t at = USER_ADDRESS + q * RINGS, index = q;
        struct vhost_vring_state number = {q, 16}, base = {q, (uint32_t)take(in, 1)};
        struct vhost_vring_address address = {
            .index = q, .descriptors = at, .available = at + 0x400, .used = at + 0x800};
        int ends[2];
        if (pipe(ends) < 0)
            abort();
        say(m, VHOST_SET_VRING_NUM, &number, 8, -1);
        say(m, VHOST_SET_VRING_BASE, &base, 8, -1);
        say(m, VHOST_SET_VRING_ADDR, &address, sizeof(address), -1);
        say(m, VHOST_SET_VRING_KICK, &index, 8, ends[0]);
        close(ends[0]);
        if (m->kicks[q] >= 0)
            close(m->kicks[q]);
        m->kicks[q] = ends[1];
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
    }
    for (uint32_t q = 0; q < 2; q++)
        say(m, VHOST_SET_VRING_ENABLE, &(struct vhost_vring_state){q, 1}, 8, -1);
    turn(m);
}

static void act(struct machine *m, struct input *in)
{
    switch (take(in, 1) % 12) {
    case 0:
        fuzz_message(m, in);
        break;
    case 1: {
        uint32_t at = (uint32_t)take(in, 2), size = (uint32_t)take(in, 1);
        for (uint32_t i = 0; i < size; i++)
            m->memory[(at + i) % GUEST] = (uint8_t)take(in, 1);
        break;
    }
    case 2: {
        unsigned q = take(in, 1) & 1;
        if (m->kicks[q] >= 0 && write(m->kicks[q], "12345678", 8) < 0)
            break;
        turn(m);
        break;
    }
    case 3:
        if (m->pending_count) {
            virtio_complete(m->pending[--m->pending_count], (uint32_t)take(in, 4));
            virtio_flush(m->vhost);
        }
        break;
    case 4: {
        uint64_t result = take(in, 1);
        send_bytes(m->backend, (uint32_t)take(in, 1), (uint32_t)take(in, 1), &result, 8, NULL, 0);
        break;
    }
    case 5:
        start_driver(m, in);
        break;
    case 6:
        for (uint32_t q = 0; q < 2; q++)
            say(m, VHOST_SET_VRING_ENABLE, &(struct vhost_vring_state){q, 0}, 8, -1);
        for (uint32_t q = 0; q < 2; q++)
            say(m, VHOST_GET_VRING_BASE, &(struct vhost_vring_state){q, 0}, 8, -1);
        break;
    case 7: {
        struct placer_reply reply = {take(in, 1), take(in, 1), -(int64_t)take(in, 1)};
        send_bytes(m->placer, (uint32_t)take(in, 1), (uint32_t)take(in, 1), &reply, sizeof(reply),
                   NULL, 0);
        break;
    }
    case 8:
        machine_aperture_place(m->aperture, take(in, 2) << 12, m->range_fd, take(in, 1) << 12,
                               take(in, 1) << 12, true, take(in, 1));
        break;
    case 9:
        machine_aperture_unplace(m->aperture, take(in, 2) << 12, take(in, 1) << 12, take(in, 1));
        break;
    case 10: // a request in one go: descriptors from the input, offered
        for (unsigned i = 0; i < 16; i++)
            m->memory[take(in, 1)] = (uint8_t)take(in, 1);
        m->memory[0x402]++;
        break;
    default:
        turn(m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    signal(SIGPIPE, SIG_IGN); // the actions close pipes in any order
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct virtio_device_ops ops = {read_config, write_config, start, stop,
                                                 reset,       request,      closed};
    static const struct machine_aperture_ops aperture_ops = {placed, started, stopped, gone};
    struct input in = {data, data + size};
    struct machine m = {.kicks = {-1, -1}};
    int sockets[2], channel[2], placer[2];
    m.loop = new_loop();
    if (!m.loop || os_socket_pair(sockets) || os_socket_pair(channel) || os_socket_pair(placer))
        abort();
    m.front = sockets[0];
    m.backend = channel[0];
    m.placer = placer[0];
    os_socket_set_nonblocking(m.front, true);
    os_socket_set_nonblocking(m.backend, true);
    os_socket_set_nonblocking(m.placer, true);
    m.memory_fd = os_shm_create("guest", GUEST);
    m.range_fd = os_shm_create("range", APERTURE);
    m.memory = map_file(m.memory_fd, 0, GUEST);
    struct virtio_device device = {"fuzz", 16, 0x1f, 2, 20, 64, 1, APERTURE, &ops, &m};
    struct machine_aperture_options options = {APERTURE, 4, NULL};
    vhost_user_create(m.loop, sockets[1], &device, &m.vhost);
    m.aperture = machine_aperture_create(m.loop, &options, &aperture_ops, &m);
    machine_aperture_set_transport(m.aperture, m.vhost);
    uint64_t protocol =
        1ull << 0 | 1ull << 3 | 1ull << 5 | 1ull << 9 | 1ull << 10 | 1ull << 18 | 1ull << 22;
    say(&m, VHOST_SET_PROTOCOL_FEATURES, &protocol, 8, -1);
    say(&m, VHOST_SET_BACKEND_REQ_FD, NULL, 0, channel[1]);
    close(channel[1]);
    if (take(&in, 1) & 1) {
        struct placer_hello hello = {PLACER_MAGIC, 4096, 3, 0};
        machine_aperture_set_placer(m.aperture, placer[1]);
        send_bytes(m.placer, PLACER_HELLO, PLACER_VERSION, &hello, sizeof(hello), NULL, 0);
    } else {
        close(placer[1]);
    }
    turn(&m);

    while (in.at < in.end && !m.ended)
        act(&m, &in);
    turn(&m);

    virtio_transport_destroy(m.vhost);
    machine_aperture_destroy(m.aperture);
    close(m.front);
    close(m.backend);
    close(m.placer);
    for (unsigned q = 0; q < 2; q++)
        if (m.kicks[q] >= 0)
            close(m.kicks[q]);
    os_shm_unmap(m.memory, GUEST);
    close(m.memory_fd);
    close(m.range_fd);
    os_loop_destroy(m.loop);
    return 0;
}
