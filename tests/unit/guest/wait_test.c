// The guest kit's waits: how often they look, and how late they are, by a clock that the test
// turns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs those above

#include "guest/vulkan/objects.h"

static uint64_t time_ns;

static uint64_t now(void *context)
{
    return time_ns;
}

// As on Linux: a sleep is late by 50 µs.
static void relax(void *context, uint32_t round)
{
    time_ns += round < 256 ? 1000 : round - 256 < 20 ? 70000 : (round - 256) * 1000 + 50000;
}

static const struct guest_system system_of_test = {.now = now, .relax = relax};

// How often a wait looks for what happens after `takes_ns`; *late_ns is when it saw it.
static uint32_t looks_for(struct guest_context *context, uint64_t takes_ns, uint64_t *late_ns)
{
    struct guest_wait wait = {.nanoseconds = UINT64_MAX};
    uint64_t done = time_ns + takes_ns;
    uint32_t looks = 1;
    for (; time_ns < done; looks++)
        assert_true(guest_pause(context, &wait));
    *late_ns = time_ns - done;
    guest_waited(context, &wait);
    return looks;
}

static void test_few_looks(void **state)
{
    struct guest_context context = {.system = &system_of_test};
    uint64_t late;
    for (int i = 0; i < GUEST_WAITS; i++) {
        assert_in_range(looks_for(&context, 48000000, &late), 2, 150);
        assert_in_range(late, 0, 4000000);
    }
    // Later waits know how long the last ones took.
    assert_in_range(looks_for(&context, 48000000, &late), 2, 25);
    assert_in_range(late, 0, 4000000);
    // What is over at once is seen at once, and changes nothing.
    assert_in_range(looks_for(&context, 4000, &late), 2, 6);
    assert_in_range(late, 0, 1000);
    // One short wait is enough for all to be careful again.
    looks_for(&context, 500000, &late);
    looks_for(&context, 500000, &late);
    assert_in_range(late, 0, 130000);
}

static void test_timeout(void **state)
{
    struct guest_context context = {.system = &system_of_test,
                                    .waits = {1000000000, 1000000000, 1000000000, 1000000000}};
    struct guest_wait none = {0}, some = {.nanoseconds = 3000000};
    assert_false(guest_pause(&context, &none));
    uint64_t began = time_ns;
    while (guest_pause(&context, &some))
        ;
    assert_in_range(time_ns - began, 3000000, 3200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_looks),
        cmocka_unit_test(test_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
