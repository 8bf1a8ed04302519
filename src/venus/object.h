// Objects of a context: guest id → host handle, type, owner. Look-ups take no lock; insertion and
// removal do.
//
// Objects are type-stable: their memory is reused for other objects of the same size, but never
// returned before the table is finished. A guest that destroys an object on one ring while using it
// on another reads a stale handle at worst; what the host's driver makes of that stays inside this
// process.
#ifndef VENUS_OBJECT_H
#define VENUS_OBJECT_H

#include <pthread.h>
#include <stdatomic.h>

#include "wire/wire.h"

struct venus_device;

#define VENUS_OBJECT_CLASSES 8 // up to 16 KiB each

struct venus_object {
    _Atomic(uint64_t) id; // chosen by the guest; 0: not in the table
    _Atomic(struct venus_object *) next_in_bucket;
    enum wire_handle type;
    uint32_t size_class;
    uint64_t handle;             // the host's
    struct venus_device *device; // that it belongs to; the device itself for a device; NULL above
    struct venus_object
        *parent; // what takes it along when it goes: pool, device, instance; NULL for the instance
    struct venus_object *children, *prev, *next; // list of siblings; all under the table's lock
};

struct venus_object_table {
    pthread_mutex_t lock;
    _Atomic(struct venus_object_buckets *) buckets;
    struct venus_object_buckets *retired; // smaller arrays that a reader may still hold
    struct venus_object_slab *slabs;
    struct venus_object *free_lists[VENUS_OBJECT_CLASSES];
    uint32_t count, limit;
};

bool venus_object_table_init(struct venus_object_table *table, uint32_t limit);
// All objects must have been removed or their host handles dealt with.
void venus_object_table_finish(struct venus_object_table *table);

// NULL if there is no such object. Any thread.
struct venus_object *venus_object_find(struct venus_object_table *table, uint64_t id);

// Memory for an object of `size` bytes (≥ sizeof(struct venus_object), it begins with one), zeroed,
// not yet in the table. NULL: limit or memory.
void *venus_object_alloc(struct venus_object_table *table, size_t size);
void venus_object_free(struct venus_object_table *table, struct venus_object *object);

// Publishes it. type, handle, device and parent must be set. False: id is 0, reserved or taken; the
// object is still the caller's.
bool venus_object_insert(struct venus_object_table *table, struct venus_object *object,
                         uint64_t id);

// Takes the object and everything below it out of the table; no look-up finds them any more.
// Returns the object with its descendants still linked below it (`children`), for the caller to
// release (venus_object_free each); NULL if id is unknown or of another type.
struct venus_object *venus_object_remove(struct venus_object_table *table, enum wire_handle type,
                                         uint64_t id);
// The same for all children of `parent`, which stays; returns the first of a list linked by `next`.
struct venus_object *venus_object_remove_children(struct venus_object_table *table,
                                                  struct venus_object *parent);

#endif
