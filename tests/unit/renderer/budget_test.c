// One budget for several contexts: who is given memory, who is refused, what comes back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../short.h"
#include "os/os.h"
#include "renderer/budget.h"

#define MIB ((int64_t)1 << 20)
#define LIMIT (1024 * MIB) // a reserve of 128 MiB, a first gift of 2, steps of 16

enum { DESCRIPTORS = 64 };

static struct renderer_budget budget;
static struct renderer_account *greedy, *small;

static struct renderer_account *open_account(void)
{
    int fd, error;
    struct renderer_account *account = renderer_account_open(&budget, &fd, &error);
    assert_int_equal(error, 0);
    close(fd);
    return account;
}

static int set_up(void **state)
{
    renderer_budget_init(&budget, (uint64_t[RENDERER_KINDS]){LIMIT, LIMIT, DESCRIPTORS});
    greedy = open_account();
    small = open_account();
    (void)state;
    return 0;
}

static int tear_down(void **state)
{
    renderer_account_unref(greedy);
    renderer_account_unref(small);
    (void)state;
    return list_is_empty(&budget.accounts) ? 0 : -1;
}

static _Atomic(int64_t) *room(struct renderer_account *account)
{
    return &account->page->memory[LINK_MEMORY_HOST].room;
}

// A worker takes what it has room for, and asks for the rest.
static bool take(struct renderer_account *account, int64_t bytes)
{
    static uint32_t serial;
    if (*room(account) < bytes) {
        const struct link_memory_ask ask = {
            .kind = LINK_MEMORY_HOST, .serial = ++serial, .bytes = (uint64_t)bytes};
        bool given = renderer_account_answer(account, &ask);
        assert_int_equal(account->page->memory[LINK_MEMORY_HOST].answered, serial << 1 | given);
        if (!given)
            return false;
    }
    assert_true(*room(account) >= bytes);
    *room(account) -= bytes;
    account->page->holds[LINK_HOLDS_PAGES] += (uint64_t)bytes;
    return true;
}

static void give(struct renderer_account *account, int64_t bytes)
{
    *room(account) += bytes;
    account->page->holds[LINK_HOLDS_PAGES] -= (uint64_t)bytes;
}

static void small_programs_need_not_ask(void **state)
{
    assert_int_equal(*room(small), 2 * MIB);
    assert_true(take(small, MIB));
    assert_int_equal(*room(small), MIB);
}

static void a_question_brings_more_than_was_asked_for(void **state)
{
    assert_true(take(greedy, 3 * MIB));
    assert_int_equal(*room(greedy), 15 * MIB);
}

static void the_greedy_is_refused_and_the_small_is_not(void **state)
{
    int64_t got = 0;
    while (take(greedy, 4 * MIB))
        got += 4 * MIB;
    assert_true(got > LIMIT * 3 / 4 && got <= LIMIT - LIMIT / 8);
    for (int i = 0; i < 20; i++)
        assert_true(take(small, 4 * MIB));
    assert_false(take(greedy, 4 * MIB));
    assert_true(renderer_budget_used(&budget, LINK_MEMORY_HOST) <= LIMIT);
    assert_int_equal(greedy->refusals, 2);
    assert_int_equal(small->refusals, 0);
}

static void a_refused_program_may_have_what_others_give_back(void **state)
{
    assert_true(take(small, 100 * MIB));
    while (take(greedy, 16 * MIB))
        ;
    give(small, 100 * MIB);
    assert_true(take(greedy, 90 * MIB));
}

static void what_nobody_uses_is_taken_back(void **state)
{
    assert_true(take(small, 800 * MIB));
    give(small, 800 * MIB);
    assert_true(*room(small) >= 800 * MIB);
    assert_true(take(greedy, 800 * MIB));
    assert_true(*room(small) <= 2 * MIB); // the first gift stays
    assert_true(renderer_budget_used(&budget, LINK_MEMORY_HOST) <= LIMIT);
}

static void two_that_hold_alike_stop_before_the_reserve(void **state)
{
    for (int i = 0; i < 40; i++) {
        take(greedy, 16 * MIB);
        take(small, 16 * MIB);
    }
    assert_false(take(greedy, 16 * MIB));
    assert_false(take(small, 16 * MIB));
    struct renderer_account *third = open_account();
    assert_true(take(third, 48 * MIB));
    renderer_account_unref(third);
}

static void debts_are_paid_before_more_is_given(void **state)
{
    assert_true(take(small, MIB));
    *room(small) -= 500 * MIB; // it had imported them, and now holds them alone
    assert_true(take(greedy, 300 * MIB));
    assert_false(take(greedy, 200 * MIB));
    assert_true(take(small, 50 * MIB));
    assert_true(*room(small) >= 0);
    assert_true(renderer_budget_used(&budget, LINK_MEMORY_HOST) >= 850 * MIB);
}

// It may write what it likes into the page: the others get what is theirs.
static void a_lying_worker_harms_itself(void **state)
{
    const int64_t lies[] = {INT64_MIN, INT64_MIN / 2, -1, INT64_MAX, INT64_MAX - 5};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        *room(greedy) = lies[i];
        for (unsigned j = 0; j < LINK_HOLDINGS; j++)
            greedy->page->holds[j] = (uint64_t)lies[i];
        assert_true(take(small, 2 * MIB));
        *room(greedy) = lies[i];
        const struct link_memory_ask ask = {
            .kind = LINK_MEMORY_HOST, .serial = 7, .bytes = UINT64_MAX - i};
        assert_false(renderer_account_answer(greedy, &ask));
        *room(greedy) = lies[i];
        assert_true(renderer_budget_used(&budget, LINK_MEMORY_HOST) <= LIMIT + 64 * MIB);
    }
    renderer_account_ref(greedy);
    renderer_account_close(greedy);
    renderer_account_unref(greedy);
    assert_true(renderer_budget_used(&budget, LINK_MEMORY_HOST) <= LIMIT + 64 * MIB);
}

static void what_was_shared_outlives_its_context(void **state)
{
    assert_true(take(greedy, 600 * MIB));
    struct renderer_account *resource = renderer_account_ref(greedy);
    renderer_account_close(greedy);
    assert_false(take(small, 400 * MIB));
    renderer_account_unref(greedy);
    greedy = NULL;
    assert_false(take(small, 400 * MIB));
    renderer_account_unref(resource);
    assert_true(take(small, 400 * MIB));
}

static void memory_of_this_process_counts_too(void **state)
{
    assert_true(renderer_account_charge(greedy, LINK_MEMORY_HOST, 800 * MIB));
    assert_false(renderer_account_charge(greedy, LINK_MEMORY_HOST, 200 * MIB));
    assert_false(take(small, 400 * MIB));
    renderer_account_discharge(greedy, LINK_MEMORY_HOST, 800 * MIB);
    assert_true(take(small, 400 * MIB));
}

static void charge(struct renderer_account *account, unsigned count, bool fits)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(renderer_account_charge(account, RENDERER_DESCRIPTORS, 1), fits);
}

static void descriptors_are_shared_out_too(void **state)
{
    struct renderer_usage usage;
    struct renderer_account own; // of this process, without a worker
    renderer_account_init(&own, &budget);
    charge(greedy, DESCRIPTORS - DESCRIPTORS / 8, true);
    charge(greedy, 2, false);
    charge(small, DESCRIPTORS / 16, true);
    charge(&own, DESCRIPTORS / 16, true);
    charge(small, 1, false);
    renderer_account_usage(greedy, &usage);
    assert_int_equal(usage.descriptors, DESCRIPTORS - DESCRIPTORS / 8);
    assert_int_equal(usage.refusals, 2);
    assert_int_equal(usage.charged, 0);
    assert_true(take(greedy, 700 * MIB)); // memory is another matter
    renderer_account_discharge(greedy, RENDERER_DESCRIPTORS, 8);
    charge(small, 8, true);
    charge(NULL, 1000, true); // counted nowhere
    list_remove(&own.node);
}

static void the_ceiling_follows(void **state)
{
    const _Atomic(uint64_t) *ceiling = &small->page->memory[LINK_MEMORY_HOST].ceiling;
    assert_int_equal(renderer_budget_share(&budget, LINK_MEMORY_HOST), 896 * MIB);
    assert_int_equal(*ceiling, 896 * MIB);
    assert_true(take(greedy, 500 * MIB));
    assert_true(take(small, 3 * MIB)); // a question: told again
    assert_int_equal(*ceiling, 396 * MIB);
}

static void without_a_limit_nobody_asks(void **state)
{
    struct renderer_budget none;
    struct renderer_usage usage;
    int fd, error;
    renderer_budget_init(&none, (uint64_t[RENDERER_KINDS]){0, 0});
    struct renderer_account *account = renderer_account_open(&none, &fd, &error);
    close(fd);
    assert_true(take(account, 1ll << 50));
    assert_true(renderer_account_charge(account, LINK_MEMORY_HOST, 1ull << 50));
    assert_int_equal(renderer_budget_share(&none, LINK_MEMORY_HOST), 0);
    renderer_account_usage(account, &usage);
    assert_int_equal(usage.holds[LINK_HOLDS_PAGES], 1ll << 50);
    assert_int_equal(usage.charged, 1ll << 50);
    renderer_account_unref(account);
}

static void a_card_is_no_larger_than_it_is(void **state)
{
    struct renderer_budget fresh;
    int fd, error;
    renderer_budget_init(&fresh, (uint64_t[RENDERER_KINDS]){LIMIT, 0});
    renderer_budget_know_card(&fresh, 0);
    assert_int_equal(renderer_budget_share(&fresh, LINK_MEMORY_CARD), 0); // no limit
    struct renderer_account own; // of this process: nobody was told a share
    renderer_account_init(&own, &fresh);
    renderer_budget_know_card(&fresh, 800 * MIB);
    assert_int_equal(renderer_budget_share(&fresh, LINK_MEMORY_CARD), 700 * MIB);
    renderer_budget_know_card(&fresh, 1600 * MIB);
    assert_int_equal(renderer_budget_share(&fresh, LINK_MEMORY_CARD), 700 * MIB);
    struct renderer_account *account = renderer_account_open(&fresh, &fd, &error);
    close(fd);
    renderer_budget_know_card(&fresh, 8 * MIB); // a context lives
    assert_int_equal(renderer_budget_share(&fresh, LINK_MEMORY_CARD), 700 * MIB);
    renderer_account_unref(account);
    renderer_budget_init(&fresh, (uint64_t[RENDERER_KINDS]){0, 0});
    renderer_budget_know_card(&fresh, 800 * MIB); // nothing is limited
    assert_int_equal(renderer_budget_share(&fresh, LINK_MEMORY_CARD), 0);
}

static void a_card_of_any_size_leaves_numbers_that_can_be_summed(void **state)
{
    struct renderer_budget fresh;
    renderer_budget_init(&fresh, (uint64_t[RENDERER_KINDS]){LIMIT, 0});
    renderer_budget_know_card(&fresh, UINT64_MAX);
    assert_true(fresh.limits[LINK_MEMORY_CARD] <= LINK_MEMORY_NO_LIMIT);
    int fd, error;
    struct renderer_account *account = renderer_account_open(&fresh, &fd, &error);
    close(fd);
    assert_false(renderer_account_answer(
        account, &(struct link_memory_ask){.kind = LINK_MEMORY_CARD, .bytes = UINT64_MAX / 2}));
    renderer_account_unref(account);
}

// It goes to a terminal.
static void what_a_program_draws_by_is_plain_text(void **state)
{
    struct renderer_usage usage;
    const char said[] = "mesa\033[2J zink";
    for (size_t i = 0; i < sizeof(said); i++)
        small->page->engine[i] = said[i];
    renderer_account_usage(small, &usage);
    assert_string_equal(usage.engine, "mesa?[2J zink");
    for (size_t i = 0; i < LINK_ENGINE_SIZE; i++)
        small->page->engine[i] = 'z';
    renderer_account_usage(small, &usage);
    assert_int_equal(strlen(usage.engine), LINK_ENGINE_SIZE - 1);
    (void)state;
}

int main(int argc, char **argv)
{
    os_init(&(struct os_options){.portable = argc > 1 && !strcmp(argv[1], "portable")});
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(small_programs_need_not_ask),
        CASE(a_question_brings_more_than_was_asked_for),
        CASE(the_greedy_is_refused_and_the_small_is_not),
        CASE(a_refused_program_may_have_what_others_give_back),
        CASE(what_nobody_uses_is_taken_back),
        CASE(two_that_hold_alike_stop_before_the_reserve),
        CASE(debts_are_paid_before_more_is_given),
        CASE(a_lying_worker_harms_itself),
        CASE(what_was_shared_outlives_its_context),
        CASE(memory_of_this_process_counts_too),
        CASE(descriptors_are_shared_out_too),
        CASE(the_ceiling_follows),
        CASE(without_a_limit_nobody_asks),
        CASE(a_card_is_no_larger_than_it_is),
        CASE(a_card_of_any_size_leaves_numbers_that_can_be_summed),
        CASE(what_a_program_draws_by_is_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
