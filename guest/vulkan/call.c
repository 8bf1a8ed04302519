#include "guest/vulkan/objects.h"

struct guest_object guest_new_object(void)
{
    // The number is what the loader wants to find in a new object.
    return (struct guest_object){.loader = 0x01CDC0DE, .id = guest_new_id()};
}

void *guest_new(struct guest_context *context, size_t size)
{
    struct guest_handle *handle = context->system->allocate(context->system->context, size);
    if (!handle)
        return NULL;
    handle->object = guest_new_object();
    handle->context = context;
    return handle;
}

void guest_delete(struct guest_handle *handle)
{
    if (handle)
        handle->context->system->release(handle->context->system->context, handle);
}

void *guest_scratch_take(struct guest_scratch *scratch, const void *dispatchable, size_t size)
{
    scratch->system = guest_handle_of(dispatchable)->context->system;
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

void guest_lock(const struct guest_context *context)
{
    if (context->system->lock)
        context->system->lock(context->system->context);
}

void guest_unlock(const struct guest_context *context)
{
    if (context->system->unlock)
        context->system->unlock(context->system->context);
}

void guest_call(const void *dispatchable, enum wire_command command, void *args, bool reply)
{
    guest_ring_call(&guest_handle_of(dispatchable)->context->ring, command, args, reply);
}

void guest_record(VkCommandBuffer command_buffer, enum wire_command command, void *args)
{
    guest_ring_record(&guest_handle_of(command_buffer)->context->ring, command, args);
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

uint64_t guest_deadline(const struct guest_context *context, uint64_t nanoseconds)
{
    uint64_t now = context->system->now(context->system->context);
    return nanoseconds > UINT64_MAX - now ? UINT64_MAX : now + nanoseconds;
}

bool guest_pause(const struct guest_context *context, uint32_t *round, uint64_t deadline)
{
    const struct guest_system *system = context->system;
    if (deadline != UINT64_MAX && system->now(system->context) >= deadline)
        return false;
    // Each look is a round trip of its own, so the pauses between looks are short ones at first: a
    // system's relax yields for some hundred rounds and then sleeps.
    system->relax(system->context, *round < 8 ? 512 : 1024 + *round);
    if (*round < 1 << 20)
        ++*round;
    return true;
}
