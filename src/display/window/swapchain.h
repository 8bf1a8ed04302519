// The images of a window that are shown in turn. Belongs to one presenter's thread.
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

// Makes it anew, for a window of that size in pixels, if the surface does not know its own. False:
// the surface or the device is lost. No image may be in use by the GPU.
bool window_swapchain_renew(struct window_vulkan *vulkan, VkSurfaceKHR surface,
                            struct window_swapchain *swapchain, uint32_t width, uint32_t height);
void window_swapchain_free(struct window_vulkan *vulkan, struct window_swapchain *swapchain);

// The next image, signalled by `acquired`, or -1: there is none within `timeout_ns`, or it is
// `stale`. vulkan->lost may be set.
int window_swapchain_acquire(struct window_vulkan *vulkan, struct window_swapchain *swapchain,
                             uint64_t timeout_ns);
// Once drawn[image] is signalled. `stale`, vulkan->lost may be set.
void window_swapchain_present(struct window_vulkan *vulkan, struct window_queue *queue,
                              struct window_swapchain *swapchain, uint32_t image);

#endif
