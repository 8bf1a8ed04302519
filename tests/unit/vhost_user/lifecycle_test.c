// Drivers come, pause, go and come back. To us a pause, a reset and an unbind look the same until
// the next start.
#include "front_end.h"

#include "os/shm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// QEMU kicks a queue that has started, before firmware's driver has written anything anywhere.
static void nothing_is_said_of_a_kick_too_many(void **state)
{
    struct front_end *f = *state;
    char said[1024];
    FILE *log = tmpfile();
    int error_output = dup(STDERR_FILENO);
    front_start_driver(f, NULL);
    memset(f->memory, 0, GUEST_SIZE);
    dup2(fileno(log), STDERR_FILENO);
    front_kick(f, 0);
    front_kick(f, 0);
    dup2(error_output, STDERR_FILENO);
    close(error_output);
    rewind(log);
    said[fread(said, 1, sizeof(said) - 1, log)] = 0;
    fclose(log);
    assert_string_equal(said, "");
}

static void a_driver_starts_at_its_first_kick(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    front_turn(f);
    assert_int_equal(f->starts, 0); // QEMU may not be ready for shared memory yet
    front_kick(f, 0);
    assert_int_equal(f->starts, 1);
    assert_int_equal(f->resumes, 0);
    assert_int_equal(f->took, f->features);
    front_kick(f, 1);
    assert_int_equal(f->starts, 1);
}

static void no_request_before_the_device_is_ready(void **state)
{
    struct front_end *f = *state;
    f->not_ready = true;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    front_kick(f, 0);
    assert_int_equal(f->starts, 1);
    assert_int_equal(f->requests, 0);
    assert_int_equal(front_get_u64(f, VHOST_GET_QUEUE_NUM), 2); // served meanwhile
    virtio_ready(f->vhost);
    assert_int_equal(f->requests, 1);
    virtio_ready(f->vhost);
    assert_int_equal(f->requests, 1);
}

static void a_driver_with_one_queue(void **state)
{
    struct front_end *f = *state;
    front_send(f, VHOST_SET_FEATURES, 0, &f->features, 8, NULL, 0);
    front_set_memory(f, -1, 0);
    front_set_ring(f, 0, 0);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_ENABLE, 0, 1), 0);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_ENABLE, 1, 1), 0); // QEMU enables all
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    assert_int_equal(f->requests, 1);
}

static void the_answer_to_stopping_waits_for_the_device(void **state)
{
    struct front_end *f = *state;
    struct virtio_header header;
    struct vhost_vring_state ring = {0, 0};
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    f->not_stopped = true;
    front_send(f, VHOST_GET_VRING_BASE, 0, &ring, sizeof(ring), NULL, 0);
    front_send(f, VHOST_GET_QUEUE_NUM, 0, NULL, 0, NULL, 0);
    assert_true(front_silent(f, f->socket));
    assert_int_equal(f->stops, 1);
    virtio_stopped(f->vhost);
    assert_int_equal(front_receive(f, f->socket, &header, &ring, sizeof(ring), NULL), 8);
    assert_int_equal(header.type, VHOST_GET_VRING_BASE);
    assert_int_equal(ring.number, 1);
    uint64_t number;
    front_receive(f, f->socket, &header, &number, 8, NULL);
    assert_int_equal(header.type, VHOST_GET_QUEUE_NUM); // and in order
}

static void the_front_end_may_end_while_it_waits(void **state)
{
    struct front_end *f = *state;
    struct vhost_vring_state ring = {0, 0};
    front_start_driver(f, NULL);
    front_kick(f, 0);
    f->not_stopped = true;
    front_send(f, VHOST_GET_VRING_BASE, 0, &ring, sizeof(ring), NULL, 0);
    front_turn(f);
    close(f->socket);
    front_turn(f);
    assert_int_equal(f->ends, 1);
    f->socket = dup(f->memory_fd); // for the teardown
}

static void a_reset_forgets_requests(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    f->hold = true;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    assert_int_equal(f->pending_count, 1);
    front_stop_driver(f, bases);
    assert_int_equal(bases[0], 1);
    assert_int_equal(f->stops, 1);
    assert_int_equal(f->resets, 0); // it may be a pause
    memset(f->memory, 0, 0x2000);
    front_start_driver(f, NULL); // from 0: a new driver
    assert_int_equal(f->resets, 1);
    assert_int_equal(f->pending_count, 0);
    front_kick(f, 0);
    assert_int_equal(f->starts, 2);
    assert_int_equal(f->resumes, 0);
    assert_int_equal(front_used(f, 0), 0);
}

static void a_paused_driver_gets_what_it_is_owed(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    f->hold = true;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_simple_request(f, 0, 2, "b", 1, 4);
    front_kick(f, 0);
    front_interrupted(f, 0);
    front_stop_driver(f, bases);
    // Completed while the machine is stopped: not a byte of the guest may change.
    f->memory[BUFFERS + 0x800] = 1;
    memset(f->response, 2, 4);
    virtio_complete(f->pending[0], 4);
    virtio_flush(f->vhost);
    front_turn(f);
    assert_int_equal(f->memory[BUFFERS + 0x800], 1);
    assert_int_equal(front_used(f, 0), 0);

    front_start_driver(f, bases);
    front_turn(f);
    assert_int_equal(f->resumes, 1); // without waiting for a kick, which may never come
    assert_int_equal(f->resets, 0);
    assert_int_equal(front_used(f, 0), 1);
    assert_true(front_interrupted(f, 0));
    virtio_complete(f->pending[1], 4);
    virtio_flush(f->vhost);
    assert_int_equal(front_used(f, 0), 2);
    f->hold = false;
    front_simple_request(f, 0, 4, "c", 1, 4);
    front_kick(f, 0);
    assert_int_equal(f->seen[0], 'c');
    assert_int_equal(front_used(f, 0), 3);
}

static void requests_made_while_stopped_are_found_at_the_start(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    front_stop_driver(f, bases);
    front_simple_request(f, 0, 2, "b", 1, 4);
    front_start_driver(f, bases);
    front_turn(f);
    assert_int_equal(f->requests, 2);
}

static void many_pauses_and_many_reboots(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2] = {0, 0};
    for (int reboot = 0; reboot < 20; reboot++) {
        memset(f->memory, 0, 0x2000);
        bases[0] = bases[1] = 0;
        for (int pause = 0; pause < 5; pause++) {
            front_start_driver(f, bases);
            front_simple_request(f, 0, 0, "a", 1, 4);
            front_simple_request(f, 1, 0, "b", 1, 4);
            front_kick(f, 0);
            front_kick(f, 1);
            front_stop_driver(f, bases);
            assert_int_equal(bases[0], pause + 1);
            assert_int_equal(bases[1], pause + 1);
        }
    }
    assert_int_equal(f->requests, 20 * 5 * 2);
    assert_int_equal(f->starts, 100);
    assert_int_equal(f->resumes, 80);
    assert_int_equal(f->resets, 19);
}

static void another_driver_is_not_taken_for_a_paused_one(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    front_stop_driver(f, bases);
    f->features &= ~1ull; // other features
    front_start_driver(f, bases);
    assert_int_equal(f->resets, 1);
    front_kick(f, 0);
    front_stop_driver(f, bases);
    bases[1]++; // another index
    front_start_driver(f, bases);
    assert_int_equal(f->resets, 2);
}

// With a file mapped into the guest the memory table decides: QEMU drops the mapping at a reset
// only.
static void the_memory_table_tells_a_pause_from_a_reset(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    int fd = os_shm_create("aperture", 1 << 20);
    for (int round = 0; round < 4; round++) {
        bool reset = round & 1;
        int resets = f->resets, resumes = f->resumes;
        memset(f->memory, 0, 0x2000);
        front_start_driver(f, NULL);
        front_simple_request(f, 0, 0, "a", 1, 4);
        front_kick(f, 0);
        struct virtio_header header;
        struct vhost_shmem_map map;
        int got;
        assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 1 << 20, true, NULL, NULL, 0), 0);
        front_receive(f, f->backend, &header, &map, sizeof(map), &got);
        close(got);
        header = (struct virtio_header){VHOST_BACKEND_SHMEM_MAP, VHOST_VERSION | VHOST_REPLY, 8};
        assert_int_equal(write(f->backend, &header, 12) + write(f->backend, &(uint64_t){0}, 8), 20);
        front_turn(f);
        front_receive(f, f->backend, &header, &map, sizeof(map), NULL); // the barrier
        header = (struct virtio_header){VHOST_BACKEND_SHARED_OBJECT_LOOKUP,
                                        VHOST_VERSION | VHOST_REPLY, 8};
        assert_int_equal(write(f->backend, &header, 12) + write(f->backend, &(uint64_t){1}, 8), 20);
        front_turn(f);
        front_stop_driver(f, bases);
        front_set_memory(f, reset ? -1 : fd, 1 << 20);
        for (unsigned i = 0; i < 2; i++)
            front_set_ring(f, i, bases[i]);
        front_vring(f, VHOST_SET_VRING_ENABLE, 0, 1);
        front_vring(f, VHOST_SET_VRING_ENABLE, 1, 1);
        front_kick(f, 0);
        assert_int_equal(f->resumes - resumes, reset ? 0 : 1);
        assert_int_equal(f->resets - resets, (reset ? 1 : 0) + (round ? 1 : 0));
        front_stop_driver(f, bases);
    }
    close(fd);
}

static void a_driver_known_to_be_gone(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    front_start_driver(f, NULL);
    virtio_driver_gone(f->vhost); // nothing: it is not stopped
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    virtio_driver_gone(f->vhost);
    assert_int_equal(f->resets, 0);
    front_stop_driver(f, bases);
    virtio_driver_gone(f->vhost);
    assert_int_equal(f->resets, 1);
    virtio_driver_gone(f->vhost);
    assert_int_equal(f->resets, 1);
    front_start_driver(f, bases); // even with the same indices
    front_kick(f, 0);
    assert_int_equal(f->resumes, 0);
    assert_int_equal(f->resets, 1);
}

static void stopping_what_never_started(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    front_stop_driver(f, bases);
    front_start_driver(f, NULL);
    front_stop_driver(f, bases);
    assert_int_equal(f->stops, 0);
    assert_int_equal(f->resets, 0);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->starts, 1);
}

static void stopped_before_it_was_ready(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    f->not_ready = true;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    front_stop_driver(f, bases);
    assert_int_equal(f->stops, 1);
    virtio_ready(f->vhost); // too late
    front_turn(f);
    assert_int_equal(f->requests, 0);
    f->not_ready = false;
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->requests, 1);
}

static void queues_disabled_for_a_while(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    front_kick(f, 0);
    front_vring(f, VHOST_SET_VRING_ENABLE, 0, 0);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    assert_int_equal(f->requests, 0);
    front_vring(f, VHOST_SET_VRING_ENABLE, 0, 1);
    front_turn(f);
    assert_int_equal(f->requests, 1);
    assert_int_equal(f->starts, 1);
}

// A guest that never lets up must not keep the loop from the socket or from other queues.
static void a_flood_leaves_room_for_others(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    for (unsigned i = 1; i < RING_SIZE; i++)
        front_offer(f, 0, 0);
    front_simple_request(f, 1, 0, "b", 1, 4);
    front_kick(f, 0);
    assert_int_equal(front_used(f, 0), RING_SIZE);
    assert_int_equal(front_used(f, 1), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, front_setup, front_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_said_of_a_kick_too_many),
        TEST(a_driver_starts_at_its_first_kick),
        TEST(no_request_before_the_device_is_ready),
        TEST(a_driver_with_one_queue),
        TEST(the_answer_to_stopping_waits_for_the_device),
        TEST(the_front_end_may_end_while_it_waits),
        TEST(a_reset_forgets_requests),
        TEST(a_paused_driver_gets_what_it_is_owed),
        TEST(requests_made_while_stopped_are_found_at_the_start),
        TEST(many_pauses_and_many_reboots),
        TEST(another_driver_is_not_taken_for_a_paused_one),
        TEST(the_memory_table_tells_a_pause_from_a_reset),
        TEST(a_driver_known_to_be_gone),
        TEST(stopping_what_never_started),
        TEST(stopped_before_it_was_ready),
        TEST(queues_disabled_for_a_while),
        TEST(a_flood_leaves_room_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
