// Descriptors: what a write does not use must not cross, and templates are a matter of the guest.
#include "guest/vulkan/objects.h"

// ---- writes ---------------------------------------------------------------

enum use { USE_NOTHING, USE_SAMPLER = 1, USE_VIEW = 2, USE_BUFFER = 4, USE_TEXELS = 8 };

static unsigned use_of(VkDescriptorType type)
{
    switch (type) {
    case VK_DESCRIPTOR_TYPE_SAMPLER:
        return USE_SAMPLER;
    case VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER:
        return USE_SAMPLER | USE_VIEW;
    case VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE:
    case VK_DESCRIPTOR_TYPE_STORAGE_IMAGE:
    case VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT:
        return USE_VIEW;
    case VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER:
    case VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER:
        return USE_TEXELS;
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER:
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER:
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC:
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC:
        return USE_BUFFER;
    default: // inline uniform blocks, acceleration structures: in the chain
        return USE_NOTHING;
    }
}

// Copies of the writes without what Vulkan ignores: those pointers and handles may be anything.
// NULL: no memory. `writes` has room for `count`.
static VkWriteDescriptorSet *tidy(struct guest_scratch *scratch, const void *dispatchable,
                                  uint32_t count, const VkWriteDescriptorSet *from)
{
    size_t images = 0;
    for (uint32_t i = 0; i < count; i++)
        images +=
            use_of(from[i].descriptorType) & (USE_SAMPLER | USE_VIEW) ? from[i].descriptorCount : 0;
    VkWriteDescriptorSet *writes = guest_scratch_take(
        scratch, dispatchable, count * sizeof(*writes) + images * sizeof(VkDescriptorImageInfo));
    if (!writes)
        return NULL;
    VkDescriptorImageInfo *image = (VkDescriptorImageInfo *)(writes + count);
    for (uint32_t i = 0; i < count; i++) {
        unsigned use = use_of(from[i].descriptorType);
        VkWriteDescriptorSet *to = writes + i;
        *to = from[i];
        to->pImageInfo = use & (USE_SAMPLER | USE_VIEW) ? image : NULL;
        to->pBufferInfo = use & USE_BUFFER ? from[i].pBufferInfo : NULL;
        to->pTexelBufferView = use & USE_TEXELS ? from[i].pTexelBufferView : NULL;
        for (uint32_t j = 0; to->pImageInfo && j < to->descriptorCount; j++, image++) {
            *image = (VkDescriptorImageInfo){
                .sampler = use & USE_SAMPLER ? from[i].pImageInfo[j].sampler : VK_NULL_HANDLE,
                .imageView = use & USE_VIEW ? from[i].pImageInfo[j].imageView : VK_NULL_HANDLE,
                .imageLayout = use & USE_VIEW ? from[i].pImageInfo[j].imageLayout : 0,
            };
        }
    }
    return writes;
}

VKAPI_ATTR void VKAPI_CALL vkUpdateDescriptorSets(VkDevice device, uint32_t descriptorWriteCount,
                                                  const VkWriteDescriptorSet *pDescriptorWrites,
                                                  uint32_t descriptorCopyCount,
                                                  const VkCopyDescriptorSet *pDescriptorCopies)
{
    struct guest_scratch scratch;
    VkWriteDescriptorSet *writes = tidy(&scratch, device, descriptorWriteCount, pDescriptorWrites);
    if (!writes)
        return;
    guest_plain_vkUpdateDescriptorSets(device, descriptorWriteCount, writes, descriptorCopyCount,
                                       pDescriptorCopies);
    guest_scratch_give(&scratch);
}

#ifdef VK_VERSION_1_4
VKAPI_ATTR void VKAPI_CALL vkCmdPushDescriptorSet(VkCommandBuffer commandBuffer,
                                                  VkPipelineBindPoint pipelineBindPoint,
                                                  VkPipelineLayout layout, uint32_t set,
                                                  uint32_t descriptorWriteCount,
                                                  const VkWriteDescriptorSet *pDescriptorWrites)
{
    struct guest_scratch scratch;
    VkWriteDescriptorSet *writes =
        tidy(&scratch, commandBuffer, descriptorWriteCount, pDescriptorWrites);
    if (!writes)
        return;
    // The set is not looked at either.
    for (uint32_t i = 0; i < descriptorWriteCount; i++)
        writes[i].dstSet = VK_NULL_HANDLE;
    guest_plain_vkCmdPushDescriptorSet(commandBuffer, pipelineBindPoint, layout, set,
                                       descriptorWriteCount, writes);
    guest_scratch_give(&scratch);
}
#endif

// ---- templates ------------------------------------------------------------

struct template
{
    struct guest_handle handle;
    VkPipelineBindPoint bind_point; // of those that push
    uint32_t count, descriptors;    // entries; descriptors of all
    VkDescriptorUpdateTemplateEntry entries[];
};

VKAPI_ATTR VkResult VKAPI_CALL vkCreateDescriptorUpdateTemplate(
    VkDevice device, const VkDescriptorUpdateTemplateCreateInfo *pCreateInfo,
    const VkAllocationCallbacks *pAllocator, VkDescriptorUpdateTemplate *pDescriptorUpdateTemplate)
{
    uint32_t count = pCreateInfo->descriptorUpdateEntryCount;
    struct template *self = guest_new(guest_handle_of(device)->context,
                                      sizeof(*self) + count * sizeof(self->entries[0]));
    *pDescriptorUpdateTemplate = (VkDescriptorUpdateTemplate)self;
    if (!self)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    self->bind_point = pCreateInfo->pipelineBindPoint;
    self->count = count;
    memcpy(self->entries, pCreateInfo->pDescriptorUpdateEntries, count * sizeof(self->entries[0]));
    for (uint32_t i = 0; i < count; i++)
        self->descriptors += self->entries[i].descriptorCount;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vkDestroyDescriptorUpdateTemplate(
    VkDevice device, VkDescriptorUpdateTemplate template_, const VkAllocationCallbacks *pAllocator)
{
    guest_delete((struct guest_handle *)template_);
}

static void expand_entry(const VkDescriptorUpdateTemplateEntry *entry, const uint8_t *data,
                         VkDescriptorSet set, VkWriteDescriptorSet *write,
                         VkWriteDescriptorSetInlineUniformBlock *block, uint8_t **infos)
{
    *write = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                    .dstSet = set,
                                    .dstBinding = entry->dstBinding,
                                    .dstArrayElement = entry->dstArrayElement,
                                    .descriptorCount = entry->descriptorCount,
                                    .descriptorType = entry->descriptorType};
    if (entry->descriptorType == VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK) {
        *block = (VkWriteDescriptorSetInlineUniformBlock){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_INLINE_UNIFORM_BLOCK,
            .dataSize = entry->descriptorCount,
            .pData = data + entry->offset};
        write->pNext = block;
        return;
    }
    unsigned use = use_of(entry->descriptorType);
    size_t size = use & USE_BUFFER   ? sizeof(VkDescriptorBufferInfo)
                  : use & USE_TEXELS ? sizeof(VkBufferView)
                                     : sizeof(VkDescriptorImageInfo);
    uint8_t *to = *infos;
    write->pBufferInfo = use & USE_BUFFER ? (const void *)to : NULL;
    write->pTexelBufferView = use & USE_TEXELS ? (const void *)to : NULL;
    write->pImageInfo = use & (USE_SAMPLER | USE_VIEW) ? (const void *)to : NULL;
    for (uint32_t i = 0; i < entry->descriptorCount; i++)
        memcpy(to + i * size, data + entry->offset + i * entry->stride, size);
    *infos += entry->descriptorCount * sizeof(VkDescriptorImageInfo);
}

static VkWriteDescriptorSet *expand(struct guest_scratch *scratch, const void *dispatchable,
                                    const struct template *template, VkDescriptorSet set,
                                    const void *data)
{
    // Bytes of inline uniform blocks count as descriptors; that much too much is taken for them.
    size_t size = template->count * (sizeof(VkWriteDescriptorSet) +
                                     sizeof(VkWriteDescriptorSetInlineUniformBlock)) +
                  (size_t) template->descriptors * sizeof(VkDescriptorImageInfo);
    VkWriteDescriptorSet *writes = guest_scratch_take(scratch, dispatchable, size);
    if (!writes)
        return NULL;
    VkWriteDescriptorSetInlineUniformBlock *blocks =
        (VkWriteDescriptorSetInlineUniformBlock *)(writes + template->count);
    uint8_t *infos = (uint8_t *)(blocks + template->count);
    for (uint32_t i = 0; i < template->count; i++)
        expand_entry(&template->entries[i], data, set, &writes[i], &blocks[i], &infos);
    return writes;
}

VKAPI_ATTR void VKAPI_CALL vkUpdateDescriptorSetWithTemplate(VkDevice device,
                                                             VkDescriptorSet descriptorSet,
                                                             VkDescriptorUpdateTemplate template_,
                                                             const void *pData)
{
    const struct template *template = (const struct template *)template_;
    struct guest_scratch scratch;
    VkWriteDescriptorSet *writes = expand(&scratch, device, template, descriptorSet, pData);
    if (!writes)
        return;
    vkUpdateDescriptorSets(device, template->count, writes, 0, NULL);
    guest_scratch_give(&scratch);
}

#ifdef VK_VERSION_1_4
VKAPI_ATTR void VKAPI_CALL vkCmdPushDescriptorSetWithTemplate(VkCommandBuffer commandBuffer,
                                                              VkDescriptorUpdateTemplate template_,
                                                              VkPipelineLayout layout, uint32_t set,
                                                              const void *pData)
{
    const struct template *template = (const struct template *)template_;
    struct guest_scratch scratch;
    VkWriteDescriptorSet *writes = expand(&scratch, commandBuffer, template, VK_NULL_HANDLE, pData);
    if (!writes)
        return;
    vkCmdPushDescriptorSet(commandBuffer, template->bind_point, layout, set, template->count,
                           writes);
    guest_scratch_give(&scratch);
}
#endif
