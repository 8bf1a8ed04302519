// How a ring's thread waits for more while its guest does not have to tell it: how long it looks,
// how long it naps, and when it may go to sleep for good. It goes by how long the ring was dry
// lately. docs/waiting.md says why. Pure: times come from the caller.
//
// Thread: the ring's.
#ifndef VENUS_RHYTHM_H
#define VENUS_RHYTHM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/patience.h"

enum { VENUS_RHYTHM_GAPS = 8 };

struct venus_rhythm {
    uint64_t timeout_ns;  // the guest's idleTimeout
    bool short_turns;     // the end of a nap takes the processor from others (os/process.h)
    uint64_t notified_ns; // when the guest last told us, or the ring was made
    // The last gaps that were too long for looking; 0: longer than the timeout, or none yet.
    uint64_t gaps[VENUS_RHYTHM_GAPS];
    unsigned next;
    uint64_t shortest_ns, longest_ns; // of them; 0: none

    // With short turns: does a yield come back soon? Where others keep the processor it is better
    // to nap.
    struct patience yields;
    uint64_t since_ns;           // when the ring became dry
    bool may_yield, has_yielded; // since then
};

void venus_rhythm_init(struct venus_rhythm *rhythm, uint64_t timeout_ns, bool short_turns,
                       uint64_t now_ns);

enum venus_rhythm_step {
    VENUS_RHYTHM_LOOK,  // look again at once
    VENUS_RHYTHM_YIELD, // let others run, then look
    VENUS_RHYTHM_NAP,   // look again after *nap_ns
    VENUS_RHYTHM_SLEEP, // say IDLE, and wait to be told
};
// The ring has been dry for `waited_ns`.
enum venus_rhythm_step venus_rhythm_step(struct venus_rhythm *rhythm, uint64_t waited_ns,
                                         uint64_t now_ns, uint64_t *nap_ns);
// Others were let run, and it took so long until the thread was run again.
void venus_rhythm_yielded(struct venus_rhythm *rhythm, uint64_t took_ns);
// The ring had been dry for `gap_ns` when there was more.
void venus_rhythm_learn(struct venus_rhythm *rhythm, uint64_t gap_ns);
// The guest has told us that there is more, or somebody else has.
void venus_rhythm_notified(struct venus_rhythm *rhythm, uint64_t now_ns);

#endif
