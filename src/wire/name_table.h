// What the generated names look like. Private to src/wire. Texts are offsets into one pool, so that
// the tables need no relocation and cost a process that does not print nothing.
#ifndef WIRE_NAME_TABLE_H
#define WIRE_NAME_TABLE_H

#include "wire/names.h"

enum wire_field_flags {
    WIRE_FIELD_MAIN = 1,   // what the op moves; others lie at their offset as they are
    WIRE_FIELD_OUTPUT = 2, // of a request: only takes results; of a reply: named by the request
};

struct wire_field {
    uint32_t name;
    uint16_t offset; // from the base of the op's program
    uint16_t type;   // structures: of wire_shapes; enums and flags: of wire_enums; enum wire_handle
    uint8_t kind;    // enum wire_kind
    uint8_t size;    // bytes of a scalar
    uint16_t flags;
};

// A structure or union. Fields only where arrays of it are copied as they are.
struct wire_shape {
    uint32_t name;
    uint16_t first, count; // of wire_fields
};

struct wire_enum {
    uint16_t first, count; // of wire_enumerants, by value
};

struct wire_enumerant {
    int64_t value;
    uint32_t name;
};

extern const char wire_name_pool[];
extern const struct wire_field wire_fields[];
extern const uint16_t wire_op_fields[];     // by op: its first field; those of the next end them
extern const uint16_t wire_program_shape[]; // by program
extern const struct wire_shape wire_shapes[];
extern const struct wire_enum wire_enums[];
extern const struct wire_enumerant wire_enumerants[];
extern const uint32_t wire_handle_names[WIRE_HANDLE_COUNT];

#endif
