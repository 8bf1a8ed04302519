// Stands in for nullDescriptor: see null_descriptor.h and docs/emulation.md.
#include "venus/null_descriptor.h"

#include <stdlib.h>

#include "venus/extensions.h"
#include "venus/profile.h"
#include "venus/queue.h"

enum { READ, WRITTEN, KINDS }; // what shaders can write must not show up where they only read

struct venus_null_descriptor {
    struct {
        VkBuffer buffer;
        VkBufferView texels;
        VkImage image;
        VkImageView view;
        VkDeviceMemory buffer_memory, image_memory;
    } zero[KINDS];
};

// ---- the feature ----------------------------------------------------------

bool venus_null_descriptor_is_ours(const struct venus_physical_device *physical_device)
{
    if (!venus_extension_usable(physical_device, "VK_EXT_robustness2") &&
        !venus_extension_usable(physical_device, "VK_KHR_robustness2"))
        return false;
    VkPhysicalDeviceRobustness2FeaturesEXT robustness = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &robustness};
    physical_device->instance->vk.GetPhysicalDeviceFeatures2(
        (VkPhysicalDevice)(uintptr_t)physical_device->base.handle, &features);
    venus_profile_filter_features(physical_device->profile, &features);
    return !robustness.nullDescriptor;
}

static VkPhysicalDeviceRobustness2FeaturesEXT *
feature(const struct venus_physical_device *physical_device, const void *root)
{
    return physical_device->null_descriptor_is_ours
               ? venus_chain_find(root, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT)
               : NULL;
}

void venus_null_descriptor_offer(const struct venus_physical_device *physical_device,
                                 VkPhysicalDeviceFeatures2 *features)
{
    VkPhysicalDeviceRobustness2FeaturesEXT *robustness = feature(physical_device, features);
    if (robustness)
        robustness->nullDescriptor = VK_TRUE;
}

bool venus_null_descriptor_take(const struct venus_physical_device *physical_device,
                                const VkDeviceCreateInfo *info)
{
    VkPhysicalDeviceRobustness2FeaturesEXT *robustness = feature(physical_device, info);
    bool on = robustness && robustness->nullDescriptor;
    if (on)
        robustness->nullDescriptor = VK_FALSE;
    return on;
}

// ---- the zeroes -----------------------------------------------------------

static VkResult allocate(const struct venus_device *device,
                         const VkMemoryRequirements *requirements, VkDeviceMemory *memory)
{
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = requirements->size,
        .memoryTypeIndex = (uint32_t)__builtin_ctz(requirements->memoryTypeBits),
    };
    return device->vk.AllocateMemory(venus_device_handle(device), &info, NULL, memory);
}

static bool create_buffer(const struct venus_device *device, int kind)
{
    const struct venus_device_driver *vk = &device->vk;
    VkDevice handle = venus_device_handle(device);
    uint32_t most = device->physical_device->properties.limits.maxUniformBufferRange;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = most < 65536 ? most & ~3u : 65536,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
                 VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                 VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT | VK_BUFFER_USAGE_VERTEX_BUFFER_BIT,
    };
    VkBufferViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                   .format = VK_FORMAT_R32_UINT,
                                   .range = 4096};
    VkMemoryRequirements requirements;
    VkBuffer *buffer = &device->nulls->zero[kind].buffer;
    VkDeviceMemory *memory = &device->nulls->zero[kind].buffer_memory;
    if (vk->CreateBuffer(handle, &info, NULL, buffer) != VK_SUCCESS)
        return false;
    vk->GetBufferMemoryRequirements(handle, *buffer, &requirements);
    view.buffer = *buffer;
    return allocate(device, &requirements, memory) == VK_SUCCESS &&
           vk->BindBufferMemory(handle, *buffer, *memory, 0) == VK_SUCCESS &&
           vk->CreateBufferView(handle, &view, NULL, &device->nulls->zero[kind].texels) ==
               VK_SUCCESS;
}

static bool create_image(const struct venus_device *device, int kind)
{
    const struct venus_device_driver *vk = &device->vk;
    VkDevice handle = venus_device_handle(device);
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .extent = {1, 1, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT | VK_IMAGE_USAGE_SAMPLED_BIT |
                 VK_IMAGE_USAGE_STORAGE_BIT | VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT,
    };
    VkImageViewCreateInfo view = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
        .viewType = VK_IMAGE_VIEW_TYPE_2D,
        .format = info.format,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
    };
    VkMemoryRequirements requirements;
    VkImage *image = &device->nulls->zero[kind].image;
    VkDeviceMemory *memory = &device->nulls->zero[kind].image_memory;
    if (vk->CreateImage(handle, &info, NULL, image) != VK_SUCCESS)
        return false;
    vk->GetImageMemoryRequirements(handle, *image, &requirements);
    view.image = *image;
    return allocate(device, &requirements, memory) == VK_SUCCESS &&
           vk->BindImageMemory(handle, *image, *memory, 0) == VK_SUCCESS &&
           vk->CreateImageView(handle, &view, NULL, &device->nulls->zero[kind].view) == VK_SUCCESS;
}

static void record_zeroes(const struct venus_device *device, VkCommandBuffer commands)
{
    const struct venus_device_driver *vk = &device->vk;
    const VkImageSubresourceRange all = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    for (int kind = 0; kind < KINDS; kind++) {
        const VkImageMemoryBarrier barrier = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
            .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
            .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
            .newLayout = VK_IMAGE_LAYOUT_GENERAL,
            .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
            .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
            .image = device->nulls->zero[kind].image,
            .subresourceRange = all,
        };
        const VkClearColorValue black = {0};
        vk->CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
                               VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
        vk->CmdClearColorImage(commands, barrier.image, VK_IMAGE_LAYOUT_GENERAL, &black, 1, &all);
        vk->CmdFillBuffer(commands, device->nulls->zero[kind].buffer, 0, VK_WHOLE_SIZE, 0);
    }
    const VkMemoryBarrier visible = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                     .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                     .dstAccessMask =
                                         VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};
    vk->CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                           VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 1, &visible, 0, NULL, 0, NULL);
}

// The queue is new: nothing else is submitted to it, so that its idleness is the end of this.
static bool clear(const struct venus_device *device, const struct venus_queue *queue)
{
    const struct venus_device_driver *vk = &device->vk;
    VkDevice handle = venus_device_handle(device);
    const VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                               .queueFamilyIndex = queue->family};
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VkCommandPool pool;
    VkCommandBuffer commands;
    if (vk->CreateCommandPool(handle, &pool_info, NULL, &pool) != VK_SUCCESS)
        return false;
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool,
        .commandBufferCount = 1,
    };
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                 .commandBufferCount = 1,
                                 .pCommandBuffers = &commands};
    VkQueue host_queue = (VkQueue)(uintptr_t)queue->base.handle;
    bool ok = vk->AllocateCommandBuffers(handle, &info, &commands) == VK_SUCCESS &&
              vk->BeginCommandBuffer(commands, &begin) == VK_SUCCESS;
    if (ok) {
        record_zeroes(device, commands);
        ok = vk->EndCommandBuffer(commands) == VK_SUCCESS &&
             vk->QueueSubmit(host_queue, 1, &submit, VK_NULL_HANDLE) == VK_SUCCESS &&
             vk->QueueWaitIdle(host_queue) == VK_SUCCESS;
    }
    vk->DestroyCommandPool(handle, pool, NULL);
    return ok;
}

bool venus_null_descriptor_create(struct venus_device *device)
{
    const struct venus_queue *queue = device->queues;
    while (queue && !(device->physical_device->queue_families[queue->family].queueFlags &
                      (VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT)))
        queue = queue->next_of_device;
    if (!queue)
        return true; // such a device has no shaders
    device->nulls = calloc(1, sizeof(*device->nulls));
    bool ok = device->nulls;
    for (int kind = 0; ok && kind < KINDS; kind++)
        ok = create_buffer(device, kind) && create_image(device, kind);
    ok = ok && clear(device, queue);
    if (!ok)
        venus_null_descriptor_destroy(device);
    return ok;
}

void venus_null_descriptor_destroy(struct venus_device *device)
{
    const struct venus_device_driver *vk = &device->vk;
    VkDevice handle = venus_device_handle(device);
    for (int kind = 0; device->nulls && kind < KINDS; kind++) {
        vk->DestroyImageView(handle, device->nulls->zero[kind].view, NULL);
        vk->DestroyImage(handle, device->nulls->zero[kind].image, NULL);
        vk->DestroyBufferView(handle, device->nulls->zero[kind].texels, NULL);
        vk->DestroyBuffer(handle, device->nulls->zero[kind].buffer, NULL);
        vk->FreeMemory(handle, device->nulls->zero[kind].image_memory, NULL);
        vk->FreeMemory(handle, device->nulls->zero[kind].buffer_memory, NULL);
    }
    free(device->nulls);
    device->nulls = NULL;
}

// ---- where guests write nothing -------------------------------------------

static void fill_images(const struct venus_null_descriptor *nulls, VkWriteDescriptorSet *write,
                        int kind)
{
    VkDescriptorImageInfo *info = (VkDescriptorImageInfo *)(uintptr_t)write->pImageInfo;
    for (uint32_t i = 0; info && i < write->descriptorCount; i++) {
        if (!info[i].imageView) {
            info[i].imageView = nulls->zero[kind].view;
            info[i].imageLayout = VK_IMAGE_LAYOUT_GENERAL;
        }
    }
}

static void fill_buffers(const struct venus_null_descriptor *nulls, VkWriteDescriptorSet *write,
                         int kind)
{
    VkDescriptorBufferInfo *info = (VkDescriptorBufferInfo *)(uintptr_t)write->pBufferInfo;
    for (uint32_t i = 0; info && i < write->descriptorCount; i++) {
        if (!info[i].buffer)
            info[i] = (VkDescriptorBufferInfo){nulls->zero[kind].buffer, 0, VK_WHOLE_SIZE};
    }
}

static void fill_texels(const struct venus_null_descriptor *nulls, VkWriteDescriptorSet *write,
                        int kind)
{
    VkBufferView *views = (VkBufferView *)(uintptr_t)write->pTexelBufferView;
    for (uint32_t i = 0; views && i < write->descriptorCount; i++) {
        if (!views[i])
            views[i] = nulls->zero[kind].texels;
    }
}

// The decoded writes are private memory of this thread.
static void fill(const struct venus_call *call, const VkWriteDescriptorSet *writes, uint32_t count)
{
    const struct venus_null_descriptor *nulls = call->device->nulls;
    VkWriteDescriptorSet *write = (VkWriteDescriptorSet *)(uintptr_t)writes;
    for (uint32_t i = 0; nulls && i < count; i++, write++) {
        switch (write->descriptorType) {
        case VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER:
        case VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE:
        case VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT:
            fill_images(nulls, write, READ);
            break;
        case VK_DESCRIPTOR_TYPE_STORAGE_IMAGE:
            fill_images(nulls, write, WRITTEN);
            break;
        case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER:
        case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC:
            fill_buffers(nulls, write, READ);
            break;
        case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER:
        case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC:
            fill_buffers(nulls, write, WRITTEN);
            break;
        case VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER:
            fill_texels(nulls, write, READ);
            break;
        case VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER:
            fill_texels(nulls, write, WRITTEN);
            break;
        default:
            break;
        }
    }
}

// What is written, where a write of this type has it; NULL: nothing.
static const void *what_is_written(const VkWriteDescriptorSet *write)
{
    switch (write->descriptorType) {
    case VK_DESCRIPTOR_TYPE_SAMPLER:
    case VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER:
    case VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE:
    case VK_DESCRIPTOR_TYPE_STORAGE_IMAGE:
    case VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT:
        return write->pImageInfo;
    case VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER:
    case VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER:
        return write->pTexelBufferView;
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER:
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER:
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC:
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC:
        return write->pBufferInfo;
    default: // in its chain
        return write->pNext;
    }
}

// False: the command is left out. Drivers follow the pointer. The sets and bindings of writes are
// the guest's to know: looking them up would cost each write as much again.
static bool prepare(struct venus_call *call, const VkWriteDescriptorSet *writes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (__builtin_expect(!what_is_written(&writes[i]) && writes[i].descriptorCount, 0))
            return !venus_leave_out(call, "a descriptor is written, and nothing is there for it");
    }
    fill(call, writes, count);
    return true;
}

static bool update_descriptor_sets(struct venus_call *call, void *data)
{
    const struct wire_args_vkUpdateDescriptorSets *args = data;
    return !prepare(call, args->pDescriptorWrites, args->descriptorWriteCount) ||
           venus_thunks[WIRE_vkUpdateDescriptorSets](call, data);
}

// A sampler that is pushed may be the layout's own, and then nothing is there for it: what the
// driver does not look at is zero.
static bool prepare_pushed(struct venus_call *call, const VkWriteDescriptorSet *writes,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (writes[i].descriptorType != VK_DESCRIPTOR_TYPE_SAMPLER || writes[i].pImageInfo)
            continue;
        VkDescriptorImageInfo *zeroes =
            venus_scratch(call, writes[i].descriptorCount * sizeof(*zeroes));
        if (!zeroes)
            return venus_leave_out(call, "out of memory"), false;
        ((VkWriteDescriptorSet *)(uintptr_t)&writes[i])->pImageInfo = zeroes;
    }
    return prepare(call, writes, count);
}

static bool push_descriptor_set(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdPushDescriptorSet *args = data;
    return !prepare_pushed(call, args->pDescriptorWrites, args->descriptorWriteCount) ||
           venus_thunks[WIRE_vkCmdPushDescriptorSet](call, data);
}

static bool push_descriptor_set2(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdPushDescriptorSet2 *args = data;
    const VkPushDescriptorSetInfo *info = args->pPushDescriptorSetInfo;
    return !prepare_pushed(call, info->pDescriptorWrites, info->descriptorWriteCount) ||
           venus_thunks[WIRE_vkCmdPushDescriptorSet2](call, data);
}

static void fill_vertices(const struct venus_call *call, const VkBuffer *buffers,
                          const VkDeviceSize *offsets, const VkDeviceSize *sizes, uint32_t count)
{
    const struct venus_null_descriptor *nulls = call->device->nulls;
    for (uint32_t i = 0; nulls && buffers && i < count; i++) {
        if (buffers[i])
            continue;
        ((VkBuffer *)(uintptr_t)buffers)[i] = nulls->zero[READ].buffer;
        if (offsets)
            ((VkDeviceSize *)(uintptr_t)offsets)[i] = 0;
        if (sizes)
            ((VkDeviceSize *)(uintptr_t)sizes)[i] = VK_WHOLE_SIZE;
    }
}

static bool bind_vertex_buffers(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdBindVertexBuffers *args = data;
    fill_vertices(call, args->pBuffers, args->pOffsets, NULL, args->bindingCount);
    return venus_thunks[WIRE_vkCmdBindVertexBuffers](call, data);
}

static bool bind_vertex_buffers2(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdBindVertexBuffers2 *args = data;
    fill_vertices(call, args->pBuffers, args->pOffsets, args->pSizes, args->bindingCount);
    return venus_thunks[WIRE_vkCmdBindVertexBuffers2](call, data);
}

const struct venus_handler_entry venus_null_descriptor_handlers[] = {
    {WIRE_vkUpdateDescriptorSets, update_descriptor_sets},
    {WIRE_vkCmdPushDescriptorSet, push_descriptor_set},
    {WIRE_vkCmdPushDescriptorSet2, push_descriptor_set2},
    {WIRE_vkCmdBindVertexBuffers, bind_vertex_buffers},
    {WIRE_vkCmdBindVertexBuffers2, bind_vertex_buffers2},
    {0},
};
