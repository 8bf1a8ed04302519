// Messages that set queues up.
#include "front_end.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void numbers_are_powers_of_two_up_to_1024(void **state)
{
    struct front_end *f = *state;
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, 0, 256), 0);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, 0, 1024), 0);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, 0, 0), 1);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, 0, 100), 1);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, 0, 2048), 1);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, 0, UINT32_MAX), 1);
}

static void other_queues_do_not_exist(void **state)
{
    struct front_end *f = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, 2, 8), 1);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_BASE, UINT32_MAX, 0), 1);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_ENABLE, 2, 1), 1);
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_KICK, 2, ends[0]), 1);
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_CALL, 0xff, ends[1]), 1);
    struct vhost_vring_address address = {.index = 2};
    assert_int_equal(front_ask(f, VHOST_SET_VRING_ADDR, &address, sizeof(address), NULL, 0), 1);
    close(ends[0]);
    close(ends[1]);
}

static void the_base_of_a_queue_that_does_not_exist_is_answered_all_the_same(void **state)
{
    struct front_end *f = *state;
    struct virtio_header header;
    struct vhost_vring_state ring = {7, 0};
    front_send(f, VHOST_GET_VRING_BASE, 0, &ring, sizeof(ring), NULL, 0);
    assert_int_equal(front_receive(f, f->socket, &header, &ring, sizeof(ring), NULL), sizeof(ring));
    front_send(f, VHOST_GET_VRING_BASE, 0, NULL, 0, NULL, 0);
    assert_int_equal(front_receive(f, f->socket, &header, &ring, sizeof(ring), NULL), sizeof(ring));
}

static void bases_are_16_bits_and_enable_is_one(void **state)
{
    struct front_end *f = *state;
    assert_int_equal(front_vring(f, VHOST_SET_VRING_BASE, 0, 0x10000), 1);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_BASE, 0, 0xffff), 0);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_ENABLE, 0, 2), 1);
}

static void polled_queues_are_refused(void **state)
{
    struct front_end *f = *state;
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_KICK, 0 | VHOST_VRING_NO_FD, -1), 1);
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_KICK, 0, -1), 1);
    // No interrupts are fine: the guest polls.
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_CALL, 0 | VHOST_VRING_NO_FD, -1), 0);
}

static void descriptors_of_a_queue_are_closed_when_replaced(void **state)
{
    struct front_end *f = *state;
    int first[2], second[2];
    char byte;
    assert_int_equal(pipe(first), 0);
    assert_int_equal(pipe(second), 0);
    fcntl(first[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_CALL, 0, first[1]), 0);
    close(first[1]);
    assert_int_equal(read(first[0], &byte, 1), -1);
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_CALL, 0, second[1]), 0);
    assert_int_equal(read(first[0], &byte, 1), 0);
    assert_int_equal(front_ask_u64(f, VHOST_SET_VRING_ERR, 0, second[1]), 0); // taken, not used
    close(first[0]);
    close(second[0]);
    close(second[1]);
}

static void a_running_queue_keeps_its_shape(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_NUM, 0, 16), 1);
    assert_int_equal(front_vring(f, VHOST_SET_VRING_BASE, 0, 3), 1);
    struct vhost_vring_address address = {.descriptors = USER_ADDRESS + 0x5000,
                                          .available = USER_ADDRESS + 0x400,
                                          .used = USER_ADDRESS + 0x800};
    assert_int_equal(front_ask(f, VHOST_SET_VRING_ADDR, &address, sizeof(address), NULL, 0), 1);
    address.descriptors = USER_ADDRESS;
    assert_int_equal(front_ask(f, VHOST_SET_VRING_ADDR, &address, sizeof(address), NULL, 0), 0);
}

static void rings_outside_memory_never_run(void **state)
{
    struct front_end *f = *state;
    uint64_t bad[] = {0, USER_ADDRESS - 16, USER_ADDRESS + GUEST_SIZE - 16, USER_ADDRESS + 8,
                      UINT64_MAX - 15};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        uint16_t bases[2];
        front_start_driver(f, NULL);
        front_vring(f, VHOST_SET_VRING_ENABLE, 0, 0);
        struct vhost_vring_address address = {
            .descriptors = bad[i], .available = USER_ADDRESS + 0x400, .used = USER_ADDRESS + 0x800};
        assert_int_equal(front_ask(f, VHOST_SET_VRING_ADDR, &address, sizeof(address), NULL, 0), 0);
        front_vring(f, VHOST_SET_VRING_ENABLE, 0, 1);
        front_simple_request(f, 0, 0, "x", 1, 8);
        front_kick(f, 0);
        assert_int_equal(f->requests, 0);
        front_stop_driver(f, bases);
        *front_available_index(f, 0) = 0;
    }
}

static void a_kick_pipe_that_ends_does_not_keep_the_loop_busy(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    front_kick(f, 0);
    close(f->kick[0]);
    f->kick[0] = -1;
    front_turn(f);
    assert_int_equal(front_get_u64(f, VHOST_GET_QUEUE_NUM), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_are_powers_of_two_up_to_1024, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(other_queues_do_not_exist, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(
            the_base_of_a_queue_that_does_not_exist_is_answered_all_the_same, front_setup,
            front_teardown),
        cmocka_unit_test_setup_teardown(bases_are_16_bits_and_enable_is_one, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(polled_queues_are_refused, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(descriptors_of_a_queue_are_closed_when_replaced,
                                        front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(a_running_queue_keeps_its_shape, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(rings_outside_memory_never_run, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(a_kick_pipe_that_ends_does_not_keep_the_loop_busy,
                                        front_setup, front_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
