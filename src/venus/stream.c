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

// Id → host handle, while decoding.
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
    if (!venus_call_takes(call, object, reason))
        return false;
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
                                .start = start,
                                .end = end,
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
    else if ((call->incomplete || decoder.unknown_value) &&
             venus_failed_decode(call, &decoder, start))
        handler = venus_failed_carry_out;
    else if (stream->more && decoder.reason == wire_truncated)
        return !(stream->cut = true);
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

// ---- streams in memory that the guest can change -------------------------

// What is copied out at once: little at first, for what follows may be data that need not be.
#define FIRST_PIECE ((size_t)1 << 10)
#define LARGEST_PIECE ((size_t)64 << 10)
// A copy buffer larger than this is given back after use.
#define KEPT_COPY_SIZE ((size_t)1 << 20)
// vkCmdUpdateBuffer on the wire: its data follows their size, which is the last 8 bytes of these.
#define UPDATE_HEAD ((size_t)48)
#define LARGEST_UPDATE 65536u
#define LEAST_LOOSE 4096u

struct intake {
    const uint8_t *shared;
    size_t left;       // bytes of it that have not been carried out
    size_t begin, end; // the first of them lie here in the copy
    size_t piece;
};

static void drop_copy(struct venus_stream *stream)
{
    free(stream->copy);
    arena_budget_give(&stream->context->commands, stream->copy_size);
    stream->copy = NULL;
    stream->copy_size = 0;
}

// What is in it stays.
static bool grow_copy(struct venus_stream *stream, size_t size)
{
    if (!arena_budget_take(&stream->context->commands, size - stream->copy_size))
        return false;
    uint8_t *copy = realloc(stream->copy, size);
    if (!copy) {
        arena_budget_give(&stream->context->commands, size - stream->copy_size);
        return false;
    }
    stream->copy = copy;
    stream->copy_size = size;
    return true;
}

// One more piece. Only what is behind the copy is read: what was looked at stays as it was.
static bool take_in(struct venus_stream *stream, struct intake *in)
{
    size_t have = in->end - in->begin;
    venus_holdings_look(stream->context, os_now_ns());
    if (!have && in->piece > LARGEST_PIECE)
        in->piece = LARGEST_PIECE;
    size_t more = in->left - have < in->piece ? in->left - have : in->piece;
    if (in->begin && have)
        memmove(stream->copy, stream->copy + in->begin, have);
    in->begin = 0;
    in->end = have;
    if (have + more > stream->copy_size) {
        size_t size = 2 * have < in->left ? 2 * have : in->left;
        if (size < have + more)
            size = have + more;
        if (!grow_copy(stream, size < 2 * LARGEST_PIECE ? 2 * LARGEST_PIECE : size))
            return fail(stream, "a stream", 0, "out of memory");
    }
    memcpy(stream->copy + have, in->shared + have, more);
    in->end += more;
    if (in->piece < LARGEST_PIECE || have >= in->piece)
        in->piece *= 2;
    return true;
}

// Bytes of a vkCmdUpdateBuffer whose data may stay where it is; 0: something else comes.
static size_t loose_update(const struct venus_stream *stream, const struct intake *in)
{
    uint32_t number;
    uint64_t size;
    if (in->end - in->begin < UPDATE_HEAD ||
        atomic_load_explicit(&stream->context->traced, memory_order_relaxed))
        return 0;
    const uint8_t *head = stream->copy + in->begin;
    memcpy(&number, head, sizeof(number));
    if (number != WIRE_vkCmdUpdateBuffer)
        return 0;
    memcpy(&size, head + UPDATE_HEAD - sizeof(size), sizeof(size));
    if (size < LEAST_LOOSE || size > LARGEST_UPDATE || size % 4 || UPDATE_HEAD + size > in->left)
        return 0;
    return UPDATE_HEAD + (size_t)size;
}

// Its data is for the GPU. Nobody on the way there looks at it, so a guest that changes it
// meanwhile has other data and no more.
static bool step_update(struct venus_stream *stream, struct intake *in, size_t size)
{
    struct wire_call wire;
    if (in->begin + size > stream->copy_size) { // the decoder counts the data, and does not read it
        memmove(stream->copy, stream->copy + in->begin, UPDATE_HEAD);
        in->begin = 0;
        in->end = UPDATE_HEAD;
    }
    const uint8_t *cursor = stream->copy + in->begin;
    stream->more = false;
    stream->loose = in->shared + UPDATE_HEAD;
    bool ok = step(stream, &cursor, cursor + size, &wire);
    stream->loose = NULL;
    in->piece = FIRST_PIECE;
    return ok;
}

static bool step_shared(struct venus_stream *stream, struct intake *in)
{
    size_t done = loose_update(stream, in);
    if (done) {
        if (!step_update(stream, in, done))
            return false;
    } else {
        const uint8_t *start = stream->copy + in->begin, *cursor = start;
        stream->more = in->end - in->begin < in->left;
        stream->cut = false;
        if (!venus_stream_step(stream, &cursor, stream->copy + in->end))
            return stream->cut && take_in(stream, in);
        done = (size_t)(cursor - start);
    }
    in->shared += done;
    in->left -= done;
    in->begin = in->begin + done < in->end ? in->begin + done : in->end;
    return true;
}

bool venus_stream_run_shared(struct venus_stream *stream, const uint8_t *shared, size_t size)
{
    struct intake in = {.shared = shared, .left = size, .piece = FIRST_PIECE};
    bool ok = true;
    while (ok && in.left) {
        if (venus_stream_stopping(stream))
            ok = false;
        else if (in.begin == in.end)
            ok = take_in(stream, &in);
        else
            ok = step_shared(stream, &in);
    }
    stream->more = false;
    if (stream->copy_size > KEPT_COPY_SIZE)
        drop_copy(stream);
    return ok;
}
