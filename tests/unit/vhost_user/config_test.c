// The configuration space.
#include "front_end.h"

#include <string.h>

static uint32_t get_config(struct front_end *f, uint32_t offset, uint32_t size,
                           uint32_t message_size, struct vhost_config *answer)
{
    struct virtio_header header;
    struct vhost_config config = {offset, size, 0, {0}};
    front_send(f, VHOST_GET_CONFIG, 0, &config, message_size, NULL, 0);
    return front_receive(f, f->socket, &header, answer, sizeof(*answer), NULL);
}

static void reads_come_from_the_device(void **state)
{
    struct front_end *f = *state;
    struct vhost_config answer;
    for (unsigned i = 0; i < 20; i++)
        f->config[i] = (uint8_t)(i + 1);
    assert_int_equal(get_config(f, 0, 20, 32, &answer), 32);
    assert_int_equal(answer.size, 20);
    assert_memory_equal(answer.bytes, f->config, 20);
    assert_int_equal(get_config(f, 4, 4, 16, &answer), 16);
    assert_int_equal(answer.offset, 4);
    assert_memory_equal(answer.bytes, f->config + 4, 4);
}

static void what_the_device_does_not_have_reads_as_zero(void **state)
{
    struct front_end *f = *state;
    struct vhost_config answer;
    memset(f->config, 0xff, sizeof(f->config)); // nothing of it beyond 20 bytes may be seen
    assert_int_equal(get_config(f, 16, 8, 20, &answer), 20);
    assert_int_equal(answer.bytes[3], 0xff);
    assert_int_equal(answer.bytes[4], 0);
    assert_int_equal(get_config(f, 200, 8, 20, &answer), 20);
    assert_int_equal(answer.bytes[0], 0);
    assert_int_equal(get_config(f, UINT32_MAX, 256, 268, &answer), 268);
}

static void malformed_reads_are_answered_as_failed(void **state)
{
    struct front_end *f = *state;
    struct vhost_config answer;
    assert_int_equal(get_config(f, 0, 20, 16, &answer), 0); // size and message disagree
    assert_int_equal(get_config(f, 0, 1000, 268, &answer), 0);
    assert_int_equal(get_config(f, 0, UINT32_MAX, 12, &answer), 0);
    assert_int_equal(get_config(f, 0, 0, 4, &answer), 0);
}

static void writes_reach_the_device_where_it_has_something(void **state)
{
    struct front_end *f = *state;
    struct vhost_config config = {16, 8, 0, {1, 2, 3, 4, 5, 6, 7, 8}};
    assert_int_equal(front_ask(f, VHOST_SET_CONFIG, &config, 20, NULL, 0), 0);
    assert_int_equal(f->config[16], 1);
    assert_int_equal(f->config[19], 4);
    assert_int_equal(f->config[20], 0);
    config.offset = UINT32_MAX - 2;
    assert_int_equal(front_ask(f, VHOST_SET_CONFIG, &config, 20, NULL, 0), 0);
    assert_int_equal(front_ask(f, VHOST_SET_CONFIG, &config, 14, NULL, 0), 1);
}

static void a_change_is_told_only_to_a_driver(void **state)
{
    struct front_end *f = *state;
    struct virtio_header header;
    uint16_t bases[2];
    virtio_config_changed(f->vhost);
    front_start_driver(f, NULL);
    virtio_config_changed(f->vhost); // it has not asked for anything yet
    assert_true(front_silent(f, f->backend));
    front_kick(f, 0);
    virtio_config_changed(f->vhost);
    assert_int_equal(front_receive(f, f->backend, &header, NULL, 0, NULL), 0);
    assert_int_equal(header.type, VHOST_BACKEND_CONFIG_CHANGE);
    assert_int_equal(header.flags, VHOST_VERSION);
    front_stop_driver(f, bases);
    virtio_config_changed(f->vhost);
    assert_true(front_silent(f, f->backend));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_come_from_the_device, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(what_the_device_does_not_have_reads_as_zero, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(malformed_reads_are_answered_as_failed, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(writes_reach_the_device_where_it_has_something, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(a_change_is_told_only_to_a_driver, front_setup,
                                        front_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
