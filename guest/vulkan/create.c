// Creation of what has members that Vulkan ignores: pointers there may lead anywhere, and must not
// be followed.
#include "guest/vulkan/objects.h"

VKAPI_ATTR VkResult VKAPI_CALL vkCreateBuffer(VkDevice device,
                                              const VkBufferCreateInfo *pCreateInfo,
                                              const VkAllocationCallbacks *pAllocator,
                                              VkBuffer *pBuffer)
{
    VkBufferCreateInfo info = *pCreateInfo;
    if (info.sharingMode != VK_SHARING_MODE_CONCURRENT)
        info.pQueueFamilyIndices = NULL;
    return guest_plain_vkCreateBuffer(device, &info, NULL, pBuffer);
}

VKAPI_ATTR VkResult VKAPI_CALL vkCreateImage(VkDevice device, const VkImageCreateInfo *pCreateInfo,
                                             const VkAllocationCallbacks *pAllocator,
                                             VkImage *pImage)
{
    VkImageCreateInfo info = *pCreateInfo;
    if (info.sharingMode != VK_SHARING_MODE_CONCURRENT)
        info.pQueueFamilyIndices = NULL;
    return guest_plain_vkCreateImage(device, &info, NULL, pImage);
}

VKAPI_ATTR VkResult VKAPI_CALL vkCreateFramebuffer(VkDevice device,
                                                   const VkFramebufferCreateInfo *pCreateInfo,
                                                   const VkAllocationCallbacks *pAllocator,
                                                   VkFramebuffer *pFramebuffer)
{
    VkFramebufferCreateInfo info = *pCreateInfo;
    if (info.flags & VK_FRAMEBUFFER_CREATE_IMAGELESS_BIT)
        info.pAttachments = NULL;
    return guest_plain_vkCreateFramebuffer(device, &info, NULL, pFramebuffer);
}

// ---- graphics pipelines ---------------------------------------------------

static bool is_dynamic(const VkGraphicsPipelineCreateInfo *info, VkDynamicState state)
{
    for (uint32_t i = 0; info->pDynamicState && i < info->pDynamicState->dynamicStateCount; i++) {
        if (info->pDynamicState->pDynamicStates[i] == state)
            return true;
    }
    return false;
}

struct pipeline {
    VkGraphicsPipelineCreateInfo info;
    VkPipelineViewportStateCreateInfo viewport;
};

static void tidy(struct pipeline *to, const VkGraphicsPipelineCreateInfo *from)
{
    VkShaderStageFlags stages = 0;
    to->info = *from;
    for (uint32_t i = 0; i < from->stageCount; i++)
        stages |= from->pStages[i].stage;
    if (!(stages & VK_SHADER_STAGE_TESSELLATION_CONTROL_BIT))
        to->info.pTessellationState = NULL;
    if (stages & VK_SHADER_STAGE_MESH_BIT_EXT) {
        to->info.pVertexInputState = NULL;
        to->info.pInputAssemblyState = NULL;
    }
    if (!(from->flags & VK_PIPELINE_CREATE_DERIVATIVE_BIT))
        to->info.basePipelineHandle = VK_NULL_HANDLE;
    const VkPipelineRasterizationStateCreateInfo *raster = from->pRasterizationState;
    if (raster && raster->rasterizerDiscardEnable &&
        !is_dynamic(from, VK_DYNAMIC_STATE_RASTERIZER_DISCARD_ENABLE)) {
        to->info.pViewportState = NULL;
        to->info.pMultisampleState = NULL;
        to->info.pDepthStencilState = NULL;
        to->info.pColorBlendState = NULL;
    }
    if (!to->info.pViewportState)
        return;
    to->viewport = *from->pViewportState;
    if (is_dynamic(from, VK_DYNAMIC_STATE_VIEWPORT) ||
        is_dynamic(from, VK_DYNAMIC_STATE_VIEWPORT_WITH_COUNT))
        to->viewport.pViewports = NULL;
    if (is_dynamic(from, VK_DYNAMIC_STATE_SCISSOR) ||
        is_dynamic(from, VK_DYNAMIC_STATE_SCISSOR_WITH_COUNT))
        to->viewport.pScissors = NULL;
    to->info.pViewportState = &to->viewport;
}

VKAPI_ATTR VkResult VKAPI_CALL
vkCreateGraphicsPipelines(VkDevice device, VkPipelineCache pipelineCache, uint32_t createInfoCount,
                          const VkGraphicsPipelineCreateInfo *pCreateInfos,
                          const VkAllocationCallbacks *pAllocator, VkPipeline *pPipelines)
{
    struct guest_scratch scratch;
    size_t each = sizeof(struct pipeline) + sizeof(VkGraphicsPipelineCreateInfo);
    struct pipeline *tidied = guest_scratch_take(&scratch, device, createInfoCount * each);
    memset(pPipelines, 0, createInfoCount * sizeof(*pPipelines));
    if (!tidied)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkGraphicsPipelineCreateInfo *infos =
        (VkGraphicsPipelineCreateInfo *)(tidied + createInfoCount);
    for (uint32_t i = 0; i < createInfoCount; i++) {
        tidy(&tidied[i], &pCreateInfos[i]);
        infos[i] = tidied[i].info;
    }
    VkResult result = guest_plain_vkCreateGraphicsPipelines(device, pipelineCache, createInfoCount,
                                                            infos, NULL, pPipelines);
    guest_scratch_give(&scratch);
    return result;
}

// ---- private data ---------------------------------------------------------

// The object is a number here; those that have a structure are their ids on the host.
static bool id_of(VkObjectType type, uint64_t *handle)
{
    switch (type) {
    case VK_OBJECT_TYPE_INSTANCE:
    case VK_OBJECT_TYPE_PHYSICAL_DEVICE:
    case VK_OBJECT_TYPE_DEVICE:
    case VK_OBJECT_TYPE_QUEUE:
    case VK_OBJECT_TYPE_COMMAND_BUFFER:
    case VK_OBJECT_TYPE_DEVICE_MEMORY:
        *handle = guest_id_of((const void *)(uintptr_t)*handle);
        return true;
    default: // the host has no templates
        return type != VK_OBJECT_TYPE_DESCRIPTOR_UPDATE_TEMPLATE;
    }
}

VKAPI_ATTR VkResult VKAPI_CALL vkSetPrivateData(VkDevice device, VkObjectType objectType,
                                                uint64_t objectHandle,
                                                VkPrivateDataSlot privateDataSlot, uint64_t data)
{
    return id_of(objectType, &objectHandle)
               ? guest_plain_vkSetPrivateData(device, objectType, objectHandle, privateDataSlot,
                                              data)
               : VK_ERROR_OUT_OF_HOST_MEMORY;
}

VKAPI_ATTR void VKAPI_CALL vkGetPrivateData(VkDevice device, VkObjectType objectType,
                                            uint64_t objectHandle,
                                            VkPrivateDataSlot privateDataSlot, uint64_t *pData)
{
    *pData = 0;
    if (id_of(objectType, &objectHandle))
        guest_plain_vkGetPrivateData(device, objectType, objectHandle, privateDataSlot, pData);
}
