// The back-end channel: mapping files into the guest, and what must not be sent because QEMU does
// not survive it.
#include "front_end.h"

#include "os/shm.h"
#include "os/socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct done {
    unsigned count;
    uint64_t cookie;
    int error;
};

static void note(void *data, uint64_t cookie, int error)
{
    struct done *done = data;
    done->count++;
    done->cookie = cookie;
    done->error = error;
}

static void answer(struct front_end *f, uint32_t type, uint64_t result)
{
    struct {
        struct virtio_header header;
        uint32_t low, high;
    } message = {
        {type, VHOST_VERSION | VHOST_REPLY, 8}, (uint32_t)result, (uint32_t)(result >> 32)};
    assert_int_equal(write(f->backend, &message, sizeof(message)), sizeof(message));
    front_turn(f);
}

static int take_map(struct front_end *f, struct vhost_shmem_map *map)
{
    struct virtio_header header;
    int fd;
    assert_int_equal(front_receive(f, f->backend, &header, map, sizeof(*map), &fd), 40);
    assert_int_equal(header.type, VHOST_BACKEND_SHMEM_MAP);
    assert_int_equal(header.flags, VHOST_VERSION | VHOST_NEED_REPLY);
    return fd;
}

static void commit(struct front_end *f)
{
    struct virtio_header header;
    uint8_t uuid[16];
    assert_int_equal(front_receive(f, f->backend, &header, uuid, sizeof(uuid), NULL), 16);
    assert_int_equal(header.type, VHOST_BACKEND_SHARED_OBJECT_LOOKUP);
    assert_int_equal(header.flags, VHOST_VERSION | VHOST_NEED_REPLY);
    answer(f, VHOST_BACKEND_SHARED_OBJECT_LOOKUP, 1); // unknown object: as it must be
}

static void the_aperture_is_announced(void **state)
{
    struct front_end *f = *state;
    struct virtio_header header;
    struct vhost_shmem_config config;
    front_send(f, VHOST_GET_SHMEM_CONFIG, 0, NULL, 0, NULL, 0);
    assert_int_equal(front_receive(f, f->socket, &header, &config, sizeof(config), NULL), 2056);
    assert_int_equal(config.count, 1);
    assert_int_equal(config.sizes[0], 0);
    assert_int_equal(config.sizes[1], 1 << 20);
}

static void nothing_is_sent_while_no_driver_runs(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    uint16_t bases[2];
    int fd = os_shm_create("file", 0x10000);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x10000, true, note, &done, 1),
                     -ENODEV);
    front_start_driver(f, NULL);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x10000, true, note, &done, 1),
                     -ENODEV); // it has not kicked yet
    front_kick(f, 0);
    front_vring(f, VHOST_SET_VRING_ENABLE, 0, 0); // QEMU is about to stop it
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x10000, true, note, &done, 1), 0);
    assert_true(front_silent(f, f->backend));
    front_stop_driver(f, bases);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x10000, true, note, &done, 2),
                     -ENODEV);
    assert_int_equal(f->vhost->ops->unmap(f->vhost, 0, 0x10000, note, &done, 2), -ENODEV);
    assert_true(front_silent(f, f->backend));
    assert_int_equal(done.count, 0);
    virtio_driver_gone(f->vhost);
    assert_int_equal(done.count, 1);
    assert_int_equal(done.error, -ECANCELED);
    close(fd);
}

static void mapped_and_unmapped(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    struct virtio_header header;
    struct vhost_shmem_map map;
    int fd = os_shm_create("file", 0x10000);
    front_start_driver(f, NULL);
    front_kick(f, 0);

    assert_int_equal(
        f->vhost->ops->map(f->vhost, 0x4000, fd, 0x2000, 0x8000, true, note, &done, 11), 0);
    int got = take_map(f, &map);
    assert_int_equal(map.shmid, 1);
    assert_int_equal(map.offset, 0x4000);
    assert_int_equal(map.file_offset, 0x2000);
    assert_int_equal(map.size, 0x8000);
    assert_int_equal(map.flags, 1);
    assert_int_equal(os_shm_size(got), 0x10000);
    close(got);
    answer(f, VHOST_BACKEND_SHMEM_MAP, 0);
    assert_int_equal(done.count, 0); // the guest can't see it yet
    commit(f);
    assert_int_equal(done.count, 1);
    assert_int_equal(done.cookie, 11);
    assert_int_equal(done.error, 0);

    assert_int_equal(f->vhost->ops->unmap(f->vhost, 0x4000, 0x8000, note, &done, 13), 0);
    assert_int_equal(front_receive(f, f->backend, &header, &map, sizeof(map), NULL), 40);
    assert_int_equal(header.type, VHOST_BACKEND_SHMEM_UNMAP);
    assert_int_equal(map.offset, 0x4000);
    answer(f, VHOST_BACKEND_SHMEM_UNMAP, 1);
    assert_int_equal(done.cookie, 13);
    assert_int_equal(done.error, -EIO);
    close(fd);
}

static void read_one_byte(struct front_end *f, uint8_t expected)
{
    uint8_t byte;
    int fds[8];
    unsigned count = 0;
    assert_int_equal(os_socket_recv(f->backend, &byte, 1, fds, 8, &count), 1);
    assert_int_equal(byte, expected);
    while (count)
        close(fds[--count]);
}

// What follows it, as soon as the device has noticed.
static ssize_t read_rest(struct front_end *f, uint8_t *rest, size_t size)
{
    for (int i = 0; i < 1000 && front_silent(f, f->backend); i++)
        usleep(1000);
    assert_false(front_silent(f, f->backend));
    return read(f->backend, rest, size);
}

// QEMU reads the first byte, and holds its lock until it has the rest: it can't be stopped in
// between.
static void a_message_is_finished_when_qemu_has_begun_to_read(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    uint8_t rest[51];
    int fd = os_shm_create("file", 0x10000);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, true, note, &done, 1), 0);
    front_turn(f);
    read_one_byte(f, VHOST_BACKEND_SHMEM_MAP);
    assert_int_equal(read_rest(f, rest, sizeof(rest)), 51);
    assert_int_equal(rest[0], 0);
    assert_true(front_silent(f, f->backend));
    close(fd);
}

static void a_message_overtaken_by_a_stop_becomes_nothing(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    uint8_t rest[51];
    uint16_t bases[2];
    int fd = os_shm_create("file", 0x10000);
    struct vhost_shmem_map map;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    for (int pause = 0; pause < 2; pause++) {
        // QEMU stops the device before it comes to read.
        done.count = 0;
        assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, true, note, &done, 1), 0);
        front_turn(f);
        front_stop_driver(f, bases);
        read_one_byte(f, VHOST_BACKEND_SHMEM_MAP);
        assert_int_equal(read_rest(f, rest, sizeof(rest)), 11);
        uint32_t type = VHOST_BACKEND_SHMEM_MAP | (uint32_t)rest[0] << 8 | (uint32_t)rest[1] << 16 |
                        (uint32_t)rest[2] << 24;
        assert_true(type > 255); // nobody knows it
        answer(f, type, 1);
        assert_int_equal(done.count, 0);
        if (pause) {
            // It was a pause: the mapping is made after it.
            front_start_driver(f, bases);
            close(take_map(f, &map));
            answer(f, VHOST_BACKEND_SHMEM_MAP, 0);
            commit(f);
            assert_int_equal(done.error, 0);
        } else {
            front_start_driver(f, NULL);
            assert_int_equal(done.error, -ECANCELED);
            memset(f->memory, 0, 0x2000);
            front_simple_request(f, 0, 0, "a", 1, 4);
            front_kick(f, 0);
        }
        assert_int_equal(done.count, 1);
    }
    close(fd);
}

static void a_reader_that_takes_its_time(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    struct vhost_shmem_map map;
    int fd = os_shm_create("file", 0x10000);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, true, note, &done, 1), 0);
    for (int i = 0; i < 20; i++) {
        front_turn(f);
        usleep(1000);
    }
    assert_int_equal(front_get_u64(f, VHOST_GET_QUEUE_NUM), 2);
    close(take_map(f, &map));
    answer(f, VHOST_BACKEND_SHMEM_MAP, 0);
    commit(f);
    assert_int_equal(done.count, 1);
    close(fd);
}

static void a_reset_before_anything_was_read(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    struct vhost_shmem_map map;
    uint8_t rest[16];
    uint16_t bases[2];
    int fd = os_shm_create("file", 0x10000);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, true, note, &done, 1), 0);
    front_turn(f);
    front_stop_driver(f, bases);
    front_start_driver(f, NULL); // QEMU reads only now, with another driver running
    front_kick(f, 0);
    assert_int_equal(done.error, -ECANCELED);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0x2000, fd, 0, 0x1000, true, note, &done, 2), 0);
    read_one_byte(f, VHOST_BACKEND_SHMEM_MAP);
    assert_int_equal(read_rest(f, rest, sizeof(rest)), 11); // not the mapping of the driver before
    answer(f, VHOST_BACKEND_NOTHING | VHOST_BACKEND_SHMEM_MAP, 1);
    close(take_map(f, &map));
    assert_int_equal(map.offset, 0x2000);
    close(fd);
}

static void ranges_outside_the_aperture_are_not_sent(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    int fd = os_shm_create("file", 0x10000);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0, true, note, &done, 1), -EINVAL);
    assert_int_equal(f->vhost->ops->map(f->vhost, 1 << 20, fd, 0, 0x1000, true, note, &done, 1),
                     -EINVAL);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0x1000, fd, 0, 1 << 20, true, note, &done, 1),
                     -EINVAL);
    assert_int_equal(
        f->vhost->ops->map(f->vhost, UINT64_MAX - 0xfff, fd, 0, 0x2000, true, note, &done, 1),
        -EINVAL);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0x800, fd, 0, 0x1000, true, note, &done, 1),
                     -EINVAL);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, -1, 0, 0x1000, true, note, &done, 1), -EINVAL);
    assert_true(front_silent(f, f->backend));
    close(fd);
}

// QEMU sends a new memory table, and waits for its answer, before it answers the mapping: each must
// be served at any time.
static void our_own_mapping_is_not_guest_memory(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    struct vhost_shmem_map map;
    int fd = os_shm_create("aperture", 1 << 20), got;
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 1 << 20, true, note, &done, 1), 0);
    got = take_map(f, &map);
    assert_int_equal(f->vhost->ops->address(f->vhost, 0), 0);
    front_set_memory(f, got, 1 << 20);
    close(got);
    assert_int_equal(done.count, 0);
    assert_null(virtio_guest_memory(f->vhost, 16ull << 30,
                                    1)); // a worker's file could be cut short under us
    assert_non_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS, 1));
    assert_int_equal(f->vhost->ops->address(f->vhost, 0x3000),
                     USER_ADDRESS + (16ull << 30) + 0x3000);
    answer(f, VHOST_BACKEND_SHMEM_MAP, 0);
    commit(f);
    assert_int_equal(done.count, 1);
    close(fd);
}

static void a_refused_mapping_is_not_remembered(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    struct vhost_shmem_map map;
    int fd = os_shm_create("aperture", 1 << 20), got;
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 1 << 20, true, note, &done, 1), 0);
    got = take_map(f, &map);
    answer(f, VHOST_BACKEND_SHMEM_MAP, 1);
    assert_int_equal(done.error, -EIO);
    front_set_memory(f, got, 1 << 20);
    assert_non_null(virtio_guest_memory(f->vhost, 16ull << 30, 1)); // so this is somebody's memory
    close(got);
    close(fd);
}

static void answers_that_nobody_waits_for_are_ignored(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    struct vhost_shmem_map map;
    int fd = os_shm_create("file", 0x10000);
    answer(f, VHOST_BACKEND_SHMEM_MAP, 0);
    answer(f, 77, 0);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, false, note, &done, 1), 0);
    answer(f, VHOST_BACKEND_SHMEM_MAP, 0); // it has not read it yet
    assert_int_equal(done.count, 0);
    close(take_map(f, &map));
    answer(f, VHOST_BACKEND_SHMEM_UNMAP, 0); // not what was asked
    assert_int_equal(done.count, 0);
    answer(f, VHOST_BACKEND_SHMEM_MAP, 0);
    commit(f);
    assert_int_equal(done.count, 1);
    assert_int_equal(map.flags, 0);
    close(fd);
}

static void the_end_of_the_channel_cancels(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    int fd = os_shm_create("file", 0x10000);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, true, note, &done, 1), 0);
    close(f->backend);
    f->backend = -1;
    front_turn(f);
    assert_int_equal(done.count, 1);
    assert_int_equal(done.error, -ECANCELED);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, true, note, &done, 1), -ENODEV);
    close(fd);
}

static void a_reset_cancels_and_late_answers_hurt_nobody(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    struct vhost_shmem_map map;
    uint16_t bases[2];
    int fd = os_shm_create("file", 0x10000);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, true, note, &done, 1), 0);
    close(take_map(f, &map));
    front_stop_driver(f, bases);
    assert_int_equal(done.count, 0);
    front_start_driver(f, NULL);
    assert_int_equal(done.count, 1);
    assert_int_equal(done.error, -ECANCELED);
    front_kick(f, 0);
    assert_int_equal(f->vhost->ops->map(f->vhost, 0, fd, 0, 0x1000, true, note, &done, 2), 0);
    answer(f, VHOST_BACKEND_SHMEM_MAP, 0); // of the first
    assert_int_equal(done.count, 1);
    close(take_map(f, &map));
    answer(f, VHOST_BACKEND_SHMEM_MAP, 0);
    commit(f);
    assert_int_equal(done.count, 2);
    assert_int_equal(done.cookie, 2);
    assert_int_equal(done.error, 0);
    close(fd);
}

static void many_at_once_are_carried_out_in_order(void **state)
{
    struct front_end *f = *state;
    struct done done = {0};
    struct vhost_shmem_map map;
    int fd = os_shm_create("file", 0x1000);
    front_start_driver(f, NULL);
    front_kick(f, 0);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(
            f->vhost->ops->map(f->vhost, i * 0x1000, fd, 0, 0x1000, true, note, &done, i), 0);
    for (unsigned i = 0; i < 200; i++) {
        close(take_map(f, &map));
        assert_int_equal(map.offset, i * 0x1000);
        answer(f, VHOST_BACKEND_SHMEM_MAP, 0);
        assert_int_equal(done.count, i);
        commit(f);
        assert_int_equal(done.count, i + 1);
        assert_int_equal(done.cookie, i);
    }
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, front_setup, front_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_aperture_is_announced),
        TEST(nothing_is_sent_while_no_driver_runs),
        TEST(mapped_and_unmapped),
        TEST(a_message_is_finished_when_qemu_has_begun_to_read),
        TEST(a_message_overtaken_by_a_stop_becomes_nothing),
        TEST(a_reader_that_takes_its_time),
        TEST(a_reset_before_anything_was_read),
        TEST(ranges_outside_the_aperture_are_not_sent),
        TEST(our_own_mapping_is_not_guest_memory),
        TEST(a_refused_mapping_is_not_remembered),
        TEST(answers_that_nobody_waits_for_are_ignored),
        TEST(the_end_of_the_channel_cancels),
        TEST(a_reset_cancels_and_late_answers_hurt_nobody),
        TEST(many_at_once_are_carried_out_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
