// Objects that never came to be.
//
// Mesa does not wait for most commands that make objects, nor for binds: it tells its program
// VK_SUCCESS, and names the object in later commands whatever became of it. So an id whose object
// failed is remembered, with VENUS_INCOMPLETE, until the guest destroys it, and every command that
// names it has a meaning:
//
// - Destroying and freeing it does nothing but to forget the id.
// - What is made from it fails too; what is bound to it fails; so does a descriptor set that it is
//   written to.
// - A pipeline: draws are left out until another one is bound. What would compute with it makes the
//   command buffer good for nothing: a picture shows what is missing, numbers do not.
// - Anything else in a command buffer: the command buffer is good for nothing until it is begun
//   anew.
// - A submission or a wait that needs it loses the device (loss.h).
//
// A null handle where vk.xml wants an object is taken for one of these.
//
// A guest that waits for the result knows; nothing is remembered for it.
//
// Thread: any.
#ifndef VENUS_FAILED_H
#define VENUS_FAILED_H

#include "venus/call.h"

// What is to be known of a command here; generated.
struct venus_shape {
    uint16_t result;   // offset of the VkResult in its arguments; 0: it has none
    uint16_t made;     // enum wire_handle of what it makes; 0: nothing
    uint16_t ids;      // offset of the pointer to their ids
    uint16_t count;    // offset of their number, or of a pointer to a structure with it; 0: one
    uint16_t inner;    // where in that structure; 0: there is none
    uint16_t pipeline; // enum venus_lacks: which pipeline it needs
    int32_t error;     // VkResult when it cannot be carried out
};
extern const struct venus_shape venus_shapes[];

// Puts handlers in front of those that make or bind objects.
void venus_failed_watch(struct venus_handlers *handlers);

// Remembers an object that did not come to be, unless the guest waits for the result.
void venus_failed_add(struct venus_call *call, struct venus_object *parent, enum wire_handle type,
                      uint64_t id);

// Decodes the command at `start` once more, whose first decoding met an incomplete object, or a
// value that its type does not have.
// Errors: false: decoder->reason.
bool venus_failed_decode(struct venus_call *call, struct wire_decoder *decoder,
                         const uint8_t *start);
// The arguments of a command that is being carried out once more, with ids in place of handles: for
// those that name more objects than struct venus_call has. NULL: out of memory.
const void *venus_call_ids(struct venus_call *call);
// Carries out what can be of such a command.
bool venus_failed_carry_out(struct venus_call *call, void *args);

#endif
