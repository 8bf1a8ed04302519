// The ledger of a context: a page that its worker and the device process share. It says how much
// memory the worker may still take, what it holds, and what it has done.
//
// The device process gives by adding to `room` and takes back by subtracting from it; the worker
// takes by subtracting and gives back by adding. So an allocation costs one atomic operation, and
// only a worker whose room is used up has to ask (LINK_MEMORY_ASK).
//
// A worker that was taken over may write what it likes: the device process takes no number from
// here for more than a claim about that context.
#ifndef LINK_LEDGER_H
#define LINK_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

// Where memory lies, each with a budget of its own.
enum link_memory {
    LINK_MEMORY_HOST, // the machine's
    LINK_MEMORY_CARD, // that of a graphics card with memory of its own
    LINK_MEMORY_KINDS,
};

// What memory is held for.
enum link_holding {
    LINK_HOLDS_PAGES,    // what the guest may map or share: pages of files
    LINK_HOLDS_PLAIN,    // allocations of the guest that only the driver sees
    LINK_HOLDS_COMMANDS, // commands while they are carried out, copies of rings
    LINK_HOLDS_OBJECTS,  // our tables of objects
    LINK_HOLDS_PRIVATE,  // what the driver has taken besides, for its own ends
    LINK_HOLDS_CARD,     // allocations in the card's memory
    LINK_HOLDS_DRIVER,   // what the driver says that it has taken of the card's memory besides
    LINK_HOLDINGS,
};

static inline enum link_memory link_memory_of(enum link_holding holding)
{
    return holding >= LINK_HOLDS_CARD ? LINK_MEMORY_CARD : LINK_MEMORY_HOST;
}

// What there is, or was done so far.
enum link_count {
    LINK_COUNT_OBJECTS,
    LINK_COUNT_RINGS,
    LINK_COUNT_RESOURCES,
    LINK_COUNT_DESCRIPTORS, // of the worker
    LINK_COUNT_SUBMISSIONS, // to queues
    LINK_COUNT_FENCES,      // that were retired for the device process
    LINK_COUNT_WAKES,       // of rings
    LINK_COUNT_BUSY_NS,     // time in which somebody waited for a queue
    LINK_COUNTS,
};

enum { LINK_ENGINE_SIZE = 64 }; // bytes, the NUL among them

struct link_ledger {
    struct {
        _Atomic(int64_t) room; // bytes; below 0: it holds more than it was given
        _Atomic(uint64_t)
            ceiling; // the most that it may come to hold, as things are; for the guest
        _Atomic(uint32_t) answered; // 2 * serial of the last question, + 1 if memory was given
    } memory[LINK_MEMORY_KINDS];
    // What only the worker writes.
    _Alignas(64) _Atomic(uint64_t) holds[LINK_HOLDINGS]; // bytes
    _Atomic(uint64_t) counts[LINK_COUNTS];
    // What the guest's program says that it draws by (VkApplicationInfo.pEngineName): text, cut
    // off.
    _Atomic(char) engine[LINK_ENGINE_SIZE];
    _Atomic(uint32_t) refreshed; // the newest LINK_LEDGER_REFRESH that was carried out
};

// Room where nothing is limited.
#define LINK_MEMORY_NO_LIMIT (INT64_MAX / 2)

#endif
