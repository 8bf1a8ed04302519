// From numbers that a peer chose to objects of ours. Open addressing: a look-up takes a
// multiplication and, mostly, one cache line.
//
// Thread: one at a time.
// Owns: its slots; the objects are the caller's.
#ifndef BASE_ID_TABLE_H
#define BASE_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_slot {
    uint64_t id;
    void *value; // NULL: free
};

// Zero-initialize: an empty table without memory.
struct id_table {
    struct id_slot *slots;
    uint32_t capacity; // 0 or a power of two; never more than three quarters used
    uint32_t count;
};

// Empty again, without memory.
void id_table_finish(struct id_table *table);

// NULL: no such id. Any number is an id.
void *id_table_find(const struct id_table *table, uint64_t id);
// `value` is not NULL, `id` is not in the table.
// Errors: false: no memory, nothing changed.
bool id_table_insert(struct id_table *table, uint64_t id, void *value);
// What was removed, or NULL.
void *id_table_remove(struct id_table *table, uint64_t id);
// All values one after another, in no order: start with *cursor = 0; NULL after the last. Nothing
// may be inserted or removed meanwhile.
void *id_table_next(const struct id_table *table, uint32_t *cursor);

#endif
