#include "../flavour.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../short.h"
#include "os/shm.h"

static void new_memory_is_zero_and_rounded_to_pages(void **state)
{
    int fd = os_shm_create("test", 5000);
    assert_true(fd >= 0);
    assert_int_equal(os_shm_size(fd), 2 * os_page_size());
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    uint8_t *bytes = map_file(fd, 0, 5000);
    assert_non_null(bytes);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(bytes[i], 0);
    os_shm_unmap(bytes, 5000);
    close(fd);
}

static void pretended_pages_count(void **state)
{
    os_init(&(struct os_options){.portable = os_is_portable(), .page_size = 16384});
    int fd = os_shm_create("test", 1);
    assert_int_equal(os_shm_size(fd), 16384);
    close(fd);
    os_init(&(struct os_options){.portable = os_is_portable()});
}

static void two_mappings_share_their_pages(void **state)
{
    size_t page = os_page_size();
    int fd = os_shm_create("test", 2 * page);
    char *first = map_file(fd, page, page), *both = map_file(fd, 0, 2 * page);
    strcpy(first, "seen");
    assert_string_equal(both + page, "seen");
    os_shm_unmap(first, page);
    os_shm_unmap(both, 2 * page);
    close(fd);
}

static void a_large_file_takes_no_memory_until_it_is_touched(void **state)
{
    int fd = os_shm_create("test", (uint64_t)64 << 30);
    assert_true(fd >= 0);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_blocks, 0);
    close(fd);
}

static void nonsense_sizes_are_refused(void **state)
{
    assert_int_equal(os_shm_create("test", 0), -EINVAL);
    assert_int_equal(os_shm_create("test", UINT64_MAX), -EINVAL);
    assert_null(map_file(-1, 0, 4096));
    assert_null(map_file(-1, 0, 0));
    assert_true(os_shm_size(-1) < 0);
}

static void nobody_can_cut_the_file_short(void **state)
{
#ifndef __APPLE__
    if (os_is_portable())
        skip(); // POSIX objects on Linux can't be sealed
#endif
    int fd = os_shm_create("test", 8192);
    assert_true(ftruncate(fd, 0) < 0);
    assert_true(ftruncate(fd, 1 << 20) < 0);
    close(fd);
}

static void punched_pages_read_as_zero(void **state)
{
    size_t page = os_page_size();
    int fd = os_shm_create("test", 3 * page);
    uint8_t *bytes = map_file(fd, 0, 3 * page);
    memset(bytes, 0xaa, 3 * page);
    assert_int_equal(os_shm_punch(fd, bytes + page, page, page), 0);
    assert_int_equal(bytes[page - 1], 0xaa);
    assert_int_equal(bytes[page], 0);
    assert_int_equal(bytes[2 * page - 1], 0);
    assert_int_equal(bytes[2 * page], 0xaa);
    assert_int_equal(os_shm_punch(fd, NULL, 0, page), 0); // without a mapping at hand
    assert_int_equal(bytes[0], 0);
    assert_int_equal(os_shm_punch(fd, NULL, 0, 0), 0);
    assert_int_not_equal(os_shm_punch(-1, NULL, 0, page), 0);
    os_shm_unmap(bytes, 3 * page);
    close(fd);
}

static void punching_gives_memory_back(void **state)
{
    if (os_is_portable())
        skip(); // POSIX can't
    int fd = os_shm_create("test", 1 << 20);
    uint8_t *bytes = map_file(fd, 0, 1 << 20);
    memset(bytes, 1, 1 << 20);
    struct stat before, after;
    fstat(fd, &before);
    os_shm_punch(fd, bytes, 0, 1 << 20);
    fstat(fd, &after);
    assert_true(before.st_blocks > 0);
    assert_int_equal(after.st_blocks, 0);
    os_shm_unmap(bytes, 1 << 20);
    close(fd);
}

static void clearing_touches_only_what_is_there(void **state)
{
    size_t page = os_page_size();
    int fd = os_shm_create("test", 8 * page);
    uint8_t *bytes = map_file(fd, 0, 8 * page);
    struct stat before, after;
    memset(bytes, 0xaa, 2 * page);
    memset(bytes + 4 * page, 0xaa, page);
    fstat(fd, &before);
    int error = os_shm_clear(fd, bytes + page, page, 5 * page);
    fstat(fd, &after);
    if (error == -ENOSYS) // POSIX does not know what is there
        skip();
    assert_int_equal(error, 0);
    assert_int_equal(before.st_blocks, after.st_blocks);
    assert_int_equal(bytes[page - 1], 0xaa);
    for (size_t i = page; i < 8 * page; i++)
        assert_int_equal(bytes[i], 0);
    assert_int_equal(os_shm_clear(fd, bytes, 0, 8 * page), 0);
    assert_int_equal(bytes[0], 0);
    os_shm_unmap(bytes, 8 * page);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zero_and_rounded_to_pages),
        cmocka_unit_test(pretended_pages_count),
        cmocka_unit_test(two_mappings_share_their_pages),
        cmocka_unit_test(a_large_file_takes_no_memory_until_it_is_touched),
        cmocka_unit_test(nonsense_sizes_are_refused),
        cmocka_unit_test(nobody_can_cut_the_file_short),
        cmocka_unit_test(punched_pages_read_as_zero),
        cmocka_unit_test(punching_gives_memory_back),
        cmocka_unit_test(clearing_touches_only_what_is_there),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
