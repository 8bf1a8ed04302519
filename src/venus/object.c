#include "venus/object.h"

#include <stdlib.h>

#include "venus/ledger.h"

// Ids are counted up by the guest, so the low bits spread them perfectly; a guest that chooses
// otherwise slows only itself.
struct venus_object_buckets {
    struct venus_object_buckets *next_retired;
    uint32_t mask;
    _Atomic(struct venus_object *) heads[];
};

#define SLAB_OBJECTS 64
#define SMALLEST_OBJECT 128
#define FIRST_BUCKETS 1024
// A look-up without the lock gives up after this many steps: a chain may change under it.
#define MAX_STEPS 64

struct venus_object_slab {
    struct venus_object_slab *next;
    _Alignas(16) uint8_t objects[];
};

static struct venus_object_buckets *buckets_create(uint32_t count)
{
    struct venus_object_buckets *buckets =
        calloc(1, sizeof(*buckets) + count * sizeof(buckets->heads[0]));
    if (buckets)
        buckets->mask = count - 1;
    return buckets;
}

bool venus_object_table_init(struct venus_object_table *table, uint32_t limit,
                             struct venus_ledger *ledger)
{
    *table = (struct venus_object_table){.limit = limit, .ledger = ledger};
    struct venus_object_buckets *buckets = buckets_create(FIRST_BUCKETS);
    if (!buckets)
        return false;
    atomic_init(&table->buckets, buckets);
    pthread_mutex_init(&table->lock, NULL);
    return true;
}

void venus_object_table_finish(struct venus_object_table *table)
{
    struct venus_object_buckets *buckets = atomic_load(&table->buckets);
    if (!buckets)
        return;
    buckets->next_retired = table->retired;
    while (buckets) {
        struct venus_object_buckets *next = buckets->next_retired;
        free(buckets);
        buckets = next;
    }
    if (table->ledger)
        venus_ledger_set(table->ledger, LINK_HOLDS_OBJECTS, 0);
    while (table->slabs) {
        struct venus_object_slab *next = table->slabs->next;
        free(table->slabs);
        table->slabs = next;
    }
    pthread_mutex_destroy(&table->lock);
    *table = (struct venus_object_table){0};
}

static struct venus_object *find_locked(struct venus_object_table *table, uint64_t id)
{
    struct venus_object_buckets *buckets =
        atomic_load_explicit(&table->buckets, memory_order_relaxed);
    struct venus_object *object =
        atomic_load_explicit(&buckets->heads[id & buckets->mask], memory_order_relaxed);
    while (object && atomic_load_explicit(&object->id, memory_order_relaxed) != id)
        object = atomic_load_explicit(&object->next_in_bucket, memory_order_relaxed);
    return object;
}

struct venus_object *venus_object_find(struct venus_object_table *table, uint64_t id)
{
    struct venus_object_buckets *buckets =
        atomic_load_explicit(&table->buckets, memory_order_acquire);
    struct venus_object *object =
        atomic_load_explicit(&buckets->heads[id & buckets->mask], memory_order_acquire);
    for (unsigned step = 0; object && step < MAX_STEPS; step++) {
        if (atomic_load_explicit(&object->id, memory_order_acquire) == id)
            return id ? object : NULL;
        object = atomic_load_explicit(&object->next_in_bucket, memory_order_acquire);
    }
    // A miss may be an accident: the chain was changed or regrown while we walked it. Only the lock
    // knows.
    pthread_mutex_lock(&table->lock);
    object = id ? find_locked(table, id) : NULL;
    pthread_mutex_unlock(&table->lock);
    return object;
}

bool venus_object_visit(struct venus_object_table *table, enum wire_handle type, uint64_t id,
                        void (*visit)(void *data, struct venus_object *object), void *data)
{
    pthread_mutex_lock(&table->lock);
    struct venus_object *object = id ? find_locked(table, id) : NULL;
    bool found = object && object->type == type;
    if (found)
        visit(data, object);
    pthread_mutex_unlock(&table->lock);
    return found;
}

// Size classes are 128 << n bytes. Slabs of large objects hold fewer.
static unsigned class_of(size_t size)
{
    unsigned size_class = 0;
    while (((size_t)SMALLEST_OBJECT << size_class) < size)
        size_class++;
    return size_class;
}

// `owed`: also if the context may have no more.
static bool refill_locked(struct venus_object_table *table, unsigned size_class, bool owed)
{
    size_t bytes = (size_t)SMALLEST_OBJECT << size_class;
    unsigned count = SLAB_OBJECTS >> size_class ? SLAB_OBJECTS >> size_class : 1;
    struct venus_object_slab *slab;
    if (!venus_ledger_take(table->ledger, LINK_HOLDS_OBJECTS, sizeof(*slab) + count * bytes)) {
        if (!owed)
            return false;
        venus_ledger_owe(table->ledger, LINK_HOLDS_OBJECTS, sizeof(*slab) + count * bytes);
    }
    slab = calloc(1, sizeof(*slab) + count * bytes);
    if (!slab) {
        venus_ledger_give(table->ledger, LINK_HOLDS_OBJECTS, sizeof(*slab) + count * bytes);
        return false;
    }
    slab->next = table->slabs;
    table->slabs = slab;
    for (unsigned i = count; i-- > 0;) {
        struct venus_object *object = (struct venus_object *)(slab->objects + i * bytes);
        object->next = table->free_lists[size_class];
        table->free_lists[size_class] = object;
    }
    return true;
}

void *venus_object_alloc(struct venus_object_table *table, const struct venus_class *class,
                         enum wire_handle type)
{
    unsigned size_class = class_of(class->size);
    struct venus_object *object = NULL;

    pthread_mutex_lock(&table->lock);
    if (size_class < VENUS_OBJECT_CLASSES && table->count < table->limit &&
        (table->free_lists[size_class] ||
         refill_locked(table, size_class, type & VENUS_INCOMPLETE))) {
        object = table->free_lists[size_class];
        table->free_lists[size_class] = object->next;
        table->count++;
        // A late reader may still look at id and next_in_bucket: they keep being atomics that are
        // written as such.
        atomic_store_explicit(&object->next_in_bucket, NULL, memory_order_relaxed);
        size_t head = offsetof(struct venus_object, type);
        memset((uint8_t *)object + head, 0, ((size_t)SMALLEST_OBJECT << size_class) - head);
        object->size_class = (uint16_t)size_class;
        object->class = class;
        object->type = type;
    }
    pthread_mutex_unlock(&table->lock);
    return object;
}

void venus_object_free(struct venus_object_table *table, struct venus_object *object)
{
    pthread_mutex_lock(&table->lock);
    table->count--;
    object->next = table->free_lists[object->size_class];
    table->free_lists[object->size_class] = object;
    pthread_mutex_unlock(&table->lock);
}

// More objects than buckets: double them. Readers may hold the old array, so it stays until the
// end; all old ones together are smaller than the new one.
static void grow_locked(struct venus_object_table *table)
{
    struct venus_object_buckets *old = atomic_load_explicit(&table->buckets, memory_order_relaxed);
    if (old->mask >= (1u << 24))
        return;
    struct venus_object_buckets *grown = buckets_create((old->mask + 1) * 2);
    if (!grown)
        return; // longer chains still work
    for (uint32_t i = 0; i <= old->mask; i++) {
        struct venus_object *object = atomic_load_explicit(&old->heads[i], memory_order_relaxed);
        while (object) {
            struct venus_object *next =
                atomic_load_explicit(&object->next_in_bucket, memory_order_relaxed);
            uint32_t b =
                (uint32_t)atomic_load_explicit(&object->id, memory_order_relaxed) & grown->mask;
            struct venus_object *head =
                atomic_load_explicit(&grown->heads[b], memory_order_relaxed);
            atomic_store_explicit(&object->next_in_bucket, head, memory_order_release);
            atomic_store_explicit(&grown->heads[b], object, memory_order_release);
            object = next;
        }
    }
    old->next_retired = table->retired;
    table->retired = old;
    atomic_store_explicit(&table->buckets, grown, memory_order_release);
}

bool venus_object_insert(struct venus_object_table *table, struct venus_object *object, uint64_t id)
{
    if (!id)
        return false;
    pthread_mutex_lock(&table->lock);
    if (find_locked(table, id) || (object->parent && !atomic_load(&object->parent->id))) {
        pthread_mutex_unlock(&table->lock);
        return false;
    }
    struct venus_object_buckets *buckets =
        atomic_load_explicit(&table->buckets, memory_order_relaxed);
    if (table->count > buckets->mask) {
        grow_locked(table);
        buckets = atomic_load_explicit(&table->buckets, memory_order_relaxed);
    }
    if (object->parent) {
        object->next = object->parent->children;
        if (object->next)
            object->next->prev = object;
        object->prev = NULL;
        object->parent->children = object;
    }
    _Atomic(struct venus_object *) *head = &buckets->heads[id & buckets->mask];
    atomic_store_explicit(&object->next_in_bucket, atomic_load_explicit(head, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&object->id, id, memory_order_release);
    atomic_store_explicit(head, object, memory_order_release);
    pthread_mutex_unlock(&table->lock);
    return true;
}

static void unhash_locked(struct venus_object_table *table, struct venus_object *object)
{
    struct venus_object_buckets *buckets =
        atomic_load_explicit(&table->buckets, memory_order_relaxed);
    uint64_t id = atomic_load_explicit(&object->id, memory_order_relaxed);
    _Atomic(struct venus_object *) *link = &buckets->heads[id & buckets->mask];
    struct venus_object *at;
    while ((at = atomic_load_explicit(link, memory_order_relaxed)) != object)
        link = &at->next_in_bucket;
    // The object keeps its own next pointer: a reader that stands on it walks on.
    atomic_store_explicit(link, atomic_load_explicit(&object->next_in_bucket, memory_order_relaxed),
                          memory_order_release);
    atomic_store_explicit(&object->id, 0, memory_order_release);
}

// Takes `root` and all below it out of the hash. Iterative: the depth is small, but the children
// are many.
static void unhash_tree_locked(struct venus_object_table *table, struct venus_object *root)
{
    struct venus_object *at = root;
    for (;;) {
        unhash_locked(table, at);
        if (at->children) {
            at = at->children;
            continue;
        }
        while (at != root && !at->next)
            at = at->parent;
        if (at == root)
            return;
        at = at->next;
    }
}

struct venus_object *venus_object_remove(struct venus_object_table *table, enum wire_handle type,
                                         uint64_t id)
{
    if (!id)
        return NULL;
    pthread_mutex_lock(&table->lock);
    struct venus_object *object = find_locked(table, id);
    if (object && (object->type & ~VENUS_INCOMPLETE) != type)
        object = NULL;
    if (object) {
        unhash_tree_locked(table, object);
        if (object->prev)
            object->prev->next = object->next;
        else if (object->parent)
            object->parent->children = object->next;
        if (object->next)
            object->next->prev = object->prev;
        object->prev = object->next = NULL;
    }
    pthread_mutex_unlock(&table->lock);
    return object;
}

struct venus_object *venus_object_remove_children(struct venus_object_table *table,
                                                  struct venus_object *parent)
{
    pthread_mutex_lock(&table->lock);
    struct venus_object *list = parent->children;
    for (struct venus_object *child = list; child; child = child->next)
        unhash_tree_locked(table, child);
    parent->children = NULL;
    pthread_mutex_unlock(&table->lock);
    return list;
}
