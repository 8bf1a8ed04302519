// What a command buffer is in the middle of: its render pass, which pipelines are bound, queries.
// Drivers follow null pointers where there is none.
#include "venus/device.h"
#include "venus/extent.h"
#include "venus/failed.h"

static void set(_Atomic(uint32_t) *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static bool begin_command_buffer(struct venus_call *call, void *data)
{
    set(&call->self->extent, 0);
    set(&call->self->bound, 0);
    return venus_thunks[WIRE_vkBeginCommandBuffer](call, data);
}

// ---- render passes --------------------------------------------------------

static bool begin_render_pass(struct venus_call *call, void *data)
{
    uint32_t subpasses = venus_extent(call, WIRE_HANDLE_RENDER_PASS);
    set(&call->self->extent, subpasses ? subpasses : 1);
    return venus_thunks[call->wire.number](call, data);
}

static bool next_subpass(struct venus_call *call, void *data)
{
    uint32_t left = atomic_load_explicit(&call->self->extent, memory_order_relaxed);
    if (left < 2)
        return venus_fail(call, "the render pass has no other subpass, or there is no render pass");
    set(&call->self->extent, left - 1);
    return venus_thunks[call->wire.number](call, data);
}

static bool end_render_pass(struct venus_call *call, void *data)
{
    if (!atomic_load_explicit(&call->self->extent, memory_order_relaxed))
        return venus_fail(call, "there is no render pass");
    set(&call->self->extent, 0);
    return venus_thunks[call->wire.number](call, data);
}

// ---- pipelines ------------------------------------------------------------

static void bind(struct venus_call *call, uint32_t kinds)
{
    atomic_fetch_or_explicit(&call->self->bound, kinds, memory_order_relaxed);
}

static bool bind_pipeline(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdBindPipeline *args = data;
    switch (args->pipelineBindPoint) {
    case VK_PIPELINE_BIND_POINT_GRAPHICS:
        bind(call, VENUS_LACKS_GRAPHICS);
        break;
    case VK_PIPELINE_BIND_POINT_COMPUTE:
        bind(call, VENUS_LACKS_COMPUTE);
        break;
    case VK_PIPELINE_BIND_POINT_RAY_TRACING_KHR:
        bind(call, VENUS_LACKS_RAY_TRACING);
        break;
    default:
        return venus_fail(call, "there is no such kind of pipeline");
    }
    return venus_thunks[WIRE_vkCmdBindPipeline](call, data);
}

// ---- queries --------------------------------------------------------------

static bool begin_query(struct venus_call *call, void *data)
{
    bind(call, VENUS_QUERIES);
    return venus_thunks[call->wire.number](call, data);
}

static bool end_query(struct venus_call *call, void *data)
{
    if (!venus_bound(call, VENUS_QUERIES))
        return venus_leave_out(call, "no query has begun");
    return venus_thunks[call->wire.number](call, data);
}

// ---- secondary command buffers --------------------------------------------

static bool execute(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdExecuteCommands *args = data;
    const struct wire_args_vkCmdExecuteCommands *ids = NULL;
    if (args->commandBufferCount >= VENUS_CALL_OBJECTS && !(ids = venus_call_ids(call)))
        return venus_fail(call, "out of memory");
    for (uint32_t i = 0; i < args->commandBufferCount; i++) {
        const struct venus_object *object =
            ids ? venus_object_find(&call->context->objects, (uint64_t)ids->pCommandBuffers[i])
                : call->objects[1 + i];
        if (!object || object->class != &venus_secondary_class || object == call->self)
            return venus_leave_out(call, "not a secondary command buffer, or itself");
    }
    return venus_thunks[WIRE_vkCmdExecuteCommands](call, data);
}

const struct venus_handler_entry venus_recording_handlers[] = {
    {WIRE_vkBeginCommandBuffer, begin_command_buffer},
    {WIRE_vkCmdBeginRenderPass, begin_render_pass},
    {WIRE_vkCmdBeginRenderPass2, begin_render_pass},
    {WIRE_vkCmdNextSubpass, next_subpass},
    {WIRE_vkCmdNextSubpass2, next_subpass},
    {WIRE_vkCmdEndRenderPass, end_render_pass},
    {WIRE_vkCmdEndRenderPass2, end_render_pass},
    {WIRE_vkCmdBindPipeline, bind_pipeline},
    {WIRE_vkCmdBeginQuery, begin_query},
    {WIRE_vkCmdBeginQueryIndexedEXT, begin_query},
    {WIRE_vkCmdEndQuery, end_query},
    {WIRE_vkCmdEndQueryIndexedEXT, end_query},
    {WIRE_vkCmdExecuteCommands, execute},
    {0},
};
