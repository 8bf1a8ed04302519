// Commands of the transport itself: reply streams, streams in shared memory, rings, seqnos between
// streams.
#include <stdlib.h>

#include "base/checked.h"
#include "venus/context.h"
#include "venus/ring.h"

#define MAX_INDIRECT_STREAMS 4096

static bool set_reply_stream(struct venus_call *call, void *data)
{
    struct wire_args_vkSetReplyCommandStreamMESA *args = data;
    struct venus_stream *stream = call->stream;
    const VkCommandStreamDescriptionMESA *range = args->pStream;
    struct venus_resource *resource = stream->reply.resource;
    // The same reply pool, command after command.
    if (!resource || resource->id != range->resourceId ||
        atomic_load_explicit(&resource->detached, memory_order_relaxed)) {
        resource = venus_resource_get(&call->context->resources, range->resourceId);
        if (!resource)
            return venus_fail(call, "no such resource");
        if (resource->kind != LINK_RESOURCE_SHM) {
            venus_resource_unref(resource);
            return venus_fail(call, "the resource is not shared memory");
        }
        venus_resource_unref(stream->reply.resource);
        stream->reply.resource = resource;
    }
    if (!checked_range(range->offset, range->size, resource->pages->size) || range->offset % 4)
        return venus_fail(call, "the range lies outside the resource");
    stream->reply.base = (uint8_t *)resource->pages->address + range->offset;
    stream->reply.size = range->size;
    stream->reply.cursor = 0;
    return true;
}

static bool seek_reply(struct venus_stream *stream, uint64_t position)
{
    if (!stream->reply.resource || position > stream->reply.size || position % 4)
        return false;
    stream->reply.cursor = position;
    return true;
}

static bool seek_reply_stream(struct venus_call *call, void *data)
{
    struct wire_args_vkSeekReplyCommandStreamMESA *args = data;
    return seek_reply(call->stream, args->position) ||
           venus_fail(call, "no reply stream is set, or the position lies outside");
}

static const char *find_range(struct venus_call *call, const VkCommandStreamDescriptionMESA *range,
                              struct venus_resource **resource)
{
    *resource = venus_resource_get(&call->context->resources, range->resourceId);
    if (!*resource || (*resource)->kind != LINK_RESOURCE_SHM)
        return "no such resource of shared memory";
    if (!checked_range(range->offset, range->size, (*resource)->pages->size) || range->offset % 4 ||
        range->size % 4)
        return "a stream lies outside its resource or is not a multiple of 4";
    return NULL;
}

static bool execute_streams(struct venus_call *call, void *data)
{
    struct wire_args_vkExecuteCommandStreamsMESA *args = data;
    struct venus_stream *stream = call->stream;
    uint32_t count = args->streamCount;
    if (stream->indirect)
        return venus_fail(call, "nested streams");
    if (args->dependencyCount || !count || count > MAX_INDIRECT_STREAMS || !args->pStreams)
        return venus_fail(call, "dependencies, no stream or too many streams");

    // The arena that holds `args` is reset by every nested command.
    VkCommandStreamDescriptionMESA one_range, *ranges = &one_range;
    size_t one_position, *positions = args->pReplyPositions ? &one_position : NULL;
    if (count > 1) {
        ranges = malloc(count * sizeof(*ranges));
        positions = args->pReplyPositions ? malloc(count * sizeof(*positions)) : NULL;
    }
    bool ok = ranges && (positions || !args->pReplyPositions);
    if (ok) {
        memcpy(ranges, args->pStreams, count * sizeof(*ranges));
        if (positions)
            memcpy(positions, args->pReplyPositions, count * sizeof(*positions));
    } else {
        venus_fail(call, "out of memory");
    }

    stream->indirect = true;
    for (uint32_t i = 0; ok && i < count; i++) {
        struct venus_resource *resource = NULL;
        const char *error = ranges[i].size ? find_range(call, &ranges[i], &resource) : NULL;
        if (!error && positions && !seek_reply(stream, positions[i]))
            error = "a reply position lies outside the reply stream";
        if (error)
            ok = venus_fail(call, error);
        else if (resource)
            ok = venus_stream_run_shared(
                stream, (const uint8_t *)resource->pages->address + ranges[i].offset,
                ranges[i].size);
        venus_resource_unref(resource);
    }
    stream->indirect = false;

    if (ranges != &one_range)
        free(ranges);
    if (positions != &one_position)
        free(positions);
    return ok;
}

static bool on_context_stream(struct venus_call *call)
{
    return (!call->stream->ring && !call->stream->indirect) ||
           venus_fail(call, "allowed on the context stream only");
}

static bool create_ring(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateRingMESA *args = data;
    return on_context_stream(call) &&
           venus_ring_create(call->context, args->ring, args->pCreateInfo, &call->reason);
}

static bool destroy_ring(struct venus_call *call, void *data)
{
    struct wire_args_vkDestroyRingMESA *args = data;
    return on_context_stream(call) && venus_ring_destroy(call->context, args->ring, &call->reason);
}

static bool notify_ring(struct venus_call *call, void *data)
{
    struct wire_args_vkNotifyRingMESA *args = data;
    return on_context_stream(call) && venus_ring_notify(call->context, args->ring, &call->reason);
}

static bool write_ring_extra(struct venus_call *call, void *data)
{
    struct wire_args_vkWriteRingExtraMESA *args = data;
    return on_context_stream(call) &&
           venus_ring_write_extra(call->context, args->ring, args->offset, args->value,
                                  &call->reason);
}

static bool wait_ring_seqno(struct venus_call *call, void *data)
{
    struct wire_args_vkWaitRingSeqnoMESA *args = data;
    return on_context_stream(call) &&
           venus_ring_wait_seqno(call->context, args->ring, args->seqno, &call->reason);
}

static bool submit_virtqueue_seqno(struct venus_call *call, void *data)
{
    struct wire_args_vkSubmitVirtqueueSeqnoMESA *args = data;
    return on_context_stream(call) &&
           venus_ring_submit_virtqueue_seqno(call->context, args->ring, args->seqno, &call->reason);
}

static bool wait_virtqueue_seqno(struct venus_call *call, void *data)
{
    struct wire_args_vkWaitVirtqueueSeqnoMESA *args = data;
    if (!call->stream->ring)
        return venus_fail(call, "allowed on rings only");
    return venus_ring_wait_virtqueue_seqno(call->stream->ring, args->seqno, &call->reason);
}

const struct venus_handler_entry venus_transport_handlers[] = {
    {WIRE_vkSetReplyCommandStreamMESA, set_reply_stream},
    {WIRE_vkSeekReplyCommandStreamMESA, seek_reply_stream},
    {WIRE_vkExecuteCommandStreamsMESA, execute_streams},
    {WIRE_vkCreateRingMESA, create_ring},
    {WIRE_vkDestroyRingMESA, destroy_ring},
    {WIRE_vkNotifyRingMESA, notify_ring},
    {WIRE_vkWriteRingExtraMESA, write_ring_extra},
    {WIRE_vkWaitRingSeqnoMESA, wait_ring_seqno},
    {WIRE_vkSubmitVirtqueueSeqnoMESA, submit_virtqueue_seqno},
    {WIRE_vkWaitVirtqueueSeqnoMESA, wait_virtqueue_seqno},
    {0},
};
