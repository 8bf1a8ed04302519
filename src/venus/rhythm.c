#include "venus/rhythm.h"

// A guest in the middle of its work comes back within these: what a sleep and a wake-up cost.
#define LOOK_NS 2000
#define YIELD_NS 20000
// A yield of so long has let somebody compute who is not done soon.
#define LONG_YIELD_NS 25000
// A guest that stays away for longer than it lately did is taken to have gone; never before this.
#define PATTERN_NS 50000
// For so long a guest that is about due is looked for. A nap may end late by the second.
#define NEAR_NS 100000
#define LATE_NS 30000
#define MIN_NAP_NS 10000
#define SHORT_NAP_NS 160000
#define MAX_NAP_NS 5000000

void venus_rhythm_init(struct venus_rhythm *rhythm, uint64_t timeout_ns, bool short_turns,
                       uint64_t now_ns)
{
    *rhythm = (struct venus_rhythm){
        .timeout_ns = timeout_ns, .short_turns = short_turns, .notified_ns = now_ns};
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

// Has the guest stayed away for longer than it lately did?
static bool has_gone(const struct venus_rhythm *rhythm, uint64_t waited_ns)
{
    return waited_ns >= PATTERN_NS && waited_ns / 2 >= rhythm->longest_ns;
}

static uint64_t early_ns(const struct venus_rhythm *rhythm)
{
    return rhythm->shortest_ns / 4 * 3;
}

static uint64_t late_ns(const struct venus_rhythm *rhythm)
{
    return rhythm->longest_ns / 4 * 5;
}

// Is it about the time at which the guest lately came back? A nap would be late for it.
static bool is_near(const struct venus_rhythm *rhythm, uint64_t waited_ns)
{
    uint64_t early = early_ns(rhythm), late = late_ns(rhythm);
    if (late > early + NEAR_NS)
        late = early + NEAR_NS;
    return waited_ns + LATE_NS >= early && waited_ns < late;
}

// One nap until shortly before the guest lately came back at the earliest, then the shortest as
// long as it may come, then longer ones that grow with the wait. A guest that looks for its answer
// a few times and then sleeps itself would sleep each time, were it not heard soon.
static uint64_t nap_ns(const struct venus_rhythm *rhythm, uint64_t waited_ns)
{
    uint64_t early = early_ns(rhythm);
    if (waited_ns < early)
        return clamp(early - waited_ns - LATE_NS / 2, MIN_NAP_NS, SHORT_NAP_NS);
    uint64_t part = has_gone(rhythm, waited_ns) ? waited_ns : waited_ns / 4;
    if (waited_ns < late_ns(rhythm))
        part = MIN_NAP_NS;
    return clamp(waited_ns / 32, clamp(part, MIN_NAP_NS, SHORT_NAP_NS), MAX_NAP_NS);
}

// A guest tells a ring that says IDLE at most once in each timeout, so a ring that was told stays
// awake for that long; the quarter is for clocks that differ. Longer ago than that the guest tells
// us in any case.
static bool guest_tells(const struct venus_rhythm *rhythm, uint64_t now_ns)
{
    uint64_t since = now_ns - rhythm->notified_ns;
    return since >= rhythm->timeout_ns && since - rhythm->timeout_ns >= rhythm->timeout_ns / 4;
}

static void begin(struct venus_rhythm *rhythm, uint64_t since_ns)
{
    if (rhythm->has_yielded && rhythm->may_yield)
        patience_learn(&rhythm->yields, true);
    rhythm->since_ns = since_ns;
    rhythm->may_yield = !rhythm->short_turns || patience_looks(&rhythm->yields) > 0;
    rhythm->has_yielded = false;
}

enum venus_rhythm_step venus_rhythm_step(struct venus_rhythm *rhythm, uint64_t waited_ns,
                                         uint64_t now_ns, uint64_t *nap)
{
    if (waited_ns >= rhythm->timeout_ns)
        return VENUS_RHYTHM_SLEEP;
    if (waited_ns < LOOK_NS)
        return VENUS_RHYTHM_LOOK;
    bool soon = waited_ns < YIELD_NS;
    if (!soon && has_gone(rhythm, waited_ns) && guest_tells(rhythm, now_ns))
        return VENUS_RHYTHM_SLEEP;
    if (rhythm->since_ns != now_ns - waited_ns)
        begin(rhythm, now_ns - waited_ns);
    soon = soon || is_near(rhythm, waited_ns);
    if (soon && rhythm->may_yield)
        return VENUS_RHYTHM_YIELD;
    *nap = soon ? MIN_NAP_NS : nap_ns(rhythm, waited_ns);
    return VENUS_RHYTHM_NAP;
}

void venus_rhythm_yielded(struct venus_rhythm *rhythm, uint64_t took_ns)
{
    rhythm->has_yielded = true;
    if (took_ns < LONG_YIELD_NS || !rhythm->short_turns || !rhythm->may_yield)
        return;
    rhythm->may_yield = false;
    patience_learn(&rhythm->yields, false);
}

void venus_rhythm_learn(struct venus_rhythm *rhythm, uint64_t gap_ns)
{
    if (gap_ns < YIELD_NS)
        return;
    rhythm->gaps[rhythm->next++ % VENUS_RHYTHM_GAPS] = gap_ns < rhythm->timeout_ns ? gap_ns : 0;
    rhythm->shortest_ns = rhythm->longest_ns = 0;
    for (unsigned i = 0; i < VENUS_RHYTHM_GAPS; i++) {
        uint64_t gap = rhythm->gaps[i];
        if (gap && (!rhythm->shortest_ns || gap < rhythm->shortest_ns))
            rhythm->shortest_ns = gap;
        if (gap > rhythm->longest_ns)
            rhythm->longest_ns = gap;
    }
}

void venus_rhythm_notified(struct venus_rhythm *rhythm, uint64_t now_ns)
{
    rhythm->notified_ns = now_ns;
}
