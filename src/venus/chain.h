// Editing pNext chains beyond what call.h offers: taking a structure out of an output chain for the
// time of a driver's call.
#ifndef VENUS_CHAIN_H
#define VENUS_CHAIN_H

#include "venus/call.h"

// Where a structure was taken out; an output chain must be whole again, in the same order, before
// the reply is encoded.
struct venus_chain_gap {
    VkBaseOutStructure *previous;
    VkBaseOutStructure *node; // NULL: nothing was taken
};

// Takes the first structure of `type` out of the chain that `root` heads and returns it (NULL:
// there is none).
void *venus_chain_lift(const void *root, VkStructureType type, struct venus_chain_gap *gap);
// Puts it back. Several gaps of one chain are closed in reverse order of their opening.
void venus_chain_mend(struct venus_chain_gap *gap);

#endif
