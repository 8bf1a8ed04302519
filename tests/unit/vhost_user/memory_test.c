// The memory table: what is guest memory, where it is here, and what is refused.
#include "front_end.h"

#include "front/virtio/memory.h"
#include "os/os.h"
#include "os/shm.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static uint64_t set_table(struct front_end *f, const struct virtio_memory_region *regions,
                          uint32_t count, const int *fds, unsigned fd_count)
{
    struct vhost_memory_table table = {.count = count};
    for (uint32_t i = 0; i < count && i < fd_count; i++)
        table.regions[i] = regions[i];
    return front_ask(f, VHOST_SET_MEM_TABLE, &table, 8 + 32 * (count < 8 ? count : 8), fds,
                     fd_count);
}

static void guest_addresses_lead_to_the_same_bytes(void **state)
{
    struct front_end *f = *state;
    front_set_memory(f, -1, 0);
    f->memory[0x1234] = 42;
    uint8_t *at = virtio_guest_memory(f->vhost, GUEST_ADDRESS + 0x1234, 16);
    assert_non_null(at);
    assert_int_equal(*at, 42);
    *at = 43;
    assert_int_equal(f->memory[0x1234], 43);
}

static void nothing_outside_is_reachable(void **state)
{
    struct front_end *f = *state;
    assert_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS, 1)); // no table yet
    front_set_memory(f, -1, 0);
    assert_non_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS, GUEST_SIZE));
    assert_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS, GUEST_SIZE + 1));
    assert_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS - 1, 1));
    assert_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS - 1, 2));
    assert_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS + GUEST_SIZE, 1));
    assert_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS + 1, UINT64_MAX));
    assert_null(virtio_guest_memory(f->vhost, UINT64_MAX, 2));
    assert_null(virtio_guest_memory(f->vhost, 0, 1));
}

static void several_regions_of_one_file(void **state)
{
    struct front_end *f = *state;
    // As QEMU splits its memory around the BIOS area, and maps the rest above 4 GiB.
    struct virtio_memory_region regions[] = {
        {0, 0xa0000, USER_ADDRESS, 0},
        {0x100000000, GUEST_SIZE - 0xc0000, USER_ADDRESS + 0xc0000, 0xc0000},
    };
    int fds[] = {f->memory_fd, f->memory_fd};
    assert_int_equal(set_table(f, regions, 2, fds, 2), 0);
    f->memory[0xc0000] = 7;
    assert_int_equal(*(uint8_t *)virtio_guest_memory(f->vhost, 0x100000000, 1), 7);
    assert_null(virtio_guest_memory(f->vhost, 0xa0000, 1));
    assert_null(virtio_guest_memory(f->vhost, 0x9ffff, 2));
}

static void pointers_outlive_a_new_table(void **state)
{
    struct front_end *f = *state;
    front_set_memory(f, -1, 0);
    uint8_t *before = virtio_guest_memory(f->vhost, GUEST_ADDRESS, 1);
    struct virtio_memory_region smaller = {GUEST_ADDRESS, 0x1000, USER_ADDRESS, 0};
    assert_int_equal(set_table(f, &smaller, 1, &f->memory_fd, 1), 0);
    assert_ptr_equal(virtio_guest_memory(f->vhost, GUEST_ADDRESS, 1), before); // mapped once
    assert_int_equal(set_table(f, NULL, 0, NULL, 0), 0);
    assert_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS, 1));
    f->memory[0] = 9;
    assert_int_equal(*before, 9); // a request that is still under way may read it
}

static void a_bad_table_leaves_the_old_one(void **state)
{
    struct front_end *f = *state;
    front_set_memory(f, -1, 0);
    int fds[] = {f->memory_fd, f->memory_fd};
    struct virtio_memory_region good = {GUEST_ADDRESS, GUEST_SIZE, USER_ADDRESS, 0};
    struct virtio_memory_region bad;

    bad = good;
    bad.size = GUEST_SIZE + 0x1000; // beyond the file: reading there would be fatal
    assert_int_equal(set_table(f, &bad, 1, fds, 1), 1);
    bad = good;
    bad.file_offset = 0x1000;
    assert_int_equal(set_table(f, &bad, 1, fds, 1), 1);
    bad.file_offset = UINT64_MAX - 0xfff; // wraps
    assert_int_equal(set_table(f, &bad, 1, fds, 1), 1);
    bad = good;
    bad.size = 0;
    assert_int_equal(set_table(f, &bad, 1, fds, 1), 1);
    bad = good;
    bad.guest_address = UINT64_MAX - 0xfff;
    assert_int_equal(set_table(f, &bad, 1, fds, 1), 1);
    bad = good;
    bad.user_address = UINT64_MAX - 0xfff;
    assert_int_equal(set_table(f, &bad, 1, fds, 1), 1);
    struct virtio_memory_region overlapping[] = {good,
                                                 {GUEST_ADDRESS + 0x8000, 0x1000, USER_ADDRESS, 0}};
    assert_int_equal(set_table(f, overlapping, 2, fds, 2), 1);

    assert_int_equal(set_table(f, &good, 1, NULL, 0), 1);      // without its file
    assert_int_equal(set_table(f, &good, 1, fds, 2), 1);       // with one too many
    assert_int_equal(set_table(f, overlapping, 9, fds, 2), 1); // more than the message holds
    assert_int_equal(front_ask(f, VHOST_SET_MEM_TABLE, &good, 4, NULL, 0), 1);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(set_table(f, &good, 1, &ends[0], 1), 1); // not mappable
    close(ends[0]);
    close(ends[1]);

    assert_non_null(virtio_guest_memory(f->vhost, GUEST_ADDRESS, GUEST_SIZE));
}

static void eight_regions_of_different_files(void **state)
{
    struct front_end *f = *state;
    struct virtio_memory_region regions[8];
    int fds[8];
    for (unsigned i = 0; i < 8; i++) {
        fds[i] = os_shm_create("part", 0x10000);
        assert_true(fds[i] >= 0);
        regions[i] =
            (struct virtio_memory_region){i * 0x10000, 0x10000, USER_ADDRESS + i * 0x10000, 0};
    }
    assert_int_equal(set_table(f, regions, 8, fds, 8), 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_non_null(virtio_guest_memory(f->vhost, i * 0x10000, 0x10000));
        close(fds[i]);
    }
    assert_null(virtio_guest_memory(f->vhost, 0xffff, 2)); // two files: two pieces
}

// Below the messages: a driver that lives long must not make mappings pile up.
static void mappings_are_given_back(void **state)
{
    (void)state;
    struct virtio_memory memory = {0};
    for (unsigned round = 0; round < 3 * VIRTIO_MAX_MAPPINGS; round++) {
        int fd = os_shm_create("round", 0x1000);
        struct vhost_memory_table table = {.count = 1, .regions = {{0, 0x1000, USER_ADDRESS, 0}}};
        int error = virtio_memory_set(&memory, table.regions, table.count, &fd);
        close(fd);
        assert_int_equal(error, 0);
        assert_true(memory.mapping_count <= VIRTIO_MAX_MAPPINGS);
        uint64_t size;
        assert_non_null(virtio_memory_at(&memory, 0, 0x1000, &size));
        if (round % 32 == 31) {
            virtio_memory_trim(&memory);
            assert_int_equal(memory.mapping_count, 1);
            assert_non_null(virtio_memory_at(&memory, 0, 0x1000, &size));
        }
    }
    virtio_memory_finish(&memory);
    assert_int_equal(memory.mapping_count, 0);
}

static unsigned open_files(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

// An input device sees the GPU's aperture in its table, and files that come and go there. They must
// neither be mapped nor held.
static void what_nobody_looks_into_costs_nothing(void **state)
{
    (void)state;
    struct virtio_memory memory = {0};
    int ram = os_shm_create("ram", 0x1000);
    unsigned before = open_files();
    for (unsigned round = 0; round < 3 * VIRTIO_MAX_MAPPINGS; round++) {
        int fds[2] = {ram, os_shm_create("aperture", 8ull << 30)};
        struct vhost_memory_table table = {
            .count = 2,
            .regions = {{0, 0x1000, USER_ADDRESS, 0},
                        {16ull << 30, 8ull << 30, USER_ADDRESS + (16ull << 30), 0}}};
        uint64_t size;
        assert_int_equal(virtio_memory_set(&memory, table.regions, table.count, fds), 0);
        close(fds[1]);
        assert_non_null(virtio_memory_at(&memory, 0x800, 1, &size));
        assert_int_equal(memory.mapping_count, 2);
        assert_null(memory.mappings[1].address);
    }
    assert_non_null(virtio_memory_user(&memory, USER_ADDRESS + (17ull << 30), 0x1000)); // it could
    virtio_memory_finish(&memory);
    assert_int_equal(open_files(), before);
    close(ram);
}

static void a_range_that_crosses_regions_comes_in_pieces(void **state)
{
    (void)state;
    struct virtio_memory memory = {0};
    int fds[2] = {os_shm_create("a", 0x2000), os_shm_create("b", 0x2000)};
    struct vhost_memory_table table = {
        .count = 2,
        .regions = {{0x1000, 0x1000, USER_ADDRESS, 0},
                    {0x2000, 0x2000, USER_ADDRESS + 0x100000, 0}},
    };
    assert_int_equal(virtio_memory_set(&memory, table.regions, table.count, fds), 0);
    uint64_t size;
    uint8_t *at = virtio_memory_at(&memory, 0x1800, 0x1000, &size);
    assert_non_null(at);
    assert_int_equal(size, 0x800);
    assert_non_null(virtio_memory_at(&memory, 0x2000, 0x800, &size));
    assert_int_equal(size, 0x800);
    assert_non_null(virtio_memory_user(&memory, USER_ADDRESS + 0x100000, 0x2000));
    assert_null(virtio_memory_user(&memory, USER_ADDRESS + 0x100000, 0x2001));
    assert_null(virtio_memory_user(&memory, USER_ADDRESS + 0xfff, 2));
    assert_null(virtio_memory_user(&memory, 0, 1));
    virtio_memory_finish(&memory);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    os_init(&(struct os_options){0});
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(guest_addresses_lead_to_the_same_bytes, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(nothing_outside_is_reachable, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(several_regions_of_one_file, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(pointers_outlive_a_new_table, front_setup, front_teardown),
        cmocka_unit_test_setup_teardown(a_bad_table_leaves_the_old_one, front_setup,
                                        front_teardown),
        cmocka_unit_test_setup_teardown(eight_regions_of_different_files, front_setup,
                                        front_teardown),
        cmocka_unit_test(mappings_are_given_back),
        cmocka_unit_test(what_nobody_looks_into_costs_nothing),
        cmocka_unit_test(a_range_that_crosses_regions_comes_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
