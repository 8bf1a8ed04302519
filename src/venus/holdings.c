#include "venus/holdings.h"

#include "os/clock.h"
#include "os/process.h"
#include "venus/device.h"
#include "venus/ending.h"

// Counting takes some 10 µs; asking a driver about its card may take more.
#define PAUSE_NS 20000000ull
#define CARD_PAUSE_NS 1000000000ull
// The clock is looked at once in so many objects.
enum { OBJECTS_A_LOOK = 16 };
// How far a driver may be beyond what its context may have: a part of that, and what may come while
// nobody looks.
enum { PART_BEYOND = 8 };
#define LEAST_BEYOND ((int64_t)64 << 20)

void venus_holdings_begin(struct venus_context *context)
{
    if (!os_private_memory(&context->holdings.before))
        context->holdings.before = UINT64_MAX;
}

void venus_holdings_end(struct venus_context *context)
{
    venus_ledger_set(&context->ledger, LINK_HOLDS_PRIVATE, 0);
    venus_ledger_set(&context->ledger, LINK_HOLDS_DRIVER, 0);
}

static void count_private(struct venus_context *context)
{
    struct venus_ledger *ledger = &context->ledger;
    uint64_t all, before = context->holdings.before;
    if (before == UINT64_MAX || !os_private_memory(&all))
        return;
    uint64_t ours = before + venus_ledger_held(ledger, LINK_HOLDS_COMMANDS) +
                    venus_ledger_held(ledger, LINK_HOLDS_OBJECTS);
    venus_ledger_set(ledger, LINK_HOLDS_PRIVATE, all > ours ? all - ours : 0);
}

// The table is locked, so that the instance stays.
static void count_card(void *data, struct venus_object *object)
{
    struct venus_ledger *ledger = data;
    uint64_t driver = venus_card_usage((struct venus_instance *)object);
    uint64_t guest = venus_ledger_held(ledger, LINK_HOLDS_CARD);
    venus_ledger_set(ledger, LINK_HOLDS_DRIVER, driver > guest ? driver - guest : 0);
}

// True: this thread does it.
static bool is_due(_Atomic(uint64_t) *last, uint64_t now, uint64_t pause)
{
    uint64_t at = atomic_load_explicit(last, memory_order_relaxed);
    return now - at > pause && now > at && atomic_compare_exchange_strong(last, &at, now);
}

static void count_cards(struct venus_context *context)
{
    const struct venus_instance *instance = atomic_load(&context->instance);
    if (instance)
        venus_object_visit(&context->objects, WIRE_HANDLE_INSTANCE, atomic_load(&instance->base.id),
                           count_card, &context->ledger);
}

static int64_t owed(const struct venus_context *context, enum link_memory kind)
{
    return -atomic_load_explicit(&context->ledger.page->memory[kind].room, memory_order_relaxed);
}

// What is owed is given, or nothing is.
static bool pay(struct venus_context *context, enum link_memory kind)
{
    return owed(context, kind) <= 0 ||
           venus_ledger_take(&context->ledger,
                             kind == LINK_MEMORY_CARD ? LINK_HOLDS_CARD : LINK_HOLDS_OBJECTS, 0);
}

void venus_holdings_count(struct venus_context *context)
{
    if (!context->ledger.page)
        return;
    count_private(context);
    count_cards(context);
}

void venus_holdings_look(struct venus_context *context, uint64_t now)
{
    struct venus_holdings *holdings = &context->holdings;
    if (!context->ledger.page || !is_due(&holdings->looked_ns, now, PAUSE_NS))
        return;
    count_private(context);
    if (context->host->card_memory && is_due(&holdings->looked_at_card_ns, now, CARD_PAUSE_NS))
        count_cards(context);
    int64_t part = (int64_t)(context->max_memory[LINK_MEMORY_HOST] / PART_BEYOND);
    if (owed(context, LINK_MEMORY_HOST) > (part > LEAST_BEYOND ? part : LEAST_BEYOND) &&
        !pay(context, LINK_MEMORY_HOST))
        venus_context_lose(
            context, "its driver holds %llu MiB for it, more than it may have",
            (unsigned long long)venus_ledger_held(&context->ledger, LINK_HOLDS_PRIVATE) >> 20);
}

bool venus_holdings_allow(struct venus_context *context)
{
    struct venus_holdings *holdings = &context->holdings;
    if (!context->ledger.page)
        return true;
    if (atomic_fetch_add_explicit(&holdings->asked, 1, memory_order_relaxed) % OBJECTS_A_LOOK == 0)
        venus_holdings_look(context, os_now_ns());
    return pay(context, LINK_MEMORY_HOST) && pay(context, LINK_MEMORY_CARD);
}
