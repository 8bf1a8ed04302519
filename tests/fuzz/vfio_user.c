// libFuzzer target: a front end over vfio-user, a driver and a placer that say anything in any
// order. The input is a list of actions.
#include "front/machine/aperture.h"
#include "front/vfio_user/private.h"

#include "../unit/short.h"
#include "base/log.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"
#include "placer/placer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GUEST = 1 << 16, APERTURE = 1 << 20, RINGS = 0x1000, PAYLOAD = 512 };
#define GUEST_ADDRESS 0x10000ull

struct machine {
    struct os_loop *loop;
    struct virtio_transport *transport;
    struct machine_aperture *aperture;
    int front, placer; // our ends
    int memory_fd, range_fd;
    uint8_t *memory;
    struct virtio_request *pending[256];
    uint32_t pending_count;
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
    if (resumed || !(features & VIRTIO_F_VERSION_1))
        abort();
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
    virtio_transport_destroy(m->transport);
    m->transport = NULL;
}

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
    abort(); // nothing here waits to stop
}

static void gone(void *data)
{
    abort();
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
    int sockets[] = {m->front, m->placer};
    for (unsigned i = 0; i < 2; i++) {
        unsigned count = 0;
        while (os_socket_recv(sockets[i], bytes, sizeof(bytes), fds, 8, &count) > 0)
            while (count)
                close(fds[--count]);
    }
}

static void say(struct machine *m, uint16_t command, uint32_t flags, const void *payload,
                uint32_t size, const int *fds, unsigned fd_count)
{
    uint8_t message[sizeof(struct vfio_header) + PAYLOAD];
    struct vfio_header header = {1, command, (uint32_t)sizeof(header) + size, flags, 0};
    if (flags == VFIO_USER_REPLY)
        header.id = 0x6870;
    memcpy(message, &header, sizeof(header));
    if (size)
        memcpy(message + sizeof(header), payload, size);
    os_socket_send(m->front, message, sizeof(header) + size, fds, fd_count);
    turn(m);
}

static void fuzz_message(struct machine *m, struct input *in)
{
    uint8_t payload[PAYLOAD];
    uint16_t command = (uint16_t)take(in, 1) % 16;
    uint32_t flags = (uint32_t)take(in, 1), kinds = (uint32_t)take(in, 1);
    uint32_t size = (uint32_t)take(in, 1);
    for (uint32_t i = 0; i < size; i++)
        payload[i] = (uint8_t)take(in, 1);
    int fds[4], ends[2] = {-1, -1};
    unsigned count = kinds & 3;
    if (pipe(ends) < 0)
        abort();
    for (unsigned i = 0; i < count; i++)
        fds[i] = kinds & (4u << i) ? m->memory_fd : ends[i & 1];
    say(m, command, flags, payload, size, fds, count);
    close(ends[0]);
    close(ends[1]);
}

static void access_region(struct machine *m, uint32_t region, uint64_t offset, uint64_t value,
                          uint32_t size, bool write)
{
    uint8_t payload[sizeof(struct vfio_region_access) + 8];
    struct vfio_region_access access = {offset, region, size};
    memcpy(payload, &access, sizeof(access));
    memcpy(payload + sizeof(access), &value, sizeof(value));
    say(m, write ? VFIO_USER_REGION_WRITE : VFIO_USER_REGION_READ, 0, payload,
        (uint32_t)sizeof(access) + (write ? size : 0), NULL, 0);
}

static void set(struct machine *m, uint64_t offset, uint64_t value, uint32_t size)
{
    access_region(m, VFIO_BAR_VIRTIO, offset, value, size, true);
}

static void map(struct machine *m, uint64_t address, uint64_t size, uint64_t offset, bool file)
{
    struct vfio_dma_map request = {sizeof(request), 3, offset, address, size};
    say(m, VFIO_USER_DMA_MAP, 0, &request, sizeof(request), &m->memory_fd, file);
}

static void start_driver(struct machine *m)
{
    map(m, GUEST_ADDRESS, GUEST, 0, true);
    access_region(m, VFIO_REGION_CONFIG, 4, 6, 2, true);
    set(m, 20, 3, 1);
    set(m, 8, 0, 4);
    set(m, 12, 0x1f | VIRTIO_F_INDIRECT_DESC, 4);
    set(m, 8, 1, 4);
    set(m, 12, 1, 4);
    set(m, 20, 11, 1);
    for (uint64_t q = 0; q < 2; q++) {
        uint64_t at = GUEST_ADDRESS + q * RINGS;
        set(m, 22, q, 2);
        set(m, 24, 16, 2);
        set(m, 26, q, 2);
        set(m, 32, at, 8);
        set(m, 40, at + 0x400, 8);
        set(m, 48, at + 0x800, 8);
        set(m, 28, 1, 2);
    }
    set(m, 20, 15, 1);
}

static void placer_says(struct machine *m, uint32_t type, uint32_t flags, const void *payload,
                        uint32_t size)
{
    uint8_t message[sizeof(struct placer_header) + 64];
    struct placer_header header = {type, flags, size};
    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), payload, size);
    os_socket_send(m->placer, message, sizeof(header) + size, NULL, 0);
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
    case 2:
        set(m, VFIO_AT_NOTIFY + 4 * (take(in, 1) & 3), 0, 2);
        break;
    case 3:
        if (m->pending_count) {
            virtio_complete(m->pending[--m->pending_count], (uint32_t)take(in, 4));
            virtio_flush(m->transport);
        }
        break;
    case 4: {
        static const uint8_t regions[] = {VFIO_BAR_VIRTIO, VFIO_REGION_CONFIG};
        uint32_t region = regions[take(in, 1) & 1];
        uint64_t offset = take(in, region ? 1 : 2) % (region ? 256 : VFIO_VIRTIO_SIZE);
        uint32_t size = 1u << (take(in, 1) & 3);
        access_region(m, region, offset, take(in, size), size, take(in, 1) & 1);
        break;
    }
    case 5:
        start_driver(m);
        break;
    case 6:
        if (take(in, 1) & 1)
            say(m, VFIO_USER_RESET, 0, NULL, 0, NULL, 0);
        else
            set(m, 20, 0, 1);
        break;
    case 7: {
        struct placer_reply reply = {take(in, 1), take(in, 1), -(int64_t)take(in, 1)};
        placer_says(m, (uint32_t)take(in, 1), PLACER_REPLY | PLACER_VERSION, &reply, sizeof(reply));
        break;
    }
    case 8:
        machine_aperture_place(m->aperture, take(in, 2) << 12, m->range_fd, take(in, 1) << 12,
                               take(in, 1) << 12, true, take(in, 1));
        break;
    case 9:
        machine_aperture_unplace(m->aperture, take(in, 2) << 12, take(in, 1) << 12, take(in, 1));
        break;
    case 10: {
        struct vfio_dma_unmap request = {sizeof(request), (uint32_t)take(in, 1) & 3,
                                         take(in, 1) << 12, take(in, 1) << 12};
        say(m, VFIO_USER_DMA_UNMAP, 0, &request, sizeof(request), NULL, 0);
        map(m, take(in, 1) << 12, take(in, 1) << 12, take(in, 1) << 12, take(in, 1) & 1);
        break;
    }
    default: // a request in one go: descriptors from the input, offered
        for (unsigned i = 0; i < 16; i++)
            m->memory[take(in, 1)] = (uint8_t)take(in, 1);
        m->memory[0x402]++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct virtio_device_ops ops = {read_config, write_config, start, stop,
                                                 reset,       request,      closed};
    static const struct machine_aperture_ops aperture_ops = {placed, started, stopped, gone};
    static const struct placer_hello hello = {PLACER_MAGIC, 4096, 8, 0};
    static const uint8_t version[128] = {0};
    struct input in = {data, data + size};
    struct machine m = {.memory_fd = os_shm_create("guest", GUEST),
                        .range_fd = os_shm_create("range", APERTURE)};
    struct virtio_device device = {.name = "fuzz",
                                   .type = 16,
                                   .features = 0x1f,
                                   .queue_count = 2,
                                   .config_size = 20,
                                   .max_response = 64,
                                   .shmid = 1,
                                   .shmem_size = APERTURE,
                                   .ops = &ops,
                                   .data = &m};
    struct machine_aperture_options options = {.size = APERTURE};
    int front[2], placer[2];
    signal(SIGPIPE, SIG_IGN);
    m.loop = new_loop();
    m.memory = map_file(m.memory_fd, 0, GUEST);
    if (!m.loop || !m.memory || os_socket_pair(front) || os_socket_pair(placer))
        abort();
    m.front = front[0];
    m.placer = placer[0];
    os_socket_set_nonblocking(m.front, true);
    os_socket_set_nonblocking(m.placer, true);
    m.aperture = machine_aperture_create(m.loop, &options, &aperture_ops, &m);
    if (!m.aperture || vfio_user_create(m.loop, front[1], &device, &m.transport))
        abort();
    machine_aperture_set_transport(m.aperture, m.transport);
    machine_aperture_set_placer(m.aperture, placer[1]);
    placer_says(&m, PLACER_HELLO, PLACER_VERSION, &hello, sizeof(hello));
    say(&m, VFIO_USER_VERSION, 0, version, sizeof(version), NULL, 0);
    for (unsigned i = 0; i < 64 && in.at < in.end && m.transport; i++)
        act(&m, &in);
    virtio_transport_destroy(m.transport);
    machine_aperture_destroy(m.aperture);
    close(m.front);
    close(m.placer);
    os_shm_unmap(m.memory, GUEST);
    close(m.memory_fd);
    close(m.range_fd);
    os_loop_destroy(m.loop);
    return 0;
}
