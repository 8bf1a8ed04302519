// The feature nullDescriptor of VK_EXT_robustness2 on hosts that have the extension without it
// (MoltenVK). OpenGL on Vulkan (zink of Mesa 26), with it every desktop that draws by OpenGL, and
// DXVK insist on it. Where the guest writes "nothing", the host gets zeroes of ours.
#ifndef VENUS_NULL_DESCRIPTOR_H
#define VENUS_NULL_DESCRIPTOR_H

#include "venus/device.h"

struct venus_null_descriptor;

// Is the feature ours to carry out? `physical_device` has its extensions and its profile.
bool venus_null_descriptor_is_ours(const struct venus_physical_device *physical_device);
// Says yes in what the guest asked for.
void venus_null_descriptor_offer(const struct venus_physical_device *physical_device,
                                 VkPhysicalDeviceFeatures2 *features);
// Takes the feature out of a VkDeviceCreateInfo, if it is ours. Was it on?
bool venus_null_descriptor_take(const struct venus_physical_device *physical_device,
                                const VkDeviceCreateInfo *info);

// What stands for nothing on a device with its queues; false: no memory, nothing is left behind.
bool venus_null_descriptor_create(struct venus_device *device);
void venus_null_descriptor_destroy(struct venus_device *device); // or nothing, if there is none

#endif
