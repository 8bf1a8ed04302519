#include "venus/resource.h"

#include <stdlib.h>

bool venus_resource_table_init(struct venus_resource_table *table, struct venus_pages_pool *pool,
                               uint32_t limit)
{
    *table = (struct venus_resource_table){.limit = limit, .pool = pool, .capacity = 64};
    table->slots = calloc(table->capacity, sizeof(*table->slots));
    if (!table->slots)
        return false;
    pthread_mutex_init(&table->lock, NULL);
    return true;
}

void venus_resource_unref(struct venus_resource *resource)
{
    if (resource && atomic_fetch_sub(&resource->references, 1) == 1) {
        venus_pages_unref(resource->pool, resource->pages);
        free(resource);
    }
}

void venus_resource_table_finish(struct venus_resource_table *table)
{
    if (!table->slots)
        return;
    for (uint32_t i = 0; i < table->capacity; i++)
        venus_resource_unref(table->slots[i]);
    free(table->slots);
    pthread_mutex_destroy(&table->lock);
    *table = (struct venus_resource_table){0};
}

// Slot of `id`, or the free one where it belongs. The table is never more than half full.
static uint32_t slot_of(struct venus_resource *const *slots, uint32_t capacity, uint32_t id)
{
    uint32_t i = id & (capacity - 1);
    while (slots[i] && slots[i]->id != id)
        i = (i + 1) & (capacity - 1);
    return i;
}

static bool grow(struct venus_resource_table *table)
{
    uint32_t capacity = table->capacity * 2;
    struct venus_resource **slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        return false;
    for (uint32_t i = 0; i < table->capacity; i++) {
        if (table->slots[i])
            slots[slot_of(slots, capacity, table->slots[i]->id)] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

bool venus_resource_attach(struct venus_resource_table *table, uint32_t id,
                           enum link_resource_kind kind, struct venus_pages *pages)
{
    struct venus_resource *resource = calloc(1, sizeof(*resource));
    if (!resource) {
        venus_pages_unref(table->pool, pages);
        return false;
    }
    *resource =
        (struct venus_resource){.id = id, .kind = kind, .pages = pages, .pool = table->pool};
    atomic_init(&resource->references, 1);

    pthread_mutex_lock(&table->lock);
    bool ok = id && table->count < table->limit &&
              ((table->count + 1) * 2 <= table->capacity || grow(table));
    if (ok) {
        uint32_t slot = slot_of(table->slots, table->capacity, id);
        ok = !table->slots[slot];
        if (ok) {
            table->slots[slot] = resource;
            table->count++;
        }
    }
    pthread_mutex_unlock(&table->lock);
    if (!ok)
        venus_resource_unref(resource);
    return ok;
}

bool venus_resource_detach(struct venus_resource_table *table, uint32_t id)
{
    pthread_mutex_lock(&table->lock);
    uint32_t hole = slot_of(table->slots, table->capacity, id), mask = table->capacity - 1;
    struct venus_resource *resource = table->slots[hole];
    if (resource) {
        table->count--;
        table->slots[hole] = NULL;
        // Move up what the hole would hide.
        for (uint32_t i = (hole + 1) & mask; table->slots[i]; i = (i + 1) & mask) {
            uint32_t home = table->slots[i]->id & mask;
            if (((i - home) & mask) >= ((i - hole) & mask)) {
                table->slots[hole] = table->slots[i];
                table->slots[i] = NULL;
                hole = i;
            }
        }
    }
    pthread_mutex_unlock(&table->lock);
    if (!resource)
        return false;
    atomic_store(&resource->detached, true);
    venus_resource_unref(resource);
    return true;
}

struct venus_resource *venus_resource_get(struct venus_resource_table *table, uint32_t id)
{
    pthread_mutex_lock(&table->lock);
    struct venus_resource *resource = table->slots[slot_of(table->slots, table->capacity, id)];
    if (resource)
        atomic_fetch_add(&resource->references, 1);
    pthread_mutex_unlock(&table->lock);
    return resource;
}
