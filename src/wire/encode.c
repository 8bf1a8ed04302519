// The encoder: runs the decoder's programs the other way. Writes to memory that the guest may see:
// once, in order, never reading back.
#include "wire/guest.h"
#include "wire/table.h"

static bool run(struct wire_encoder *encoder, const struct wire_op *op, const uint8_t *base);

static inline bool left(const struct wire_encoder *encoder, size_t size)
{
    return __builtin_expect((size_t)(encoder->end - encoder->cursor) >= size, 1);
}

// No room. A measuring run has none from the start, and counts instead.
static __attribute__((noinline, cold)) bool skip(struct wire_encoder *encoder, uint64_t size)
{
    if (!encoder->measuring || size > UINT64_MAX - encoder->measured)
        return false;
    encoder->measured += size;
    return true;
}

static inline bool put32(struct wire_encoder *encoder, uint32_t v)
{
    if (!left(encoder, 4))
        return skip(encoder, 4);
    wire_store32(encoder->cursor, v);
    encoder->cursor += 4;
    return true;
}

static inline bool put64(struct wire_encoder *encoder, uint64_t v)
{
    if (!left(encoder, 8))
        return skip(encoder, 8);
    wire_store64(encoder->cursor, v);
    encoder->cursor += 8;
    return true;
}

static bool put_bytes(struct wire_encoder *encoder, const void *from, uint64_t count, uint32_t each)
{
    size_t have = (size_t)(encoder->end - encoder->cursor);
    uint64_t size;
    if (!count)
        return true;
    if (__builtin_mul_overflow(count, each, &size) || size > UINT64_MAX - 3)
        return false;
    if (size > have || wire_pad(size) > have)
        return skip(encoder, wire_pad(size));
    memcpy(encoder->cursor, from, size);
    memset(encoder->cursor + size, 0, wire_pad(size) - size);
    encoder->cursor += wire_pad(size);
    return true;
}

static bool put_handles(struct wire_encoder *encoder, const uint8_t *from, enum wire_handle type,
                        uint64_t count)
{
    if (!encoder->identify || !type)
        return put_bytes(encoder, from, count, 8);
    for (; count; count--, from += 8) {
        uint64_t handle = wire_load64(from);
        if (!put64(encoder,
                   handle ? encoder->identify(encoder->identify_context, type, handle) : 0))
            return false;
    }
    return true;
}

static bool put_string(struct wire_encoder *encoder, const char *text)
{
    uint64_t size = text ? strlen(text) + 1 : 0;
    return put64(encoder, size) && put_bytes(encoder, text ? text : "", size, 1);
}

// What is chained but not of the protocol (a handler's own additions) is left out.
static bool put_chain(struct wire_encoder *encoder, const struct wire_struct *root,
                      const uint8_t *parent, bool partial)
{
    const struct wire_program *program = NULL;
    const uint8_t *child = parent;
    uint32_t index;
    do {
        child = wire_load_pointer(child + offsetof(VkBaseOutStructure, pNext));
        if (!child)
            return put64(encoder, 0);
        program = wire_chain_child(root, (int32_t)wire_load32(child), partial, &index);
    } while (!program);
    return put64(encoder, 1) && put32(encoder, wire_load32(child)) &&
           put_chain(encoder, root, child, partial) &&
           run(encoder, wire_ops + program->first + 1, child);
}

static bool put_elements(struct wire_encoder *encoder, uint32_t program, uint64_t count,
                         const uint8_t *from)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!run(encoder, wire_ops + wire_programs[program].first,
                 from + i * wire_programs[program].size))
            return false;
    }
    return true;
}

static bool put_array(struct wire_encoder *encoder, const struct wire_op *op, const uint8_t *base)
{
    const void *array = wire_load_pointer(base + op->offset);
    uint64_t count = 0;
    if (array)
        count = op->flags & WIRE_OP_COUNT32 ? wire_load32(base + op->b)
                                            : wire_length(wire_lengths + op->b, base, 0);
    const void *const *pointers = array;
    if (!put64(encoder, count))
        return false;
    if (!count || op->code == WIRE_ARRAY_OUT)
        return true;
    switch (op->code) {
    case WIRE_ARRAY_COPY:
    case WIRE_COUNTED_ARRAY_COPY:
        return put_bytes(encoder, array, count, op->a);
    case WIRE_ARRAY_HANDLE:
    case WIRE_COUNTED_ARRAY_HANDLE:
        return put_handles(encoder, array, op->a, count);
    case WIRE_ARRAY:
    case WIRE_COUNTED_ARRAY:
        return put_elements(encoder, op->a, count, array);
    default:
        break;
    }
    for (uint64_t i = 0; i < count; i++) {
        bool ok;
        if (op->code == WIRE_ARRAY_STRING) {
            ok = put_string(encoder, pointers[i]);
        } else if (op->code == WIRE_ARRAY_POINTER) {
            ok = put64(encoder, 1) && put_elements(encoder, op->a, 1, pointers[i]);
        } else { // WIRE_ARRAY_ARRAY
            uint64_t inner = wire_length(wire_lengths + op->b + 1, base, i);
            ok = put64(encoder, inner) && put_bytes(encoder, pointers[i], inner, op->a);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool put_pointer(struct wire_encoder *encoder, const struct wire_op *op,
                        const uint8_t *field)
{
    const void *target = wire_load_pointer(field);
    if (!put64(encoder, target != NULL))
        return false;
    if (!target || op->code == WIRE_POINTER_OUT)
        return true;
    return op->code == WIRE_POINTER ? put_elements(encoder, op->a, 1, target)
                                    : put_bytes(encoder, target, 1, op->a);
}

static bool put_static(struct wire_encoder *encoder, const struct wire_op *op, const uint8_t *field)
{
    if (!put64(encoder, op->b))
        return false;
    switch (op->code) {
    case WIRE_STATIC:
        return put_elements(encoder, op->a, op->b, field);
    case WIRE_STATIC_HANDLE:
        return put_handles(encoder, field, op->a, op->b);
    case WIRE_STATIC_COPY:
        return put_bytes(encoder, field, 1, op->a);
    default: // WIRE_STATIC_OUT
        return true;
    }
}

static bool put_union(struct wire_encoder *encoder, const struct wire_op *op, const uint8_t *base)
{
    const struct wire_union *un = wire_unions + op->a;
    int32_t tag = op->code == WIRE_SELECT ? (int32_t)wire_load32(base + op->b) : un->written;
    const struct wire_program *arm = wire_union_arm(un, tag);
    return arm && put32(encoder, (uint32_t)tag) &&
           run(encoder, wire_ops + arm->first, base + op->offset);
}

static bool run(struct wire_encoder *encoder, const struct wire_op *op, const uint8_t *base)
{
    for (;; op++) {
        const uint8_t *field = base + op->offset;
        bool ok = true;
        switch (op->code) {
        case WIRE_END:
            return true;
        case WIRE_COPY:
        case WIRE_COPY4:
        case WIRE_COPY8:
        case WIRE_COPY16:
            ok = left(encoder, op->a);
            if (!ok) {
                ok = skip(encoder, op->a);
            } else {
                wire_copy_words(encoder->cursor, field, op->a);
                encoder->cursor += op->a;
            }
            break;
        case WIRE_NARROW8:
            ok = put32(encoder, *field);
            break;
        case WIRE_NARROW16:
            ok = put32(encoder, (uint32_t)field[0] | (uint32_t)field[1] << 8);
            break;
        case WIRE_HANDLE:
        case WIRE_OBJECT:
            ok = put_handles(encoder, field, op->a, 1);
            break;
        case WIRE_STRUCT:
            ok = put32(encoder, (uint32_t)wire_structs[op->a].stype) &&
                 put_chain(encoder, wire_structs + op->a, field, op->flags & WIRE_OP_PARTIAL);
            break;
        case WIRE_UNION:
        case WIRE_SELECT:
            ok = put_union(encoder, op, base);
            break;
        case WIRE_ABSENT:
            ok = put64(encoder, 0);
            break;
        case WIRE_SET32:
        case WIRE_ENUM:
            break;
        case WIRE_POINTER:
        case WIRE_POINTER_COPY:
        case WIRE_POINTER_OUT:
            ok = put_pointer(encoder, op, field);
            break;
        case WIRE_COUNTED_ARRAY:
        case WIRE_COUNTED_ARRAY_COPY:
        case WIRE_COUNTED_ARRAY_HANDLE:
            ok = put32(encoder, wire_load32(base + op->b)) && put_array(encoder, op, base);
            break;
        case WIRE_ARRAY:
        case WIRE_ARRAY_COPY:
        case WIRE_ARRAY_HANDLE:
        case WIRE_ARRAY_STRING:
        case WIRE_ARRAY_POINTER:
        case WIRE_ARRAY_ARRAY:
        case WIRE_ARRAY_OUT:
            ok = put_array(encoder, op, base);
            break;
        case WIRE_STRING:
            ok = put_string(encoder, wire_load_pointer(field));
            break;
        case WIRE_STATIC:
        case WIRE_STATIC_COPY:
        case WIRE_STATIC_HANDLE:
        case WIRE_STATIC_OUT:
            ok = put_static(encoder, op, field);
            break;
        }
        if (__builtin_expect(!ok, 0))
            return false;
    }
}

bool wire_encode_reply(struct wire_encoder *encoder, const struct wire_call *call)
{
    return put32(encoder, call->number) && run(encoder, call->info->reply, call->args);
}

bool wire_encode_request(struct wire_encoder *encoder, const struct wire_call *call)
{
    const struct wire_command_info *info = wire_command_info(call->number);
    return info && put32(encoder, call->number) && put32(encoder, call->flags) &&
           run(encoder, info->request, call->args);
}

uint64_t wire_measure_reply(const struct wire_call *call)
{
    struct wire_encoder encoder = {.measuring = true};
    return wire_encode_reply(&encoder, call) ? encoder.measured : UINT64_MAX;
}

uint64_t wire_measure_request(const struct wire_call *call)
{
    struct wire_encoder encoder = {.measuring = true};
    return wire_encode_request(&encoder, call) ? encoder.measured : UINT64_MAX;
}
