// What a worker holds: room, questions to the device process, and what is written for persons.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../short.h"
#include "link/context_messages.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"
#include "venus/ledger.h"
#include "venus/pages.h"

static struct venus_ledger ledger;
static struct link *ours, *theirs; // of the worker, of the device process
static struct link_ledger *page;   // as the device process sees it
static atomic_bool stopping;

static int set_up(void **state)
{
    int pair[2];
    assert_int_equal(os_socket_pair(pair), 0);
    assert_int_equal(link_create(pair[0], true, &ours), 0);
    assert_int_equal(link_create(pair[1], true, &theirs), 0);
    int fd = os_shm_create("ledger", sizeof(*page));
    void *address;
    assert_int_equal(os_shm_map(fd, 0, sizeof(*page), &address), 0);
    page = address;
    stopping = false;
    assert_true(venus_ledger_open(&ledger, fd, ours, &stopping));
    page->memory[LINK_MEMORY_HOST].room = 1000;
    page->memory[LINK_MEMORY_HOST].ceiling = 5000;
    (void)state;
    return 0;
}

static int tear_down(void **state)
{
    venus_ledger_close(&ledger);
    os_shm_unmap(page, sizeof(*page));
    link_destroy(ours);
    link_destroy(theirs);
    (void)state;
    return 0;
}

// Answers `count` questions with *data bytes each; negative: it refuses.
struct answering {
    pthread_t thread;
    unsigned count;
    int64_t bytes;
    uint64_t wanted; // by the last
};

static void *answer(void *data)
{
    struct answering *answering = data;
    for (unsigned i = 0; i < answering->count; i++) {
        struct link_message message;
        assert_int_equal(link_receive(theirs, &message), 0);
        assert_int_equal(message.type, LINK_MEMORY_ASK);
        const struct link_memory_ask *ask = (const void *)message.payload;
        answering->wanted = ask->bytes;
        if (answering->bytes > 0)
            page->memory[ask->kind].room += answering->bytes;
        page->memory[ask->kind].answered = ask->serial << 1 | (answering->bytes > 0);
    }
    return NULL;
}

static void begin(struct answering *answering)
{
    assert_int_equal(pthread_create(&answering->thread, NULL, answer, answering), 0);
}

static void end(struct answering *answering)
{
    pthread_join(answering->thread, NULL);
}

static int64_t room(void)
{
    return page->memory[LINK_MEMORY_HOST].room;
}

static void what_there_is_room_for_needs_no_question(void **state)
{
    assert_true(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 600));
    assert_true(venus_ledger_take(&ledger, LINK_HOLDS_PLAIN, 400));
    assert_int_equal(room(), 0);
    assert_int_equal(page->holds[LINK_HOLDS_PAGES], 600);
    assert_int_equal(page->holds[LINK_HOLDS_PLAIN], 400);
    venus_ledger_give(&ledger, LINK_HOLDS_PAGES, 600);
    assert_int_equal(room(), 600);
    assert_int_equal(page->holds[LINK_HOLDS_PAGES], 0);
    assert_int_equal(venus_ledger_ceiling(&ledger, LINK_MEMORY_HOST), 5000);
}

static void more_is_asked_for(void **state)
{
    struct answering answering = {.count = 1, .bytes = 8000};
    begin(&answering);
    assert_true(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 5000));
    end(&answering);
    assert_int_equal(answering.wanted, 5000);
    assert_int_equal(room(), 4000);
    assert_true(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 4000));
}

static void a_refusal_costs_nothing(void **state)
{
    struct answering answering = {.count = 2, .bytes = -1};
    begin(&answering);
    assert_false(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 5000));
    assert_false(venus_ledger_take(&ledger, LINK_HOLDS_CARD, 1)); // of which it has none
    end(&answering);
    assert_int_equal(room(), 1000);
    assert_int_equal(page->holds[LINK_HOLDS_PAGES], 0);
    assert_int_equal(page->holds[LINK_HOLDS_CARD], 0);
    assert_true(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 1000));
}

static void debts_come_first(void **state)
{
    venus_ledger_owe(&ledger, LINK_HOLDS_PAGES, 3000);
    assert_int_equal(room(), -2000);
    struct answering answering = {.count = 1, .bytes = -1};
    begin(&answering);
    assert_false(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 0));
    end(&answering);
    answering.bytes = 2000;
    begin(&answering);
    assert_true(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 0));
    end(&answering);
}

static void impossible_sizes_are_refused_at_once(void **state)
{
    struct answering answering = {.count = 1, .bytes = -1};
    begin(&answering);
    assert_false(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, UINT64_MAX));
    assert_false(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, LINK_MEMORY_NO_LIMIT));
    end(&answering);
    assert_int_equal(room(), 1000);
}

// Nobody answers, and the context ends.
static void the_end_of_the_context_ends_the_wait(void **state)
{
    stopping = true;
    assert_false(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 5000));
}

static void the_end_of_the_device_process_ends_the_wait(void **state)
{
    link_destroy(theirs);
    theirs = NULL;
    assert_false(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 5000));
}

static void pages_are_counted_until_the_last_one_lets_go(void **state)
{
    struct venus_pages_pool *pool = venus_pages_pool_create();
    struct venus_pages *pages;
    page->memory[LINK_MEMORY_HOST].room = 1 << 20;
    assert_true(venus_ledger_take(&ledger, LINK_HOLDS_PAGES, 1 << 16));
    assert_int_equal(venus_pages_alloc(pool, 1 << 16, 4096, VENUS_PAGES_SHARED, &pages), 0);
    pages->ledger = &ledger;
    venus_pages_ref(pages);
    venus_pages_unref(pool, pages);
    assert_int_equal(room(), (1 << 20) - (1 << 16));
    venus_pages_unref(pool, pages);
    assert_int_equal(room(), 1 << 20);
    assert_int_equal(page->holds[LINK_HOLDS_PAGES], 0);
    venus_pages_pool_destroy(pool);
}

static void what_a_program_draws_by_is_cut_off(void **state)
{
    char name[2 * LINK_ENGINE_SIZE];
    memset(name, 'z', sizeof(name));
    venus_ledger_set_engine(&ledger, NULL);
    assert_int_equal(page->engine[0], 0);
    venus_ledger_set_engine(&ledger, name);
    for (size_t i = 0; i < LINK_ENGINE_SIZE; i++)
        assert_int_equal(page->engine[i], i < LINK_ENGINE_SIZE - 1 ? 'z' : 0);
    // Nothing of it is left when the program's next instance has a shorter one.
    venus_ledger_set_engine(&ledger, "kit");
    assert_memory_equal(page->engine, "kit\0\0", 5);
}

static void without_a_ledger_everything_is_allowed(void **state)
{
    struct venus_ledger none;
    assert_true(venus_ledger_open(&none, -1, NULL, &stopping));
    assert_true(venus_ledger_take(&none, LINK_HOLDS_PAGES, UINT64_MAX));
    venus_ledger_give(&none, LINK_HOLDS_PAGES, 5);
    venus_ledger_count(&none, LINK_COUNT_RINGS, 1);
    venus_ledger_set_engine(&none, "mesa zink");
    assert_int_equal(venus_ledger_ceiling(&none, LINK_MEMORY_CARD), UINT64_MAX);
    venus_ledger_close(&none);
    assert_true(venus_ledger_take(NULL, LINK_HOLDS_OBJECTS, 5));
}

int main(int argc, char **argv)
{
    os_init(&(struct os_options){.portable = argc > 1 && !strcmp(argv[1], "portable")});
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_there_is_room_for_needs_no_question),
        CASE(more_is_asked_for),
        CASE(a_refusal_costs_nothing),
        CASE(debts_come_first),
        CASE(impossible_sizes_are_refused_at_once),
        CASE(the_end_of_the_context_ends_the_wait),
        CASE(the_end_of_the_device_process_ends_the_wait),
        CASE(pages_are_counted_until_the_last_one_lets_go),
        CASE(what_a_program_draws_by_is_cut_off),
        CASE(without_a_ledger_everything_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
