// What the renderer must know about formats and about images that leave the context.
#ifndef VENUS_FORMAT_H
#define VENUS_FORMAT_H

#include "venus/device.h"

struct venus_format_info {
    uint8_t planes;     // 1, or the number of planes of a multi-planar format
    uint8_t block_size; // bytes of a block; 0 has no meaning for multi-planar formats
    uint8_t block_width, block_height, block_depth; // texels; 1 if not compressed
    uint8_t depth_size,
        stencil_size; // bytes of a texel in a buffer; 0: the format lacks the aspect
    struct {
        uint8_t size, width_divisor, height_divisor;
    } plane[3];
};

// NULL if the registry has no such format: drivers index tables with them.
const struct venus_format_info *venus_format_info(VkFormat format);

// Is an image with these flags one of a feature that the guest was shown?
bool venus_image_flags_offered(const struct venus_physical_device *physical_device,
                               VkImageCreateFlags flags);

// Formats of which we offer the LINEAR modifier: one plane of colour, not compressed.
bool venus_format_has_modifier(VkFormat format);

// DRM_FORMAT_MOD_LINEAR
#define VENUS_MODIFIER_LINEAR 0ull

// Handle types of external memory that a guest may ask for. All are the same thing here: shared
// pages.
#define VENUS_EXTERNAL_HANDLES                                                                     \
    (VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT | VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT)

// Does the host's driver say that such an image or buffer can be bound to imported host memory? The
// infos may have chains, but none that asks about external memory.
bool venus_host_imports_image(const struct venus_physical_device *physical_device,
                              const VkPhysicalDeviceImageFormatInfo2 *info);
bool venus_host_imports_buffer(const struct venus_physical_device *physical_device,
                               VkBufferCreateFlags flags, VkBufferUsageFlags usage,
                               const VkBufferUsageFlags2CreateInfo *usage2);

#endif
