// Replies in place: runs a command's reply program over the structures that the caller gave for its
// outputs. Takes no memory, and looks into no pointer but those the caller set.
#include "wire/guest.h"
#include "wire/table.h"

static bool run(struct wire_filler *filler, const struct wire_op *op, uint8_t *base);

static __attribute__((cold, noinline)) bool fail(struct wire_filler *filler, const char *reason)
{
    filler->reason = reason;
    return false;
}

static bool need(struct wire_filler *filler, uint64_t size)
{
    if (size <= (uint64_t)(filler->end - filler->cursor))
        return true;
    return fail(filler, "the reply ends inside an output");
}

static bool get32(struct wire_filler *filler, uint32_t *v)
{
    if (!need(filler, 4))
        return false;
    *v = wire_load32(filler->cursor);
    filler->cursor += 4;
    return true;
}

static bool get64(struct wire_filler *filler, uint64_t *v)
{
    if (!need(filler, 8))
        return false;
    *v = wire_load64(filler->cursor);
    filler->cursor += 8;
    return true;
}

static bool get_bytes(struct wire_filler *filler, void *to, uint64_t count, uint32_t each)
{
    uint64_t size;
    if (__builtin_mul_overflow(count, (uint64_t)each, &size) || size > UINT64_MAX - 3 ||
        !need(filler, (size + 3) & ~(uint64_t)3))
        return fail(filler, "the reply ends inside an output");
    memcpy(to, filler->cursor, size);
    filler->cursor += wire_pad(size);
    return true;
}

// The host echoes the structures of the chain that crossed, in their order; what it was not sent
// stays as it is.
static bool fill_chain(struct wire_filler *filler, const struct wire_struct *root, uint8_t *parent,
                       bool partial)
{
    uint64_t present;
    uint32_t stype, index;
    if (!get64(filler, &present))
        return false;
    if (!present)
        return true;
    if (!get32(filler, &stype))
        return false;
    uint8_t *child = wire_load_pointer(parent + offsetof(VkBaseOutStructure, pNext));
    while (child && wire_load32(child) != stype)
        child = wire_load_pointer(child + offsetof(VkBaseOutStructure, pNext));
    const struct wire_program *program = wire_chain_child(root, (int32_t)stype, partial, &index);
    if (!child || !program)
        return fail(filler, "the reply has a structure in a chain that the request did not");
    return fill_chain(filler, root, child, partial) &&
           run(filler, wire_ops + program->first + 1, child);
}

static bool fill_elements(struct wire_filler *filler, uint32_t program, uint64_t count, uint8_t *to)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!run(filler, wire_ops + wire_programs[program].first,
                 to + i * wire_programs[program].size))
            return false;
    }
    return true;
}

static bool fill_array(struct wire_filler *filler, const struct wire_op *op, uint8_t *base)
{
    uint64_t count;
    if (!get64(filler, &count))
        return false;
    if (!count)
        return true;
    void *array = wire_load_pointer(base + op->offset);
    uint64_t length = op->flags & WIRE_OP_COUNT32 ? wire_load32(base + op->b)
                                                  : wire_length(wire_lengths + op->b, base, 0);
    // The counter may be one that this reply has set: the room that the reply was given is what
    // bounds it.
    if (!array || count != length)
        return fail(filler, "the reply has another number of elements than its counter says");
    switch (op->code) {
    case WIRE_ARRAY_COPY:
    case WIRE_COUNTED_ARRAY_COPY:
        return get_bytes(filler, array, count, op->a);
    case WIRE_ARRAY_HANDLE:
    case WIRE_COUNTED_ARRAY_HANDLE:
        return get_bytes(filler, array, count, 8);
    case WIRE_ARRAY:
    case WIRE_COUNTED_ARRAY:
        return fill_elements(filler, op->a, count, array);
    default:
        return fail(filler, "the reply has an array of a kind that is no output");
    }
}

static bool fill_pointer(struct wire_filler *filler, const struct wire_op *op, uint8_t *field)
{
    uint64_t present;
    if (!get64(filler, &present))
        return false;
    if (!present)
        return true;
    void *target = wire_load_pointer(field);
    if (!target)
        return fail(filler, "the reply has an output that was not asked for");
    return op->code == WIRE_POINTER ? fill_elements(filler, op->a, 1, target)
                                    : get_bytes(filler, target, 1, op->a);
}

static bool fill_static(struct wire_filler *filler, const struct wire_op *op, uint8_t *field)
{
    uint64_t count;
    if (!get64(filler, &count))
        return false;
    if (count != op->b)
        return fail(filler, "the reply has an array of fixed size with another count");
    switch (op->code) {
    case WIRE_STATIC:
        return fill_elements(filler, op->a, count, field);
    case WIRE_STATIC_HANDLE:
        return get_bytes(filler, field, count, 8);
    default:
        return get_bytes(filler, field, 1, op->a);
    }
}

static bool fill_union(struct wire_filler *filler, const struct wire_op *op, uint8_t *base)
{
    uint32_t tag;
    if (!get32(filler, &tag))
        return false;
    const struct wire_program *arm = wire_union_arm(wire_unions + op->a, (int32_t)tag);
    if (!arm)
        return fail(filler, "the reply has a union with an unknown tag");
    return run(filler, wire_ops + arm->first, base + op->offset);
}

static bool fill_struct(struct wire_filler *filler, const struct wire_op *op, uint8_t *object)
{
    uint32_t stype;
    if (!get32(filler, &stype))
        return false;
    if ((int32_t)stype != wire_structs[op->a].stype)
        return fail(filler, "the reply has a structure with another sType");
    return fill_chain(filler, wire_structs + op->a, object, op->flags & WIRE_OP_PARTIAL);
}

static bool run(struct wire_filler *filler, const struct wire_op *op, uint8_t *base)
{
    for (;; op++) {
        uint8_t *field = base + op->offset;
        uint32_t narrow;
        uint64_t word;
        bool ok = true;
        switch (op->code) {
        case WIRE_END:
            return true;
        case WIRE_COPY:
        case WIRE_COPY4:
        case WIRE_COPY8:
        case WIRE_COPY16:
            ok = get_bytes(filler, field, 1, op->a);
            break;
        case WIRE_NARROW8:
            ok = get32(filler, &narrow);
            if (ok)
                memcpy(field, &narrow, 1);
            break;
        case WIRE_NARROW16:
            ok = get32(filler, &narrow);
            if (ok)
                memcpy(field, &narrow, 2);
            break;
        case WIRE_HANDLE:
        case WIRE_OBJECT:
            ok = get_bytes(filler, field, 1, 8);
            break;
        case WIRE_STRUCT:
            ok = fill_struct(filler, op, field);
            break;
        case WIRE_UNION:
        case WIRE_SELECT:
            ok = fill_union(filler, op, base);
            break;
        case WIRE_ABSENT:
            ok = get64(filler, &word);
            break;
        case WIRE_SET32:
        case WIRE_ENUM:
            break;
        case WIRE_POINTER:
        case WIRE_POINTER_COPY:
            ok = fill_pointer(filler, op, field);
            break;
        case WIRE_COUNTED_ARRAY:
        case WIRE_COUNTED_ARRAY_COPY:
        case WIRE_COUNTED_ARRAY_HANDLE:
            ok = get_bytes(filler, base + op->b, 1, 4) && fill_array(filler, op, base);
            break;
        case WIRE_STATIC:
        case WIRE_STATIC_COPY:
        case WIRE_STATIC_HANDLE:
            ok = fill_static(filler, op, field);
            break;
        case WIRE_ARRAY:
        case WIRE_ARRAY_COPY:
        case WIRE_ARRAY_HANDLE:
            ok = fill_array(filler, op, base);
            break;
        default:
            return fail(filler, "the reply has an item of a kind that is no output");
        }
        if (!ok)
            return false;
    }
}

bool wire_fill_reply(struct wire_filler *filler, const struct wire_call *call)
{
    const struct wire_command_info *info = wire_command_info(call->number);
    uint32_t number;
    filler->reason = NULL;
    if (!get32(filler, &number))
        return false;
    if (!info || number != call->number)
        return fail(filler, "the reply is one of another command");
    return run(filler, info->reply, call->args);
}
