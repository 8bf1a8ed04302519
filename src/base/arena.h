// Bump allocator: memory for one decoded command, given back all at once. One owner thread, no
// locks. Blocks are kept over resets, so that a stream in steady state allocates nothing.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena_block;

struct arena {
    uint8_t *cursor; // next free byte of the current block, 16-byte aligned
    uint8_t *end;
    uint8_t *start; // of the first block
    struct arena_block *first, *current;
    size_t used;  // bytes in the blocks before the current one since the last reset
    size_t limit; // an allocation that would pass this fails
};

// `limit` in bytes bounds what one command may take. No allocation happens before the first use.
void arena_init(struct arena *arena, size_t limit);
void arena_finish(struct arena *arena);

// Slow path of the next: several blocks are in use.
void arena_reset_slow(struct arena *arena);

// Forgets everything allocated. Blocks beyond the first few hundred KiB are returned to the system.
static inline void arena_reset(struct arena *arena)
{
    arena->cursor = arena->start;
    if (__builtin_expect(arena->current != arena->first, 0))
        arena_reset_slow(arena);
}

// Slow path of the two below: takes a new block or returns NULL at the limit or without memory.
void *arena_alloc_slow(struct arena *arena, size_t size);

// Uninitialized, 16-byte aligned; NULL if the limit or memory is exhausted. size 0 gives a valid
// pointer.
static inline void *arena_alloc_raw(struct arena *arena, size_t size)
{
    size_t left = (size_t)(arena->end - arena->cursor);
    if (__builtin_expect(size > left || ((size + 15) & ~(size_t)15) > left, 0))
        return arena_alloc_slow(arena, size);
    void *p = arena->cursor;
    arena->cursor += (size + 15) & ~(size_t)15;
    return p;
}

static inline void *arena_alloc(struct arena *arena, size_t size)
{
    uint8_t *p = arena_alloc_raw(arena, size);
    if (__builtin_expect(!p, 0))
        return p;
    if (size > 256) {
        memset(p, 0, size);
    } else { // small ones are the rule: no call; the rounded size is ours
        for (size_t i = 0; i < size; i += 16)
            memset(p + i, 0, 16);
    }
    return p;
}

#endif
