// The aperture: mapped once per driver, ranges placed in it, by the placer or by mappings of QEMU's
// own. The test is QEMU, the driver and the placer.
#include "front_end.h"

#include "../flavour.h"

#include "front/machine/aperture.h"
#include "os/clock.h"
#include "os/shm.h"
#include "os/socket.h"
#include "placer/placer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 1 << 20, PAGE = 0x1000 };

struct machine {
    struct front_end *f;
    struct machine_aperture *aperture;
    int placer; // the plugin's side; -1: none
    int file;   // to be placed

    unsigned started, stopped, gone, placed;
    uint64_t cookie;
    int error;
};

static bool on_start(struct front_end *f, bool resumed)
{
    struct machine *m = f->extra;
    return machine_aperture_start(m->aperture, resumed);
}

static bool on_stop(struct front_end *f)
{
    struct machine *m = f->extra;
    return machine_aperture_stop(m->aperture);
}

static void on_reset(struct front_end *f)
{
    struct machine *m = f->extra;
    machine_aperture_reset(m->aperture);
}

static void placed(void *data, uint64_t cookie, int error)
{
    struct machine *m = data;
    m->placed++;
    m->cookie = cookie;
    m->error = error;
}

static void started(void *data)
{
    struct machine *m = data;
    m->started++;
    virtio_ready(m->f->vhost);
}

static void stopped(void *data)
{
    struct machine *m = data;
    m->stopped++;
    virtio_stopped(m->f->vhost);
}

static void gone(void *data)
{
    struct machine *m = data;
    m->gone++;
    virtio_driver_gone(m->f->vhost);
}

static int setup(void **state)
{
    static const struct machine_aperture_ops ops = {placed, started, stopped, gone};
    struct machine *m = test_calloc(1, sizeof(*m));
    struct machine_aperture_options options = {SIZE, 3, NULL};
    m->f = front_create(UINT64_MAX);
    m->f->extra = m;
    m->f->on_start = on_start;
    m->f->on_stop = on_stop;
    m->f->on_reset = on_reset;
    m->aperture = machine_aperture_create(m->f->loop, &options, &ops, m);
    assert_non_null(m->aperture);
    machine_aperture_set_transport(m->aperture, m->f->vhost);
    m->placer = -1;
    m->file = os_shm_create("range", SIZE);
    *state = m;
    return 0;
}

static void connect_placer(struct machine *m)
{
    int fds[2];
    struct placer_header header = {PLACER_HELLO, PLACER_VERSION, sizeof(struct placer_hello)};
    struct placer_hello hello = {PLACER_MAGIC, PAGE, 4, 0};
    assert_int_equal(os_socket_pair(fds), 0);
    m->placer = fds[0];
    assert_true(machine_aperture_set_placer(m->aperture, fds[1]));
    assert_int_equal(write(m->placer, &header, sizeof(header)), sizeof(header));
    assert_int_equal(write(m->placer, &hello, sizeof(hello)), sizeof(hello));
    front_turn(m->f);
}

static int setup_with_placer(void **state)
{
    setup(state);
    connect_placer(*state);
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    void *f = m->f;
    machine_aperture_destroy(m->aperture);
    front_teardown(&f);
    if (m->placer >= 0)
        close(m->placer);
    close(m->file);
    test_free(m);
    return 0;
}

// ---- QEMU and its plugin --------------------------------------------------

static int expect_map(struct machine *m, uint64_t offset, uint64_t size)
{
    struct virtio_header header;
    struct vhost_shmem_map map;
    int fd;
    front_receive(m->f, m->f->backend, &header, &map, sizeof(map), &fd);
    assert_int_equal(header.type, VHOST_BACKEND_SHMEM_MAP);
    assert_int_equal(map.offset, offset);
    assert_int_equal(map.size, size);
    return fd;
}

static void expect_backend(struct machine *m, uint32_t type)
{
    struct virtio_header header;
    uint8_t payload[64];
    front_receive(m->f, m->f->backend, &header, payload, sizeof(payload), NULL);
    assert_int_equal(header.type, type);
}

static void answer_backend(struct machine *m, uint32_t type, uint64_t result)
{
    struct virtio_header header = {type, VHOST_VERSION | VHOST_REPLY, 8};
    assert_int_equal(write(m->f->backend, &header, sizeof(header)), sizeof(header));
    assert_int_equal(write(m->f->backend, &result, 8), 8);
    front_turn(m->f);
}

static struct placer_request expect_placer(struct machine *m, enum placer_type type)
{
    bool file = type == PLACER_BIND || type == PLACER_PLACE;
    struct virtio_header header;
    struct placer_request request;
    int fd;
    front_receive(m->f, m->placer, &header, &request, sizeof(request), file ? &fd : NULL);
    if (file)
        close(fd);
    assert_int_equal(header.type, type);
    return request;
}

static void answer_placer(struct machine *m, enum placer_type type, struct placer_request request,
                          int result)
{
    struct placer_header header = {type, PLACER_VERSION | PLACER_REPLY,
                                   sizeof(struct placer_reply)};
    struct placer_reply reply = {request.generation, request.cookie, result};
    assert_int_equal(write(m->placer, &header, sizeof(header)), sizeof(header));
    assert_int_equal(write(m->placer, &reply, sizeof(reply)), sizeof(reply));
    front_turn(m->f);
}

// A fresh driver up to the binding of its aperture. Returns what QEMU got mapped.
static int start_with_placer(struct machine *m)
{
    memset(m->f->memory, 0, 0x2000);
    front_start_driver(m->f, NULL);
    front_simple_request(m->f, 0, 0, "a", 1, 4);
    front_kick(m->f, 0);
    int fd = expect_map(m, 0, SIZE);
    front_set_memory(m->f, fd, SIZE); // QEMU tells before it answers
    answer_backend(m, VHOST_BACKEND_SHMEM_MAP, 0);
    expect_backend(m, VHOST_BACKEND_SHARED_OBJECT_LOOKUP);
    answer_backend(m, VHOST_BACKEND_SHARED_OBJECT_LOOKUP, 1);
    struct placer_request bind = expect_placer(m, PLACER_BIND);
    assert_int_equal(bind.size, SIZE);
    assert_int_equal(bind.address, USER_ADDRESS + (16ull << 30));
    assert_int_equal(bind.guest_address, 16ull << 30);
    assert_int_equal(bind.flags, os_is_portable() ? PLACER_BY_ADDRESS : 0);
    int requests = m->f->requests;
    answer_placer(m, PLACER_BIND, bind, 0);
    assert_int_equal(m->f->requests, requests + 1); // only now
    return fd;
}

static void stop_with_placer(struct machine *m, uint16_t bases[2])
{
    // The first GET_VRING_BASE is answered when the placer has let go.
    struct virtio_header header;
    struct vhost_vring_state ring = {0, 0};
    front_vring(m->f, VHOST_SET_VRING_ENABLE, 0, 0);
    front_vring(m->f, VHOST_SET_VRING_ENABLE, 1, 0);
    front_send(m->f, VHOST_GET_VRING_BASE, 0, &ring, sizeof(ring), NULL, 0);
    struct placer_request unbind = expect_placer(m, PLACER_UNBIND);
    assert_true(front_silent(m->f, m->f->socket));
    answer_placer(m, PLACER_UNBIND, unbind, 0);
    front_receive(m->f, m->f->socket, &header, &ring, sizeof(ring), NULL);
    bases[0] = (uint16_t)ring.number;
    ring = (struct vhost_vring_state){1, 0};
    front_send(m->f, VHOST_GET_VRING_BASE, 0, &ring, sizeof(ring), NULL, 0);
    front_receive(m->f, m->f->socket, &header, &ring, sizeof(ring), NULL);
    bases[1] = (uint16_t)ring.number;
}

static int place(struct machine *m, uint64_t offset, uint64_t size, uint64_t cookie)
{
    return machine_aperture_place(m->aperture, offset, m->file, PAGE, size, true, cookie);
}

static void wait_ns(struct machine *m, uint64_t ns)
{
    uint64_t end = os_now_ns() + ns;
    while (os_now_ns() < end) {
        front_turn(m->f);
        usleep(1000);
    }
}

// ---- with the placer ------------------------------------------------------

static void ranges_are_placed_and_taken_out(void **state)
{
    struct machine *m = *state;
    close(start_with_placer(m));
    assert_int_equal(place(m, 4 * PAGE, 2 * PAGE, 77), 0);
    struct placer_request request = expect_placer(m, PLACER_PLACE);
    assert_int_equal(request.offset, 4 * PAGE);
    assert_int_equal(request.size, 2 * PAGE);
    assert_int_equal(request.file_offset, PAGE);
    assert_int_equal(request.flags, 0);
    assert_int_equal(request.guest_address, (16ull << 30) + 4 * PAGE);
    assert_int_equal(m->placed, 0);
    answer_placer(m, PLACER_PLACE, request, 0);
    assert_int_equal(m->placed, 1);
    assert_int_equal(m->cookie, 77);
    assert_int_equal(m->error, 0);
    assert_int_equal(machine_aperture_unplace(m->aperture, 4 * PAGE, 2 * PAGE, 78), 0);
    request = expect_placer(m, PLACER_UNPLACE);
    assert_int_equal(request.guest_address, (16ull << 30) + 4 * PAGE);
    answer_placer(m, PLACER_UNPLACE, request, 0);
    assert_int_equal(m->cookie, 78);
    // The guest's firmware may take it out of the address space.
    front_set_memory(m->f, -1, 0);
    assert_int_equal(place(m, 4 * PAGE, 2 * PAGE, 79), 0);
    request = expect_placer(m, PLACER_PLACE);
    assert_int_equal(request.guest_address, 0);
    assert_true(front_silent(m->f, m->f->backend)); // QEMU hears nothing of it
}

static void requests_are_pipelined(void **state)
{
    struct machine *m = *state;
    close(start_with_placer(m));
    struct placer_request requests[3];
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(place(m, i * PAGE, PAGE, 100 + i), 0);
    for (int i = 0; i < 3; i++)
        requests[i] = expect_placer(m, PLACER_PLACE);
    for (int i = 0; i < 3; i++) {
        answer_placer(m, PLACER_PLACE, requests[i], i == 1 ? -ENOMEM : 0);
        assert_int_equal(m->cookie, 100 + i);
        assert_int_equal(m->error, i == 1 ? -ENOMEM : 0);
    }
}

static void impossible_ranges_are_refused(void **state)
{
    struct machine *m = *state;
    assert_int_equal(place(m, 0, PAGE, 1), -ENODEV); // no driver
    close(start_with_placer(m));
    assert_int_equal(place(m, SIZE, PAGE, 1), -EINVAL);
    assert_int_equal(place(m, SIZE - PAGE, 2 * PAGE, 1), -EINVAL);
    assert_int_equal(place(m, UINT64_MAX, PAGE, 1), -EINVAL);
    assert_int_equal(place(m, 0, 0, 1), -EINVAL);
    assert_int_equal(place(m, 8, PAGE, 1), -EINVAL);
    assert_int_equal(place(m, 0, 8, 1), -EINVAL);
    assert_true(front_silent(m->f, m->placer));
}

static void qemu_keeps_mappings_for_itself(void **state)
{
    struct machine *m = *state;
    close(start_with_placer(m));
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(place(m, i * PAGE, PAGE, i), 0);
        answer_placer(m, PLACER_PLACE, expect_placer(m, PLACER_PLACE), 0);
    }
    assert_int_equal(place(m, 4 * PAGE, PAGE, 4), -ENOSPC); // the fake plugin said four
    assert_int_equal(machine_aperture_unplace(m->aperture, 0, PAGE, 5), 0);
    answer_placer(m, PLACER_UNPLACE, expect_placer(m, PLACER_UNPLACE), 0);
    assert_int_equal(place(m, 4 * PAGE, PAGE, 6), 0);
}

static void each_driver_gets_a_fresh_file(void **state)
{
    struct machine *m = *state;
    uint16_t bases[2];
    int first = start_with_placer(m);
    assert_int_equal(pwrite(first, "secret", 6, 0), 6);
    assert_int_equal(place(m, 0, PAGE, 1), 0);
    struct placer_request late = expect_placer(m, PLACER_PLACE);
    stop_with_placer(m, bases);
    int second = start_with_placer(m);
    char bytes[6];
    assert_int_equal(pread(second, bytes, 6, 0), 6);
    assert_int_equal(bytes[0], 0);
    answer_placer(m, PLACER_PLACE, late, 0); // of the driver before
    assert_int_equal(m->placed, 0);
    close(first);
    close(second);
}

static void a_pause_keeps_everything(void **state)
{
    struct machine *m = *state;
    uint16_t bases[2];
    int fd = start_with_placer(m);
    assert_int_equal(place(m, 0, PAGE, 1), 0);
    answer_placer(m, PLACER_PLACE, expect_placer(m, PLACER_PLACE), 0);
    for (int round = 0; round < 3; round++) {
        stop_with_placer(m, bases);
        assert_int_equal(place(m, PAGE, PAGE, 2), -ENODEV);
        front_set_memory(m->f, fd, SIZE);
        for (unsigned i = 0; i < 2; i++)
            front_set_ring(m->f, i, bases[i]);
        front_vring(m->f, VHOST_SET_VRING_ENABLE, 0, 1);
        front_vring(m->f, VHOST_SET_VRING_ENABLE, 1, 1);
        front_simple_request(m->f, 0, 0, "b", 1, 4);
        int requests = m->f->requests;
        front_kick(m->f, 0);
        struct placer_request resume = expect_placer(m, PLACER_RESUME);
        assert_int_equal(m->f->requests, requests);
        answer_placer(m, PLACER_RESUME, resume, 0);
        assert_int_equal(m->f->requests, requests + 1);
        assert_int_equal(m->f->resets, 0);
        assert_int_equal(place(m, PAGE, PAGE, 3), 0);
        answer_placer(m, PLACER_PLACE, expect_placer(m, PLACER_PLACE), 0);
        assert_int_equal(machine_aperture_unplace(m->aperture, PAGE, PAGE, 4), 0);
        answer_placer(m, PLACER_UNPLACE, expect_placer(m, PLACER_UNPLACE), 0);
    }
    assert_true(front_silent(m->f, m->f->backend)); // mapping it again would fail
    close(fd);
}

static void answers_under_way_come_before_the_stop(void **state)
{
    struct machine *m = *state;
    struct virtio_header header;
    struct vhost_vring_state ring = {0, 0};
    close(start_with_placer(m));
    assert_int_equal(place(m, 0, PAGE, 5), 0);
    front_send(m->f, VHOST_GET_VRING_BASE, 0, &ring, sizeof(ring), NULL, 0);
    struct placer_request request = expect_placer(m, PLACER_PLACE),
                          unbind = expect_placer(m, PLACER_UNBIND);
    answer_placer(m, PLACER_PLACE, request, 0);
    assert_int_equal(m->cookie, 5);
    assert_true(front_silent(m->f, m->f->socket));
    answer_placer(m, PLACER_UNBIND, unbind, 0);
    front_receive(m->f, m->f->socket, &header, &ring, sizeof(ring), NULL);
}

static void a_reset_shows_soon_after_the_stop(void **state)
{
    struct machine *m = *state;
    uint16_t bases[2];
    close(start_with_placer(m));
    stop_with_placer(m, bases);
    struct placer_request query = expect_placer(m, PLACER_QUERY); // after a quarter of a second
    answer_placer(m, PLACER_QUERY, query, 0);                     // QEMU has not unmapped it yet
    assert_int_equal(m->gone, 0);
    query = expect_placer(m, PLACER_QUERY);
    answer_placer(m, PLACER_QUERY, query, -ESTALE);
    assert_int_equal(m->gone, 1);
    assert_int_equal(m->f->resets, 1); // the guest's contexts end now, not when a driver comes
    close(start_with_placer(m));
    assert_int_equal(m->f->resets, 1);
}

static void an_aperture_dropped_during_a_pause_is_noticed(void **state)
{
    struct machine *m = *state;
    uint16_t bases[2];
    int fd = start_with_placer(m);
    stop_with_placer(m, bases);
    front_set_memory(m->f, fd, SIZE);
    for (unsigned i = 0; i < 2; i++)
        front_set_ring(m->f, i, bases[i]);
    front_vring(m->f, VHOST_SET_VRING_ENABLE, 0, 1);
    answer_placer(m, PLACER_RESUME, expect_placer(m, PLACER_RESUME), -ESTALE);
    assert_int_equal(m->started, 2); // it runs, with errors
    assert_int_equal(place(m, 0, PAGE, 1), -ENODEV);
    close(fd);
}

static void a_refused_aperture_leaves_a_device_without_memory(void **state)
{
    struct machine *m = *state;
    uint16_t bases[2];
    front_start_driver(m->f, NULL);
    front_simple_request(m->f, 0, 0, "a", 1, 4);
    front_kick(m->f, 0);
    close(expect_map(m, 0, SIZE));
    answer_backend(m, VHOST_BACKEND_SHMEM_MAP, 1);
    assert_int_equal(m->f->requests, 1);
    assert_int_equal(place(m, 0, PAGE, 1), -ENODEV);
    front_stop_driver(m->f, bases);
    close(start_with_placer(m)); // the next driver has another chance
    assert_int_equal(place(m, 0, PAGE, 1), 0);
}

static void an_aperture_that_the_placer_can_not_find(void **state)
{
    struct machine *m = *state;
    front_start_driver(m->f, NULL);
    front_simple_request(m->f, 0, 0, "a", 1, 4);
    front_kick(m->f, 0);
    close(expect_map(m, 0, SIZE));
    answer_backend(m, VHOST_BACKEND_SHMEM_MAP, 0);
    expect_backend(m, VHOST_BACKEND_SHARED_OBJECT_LOOKUP);
    answer_backend(m, VHOST_BACKEND_SHARED_OBJECT_LOOKUP, 1);
    answer_placer(m, PLACER_BIND, expect_placer(m, PLACER_BIND), -ESRCH);
    assert_int_equal(m->f->requests, 1);
    assert_int_equal(place(m, 0, PAGE, 1), -ENODEV);
}

static void stopped_while_it_is_being_mapped(void **state)
{
    struct machine *m = *state;
    uint16_t bases[2];
    front_start_driver(m->f, NULL);
    front_kick(m->f, 0);
    int fd = expect_map(m, 0, SIZE);
    front_stop_driver(m->f, bases);
    answer_backend(m, VHOST_BACKEND_SHMEM_MAP, 0);
    expect_backend(m, VHOST_BACKEND_SHARED_OBJECT_LOOKUP);
    answer_backend(m, VHOST_BACKEND_SHARED_OBJECT_LOOKUP, 1);
    assert_true(front_silent(m->f, m->placer)); // the device is stopped
    // It was a pause: the mapping is there, and must be bound yet.
    front_set_memory(m->f, fd, SIZE);
    for (unsigned i = 0; i < 2; i++)
        front_set_ring(m->f, i, bases[i]);
    front_vring(m->f, VHOST_SET_VRING_ENABLE, 0, 1);
    answer_placer(m, PLACER_BIND, expect_placer(m, PLACER_BIND), 0);
    assert_int_equal(place(m, 0, PAGE, 1), 0);
    close(fd);
}

static void a_placer_that_hangs_does_not_hang_the_machine(void **state)
{
    struct machine *m = *state;
    struct virtio_header header;
    struct vhost_vring_state ring = {0, 0};
    close(start_with_placer(m));
    assert_int_equal(place(m, 0, PAGE, 9), 0);
    front_send(m->f, VHOST_GET_VRING_BASE, 0, &ring, sizeof(ring), NULL, 0);
    wait_ns(m, 200000000);
    assert_true(front_silent(m->f, m->f->socket));
    front_receive(m->f, m->f->socket, &header, &ring, sizeof(ring), NULL); // within a second or so
    assert_int_equal(m->cookie, 9);
    assert_int_equal(m->error, -EIO);
}

static void a_placer_that_ends(void **state)
{
    struct machine *m = *state;
    uint16_t bases[2];
    close(start_with_placer(m));
    assert_int_equal(place(m, 0, PAGE, 9), 0);
    close(m->placer);
    front_turn(m->f);
    assert_int_equal(m->error, -EIO);
    assert_int_equal(place(m, 0, PAGE, 10), -EPIPE);
    assert_false(machine_aperture_has_placer(m->aperture));
    front_stop_driver(m->f, bases); // nobody to wait for
    connect_placer(m);
    close(start_with_placer(m));
    assert_int_equal(place(m, 0, PAGE, 11), 0);
}

static void a_second_placer_is_refused(void **state)
{
    struct machine *m = *state;
    int fds[2];
    char byte;
    assert_int_equal(os_socket_pair(fds), 0);
    assert_false(machine_aperture_set_placer(m->aperture, fds[1]));
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

static void somebody_else_is_not_taken_for_the_placer(void **state)
{
    struct machine *m = *state;
    struct {
        struct placer_header header;
        struct placer_hello hello;
    } bad[3] = {
        {{PLACER_HELLO, PLACER_VERSION + 1, sizeof(struct placer_hello)},
         {PLACER_MAGIC, PAGE, 0, 0}},
        {{PLACER_HELLO, PLACER_VERSION, sizeof(struct placer_hello)}, {0x12345678, PAGE, 0, 0}},
        {{PLACER_QUERY, PLACER_VERSION | PLACER_REPLY, sizeof(struct placer_hello)},
         {PLACER_MAGIC, PAGE, 0, 0}},
    };
    for (unsigned i = 0; i < 3; i++) {
        int fds[2];
        assert_int_equal(os_socket_pair(fds), 0);
        assert_true(machine_aperture_set_placer(m->aperture, fds[1]));
        assert_int_equal(write(fds[0], &bad[i], sizeof(bad[i])), sizeof(bad[i]));
        front_turn(m->f);
        assert_false(machine_aperture_has_placer(m->aperture));
        close(fds[0]);
    }
}

// ---- without the placer ---------------------------------------------------

static void start_without_placer(struct machine *m)
{
    front_start_driver(m->f, NULL);
    front_simple_request(m->f, 0, 0, "a", 1, 4);
    front_kick(m->f, 0);
    assert_int_equal(m->f->requests, 1); // at once
    assert_true(front_silent(m->f, m->f->backend));
}

static void each_range_is_a_mapping(void **state)
{
    struct machine *m = *state;
    start_without_placer(m);
    assert_int_equal(place(m, 4 * PAGE, PAGE, 7), 0);
    close(expect_map(m, 4 * PAGE, PAGE));
    answer_backend(m, VHOST_BACKEND_SHMEM_MAP, 0);
    assert_int_equal(m->placed, 0); // not visible to the guest yet
    expect_backend(m, VHOST_BACKEND_SHARED_OBJECT_LOOKUP);
    answer_backend(m, VHOST_BACKEND_SHARED_OBJECT_LOOKUP, 1);
    assert_int_equal(m->placed, 1);
    assert_int_equal(m->cookie, 7);
    assert_int_equal(machine_aperture_unplace(m->aperture, 4 * PAGE, PAGE, 8), 0);
    expect_backend(m, VHOST_BACKEND_SHMEM_UNMAP);
    answer_backend(m, VHOST_BACKEND_SHMEM_UNMAP, 0);
    assert_int_equal(m->cookie, 8);
}

static void no_more_than_qemu_survives(void **state)
{
    struct machine *m = *state;
    start_without_placer(m);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(place(m, i * PAGE, PAGE, i), 0);
    assert_int_equal(place(m, 3 * PAGE, PAGE, 3), -ENOSPC);
    close(expect_map(m, 0, PAGE));
    answer_backend(m, VHOST_BACKEND_SHMEM_MAP, 1); // one is refused
    assert_int_equal(m->error, -EIO);
    assert_int_equal(place(m, 3 * PAGE, PAGE, 3), 0); // and counts no more
    assert_int_equal(place(m, 4 * PAGE, PAGE, 4), -ENOSPC);
}

static void a_reset_frees_all_ranges(void **state)
{
    struct machine *m = *state;
    uint16_t bases[2];
    start_without_placer(m);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(place(m, i * PAGE, PAGE, i), 0);
    front_stop_driver(m->f, bases);
    memset(m->f->memory, 0, 0x2000);
    front_start_driver(m->f, NULL);
    assert_int_equal(m->f->resets, 1);
    front_kick(m->f, 0);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(place(m, i * PAGE, PAGE, i), 0);
    assert_int_equal(m->placed, 0);
}

int main(void)
{
#define WITH(name) cmocka_unit_test_setup_teardown(name, setup_with_placer, teardown)
#define WITHOUT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(ranges_are_placed_and_taken_out),
        WITH(requests_are_pipelined),
        WITH(impossible_ranges_are_refused),
        WITH(qemu_keeps_mappings_for_itself),
        WITH(each_driver_gets_a_fresh_file),
        WITH(a_pause_keeps_everything),
        WITH(answers_under_way_come_before_the_stop),
        WITH(a_reset_shows_soon_after_the_stop),
        WITH(an_aperture_dropped_during_a_pause_is_noticed),
        WITH(a_refused_aperture_leaves_a_device_without_memory),
        WITH(an_aperture_that_the_placer_can_not_find),
        WITH(stopped_while_it_is_being_mapped),
        WITH(a_placer_that_hangs_does_not_hang_the_machine),
        WITH(a_placer_that_ends),
        WITH(a_second_placer_is_refused),
        WITHOUT(somebody_else_is_not_taken_for_the_placer),
        WITHOUT(each_range_is_a_mapping),
        WITHOUT(no_more_than_qemu_survives),
        WITHOUT(a_reset_frees_all_ranges),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
