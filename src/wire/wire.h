// The Venus codec: bytes of a command stream ⇄ Vulkan structures. Knows no driver, no socket, no
// process.
//
// The tables behind it are generated from the Khronos registry and protocol/venus.xml
// (docs/codec.md). Everything here works on memory private to the caller: copy a guest's bytes
// first. Nothing here locks, allocates (but from the arena given) or logs.
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdbool.h>

#include "base/arena.h"
#include "wire_vulkan.h" // generated: Vulkan headers, private structs, enum wire_command, enum wire_handle, struct wire_args_*

// ---- the vocabulary -------------------------------------------------------

struct wire_command_info {
    const char *name;   // "vkCreateBuffer"; NULL: number unknown or never on the wire
    uint32_t args_size; // sizeof(struct wire_args_…)
    const struct wire_op *request, *reply; // programs; private to src/wire
};

// NULL if the number is not one that may cross the wire.
const struct wire_command_info *wire_command_info(uint32_t number);

struct wire_extension {
    const char *name;
    uint32_t number; // registry number: bit number % 32 of word number / 32 in the capset's mask
    uint32_t spec_version; // of the codec
};
const struct wire_extension *wire_extensions(uint32_t *count); // sorted by name
const struct wire_extension *wire_find_extension(const char *name);
uint32_t wire_vk_xml_version(void); // packed, as the capset carries it

// ---- decoding -------------------------------------------------------------

// Translates an object id to the host's handle; an id of 0 stands where vk.xml wants an object.
// `context` is the decoder's. False: *reason says why, the stream is broken.
typedef bool (*wire_resolve)(void *context, enum wire_handle type, uint64_t id, uint64_t *handle,
                             const char **reason);

struct wire_decoder {
    // Private copy of the stream, 4-byte aligned. Input arrays, blobs and strings of the decoded
    // command may point into it, so it must stay until the command is done.
    const uint8_t *cursor, *end;
    struct arena *arena; // decoded structures live here until its reset
    // NULL: handles keep their ids (tests, traces). Called once per input handle, in decoding
    // order, but for those that are null and may be.
    wire_resolve resolve;
    void *resolve_context;
    uint64_t reply_capacity; // bytes that a reply may take: bounds every output array; used when
                             // the command asks for a reply
    bool any_value;          // what enums do not have passes, and sets unknown_value
    bool unknown_value;
    const char *reason;   // static text, set on failure
    uint64_t output_left; // private to src/wire
};

struct wire_call {
    const struct wire_command_info *info;
    uint32_t number;
    uint32_t flags; // bit 0: reply wanted
    void *args;     // struct wire_args_<name>, in the arena
};

#define WIRE_FLAG_REPLY 1u

// One command. On success the cursor stands behind it. On failure decoder->reason is set, the
// cursor stands where it went wrong, and the stream can't be continued.
//
// In `args`: handles of inputs are host handles (resolved), except the last handle or handle array
// of vkDestroy* and vkFree* commands and all output handles, which are the guest's ids. Outputs are
// zeroed storage with their chain rebuilt. Structures are as a driver takes them. A first handle
// (the one dispatched on) that is null fails; other null handles pass
// if vk.xml calls them optional or leaves them to valid usage; else `resolve` decides. Enumerants,
// flags and counts that only the driver's rules bound are not looked at. A pointer may be NULL
// although its counter is not 0 where vk.xml has noautovalidity or optional: the counter then says
// what the guest left out.
bool wire_decode(struct wire_decoder *decoder, struct wire_call *call);
// The reason when `end` comes too early: with more bytes of the stream the command may decode.
extern const char wire_truncated[];
// The reason for a value that its enum does not have, where drivers index tables with it.
extern const char wire_unknown_value[];

// ---- encoding -------------------------------------------------------------

// Translates a handle (never 0) to the id that crosses. Called for the handles that decoding would
// resolve, in the same order.
typedef uint64_t (*wire_identify)(void *context, enum wire_handle type, uint64_t handle);

struct wire_encoder {
    uint8_t *cursor, *end;  // may be memory that the guest sees: written once, in order, never read
    wire_identify identify; // NULL: handles are ids
    void *identify_context;
    bool measuring;    // private to src/wire
    uint64_t measured; // likewise
};

// The reply of a call whose args hold the results (args->ret, outputs; output handles still as
// ids). False: it does not fit; what is there is garbage and the stream is broken.
bool wire_encode_reply(struct wire_encoder *encoder, const struct wire_call *call);
// Bytes that it takes; nothing is written.
uint64_t wire_measure_reply(const struct wire_call *call);

#endif
