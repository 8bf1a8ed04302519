#include "scarce.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

_Thread_local int scarce_spared;
struct scarce_plan scarce_plan;

static struct {
    _Atomic(bool) on, failed;
    bool for_good;
    uint64_t number;
    _Atomic(uint64_t) count;
} scarce;

void scarce_begin(uint64_t number, bool for_good)
{
    scarce.number = number;
    scarce.for_good = for_good;
    atomic_store(&scarce.count, 0);
    atomic_store(&scarce.failed, false);
    scarce_spared = 1;
    atomic_store(&scarce.on, true);
}

void scarce_begin_for(const uint8_t *input, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ input[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    if (scarce_plan.is_set)
        scarce_begin(scarce_plan.number, scarce_plan.for_good);
    else if (getenv("FUZZ_SCARCE")) // mostly early ones, for there are few
        scarce_begin(1 + (hash >> 8) % (1u << (hash >> 4 & 7)), hash & 1);
}

uint64_t scarce_end(void)
{
    atomic_store(&scarce.on, false);
    scarce_spared = 0;
    return atomic_load(&scarce.count);
}

bool scarce_failed(void)
{
    return atomic_load(&scarce.failed);
}

static bool is_refused(void)
{
    if (scarce_spared > 0 || !atomic_load_explicit(&scarce.on, memory_order_relaxed))
        return false;
    uint64_t number = atomic_fetch_add(&scarce.count, 1) + 1;
    bool refused =
        number == scarce.number || (scarce.for_good && scarce.number && number > scarce.number);
    if (refused)
        atomic_store(&scarce.failed, true);
    return refused;
}

#ifdef __linux__
// ---- in the place of the C library's (-Wl,--wrap) -------------------------

#define WRAP(result, name, parameters, arguments)                                                  \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        return is_refused() ? NULL : __real_##name arguments;                                      \
    }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t size), (text, size))
#endif
