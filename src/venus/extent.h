// The extent of an object says how far its numbers go. A query pool has its queries, a render pass
// its subpasses, a command buffer the subpasses that are left of its pass, a timeline semaphore 1.
// Drivers do not check such numbers.
//
// Thread: the call's.
#ifndef VENUS_EXTENT_H
#define VENUS_EXTENT_H

#include "venus/context.h"

// The extent of the first object of this type that the command names; UINT32_MAX: nobody knows it.
static inline uint32_t venus_extent(const struct venus_call *call, enum wire_handle type)
{
    for (unsigned i = 0; i < call->object_count; i++) {
        if (atomic_load_explicit(&call->objects[i]->type, memory_order_relaxed) == type)
            return atomic_load_explicit(&call->objects[i]->extent, memory_order_relaxed);
    }
    return UINT32_MAX;
}

// Sets the extent of an object that this command has added. Returns true.
static inline bool venus_set_extent(struct venus_call *call, uint64_t id, uint32_t extent)
{
    struct venus_object *object = venus_object_find(&call->context->objects, id);
    if (object)
        atomic_store_explicit(&object->extent, extent, memory_order_relaxed);
    return true;
}

static inline bool venus_in_range(uint64_t first, uint64_t count, uint64_t most)
{
    return first <= most && count <= most - first;
}

// Has the command buffer a pipeline of this kind (enum venus_lacks)?
static inline bool venus_bound(const struct venus_call *call, uint32_t kind)
{
    return atomic_load_explicit(&call->self->bound, memory_order_relaxed) & kind;
}

#endif
