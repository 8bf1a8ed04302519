// A worker that owes something: when it is at work, and when it hangs. Times in seconds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include "renderer/watchdog.h"

#define S 1000000000ull
#define BEGAN 1000

static struct watchdog watchdog;

static int set_up(void **state)
{
    watchdog = (struct watchdog){0};
    (void)state;
    return 0;
}

// After how many seconds a worker that has `percent` of a processor is said to hang; 0: never
// within 1000. What it owes is another thing every `changes` seconds; 0: never.
static unsigned hangs_after(unsigned percent, unsigned changes)
{
    uint64_t next = 0;
    for (uint64_t s = 0; s <= 1000; s++) {
        if (s * S + BEGAN * S < next)
            continue;
        uint64_t since = BEGAN * S + (changes ? s - s % changes : 0) * S;
        next =
            watchdog_look(&watchdog, 60 * S, since, (BEGAN + s) * S, true, s * S * percent / 100);
        if (!next)
            return (unsigned)s;
    }
    return 0;
}

static void an_idle_worker_hangs_after_its_time(void **state)
{
    assert_int_equal(hangs_after(0, 0), 60);
    (void)state;
}

static void a_worker_that_has_had_its_time_of_a_processor_hangs(void **state)
{
    assert_int_equal(hangs_after(100, 0), 60);
    assert_int_equal(hangs_after(800, 0), 60);
    (void)state;
}

static void a_worker_on_a_busy_machine_is_given_the_same_work(void **state)
{
    // A quarter of a processor: half of 60 s of work take 120 s.
    assert_int_equal(hangs_after(25, 0), 150);
    (void)state;
}

static void no_worker_is_waited_for_for_ever(void **state)
{
    assert_int_equal(hangs_after(5, 0), 600);
    (void)state;
}

static void a_worker_that_goes_on_does_not_hang(void **state)
{
    assert_int_equal(hangs_after(0, 25), 0);
    assert_int_equal(hangs_after(100, 50), 0);
    (void)state;
}

static void the_clock_decides_where_nothing_else_is_known(void **state)
{
    assert_int_equal(watchdog_look(&watchdog, 60 * S, BEGAN * S, BEGAN * S + S, false, 0),
                     (BEGAN + 30) * S);
    assert_int_equal(watchdog_look(&watchdog, 60 * S, BEGAN * S, (BEGAN + 30) * S, false, 0),
                     (BEGAN + 60) * S);
    assert_int_equal(watchdog_look(&watchdog, 60 * S, BEGAN * S, (BEGAN + 60) * S, false, 0), 0);
    (void)state;
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_worker_hangs_after_its_time),
        TEST(a_worker_that_has_had_its_time_of_a_processor_hangs),
        TEST(a_worker_on_a_busy_machine_is_given_the_same_work),
        TEST(no_worker_is_waited_for_for_ever),
        TEST(a_worker_that_goes_on_does_not_hang),
        TEST(the_clock_decides_where_nothing_else_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
