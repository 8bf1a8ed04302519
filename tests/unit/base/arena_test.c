// The arena's promises: limit, alignment, zeroed storage, memory kept over resets.
#include "../wire/support.h"

static void test_limit(void **state)
{
    struct arena arena;
    arena_init(&arena, 1000);
    assert_null(arena_alloc(&arena, 1001));
    for (volatile size_t less = 0; less < 20; less++) // volatile: compilers warn about such sizes
        assert_null(arena_alloc(&arena, SIZE_MAX - less));
    size_t total = 0;
    while (arena_alloc(&arena, 48))
        total += 48;
    assert_true(total <= 1000 && total >= 900);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 900));
    assert_null(arena_alloc(&arena, 900));
    arena_finish(&arena);
}

static void test_a_budget_is_shared(void **state)
{
    struct arena_budget budget = {.limit = 1 << 20};
    struct arena one, other;
    arena_init_shared(&one, 1 << 20, &budget);
    arena_init_shared(&other, 1 << 20, &budget);
    assert_non_null(arena_alloc(&one, 700000));
    assert_null(arena_alloc(&other, 700000));
    assert_non_null(arena_alloc(&other, 100000));
    assert_true(arena_budget_take(&budget, 10000)); // for something else
    assert_false(arena_budget_take(&budget, 500000));
    arena_finish(&one);
    assert_non_null(arena_alloc(&other, 500000));
    arena_finish(&other);
    arena_budget_give(&budget, 10000);
    assert_int_equal(budget.used, 0);
}

static void test_limit_over_blocks(void **state)
{
    struct arena arena;
    size_t limit = 10 << 20;
    arena_init(&arena, limit);
    for (int round = 0; round < 3; round++) {
        size_t total = 0;
        while (arena_alloc_raw(&arena, 30000))
            total += 30000;
        assert_true(total <= limit && total > limit / 2);
        arena_reset(&arena);
    }
    assert_non_null(arena_alloc(&arena, limit - 4096));
    assert_null(arena_alloc(&arena, 8192));
    arena_finish(&arena);
}

static void test_zeroed_and_aligned(void **state)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (int round = 0; round < 4; round++) {
        for (size_t size = 0; size < 3000; size += 7) {
            uint8_t *p = arena_alloc(&arena, size);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xff, size);
        }
        arena_reset(&arena);
    }
    arena_finish(&arena);
}

// A stream in steady state takes nothing from the system.
static void test_blocks_are_kept(void **state)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    void *first = arena_alloc(&arena, 100), *second = arena_alloc(&arena, 100000);
    for (int round = 0; round < 10; round++) {
        arena_reset(&arena);
        assert_ptr_equal(arena_alloc(&arena, 100), first);
        assert_ptr_equal(arena_alloc(&arena, 100000), second);
    }
    arena_finish(&arena);
    // Usable again, as after arena_init.
    assert_non_null(arena_alloc(&arena, 100));
    arena_finish(&arena);
}

// Only what little was enough so far stays: a command with megabytes must not cost them for good.
static void test_large_blocks_go(void **state)
{
    struct arena arena;
    arena_init(&arena, 64 << 20);
    assert_non_null(arena_alloc(&arena, 32 << 20));
    arena_reset(&arena);
    size_t have = (size_t)(arena.end - arena.cursor);
    assert_true(have <= 1 << 20);
    assert_null(*(void **)arena.first); // no further block
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_a_budget_is_shared),
        cmocka_unit_test(test_limit_over_blocks),
        cmocka_unit_test(test_zeroed_and_aligned),
        cmocka_unit_test(test_blocks_are_kept),
        cmocka_unit_test(test_large_blocks_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
