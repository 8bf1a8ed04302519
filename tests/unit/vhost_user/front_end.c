#include "front_end.h"

#include "../short.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- the device -----------------------------------------------------------

static void read_config(void *data, uint32_t offset, void *bytes, uint32_t size)
{
    struct front_end *f = data;
    memcpy(bytes, f->config + offset, size);
}

static void write_config(void *data, uint32_t offset, const void *bytes, uint32_t size)
{
    struct front_end *f = data;
    memcpy(f->config + offset, bytes, size);
}

static bool start(void *data, uint64_t features, bool resumed)
{
    struct front_end *f = data;
    f->starts++;
    f->resumes += resumed;
    f->took = features;
    return f->on_start ? f->on_start(f, resumed) : !f->not_ready;
}

static bool stop(void *data)
{
    struct front_end *f = data;
    f->stops++;
    return f->on_stop ? f->on_stop(f) : !f->not_stopped;
}

static void reset(void *data)
{
    struct front_end *f = data;
    f->resets++;
    f->pending_count = 0;
    if (f->on_reset)
        f->on_reset(f);
}

static void request(void *data, unsigned queue, const struct iovec *readable,
                    unsigned readable_count, void *response, uint32_t response_size,
                    struct virtio_request *token)
{
    struct front_end *f = data;
    f->requests++;
    f->seen_size = 0;
    f->seen_parts = readable_count;
    f->seen_queue = queue;
    f->room = response_size;
    f->response = response;
    for (unsigned i = 0; i < readable_count; i++) {
        size_t left = sizeof(f->seen) - f->seen_size;
        size_t size = readable[i].iov_len < left ? readable[i].iov_len : left;
        memcpy(f->seen + f->seen_size, readable[i].iov_base, size);
        f->seen_size += (uint32_t)size;
    }
    if (f->hold && f->pending_count < 64) {
        f->pending[f->pending_count++] = token;
        return;
    }
    if (response_size)
        memset(response, 0x5a, response_size);
    virtio_complete(token, response_size);
}

static void closed(void *data)
{
    struct front_end *f = data;
    f->ends++;
    virtio_transport_destroy(f->vhost);
    f->vhost = NULL;
}

static const struct virtio_device_ops ops = {read_config, write_config, start, stop,
                                             reset,       request,      closed};

// ---- messages -------------------------------------------------------------

static void stop_turn(void *data)
{
    os_loop_stop(data, 0);
}

void front_turn(struct front_end *f)
{
    for (int round = 0; round < 4; round++) { // descriptors are served before a timer that is due
        struct os_source *timer = os_loop_add_timer(f->loop, 1, stop_turn, f->loop);
        os_loop_run(f->loop);
        os_source_remove(timer);
    }
}

void front_send(struct front_end *f, uint32_t type, uint32_t flags, const void *payload,
                uint32_t size, const int *fds, unsigned fd_count)
{
    uint8_t message[12 + 8192] = {0};
    struct virtio_header header = {type, flags | VHOST_VERSION, size};
    assert_true(size <= 8192);
    memcpy(message, &header, sizeof(header));
    if (size && payload)
        memcpy(message + 12, payload, size);
    assert_int_equal(os_socket_send(f->socket, message, 12 + size, fds, fd_count), 12 + size);
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

bool front_silent(struct front_end *f, int socket)
{
    front_turn(f);
    return !readable(socket);
}

// Exactly `size` bytes; the device may send them in pieces, each when it sees that the one before
// was read.
static void receive_exactly(struct front_end *f, int socket, void *to, size_t size, int *fds,
                            unsigned *count)
{
    uint64_t patience = os_now_ns() + 3000000000ull;
    for (size_t have = 0; have < size;) {
        while (!readable(socket)) {
            front_turn(f);
            assert_true(os_now_ns() < patience);
        }
        ssize_t got = os_socket_recv(socket, (uint8_t *)to + have, size - have, fds, 8, count);
        assert_true(got > 0);
        have += (size_t)got;
    }
}

uint32_t front_receive(struct front_end *f, int socket, struct virtio_header *header, void *payload,
                       uint32_t capacity, int *fd)
{
    int fds[8];
    unsigned count = 0;
    receive_exactly(f, socket, header, sizeof(*header), fds, &count);
    assert_int_equal(count, fd ? 1 : 0);
    if (fd)
        *fd = fds[0];
    assert_true(header->size <= capacity);
    receive_exactly(f, socket, payload, header->size, fds, &count);
    return header->size;
}

uint64_t front_ask(struct front_end *f, uint32_t type, const void *payload, uint32_t size,
                   const int *fds, unsigned fd_count)
{
    struct virtio_header header;
    uint64_t answer;
    front_send(f, type, VHOST_NEED_REPLY, payload, size, fds, fd_count);
    assert_int_equal(front_receive(f, f->socket, &header, &answer, sizeof(answer), NULL), 8);
    assert_int_equal(header.type, type);
    assert_int_equal(header.flags, VHOST_VERSION | VHOST_REPLY);
    return answer;
}

uint64_t front_ask_u64(struct front_end *f, uint32_t type, uint64_t value, int fd)
{
    return front_ask(f, type, &value, sizeof(value), &fd, fd >= 0);
}

uint64_t front_get_u64(struct front_end *f, uint32_t type)
{
    struct virtio_header header;
    uint64_t answer;
    front_send(f, type, 0, NULL, 0, NULL, 0);
    assert_int_equal(front_receive(f, f->socket, &header, &answer, sizeof(answer), NULL), 8);
    assert_int_equal(header.type, type);
    return answer;
}

uint64_t front_vring(struct front_end *f, uint32_t type, uint32_t index, uint32_t number)
{
    struct vhost_vring_state state = {index, number};
    return front_ask(f, type, &state, sizeof(state), NULL, 0);
}

// ---- life -----------------------------------------------------------------

struct front_end *front_create(uint64_t protocol_features)
{
    struct front_end *f = test_calloc(1, sizeof(*f));
    int sockets[2], channel[2];
    log_set_level(getenv("HESPER_LOG") ? log_get_level() : LOG_ERROR);
    f->loop = new_loop();
    assert_non_null(f->loop);
    assert_int_equal(os_socket_pair(sockets), 0);
    f->socket = sockets[0];
    f->backend = -1;
    f->memory_fd = os_shm_create("guest", GUEST_SIZE);
    assert_true(f->memory_fd >= 0);
    f->memory = map_file(f->memory_fd, 0, GUEST_SIZE);
    assert_non_null(f->memory);
    for (int i = 0; i < 2; i++)
        f->kick[i] = f->call[i] = -1;
    f->device = (struct virtio_device){
        .name = "test",
        .features = 0x1f,
        .queue_count = 2,
        .config_size = 20,
        .max_response = 256,
        .shmid = 1,
        .shmem_size = 1 << 20,
        .ops = &ops,
        .data = f,
    };
    assert_int_equal(vhost_user_create(f->loop, sockets[1], &f->device, &f->vhost), 0);

    uint64_t offered = front_get_u64(f, VHOST_GET_PROTOCOL_FEATURES) & protocol_features;
    front_send(f, VHOST_SET_PROTOCOL_FEATURES, 0, &offered, sizeof(offered), NULL, 0);
    if (offered & VHOST_PROTOCOL_BACKEND_REQ) {
        assert_int_equal(os_socket_pair(channel), 0);
        f->backend = channel[0];
        front_send(f, VHOST_SET_BACKEND_REQ_FD, 0, NULL, 0, &channel[1], 1);
        close(channel[1]);
    }
    front_send(f, VHOST_SET_OWNER, 0, NULL, 0, NULL, 0);
    f->features = front_get_u64(f, VHOST_GET_FEATURES) & ~VIRTIO_F_EVENT_IDX;
    return f;
}

int front_setup(void **state)
{
    *state = front_create(UINT64_MAX);
    return 0;
}

int front_teardown(void **state)
{
    struct front_end *f = *state;
    virtio_transport_destroy(f->vhost);
    close(f->socket);
    if (f->backend >= 0)
        close(f->backend);
    for (int i = 0; i < 2; i++) {
        if (f->kick[i] >= 0)
            close(f->kick[i]);
        if (f->call[i] >= 0)
            close(f->call[i]);
    }
    os_shm_unmap(f->memory, GUEST_SIZE);
    close(f->memory_fd);
    os_loop_destroy(f->loop);
    test_free(f);
    return 0;
}

void front_set_memory(struct front_end *f, int extra_fd, uint64_t extra_size)
{
    struct vhost_memory_table table = {.count = extra_fd >= 0 ? 2 : 1};
    table.regions[0] = (struct virtio_memory_region){GUEST_ADDRESS, GUEST_SIZE, USER_ADDRESS, 0};
    table.regions[1] =
        (struct virtio_memory_region){16ull << 30, extra_size, USER_ADDRESS + (16ull << 30), 0};
    int fds[2] = {f->memory_fd, extra_fd};
    assert_int_equal(
        front_ask(f, VHOST_SET_MEM_TABLE, &table, 8 + 32 * table.count, fds, table.count), 0);
}

static void new_pipe(int *test_end, int *device_end, bool device_reads)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    *test_end = fds[device_reads ? 1 : 0];
    *device_end = fds[device_reads ? 0 : 1];
    fcntl(*test_end, F_SETFL, O_NONBLOCK);
}

// Rings of queue n: descriptors at +0, available at +0x400, used at +0x800.
void front_set_ring(struct front_end *f, unsigned queue, uint16_t base)
{
    uint64_t at = USER_ADDRESS + queue * RING_STRIDE;
    struct vhost_vring_address address = {
        .index = queue, .descriptors = at, .available = at + 0x400, .used = at + 0x800};
    int fd;
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, queue, RING_SIZE), 0);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_BASE, queue, base), 0);
    assert_int_equal(front_ask(f, VHOST_SET_VRING_ADDR, &address, sizeof(address), NULL, 0), 0);
    if (f->kick[queue] >= 0)
        close(f->kick[queue]);
    new_pipe(&f->kick[queue], &fd, true);
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_KICK, queue, fd), 0);
    close(fd);
    if (f->call[queue] >= 0)
        close(f->call[queue]);
    new_pipe(&f->call[queue], &fd, false);
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_CALL, queue, fd), 0);
    close(fd);
}

void front_start_driver(struct front_end *f, const uint16_t bases[2])
{
    front_send(f, VHOST_SET_FEATURES, 0, &f->features, sizeof(f->features), NULL, 0);
    front_set_memory(f, -1, 0);
    for (unsigned i = 0; i < 2; i++)
        front_set_ring(f, i, bases ? bases[i] : 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(front_vring(f, VHOST_SET_VRING_ENABLE, i, 1), 0);
}

void front_stop_driver(struct front_end *f, uint16_t bases[2])
{
    struct virtio_header header;
    struct vhost_vring_state state;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(front_vring(f, VHOST_SET_VRING_ENABLE, i, 0), 0);
    for (unsigned i = 0; i < 2; i++) {
        state = (struct vhost_vring_state){i, 0};
        front_send(f, VHOST_GET_VRING_BASE, 0, &state, sizeof(state), NULL, 0);
        assert_int_equal(front_receive(f, f->socket, &header, &state, sizeof(state), NULL),
                         sizeof(state));
        assert_int_equal(state.index, i);
        bases[i] = (uint16_t)state.number;
    }
}

// ---- the driver -----------------------------------------------------------

static void *ring(struct front_end *f, unsigned queue, uint32_t offset)
{
    return f->memory + queue * RING_STRIDE + offset;
}

struct descriptor *front_descriptors(struct front_end *f, unsigned queue)
{
    return ring(f, queue, 0);
}

uint64_t front_buffer(struct front_end *f, uint32_t offset, const void *bytes, uint32_t size)
{
    if (bytes)
        memcpy(f->memory + BUFFERS + offset, bytes, size);
    return GUEST_ADDRESS + BUFFERS + offset;
}

uint16_t *front_available_flags(struct front_end *f, unsigned queue)
{
    return ring(f, queue, 0x400);
}

uint16_t *front_available_index(struct front_end *f, unsigned queue)
{
    return ring(f, queue, 0x402);
}

uint16_t *front_used_event(struct front_end *f, unsigned queue)
{
    return ring(f, queue, 0x404 + 2 * RING_SIZE);
}

uint16_t *front_used_flags(struct front_end *f, unsigned queue)
{
    return ring(f, queue, 0x800);
}

uint16_t *front_available_event(struct front_end *f, unsigned queue)
{
    return ring(f, queue, 0x804 + 8 * RING_SIZE);
}

void front_offer(struct front_end *f, unsigned queue, uint16_t head)
{
    uint16_t *index = front_available_index(f, queue);
    index[1 + *index % RING_SIZE] = head;
    __atomic_store_n(index, *index + 1, __ATOMIC_RELEASE);
}

void front_kick(struct front_end *f, unsigned queue)
{
    assert_int_equal(write(f->kick[queue], "kickkick", 8), 8);
    front_turn(f);
}

uint16_t front_used(struct front_end *f, unsigned queue)
{
    return __atomic_load_n((uint16_t *)ring(f, queue, 0x802), __ATOMIC_ACQUIRE);
}

void front_used_entry(struct front_end *f, unsigned queue, uint16_t index, uint32_t *id,
                      uint32_t *length)
{
    const uint32_t *entry = ring(f, queue, 0x804 + 8 * (index % RING_SIZE));
    *id = entry[0];
    *length = entry[1];
}

bool front_interrupted(struct front_end *f, unsigned queue)
{
    char bytes[256];
    return read(f->call[queue], bytes, sizeof(bytes)) > 0;
}

void front_simple_request(struct front_end *f, unsigned queue, uint16_t head, const void *bytes,
                          uint32_t size, uint32_t room)
{
    struct descriptor *d = front_descriptors(f, queue);
    d[head] =
        (struct descriptor){front_buffer(f, head * 0x1000, bytes, size), size, NEXT, head + 1};
    d[head + 1] =
        (struct descriptor){front_buffer(f, head * 0x1000 + 0x800, NULL, 0), room, WRITE, 0};
    front_offer(f, queue, head);
}
