// What the targets of vhost-user share: messages of a front end.
#ifndef FUZZ_VHOST_H
#define FUZZ_VHOST_H

#include "machine.h"

#include "front/vhost_user/private.h"

#include <fcntl.h>

#define USER_ADDRESS 0x7f0000000000ull

static int kicks[2]; // of each queue; -1: none

// A message of the front end with descriptors of a kind that suits some message.
static void fuzz_message(struct machine *m, struct input *in)
{
    uint8_t payload[512];
    uint32_t type = (uint32_t)take(in, 1), flags = (uint32_t)take(in, 1),
             kinds = (uint32_t)take(in, 1);
    uint32_t size = (uint32_t)take(in, 2) % (sizeof(payload) + 1);
    for (uint32_t i = 0; i < size; i++)
        payload[i] = (uint8_t)take(in, 1);
    struct some_fds some;
    make_fds(m, kinds, &some);
    send_bytes(m->front, type, flags, payload, size, some.fds, some.count);
    close_fds(&some);
}

static void say(struct machine *m, uint32_t type, const void *payload, uint32_t size, int fd)
{
    send_bytes(m->front, type, VHOST_VERSION, payload, size, &fd, fd >= 0);
}

// A driver that takes these features of the device type.
static void start_driver(struct machine *m, struct input *in, uint64_t own)
{
    uint64_t features = own | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC |
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
        if (kicks[q] >= 0)
            close(kicks[q]);
        kicks[q] = ends[1];
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
    }
    for (uint32_t q = 0; q < 2; q++)
        say(m, VHOST_SET_VRING_ENABLE, &(struct vhost_vring_state){q, 1}, 8, -1);
    turn(m);
}

static void kick(struct machine *m, unsigned q)
{
    if (kicks[q] >= 0 && write(kicks[q], "12345678", 8) < 0)
        return;
    turn(m);
}

// The VM is paused, or its driver goes.
static void stop_driver(struct machine *m)
{
    for (uint32_t q = 0; q < 2; q++)
        say(m, VHOST_SET_VRING_ENABLE, &(struct vhost_vring_state){q, 0}, 8, -1);
    for (uint32_t q = 0; q < 2; q++)
        say(m, VHOST_GET_VRING_BASE, &(struct vhost_vring_state){q, 0}, 8, -1);
}

// What a front end says first.
static void meet(struct machine *m)
{
    int channel[2];
    if (os_socket_pair(channel))
        abort();
    m->backend = channel[0];
    os_socket_set_nonblocking(m->backend, true);
    kicks[0] = kicks[1] = -1;
    uint64_t protocol =
        1ull << 0 | 1ull << 3 | 1ull << 5 | 1ull << 9 | 1ull << 10 | 1ull << 18 | 1ull << 22;
    say(m, VHOST_SET_PROTOCOL_FEATURES, &protocol, 8, -1);
    say(m, VHOST_SET_BACKEND_REQ_FD, NULL, 0, channel[1]);
    close(channel[1]);
}

static void close_kicks(void)
{
    for (unsigned q = 0; q < 2; q++)
        if (kicks[q] >= 0)
            close(kicks[q]);
}

#endif
