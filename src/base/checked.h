// Arithmetic on numbers that a guest chose. Every function returns false on overflow and leaves
// *out alone.
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

static inline bool checked_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
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

// `alignment` is a power of two. Returns false if the rounded value does not fit.
static inline bool checked_align_u64(uint64_t v, uint64_t alignment, uint64_t *out)
{
    uint64_t sum;
    if (!checked_add_u64(v, alignment - 1, &sum))
        return false;
    *out = sum & ~(alignment - 1);
    return true;
}

#endif
