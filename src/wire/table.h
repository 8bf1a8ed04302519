// How the generated tables describe structures and commands: programs, lists of ops over a C
// object. Private to src/wire.
//
// One program serves decoding and encoding. An op moves one item between the stream and the object
// at `offset` from the program's base; nested structures without sType are flattened into the
// program of what holds them. docs/codec.md has the whole picture.
#ifndef WIRE_TABLE_H
#define WIRE_TABLE_H

#include <stddef.h>

#include "wire/wire.h"

#if !defined(__LP64__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the tables describe little-endian LP64 machines"
#endif

enum wire_op_code {
    WIRE_END,
    WIRE_COPY,  // a bytes (a multiple of 4), the same on the wire and in C
    WIRE_COPY4, // the sizes that are common have ops of their own
    WIRE_COPY8,
    WIRE_COPY16,
    WIRE_NARROW8,  // 4 bytes on the wire, 1 in C
    WIRE_NARROW16, // 4 bytes on the wire, 2 in C
    WIRE_HANDLE,   // id of type a; type 0: stays an id
    WIRE_OBJECT,   // the same, but null is no good
    WIRE_STRUCT,   // sType and chain of wire_structs[a]
    WIRE_UNION,    // tag and arm of wire_unions[a]
    WIRE_SELECT,   // the same, and the tag must equal the 32-bit member at offset b
    WIRE_ABSENT,   // pointer to something that can't cross: presence 0
    WIRE_SET32,    // nothing on the wire; decoding sets a 32-bit member to a
    WIRE_ENUM,     // the same; the 32-bit member, which came before, is one of wire_values[a]

    // Pointers: u64 presence, then
    WIRE_POINTER,      // program a
    WIRE_POINTER_COPY, // a bytes
    WIRE_POINTER_OUT,  // nothing; decoding gives zeroed storage of a bytes

    // Arrays with length wire_lengths[b] (or see WIRE_OP_COUNT32): u64 count, then per element
    WIRE_ARRAY,         // program a
    WIRE_ARRAY_COPY,    // a bytes; the whole padded to 4
    WIRE_ARRAY_HANDLE,  // id of type a
    WIRE_ARRAY_STRING,  // string
    WIRE_ARRAY_POINTER, // u64 presence, program a; in C an array of pointers
    WIRE_ARRAY_ARRAY, // u64 count, elements of a bytes; length of the inner arrays: wire_lengths[b
                      // + 1]
    WIRE_ARRAY_OUT,   // nothing; decoding gives zeroed storage. a: bytes of an element, or its
                      // program
    WIRE_COUNTED_ARRAY, // these three: their u32 counter, which belongs at offset b, comes in front
    WIRE_COUNTED_ARRAY_COPY,
    WIRE_COUNTED_ARRAY_HANDLE,
    WIRE_STRING, // u64 length with NUL, bytes padded to 4

    // Arrays inside the object: u64 b, then b elements
    WIRE_STATIC,        // program a
    WIRE_STATIC_COPY,   // a bytes in all, padded to 4
    WIRE_STATIC_HANDLE, // id of type a
    WIRE_STATIC_OUT,    // nothing
};

enum wire_op_flags {
    WIRE_OP_OPTIONAL = 1, // may be NULL
    WIRE_OP_PARTIAL = 2,  // of WIRE_STRUCT: chained structures are skeletons too
    WIRE_OP_NONNULL = 4,  // of WIRE_HANDLE: id 0 is an error
    WIRE_OP_WRITABLE = 8, // the driver writes to it: never a pointer into the stream
    WIRE_OP_ALIGN8 = 16,  // elements are 8-byte aligned in C; otherwise 4 bytes or less
    WIRE_OP_PROGRAM = 32, // of WIRE_ARRAY_OUT: a is a program
    WIRE_OP_COUNT32 = 64, // of arrays: the length is the 32-bit member at offset b, as most are
    // For arrays of handles: none may be null.
    WIRE_OP_REQUIRED = 128,
};

// The tables call the operands a and b by what they mean to the op.
struct wire_op {
    uint8_t code, flags;
    uint16_t offset;
    union {
        uint16_t a;
        uint16_t bytes;     // of the copy, or of an element
        uint16_t type;      // enum wire_handle
        uint16_t program;   // of wire_programs
        uint16_t structure; // of wire_structs
        uint16_t choice;    // of wire_unions
        uint16_t value;
        uint16_t values; // of wire_values
    };
    union {
        uint16_t b;
        uint16_t counter;  // where it lies
        uint16_t length;   // of wire_lengths
        uint16_t count;    // itself
        uint16_t selector; // where it lies
    };
};

struct wire_program {
    uint32_t first; // in wire_ops
    uint16_t size;  // bytes of the C object
    uint16_t least; // bytes on the wire at least, bounds counts
    uint16_t reply; // bytes that the full form takes in a reply at least
};

enum wire_length_kind {
    WIRE_LENGTH_CONSTANT, // a
    WIRE_LENGTH_MEMBER32, // 32-bit member at a
    WIRE_LENGTH_MEMBER64, // 64-bit member at a
    WIRE_LENGTH_DEREF32,  // what the pointer at a points to; 0 if that is NULL
    WIRE_LENGTH_DEREF64,
    WIRE_LENGTH_QUARTER64, // 64-bit member at a, in bytes, of 4-byte words; must divide
    WIRE_LENGTH_BITS32,    // one 32-bit word per 32 of the 32-bit member at a
    WIRE_LENGTH_FOLLOW32,  // 32-bit member at b of what the pointer at a points to; 0 if that is
                           // NULL
    WIRE_LENGTH_INDEX32,   // the same of its i-th element; elements are c bytes
};

struct wire_length {
    uint16_t kind, a, b, c;
};

struct wire_struct {
    int32_t stype;
    uint16_t first, count; // in wire_children, sorted by sType
};

struct wire_child {
    int32_t stype;
    uint16_t full, partial; // programs; their first op is the WIRE_STRUCT that chains skip
};

#define WIRE_MAX_CHILDREN 256
#define WIRE_MAX_NESTING 4 // of WIRE_ARRAY and WIRE_POINTER

struct wire_union {
    uint16_t first, count; // in wire_arms
    uint16_t written;      // arm that is encoded if no selector says otherwise
};

struct wire_arm {
    int32_t tag;
    uint16_t program;
};

// Values of an enum: 0 to plain - 1, and a sorted part of wire_value_list.
struct wire_values {
    uint16_t plain, first, count;
};

extern const struct wire_op wire_ops[];
extern const struct wire_program wire_programs[];
extern const struct wire_length wire_lengths[];
extern const struct wire_struct wire_structs[];
extern const struct wire_child wire_children[];
extern const struct wire_union wire_unions[];
extern const struct wire_arm wire_arms[];
extern const struct wire_values wire_values[];
extern const uint32_t wire_value_list[];
extern const struct wire_command_info wire_commands[WIRE_COMMAND_COUNT];

extern const uint32_t wire_vocabulary_version;
extern const struct wire_extension wire_vocabulary_extensions[]; // sorted by name
extern const uint32_t wire_vocabulary_extension_count;

static inline uint32_t wire_load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t wire_load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void wire_store32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void wire_store64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void *wire_load_pointer(const void *p)
{
    void *v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void wire_store_pointer(void *p, const void *v)
{
    memcpy(p, &v, sizeof(v));
}

// Copies a multiple of 4 bytes; runs of members are short, a call of memcpy is not.
static inline void wire_copy_words(void *restrict to, const void *restrict from, size_t size)
{
    if (size == 4) {
        memcpy(to, from, 4);
    } else if (size == 8) {
        memcpy(to, from, 8);
    } else if (size <= 16) { // two overlapping copies
        memcpy(to, from, 8);
        memcpy((uint8_t *)to + size - 8, (const uint8_t *)from + size - 8, 8);
    } else if (size <= 32) {
        memcpy(to, from, 16);
        memcpy((uint8_t *)to + size - 16, (const uint8_t *)from + size - 16, 16);
    } else {
        memcpy(to, from, size);
    }
}

static inline size_t wire_pad(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

// WIRE_LENGTH_QUARTER64 of a size that does not divide gives UINT64_MAX, which no count equals.
static inline uint64_t wire_length(const struct wire_length *length, const uint8_t *base,
                                   uint64_t i)
{
    const uint8_t *field = base + length->a;
    const uint8_t *target;
    uint64_t v;
    switch (length->kind) {
    case WIRE_LENGTH_MEMBER32:
        return wire_load32(field);
    case WIRE_LENGTH_MEMBER64:
        return wire_load64(field);
    case WIRE_LENGTH_DEREF32:
        target = wire_load_pointer(field);
        return target ? wire_load32(target) : 0;
    case WIRE_LENGTH_DEREF64:
        target = wire_load_pointer(field);
        return target ? wire_load64(target) : 0;
    case WIRE_LENGTH_QUARTER64:
        v = wire_load64(field);
        return v % 4 ? UINT64_MAX : v / 4;
    case WIRE_LENGTH_BITS32:
        return ((uint64_t)wire_load32(field) + 31) / 32;
    case WIRE_LENGTH_FOLLOW32:
        target = wire_load_pointer(field);
        return target ? wire_load32(target + length->b) : 0;
    case WIRE_LENGTH_INDEX32:
        target = wire_load_pointer(field);
        return target ? wire_load32(target + i * length->c + length->b) : 0;
    default:
        return length->a;
    }
}

// The program of the structure with `stype` in the chain of `parent`, or NULL; *index is its place
// among the children.
static inline const struct wire_program *
wire_chain_child(const struct wire_struct *parent, int32_t stype, bool partial, uint32_t *index)
{
    const struct wire_child *children = wire_children + parent->first;
    uint32_t low = 0, high = parent->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (children[middle].stype < stype)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == parent->count || children[low].stype != stype)
        return NULL;
    *index = low;
    return wire_programs + (partial ? children[low].partial : children[low].full);
}

static inline const struct wire_program *wire_union_arm(const struct wire_union *un, int32_t tag)
{
    for (uint32_t i = 0; i < un->count; i++) {
        if (wire_arms[un->first + i].tag == tag)
            return wire_programs + wire_arms[un->first + i].program;
    }
    return NULL;
}

static inline bool wire_has_value(const struct wire_values *values, uint32_t value)
{
    const uint32_t *list = wire_value_list + values->first;
    uint32_t low = 0, high = values->count;
    if (value < values->plain)
        return true;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (list[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < values->count && list[low] == value;
}

// What a reply leaves out is NULL, and not what the request had for it: its counter is the reply's
// now.
static inline void wire_clear_outputs(const struct wire_op *op, uint8_t *args)
{
    for (; op->code != WIRE_END; op++) {
        if (op->code >= WIRE_POINTER && op->code <= WIRE_STRING)
            wire_store_pointer(args + op->offset, NULL);
    }
}

#endif
