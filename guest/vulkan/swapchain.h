// Surfaces are outputs; a swapchain's images lie in rows, in memory that an output can show.
#ifndef GUEST_SWAPCHAIN_H
#define GUEST_SWAPCHAIN_H

#include "guest/vulkan/objects.h"

enum { SWAPCHAIN_IMAGES = 4 };
#define SWAPCHAIN_FORMAT VK_FORMAT_B8G8R8A8_UNORM

#endif
