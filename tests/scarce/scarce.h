// Memory that runs out when a test says so. Whoever depends on scarce_dep has this malloc (and its
// kin) in the place of the system's, in all that is linked statically.
//
// Thread: any; one sweep at a time.
#ifndef TESTS_SCARCE_H
#define TESTS_SCARCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// From here on the allocation of this number, the first is 1, fails, and with `for_good` all that
// follow. 0: none. The calling thread, which plays the rest of the world, is spared but for SCARCE.
void scarce_begin(uint64_t number, bool for_good);
// Returns how many there were.
uint64_t scarce_end(void);
// Has one failed since scarce_begin?
bool scarce_failed(void);

// For a fuzz target: begins as replay.c says; else, where the environment has FUZZ_SCARCE, with a
// number drawn from the input; else does nothing.
void scarce_begin_for(const uint8_t *input, size_t size);
struct scarce_plan {
    bool is_set, for_good;
    uint64_t number;
};
extern struct scarce_plan scarce_plan;

extern _Thread_local int scarce_spared;

// Carries out a statement of what is tested.
#define SCARCE(statement)                                                                          \
    do {                                                                                           \
        scarce_spared--;                                                                           \
        statement;                                                                                 \
        scarce_spared++;                                                                           \
    } while (0)

#endif
