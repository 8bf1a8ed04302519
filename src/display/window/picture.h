// A window's picture on the GPU: what was shown last. It can be drawn again at any time without
// reading the guest's memory.
//
// Thread: one presenter's.
#ifndef WINDOW_PICTURE_H
#define WINDOW_PICTURE_H

#include "display/window/layout.h"
#include "display/window/vulkan.h"
#include "picture/picture.h"

struct window_picture {
    VkImage image; // none: nothing was shown yet
    VkDeviceMemory memory;
    VkFormat format;
    uint32_t width, height;
    bool filled; // it has contents
    bool smooth; // can be enlarged with a linear filter
};

// Where the pixels come from.
struct window_source {
    VkBuffer buffer;
    VkDeviceSize offset; // of the picture's first pixel, bytes, a multiple of 4
    uint32_t row;        // pixels
    VkFormat format;
    uint32_t width, height;     // the picture's
    struct picture_rect damage; // the part to be copied
};

// Vulkan's format with the same pixels in memory as `format`; VK_FORMAT_UNDEFINED: there is none.
VkFormat window_picture_format(enum picture_format format);

// Makes the image as the source needs it. The GPU must not be using it. Errors: false, out of
// memory.
bool window_picture_prepare(struct window_vulkan *vulkan, struct window_picture *picture,
                            const struct window_source *source);
void window_picture_free(struct window_vulkan *vulkan, struct window_picture *picture);

// These record commands: one copies from the source into the picture. The other draws the picture
// over all of `target`, a swapchain's image with undefined contents, and makes it ready to be
// presented.
void window_picture_copy(struct window_vulkan *vulkan, VkCommandBuffer commands,
                         struct window_picture *picture, const struct window_source *source);
void window_picture_draw(struct window_vulkan *vulkan, VkCommandBuffer commands,
                         const struct window_picture *picture, enum window_scale scale,
                         VkImage target, VkExtent2D extent);

#endif
