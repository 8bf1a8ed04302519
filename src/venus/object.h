// Objects of a context: guest id → host handle, type, owner. Look-ups take no lock; insertion and
// removal do.
//
// The memory of an object is reused for others of about the same size, of any type, and returned
// when the table is finished. A guest that destroys an object on one ring while using it on another
// reads a stale handle or another object; what the host's driver makes of that stays inside this
// process. Whoever follows a pointer that an object owns uses venus_object_visit, so that nobody
// releases the object meanwhile, or venus_device_enter.
//
// Thread: any.
#ifndef VENUS_OBJECT_H
#define VENUS_OBJECT_H

#include <pthread.h>
#include <stdatomic.h>

#include "wire/wire.h"

struct venus_context;
struct venus_device;
struct venus_ledger;
struct venus_object;

// What there is to know of a kind of object: a new kind is a file with one of these.
struct venus_class {
    size_t size; // of the struct that begins with struct venus_object
    // Called when the object has been taken out of the table, before what is below it is released.
    // NULL: nothing to do.
    void (*stop)(struct venus_context *context, struct venus_object *object);
    // Lets go of all that the object owns, its host handle and itself (venus_object_free), when
    // what is below it is gone. NULL: it goes with its parent.
    void (*release)(struct venus_context *context, struct venus_object *object);
};

// Bit of struct venus_object.type: the object lacks something, so that no command finds what it
// looks for, and failed.c gets to see the command.
#define VENUS_INCOMPLETE 0x80000000u

enum venus_lacks {
    // A command buffer's: the pipeline that was bound last never came to be.
    VENUS_LACKS_GRAPHICS = 1,
    VENUS_LACKS_COMPUTE = 2,
    VENUS_LACKS_RAY_TRACING = 4,
    // The object itself never came to be, or what was recorded in it or bound to it.
    VENUS_LACKS_ALL = 0xff,
};

// A query has begun in the command buffer.
#define VENUS_QUERIES 0x100u

#define VENUS_OBJECT_CLASSES 8 // up to 16 KiB each

struct venus_object {
    _Atomic(uint64_t) id; // chosen by the guest; 0: not in the table
    _Atomic(struct venus_object *) next_in_bucket;
    _Atomic(uint32_t) type; // enum wire_handle, with VENUS_INCOMPLETE
    uint16_t size_class;
    _Atomic(uint16_t) lacks; // enum venus_lacks
    const struct venus_class *class;
    // How many of what its numbers count there are (extent.h).
    _Atomic(uint32_t) extent;
    // A command buffer's: a bit of enum venus_lacks for each kind of pipeline that is bound, and
    // VENUS_QUERIES. A query pool's: values of a query.
    _Atomic(uint32_t) bound;
    uint64_t handle; // the host's
    // The device that it belongs to; the device itself for a device; NULL above.
    struct venus_device *device;
    // What takes it along when it goes: pool, device, instance; NULL for the instance.
    struct venus_object *parent;
    struct venus_object *children, *prev, *next; // list of siblings; all under the table's lock
};

static inline bool venus_object_failed(const struct venus_object *object)
{
    return atomic_load_explicit(&object->lacks, memory_order_relaxed) == VENUS_LACKS_ALL;
}

// The host's handle of a device, which begins with its object.
static inline VkDevice venus_device_handle(const struct venus_device *device)
{
    return (VkDevice)(uintptr_t)((const struct venus_object *)device)->handle;
}

struct venus_object_table {
    pthread_mutex_t lock;
    _Atomic(struct venus_object_buckets *) buckets;
    struct venus_object_buckets *retired; // smaller arrays that a reader may still hold
    struct venus_object_slab *slabs;
    struct venus_object *free_lists[VENUS_OBJECT_CLASSES];
    uint32_t count, limit;
    struct venus_ledger *ledger; // NULL: nobody counts
};

bool venus_object_table_init(struct venus_object_table *table, uint32_t limit,
                             struct venus_ledger *ledger);
// All objects must have been released.
void venus_object_table_finish(struct venus_object_table *table);

// NULL if there is no such object.
struct venus_object *venus_object_find(struct venus_object_table *table, uint64_t id);
// Calls `visit` with the object under the table's lock. False: there is no such object of this
// type.
bool venus_object_visit(struct venus_object_table *table, enum wire_handle type, uint64_t id,
                        void (*visit)(void *data, struct venus_object *object), void *data);

// Command buffers that others execute.
extern const struct venus_class venus_secondary_class;

// A zeroed object of the class, not yet in the table. NULL: limit or memory.
void *venus_object_alloc(struct venus_object_table *table, const struct venus_class *class,
                         enum wire_handle type);
void venus_object_free(struct venus_object_table *table, struct venus_object *object);

// Publishes it. handle, device and parent must be set. False: id is 0 or taken, or another ring has
// taken the parent out of the table meanwhile; the object is still the caller's.
bool venus_object_insert(struct venus_object_table *table, struct venus_object *object,
                         uint64_t id);

// Takes the object and everything below it out of the table; no look-up finds them any more.
// Returns the object with its descendants still linked below it (`children`), for venus_release;
// NULL if id is unknown or of another type. An incomplete object is removed like any other.
struct venus_object *venus_object_remove(struct venus_object_table *table, enum wire_handle type,
                                         uint64_t id);
// The same for all children of `parent`, which stays; returns the first of a list linked by `next`.
struct venus_object *venus_object_remove_children(struct venus_object_table *table,
                                                  struct venus_object *parent);

#endif
