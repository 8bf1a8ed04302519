// Pipelines: numbers that drivers take as they are.
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

static bool outside(struct venus_call *call)
{
    return venus_fail(call, "a stage is none, or its constants lie outside of their data");
}

static bool create_compute(struct venus_call *call, void *data)
{
    const struct wire_args_vkCreateComputePipelines *args = data;
    for (uint32_t i = 0; i < args->createInfoCount; i++) {
        const VkPipelineShaderStageCreateInfo *stage = &args->pCreateInfos[i].stage;
        if (!stage_fits(stage) || stage->stage != VK_SHADER_STAGE_COMPUTE_BIT)
            return outside(call);
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
    const struct wire_args_vkCreateGraphicsPipelines *args = data, *ids = venus_call_ids(call);
    if (!ids)
        return venus_fail(call, "out of memory");
    for (uint32_t i = 0; i < args->createInfoCount; i++) {
        const VkGraphicsPipelineCreateInfo *info = &args->pCreateInfos[i];
        for (uint32_t s = 0; info->pStages && s < info->stageCount; s++) {
            if (!stage_fits(&info->pStages[s]))
                return outside(call);
        }
        if (!has_subpass(call, &ids->pCreateInfos[i]))
            return venus_fail(call, "the render pass has no such subpass");
    }
    return venus_thunks[WIRE_vkCreateGraphicsPipelines](call, data);
}

const struct venus_handler_entry venus_pipeline_handlers[] = {
    {WIRE_vkCreateComputePipelines, create_compute},
    {WIRE_vkCreateGraphicsPipelines, create_graphics},
    {0},
};
