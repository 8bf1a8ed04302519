// The images of a window, which are shown in turn.
//
// Thread: one presenter's.
#ifndef WINDOW_SWAPCHAIN_H
#define WINDOW_SWAPCHAIN_H

#include "display/window/vulkan.h"

enum { WINDOW_SWAPCHAIN_IMAGES = 16 };

struct window_swapchain {
    VkSwapchainKHR chain; // none: the window has no size at the moment
    VkFormat format;
    VkExtent2D extent;
    uint32_t count;
    VkImage images[WINDOW_SWAPCHAIN_IMAGES];
    VkSemaphore drawn[WINDOW_SWAPCHAIN_IMAGES]; // the image may be presented
    VkSemaphore acquired;
    bool stale; // make it anew before it is used again
};

// Makes it anew. The sizes are used if the surface does not know its own. The GPU must not be using
// any image. Errors: false, the surface or the device is lost.
bool window_swapchain_renew(struct window_vulkan *vulkan, VkSurfaceKHR surface,
                            struct window_swapchain *swapchain, uint32_t width, uint32_t height);
void window_swapchain_free(struct window_vulkan *vulkan, struct window_swapchain *swapchain);

// Returns the next image, which `acquired` signals; -1: there is none within `timeout_ns`, or the
// swapchain is `stale`. vulkan->lost may be set.
int window_swapchain_acquire(struct window_vulkan *vulkan, struct window_swapchain *swapchain,
                             uint64_t timeout_ns);
// Presents the image once drawn[image] is signalled. `stale` and vulkan->lost may be set.
void window_swapchain_present(struct window_vulkan *vulkan, struct window_queue *queue,
                              struct window_swapchain *swapchain, uint32_t image);

#endif
