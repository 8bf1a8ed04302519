// What a driver holds for its own ends is counted, and whoever holds too much makes nothing more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <string.h>
#include <sys/mman.h>

#include "fake_driver.h"
#include "os/clock.h"
#include "os/process.h"
#include "venus/ending.h"
#include "venus/holdings.h"

#define MIB ((int64_t)1 << 20)
#define LATER(n) (begun + 1000000000ull * (n))

static struct fake_context f;
static struct link_ledger page;
static atomic_bool nobody_answers = true;
static bool portable;
static void *shaders; // of the driver
static size_t shader_bytes;
static uint64_t begun;

static void wake(struct venus_context *context, const char *lost)
{
    (void)context, (void)lost;
}

// By itself, and not by malloc: a sanitizer's keeps what is freed.
static void compile(int64_t bytes)
{
    if (shaders)
        munmap(shaders, shader_bytes);
    shader_bytes = (size_t)bytes;
    shaders = bytes
                  ? mmap(NULL, shader_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
                  : NULL;
    assert_true(shaders != MAP_FAILED);
    if (bytes)
        memset(shaders, 1, shader_bytes);
}

static int set_up(void **state)
{
    fake_reset();
    fake_context_init(&f, portable);
    page = (struct link_ledger){.memory[LINK_MEMORY_HOST].room = 40 * MIB,
                                .memory[LINK_MEMORY_CARD].room = 40 * MIB};
    f.context.wake = wake;
    begun = os_now_ns();
    f.context.ledger.page = &page;
    f.context.ledger.link = f.context.link;
    f.context.ledger.stopping = &nobody_answers;
    f.context.max_memory[LINK_MEMORY_HOST] = 40 * MIB;
    venus_holdings_begin(&f.context);
    (void)state;
    return 0;
}

static int tear_down(void **state)
{
    compile(0);
    f.context.ledger.page = NULL;
    fake_context_finish(&f);
    (void)state;
    return 0;
}

static void what_a_driver_takes_is_counted(void **state)
{
    compile(20 * MIB);
    venus_holdings_look(&f.context, LATER(1));
    assert_in_range(page.holds[LINK_HOLDS_PRIVATE], 19 * MIB, 24 * MIB);
    assert_in_range(page.memory[LINK_MEMORY_HOST].room, 16 * MIB, 21 * MIB);
    assert_true(venus_holdings_allow(&f.context));
    compile(MIB);
    venus_holdings_look(&f.context, LATER(1) + 1); // too soon
    assert_in_range(page.holds[LINK_HOLDS_PRIVATE], 19 * MIB, 24 * MIB);
    venus_holdings_look(&f.context, LATER(2));
    assert_in_range(page.holds[LINK_HOLDS_PRIVATE], 0, 6 * MIB);
}

static void who_holds_too_much_makes_nothing_more(void **state)
{
    compile(60 * MIB);
    venus_holdings_look(&f.context, LATER(1));
    assert_false(venus_holdings_allow(&f.context));
    assert_false(venus_context_stopping(&f.context)); // that is all
    compile(MIB);
    venus_holdings_look(&f.context, LATER(2));
    assert_true(venus_holdings_allow(&f.context));
}

// Else its first use would end the context.
static void what_was_refused_is_remembered_all_the_same(void **state)
{
    static const struct venus_class class = {.size = sizeof(struct venus_object)};
    struct venus_object_table table;
    assert_true(venus_object_table_init(&table, 1000, &f.context.ledger));
    page.memory[LINK_MEMORY_HOST].room = -1;
    assert_null(venus_object_alloc(&table, &class, WIRE_HANDLE_PIPELINE));
    assert_non_null(venus_object_alloc(&table, &class, WIRE_HANDLE_PIPELINE | VENUS_INCOMPLETE));
    assert_true(page.memory[LINK_MEMORY_HOST].room < -1); // and counted
    assert_int_equal(page.holds[LINK_HOLDS_OBJECTS], -1 - page.memory[LINK_MEMORY_HOST].room);
    venus_object_table_finish(&table);
    assert_int_equal(page.memory[LINK_MEMORY_HOST].room, -1);
}

static void who_goes_on_without_making_anything_is_lost(void **state)
{
    compile(120 * MIB);
    venus_holdings_look(&f.context, LATER(1));
    assert_true(venus_context_stopping(&f.context));
}

static void without_a_ledger_everything_goes(void **state)
{
    f.context.ledger.page = NULL;
    compile(60 * MIB);
    venus_holdings_look(&f.context, LATER(1));
    assert_true(venus_holdings_allow(&f.context));
}

int main(int argc, char **argv)
{
    uint64_t before, after;
    portable = argc > 1 && !strcmp(argv[1], "portable");
    if (!os_private_memory(&before))
        return 77; // skipped: this system does not say
    compile(8 * MIB);
    if (!os_private_memory(&after) || after - before > 12u * MIB)
        return 77; // skipped: a sanitizer keeps more than that for it
    compile(0);
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_a_driver_takes_is_counted),
        CASE(who_holds_too_much_makes_nothing_more),
        CASE(what_was_refused_is_remembered_all_the_same),
        CASE(who_goes_on_without_making_anything_is_lost),
        CASE(without_a_ledger_everything_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
