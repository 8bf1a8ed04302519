#include "venus/ledger.h"

#include <string.h>
#include <unistd.h>

#include "link/context_messages.h"
#include "os/clock.h"
#include "os/shm.h"

// The device process answers within a round of its loop. If it does not, the memory is refused.
#define PATIENCE_NS 2000000000ull
#define FIRST_NAP_NS 20000
#define LAST_NAP_NS 1000000
// Other rings may take what was given before whoever has asked for it.
#define TRIES 4

bool venus_ledger_open(struct venus_ledger *ledger, int fd, struct link *link,
                       const atomic_bool *stopping)
{
    void *page = NULL;
    *ledger = (struct venus_ledger){.link = link, .stopping = stopping};
    pthread_mutex_init(&ledger->asking, NULL);
    if (fd < 0)
        return true;
    int error = os_shm_map(fd, 0, sizeof(*ledger->page), &page);
    ledger->page = page;
    close(fd);
    return !error;
}

void venus_ledger_close(struct venus_ledger *ledger)
{
    os_shm_unmap(ledger->page, sizeof(*ledger->page));
    ledger->page = NULL;
    pthread_mutex_destroy(&ledger->asking);
}

static bool take_room(struct venus_ledger *ledger, enum link_memory kind, uint64_t bytes)
{
    _Atomic(int64_t) *room = &ledger->page->memory[kind].room;
    int64_t left = atomic_load_explicit(room, memory_order_relaxed);
    do {
        if (left < 0 || bytes > (uint64_t)left)
            return false;
    } while (!atomic_compare_exchange_weak(room, &left, left - (int64_t)bytes));
    return true;
}

// False: nothing was given.
static bool ask_locked(struct venus_ledger *ledger, enum link_memory kind, uint64_t bytes)
{
    const _Atomic(uint32_t) *answered = &ledger->page->memory[kind].answered;
    const struct link_memory_ask ask = {
        .kind = kind, .serial = ++ledger->serial & INT32_MAX, .bytes = bytes};
    int error = link_send(ledger->link, LINK_MEMORY_ASK, &ask, sizeof(ask), NULL, 0, NULL, 0);
    uint64_t until = os_now_ns() + PATIENCE_NS, nap = FIRST_NAP_NS;
    while (!error && !atomic_load(ledger->stopping) && os_now_ns() < until) {
        uint32_t answer = atomic_load(answered);
        if (answer >> 1 == ask.serial)
            return answer & 1;
        os_sleep_ns(nap);
        nap = nap * 2 < LAST_NAP_NS ? nap * 2 : LAST_NAP_NS;
    }
    return false;
}

static bool ask_and_take(struct venus_ledger *ledger, enum link_memory kind, uint64_t bytes)
{
    pthread_mutex_lock(&ledger->asking);
    // Whoever was before us may have been given enough for two.
    bool taken = take_room(ledger, kind, bytes);
    for (unsigned i = 0; i < TRIES && !taken && ask_locked(ledger, kind, bytes); i++)
        taken = take_room(ledger, kind, bytes);
    pthread_mutex_unlock(&ledger->asking);
    return taken;
}

static void hold(struct venus_ledger *ledger, enum link_holding holding, uint64_t more)
{
    atomic_fetch_add_explicit(&ledger->page->holds[holding], more, memory_order_relaxed);
}

bool venus_ledger_take(struct venus_ledger *ledger, enum link_holding holding, uint64_t bytes)
{
    enum link_memory kind = link_memory_of(holding);
    if (!ledger || !ledger->page)
        return true;
    if (bytes > LINK_MEMORY_NO_LIMIT ||
        (!take_room(ledger, kind, bytes) && !ask_and_take(ledger, kind, bytes)))
        return false;
    hold(ledger, holding, bytes);
    return true;
}

void venus_ledger_owe(struct venus_ledger *ledger, enum link_holding holding, uint64_t bytes)
{
    if (!ledger || !ledger->page)
        return;
    atomic_fetch_sub(&ledger->page->memory[link_memory_of(holding)].room, (int64_t)bytes);
    hold(ledger, holding, bytes);
}

void venus_ledger_give(struct venus_ledger *ledger, enum link_holding holding, uint64_t bytes)
{
    venus_ledger_owe(ledger, holding, 0 - bytes);
}

void venus_ledger_set(struct venus_ledger *ledger, enum link_holding holding, uint64_t bytes)
{
    venus_ledger_owe(ledger, holding, bytes - venus_ledger_held(ledger, holding));
}

uint64_t venus_ledger_held(const struct venus_ledger *ledger, enum link_holding holding)
{
    return ledger->page ? atomic_load_explicit(&ledger->page->holds[holding], memory_order_relaxed)
                        : 0;
}

uint64_t venus_ledger_ceiling(const struct venus_ledger *ledger, enum link_memory kind)
{
    return ledger->page
               ? atomic_load_explicit(&ledger->page->memory[kind].ceiling, memory_order_relaxed)
               : UINT64_MAX;
}

void venus_ledger_set_engine(struct venus_ledger *ledger, const char *name)
{
    size_t length = name ? strnlen(name, LINK_ENGINE_SIZE - 1) : 0;
    for (size_t i = 0; ledger->page && i < LINK_ENGINE_SIZE; i++)
        atomic_store_explicit(&ledger->page->engine[i], i < length ? name[i] : 0,
                              memory_order_relaxed);
}
