// How far the numbers of an object go: queries of a pool, subpasses of a render pass, those that
// are left of the pass that a command buffer is in, 1 of a semaphore that counts. Drivers take such
// numbers as they come.
//
// Thread: the call's.
#ifndef VENUS_EXTENT_H
#define VENUS_EXTENT_H

#include "venus/context.h"

// Of the first object of this type that the command names; UINT32_MAX if it is not to be known.
static inline uint32_t venus_extent(const struct venus_call *call, enum wire_handle type)
{
    for (unsigned i = 0; i < call->object_count; i++) {
        if (atomic_load_explicit(&call->objects[i]->type, memory_order_relaxed) == type)
            return atomic_load_explicit(&call->objects[i]->extent, memory_order_relaxed);
    }
    return UINT32_MAX;
}

// Of an object that was added by this command. Returns true.
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
