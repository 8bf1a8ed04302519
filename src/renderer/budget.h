// One budget of memory, and of descriptors of this process, for all contexts of a guest, or of a
// server, and an account in it for each context.
//
// A worker takes what it was given without a word (link/ledger.h) and asks when that is used up.
// What was given and is not used is taken back when others need it. The last part of the budget is
// kept for those who hold little: when memory is short, whoever holds most is refused first, so a
// greedy program cannot starve the guest's compositor.
//
// Thread: the loop's. Nothing blocks.
#ifndef RENDERER_BUDGET_H
#define RENDERER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "link/context_messages.h"

// What is counted: bytes, by enum link_memory, and descriptors that this process holds.
enum { RENDERER_DESCRIPTORS = LINK_MEMORY_KINDS, RENDERER_KINDS };

struct renderer_budget {
    struct list accounts;            // struct renderer_account, also of contexts that have ended
    uint64_t limits[RENDERER_KINDS]; // 0: none
};

struct renderer_account {
    struct list node;
    struct renderer_budget *budget;
    unsigned references;
    struct link_ledger *page;         // NULL: it has no worker, or that has gone
    uint64_t given[RENDERER_KINDS];   // to the worker, used or not
    uint64_t charged[RENDERER_KINDS]; // what this process has made for the context
    uint32_t refresh;                 // serial of the last LINK_LEDGER_REFRESH
    uint64_t refusals;
};

// What a context holds and has done, as its worker says.
struct renderer_usage {
    uint64_t holds[LINK_HOLDINGS], counts[LINK_COUNTS];
    uint64_t charged;              // host memory that the device process has made for it
    uint64_t descriptors;          // that the device process holds for it
    uint64_t refusals;             // of memory or descriptors
    char engine[LINK_ENGINE_SIZE]; // what its program says that it draws by; plain ASCII
};

void renderer_budget_init(struct renderer_budget *budget, const uint64_t limits[RENDERER_KINDS]);
// The card has no more than `bytes`: whoever has a limit of the host's memory has one of that, too.
void renderer_budget_know_card(struct renderer_budget *budget, uint64_t bytes);
// The most that one context may hold; 0: no limit.
uint64_t renderer_budget_share(const struct renderer_budget *budget, unsigned kind);
// What is held, or promised to workers.
uint64_t renderer_budget_used(const struct renderer_budget *budget, unsigned kind);

// An account of one's own, without a worker. Owns: it is the caller's, as long as the budget.
void renderer_account_init(struct renderer_account *account, struct renderer_budget *budget);

// Owns: one reference, and *fd, which is the ledger's, are the caller's.
// Errors: -errno in *error, and NULL.
struct renderer_account *renderer_account_open(struct renderer_budget *budget, int *fd, int *error);
// The worker has gone. What it had shared stays counted until the last reference is given back.
void renderer_account_close(struct renderer_account *account);
struct renderer_account *renderer_account_ref(struct renderer_account *account);
void renderer_account_unref(struct renderer_account *account); // NULL passes

// Answers in the ledger. False: it was refused.
bool renderer_account_answer(struct renderer_account *account, const struct link_memory_ask *ask);
// Counts what this process makes for the context: bytes of LINK_MEMORY_HOST, or
// RENDERER_DESCRIPTORS. Without an account (NULL) nothing is counted. Errors: false, too much.
bool renderer_account_charge(struct renderer_account *account, unsigned kind, uint64_t amount);
void renderer_account_discharge(struct renderer_account *account, unsigned kind, uint64_t amount);

void renderer_account_usage(const struct renderer_account *account, struct renderer_usage *usage);

#endif
