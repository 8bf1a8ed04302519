#include "venus/stream.h"

#include <stdlib.h>

#include "os/clock.h"
#include "venus/context.h"
#include "venus/device.h"
#include "venus/ending.h"
#include "venus/failed.h"
#include "venus/tap.h"

void venus_stream_init(struct venus_stream *stream, struct venus_context *context,
                       struct venus_ring *ring)
{
    *stream = (struct venus_stream){.context = context, .ring = ring};
    arena_init_shared(&stream->arena, VENUS_COMMAND_MEMORY, &context->commands);
}

void venus_stream_finish(struct venus_stream *stream)
{
    venus_resource_unref(stream->reply.resource);
    stream->reply.resource = NULL;
    arena_finish(&stream->arena);
    free(stream->copy);
    arena_budget_give(&stream->context->commands, stream->copy_size);
}

// Id → host handle, while decoding. The first object decides about the device that the others must
// belong to.
static bool resolve(void *data, enum wire_handle type, uint64_t id, uint64_t *handle,
                    const char **reason)
{
    struct venus_call *call = data;
    struct venus_object *object = venus_object_find(&call->context->objects, id);
    if (!object) {
        call->incomplete = !id;
        *reason = "no object has this id";
        return false;
    }
    uint32_t is = atomic_load_explicit(&object->type, memory_order_relaxed);
    if (is != type) {
        call->incomplete = is == (type | VENUS_INCOMPLETE);
        *reason = "the object is of another type";
        return false;
    }
    if (!call->self) {
        call->self = object;
        call->device = object->device;
    } else if (object->device && call->device && object->device != call->device) {
        *reason = "the object belongs to another device";
        return false;
    }
    if (call->object_count < VENUS_CALL_OBJECTS)
        call->objects[call->object_count++] = object;
    *handle = object->handle;
    return true;
}

static void drop_reply(struct venus_stream *stream)
{
    venus_resource_unref(stream->reply.resource);
    stream->reply.resource = NULL;
}

bool venus_stream_stopping(const struct venus_stream *stream)
{
    return atomic_load_explicit(&stream->stopping, memory_order_relaxed) ||
           venus_context_stopping(stream->context);
}

static bool fail(struct venus_stream *stream, const char *command, uint64_t offset,
                 const char *reason)
{
    // A ring that is being destroyed gives up what it waited for: nobody is to blame.
    if (!venus_stream_stopping(stream))
        venus_context_lose(stream->context, "%s: %s at byte %llu: %s",
                           stream->ring ? "ring" : "context stream", command,
                           (unsigned long long)offset, reason);
    return false;
}

// *wire is the command with its results.
static inline __attribute__((always_inline)) bool step(struct venus_stream *stream,
                                                       const uint8_t **cursor, const uint8_t *end,
                                                       struct wire_call *wire)
{
    struct venus_context *context = stream->context;
    struct venus_call *call = &stream->call;
    const uint8_t *start = *cursor;

    if (__builtin_expect(
            stream->reply.resource &&
                atomic_load_explicit(&stream->reply.resource->detached, memory_order_relaxed),
            0))
        drop_reply(stream);

    *call = (struct venus_call){.context = context,
                                .stream = stream,
                                .instance =
                                    atomic_load_explicit(&context->instance, memory_order_acquire)};
    struct wire_decoder decoder = {
        .cursor = start,
        .end = end,
        .arena = &stream->arena,
        .resolve = resolve,
        .resolve_context = call,
        .reply_capacity = stream->reply.resource ? stream->reply.size - stream->reply.cursor : 0,
    };
    arena_reset(&stream->arena);
    bool ok = wire_decode(&decoder, &call->wire);
    venus_handler handler;
    if (__builtin_expect(ok, 1))
        handler = context->handlers.carry_out[call->wire.number];
    else if (call->incomplete && venus_failed_decode(call, &decoder, start))
        handler = venus_failed_carry_out;
    else
        return fail(stream, call->wire.info ? call->wire.info->name : "unknown command",
                    (uint64_t)(decoder.cursor - start), decoder.reason);
    *cursor = decoder.cursor;

    if (!handler)
        return fail(stream, call->wire.info->name, 0, "this renderer does not carry it out");
    // Nested streams overwrite *call: keep what is needed afterwards.
    *wire = call->wire;
    if (!handler(call, wire->args))
        return fail(stream, wire->info->name, 0, call->reason ? call->reason : "failed");

    if (wire->flags & WIRE_FLAG_REPLY) {
        if (!stream->reply.resource)
            return fail(stream, wire->info->name, 0,
                        "it wants a reply, but no reply stream is set");
        struct wire_encoder encoder = {.cursor = stream->reply.base + stream->reply.cursor,
                                       .end = stream->reply.base + stream->reply.size};
        if (!wire_encode_reply(&encoder, wire))
            return fail(stream, wire->info->name, 0,
                        "the reply does not fit into the reply stream");
        stream->reply.cursor = (uint64_t)(encoder.cursor - stream->reply.base);
    }
    return true;
}

// A function of its own, so that tracing costs the others one look at a flag.
static __attribute__((noinline, cold)) bool step_traced(struct venus_stream *stream,
                                                        const uint8_t **cursor, const uint8_t *end)
{
    struct wire_call wire;
    const uint8_t *start = *cursor;
    uint64_t begin_ns = os_now_ns();
    if (!step(stream, cursor, end, &wire))
        return false;
    venus_tap_command(stream, &wire, start, (size_t)(*cursor - start), begin_ns);
    return true;
}

bool venus_stream_step(struct venus_stream *stream, const uint8_t **cursor, const uint8_t *end)
{
    struct wire_call wire;
    if (__builtin_expect(atomic_load_explicit(&stream->context->traced, memory_order_acquire), 0))
        return step_traced(stream, cursor, end);
    return step(stream, cursor, end, &wire);
}

bool venus_stream_run(struct venus_stream *stream, const uint8_t *bytes, size_t size)
{
    const uint8_t *cursor = bytes, *end = bytes + size;
    while (cursor < end) {
        if (venus_stream_stopping(stream) || !venus_stream_step(stream, &cursor, end))
            return false;
    }
    return true;
}
