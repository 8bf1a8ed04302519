#include "base/arena.h"

#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t size; // usable bytes
    _Alignas(16) uint8_t data[];
};

#define FIRST_BLOCK ((size_t)64 << 10)
#define KEPT ((size_t)512 << 10) // over a reset

bool arena_budget_take(struct arena_budget *budget, size_t size)
{
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    do {
        if (size > budget->limit - used)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used, &used, used + size));
    if (!budget->take || budget->take(budget->data, size))
        return true;
    atomic_fetch_sub(&budget->used, size);
    return false;
}

void arena_budget_give(struct arena_budget *budget, size_t size)
{
    atomic_fetch_sub(&budget->used, size);
    if (budget->give)
        budget->give(budget->data, size);
}

void arena_init(struct arena *arena, size_t limit)
{
    arena_init_shared(arena, limit, NULL);
}

void arena_init_shared(struct arena *arena, size_t limit, struct arena_budget *budget)
{
    memset(arena, 0, sizeof(*arena));
    arena->limit = limit;
    arena->budget = budget;
    // Not NULL, so that the fast path never does arithmetic on a null pointer. Never written: there
    // is no room in it.
    static const _Alignas(16) uint8_t nothing[16];
    arena->cursor = arena->end = arena->start = (uint8_t *)(uintptr_t)nothing;
}

static void free_blocks(struct arena *arena, struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        if (arena->budget)
            arena_budget_give(arena->budget, block->size);
        free(block);
        block = next;
    }
}

void arena_finish(struct arena *arena)
{
    free_blocks(arena, arena->first);
    arena_init_shared(arena, arena->limit, arena->budget);
}

static void enter(struct arena *arena, struct arena_block *block)
{
    arena->current = block;
    arena->cursor = block->data;
    size_t left = arena->limit - arena->used;
    arena->end = block->data + (block->size < left ? block->size : left);
}

void arena_reset_slow(struct arena *arena)
{
    size_t kept = 0;
    struct arena_block **end = &arena->first;
    while (*end && kept + (*end)->size <= KEPT) {
        kept += (*end)->size;
        end = &(*end)->next;
    }
    free_blocks(arena, *end);
    *end = NULL;
    if (!arena->first) {
        arena_init_shared(arena, arena->limit, arena->budget);
        return;
    }
    arena->used = 0;
    enter(arena, arena->first);
}

// A new block behind the current one, for at least `size` bytes if the limit has room for them.
static bool append(struct arena *arena, size_t size)
{
    size_t left = (arena->limit - arena->used) & ~(size_t)15;
    size_t block_size = arena->current ? arena->current->size * 2 : FIRST_BLOCK;
    if (block_size > left)
        block_size = left;
    if (block_size < size)
        block_size = size;
    if (arena->budget && !arena_budget_take(arena->budget, block_size)) {
        // No more than what is needed, then: blocks that double are a courtesy.
        block_size = size;
        if (!arena_budget_take(arena->budget, block_size))
            return false;
    }
    struct arena_block *block = malloc(sizeof(*block) + block_size);
    if (!block) {
        if (arena->budget)
            arena_budget_give(arena->budget, block_size);
        return false;
    }
    block->next = NULL;
    block->size = block_size;
    if (arena->current) {
        arena->current->next = block;
    } else {
        arena->first = block;
        arena->start = block->data;
    }
    enter(arena, block);
    return true;
}

void *arena_alloc_slow(struct arena *arena, size_t size)
{
    if (size > arena->limit || arena->limit - size < 15)
        return NULL;
    size = size ? (size + 15) & ~(size_t)15 : 16;
    // The first block is a small one, whatever is asked for: it is kept for good.
    if (!arena->current && !append(arena, 16))
        return NULL;
    while (size > (size_t)(arena->end - arena->cursor)) {
        size_t used = arena->used + (size_t)(arena->cursor - arena->current->data);
        if (used > arena->limit || size > arena->limit - used)
            return NULL;
        arena->used = used;
        // Blocks kept from before a reset come next, in their order; those too small are passed
        // over.
        if (arena->current->next)
            enter(arena, arena->current->next);
        else if (!append(arena, size))
            return NULL;
    }
    void *p = arena->cursor;
    arena->cursor += size;
    return p;
}
