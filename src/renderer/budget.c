#include "renderer/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/shm.h"

// What a context has before it asks, so that small programs never do; nobody takes it back.
#define FIRST_GIFT ((uint64_t)4 << 20)
#define FIRST_GIFTS 512 // that the limit is at least
// Part of the limit that a question brings at least, so that they are few.
#define STEPS 64
#define SMALLEST_STEP ((uint64_t)1 << 20)
// What only those get who hold little: an eighth of the limit, and no more than this.
#define LARGEST_RESERVE ((uint64_t)1 << 30)
// A worker that changes its room all the time is not waited for.
#define TRIES 8

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t reserve(const struct renderer_budget *budget, unsigned kind)
{
    return smaller(budget->limits[kind] / 8, LARGEST_RESERVE);
}

static uint64_t first_gift(const struct renderer_budget *budget, unsigned kind)
{
    return smaller(budget->limits[kind] / FIRST_GIFTS, FIRST_GIFT);
}

void renderer_budget_init(struct renderer_budget *budget, const uint64_t limits[RENDERER_KINDS])
{
    list_init(&budget->accounts);
    for (unsigned kind = 0; kind < RENDERER_KINDS; kind++)
        budget->limits[kind] = smaller(limits[kind], LINK_MEMORY_NO_LIMIT);
}

void renderer_budget_know_card(struct renderer_budget *budget, uint64_t bytes)
{
    uint64_t *limit = &budget->limits[LINK_MEMORY_CARD];
    LIST_EACH (node, &budget->accounts)
        if (LIST_ENTRY(node, struct renderer_account, node)->page)
            return; // contexts that live have been told their share
    if (bytes && budget->limits[LINK_MEMORY_HOST] && (!*limit || bytes < *limit))
        *limit = smaller(bytes, LINK_MEMORY_NO_LIMIT);
}

uint64_t renderer_budget_share(const struct renderer_budget *budget, unsigned kind)
{
    return budget->limits[kind] - reserve(budget, kind);
}

// ---- accounts -------------------------------------------------------------

// What a worker has not used of what it was given. Its word counts within bounds only: it has no
// more than that, and owes no more than a context may hold.
static int64_t room_of(const struct renderer_account *account, unsigned kind)
{
    if (!account->page || kind >= LINK_MEMORY_KINDS)
        return 0;
    int64_t room = atomic_load(&account->page->memory[kind].room);
    int64_t most = (int64_t)account->given[kind];
    int64_t least = -(int64_t)renderer_budget_share(account->budget, kind);
    return room > most ? most : room < least ? least : room;
}

// What is held or promised.
static uint64_t promised(const struct renderer_account *account, unsigned kind)
{
    int64_t room = room_of(account, kind);
    return account->given[kind] + (room < 0 ? (uint64_t)-room : 0) + account->charged[kind];
}

static uint64_t held(const struct renderer_account *account, unsigned kind)
{
    int64_t room = room_of(account, kind);
    return promised(account, kind) - (room > 0 ? (uint64_t)room : 0);
}

uint64_t renderer_budget_used(const struct renderer_budget *budget, unsigned kind)
{
    uint64_t sum = 0;
    LIST_EACH (node, &budget->accounts)
        sum += promised(LIST_ENTRY(node, struct renderer_account, node), kind);
    return sum;
}

// Takes back what workers were given and do not use.
static void sweep(struct renderer_budget *budget, unsigned kind)
{
    LIST_EACH (node, &budget->accounts) {
        struct renderer_account *account = LIST_ENTRY(node, struct renderer_account, node);
        uint64_t kept = smaller(first_gift(budget, kind), account->given[kind]);
        uint64_t most = account->given[kind] - kept;
        if (!account->page || !most)
            continue;
        _Atomic(int64_t) *room = &account->page->memory[kind].room;
        int64_t left = atomic_load(room);
        for (unsigned i = 0; i < TRIES && left > 0; i++) {
            uint64_t take = smaller((uint64_t)left, most);
            if (atomic_compare_exchange_strong(room, &left, left - (int64_t)take)) {
                account->given[kind] -= take;
                break;
            }
        }
    }
}

// May the account have `bytes` more, with what others were promised? The reserve is for those who
// hold little: a sixteenth of the limit, or less than half of what another holds.
static bool fits(const struct renderer_account *account, unsigned kind, uint64_t bytes)
{
    const struct renderer_budget *budget = account->budget;
    uint64_t limit = budget->limits[kind], used = renderer_budget_used(budget, kind), most = 0;
    if (bytes > limit || used > limit - bytes)
        return false;
    if (used + bytes <= limit - reserve(budget, kind))
        return true;
    LIST_EACH (node, &budget->accounts) {
        uint64_t other = held(LIST_ENTRY(node, struct renderer_account, node), kind);
        most = other > most ? other : most;
    }
    uint64_t mine = held(account, kind) + bytes;
    return mine <= limit / 16 || mine < most / 2;
}

static bool fits_after_sweep(struct renderer_account *account, unsigned kind, uint64_t bytes)
{
    if (fits(account, kind, bytes))
        return true;
    sweep(account->budget, kind);
    return fits(account, kind, bytes);
}

// Tells guests what they may come to hold. Reading it costs them nothing.
static void publish(struct renderer_budget *budget, unsigned kind)
{
    uint64_t limit = budget->limits[kind], share = renderer_budget_share(budget, kind);
    if (!limit)
        return;
    uint64_t used = 0;
    LIST_EACH (node, &budget->accounts)
        used += held(LIST_ENTRY(node, struct renderer_account, node), kind);
    LIST_EACH (node, &budget->accounts) {
        struct renderer_account *account = LIST_ENTRY(node, struct renderer_account, node);
        // The workers go on meanwhile.
        uint64_t mine = held(account, kind), others = used > mine ? used - mine : 0;
        if (account->page)
            atomic_store(&account->page->memory[kind].ceiling,
                         share > others ? share - others : mine);
    }
}

// What the context owes is given too, so that it has room for all of it.
static void give(struct renderer_account *account, unsigned kind, uint64_t bytes)
{
    int64_t room = room_of(account, kind);
    bytes += room < 0 ? (uint64_t)-room : 0;
    account->given[kind] += bytes;
    atomic_fetch_add(&account->page->memory[kind].room, (int64_t)bytes);
}

void renderer_account_init(struct renderer_account *account, struct renderer_budget *budget)
{
    *account = (struct renderer_account){.budget = budget, .references = 1};
    list_append(&budget->accounts, &account->node);
}

struct renderer_account *renderer_account_open(struct renderer_budget *budget, int *fd, int *error)
{
    struct renderer_account *account = calloc(1, sizeof(*account));
    void *page = NULL;
    *error = -ENOMEM;
    *fd = account ? os_shm_create("hesper-ledger", sizeof(*account->page)) : -1;
    if (account)
        *error = *fd < 0 ? *fd : os_shm_map(*fd, 0, sizeof(*account->page), &page);
    if (*error) {
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        free(account);
        return NULL;
    }
    renderer_account_init(account, budget);
    account->page = page;
    for (unsigned kind = 0; kind < LINK_MEMORY_KINDS; kind++) {
        atomic_store(&account->page->memory[kind].ceiling, UINT64_MAX);
        if (budget->limits[kind])
            give(account, kind, first_gift(budget, kind));
        else
            atomic_store(&account->page->memory[kind].room, LINK_MEMORY_NO_LIMIT);
        publish(budget, kind);
    }
    return account;
}

void renderer_account_close(struct renderer_account *account)
{
    if (!account->page)
        return;
    // What others may still use: pages that it has shared, among all that lie in the same file.
    uint64_t pages = smaller(atomic_load(&account->page->holds[LINK_HOLDS_PAGES]),
                             held(account, LINK_MEMORY_HOST) - account->charged[LINK_MEMORY_HOST]);
    account->given[LINK_MEMORY_HOST] = pages;
    account->given[LINK_MEMORY_CARD] = 0;
    os_shm_unmap(account->page, sizeof(*account->page));
    account->page = NULL;
}

struct renderer_account *renderer_account_ref(struct renderer_account *account)
{
    account->references++;
    return account;
}

void renderer_account_unref(struct renderer_account *account)
{
    if (!account || --account->references)
        return;
    struct renderer_budget *budget = account->budget;
    renderer_account_close(account);
    list_remove(&account->node);
    free(account);
    for (unsigned kind = 0; kind < LINK_MEMORY_KINDS; kind++)
        publish(budget, kind);
}

// ---- giving and charging --------------------------------------------------

bool renderer_account_answer(struct renderer_account *account, const struct link_memory_ask *ask)
{
    unsigned kind = ask->kind;
    uint64_t limit = account->budget->limits[kind], step = limit / STEPS;
    step = step > SMALLEST_STEP ? step : SMALLEST_STEP;
    step = step > ask->bytes ? step : ask->bytes;
    // Without a limit there is nothing to ask for.
    bool good = account->page && limit && ask->bytes <= limit;
    if (good && fits(account, kind, step))
        give(account, kind, step);
    else if (good && fits_after_sweep(account, kind, ask->bytes))
        give(account, kind, ask->bytes);
    else
        good = false;
    account->refusals += !good;
    if (account->page)
        atomic_store(&account->page->memory[kind].answered, ask->serial << 1 | good);
    publish(account->budget, kind);
    return good;
}

bool renderer_account_charge(struct renderer_account *account, unsigned kind, uint64_t amount)
{
    if (!account)
        return true;
    if (account->budget->limits[kind] && !fits_after_sweep(account, kind, amount)) {
        account->refusals++;
        return false;
    }
    account->charged[kind] += amount;
    return true;
}

void renderer_account_discharge(struct renderer_account *account, unsigned kind, uint64_t amount)
{
    if (account)
        account->charged[kind] -= amount;
}

void renderer_account_usage(const struct renderer_account *account, struct renderer_usage *usage)
{
    *usage = (struct renderer_usage){.charged = account->charged[LINK_MEMORY_HOST],
                                     .descriptors = account->charged[RENDERER_DESCRIPTORS],
                                     .refusals = account->refusals};
    for (unsigned i = 0; account->page && i < LINK_HOLDINGS; i++)
        usage->holds[i] = atomic_load(&account->page->holds[i]);
    for (unsigned i = 0; account->page && i < LINK_COUNTS; i++)
        usage->counts[i] = atomic_load(&account->page->counts[i]);
    for (unsigned i = 0; account->page && i < LINK_ENGINE_SIZE - 1; i++) {
        char letter = atomic_load(&account->page->engine[i]);
        if (!letter)
            break;
        usage->engine[i] = letter >= 0x20 && letter < 0x7f ? letter : '?';
    }
}
