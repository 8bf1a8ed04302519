// First in, first out: items of one size in a ring that grows and keeps its memory.
//
// Thread: one at a time.
// Owns: the ring; what the items refer to is the caller's.
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queue {
    uint8_t *items;
    size_t item_size;
    uint32_t capacity; // 0 or a power of two
    uint32_t first;    // its index; counts on beyond the capacity
    uint32_t count;
};

// An empty queue without memory.
#define QUEUE_OF(type) ((struct queue){.item_size = sizeof(type)})

// Empty again, without memory.
void queue_finish(struct queue *queue);

// A place for a new last item, zeroed. Pointers to others are void afterwards.
// Errors: NULL: out of memory, nothing changed.
void *queue_push(struct queue *queue);

// Item `index` from the front, which stays valid until the next push; NULL: there are not as many.
static inline void *queue_at(const struct queue *queue, uint32_t index)
{
    uint32_t slot = (queue->first + index) & (queue->capacity - 1);
    return index < queue->count ? queue->items + slot * queue->item_size : NULL;
}

static inline void *queue_first(const struct queue *queue)
{
    return queue_at(queue, 0);
}

// The first leaves; its bytes stay where they are until the next push. There is one.
static inline void queue_drop(struct queue *queue)
{
    queue->first++;
    queue->count--;
}

#endif
