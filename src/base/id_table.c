#include "base/id_table.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

// Ids come in sequences or as a guest likes: spread them over the upper bits, use those.
static uint32_t home(const struct id_table *table, uint64_t id)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (table->capacity - 1);
}

void id_table_finish(struct id_table *table)
{
    free(table->slots);
    *table = (struct id_table){0};
}

// The slot of `id`, or the free one where it belongs.
static struct id_slot *slot_of(const struct id_table *table, uint64_t id)
{
    uint32_t i = home(table, id);
    while (table->slots[i].value && table->slots[i].id != id)
        i = (i + 1) & (table->capacity - 1);
    return &table->slots[i];
}

void *id_table_find(const struct id_table *table, uint64_t id)
{
    return table->count ? slot_of(table, id)->value : NULL;
}

static bool grow(struct id_table *table)
{
    struct id_table larger = {.capacity = table->capacity ? table->capacity * 2 : FIRST_CAPACITY,
                              .count = table->count};
    if (!larger.capacity || !(larger.slots = calloc(larger.capacity, sizeof(*larger.slots))))
        return false;
    for (uint32_t i = 0; i < table->capacity; i++)
        if (table->slots[i].value)
            *slot_of(&larger, table->slots[i].id) = table->slots[i];
    free(table->slots);
    *table = larger;
    return true;
}

bool id_table_insert(struct id_table *table, uint64_t id, void *value)
{
    if ((uint64_t)(table->count + 1) * 4 > (uint64_t)table->capacity * 3 && !grow(table))
        return false;
    *slot_of(table, id) = (struct id_slot){.id = id, .value = value};
    table->count++;
    return true;
}

void *id_table_remove(struct id_table *table, uint64_t id)
{
    struct id_slot *slot = table->count ? slot_of(table, id) : NULL;
    void *value = slot ? slot->value : NULL;
    if (!value)
        return NULL;
    // Close the gap: whoever was pushed past it by a collision moves up, so that searches need no
    // tombstones.
    uint32_t mask = table->capacity - 1, gap = (uint32_t)(slot - table->slots);
    for (uint32_t i = (gap + 1) & mask; table->slots[i].value; i = (i + 1) & mask) {
        uint32_t distance = (i - home(table, table->slots[i].id)) & mask;
        if (distance >= ((i - gap) & mask)) {
            table->slots[gap] = table->slots[i];
            gap = i;
        }
    }
    table->slots[gap].value = NULL;
    table->count--;
    return value;
}

void *id_table_next(const struct id_table *table, uint32_t *cursor)
{
    while (*cursor < table->capacity) {
        void *value = table->slots[(*cursor)++].value;
        if (value)
            return value;
    }
    return NULL;
}
