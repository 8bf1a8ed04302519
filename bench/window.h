// The window of a GPU's memory: what is the device's own and the host can map all the same.
#ifndef BENCH_WINDOW_H
#define BENCH_WINDOW_H

#include <vulkan/vulkan.h>

// Shows it as plain memory of the device, if there is other memory that can be mapped. No guest has
// it: docs/emulation.md says why.
void window_hide(VkPhysicalDeviceMemoryProperties *p);

#endif
