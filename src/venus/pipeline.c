// Pipelines and render passes: numbers that drivers take as they are.
#include "base/checked.h"
#include "venus/device.h"
#include "venus/extent.h"
#include "venus/failed.h"

static bool stage_fits(const VkPipelineShaderStageCreateInfo *stage)
{
    const VkSpecializationInfo *constants = stage->pSpecializationInfo;
    for (uint32_t i = 0; constants && i < constants->mapEntryCount; i++) {
        if (!checked_range(constants->pMapEntries[i].offset, constants->pMapEntries[i].size,
                           constants->dataSize))
            return false;
    }
    return stage->stage && !(stage->stage & (stage->stage - 1));
}

// None of them comes to be. A guest that waits sees that by their ids.
static bool refuse(struct venus_call *call, VkResult *ret, VkPipeline *ids, uint32_t count,
                   const char *reason)
{
    if (call->wire.flags & WIRE_FLAG_REPLY)
        memset(ids, 0, count * sizeof(*ids));
    return venus_answer(call, ret, reason);
}

static const char bad_stage[] = "a stage is none, or its constants lie outside of their data";

static bool create_compute(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateComputePipelines *args = data;
    for (uint32_t i = 0; i < args->createInfoCount; i++) {
        const VkPipelineShaderStageCreateInfo *stage = &args->pCreateInfos[i].stage;
        if (!stage_fits(stage) || stage->stage != VK_SHADER_STAGE_COMPUTE_BIT)
            return refuse(call, &args->ret, args->pPipelines, args->createInfoCount, bad_stage);
    }
    return venus_thunks[WIRE_vkCreateComputePipelines](call, data);
}

// Is the subpass one of the render pass? Dynamic rendering has none.
static bool has_subpass(struct venus_call *call, const VkGraphicsPipelineCreateInfo *info)
{
    if (!info->renderPass)
        return true;
    const struct venus_object *pass =
        venus_object_find(&call->context->objects, (uint64_t)info->renderPass);
    return pass && info->subpass < atomic_load_explicit(&pass->extent, memory_order_relaxed);
}

static bool create_graphics(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateGraphicsPipelines *args = data;
    const struct wire_args_vkCreateGraphicsPipelines *ids = venus_call_ids(call);
    const char *reason = NULL;
    if (!ids)
        return venus_fail(call, "out of memory");
    for (uint32_t i = 0; i < args->createInfoCount; i++) {
        const VkGraphicsPipelineCreateInfo *info = &args->pCreateInfos[i];
        for (uint32_t s = 0; info->pStages && s < info->stageCount; s++) {
            if (!stage_fits(&info->pStages[s]))
                reason = bad_stage;
        }
        if (!has_subpass(call, &ids->pCreateInfos[i]))
            reason = "the render pass has no such subpass";
    }
    if (reason)
        return refuse(call, &args->ret, args->pPipelines, args->createInfoCount, reason);
    return venus_thunks[WIRE_vkCreateGraphicsPipelines](call, data);
}

// ---- render passes --------------------------------------------------------

// Both versions of the structures have the same members.
#define RENDER_PASS(command, reference)                                                            \
    static bool command##_are(const reference *list, uint32_t count, uint32_t attachments)         \
    {                                                                                              \
        for (uint32_t i = 0; list && i < count; i++) {                                             \
            if (list[i].attachment >= attachments && list[i].attachment != VK_ATTACHMENT_UNUSED)   \
                return false;                                                                      \
        }                                                                                          \
        return true;                                                                               \
    }                                                                                              \
    static bool command##_checked(struct venus_call *call, void *data)                             \
    {                                                                                              \
        struct wire_args_##command *args = data;                                                   \
        uint32_t most = args->pCreateInfo->attachmentCount;                                        \
        for (uint32_t i = 0; i < args->pCreateInfo->subpassCount; i++) {                           \
            const __typeof__(*args->pCreateInfo->pSubpasses) *subpass =                            \
                &args->pCreateInfo->pSubpasses[i];                                                 \
            bool fits =                                                                            \
                command##_are(subpass->pInputAttachments, subpass->inputAttachmentCount, most) &&  \
                command##_are(subpass->pColorAttachments, subpass->colorAttachmentCount, most) &&  \
                command##_are(subpass->pResolveAttachments, subpass->colorAttachmentCount,         \
                              most) &&                                                             \
                command##_are(subpass->pDepthStencilAttachment, 1, most);                          \
            for (uint32_t p = 0; p < subpass->preserveAttachmentCount; p++)                        \
                fits = fits && subpass->pPreserveAttachments[p] < most;                            \
            if (!fits)                                                                             \
                return venus_answer(call, &args->ret, "the render pass has no such attachment");   \
        }                                                                                          \
        return venus_thunks[WIRE_##command](call, data);                                           \
    }
RENDER_PASS(vkCreateRenderPass, VkAttachmentReference)
RENDER_PASS(vkCreateRenderPass2, VkAttachmentReference2)

const struct venus_handler_entry venus_pipeline_handlers[] = {
    {WIRE_vkCreateRenderPass, vkCreateRenderPass_checked},
    {WIRE_vkCreateRenderPass2, vkCreateRenderPass2_checked},
    {WIRE_vkCreateComputePipelines, create_compute},
    {WIRE_vkCreateGraphicsPipelines, create_graphics},
    {0},
};
