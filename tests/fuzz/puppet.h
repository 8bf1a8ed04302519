// A host driver for fuzzers that has every command. It reads all that a driver may read, so that
// the address sanitizer sees what is not there, and makes up its results.
//
// Thread: any, but for puppet_reset.
#ifndef FUZZ_PUPPET_H
#define FUZZ_PUPPET_H

#include <stdatomic.h>

#include "venus/host.h"

struct puppet {
    // In a strict run nobody destroys what somebody else uses: a handle that is dead or of another
    // type is an error of ours.
    bool strict;
    unsigned failures; // one in so many calls fails; 0: none does
    bool portability, on_cpu, few_extensions;
    atomic_uint_fast64_t random, calls;
};
extern struct puppet puppet;

// All that was made is forgotten. `seed` decides about all results from here on.
void puppet_reset(uint64_t seed);
// Aborts if there is an object that was made and not destroyed.
void puppet_expect_nothing_left(void);
void puppet_host(struct venus_host *host);

// ---- for puppet.py --------------------------------------------------------

uint64_t puppet_random(void);
// Looks at the arguments of a command, fills its outputs but for what `keep` points at, and makes
// up its result.
int32_t puppet_call(enum wire_command command, void *args, const void *keep);
uint64_t puppet_count(uint64_t most);
// A new handle, or 0 if `result` says that there is none.
uint64_t puppet_made(enum wire_handle type, int32_t result);
void puppet_gone(enum wire_handle type, uint64_t handle);

struct puppet_function {
    const char *name;
    PFN_vkVoidFunction function;
};
extern const struct puppet_function puppet_functions[]; // generated; ended by NULL

#endif
