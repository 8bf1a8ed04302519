// Bump allocator: memory for one decoded command, given back all at once. Blocks are kept over
// resets, so that a stream in steady state allocates nothing.
//
// Thread: one; nothing is locked.
// Owns: all that it hands out, until arena_reset or arena_finish.
// Errors: NULL: the limit or the memory of the system is exhausted.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <stdatomic.h>
#include <stdbool.h>

// What several arenas may take together. Zero-initialize `used`; it outlives them.
// Thread: any.
struct arena_budget {
    atomic_size_t used; // bytes
    size_t limit;
    // Whoever lends the memory is asked too, and told when it comes back; NULL: nobody is.
    bool (*take)(void *data, size_t size); // false: no
    void (*give)(void *data, size_t size);
    void *data;
};
// False: it would pass the limit.
bool arena_budget_take(struct arena_budget *budget, size_t size);
void arena_budget_give(struct arena_budget *budget, size_t size);

struct arena_block;

struct arena {
    uint8_t *cursor; // next free byte of the current block, 16-byte aligned
    uint8_t *end;
    uint8_t *start; // of the first block
    struct arena_block *first, *current;
    size_t used;                 // bytes in the blocks before the current one since the last reset
    size_t limit;                // an allocation that would pass this fails
    struct arena_budget *budget; // blocks are taken from it; NULL: there is none
};

// `limit`, in bytes, bounds what one command may take. Nothing is allocated before the first use.
void arena_init(struct arena *arena, size_t limit);
// The same, bounded by a budget that it shares with others, which may be NULL.
void arena_init_shared(struct arena *arena, size_t limit, struct arena_budget *budget);
void arena_finish(struct arena *arena);

// Slow path of arena_reset: several blocks are in use.
void arena_reset_slow(struct arena *arena);

// Forgets all that was allocated. Blocks beyond the first few hundred KiB return to the system.
static inline void arena_reset(struct arena *arena)
{
    arena->cursor = arena->start;
    if (__builtin_expect(arena->current != arena->first, 0))
        arena_reset_slow(arena);
}

// Slow path of the two below: takes a new block.
void *arena_alloc_slow(struct arena *arena, size_t size);

// Uninitialized, 16-byte aligned. A size of 0 gives a valid pointer.
static inline void *arena_alloc_raw(struct arena *arena, size_t size)
{
    size_t left = (size_t)(arena->end - arena->cursor);
    if (__builtin_expect(size > left || ((size + 15) & ~(size_t)15) > left, 0))
        return arena_alloc_slow(arena, size);
    void *p = arena->cursor;
    arena->cursor += (size + 15) & ~(size_t)15;
    return p;
}

// Zeroed, 16-byte aligned.
static inline void *arena_alloc(struct arena *arena, size_t size)
{
    uint8_t *p = arena_alloc_raw(arena, size);
    if (__builtin_expect(!p, 0))
        return p;
    if (size > 256) {
        memset(p, 0, size);
    } else { // most are small: no call. All of the rounded size belongs to this allocation
        for (size_t i = 0; i < size; i += 16)
            memset(p + i, 0, 16);
    }
    return p;
}

#endif
