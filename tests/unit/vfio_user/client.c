#include "client.h"

#include "../short.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- the device -----------------------------------------------------------

static void read_config(void *data, uint32_t offset, void *bytes, uint32_t size)
{
    struct client *c = data;
    assert_true(offset + size <= CONFIG_SIZE);
    memcpy(bytes, c->config + offset, size);
}

static void write_config(void *data, uint32_t offset, const void *bytes, uint32_t size)
{
    struct client *c = data;
    assert_true(offset + size <= CONFIG_SIZE);
    memcpy(c->config + offset, bytes, size);
}

static bool start(void *data, uint64_t features, bool resumed)
{
    struct client *c = data;
    assert_false(resumed);
    c->starts++;
    c->took = features;
    return !c->not_ready;
}

static bool stop(void *data)
{
    struct client *c = data;
    c->stops++;
    return !c->not_stopped;
}

static void reset(void *data)
{
    struct client *c = data;
    c->resets++;
    c->pending = NULL;
}

static void request(void *data, unsigned queue, const struct iovec *readable,
                    unsigned readable_count, void *response, uint32_t response_size,
                    struct virtio_request *token)
{
    struct client *c = data;
    c->requests++;
    c->seen_size = 0;
    for (unsigned i = 0; i < readable_count; i++) {
        memcpy(c->seen + c->seen_size, readable[i].iov_base, readable[i].iov_len);
        c->seen_size += (uint32_t)readable[i].iov_len;
    }
    if (c->hold)
        c->pending = token;
    else
        virtio_complete(token, 0);
}

static void closed(void *data)
{
    struct client *c = data;
    c->ends++;
    virtio_transport_destroy(c->transport);
    c->transport = NULL;
}

static const struct virtio_device_ops ops = {read_config, write_config, start, stop,
                                             reset,       request,      closed};

// ---- messages -------------------------------------------------------------

static void stop_turn(void *data)
{
    os_loop_stop(data, 0);
}

void client_turn(struct client *c)
{
    for (int round = 0; round < 4; round++) { // descriptors are served before a timer that is due
        struct os_source *timer = os_loop_add_timer(c->loop, 1, stop_turn, c->loop);
        os_loop_run(c->loop);
        os_source_remove(timer);
    }
}

uint16_t client_send(struct client *c, unsigned command, uint32_t flags, const void *payload,
                     uint32_t size, const int *fds, unsigned fd_count)
{
    uint8_t message[sizeof(struct vfio_header) + 8192];
    struct vfio_header header = {.id = ++c->next_id,
                                 .command = (uint16_t)command,
                                 .size = (uint32_t)sizeof(header) + size,
                                 .flags = flags};
    memcpy(message, &header, sizeof(header));
    if (size)
        memcpy(message + sizeof(header), payload, size);
    assert_int_equal(os_socket_send(c->socket, message, header.size, fds, fd_count), header.size);
    return header.id;
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

bool client_silent(struct client *c)
{
    client_turn(c);
    return !readable(c->socket);
}

static void receive_exactly(struct client *c, void *to, size_t size, int *fds, unsigned *count)
{
    uint64_t patience = os_now_ns() + 3000000000ull;
    for (size_t have = 0; have < size;) {
        while (!readable(c->socket)) {
            client_turn(c);
            assert_true(os_now_ns() < patience);
        }
        ssize_t got = os_socket_recv(c->socket, (uint8_t *)to + have, size - have, fds, 8, count);
        assert_true(got > 0);
        have += (size_t)got;
    }
}

uint32_t client_receive(struct client *c, struct vfio_header *header, void *payload, int *fd)
{
    int fds[8];
    unsigned count = 0;
    receive_exactly(c, header, sizeof(*header), fds, &count);
    assert_in_range(header->size, sizeof(*header), sizeof(*header) + 8192);
    uint32_t size = header->size - (uint32_t)sizeof(*header);
    receive_exactly(c, payload, size, fds, &count);
    assert_int_equal(count, fd && count ? 1 : 0);
    if (fd)
        *fd = count ? fds[0] : -1;
    return size;
}

unsigned client_ask(struct client *c, unsigned command, const void *payload, uint32_t size,
                    const int *fds, unsigned fd_count, void *answer, int *answer_fd)
{
    uint8_t scrap[8192];
    struct vfio_header header;
    uint16_t id = client_send(c, command, 0, payload, size, fds, fd_count);
    client_receive(c, &header, answer ? answer : scrap, answer_fd);
    assert_int_equal(header.id, id);
    assert_int_equal(header.command, command);
    assert_int_equal(header.flags & VFIO_USER_TYPE_MASK, VFIO_USER_REPLY);
    assert_int_equal(header.flags & VFIO_USER_ERROR ? header.error != 0 : !header.error, 1);
    return header.error;
}

unsigned client_map(struct client *c, uint64_t address, uint64_t size, uint64_t offset, int fd)
{
    struct vfio_dma_map map = {sizeof(map), VFIO_DMA_READABLE | VFIO_DMA_WRITABLE, offset, address,
                               size};
    return client_ask(c, VFIO_USER_DMA_MAP, &map, sizeof(map), &fd, fd >= 0, NULL, NULL);
}

unsigned client_unmap(struct client *c, uint64_t address, uint64_t size)
{
    struct vfio_dma_unmap unmap = {sizeof(unmap), 0, address, size};
    return client_ask(c, VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, NULL, NULL);
}

uint64_t client_read(struct client *c, unsigned region, uint64_t offset, unsigned size)
{
    struct vfio_region_access access = {offset, region, size};
    uint8_t answer[8192];
    uint64_t value = 0;
    assert_int_equal(
        client_ask(c, VFIO_USER_REGION_READ, &access, sizeof(access), NULL, 0, answer, NULL), 0);
    memcpy(&value, answer + sizeof(access), size);
    return value;
}

unsigned client_write(struct client *c, unsigned region, uint64_t offset, uint64_t value,
                      unsigned size)
{
    uint8_t message[sizeof(struct vfio_region_access) + 8];
    struct vfio_region_access access = {offset, region, size};
    memcpy(message, &access, sizeof(access));
    memcpy(message + sizeof(access), &value, sizeof(value));
    return client_ask(c, VFIO_USER_REGION_WRITE, message, (uint32_t)sizeof(access) + size, NULL, 0,
                      NULL, NULL);
}

// ---- life -----------------------------------------------------------------

int client_setup(void **state)
{
    // As long as QEMU's, which no answer may exceed.
    static const char hello[] =
        "\0\0\0\0{\"capabilities\":{\"pgsizes\":4096,\"max_msg_fds\":16,\"max_dma_maps\":65535,"
        "\"max_data_xfer_size\":1048576,\"migration\":{\"pgsize\":4096},\"write_multiple\":true}}";
    struct client *c = test_calloc(1, sizeof(*c));
    int sockets[2];
    log_set_level(getenv("HESPER_LOG") ? log_get_level() : LOG_ERROR);
    c->loop = new_loop();
    assert_non_null(c->loop);
    assert_int_equal(os_socket_pair(sockets), 0);
    c->socket = sockets[0];
    c->memory_fd = os_shm_create("guest", GUEST_SIZE);
    assert_true(c->memory_fd >= 0);
    c->memory = map_file(c->memory_fd, 0, GUEST_SIZE);
    assert_non_null(c->memory);
    for (unsigned i = 0; i < VECTORS; i++)
        c->vectors[i] = -1;
    c->device = (struct virtio_device){
        .name = "test",
        .type = 16,
        .features = 0x1f,
        .queue_count = 2,
        .config_size = CONFIG_SIZE,
        .max_response = 256,
        .shmid = 1,
        .shmem_size = 1 << 20,
        .ops = &ops,
        .data = c,
    };
    assert_int_equal(vfio_user_create(c->loop, sockets[1], &c->device, &c->transport), 0);
    assert_int_equal(client_ask(c, VFIO_USER_VERSION, hello, sizeof(hello), NULL, 0, NULL, NULL),
                     0);
    assert_int_equal(client_map(c, GUEST_ADDRESS, GUEST_SIZE, 0, c->memory_fd), 0);
    *state = c;
    return 0;
}

int client_teardown(void **state)
{
    struct client *c = *state;
    virtio_transport_destroy(c->transport);
    close(c->socket);
    for (unsigned i = 0; i < VECTORS; i++)
        if (c->vectors[i] >= 0)
            close(c->vectors[i]);
    os_shm_unmap(c->memory, GUEST_SIZE);
    close(c->memory_fd);
    os_loop_destroy(c->loop);
    test_free(c);
    return 0;
}

// ---- the driver -----------------------------------------------------------

// Rings of queue n, each at its page: descriptors, available at +0x400, used at +0x800.
static uint64_t ring(unsigned queue)
{
    return GUEST_ADDRESS + 0x1000ull * queue;
}

static uint16_t *available(struct client *c, unsigned queue)
{
    return (uint16_t *)(c->memory + 0x1000 * queue + 0x400);
}

static void set_vector(struct client *c, unsigned vector)
{
    struct vfio_set_interrupts set = {sizeof(set), VFIO_SET_EVENTFD | VFIO_SET_TRIGGER,
                                      VFIO_INTERRUPT_MSIX, vector, 1};
    int fds[2];
    if (c->vectors[vector] >= 0)
        close(c->vectors[vector]);
    assert_int_equal(pipe(fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    c->vectors[vector] = fds[0];
    assert_int_equal(client_ask(c, VFIO_USER_SET_IRQS, &set, sizeof(set), &fds[1], 1, NULL, NULL),
                     0);
    close(fds[1]);
}

void client_start_driver(struct client *c)
{
    memset(c->memory, 0, 0x2000);
    assert_int_equal(client_write(c, VFIO_REGION_CONFIG, 0x04, 0x0006, 2), 0); // memory, master
    client_set_common(c, 20, 1, 1);
    client_set_common(c, 20, 3, 1);
    for (unsigned half = 0; half < 2; half++) {
        client_set_common(c, 0, half, 4);
        uint64_t features = client_common(c, 4, 4);
        client_set_common(c, 8, half, 4);
        client_set_common(c, 12, features & (half ? ~0ull : ~(uint64_t)VIRTIO_F_EVENT_IDX), 4);
    }
    client_set_common(c, 20, 11, 1);
    assert_int_equal(client_common(c, 20, 1), 11);
    for (unsigned i = 0; i < VECTORS; i++)
        set_vector(c, i);
    client_set_common(c, 16, 0, 2);
    for (unsigned i = 0; i < 2; i++) {
        client_set_common(c, 22, i, 2);
        client_set_common(c, 24, RING_SIZE, 2);
        client_set_common(c, 26, i + 1, 2);
        client_set_common(c, 32, ring(i), 8);
        client_set_common(c, 40, ring(i) + 0x400, 4); // as two halves
        client_set_common(c, 44, 0, 4);
        client_set_common(c, 48, ring(i) + 0x800, 8);
        client_set_common(c, 28, 1, 2);
    }
    client_set_common(c, 20, 15, 1);
    for (unsigned i = 0; i < VECTORS; i++)
        client_interrupted(c, i);
}

void client_offer(struct client *c, unsigned queue, const char *text)
{
    struct {
        uint64_t address;
        uint32_t length;
        uint16_t flags, next;
    } descriptor = {GUEST_ADDRESS + 0x10000, (uint32_t)strlen(text), 0, 0};
    uint16_t *ring_of = available(c, queue), index = ring_of[1];
    memcpy(c->memory + 0x10000, text, strlen(text));
    memcpy(c->memory + 0x1000 * queue + 16 * (index % RING_SIZE), &descriptor, sizeof(descriptor));
    ring_of[2 + index % RING_SIZE] = index % RING_SIZE;
    ring_of[1] = (uint16_t)(index + 1);
}

void client_kick(struct client *c, unsigned queue)
{
    client_set_common(c, VFIO_AT_NOTIFY + VFIO_NOTIFY_STRIDE * queue, queue, 2);
    client_turn(c);
}

uint16_t client_used(struct client *c, unsigned queue)
{
    return ((uint16_t *)(c->memory + 0x1000 * queue + 0x800))[1];
}

bool client_interrupted(struct client *c, unsigned vector)
{
    uint8_t bytes[64];
    return read(c->vectors[vector], bytes, sizeof(bytes)) > 0;
}
