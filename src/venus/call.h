// One command being carried out, and the handlers that do it.
//
// Thread: a call belongs to the thread of its stream.
#ifndef VENUS_CALL_H
#define VENUS_CALL_H

#include "venus/chain.h"
#include "venus/object.h"

struct venus_context;
struct venus_stream;
struct venus_instance;

#define VENUS_CALL_OBJECTS 4

struct venus_call {
    struct venus_context *context;
    struct venus_stream *stream;
    struct wire_call wire;
    struct venus_instance *instance; // NULL before vkCreateInstance
    struct venus_device *device;     // of `self`; NULL for commands on instance or physical device
    struct venus_object *self;       // first handle of the command; NULL if it has none
    // The first non-null input handles in decoding order; [0] is self.
    struct venus_object *objects[VENUS_CALL_OBJECTS];
    unsigned object_count;
    bool incomplete;            // decoding met an object with VENUS_INCOMPLETE
    const uint8_t *start, *end; // its bytes, and what may follow them
    const void *ids;            // private to failed.c: the arguments with ids in place of handles
    const char *reason;         // static text
};

// Carries out a decoded command; results go into `args`.
// Errors: false: the stream is broken (venus_fail was called).
typedef bool (*venus_handler)(struct venus_call *call, void *args);

// Defaults, generated: call the driver, keep the object table. NULL where there is no sensible
// default.
extern const venus_handler venus_thunks[];
extern const uint32_t venus_thunk_count;

// What src/venus carries out itself, in front of the thunks: each of these files exports one table,
// venus_<file>_handlers, ended by handler NULL.
#define VENUS_HANDLER_TABLES(X)                                                                    \
    X(command)                                                                                     \
    X(copy)                                                                                        \
    X(device)                                                                                      \
    X(feedback)                                                                                    \
    X(format)                                                                                      \
    X(host_copy)                                                                                   \
    X(image)                                                                                       \
    X(instance)                                                                                    \
    X(memory)                                                                                      \
    X(null_descriptor)                                                                             \
    X(physical_device)                                                                             \
    X(pipeline)                                                                                    \
    X(pool)                                                                                        \
    X(private_data)                                                                                \
    X(query)                                                                                       \
    X(queue)                                                                                       \
    X(recording)                                                                                   \
    X(sync)                                                                                        \
    X(transport)

struct venus_handler_entry {
    enum wire_command command;
    venus_handler handler;
};
#define DECLARE(name) extern const struct venus_handler_entry venus_##name##_handlers[];
VENUS_HANDLER_TABLES(DECLARE)
#undef DECLARE

struct venus_handlers {
    venus_handler carry_out[WIRE_COMMAND_COUNT]; // what a stream calls; NULL: nobody does
    // What carry_out calls for commands whose failure the guest may not wait for (failed.h).
    venus_handler inner[WIRE_COMMAND_COUNT];
};

// Fills the tables with thunks overlaid by handlers.
void venus_handlers_fill(struct venus_handlers *handlers);

// ---- for decoding ---------------------------------------------------------

// An object of the command, while it is decoded: the first decides about the device that the others
// must belong to. Errors: false, and why.
static inline bool venus_call_takes(struct venus_call *call, struct venus_object *object,
                                    const char **reason)
{
    if (!call->self) {
        call->self = object;
        call->device = object->device;
    } else if (object->device && call->device && object->device != call->device) {
        *reason = "the object belongs to another device";
        return false;
    }
    if (call->object_count < VENUS_CALL_OBJECTS)
        call->objects[call->object_count++] = object;
    return true;
}

// ---- for thunks and handlers ----------------------------------------------

// Breaks the stream: the context is lost. `reason` is static text. Returns false.
bool venus_fail(struct venus_call *call, const char *reason);
// The host's driver has no such function. Returns false.
bool venus_unsupported(struct venus_call *call);

// A command that breaks a rule whose breach drivers do not survive has no effect, and the context
// goes on; the first of them is told. Returns true.
bool venus_leave_out(struct venus_call *call, const char *reason);
// The same for one with a result, which is `ret`.
bool venus_answer(struct venus_call *call, VkResult *ret, const char *reason);

// Memory until the end of the command, zeroed; NULL at the limit (then: return venus_fail(call,
// "out of memory")).
void *venus_scratch(struct venus_call *call, size_t size);

// A new object owned by the call's device (or instance), named `id` by the guest. On failure the
// host handle has been destroyed, the reason is set, false is returned.
bool venus_add(struct venus_call *call, enum wire_handle type, uint64_t id, uint64_t handle);
// Release of objects that own no more than a handle of the host's driver (struct venus_class).
void venus_plain_release(struct venus_context *context, struct venus_object *object);
// The same with a class and a parent of its own (a pool).
bool venus_add_child(struct venus_call *call, const struct venus_class *class,
                     struct venus_object *parent, enum wire_handle type, uint64_t id,
                     uint64_t handle);
// Takes an object and what it owns out of the table, for a destroy command. id 0: *handle is 0,
// true.
bool venus_take(struct venus_call *call, enum wire_handle type, uint64_t id, uint64_t *handle);

#endif
