// A window's picture on the GPU: what was shown last, to be drawn again at any time without a look
// at the guest's memory. Belongs to one presenter's thread.
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
    uint32_t width, height;     // of the picture
    struct picture_rect damage; // what is to be copied; in the picture
};

// The format whose pixels lie in memory as those of `format`; VK_FORMAT_UNDEFINED: there is none.
VkFormat window_picture_format(enum picture_format format);

// Makes the image what the source needs. The GPU must not be using it. False: out of memory.
bool window_picture_prepare(struct window_vulkan *vulkan, struct window_picture *picture,
                            const struct window_source *source);
void window_picture_free(struct window_vulkan *vulkan, struct window_picture *picture);

// Commands: copy from the source into the picture; draw the picture over all of `target`, an image
// of a swapchain with undefined contents, and make that ready to be presented.
void window_picture_copy(struct window_vulkan *vulkan, VkCommandBuffer commands,
                         struct window_picture *picture, const struct window_source *source);
void window_picture_draw(struct window_vulkan *vulkan, VkCommandBuffer commands,
                         const struct window_picture *picture, enum window_scale scale,
                         VkImage target, VkExtent2D extent);

#endif
