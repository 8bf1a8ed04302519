#include "venus/chain.h"

void *venus_chain_find(const void *root, VkStructureType type)
{
    for (VkBaseOutStructure *node = ((const VkBaseOutStructure *)root)->pNext; node;
         node = node->pNext) {
        if (node->sType == type)
            return node;
    }
    return NULL;
}

void *venus_chain_lift(const void *root, VkStructureType type, struct venus_chain_gap *gap)
{
    *gap = (struct venus_chain_gap){0};
    // Decoded structures are the worker's own memory, const only because a driver takes them so.
    for (VkBaseOutStructure *previous = (VkBaseOutStructure *)(uintptr_t)root; previous->pNext;
         previous = previous->pNext) {
        VkBaseOutStructure *node = previous->pNext;
        if (node->sType == type) {
            previous->pNext = node->pNext;
            *gap = (struct venus_chain_gap){.previous = previous, .node = node};
            return node;
        }
    }
    return NULL;
}

void venus_chain_mend(struct venus_chain_gap *gap)
{
    if (!gap->node)
        return;
    gap->node->pNext = gap->previous->pNext;
    gap->previous->pNext = gap->node;
    gap->node = NULL;
}

void *venus_chain_unlink(const void *root, VkStructureType type)
{
    struct venus_chain_gap gap;
    return venus_chain_lift(root, type, &gap);
}

void venus_chain_push(const void *root, void *node)
{
    VkBaseOutStructure *head = (VkBaseOutStructure *)(uintptr_t)root;
    ((VkBaseOutStructure *)node)->pNext = head->pNext;
    head->pNext = node;
}
