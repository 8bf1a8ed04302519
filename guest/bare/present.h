// The scene's pictures by VK_KHR_display and VK_KHR_swapchain, as a program shows them that knows
// no other way.
//
// Thread: one. Errors: VkResult.
#ifndef BARE_PRESENT_H
#define BARE_PRESENT_H

#include "guest/bare/scene.h"

enum { PRESENT_IMAGES = 4 };

struct present {
    VkSurfaceKHR surface;
    VkSwapchainKHR swapchain;
    VkImage images[PRESENT_IMAGES];
    VkSemaphore acquired, copied;
};

// On the first display that there is; its mode must have the scene's size.
VkResult present_create(struct present *present, const struct scene *scene);
// Shows a picture that was drawn.
VkResult present_show(const struct present *present, struct scene *scene, uint32_t index);
void present_destroy(struct present *present, const struct scene *scene);

#endif
