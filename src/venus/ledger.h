// What this context holds of the host's memory, and whether it may have more.
//
// Thread: any.
#ifndef VENUS_LEDGER_H
#define VENUS_LEDGER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "link/ledger.h"
#include "link/link.h"

struct venus_ledger {
    struct link_ledger *page;    // NULL: nothing is limited, nothing counted
    struct link *link;           // to the device process
    const atomic_bool *stopping; // ends the wait for an answer
    pthread_mutex_t asking;      // one question at a time
    uint32_t serial;             // of the last one
};

// Maps the page behind `fd`; -1: there is none. Owns: takes over `fd`.
// Errors: false: it cannot be mapped.
bool venus_ledger_open(struct venus_ledger *ledger, int fd, struct link *link,
                       const atomic_bool *stopping);
void venus_ledger_close(struct venus_ledger *ledger);

// Takes `bytes` for `holding`. It asks the device process if need be, and waits for that.
// Errors: false: the context may not have so much now.
bool venus_ledger_take(struct venus_ledger *ledger, enum link_holding holding, uint64_t bytes);
// The same for what is held already, whoever had been counted for it: later the context gets the
// less.
void venus_ledger_owe(struct venus_ledger *ledger, enum link_holding holding, uint64_t bytes);
void venus_ledger_give(struct venus_ledger *ledger, enum link_holding holding, uint64_t bytes);
// It holds so much for that, whatever was said before.
void venus_ledger_set(struct venus_ledger *ledger, enum link_holding holding, uint64_t bytes);
// Bytes that are held for it.
uint64_t venus_ledger_held(const struct venus_ledger *ledger, enum link_holding holding);
// The most that the context may come to hold of this kind of memory, as things are now.
uint64_t venus_ledger_ceiling(const struct venus_ledger *ledger, enum link_memory kind);

// What the guest's program draws by, for persons; NULL: it has not said.
void venus_ledger_set_engine(struct venus_ledger *ledger, const char *name);

static inline void venus_ledger_count(struct venus_ledger *ledger, enum link_count what,
                                      uint64_t more)
{
    if (ledger->page)
        atomic_fetch_add_explicit(&ledger->page->counts[what], more, memory_order_relaxed);
}

#endif
