// Private to guest/bare: between scene.c and setup.c.
#ifndef BARE_SCENE_PRIVATE_H
#define BARE_SCENE_PRIVATE_H

#include "guest/bare/scene.h"

#define SCENE_FORMAT VK_FORMAT_B8G8R8A8_UNORM

// Returns from a function that returns VkResult if the call fails.
#define TRY(call)                                                                                  \
    do {                                                                                           \
        VkResult try_result = (call);                                                              \
        if (try_result < 0)                                                                        \
            return try_result;                                                                     \
    } while (0)

VkResult scene_allocate(struct scene *scene, const VkMemoryRequirements *needs, bool mapped,
                        struct scene_memory *memory);
// In mapped memory.
VkResult scene_buffer(struct scene *scene, VkDeviceSize size, VkBufferUsageFlags usage,
                      VkBuffer *buffer, struct scene_memory *memory);

struct scene_image_info {
    uint32_t width, height;
    VkFormat format;
    VkImageUsageFlags usage;
    VkImageAspectFlags aspect;
    bool mapped; // then it is linear
};
VkResult scene_image(struct scene *scene, const struct scene_image_info *info, VkImage *image,
                     struct scene_memory *memory, VkImageView *view);

VkResult scene_begin(VkCommandBuffer commands);
// Ends, submits, waits.
VkResult scene_run(struct scene *scene, VkCommandBuffer commands);

// Everything behind the device.
VkResult scene_set_up(struct scene *scene);

#endif
