// The codec for persons: walks decoded arguments with the names and kinds of all that is in them.
// For tools that print; neither the renderer nor a guest needs it.
//
// The generated names (wire_names.c) lie beside the tables of the codec; a visit reads both.
//
// Thread: any. Nothing is allocated.
#ifndef WIRE_NAMES_H
#define WIRE_NAMES_H

#include "wire/wire.h"

enum wire_kind {
    // These three are of the tables, and never seen by a visitor: what is nested stands between the
    // first two.
    WIRE_KIND_ENTER,
    WIRE_KIND_LEAVE,
    WIRE_KIND_STRUCT,

    WIRE_KIND_SIGNED,
    WIRE_KIND_UNSIGNED,
    WIRE_KIND_FLOAT,
    WIRE_KIND_BOOL,
    WIRE_KIND_ADDRESS, // of a device
    WIRE_KIND_ENUM,    // of `type`, for wire_enumerant
    WIRE_KIND_FLAGS,   // likewise
    WIRE_KIND_HANDLE,  // `type` is enum wire_handle; as decoding left it: without a resolver an id
    WIRE_KIND_CHAR,    // text; ends at its first NUL or its count
    WIRE_KIND_BYTES,   // without a meaning to the codec
    WIRE_KIND_ABSENT,  // a pointer to what can not cross; always null
};

// One value, or values of one kind side by side.
struct wire_item {
    const char *name; // of the member or parameter; NULL: an element of an array
    enum wire_kind kind;
    uint32_t type, size; // size: bytes of one value
    uint64_t count;      // of values
    bool array;          // false: it is one value, or a pointer to one
    bool storage;        // there is nothing but room for results
    const void *data;    // any alignment; NULL: a null pointer
};

// What holds others: a structure, a union (its arm is the only member), an array.
struct wire_group {
    const char *name; // as of an item
    const char *type; // "VkExtent2D"; NULL: not a structure or union
    bool array;
    uint64_t count; // of the array
};

// Items and groups in the order in which they cross.
struct wire_visitor {
    void *data;
    void (*item)(void *data, const struct wire_item *item);
    // How many elements of an array to visit; of others any number but 0 means all. 0: none, and
    // `leave` is not called.
    uint64_t (*enter)(void *data, const struct wire_group *group);
    void (*leave)(void *data, const struct wire_group *group);
};

// Visits what the request has: parameters but those that only take results. The arguments are as
// wire_decode gave them, or as wire_encode_request would take them.
void wire_visit_request(const struct wire_call *call, const struct wire_visitor *visitor);
// Visits `ret` and what the command has written. Ids of new objects are left to the request.
void wire_visit_reply(const struct wire_call *call, const struct wire_visitor *visitor);

// The enumerant or flag bit with this value: "VK_FORMAT_R8G8B8A8_UNORM"; NULL: no name.
const char *wire_enumerant(uint32_t type, int64_t value);
// "VkBuffer"; "" for WIRE_HANDLE_NONE.
const char *wire_handle_name(enum wire_handle type);

#endif
