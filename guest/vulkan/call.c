#include "guest/vulkan/objects.h"

void *guest_new(struct guest_instance *instance, size_t size)
{
    struct guest_handle *handle = instance->system->allocate(instance->system->context, size);
    if (!handle)
        return NULL;
    handle->object.loader = 0x01CDC0DE; // what the loader wants to find in a new object
    handle->object.id = guest_new_id();
    handle->instance = instance;
    return handle;
}

void guest_delete(struct guest_handle *handle)
{
    if (handle)
        handle->instance->system->release(handle->instance->system->context, handle);
}

void *guest_scratch_take(struct guest_scratch *scratch, const void *dispatchable, size_t size)
{
    scratch->system = guest_handle_of(dispatchable)->instance->system;
    scratch->taken = NULL;
    if (size <= sizeof(scratch->bytes))
        return scratch->bytes;
    scratch->taken = scratch->system->allocate(scratch->system->context, size);
    return scratch->taken;
}

void guest_scratch_give(struct guest_scratch *scratch)
{
    if (scratch->taken)
        scratch->system->release(scratch->system->context, scratch->taken);
}

void guest_lock(const struct guest_instance *instance)
{
    if (instance->system->lock)
        instance->system->lock(instance->system->context);
}

void guest_unlock(const struct guest_instance *instance)
{
    if (instance->system->unlock)
        instance->system->unlock(instance->system->context);
}

void guest_call(const void *dispatchable, enum wire_command command, void *args, bool reply)
{
    guest_ring_call(&guest_handle_of(dispatchable)->instance->ring, command, args, reply);
}

void guest_name(uint32_t count, void *handles)
{
    uint64_t *id = handles;
    for (uint32_t i = 0; i < count; i++)
        id[i] = guest_new_id();
}

void guest_unname(uint32_t count, void *handles)
{
    memset(handles, 0, count * sizeof(uint64_t));
}

uint64_t guest_deadline(const struct guest_instance *instance, uint64_t nanoseconds)
{
    uint64_t now = instance->system->now(instance->system->context);
    return nanoseconds > UINT64_MAX - now ? UINT64_MAX : now + nanoseconds;
}

bool guest_pause(const struct guest_instance *instance, uint32_t *round, uint64_t deadline)
{
    const struct guest_system *system = instance->system;
    if (deadline != UINT64_MAX && system->now(system->context) >= deadline)
        return false;
    // Each look is a round trip of its own, so the pauses between looks are short ones at first: a
    // system's relax yields for some hundred rounds and then sleeps.
    system->relax(system->context, *round < 8 ? 512 : 1024 + *round);
    if (*round < 1 << 20)
        ++*round;
    return true;
}
