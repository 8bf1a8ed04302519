// The decoder: runs programs (table.h) over a stream that may hold anything.
//
// Every read is checked against the end of the stream, every count against what the stream (or the reply) can hold, before
// memory is taken for it. Storage is zeroed, so an op that finds a null pointer has nothing to write.
#include "wire/guest.h"
#include "wire/table.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static const char *const out_of_memory = "the command needs more memory than a command may take";

static bool run(struct wire_decoder *decoder, const struct wire_op *op, uint8_t *base);

static bool fail(struct wire_decoder *decoder, const char *reason)
{
    decoder->reason = reason;
    return false;
}

static inline bool left(const struct wire_decoder *decoder, size_t size)
{
    return LIKELY((size_t)(decoder->end - decoder->cursor) >= size);
}

static const char *const truncated = "the stream ends inside a command";

static void *alloc_array(struct wire_decoder *decoder, uint64_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return arena_alloc(decoder->arena, bytes);
}

// One link of a chain and what follows it. Bodies come in reverse order: each waits for those behind it.
static bool decode_chain(struct wire_decoder *decoder, const struct wire_struct *root, uint8_t *parent, bool partial, uint64_t *seen)
{
    if (!left(decoder, 8))
        return fail(decoder, truncated);
    uint64_t present = wire_load64(decoder->cursor);
    decoder->cursor += 8;
    if (!present)
        return true;
    if (!left(decoder, 4))
        return fail(decoder, truncated);
    int32_t stype = (int32_t)wire_load32(decoder->cursor);
    uint32_t index;
    const struct wire_program *program = wire_chain_child(root, stype, partial, &index);
    if (!program)
        return fail(decoder, "a pNext chain holds a structure that is not known there");
    if (seen[index / 64] & 1ull << index % 64) // also bounds the recursion
        return fail(decoder, "a pNext chain holds a structure twice");
    seen[index / 64] |= 1ull << index % 64;
    decoder->cursor += 4;
    uint8_t *child = arena_alloc(decoder->arena, program->size);
    if (!child)
        return fail(decoder, out_of_memory);
    wire_store32(child, (uint32_t)stype);
    wire_store_pointer(parent + offsetof(VkBaseOutStructure, pNext), child);
    return decode_chain(decoder, root, child, partial, seen) && run(decoder, wire_ops + program->first + 1, child);
}

static bool decode_struct(struct wire_decoder *decoder, const struct wire_op *op, uint8_t *object)
{
    const struct wire_struct *root = wire_structs + op->a;
    if (!left(decoder, 12))
        return fail(decoder, truncated);
    if ((int32_t)wire_load32(decoder->cursor) != root->stype)
        return fail(decoder, "wrong sType");
    wire_store32(object, (uint32_t)root->stype);
    decoder->cursor += 4;
    if (LIKELY(!wire_load64(decoder->cursor))) {
        decoder->cursor += 8;
        return true;
    }
    uint64_t seen[WIRE_MAX_CHILDREN / 64];
    memset(seen, 0, sizeof(seen));
    return decode_chain(decoder, root, object, op->flags & WIRE_OP_PARTIAL, seen);
}

static bool decode_handle(struct wire_decoder *decoder, uint32_t type, uint64_t id, uint8_t *field)
{
    if (id && type && decoder->resolve) {
        uint64_t handle;
        if (UNLIKELY(!decoder->resolve(decoder->resolve_context, (enum wire_handle)type, id, &handle, &decoder->reason)))
            return false;
        id = handle;
    }
    wire_store64(field, id);
    return true;
}

static bool decode_handles(struct wire_decoder *decoder, uint32_t type, uint64_t count, uint8_t *to)
{
    if ((size_t)(decoder->end - decoder->cursor) / 8 < count)
        return fail(decoder, truncated);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id = wire_load64(decoder->cursor);
        if (!decode_handle(decoder, type, id, to + i * 8))
            return false;
        decoder->cursor += 8;
    }
    return true;
}

// Bytes that the driver only reads stay in the stream if they are aligned there.
static bool decode_bytes(struct wire_decoder *decoder, const struct wire_op *op, uint64_t count, void **result)
{
    size_t have = (size_t)(decoder->end - decoder->cursor);
    if (count > have) // before the product, which then can't overflow
        return fail(decoder, truncated);
    size_t size = count * op->a;
    if (wire_pad(size) > have)
        return fail(decoder, truncated);
    if (op->flags & WIRE_OP_WRITABLE || (op->flags & WIRE_OP_ALIGN8 && (uintptr_t)decoder->cursor % 8)) {
        *result = arena_alloc_raw(decoder->arena, size);
        if (!*result)
            return fail(decoder, out_of_memory);
        memcpy(*result, decoder->cursor, size);
    } else {
        *result = (void *)(uintptr_t)decoder->cursor;
    }
    decoder->cursor += wire_pad(size);
    return true;
}

static bool decode_string(struct wire_decoder *decoder, bool optional, uint8_t *field)
{
    if (!left(decoder, 8))
        return fail(decoder, truncated);
    uint64_t size = wire_load64(decoder->cursor);
    if (!size && !optional)
        return fail(decoder, "a string is missing");
    decoder->cursor += 8;
    if (!size)
        return true;
    size_t have = (size_t)(decoder->end - decoder->cursor);
    if (size > have || wire_pad(size) > have)
        return fail(decoder, truncated);
    const char *text = (const char *)decoder->cursor;
    if (text[size - 1]) {
        char *copy = arena_alloc_raw(decoder->arena, size);
        if (!copy)
            return fail(decoder, out_of_memory);
        memcpy(copy, text, size - 1);
        copy[size - 1] = 0;
        text = copy;
    }
    wire_store_pointer(field, text);
    decoder->cursor += wire_pad(size);
    return true;
}

// Storage for what the driver will write. A reply can't hold more than was reserved for it, whatever the guest counts.
static bool decode_output(struct wire_decoder *decoder, const struct wire_op *op, uint64_t count, void **result)
{
    size_t size = op->a, reply = op->a, bytes;
    if (op->flags & WIRE_OP_PROGRAM) {
        size = wire_programs[op->a].size;
        reply = wire_programs[op->a].reply;
    }
    if (__builtin_mul_overflow(count, reply, &bytes) || bytes > decoder->output_left)
        return fail(decoder, "an output array is larger than the reply may be");
    decoder->output_left -= bytes;
    *result = alloc_array(decoder, count, size);
    return *result || fail(decoder, out_of_memory);
}

static bool decode_elements(struct wire_decoder *decoder, const struct wire_program *program, uint64_t count, uint8_t *to)
{
    const struct wire_op *first = wire_ops + program->first;
    for (uint64_t i = 0; i < count; i++) {
        if (!run(decoder, first, to + i * program->size))
            return false;
    }
    return true;
}

static bool decode_array(struct wire_decoder *decoder, const struct wire_program *program, uint64_t count, void **result)
{
    if ((size_t)(decoder->end - decoder->cursor) / program->least < count)
        return fail(decoder, truncated);
    *result = alloc_array(decoder, count, program->size);
    if (!*result)
        return fail(decoder, out_of_memory);
    return decode_elements(decoder, program, count, *result);
}

static bool decode_pointers(struct wire_decoder *decoder, const struct wire_program *program, uint64_t count, void **result)
{
    if ((size_t)(decoder->end - decoder->cursor) / (8 + program->least) < count)
        return fail(decoder, truncated);
    void **pointers = *result = alloc_array(decoder, count, sizeof(void *));
    if (!pointers)
        return fail(decoder, out_of_memory);
    for (uint64_t i = 0; i < count; i++) {
        if (!left(decoder, 8))
            return fail(decoder, truncated);
        if (!wire_load64(decoder->cursor))
            return fail(decoder, "a pointer in an array is missing");
        decoder->cursor += 8;
        pointers[i] = arena_alloc(decoder->arena, program->size);
        if (!pointers[i])
            return fail(decoder, out_of_memory);
        if (!run(decoder, wire_ops + program->first, pointers[i]))
            return false;
    }
    return true;
}

static bool decode_nested(struct wire_decoder *decoder, const struct wire_op *op, uint64_t count, const uint8_t *base, void **result)
{
    if ((size_t)(decoder->end - decoder->cursor) / 8 < count)
        return fail(decoder, truncated);
    void **arrays = *result = alloc_array(decoder, count, sizeof(void *));
    if (!arrays)
        return fail(decoder, out_of_memory);
    for (uint64_t i = 0; i < count; i++) {
        if (!left(decoder, 8))
            return fail(decoder, truncated);
        uint64_t inner = wire_load64(decoder->cursor);
        if (inner != wire_length(wire_lengths + op->b + 1, base, i))
            return fail(decoder, "an array in an array has another length than it should");
        decoder->cursor += 8;
        if (inner && !decode_bytes(decoder, op, inner, &arrays[i]))
            return false;
    }
    return true;
}

static bool decode_strings(struct wire_decoder *decoder, uint64_t count, void **result)
{
    if ((size_t)(decoder->end - decoder->cursor) / 12 < count)
        return fail(decoder, truncated);
    uint8_t *strings = *result = alloc_array(decoder, count, sizeof(char *));
    if (!strings)
        return fail(decoder, out_of_memory);
    for (uint64_t i = 0; i < count; i++) {
        if (!decode_string(decoder, false, strings + i * sizeof(char *)))
            return false;
    }
    return true;
}

static bool decode_dynamic(struct wire_decoder *decoder, const struct wire_op *op, uint8_t *base)
{
    if (!left(decoder, 8))
        return fail(decoder, truncated);
    uint64_t count = wire_load64(decoder->cursor);
    uint64_t length = wire_length(wire_lengths + op->b, base, 0);
    if (count != length) {
        if (count)
            return fail(decoder, "an array has another length than its counter says");
        if (!(op->flags & WIRE_OP_OPTIONAL))
            return fail(decoder, "an array is missing");
    }
    decoder->cursor += 8;
    if (!count)
        return true;
    void *array = NULL;
    bool ok;
    switch (op->code) {
    case WIRE_ARRAY_COPY:
        ok = decode_bytes(decoder, op, count, &array);
        break;
    case WIRE_ARRAY:
        ok = decode_array(decoder, wire_programs + op->a, count, &array);
        break;
    case WIRE_ARRAY_HANDLE:
        if ((size_t)(decoder->end - decoder->cursor) / 8 < count)
            return fail(decoder, truncated);
        array = arena_alloc_raw(decoder->arena, count * 8);
        ok = array ? decode_handles(decoder, op->a, count, array) : fail(decoder, out_of_memory);
        break;
    case WIRE_ARRAY_OUT:
        ok = decode_output(decoder, op, count, &array);
        break;
    case WIRE_ARRAY_STRING:
        ok = decode_strings(decoder, count, &array);
        break;
    case WIRE_ARRAY_POINTER:
        ok = decode_pointers(decoder, wire_programs + op->a, count, &array);
        break;
    default: // WIRE_ARRAY_ARRAY
        ok = decode_nested(decoder, op, count, base, &array);
        break;
    }
    if (ok)
        wire_store_pointer(base + op->offset, array);
    return ok;
}

static bool decode_pointer(struct wire_decoder *decoder, const struct wire_op *op, uint8_t *field)
{
    if (!left(decoder, 8))
        return fail(decoder, truncated);
    uint64_t present = wire_load64(decoder->cursor);
    if (!present && !(op->flags & WIRE_OP_OPTIONAL))
        return fail(decoder, "a pointer is missing");
    decoder->cursor += 8;
    if (!present)
        return true;
    const struct wire_program *program = op->code == WIRE_POINTER ? wire_programs + op->a : NULL;
    uint8_t *target = arena_alloc(decoder->arena, program ? program->size : op->a);
    if (!target)
        return fail(decoder, out_of_memory);
    wire_store_pointer(field, target);
    if (program)
        return run(decoder, wire_ops + program->first, target);
    if (op->code == WIRE_POINTER_COPY) {
        if (!left(decoder, op->a))
            return fail(decoder, truncated);
        wire_copy_words(target, decoder->cursor, op->a);
        decoder->cursor += op->a;
    }
    return true;
}

static bool decode_static(struct wire_decoder *decoder, const struct wire_op *op, uint8_t *field)
{
    if (!left(decoder, 8))
        return fail(decoder, truncated);
    if (wire_load64(decoder->cursor) != op->b)
        return fail(decoder, "an array of fixed size has another count");
    decoder->cursor += 8;
    switch (op->code) {
    case WIRE_STATIC:
        return decode_elements(decoder, wire_programs + op->a, op->b, field);
    case WIRE_STATIC_HANDLE:
        return decode_handles(decoder, op->a, op->b, field);
    case WIRE_STATIC_COPY:
        if (!left(decoder, wire_pad(op->a)))
            return fail(decoder, truncated);
        memcpy(field, decoder->cursor, op->a);
        decoder->cursor += wire_pad(op->a);
        return true;
    default: // WIRE_STATIC_OUT
        return true;
    }
}

static bool decode_union(struct wire_decoder *decoder, const struct wire_op *op, uint8_t *base)
{
    if (!left(decoder, 4))
        return fail(decoder, truncated);
    int32_t tag = (int32_t)wire_load32(decoder->cursor);
    if (op->code == WIRE_SELECT && tag != (int32_t)wire_load32(base + op->b))
        return fail(decoder, "a union's tag disagrees with its selector");
    const struct wire_program *arm = wire_union_arm(wire_unions + op->a, tag);
    if (!arm)
        return fail(decoder, "a union's tag is unknown");
    decoder->cursor += 4;
    return run(decoder, wire_ops + arm->first, base + op->offset);
}

static bool run(struct wire_decoder *decoder, const struct wire_op *op, uint8_t *base)
{
    for (;; op++) {
        uint8_t *field = base + op->offset;
        switch (op->code) {
        case WIRE_END:
            return true;
        case WIRE_COPY:
            if (!left(decoder, op->a))
                return fail(decoder, truncated);
            wire_copy_words(field, decoder->cursor, op->a);
            decoder->cursor += op->a;
            break;
        case WIRE_HANDLE:
            if (!left(decoder, 8))
                return fail(decoder, truncated);
            if (UNLIKELY(op->flags & WIRE_OP_NONNULL && !wire_load64(decoder->cursor)))
                return fail(decoder, "the object that the command is for is null");
            if (!decode_handle(decoder, op->a, wire_load64(decoder->cursor), field))
                return false;
            decoder->cursor += 8;
            break;
        case WIRE_STRUCT:
            if (!decode_struct(decoder, op, field))
                return false;
            break;
        case WIRE_POINTER:
        case WIRE_POINTER_COPY:
        case WIRE_POINTER_OUT:
            if (!decode_pointer(decoder, op, field))
                return false;
            break;
        case WIRE_ARRAY:
        case WIRE_ARRAY_COPY:
        case WIRE_ARRAY_HANDLE:
        case WIRE_ARRAY_STRING:
        case WIRE_ARRAY_POINTER:
        case WIRE_ARRAY_ARRAY:
        case WIRE_ARRAY_OUT:
            if (!decode_dynamic(decoder, op, base))
                return false;
            break;
        case WIRE_STRING:
            if (!decode_string(decoder, op->flags & WIRE_OP_OPTIONAL, field))
                return false;
            break;
        case WIRE_STATIC:
        case WIRE_STATIC_COPY:
        case WIRE_STATIC_HANDLE:
        case WIRE_STATIC_OUT:
            if (!decode_static(decoder, op, field))
                return false;
            break;
        case WIRE_UNION:
        case WIRE_SELECT:
            if (!decode_union(decoder, op, base))
                return false;
            break;
        case WIRE_ABSENT:
            if (!left(decoder, 8))
                return fail(decoder, truncated);
            if (wire_load64(decoder->cursor))
                return fail(decoder, "a pointer that can't cross is not null");
            decoder->cursor += 8;
            break;
        case WIRE_NARROW8:
            if (!left(decoder, 4))
                return fail(decoder, truncated);
            memcpy(field, decoder->cursor, 1);
            decoder->cursor += 4;
            break;
        case WIRE_NARROW16:
            if (!left(decoder, 4))
                return fail(decoder, truncated);
            memcpy(field, decoder->cursor, 2);
            decoder->cursor += 4;
            break;
        case WIRE_SET32:
            wire_store32(field, op->a);
            break;
        }
    }
}

bool wire_decode(struct wire_decoder *decoder, struct wire_call *call)
{
    decoder->reason = NULL;
    call->info = NULL;
    call->args = NULL;
    if (!left(decoder, 8))
        return fail(decoder, truncated);
    call->number = wire_load32(decoder->cursor);
    call->flags = wire_load32(decoder->cursor + 4);
    call->info = wire_command_info(call->number);
    if (UNLIKELY(!call->info))
        return fail(decoder, "unknown command");
    if (UNLIKELY(call->flags & ~WIRE_FLAG_REPLY))
        return fail(decoder, "unknown command flags");
    decoder->cursor += 8;
    decoder->output_left = call->flags & WIRE_FLAG_REPLY ? decoder->reply_capacity : UINT64_MAX;
    call->args = arena_alloc(decoder->arena, call->info->args_size);
    if (UNLIKELY(!call->args))
        return fail(decoder, out_of_memory);
    return run(decoder, call->info->request, call->args);
}

bool wire_decode_reply(struct wire_decoder *decoder, struct wire_call *call)
{
    decoder->reason = NULL;
    call->info = NULL;
    if (!left(decoder, 4))
        return fail(decoder, truncated);
    call->number = wire_load32(decoder->cursor);
    call->flags = WIRE_FLAG_REPLY;
    call->info = wire_command_info(call->number);
    if (!call->info)
        return fail(decoder, "unknown command");
    decoder->cursor += 4;
    decoder->output_left = UINT64_MAX;
    if (!call->args)
        call->args = arena_alloc(decoder->arena, call->info->args_size);
    if (!call->args)
        return fail(decoder, out_of_memory);
    return run(decoder, call->info->reply, call->args);
}
