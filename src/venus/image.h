// Images and buffers: what must be remembered of how they were created.
#ifndef VENUS_IMAGE_H
#define VENUS_IMAGE_H

#include "venus/format.h"

struct venus_image {
    struct venus_object base;
    VkFormat format;
    VkExtent3D extent;
    uint32_t mip_levels, array_layers;
    bool external; // memory bound to it may leave the context: only types that take pages of ours
    bool modifier; // created with a DRM modifier, which is LINEAR
};

struct venus_buffer {
    struct venus_object base;
    bool external; // as above
    uint64_t size;
    // Where it lies in memory that the guest can map; private to feedback.c. memory: id, or 0.
    _Atomic(uint64_t) memory, offset;
};

// Bytes of host memory, from its pointer on, that a copy of this region touches. `subresource` gets
// its layer count resolved. 0: the region is not one of this image; UINT64_MAX: more than can be
// said.
uint64_t venus_host_copy_size(const struct venus_image *image,
                              VkImageSubresourceLayers *subresource, VkOffset3D offset,
                              VkExtent3D extent, uint32_t row_length, uint32_t image_height);

#endif
