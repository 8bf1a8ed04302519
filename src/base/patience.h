// How often to look for something before sleeping for it: for about what a sleep and a wake-up
// cost, as long as that was mostly enough lately, and not at all otherwise. A look is followed by
// sched_yield, which costs nothing where others wait for the processor. docs/waiting.md says why.
//
// Thread: whoever waits.
#ifndef BASE_PATIENCE_H
#define BASE_PATIENCE_H

#include <stdbool.h>

enum { PATIENCE_LOOKS = 24, PATIENCE_GIVEN_UP = 8, PATIENCE_LEAST = 16, PATIENCE_TRIAL = 32 };

struct patience {
    unsigned char doubt; // 0: looking was enough; from PATIENCE_GIVEN_UP on it mostly was not
    unsigned char turns; // since it was given up
};

// How often to look this time. What was given up is tried again now and then.
static inline unsigned patience_looks(struct patience *patience)
{
    bool hopeful = patience->doubt < PATIENCE_GIVEN_UP || ++patience->turns % PATIENCE_TRIAL == 0;
    return hopeful ? PATIENCE_LOOKS : 0;
}

// After having looked: was it enough?
static inline void patience_learn(struct patience *patience, bool enough)
{
    if (enough)
        patience->doubt /= 2;
    else if (patience->doubt < PATIENCE_LEAST)
        patience->doubt += 2;
}

#endif
