// What the driver holds of the machine's memory, and of a card's, for its own ends: compiled
// shaders, recorded commands, pools. It tells nobody, so it is looked at now and then, and counted
// in the ledger as it is. Who holds more than its share makes no object any more.
//
// Thread: any, but where another is named.
#ifndef VENUS_HOLDINGS_H
#define VENUS_HOLDINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct venus_context;

struct venus_holdings {
    uint64_t before; // bytes that the process had before its context
    _Atomic(uint64_t) looked_ns, looked_at_card_ns;
    _Atomic(uint32_t) asked; // how often, for venus_holdings_allow
};

// Thread: the first; there is no guest yet.
void venus_holdings_begin(struct venus_context *context);
// A context that has ended holds nothing; what its driver keeps goes with the process.
void venus_holdings_end(struct venus_context *context);
// Counts them, if the last time is long ago. `now` is os_now_ns. A context whose driver holds far
// more than it may, and is given no more, is lost: its guest records without an end.
void venus_holdings_look(struct venus_context *context, uint64_t now);
// Counts them now.
void venus_holdings_count(struct venus_context *context);
// May the context make one more object? Looks at the clock now and then.
bool venus_holdings_allow(struct venus_context *context);

#endif
