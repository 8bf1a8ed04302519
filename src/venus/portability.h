// VK_KHR_portability_subset: what a driver lacks of full Vulkan (MoltenVK). Guests' drivers do not
// know that extension. What can be said by a limit is said; the rest is for the log and hesper
// doctor.
//
// Thread: any.
#ifndef VENUS_PORTABILITY_H
#define VENUS_PORTABILITY_H

#include "venus/device.h"

enum { VENUS_PORTABILITY_FEATURES = 15 };

// Names of the features that the device, or its profile, lacks; static. Returns their number.
unsigned venus_portability_lacks(const struct venus_physical_device *physical_device,
                                 const char *names[VENUS_PORTABILITY_FEATURES]);

// Lowers the limits that stand for a lacking feature. `properties` is what a guest is told.
void venus_portability_limit(const struct venus_physical_device *physical_device,
                             VkPhysicalDeviceLimits *limits);

#endif
