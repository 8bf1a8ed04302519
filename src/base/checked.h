// Arithmetic on numbers that a guest chose. A function with `out` returns false on overflow, and
// leaves *out alone.
//
// Thread: any.
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool checked_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t sum = a + b;
    if (sum < a)
        return false;
    *out = sum;
    return true;
}

// Is [offset, offset + size) inside [0, limit)?
static inline bool checked_range(uint64_t offset, uint64_t size, uint64_t limit)
{
    return offset <= limit && size <= limit - offset;
}

static inline bool is_power_of_two_u64(uint64_t v)
{
    return v && !(v & (v - 1));
}

// Rounds up; `alignment` is a power of two.
static inline bool checked_align_u64(uint64_t v, uint64_t alignment, uint64_t *out)
{
    uint64_t sum;
    if (!checked_add_u64(v, alignment - 1, &sum))
        return false;
    *out = sum & ~(alignment - 1);
    return true;
}

#endif
