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

// ---- waiting --------------------------------------------------------------

// Each look is a round trip, which may take a processor from those whose work is waited for. So
// there are a few looks at once, then one after each sixteenth of the time that has passed; and
// none before half of what such waits lately took.
enum { QUICK_LOOKS = 8, YIELD = 128, SLEEP = 256, LONGEST_SLEEP = 4096 };

static uint64_t usual_wait(const struct guest_context *context)
{
    uint64_t shortest = UINT64_MAX;
    guest_lock(context);
    for (uint32_t i = 0; i < GUEST_WAITS; i++)
        shortest = context->waits[i] < shortest ? context->waits[i] : shortest;
    guest_unlock(context);
    return shortest;
}

bool guest_pause(const struct guest_context *context, struct guest_wait *wait)
{
    const struct guest_system *system = context->system;
    uint64_t now = system->now(system->context);
    if (!wait->looks)
        wait->began = now;
    uint64_t waited = now - wait->began;
    if (waited >= wait->nanoseconds)
        return false;
    if (wait->looks++ < QUICK_LOOKS) {
        system->relax(system->context, YIELD);
        return true;
    }
    if (wait->looks == QUICK_LOOKS + 1)
        wait->usual = usual_wait(context);
    uint64_t until = waited + waited / 16;
    if (until < wait->usual / 2) {
        until = wait->usual / 2;
        wait->skipped = wait->looks;
    }
    until = until < wait->nanoseconds ? until : wait->nanoseconds;
    do {
        // A system sleeps the longer the later the round is.
        uint64_t round = until > waited ? (until - waited) / 1000 : 0;
        round = round < LONGEST_SLEEP ? round : LONGEST_SLEEP;
        system->relax(system->context, SLEEP + (uint32_t)round);
        waited = system->now(system->context) - wait->began;
    } while (waited < until);
    return true;
}

void guest_waited(struct guest_context *context, const struct guest_wait *wait)
{
    if (wait->looks <= QUICK_LOOKS)
        return;
    // What was over at the first look after a long pause may have been over for long.
    uint64_t took = context->system->now(context->system->context) - wait->began;
    if (wait->looks == wait->skipped)
        took = 0;
    guest_lock(context);
    context->waits[context->wait_count++ % GUEST_WAITS] = took;
    guest_unlock(context);
}
