// Private to src/renderer: whether a worker that owes something is at work or hangs.
//
// The clock alone does not tell. Where the driver is the CPU, a worker beside many busy processes
// needs many times longer for the same work.
#ifndef RENDERER_WATCHDOG_H
#define RENDERER_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

// What was seen of one worker. Zeroes: nothing yet.
struct watchdog {
    uint64_t since_ns;           // since when it has owed what was owed at the last look
    uint64_t half_ns;            // when half the time was over
    uint64_t last_ns;            // the last look
    uint64_t half_cpu, last_cpu; // what it had of the processors by then, in ns
};

// A look at a worker that has owed something since `since_ns`, and has had `cpu_ns` of the
// processors so far (`knows_cpu`: that is known). It hangs if it has owed for `max_wait_ns`, and
// since half of that has had a whole half of a processor's time, or next to none. Ten times
// `max_wait_ns` is too long in any case.
// Returns when to look again; 0: it hangs.
uint64_t watchdog_look(struct watchdog *watchdog, uint64_t max_wait_ns, uint64_t since_ns,
                       uint64_t now_ns, bool knows_cpu, uint64_t cpu_ns);

#endif
