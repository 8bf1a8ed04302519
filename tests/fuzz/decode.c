// Fuzzes the decoder, and with what it let through the encoder and the visitor. Input: one word of
// options, then a stream of commands.
#include <stdio.h>
#include <stdlib.h>

#include "wire/guest.h"
#include "wire/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    OPTION_RESOLVE = 1,
    OPTION_SMALL_REPLIES = 2,
    OPTION_SMALL_ARENA = 4,
};

#define OUT_SIZE ((size_t)1 << 20)

// Some ids are unknown.
static bool resolve(void *context, enum wire_handle type, uint64_t id, uint64_t *handle,
                    const char **reason)
{
    if (type <= WIRE_HANDLE_NONE || type >= WIRE_HANDLE_COUNT)
        abort();
    *reason = "unknown object";
    *handle = id ? id ^ (uint64_t)1 << 63 : 0;
    return id % 16 != 15 && (*handle || !id);
}

static void *exact_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    return copy;
}

// Reads all that it is shown: the address sanitizer sees what is not there.
static unsigned sum;

static void look(void *data, const struct wire_item *item)
{
    const uint8_t *bytes = item->data;
    sum += item->name ? (unsigned)strlen(item->name) : 0;
    if (!bytes || item->storage)
        return;
    for (uint64_t i = 0; i < item->count * item->size; i++)
        sum += bytes[i];
    if (item->kind == WIRE_KIND_ENUM || item->kind == WIRE_KIND_FLAGS)
        sum += wire_enumerant(item->type, *bytes) != NULL;
    if (item->kind == WIRE_KIND_HANDLE)
        sum += *wire_handle_name(item->type) != 0;
}

// Some are left out.
static uint64_t enter(void *depth, const struct wire_group *group)
{
    uint64_t elements = group->array ? 1000 : sum % 16;
    *(int *)depth += elements != 0;
    return elements;
}

static void leave(void *depth, const struct wire_group *group)
{
    if (--*(int *)depth < 0)
        abort();
}

static void check_visit(const struct wire_call *call, bool reply)
{
    int depth = 0;
    struct wire_visitor visitor = {&depth, look, enter, leave};
    (reply ? wire_visit_reply : wire_visit_request)(call, &visitor);
    if (depth)
        abort();
}

// The bytes of one command, and what follows it as its reply: a tracer reads both.
static void check_told_reply(struct wire_call *call, const uint8_t *bytes, size_t size,
                             struct arena *arena)
{
    uint8_t *reply = malloc(size + 4);
    if (!reply)
        abort();
    memcpy(reply, &call->number, 4);
    memcpy(reply + 4, bytes, size);
    struct wire_decoder decoder = {.cursor = reply, .end = reply + size + 4, .arena = arena};
    if (wire_decode_reply(&decoder, call))
        check_visit(call, true);
    free(reply);
}

// What was decoded, encoded and decoded again gives the same bytes: nothing was lost or invented on
// the way.
static void check_request(const struct wire_call *call, uint8_t *out, size_t limit)
{
    struct wire_encoder encoder = {out, out + OUT_SIZE};
    if (!wire_encode_request(&encoder, call))
        return; // too long for us
    size_t size = (size_t)(encoder.cursor - out);
    if (wire_measure_request(call) != size)
        abort();
    struct arena arena;
    arena_init(&arena, limit);
    uint8_t *first = exact_copy(out, size);
    struct wire_decoder decoder = {
        .cursor = first, .end = first + size, .arena = &arena, .reply_capacity = UINT64_MAX};
    struct wire_call again;
    if (!wire_decode(&decoder, &again) || decoder.cursor != decoder.end) {
        fprintf(stderr, "%s: %s\n", call->info->name, decoder.reason);
        abort();
    }
    encoder = (struct wire_encoder){out, out + OUT_SIZE};
    if (!wire_encode_request(&encoder, &again) || (size_t)(encoder.cursor - out) != size ||
        memcmp(out, first, size)) {
        fprintf(stderr, "%s: another request came out\n", call->info->name);
        abort();
    }
    free(first);
    arena_finish(&arena);
}

// A reply goes into a range of just the size that was reserved for it.
static void check_reply(const struct wire_call *call, size_t capacity)
{
    uint8_t *out = malloc(capacity);
    struct wire_encoder encoder = {out, out + capacity};
    if (wire_encode_reply(&encoder, call) && (size_t)(encoder.cursor - out) > capacity)
        abort();
    free(out);
}

static uint8_t out[OUT_SIZE];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t options;
    if (size < sizeof(options))
        return 0;
    memcpy(&options, data, sizeof(options));
    size -= sizeof(options);
    uint8_t *stream = exact_copy(data + sizeof(options), size);
    size_t limit = options & OPTION_SMALL_ARENA ? 4096 : 4 << 20;
    size_t capacity = options & OPTION_SMALL_REPLIES ? 256 : 65536;
    struct arena arena;
    arena_init(&arena, limit);
    struct wire_decoder decoder = {.cursor = stream,
                                   .end = stream + size,
                                   .arena = &arena,
                                   .resolve = options & OPTION_RESOLVE ? resolve : NULL,
                                   .reply_capacity = capacity};
    while (decoder.cursor < decoder.end) {
        const uint8_t *start = decoder.cursor;
        struct wire_call call;
        if (!wire_decode(&decoder, &call)) {
            if (!decoder.reason || decoder.cursor < start || decoder.cursor > decoder.end)
                abort();
            break;
        }
        if (decoder.cursor < start + 8 || decoder.cursor > decoder.end)
            abort();
        check_reply(&call, capacity);
        check_visit(&call, false);
        check_request(&call, out, 64 << 20);
        check_told_reply(&call, decoder.cursor, (size_t)(decoder.end - decoder.cursor), &arena);
        arena_reset(&arena);
    }
    arena_finish(&arena);
    free(stream);
    return 0;
}
