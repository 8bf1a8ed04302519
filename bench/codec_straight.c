#include "codec_straight.h"

static bool fail(struct wire_decoder *d, const char *reason)
{
    d->reason = reason;
    return false;
}

#define NEED(size)                                                                                 \
    if (__builtin_expect((size_t)(d->end - d->cursor) < (size_t)(size), 0))                        \
    return fail(d, "the stream ends inside a command")

static inline uint32_t get32(struct wire_decoder *d)
{
    uint32_t v;
    memcpy(&v, d->cursor, 4);
    d->cursor += 4;
    return v;
}

static inline uint64_t get64(struct wire_decoder *d)
{
    uint64_t v;
    memcpy(&v, d->cursor, 8);
    d->cursor += 8;
    return v;
}

static inline bool handle(struct wire_decoder *d, enum wire_handle type, void *out)
{
    uint64_t id = get64(d);
    if (id && d->resolve) {
        uint64_t host;
        if (!d->resolve(d->resolve_context, type, id, &host, &d->reason))
            return false;
        id = host;
    }
    memcpy(out, &id, 8);
    return true;
}

#define SELF(type)                                                                                 \
    NEED(8);                                                                                       \
    if (!wire_nonzero(d))                                                                          \
        return fail(d, "the object that the command is for is null");                              \
    if (!handle(d, type, args))                                                                    \
    return false

static inline bool wire_nonzero(struct wire_decoder *d)
{
    uint64_t v;
    memcpy(&v, d->cursor, 8);
    return v != 0;
}

static inline bool counted(struct wire_decoder *d, uint64_t length, bool optional, uint64_t *count)
{
    NEED(8);
    *count = get64(d);
    if (*count != length && (*count || !optional))
        return fail(d, "an array has another length than its counter says");
    return true;
}

static bool bytes(struct wire_decoder *d, uint64_t count, size_t element, const void **out)
{
    size_t have = (size_t)(d->end - d->cursor);
    if (!count)
        return true;
    if (count > have || ((count * element + 3) & ~(size_t)3) > have)
        return fail(d, "the stream ends inside a command");
    *out = d->cursor;
    d->cursor += (count * element + 3) & ~(size_t)3;
    return true;
}

static bool no_chain(struct wire_decoder *d, int32_t stype)
{
    NEED(12);
    if ((int32_t)get32(d) != stype || get64(d))
        return fail(d, "chains are not part of this comparison");
    return true;
}

static bool cmd_draw(struct wire_decoder *d, struct wire_args_vkCmdDraw *args)
{
    SELF(WIRE_HANDLE_COMMAND_BUFFER);
    NEED(16);
    args->vertexCount = get32(d);
    args->instanceCount = get32(d);
    args->firstVertex = get32(d);
    args->firstInstance = get32(d);
    return true;
}

static bool cmd_push_constants(struct wire_decoder *d, struct wire_args_vkCmdPushConstants *args)
{
    uint64_t count;
    SELF(WIRE_HANDLE_COMMAND_BUFFER);
    NEED(20);
    if (!handle(d, WIRE_HANDLE_PIPELINE_LAYOUT, &args->layout))
        return false;
    args->stageFlags = get32(d);
    args->offset = get32(d);
    args->size = get32(d);
    return counted(d, args->size, false, &count) && bytes(d, count, 1, &args->pValues);
}

static bool image_barrier(struct wire_decoder *d, VkImageMemoryBarrier *b)
{
    if (!no_chain(d, VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER))
        return false;
    NEED(52);
    b->sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER;
    b->srcAccessMask = get32(d);
    b->dstAccessMask = get32(d);
    b->oldLayout = (VkImageLayout)get32(d);
    b->newLayout = (VkImageLayout)get32(d);
    b->srcQueueFamilyIndex = get32(d);
    b->dstQueueFamilyIndex = get32(d);
    if (!handle(d, WIRE_HANDLE_IMAGE, &b->image))
        return false;
    b->subresourceRange.aspectMask = get32(d);
    b->subresourceRange.baseMipLevel = get32(d);
    b->subresourceRange.levelCount = get32(d);
    b->subresourceRange.baseArrayLayer = get32(d);
    b->subresourceRange.layerCount = get32(d);
    return true;
}

static bool cmd_pipeline_barrier(struct wire_decoder *d,
                                 struct wire_args_vkCmdPipelineBarrier *args)
{
    uint64_t count;
    SELF(WIRE_HANDLE_COMMAND_BUFFER);
    NEED(16);
    args->srcStageMask = get32(d);
    args->dstStageMask = get32(d);
    args->dependencyFlags = get32(d);
    args->memoryBarrierCount = get32(d);
    if (!counted(d, args->memoryBarrierCount, false, &count))
        return false;
    if (count)
        return fail(d, "not part of this comparison");
    NEED(4);
    args->bufferMemoryBarrierCount = get32(d);
    if (!counted(d, args->bufferMemoryBarrierCount, false, &count))
        return false;
    if (count)
        return fail(d, "not part of this comparison");
    NEED(4);
    args->imageMemoryBarrierCount = get32(d);
    if (!counted(d, args->imageMemoryBarrierCount, false, &count))
        return false;
    if (!count)
        return true;
    if ((size_t)(d->end - d->cursor) / 64 < count)
        return fail(d, "the stream ends inside a command");
    VkImageMemoryBarrier *barriers = arena_alloc(d->arena, count * sizeof(*barriers));
    if (!barriers)
        return fail(d, "memory");
    args->pImageMemoryBarriers = barriers;
    for (uint64_t i = 0; i < count; i++) {
        if (!image_barrier(d, &barriers[i]))
            return false;
    }
    return true;
}

static bool image_info(struct wire_decoder *d, VkDescriptorImageInfo *info)
{
    NEED(20);
    if (!handle(d, WIRE_HANDLE_SAMPLER, &info->sampler) ||
        !handle(d, WIRE_HANDLE_IMAGE_VIEW, &info->imageView))
        return false;
    info->imageLayout = (VkImageLayout)get32(d);
    return true;
}

static bool buffer_info(struct wire_decoder *d, VkDescriptorBufferInfo *info)
{
    NEED(24);
    if (!handle(d, WIRE_HANDLE_BUFFER, &info->buffer))
        return false;
    info->offset = get64(d);
    info->range = get64(d);
    return true;
}

static bool descriptor_write(struct wire_decoder *d, VkWriteDescriptorSet *w)
{
    uint64_t count;
    if (!no_chain(d, VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET))
        return false;
    NEED(24);
    w->sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    if (!handle(d, WIRE_HANDLE_DESCRIPTOR_SET, &w->dstSet))
        return false;
    w->dstBinding = get32(d);
    w->dstArrayElement = get32(d);
    w->descriptorCount = get32(d);
    w->descriptorType = (VkDescriptorType)get32(d);
    if (!counted(d, w->descriptorCount, true, &count))
        return false;
    if (count) {
        if ((size_t)(d->end - d->cursor) / 20 < count)
            return fail(d, "the stream ends inside a command");
        VkDescriptorImageInfo *infos = arena_alloc(d->arena, count * sizeof(*infos));
        if (!infos)
            return fail(d, "memory");
        w->pImageInfo = infos;
        for (uint64_t i = 0; i < count; i++) {
            if (!image_info(d, &infos[i]))
                return false;
        }
    }
    if (!counted(d, w->descriptorCount, true, &count))
        return false;
    if (count) {
        if ((size_t)(d->end - d->cursor) / 24 < count)
            return fail(d, "the stream ends inside a command");
        VkDescriptorBufferInfo *infos = arena_alloc(d->arena, count * sizeof(*infos));
        if (!infos)
            return fail(d, "memory");
        w->pBufferInfo = infos;
        for (uint64_t i = 0; i < count; i++) {
            if (!buffer_info(d, &infos[i]))
                return false;
        }
    }
    if (!counted(d, w->descriptorCount, true, &count))
        return false;
    return !count || fail(d, "not part of this comparison");
}

static bool update_descriptor_sets(struct wire_decoder *d,
                                   struct wire_args_vkUpdateDescriptorSets *args)
{
    uint64_t count;
    SELF(WIRE_HANDLE_DEVICE);
    NEED(4);
    args->descriptorWriteCount = get32(d);
    if (!counted(d, args->descriptorWriteCount, false, &count))
        return false;
    if ((size_t)(d->end - d->cursor) / 60 < count)
        return fail(d, "the stream ends inside a command");
    VkWriteDescriptorSet *writes = arena_alloc(d->arena, count * sizeof(*writes));
    if (!writes)
        return fail(d, "memory");
    args->pDescriptorWrites = writes;
    for (uint64_t i = 0; i < count; i++) {
        if (!descriptor_write(d, &writes[i]))
            return false;
    }
    NEED(4);
    args->descriptorCopyCount = get32(d);
    if (!counted(d, args->descriptorCopyCount, false, &count))
        return false;
    return !count || fail(d, "not part of this comparison");
}

static bool cmd_bind_descriptor_sets(struct wire_decoder *d,
                                     struct wire_args_vkCmdBindDescriptorSets *args)
{
    uint64_t count;
    const void *offsets = NULL;
    SELF(WIRE_HANDLE_COMMAND_BUFFER);
    NEED(20);
    args->pipelineBindPoint = (VkPipelineBindPoint)get32(d);
    if (!handle(d, WIRE_HANDLE_PIPELINE_LAYOUT, &args->layout))
        return false;
    args->firstSet = get32(d);
    args->descriptorSetCount = get32(d);
    if (!counted(d, args->descriptorSetCount, false, &count))
        return false;
    if ((size_t)(d->end - d->cursor) / 8 < count)
        return fail(d, "the stream ends inside a command");
    VkDescriptorSet *sets = arena_alloc_raw(d->arena, count * 8);
    if (!sets)
        return fail(d, "memory");
    args->pDescriptorSets = sets;
    for (uint64_t i = 0; i < count; i++) {
        if (!handle(d, WIRE_HANDLE_DESCRIPTOR_SET, &sets[i]))
            return false;
    }
    NEED(4);
    args->dynamicOffsetCount = get32(d);
    if (!counted(d, args->dynamicOffsetCount, false, &count) || !bytes(d, count, 4, &offsets))
        return false;
    args->pDynamicOffsets = offsets;
    return true;
}

static bool cmd_update_buffer(struct wire_decoder *d, struct wire_args_vkCmdUpdateBuffer *args)
{
    uint64_t count;
    SELF(WIRE_HANDLE_COMMAND_BUFFER);
    NEED(24);
    if (!handle(d, WIRE_HANDLE_BUFFER, &args->dstBuffer))
        return false;
    args->dstOffset = get64(d);
    args->dataSize = get64(d);
    return counted(d, args->dataSize, false, &count) && bytes(d, count, 1, &args->pData);
}

bool straight_decode(struct wire_decoder *d, struct wire_call *call)
{
    d->reason = NULL;
    NEED(8);
    call->number = get32(d);
    call->flags = get32(d);
    call->info = wire_command_info(call->number);
    if (!call->info)
        return fail(d, "unknown command");
    call->args = arena_alloc(d->arena, call->info->args_size);
    if (!call->args)
        return fail(d, "memory");
    switch (call->number) {
    case WIRE_vkCmdDraw:
        return cmd_draw(d, call->args);
    case WIRE_vkCmdPushConstants:
        return cmd_push_constants(d, call->args);
    case WIRE_vkCmdPipelineBarrier:
        return cmd_pipeline_barrier(d, call->args);
    case WIRE_vkUpdateDescriptorSets:
        return update_descriptor_sets(d, call->args);
    case WIRE_vkCmdBindDescriptorSets:
        return cmd_bind_descriptor_sets(d, call->args);
    case WIRE_vkCmdUpdateBuffer:
        return cmd_update_buffer(d, call->args);
    default:
        return fail(d, "not part of this comparison");
    }
}
