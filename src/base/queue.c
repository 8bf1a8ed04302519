#include "base/queue.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

void queue_finish(struct queue *queue)
{
    free(queue->items);
    *queue = (struct queue){.item_size = queue->item_size};
}

static bool grow(struct queue *queue)
{
    if (queue->capacity > UINT32_MAX / 2)
        return false;
    uint32_t capacity = queue->capacity ? queue->capacity * 2 : FIRST_CAPACITY;
    uint8_t *items = calloc(capacity, queue->item_size);
    if (!items)
        return false;
    for (uint32_t i = 0; i < queue->count; i++)
        memcpy(items + i * queue->item_size, queue_at(queue, i), queue->item_size);
    free(queue->items);
    queue->items = items;
    queue->capacity = capacity;
    queue->first = 0;
    return true;
}

void *queue_push(struct queue *queue)
{
    if (queue->count == queue->capacity && !grow(queue))
        return NULL;
    queue->count++;
    return memset(queue_at(queue, queue->count - 1), 0, queue->item_size);
}
