// Negotiation, and messages that make no sense.
#include "front_end.h"

#include "base/log.h"
#include "os/socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void offers_what_stock_qemu_stands(void **state)
{
    struct front_end *f = *state;
    uint64_t protocol = front_get_u64(f, VHOST_GET_PROTOCOL_FEATURES);
    assert_int_equal(protocol, 1ull << 0 | 1ull << 3 | 1ull << 5 | 1ull << 9 | 1ull << 10 |
                                   1ull << 18 | 1ull << 22);
    uint64_t features = front_get_u64(f, VHOST_GET_FEATURES);
    assert_int_equal(features, 0x1f | 1ull << 28 | 1ull << 29 | 1ull << 30 | 1ull << 32);
    assert_int_equal(front_get_u64(f, VHOST_GET_QUEUE_NUM), 2);
}

static void a_device_without_aperture_and_configuration_offers_neither(void **state)
{
    struct front_end *f = *state;
    struct virtio_device device = f->device;
    int fds[2];
    device.config_size = 0;
    device.shmem_size = 0;
    assert_int_equal(os_socket_pair(fds), 0);
    virtio_transport_destroy(f->vhost);
    assert_int_equal(vhost_user_create(f->loop, fds[1], &device, &f->vhost), 0);
    close(f->socket);
    f->socket = fds[0];
    assert_int_equal(front_get_u64(f, VHOST_GET_PROTOCOL_FEATURES),
                     1ull << 0 | 1ull << 3 | 1ull << 5);
}

static void impossible_devices_are_refused(void **state)
{
    struct front_end *f = *state;
    struct virtio_device device = f->device;
    int fds[2];
    assert_int_equal(os_socket_pair(fds), 0);
    device.queue_count = 0;
    struct virtio_transport *none;
    assert_int_equal(vhost_user_create(f->loop, fds[1], &device, &none), -EINVAL);
    assert_null(none); // and the descriptor is closed
    char byte;
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
    assert_int_equal(os_socket_pair(fds), 0);
    device.queue_count = VIRTIO_MAX_QUEUES + 1;
    assert_int_equal(vhost_user_create(f->loop, fds[1], &device, &none), -EINVAL);
    close(fds[0]);
}

static void takes_only_what_was_offered(void **state)
{
    struct front_end *f = *state;
    assert_int_equal(front_ask_u64(f, VHOST_SET_FEATURES, f->features, -1), 0);
    assert_int_equal(front_ask_u64(f, VHOST_SET_FEATURES, 1ull << 20, -1), 1);
    assert_int_equal(front_ask_u64(f, VHOST_SET_PROTOCOL_FEATURES, 1ull << 15, -1),
                     1); // CONFIGURE_MEM_SLOTS ends QEMU
}

static void unknown_and_malformed_messages_are_refused_and_the_next_one_works(void **state)
{
    struct front_end *f = *state;
    static uint8_t bytes[8000];
    int pipe_ends[2];
    assert_int_equal(front_ask(f, 99, NULL, 0, NULL, 0), 1);
    assert_int_equal(front_ask(f, 0, NULL, 0, NULL, 0), 1);
    assert_int_equal(front_ask(f, VHOST_SET_FEATURES, bytes, 4, NULL, 0), 1);
    assert_int_equal(front_ask(f, VHOST_SET_FEATURES, NULL, 0, NULL, 0), 1);
    assert_int_equal(front_ask(f, 99, bytes, 8000, NULL, 0), 1); // longer than any message
    // Descriptors that belong to nothing are closed.
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(front_ask(f, 99, bytes, 64, &pipe_ends[1], 1), 1);
    close(pipe_ends[1]);
    assert_int_equal(read(pipe_ends[0], bytes, 1), 0);
    close(pipe_ends[0]);
    assert_int_equal(front_get_u64(f, VHOST_GET_QUEUE_NUM), 2);
}

static void no_acknowledgement_unless_asked_for(void **state)
{
    struct front_end *f = *state;
    front_send(f, VHOST_SET_OWNER, 0, NULL, 0, NULL, 0);
    front_send(f, 99, 0, NULL, 0, NULL, 0);
    assert_true(front_silent(f, f->socket));
}

static void no_acknowledgement_unless_negotiated(void **state)
{
    (void)state;
    struct front_end *f = front_create(0);
    front_send(f, VHOST_SET_OWNER, VHOST_NEED_REPLY, NULL, 0, NULL, 0);
    assert_true(front_silent(f, f->socket));
    void *own = f;
    front_teardown(&own);
}

static void a_message_may_come_in_pieces(void **state)
{
    struct front_end *f = *state;
    uint64_t value = f->features;
    struct virtio_header header = {VHOST_SET_FEATURES, VHOST_VERSION | VHOST_NEED_REPLY, 8};
    uint8_t message[20];
    memcpy(message, &header, 12);
    memcpy(message + 12, &value, 8);
    for (unsigned i = 0; i < sizeof(message); i++) {
        assert_true(front_silent(f, f->socket));
        assert_int_equal(write(f->socket, message + i, 1), 1);
    }
    assert_int_equal(front_receive(f, f->socket, &header, &value, 8, NULL), 8);
    assert_int_equal(value, 0);
}

static void the_end_of_the_front_end_is_told_once(void **state)
{
    struct front_end *f = *state;
    close(f->socket);
    front_turn(f);
    assert_int_equal(f->ends, 1);
    assert_null(f->vhost); // destroyed inside the callback
    int fds[2];
    assert_int_equal(os_socket_pair(fds), 0);
    f->socket = fds[0];
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(offers_what_stock_qemu_stands, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(a_device_without_aperture_and_configuration_offers_neither,
                                        front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(impossible_devices_are_refused, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(takes_only_what_was_offered, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(
            unknown_and_malformed_messages_are_refused_and_the_next_one_works, front_setup,
            front_teardown),
        cmocka_unit_test_setup_teardown(no_acknowledgement_unless_asked_for, front_setup,
                                        front_teardown),
        cmocka_unit_test(no_acknowledgement_unless_negotiated),
        cmocka_unit_test_setup_teardown(a_message_may_come_in_pieces, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(the_end_of_the_front_end_is_told_once, front_setup,
                                        front_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
