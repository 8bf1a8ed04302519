// The decoder: runs programs (table.h) over a stream that may hold anything.
//
// Every read is checked against the end of the stream, every count against what the stream (or the
// reply) can hold, before memory is taken for it. Storage is zeroed, so an op that finds a null
// pointer has nothing to write.
//
// Functions take the read position and return the next one, or NULL after fail(): in a register it
// costs nothing, in decoder->cursor each op would wait for the last one's store.
#include "wire/guest.h"
#include "wire/table.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

const char wire_truncated[] = "the stream ends inside a command";
const char wire_unknown_value[] = "a value that its type does not have";
static const char out_of_memory[] = "the command needs more memory than a command may take";

static const uint8_t *run(struct wire_decoder *decoder, const uint8_t *p, const struct wire_op *op,
                          uint8_t *base);

// `p` is where it went wrong.
__attribute__((cold, noinline)) static const uint8_t *fail(struct wire_decoder *decoder,
                                                           const uint8_t *p, const char *reason)
{
    decoder->cursor = p;
    decoder->reason = reason;
    return NULL;
}

static inline size_t left(const struct wire_decoder *decoder, const uint8_t *p)
{
    return (size_t)(decoder->end - p);
}

// Can the stream hold `count` elements of at least `least` bytes? (The first comparison keeps the
// product from overflowing.)
static inline bool holds(const struct wire_decoder *decoder, const uint8_t *p, uint64_t count,
                         size_t least)
{
    size_t have = left(decoder, p);
    return count <= have && count * least <= have;
}

static void *alloc_array(struct wire_decoder *decoder, uint64_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_alloc(decoder->arena, bytes);
}

// One link of a chain and what follows it. Bodies come in reverse order: each waits for those
// behind it.
static const uint8_t *decode_chain(struct wire_decoder *decoder, const uint8_t *p,
                                   const struct wire_struct *root, uint8_t *parent, bool partial,
                                   uint64_t *seen)
{
    if (UNLIKELY(left(decoder, p) < 8))
        return fail(decoder, p, wire_truncated);
    if (!wire_load64(p))
        return p + 8;
    if (UNLIKELY(left(decoder, p) < 12))
        return fail(decoder, p, wire_truncated);
    int32_t stype = (int32_t)wire_load32(p + 8);
    uint32_t index;
    const struct wire_program *program = wire_chain_child(root, stype, partial, &index);
    if (!program)
        return fail(decoder, p + 8, "a pNext chain holds a structure that is not known there");
    if (seen[index / 64] & 1ull << index % 64) // also bounds the recursion
        return fail(decoder, p + 8, "a pNext chain holds a structure twice");
    seen[index / 64] |= 1ull << index % 64;
    uint8_t *child = arena_alloc(decoder->arena, program->size);
    if (!child)
        return fail(decoder, p, out_of_memory);
    wire_store32(child, (uint32_t)stype);
    wire_store_pointer(parent + offsetof(VkBaseOutStructure, pNext), child);
    p = decode_chain(decoder, p + 12, root, child, partial, seen);
    return p ? run(decoder, p, wire_ops + program->first + 1, child) : NULL;
}

__attribute__((noinline)) static const uint8_t *decode_chain_of(struct wire_decoder *decoder,
                                                                const uint8_t *p,
                                                                const struct wire_op *op,
                                                                uint8_t *object)
{
    uint64_t seen[WIRE_MAX_CHILDREN / 64] = {0};
    return decode_chain(decoder, p, wire_structs + op->a, object, op->flags & WIRE_OP_PARTIAL,
                        seen);
}

// Where vk.xml wants an object: whoever resolves it decides what null is.
static inline bool decode_object(struct wire_decoder *decoder, uint32_t type, uint64_t id,
                                 uint8_t *field)
{
    if (type && decoder->resolve &&
        UNLIKELY(!decoder->resolve(decoder->resolve_context, (enum wire_handle)type, id, &id,
                                   &decoder->reason)))
        return false;
    wire_store64(field, id);
    return true;
}

static inline bool decode_handle(struct wire_decoder *decoder, uint32_t type, uint64_t id,
                                 uint8_t *field)
{
    if (id)
        return decode_object(decoder, type, id, field);
    wire_store64(field, 0);
    return true;
}

static const uint8_t *decode_handles(struct wire_decoder *decoder, const uint8_t *p, uint32_t type,
                                     uint64_t count, bool objects, uint8_t *to)
{
    if (!holds(decoder, p, count, 8))
        return fail(decoder, p, wire_truncated);
    const uint8_t *last = p + count * 8;
    for (; objects && p < last; p += 8, to += 8) {
        if (UNLIKELY(!decode_object(decoder, type, wire_load64(p), to)))
            return fail(decoder, p, decoder->reason);
    }
    for (; p < last; p += 8, to += 8) {
        if (UNLIKELY(!decode_handle(decoder, type, wire_load64(p), to)))
            return fail(decoder, p, decoder->reason);
    }
    return p;
}

// Bytes that the driver only reads stay in the stream if they are aligned there.
static const uint8_t *decode_bytes(struct wire_decoder *decoder, const uint8_t *p,
                                   const struct wire_op *op, uint64_t count, void **result)
{
    size_t have = left(decoder, p);
    if (count > have) // before the product, which then cannot overflow
        return fail(decoder, p, wire_truncated);
    size_t size = count * op->a;
    if (wire_pad(size) > have)
        return fail(decoder, p, wire_truncated);
    if (op->flags & WIRE_OP_WRITABLE || (op->flags & WIRE_OP_ALIGN8 && (uintptr_t)p % 8)) {
        *result = arena_alloc_raw(decoder->arena, size);
        if (!*result)
            return fail(decoder, p, out_of_memory);
        memcpy(*result, p, size);
    } else {
        *result = (void *)(uintptr_t)p;
    }
    return p + wire_pad(size);
}

static const uint8_t *decode_string(struct wire_decoder *decoder, const uint8_t *p, bool optional,
                                    uint8_t *field)
{
    if (left(decoder, p) < 8)
        return fail(decoder, p, wire_truncated);
    uint64_t size = wire_load64(p);
    if (!size)
        return optional ? p + 8 : fail(decoder, p, "a string is missing");
    p += 8;
    size_t have = left(decoder, p);
    if (size > have || wire_pad(size) > have)
        return fail(decoder, p, wire_truncated);
    const uint8_t *text = p;
    if (text[size - 1]) {
        uint8_t *copy = arena_alloc_raw(decoder->arena, size);
        if (!copy)
            return fail(decoder, p, out_of_memory);
        memcpy(copy, text, size - 1);
        copy[size - 1] = 0;
        text = copy;
    }
    wire_store_pointer(field, text);
    return p + wire_pad(size);
}

// Storage for what the driver will write. A reply cannot hold more than was reserved for it,
// whatever the guest counts.
static const uint8_t *decode_output(struct wire_decoder *decoder, const uint8_t *p,
                                    const struct wire_op *op, uint64_t count, void **result)
{
    size_t size = op->a, reply = op->a, bytes;
    if (op->flags & WIRE_OP_PROGRAM) {
        size = wire_programs[op->a].size;
        reply = wire_programs[op->a].reply;
    }
    if (__builtin_mul_overflow(count, reply, &bytes) || bytes > decoder->output_left)
        return fail(decoder, p, "an output array is larger than the reply may be");
    decoder->output_left -= bytes;
    *result = alloc_array(decoder, count, size);
    return *result ? p : fail(decoder, p, out_of_memory);
}

static const uint8_t *decode_elements(struct wire_decoder *decoder, const uint8_t *p,
                                      const struct wire_program *program, uint64_t count,
                                      uint8_t *to)
{
    const struct wire_op *first = wire_ops + program->first;
    for (; p && count; count--, to += program->size)
        p = run(decoder, p, first, to);
    return p;
}

static const uint8_t *decode_pointers(struct wire_decoder *decoder, const uint8_t *p,
                                      const struct wire_program *program, uint64_t count,
                                      void **result)
{
    if (!holds(decoder, p, count, 8 + program->least))
        return fail(decoder, p, wire_truncated);
    void **pointers = *result = alloc_array(decoder, count, sizeof(void *));
    if (!pointers)
        return fail(decoder, p, out_of_memory);
    for (uint64_t i = 0; p && i < count; i++) {
        if (left(decoder, p) < 8)
            return fail(decoder, p, wire_truncated);
        if (!wire_load64(p))
            return fail(decoder, p, "a pointer in an array is missing");
        pointers[i] = arena_alloc(decoder->arena, program->size);
        if (!pointers[i])
            return fail(decoder, p, out_of_memory);
        p = run(decoder, p + 8, wire_ops + program->first, pointers[i]);
    }
    return p;
}

static const uint8_t *decode_nested(struct wire_decoder *decoder, const uint8_t *p,
                                    const struct wire_op *op, uint64_t count, const uint8_t *base,
                                    void **result)
{
    if (!holds(decoder, p, count, 8))
        return fail(decoder, p, wire_truncated);
    void **arrays = *result = alloc_array(decoder, count, sizeof(void *));
    if (!arrays)
        return fail(decoder, p, out_of_memory);
    for (uint64_t i = 0; p && i < count; i++) {
        if (left(decoder, p) < 8)
            return fail(decoder, p, wire_truncated);
        uint64_t inner = wire_load64(p);
        if (inner != wire_length(wire_lengths + op->b + 1, base, i))
            return fail(decoder, p,
                        "an array in an array has another length than its counter says");
        p += 8;
        if (inner)
            p = decode_bytes(decoder, p, op, inner, &arrays[i]);
    }
    return p;
}

static const uint8_t *decode_strings(struct wire_decoder *decoder, const uint8_t *p, uint64_t count,
                                     void **result)
{
    if (!holds(decoder, p, count, 12))
        return fail(decoder, p, wire_truncated);
    uint8_t *strings = *result = alloc_array(decoder, count, sizeof(char *));
    if (!strings)
        return fail(decoder, p, out_of_memory);
    for (; p && count; count--, strings += sizeof(char *))
        p = decode_string(decoder, p, false, strings);
    return p;
}

static const uint8_t *decode_pointer(struct wire_decoder *decoder, const uint8_t *p,
                                     const struct wire_op *op, uint8_t *field)
{
    if (UNLIKELY(left(decoder, p) < 8))
        return fail(decoder, p, wire_truncated);
    if (!wire_load64(p))
        return op->flags & WIRE_OP_OPTIONAL ? p + 8 : fail(decoder, p, "a pointer is missing");
    p += 8;
    uint8_t *target = arena_alloc(decoder->arena, op->a);
    if (!target)
        return fail(decoder, p, out_of_memory);
    wire_store_pointer(field, target);
    if (op->code == WIRE_POINTER_OUT)
        return p;
    if (UNLIKELY(left(decoder, p) < op->a))
        return fail(decoder, p, wire_truncated);
    wire_copy_words(target, p, op->a);
    return p + op->a;
}

static const uint8_t *decode_static(struct wire_decoder *decoder, const uint8_t *p,
                                    const struct wire_op *op, uint8_t *field)
{
    if (left(decoder, p) < 8)
        return fail(decoder, p, wire_truncated);
    if (wire_load64(p) != op->b)
        return fail(decoder, p, "an array of fixed size has another count");
    p += 8;
    switch (op->code) {
    case WIRE_STATIC:
        return decode_elements(decoder, p, wire_programs + op->a, op->b, field);
    case WIRE_STATIC_HANDLE:
        return decode_handles(decoder, p, op->a, op->b, false, field);
    case WIRE_STATIC_COPY:
        if (left(decoder, p) < wire_pad(op->a))
            return fail(decoder, p, wire_truncated);
        memcpy(field, p, op->a);
        return p + wire_pad(op->a);
    default: // WIRE_STATIC_OUT
        return p;
    }
}

static const uint8_t *decode_union(struct wire_decoder *decoder, const uint8_t *p,
                                   const struct wire_op *op, uint8_t *base)
{
    if (left(decoder, p) < 4)
        return fail(decoder, p, wire_truncated);
    int32_t tag = (int32_t)wire_load32(p);
    if (op->code == WIRE_SELECT && tag != (int32_t)wire_load32(base + op->b))
        return fail(decoder, p, "a union's tag disagrees with its selector");
    const struct wire_program *arm = wire_union_arm(wire_unions + op->a, tag);
    if (!arm)
        return fail(decoder, p, "a union's tag is unknown");
    return run(decoder, p + 4, wire_ops + arm->first, base + op->offset);
}

// The count in front of an array: what its counter says, or 0 where the array may be left out.
static inline bool decode_count(struct wire_decoder *decoder, const uint8_t *p,
                                const struct wire_op *op, const uint8_t *base, uint64_t *count)
{
    if (UNLIKELY(left(decoder, p) < 8)) {
        fail(decoder, p, wire_truncated);
        return false;
    }
    *count = wire_load64(p);
    uint64_t length = op->flags & WIRE_OP_COUNT32 ? wire_load32(base + op->b)
                                                  : wire_length(wire_lengths + op->b, base, 0);
    if (LIKELY(*count == length) || (!*count && op->flags & WIRE_OP_OPTIONAL))
        return true;
    fail(decoder, p,
         *count ? "an array has another length than its counter says" : "an array is missing");
    return false;
}

static const uint8_t *run(struct wire_decoder *decoder, const uint8_t *p, const struct wire_op *op,
                          uint8_t *base)
{
    // A jump of its own behind each op: the processor learns what follows what. ISO C has no such
    // thing; gcc and clang do.
    static const void *const targets[] = {
        [WIRE_END] = &&WIRE_END,
        [WIRE_COPY] = &&WIRE_COPY,
        [WIRE_COPY4] = &&WIRE_COPY4,
        [WIRE_COPY8] = &&WIRE_COPY8,
        [WIRE_COPY16] = &&WIRE_COPY16,
        [WIRE_NARROW8] = &&WIRE_NARROW8,
        [WIRE_NARROW16] = &&WIRE_NARROW16,
        [WIRE_HANDLE] = &&WIRE_HANDLE,
        [WIRE_OBJECT] = &&WIRE_OBJECT,
        [WIRE_STRUCT] = &&WIRE_STRUCT,
        [WIRE_UNION] = &&WIRE_UNION,
        [WIRE_SELECT] = &&WIRE_UNION,
        [WIRE_ABSENT] = &&WIRE_ABSENT,
        [WIRE_SET32] = &&WIRE_SET32,
        [WIRE_ENUM] = &&WIRE_ENUM,
        [WIRE_POINTER] = &&WIRE_POINTER,
        [WIRE_POINTER_COPY] = &&WIRE_POINTER_OTHER,
        [WIRE_POINTER_OUT] = &&WIRE_POINTER_OTHER,
        [WIRE_ARRAY] = &&WIRE_ARRAY,
        [WIRE_ARRAY_COPY] = &&WIRE_ARRAY_COPY,
        [WIRE_ARRAY_HANDLE] = &&WIRE_ARRAY_HANDLE,
        [WIRE_ARRAY_STRING] = &&WIRE_ARRAY_OTHER,
        [WIRE_ARRAY_POINTER] = &&WIRE_ARRAY_OTHER,
        [WIRE_ARRAY_ARRAY] = &&WIRE_ARRAY_OTHER,
        [WIRE_ARRAY_OUT] = &&WIRE_ARRAY_OTHER,
        [WIRE_COUNTED_ARRAY] = &&WIRE_COUNTED_ARRAY,
        [WIRE_COUNTED_ARRAY_COPY] = &&WIRE_COUNTED_ARRAY_COPY,
        [WIRE_COUNTED_ARRAY_HANDLE] = &&WIRE_COUNTED_ARRAY_HANDLE,
        [WIRE_STRING] = &&WIRE_STRING,
        [WIRE_STATIC] = &&WIRE_STATIC,
        [WIRE_STATIC_COPY] = &&WIRE_STATIC,
        [WIRE_STATIC_HANDLE] = &&WIRE_STATIC,
        [WIRE_STATIC_OUT] = &&WIRE_STATIC,
    };
    // Arrays of structures and pointers to them run in the same loop: what to go on with when the
    // last one is done.
    struct {
        const struct wire_op *op, *first;
        uint8_t *base;
        uint64_t count;
        size_t size;
    } frames[WIRE_MAX_NESTING], *frame = frames;
    const uint8_t *const end = decoder->end;
    const struct wire_program *program;
    uint64_t count;
    void *array;

#define NEED(size)                                                                                 \
    if (UNLIKELY((size_t)(end - p) < (size_t)(size)))                                              \
    return fail(decoder, p, wire_truncated)
#define CHECK(ok)                                                                                  \
    if (UNLIKELY(!(ok)))                                                                           \
    return NULL
#define FIELD (base + op->offset)
#define MOVE(wire, c)                                                                              \
    NEED(wire);                                                                                    \
    memcpy(FIELD, p, c);                                                                           \
    p += wire
#define NEXT goto *targets[(++op)->code]

    goto *targets[op->code];
WIRE_END:
    if (frame == frames)
        return p;
    if (--frame[-1].count) {
        base += frame[-1].size;
        op = frame[-1].first;
        goto *targets[op->code];
    }
    frame--;
    base = frame->base;
    op = frame->op;
    NEXT;
WIRE_COPY4:
    MOVE(4, 4);
    NEXT;
WIRE_COPY8:
    MOVE(8, 8);
    NEXT;
WIRE_COPY16:
    MOVE(16, 16);
    NEXT;
WIRE_COPY : {
    size_t size = op->a;
    NEED(size);
    wire_copy_words(FIELD, p, size);
    p += size;
    NEXT;
}
WIRE_HANDLE:
    NEED(8);
    if (UNLIKELY(op->flags & WIRE_OP_NONNULL && !wire_load64(p)))
        return fail(decoder, p, "the object that the command is for is null");
    if (UNLIKELY(!decode_handle(decoder, op->a, wire_load64(p), FIELD)))
        return fail(decoder, p, decoder->reason);
    p += 8;
    NEXT;
WIRE_OBJECT:
    NEED(8);
    if (UNLIKELY(!decode_object(decoder, op->a, wire_load64(p), FIELD)))
        return fail(decoder, p, decoder->reason);
    p += 8;
    NEXT;
WIRE_STRUCT:
    NEED(12);
    if (UNLIKELY((int32_t)wire_load32(p) != wire_structs[op->a].stype))
        return fail(decoder, p, "wrong sType");
    wire_store32(FIELD, wire_load32(p));
    if (LIKELY(!wire_load64(p + 4))) {
        p += 12;
    } else {
        p = decode_chain_of(decoder, p + 4, op, FIELD);
        CHECK(p);
    }
    NEXT;
WIRE_COUNTED_ARRAY_COPY:
    NEED(4);
    memcpy(base + op->b, p, 4);
    p += 4;
WIRE_ARRAY_COPY:
    CHECK(decode_count(decoder, p, op, base, &count));
    p += 8;
    if (count) {
        p = decode_bytes(decoder, p, op, count, &array);
        CHECK(p);
        wire_store_pointer(FIELD, array);
    }
    NEXT;
WIRE_COUNTED_ARRAY_HANDLE:
    NEED(4);
    memcpy(base + op->b, p, 4);
    p += 4;
WIRE_ARRAY_HANDLE:
    CHECK(decode_count(decoder, p, op, base, &count));
    p += 8;
    if (count) {
        if (!holds(decoder, p, count, 8))
            return fail(decoder, p, wire_truncated);
        array = arena_alloc_raw(decoder->arena, count * 8);
        if (UNLIKELY(!array))
            return fail(decoder, p, out_of_memory);
        wire_store_pointer(FIELD, array);
        p = decode_handles(decoder, p, op->a, count, op->flags & WIRE_OP_REQUIRED, array);
        CHECK(p);
    }
    NEXT;
WIRE_COUNTED_ARRAY:
    NEED(4);
    memcpy(base + op->b, p, 4);
    p += 4;
WIRE_ARRAY:
    CHECK(decode_count(decoder, p, op, base, &count));
    p += 8;
    if (!count)
        NEXT;
    program = wire_programs + op->a;
    if (!holds(decoder, p, count, program->least))
        return fail(decoder, p, wire_truncated);
    array = alloc_array(decoder, count, program->size);
    if (UNLIKELY(!array))
        return fail(decoder, p, out_of_memory);
    goto enter;
WIRE_POINTER:
    NEED(8);
    if (!wire_load64(p)) {
        if (UNLIKELY(!(op->flags & WIRE_OP_OPTIONAL)))
            return fail(decoder, p, "a pointer is missing");
        p += 8;
        NEXT;
    }
    p += 8;
    program = wire_programs + op->a;
    count = 1;
    array = arena_alloc(decoder->arena, program->size);
    if (UNLIKELY(!array))
        return fail(decoder, p, out_of_memory);
enter:
    wire_store_pointer(FIELD, array);
    frame->op = op;
    frame->base = base;
    frame->first = op = wire_ops + program->first;
    frame->count = count;
    frame->size = program->size;
    frame++;
    base = array;
    goto *targets[op->code];
WIRE_ARRAY_OTHER:
    CHECK(decode_count(decoder, p, op, base, &count));
    p += 8;
    if (count) {
        if (op->code == WIRE_ARRAY_OUT)
            p = decode_output(decoder, p, op, count, &array);
        else if (op->code == WIRE_ARRAY_STRING)
            p = decode_strings(decoder, p, count, &array);
        else if (op->code == WIRE_ARRAY_POINTER)
            p = decode_pointers(decoder, p, wire_programs + op->a, count, &array);
        else
            p = decode_nested(decoder, p, op, count, base, &array);
        CHECK(p);
        wire_store_pointer(FIELD, array);
    }
    NEXT;
WIRE_POINTER_OTHER:
    p = decode_pointer(decoder, p, op, FIELD);
    CHECK(p);
    NEXT;
WIRE_STRING:
    p = decode_string(decoder, p, op->flags & WIRE_OP_OPTIONAL, FIELD);
    CHECK(p);
    NEXT;
WIRE_STATIC:
    p = decode_static(decoder, p, op, FIELD);
    CHECK(p);
    NEXT;
WIRE_UNION:
    p = decode_union(decoder, p, op, base);
    CHECK(p);
    NEXT;
WIRE_ABSENT:
    NEED(8);
    if (UNLIKELY(wire_load64(p)))
        return fail(decoder, p, "a pointer that cannot cross is not null");
    p += 8;
    NEXT;
WIRE_NARROW8:
    MOVE(4, 1);
    NEXT;
WIRE_NARROW16:
    MOVE(4, 2);
    NEXT;
WIRE_SET32:
    wire_store32(FIELD, op->a);
    NEXT;
WIRE_ENUM:
    if (UNLIKELY(!wire_has_value(wire_values + op->a, wire_load32(FIELD)))) {
        decoder->unknown_value = true;
        CHECK(decoder->any_value || fail(decoder, p, wire_unknown_value));
    }
    NEXT;

#undef NEED
#undef CHECK
#undef FIELD
#undef MOVE
#undef NEXT
}

static bool refuse(struct wire_decoder *decoder, const uint8_t *p, const char *reason)
{
    fail(decoder, p, reason);
    return false;
}

bool wire_decode(struct wire_decoder *decoder, struct wire_call *call)
{
    const uint8_t *p = decoder->cursor;
    decoder->reason = NULL;
    *call = (struct wire_call){0};
    if (UNLIKELY(left(decoder, p) < 8))
        return refuse(decoder, p, wire_truncated);
    call->number = wire_load32(p);
    call->flags = wire_load32(p + 4);
    if (UNLIKELY(call->number >= WIRE_COMMAND_COUNT || !wire_commands[call->number].name))
        return refuse(decoder, p, "unknown command");
    const struct wire_command_info *info = call->info = &wire_commands[call->number];
    if (UNLIKELY(call->flags & ~WIRE_FLAG_REPLY))
        return refuse(decoder, p + 4, "unknown command flags");
    decoder->output_left = call->flags & WIRE_FLAG_REPLY ? decoder->reply_capacity : UINT64_MAX;
    call->args = arena_alloc(decoder->arena, info->args_size);
    if (UNLIKELY(!call->args))
        return refuse(decoder, p, out_of_memory);
    p = run(decoder, p + 8, info->request, call->args);
    if (LIKELY(p))
        decoder->cursor = p;
    return p;
}

bool wire_decode_reply(struct wire_decoder *decoder, struct wire_call *call)
{
    const uint8_t *p = decoder->cursor;
    decoder->reason = NULL;
    if (left(decoder, p) < 4)
        return refuse(decoder, p, wire_truncated);
    if (call->args && call->number != wire_load32(p))
        return refuse(decoder, p, "the reply of another command");
    call->number = wire_load32(p);
    call->flags = WIRE_FLAG_REPLY;
    if (!(call->info = wire_command_info(call->number)))
        return refuse(decoder, p, "unknown command");
    decoder->output_left = UINT64_MAX;
    if (call->args)
        wire_clear_outputs(call->info->reply, call->args);
    else if (!(call->args = arena_alloc(decoder->arena, call->info->args_size)))
        return refuse(decoder, p, out_of_memory);
    p = run(decoder, p + 4, call->info->reply, call->args);
    if (LIKELY(p))
        decoder->cursor = p;
    return p;
}
