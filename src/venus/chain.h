// pNext chains of decoded commands, which are the worker's own memory: finding structures in them,
// taking them out, putting them in.
//
// Thread: the one that carries out the command.
#ifndef VENUS_CHAIN_H
#define VENUS_CHAIN_H

#include "wire/wire.h"

// First structure of `type` in the chain that `root` heads (root itself not counted), or NULL.
void *venus_chain_find(const void *root, VkStructureType type);
// Unlinks the first structure of `type` and returns it, or NULL.
void *venus_chain_unlink(const void *root, VkStructureType type);
// Links `node` (any structure with sType/pNext) right behind root.
void venus_chain_push(const void *root, void *node);

// Where a structure was taken out of an output chain for the time of a driver's call; the chain
// must be whole again, in the same order, before the reply is encoded.
struct venus_chain_gap {
    VkBaseOutStructure *previous;
    VkBaseOutStructure *node; // NULL: nothing was taken
};

// As venus_chain_unlink, and remembers the place.
void *venus_chain_lift(const void *root, VkStructureType type, struct venus_chain_gap *gap);
// Puts it back. Several gaps of one chain are closed in reverse order of their opening.
void venus_chain_mend(struct venus_chain_gap *gap);

#endif
