#include "renderer/watchdog.h"

// Less than one part of so many of a processor is what an idle worker needs.
#define IDLE 20
#define MOST_TIMES 10

uint64_t watchdog_look(struct watchdog *watchdog, uint64_t max_wait_ns, uint64_t since_ns,
                       uint64_t now_ns, bool knows_cpu, uint64_t cpu_ns)
{
    const uint64_t half = max_wait_ns / 2;
    const uint64_t age = now_ns - since_ns;
    if (age < half)
        return since_ns + half;
    if (watchdog->since_ns != since_ns) { // it owes something else: it was at work
        *watchdog = (struct watchdog){since_ns, now_ns, now_ns, cpu_ns, cpu_ns};
        return now_ns + half;
    }
    const uint64_t passed = now_ns - watchdog->last_ns;
    if (passed < half)
        return watchdog->last_ns + half;
    const uint64_t had = cpu_ns - watchdog->half_cpu;
    const uint64_t had_lately = cpu_ns - watchdog->last_cpu;
    if (!knows_cpu || had >= half || had_lately < passed / IDLE || age >= MOST_TIMES * max_wait_ns)
        return 0;
    watchdog->last_ns = now_ns;
    watchdog->last_cpu = cpu_ns;
    return now_ns + half;
}
