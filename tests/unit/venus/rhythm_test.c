// How a dry ring waits: times are told, nothing is measured.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <stdbool.h>

#include "venus/rhythm.h"

enum { US = 1000, MS = 1000000 };
#define NEVER UINT64_MAX

struct outcome {
    unsigned naps, looks;
    uint64_t slept_at; // into the gap; NEVER: it was awake all the time
    uint64_t late;     // how long the thread napped after there was more
};

static uint64_t now;

// The ring is dry for `gap`; looking takes a microsecond.
static struct outcome dry(struct venus_rhythm *rhythm, uint64_t gap)
{
    struct outcome outcome = {.slept_at = NEVER};
    uint64_t begin = now, nap;
    while (now - begin < gap) {
        nap = US;
        enum venus_rhythm_step step = venus_rhythm_step(rhythm, now - begin, now, &nap);
        if (step == VENUS_RHYTHM_SLEEP) {
            outcome.slept_at = now - begin;
            now = begin + gap;
            venus_rhythm_notified(rhythm, now);
            break;
        }
        outcome.naps += step == VENUS_RHYTHM_NAP;
        outcome.looks += step != VENUS_RHYTHM_NAP;
        now += nap;
    }
    outcome.late = now - begin - gap;
    venus_rhythm_learn(rhythm, now - begin);
    return outcome;
}

static struct venus_rhythm start(uint64_t timeout)
{
    struct venus_rhythm rhythm;
    now = 5 * (uint64_t)MS;
    venus_rhythm_init(&rhythm, timeout, false, now);
    return rhythm;
}

static void a_guest_that_comes_back_at_once_finds_the_ring_awake(void **state)
{
    struct venus_rhythm rhythm = start(MS);
    for (unsigned i = 0; i < 1000; i++) {
        struct outcome outcome = dry(&rhythm, 15 * US);
        assert_int_equal(outcome.naps, 0);
        assert_int_equal(outcome.slept_at, NEVER);
    }
}

static void a_steady_guest_is_not_slept_through(void **state)
{
    static const uint64_t gaps[] = {30 * US, 60 * US, 100 * US, 180 * US, 400 * US};
    for (unsigned i = 0; i < 5; i++) {
        struct venus_rhythm rhythm = start(MS);
        for (unsigned j = 0; j < 20; j++)
            dry(&rhythm, gaps[i]);
        for (unsigned j = 0; j < 100; j++) {
            struct outcome outcome = dry(&rhythm, gaps[i]);
            assert_in_range(outcome.naps, 0, 3);
            assert_int_equal(outcome.slept_at, NEVER);
            assert_true(outcome.late <= US);
        }
    }
}

static void an_unsteady_guest_is_not_looked_for_without_end(void **state)
{
    struct venus_rhythm rhythm = start(MS);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t gap = i % 2 ? 900 * US : 200 * US;
        struct outcome outcome = dry(&rhythm, gap);
        if (i > 20)
            assert_true(outcome.looks < 200);
    }
}

static void an_unsteady_guest_is_heard_soon(void **state)
{
    static const uint64_t gaps[] = {250 * US, 430 * US, 330 * US, 700 * US, 410 * US};
    struct venus_rhythm rhythm = start(MS);
    for (unsigned i = 0; i < 200; i++) {
        struct outcome outcome = dry(&rhythm, gaps[i % 5]);
        if (i > 20) {
            assert_in_range(outcome.late, 0, 30 * US);
            assert_in_range(outcome.naps, 0, 60);
        }
    }
}

static void a_guest_that_leaves_is_not_looked_for(void **state)
{
    struct venus_rhythm rhythm = start(MS);
    for (unsigned frame = 0; frame < 20; frame++) {
        // It may be told again only after the timeout: a short frame is over before that.
        bool is_long = frame % 2;
        for (unsigned i = 0; i < (is_long ? 500 : 5); i++)
            dry(&rhythm, 5 * US);
        struct outcome outcome = dry(&rhythm, 16 * MS);
        assert_true(outcome.slept_at <= (is_long ? 100 * US : MS + 200 * US));
        assert_in_range(outcome.naps, 0, is_long ? 4 : 12);
    }
}

static void a_guest_that_comes_back_late_is_waited_for_the_next_times(void **state)
{
    struct venus_rhythm rhythm = start(MS);
    unsigned told = 0;
    for (unsigned i = 0; i < 800; i++)
        told += dry(&rhythm, 300 * US).slept_at != NEVER;
    assert_in_range(told, 0, 1);
}

static void a_ring_that_was_told_stays_awake_for_the_timeout(void **state)
{
    struct venus_rhythm rhythm = start(MS);
    for (unsigned i = 0; i < 100; i++) {
        venus_rhythm_notified(&rhythm, now);
        uint64_t told = now;
        for (unsigned j = 0; j < 10; j++) {
            uint64_t begin = now;
            struct outcome outcome = dry(&rhythm, 90 * US);
            if (outcome.slept_at != NEVER)
                assert_true(begin + outcome.slept_at - told >= MS);
        }
        dry(&rhythm, 20 * MS);
    }
}

static void a_timeout_without_an_end_is_kept(void **state)
{
    struct venus_rhythm rhythm = start(NEVER);
    struct outcome outcome = dry(&rhythm, 10000 * (uint64_t)MS);
    assert_int_equal(outcome.slept_at, NEVER);
    assert_in_range(outcome.naps, 1, 2500);
}

// Each yield of a crowded processor takes long; those of an idle one are over at once.
static enum venus_rhythm_step step_after_yield(struct venus_rhythm *rhythm, uint64_t took)
{
    uint64_t nap;
    enum venus_rhythm_step step = venus_rhythm_step(rhythm, 3 * US, now + 3 * US, &nap);
    if (step == VENUS_RHYTHM_YIELD)
        venus_rhythm_yielded(rhythm, took);
    uint64_t waited = 3 * US + took;
    if (step == VENUS_RHYTHM_YIELD && waited < 20 * US)
        assert_int_equal(venus_rhythm_step(rhythm, waited, now + waited, &nap), VENUS_RHYTHM_YIELD);
    now += MS;
    return step;
}

static void with_short_turns_a_crowded_processor_is_napped_on(void **state)
{
    struct venus_rhythm rhythm = start(MS);
    rhythm.short_turns = true;
    unsigned yields = 0;
    for (unsigned i = 0; i < 200; i++)
        yields += step_after_yield(&rhythm, 50 * US) == VENUS_RHYTHM_YIELD;
    assert_in_range(yields, 4, 12);
    yields = 0;
    for (unsigned i = 0; i < 200; i++) // it is tried again now and then
        yields += step_after_yield(&rhythm, US) == VENUS_RHYTHM_YIELD;
    assert_in_range(yields, 100, 200);
}

static void without_short_turns_yields_go_on(void **state)
{
    struct venus_rhythm rhythm = start(MS);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(step_after_yield(&rhythm, 50 * US), VENUS_RHYTHM_YIELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_comes_back_at_once_finds_the_ring_awake),
        cmocka_unit_test(a_steady_guest_is_not_slept_through),
        cmocka_unit_test(an_unsteady_guest_is_not_looked_for_without_end),
        cmocka_unit_test(an_unsteady_guest_is_heard_soon),
        cmocka_unit_test(a_guest_that_leaves_is_not_looked_for),
        cmocka_unit_test(a_guest_that_comes_back_late_is_waited_for_the_next_times),
        cmocka_unit_test(a_ring_that_was_told_stays_awake_for_the_timeout),
        cmocka_unit_test(a_timeout_without_an_end_is_kept),
        cmocka_unit_test(with_short_turns_a_crowded_processor_is_napped_on),
        cmocka_unit_test(without_short_turns_yields_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
