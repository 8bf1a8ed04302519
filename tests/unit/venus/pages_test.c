// Shared pages: zeroed for every owner, aligned, in one arena or in files of their own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <string.h>

#include "os/os.h"
#include "venus/pages.h"

static int is_zero(const struct venus_pages *pages)
{
    const uint8_t *bytes = pages->address;
    for (uint64_t i = 0; i < pages->size; i++) {
        if (bytes[i])
            return 0;
    }
    return 1;
}

static struct venus_pages *alloc(struct venus_pages_pool *pool, uint64_t size, uint64_t alignment,
                                 enum venus_pages_use use)
{
    struct venus_pages *pages;
    int error = venus_pages_alloc(pool, size, alignment, use, &pages);
    assert_int_equal(error != 0, pages == NULL);
    return pages;
}

static void ranges_share_one_file(void **state)
{
    struct venus_pages_pool *pool = venus_pages_pool_create();
    struct venus_pages *a = alloc(pool, 100, 1, VENUS_PAGES_RANGE);
    struct venus_pages *b = alloc(pool, 70000, 65536, VENUS_PAGES_RANGE);
    assert_int_equal(a->fd, b->fd);
    assert_int_equal(a->size, os_page_size());
    assert_int_equal((uintptr_t)b->address % 65536, 0);
    assert_int_equal(b->offset % os_page_size(), 0);
    assert_true(a->offset + a->size <= b->offset || b->offset + b->size <= a->offset);
    venus_pages_unref(pool, a);
    venus_pages_unref(pool, b);
    venus_pages_pool_destroy(pool);
}

static void the_next_owner_sees_zeroes(void **state)
{
    struct venus_pages_pool *pool = venus_pages_pool_create();
    uint64_t first_offset = 0;
    for (int i = 0; i < 3; i++) {
        struct venus_pages *pages = alloc(pool, 1 << 20, 1, VENUS_PAGES_RANGE);
        assert_true(is_zero(pages));
        if (i == 0)
            first_offset = pages->offset;
        assert_int_equal(pages->offset, first_offset); // reused, or the test shows nothing
        memset(pages->address, 0xab, pages->size);
        venus_pages_unref(pool, pages);
    }
    venus_pages_pool_destroy(pool);
}

static void holes_are_joined_again(void **state)
{
    struct venus_pages_pool *pool = venus_pages_pool_create();
    struct venus_pages *pages[300];
    // Small ones in every order of release; then one that needs nearly the whole arena must fit
    // into it.
    for (unsigned i = 0; i < 300; i++)
        pages[i] = alloc(pool, 4096 * (1 + i % 7), 1, VENUS_PAGES_RANGE);
    int fd = pages[0]->fd;
    for (unsigned i = 0; i < 300; i++)
        venus_pages_unref(pool, pages[(i * 137) % 300]);
    struct venus_pages *large = alloc(pool, (1ull << 30) - 4096, 1, VENUS_PAGES_RANGE);
    assert_non_null(large);
    assert_int_equal(large->fd, fd);
    venus_pages_unref(pool, large);
    venus_pages_pool_destroy(pool);
}

static void live_ranges_never_overlap(void **state)
{
    struct venus_pages_pool *pool = venus_pages_pool_create();
    struct venus_pages *live[64] = {0};
    uint32_t random = 1;
    for (unsigned round = 0; round < 5000; round++) {
        random = random * 1664525 + 1013904223;
        unsigned slot = (random >> 8) % 64;
        if (live[slot]) {
            const uint32_t *words = live[slot]->address;
            assert_int_equal(words[0], slot);
            assert_int_equal(words[live[slot]->size / 4 - 1], slot);
            venus_pages_unref(pool, live[slot]);
            live[slot] = NULL;
        } else {
            live[slot] = alloc(pool, 1 + (random >> 16) % 100000, 4096u << (random >> 28) % 3,
                               VENUS_PAGES_RANGE);
            uint32_t *words = live[slot]->address;
            assert_int_equal(words[0], 0);
            words[0] = slot;
            words[live[slot]->size / 4 - 1] = slot;
        }
    }
    for (unsigned i = 0; i < 64; i++)
        venus_pages_unref(pool, live[i]);
    venus_pages_pool_destroy(pool);
}

static void what_is_shared_has_a_file_of_its_own(void **state)
{
    struct venus_pages_pool *pool = venus_pages_pool_create();
    struct venus_pages *a = alloc(pool, 5000, 1, VENUS_PAGES_SHARED),
                       *b = alloc(pool, 5000, 1, VENUS_PAGES_SHARED);
    assert_int_not_equal(a->fd, b->fd);
    assert_int_equal(a->offset, 0);
    assert_true(is_zero(a));
    venus_pages_ref(a);
    venus_pages_unref(pool, a);
    memset(a->address, 1, a->size); // still there
    venus_pages_unref(pool, a);
    venus_pages_unref(pool, b);
    venus_pages_pool_destroy(pool);
}

static void stain(struct venus_pages *pages)
{
    memset((char *)pages->address + pages->size / 2, 0xab, os_page_size());
}

// Only what nobody else has seen, only for an allocation that is alike, zeroed, and not for long.
static void what_a_guest_frees_is_kept_for_it(void **state)
{
    enum { SIZE = 1 << 20 };
    for (enum venus_pages_use use = VENUS_PAGES_RANGE; use <= VENUS_PAGES_SHARED; use++) {
        struct venus_pages_pool *pool = venus_pages_pool_create();
        struct venus_pages *first = alloc(pool, SIZE, 1, use);
        int fd = first->fd;
        stain(first);
        venus_pages_unref(pool, first);
        struct venus_pages *shared = alloc(pool, SIZE, 1, VENUS_PAGES_SHARED);
        struct venus_pages *larger = alloc(pool, 2 * SIZE, 1, use);
        struct venus_pages *again = alloc(pool, SIZE, 1, use);
        if (use == VENUS_PAGES_OWN_FILE && !os_is_portable()) {
            assert_int_equal(again->fd, fd);
            assert_int_not_equal(shared->fd, fd);
        }
        assert_true(is_zero(shared) && is_zero(larger) && is_zero(again));
        stain(again);
        venus_pages_unref(pool, again);
        venus_pages_age(pool);
        venus_pages_age(pool);
        again = alloc(pool, SIZE, 1, use);
        assert_true(is_zero(again));
        venus_pages_unref(pool, again);
        venus_pages_unref(pool, larger);
        venus_pages_unref(pool, shared);
        venus_pages_pool_destroy(pool);
    }
}

static void nonsense_is_refused(void **state)
{
    struct venus_pages_pool *pool = venus_pages_pool_create();
    assert_null(alloc(pool, 0, 1, VENUS_PAGES_RANGE));
    assert_null(alloc(pool, UINT64_MAX - 10, 1, VENUS_PAGES_RANGE));
    assert_null(alloc(pool, 1ull << 62, 1, VENUS_PAGES_RANGE));
    assert_null(alloc(pool, 1ull << 62, 1, VENUS_PAGES_SHARED));
    venus_pages_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_share_one_file),
        cmocka_unit_test(the_next_owner_sees_zeroes),
        cmocka_unit_test(holes_are_joined_again),
        cmocka_unit_test(live_ranges_never_overlap),
        cmocka_unit_test(what_is_shared_has_a_file_of_its_own),
        cmocka_unit_test(what_a_guest_frees_is_kept_for_it),
        cmocka_unit_test(nonsense_is_refused),
    };
    os_init(&(struct os_options){.portable = argc > 1});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
