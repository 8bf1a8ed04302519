// Buffers, pictures, command buffers, compute pipelines.
#include "checks.h"

// ---- buffers --------------------------------------------------------------

static VkDeviceMemory allocate(VkMemoryRequirements needs, VkMemoryPropertyFlags wanted,
                               bool address)
{
    const VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                             .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .pNext = address ? &flags : NULL,
                                 .allocationSize = needs.size,
                                 .memoryTypeIndex =
                                     memory_type(&gpu, needs.memoryTypeBits, wanted)};
    VkDeviceMemory memory;
    expect(info.memoryTypeIndex != UINT32_MAX, "a memory type");
    TRY(vk.AllocateMemory(gpu.device, &info, NULL, &memory));
    return keep_memory(memory);
}

struct buffer make_buffer(VkDeviceSize size, VkBufferUsageFlags usage)
{
    struct buffer b = {.size = size};
    usage |= VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    VkMemoryRequirements needs;
    TRY(vk.CreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                              .size = size,
                                              .usage = usage},
                        NULL, &b.buffer));
    keep_Buffer(b.buffer);
    vk.GetBufferMemoryRequirements(gpu.device, b.buffer, &needs);
    b.memory =
        allocate(needs, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                 usage & VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT);
    TRY(vk.BindBufferMemory(gpu.device, b.buffer, b.memory, 0));
    TRY(vk.MapMemory(gpu.device, b.memory, 0, VK_WHOLE_SIZE, 0, &b.map));
    memset(b.map, 0, size);
    return b;
}

struct buffer make_words(const uint32_t *words, uint32_t count, VkBufferUsageFlags usage)
{
    struct buffer b = make_buffer(4 * count, usage);
    memcpy(b.map, words, 4 * count);
    return b;
}

// ---- pictures -------------------------------------------------------------

bool format_has(VkFormat format, VkFormatFeatureFlags2 features)
{
    VkFormatProperties3 p3 = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_3};
    VkFormatProperties2 p = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2, .pNext = &p3};
    vk.GetPhysicalDeviceFormatProperties2(gpu.gpu, format, &p);
    return (p3.optimalTilingFeatures & features) == features;
}

static VkImageAspectFlags aspect_of(VkFormat format)
{
    switch (format) {
    case VK_FORMAT_D16_UNORM:
    case VK_FORMAT_X8_D24_UNORM_PACK32:
    case VK_FORMAT_D32_SFLOAT:
        return VK_IMAGE_ASPECT_DEPTH_BIT;
    case VK_FORMAT_S8_UINT:
        return VK_IMAGE_ASPECT_STENCIL_BIT;
    case VK_FORMAT_D16_UNORM_S8_UINT:
    case VK_FORMAT_D24_UNORM_S8_UINT:
    case VK_FORMAT_D32_SFLOAT_S8_UINT:
        return VK_IMAGE_ASPECT_DEPTH_BIT | VK_IMAGE_ASPECT_STENCIL_BIT;
    default:
        return VK_IMAGE_ASPECT_COLOR_BIT;
    }
}

static void need_image(const VkImageCreateInfo *info)
{
    const VkPhysicalDeviceImageFormatInfo2 wish = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .format = info->format,
        .type = info->imageType,
        .tiling = info->tiling,
        .usage = info->usage,
        .flags = info->flags};
    VkImageFormatProperties2 p = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2};
    VkResult result = vk.GetPhysicalDeviceImageFormatProperties2(gpu.gpu, &wish, &p);
    if (result == VK_ERROR_FORMAT_NOT_SUPPORTED)
        lack("no such image of format %d", (int)info->format);
    TRY(result);
    need(p.imageFormatProperties.sampleCounts & info->samples, "this number of samples");
}

VkImageView make_view(const struct picture *picture, VkImageViewType type, VkFormat format,
                      VkImageSubresourceRange range)
{
    VkImageView view;
    TRY(vk.CreateImageView(gpu.device,
                           &(VkImageViewCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                               .image = picture->image,
                               .viewType = type,
                               .format = format ? format : picture->info.format,
                               .subresourceRange = range,
                           },
                           NULL, &view));
    return keep_ImageView(view);
}

static void to_general(const struct picture *picture)
{
    VkCommandBuffer cmd = begin();
    image_barrier(cmd, picture->image, picture->aspect, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_GENERAL, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0,
                  VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                  VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT);
    run(cmd);
}

struct picture make_picture(VkImageCreateInfo info)
{
    static const VkImageViewType view_types[][2] = {
        [VK_IMAGE_TYPE_1D] = {VK_IMAGE_VIEW_TYPE_1D, VK_IMAGE_VIEW_TYPE_1D_ARRAY},
        [VK_IMAGE_TYPE_2D] = {VK_IMAGE_VIEW_TYPE_2D, VK_IMAGE_VIEW_TYPE_2D_ARRAY},
        [VK_IMAGE_TYPE_3D] = {VK_IMAGE_VIEW_TYPE_3D, VK_IMAGE_VIEW_TYPE_3D},
    };
    const VkImageUsageFlags viewed = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_STORAGE_BIT |
                                     VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                                     VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT |
                                     VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT;
    VkMemoryRequirements needs;
    info.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO;
    info.usage |= VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT;
    // 1D is the type 0, so that height says which one is meant.
    if (info.imageType == VK_IMAGE_TYPE_1D && info.extent.height)
        info.imageType = VK_IMAGE_TYPE_2D;
    info.extent.height += !info.extent.height;
    info.extent.depth += !info.extent.depth;
    info.mipLevels += !info.mipLevels;
    info.arrayLayers += !info.arrayLayers;
    info.samples += !info.samples;
    struct picture p = {.info = info, .aspect = aspect_of(info.format)};
    need_image(&info);
    TRY(vk.CreateImage(gpu.device, &info, NULL, &p.image));
    keep_Image(p.image);
    vk.GetImageMemoryRequirements(gpu.device, p.image, &needs);
    TRY(vk.BindImageMemory(gpu.device, p.image, allocate(needs, 0, false), 0));
    if (info.usage & viewed)
        p.view =
            make_view(&p, view_types[info.imageType][info.arrayLayers > 1], 0,
                      (VkImageSubresourceRange){p.aspect, 0, info.mipLevels, 0, info.arrayLayers});
    to_general(&p);
    return p;
}

// ---- commands -------------------------------------------------------------

static VkCommandBuffer allocate_commands(VkCommandBufferLevel level)
{
    VkCommandPool pool;
    VkCommandBuffer cmd;
    TRY(vk.CreateCommandPool(
        gpu.device,
        &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                   .queueFamilyIndex = gpu.family},
        NULL, &pool));
    keep_CommandPool(pool);
    TRY(vk.AllocateCommandBuffers(
        gpu.device,
        &(VkCommandBufferAllocateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                       .commandPool = pool,
                                       .level = level,
                                       .commandBufferCount = 1},
        &cmd));
    return cmd;
}

VkCommandBuffer begin(void)
{
    VkCommandBuffer cmd = allocate_commands(VK_COMMAND_BUFFER_LEVEL_PRIMARY);
    TRY(vk.BeginCommandBuffer(
        cmd, &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    return cmd;
}

VkCommandBuffer begin_secondary(const VkCommandBufferInheritanceInfo *inheritance,
                                VkCommandBufferUsageFlags flags)
{
    VkCommandBuffer cmd = allocate_commands(VK_COMMAND_BUFFER_LEVEL_SECONDARY);
    TRY(vk.BeginCommandBuffer(
        cmd, &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                         .flags = flags,
                                         .pInheritanceInfo = inheritance}));
    return cmd;
}

void barrier(VkCommandBuffer cmd)
{
    const VkMemoryBarrier all = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                 .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                                 .dstAccessMask =
                                     VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                          VK_PIPELINE_STAGE_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                          &all, 0, NULL, 0, NULL);
}

VkFence make_fence(VkFenceCreateFlags flags)
{
    VkFence fence;
    TRY(vk.CreateFence(
        gpu.device,
        &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, .flags = flags}, NULL,
        &fence));
    return keep_Fence(fence);
}

void run(VkCommandBuffer cmd)
{
    VkFence fence = make_fence(0);
    barrier(cmd);
    TRY(vk.EndCommandBuffer(cmd));
    TRY(vk.QueueSubmit(gpu.queue, 1,
                       &(VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                       .commandBufferCount = 1,
                                       .pCommandBuffers = &cmd},
                       fence));
    // A fence that is never signalled would keep the objects of the check in use for ever.
    VkResult result = vk.WaitForFences(gpu.device, 1, &fence, VK_TRUE, 60ull * 1000000000);
    app_expect(result == VK_SUCCESS, "the end of a submission within a minute");
}

VkBufferImageCopy whole(const struct picture *picture, VkImageAspectFlags aspect, uint32_t level,
                        uint32_t layer)
{
    const VkExtent3D e = picture->info.extent;
    return (VkBufferImageCopy){
        .imageSubresource = {aspect, level, layer, 1},
        .imageExtent = {e.width >> level ? e.width >> level : 1,
                        e.height >> level ? e.height >> level : 1,
                        e.depth >> level ? e.depth >> level : 1},
    };
}

const void *texels_of(const struct picture *picture, VkImageAspectFlags aspect, uint32_t level,
                      uint32_t layer, uint32_t texel_size)
{
    VkBufferImageCopy copy = whole(picture, aspect, level, layer);
    const VkExtent3D e = copy.imageExtent;
    struct buffer b = make_buffer((VkDeviceSize)e.width * e.height * e.depth * texel_size, 0);
    VkCommandBuffer cmd = begin();
    vk.CmdCopyImageToBuffer(cmd, picture->image, VK_IMAGE_LAYOUT_GENERAL, b.buffer, 1, &copy);
    run(cmd);
    return b.map;
}

void fill_texels(const struct picture *picture, VkImageAspectFlags aspect, uint32_t level,
                 uint32_t layer, const void *texels, size_t size)
{
    VkBufferImageCopy copy = whole(picture, aspect, level, layer);
    struct buffer b = make_buffer(size, 0);
    VkCommandBuffer cmd = begin();
    memcpy(b.map, texels, size);
    vk.CmdCopyBufferToImage(cmd, b.buffer, picture->image, VK_IMAGE_LAYOUT_GENERAL, 1, &copy);
    run(cmd);
}

// ---- compute --------------------------------------------------------------

VkShaderModule make_shader(const uint32_t *code, size_t size)
{
    VkShaderModule module;
    TRY(vk.CreateShaderModule(
        gpu.device,
        &(VkShaderModuleCreateInfo){
            .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code},
        NULL, &module));
    return keep_ShaderModule(module);
}

enum { BINDINGS = 16 };

static void make_set(struct work *w)
{
    VkDescriptorSetLayoutBinding bindings[BINDINGS] = {{0}};
    VkDescriptorPoolSize sizes[BINDINGS];
    VkWriteDescriptorSet writes[BINDINGS];
    VkDescriptorPool pool;
    for (uint32_t i = 0; i < w->bound_count; i++) {
        const struct bound *b = &w->bound[i];
        bindings[i] = (VkDescriptorSetLayoutBinding){i, b->type, 1, VK_SHADER_STAGE_ALL, NULL};
        sizes[i] = (VkDescriptorPoolSize){b->type, 1};
    }
    TRY(vk.CreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){.sType =
                                               VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                           .bindingCount = w->bound_count,
                                           .pBindings = bindings},
        NULL, &w->set_layout));
    keep_DescriptorSetLayout(w->set_layout);
    if (!w->bound_count)
        return;
    TRY(vk.CreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                      .maxSets = 1,
                                      .poolSizeCount = w->bound_count,
                                      .pPoolSizes = sizes},
        NULL, &pool));
    keep_DescriptorPool(pool);
    TRY(vk.AllocateDescriptorSets(
        gpu.device,
        &(VkDescriptorSetAllocateInfo){.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                       .descriptorPool = pool,
                                       .descriptorSetCount = 1,
                                       .pSetLayouts = &w->set_layout},
        &w->set));
    for (uint32_t i = 0; i < w->bound_count; i++) {
        const struct bound *b = &w->bound[i];
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = w->set,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType = b->type,
                                           .pBufferInfo = &b->buffer,
                                           .pImageInfo = &b->image,
                                           .pTexelBufferView = &b->texels};
    }
    vk.UpdateDescriptorSets(gpu.device, w->bound_count, writes, 0, NULL);
}

void prepare(struct work *w)
{
    const VkPushConstantRange range = {VK_SHADER_STAGE_ALL, 0, w->push_size};
    expect(w->bound_count <= BINDINGS, "not too many bindings");
    make_set(w);
    TRY(vk.CreatePipelineLayout(
        gpu.device,
        &(VkPipelineLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                      .setLayoutCount = 1,
                                      .pSetLayouts = &w->set_layout,
                                      .pushConstantRangeCount = w->push_size != 0,
                                      .pPushConstantRanges = &range},
        NULL, &w->layout));
    keep_PipelineLayout(w->layout);
    TRY(vk.CreateComputePipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .flags = VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
            .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                      .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                      .module = make_shader(w->code, w->code_size),
                      .pName = "main",
                      .pSpecializationInfo = w->special},
            .layout = w->layout,
        },
        NULL, &w->pipeline));
    keep_Pipeline(w->pipeline);
}

void bind(VkCommandBuffer cmd, const struct work *w)
{
    vk.CmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, w->pipeline);
    if (w->set)
        vk.CmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, w->layout, 0, 1, &w->set,
                                 w->dynamic_count, w->dynamic_offsets);
    if (w->push_size)
        vk.CmdPushConstants(cmd, w->layout, VK_SHADER_STAGE_ALL, 0, w->push_size, w->push);
}

void compute(struct work *w, uint32_t groups)
{
    prepare(w);
    VkCommandBuffer cmd = begin();
    bind(cmd, w);
    vk.CmdDispatch(cmd, groups, 1, 1);
    run(cmd);
}
