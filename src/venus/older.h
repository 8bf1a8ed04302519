// Names that this room uses and an older Khronos registry (1.3.269 up to 1.4) has only with a
// suffix. With a registry that has them all this is empty.
#ifndef VENUS_OLDER_H
#define VENUS_OLDER_H

#ifndef VK_VERSION_1_4
#define VkBufferUsageFlags2CreateInfo VkBufferUsageFlags2CreateInfoKHR
#define VK_STRUCTURE_TYPE_BUFFER_USAGE_FLAGS_2_CREATE_INFO                                         \
    VK_STRUCTURE_TYPE_BUFFER_USAGE_FLAGS_2_CREATE_INFO_KHR
#define VkImageSubresource2 VkImageSubresource2KHR
#define GetImageSubresourceLayout2 GetImageSubresourceLayout2KHR
#define WIRE_vkGetImageSubresourceLayout2 WIRE_vkGetImageSubresourceLayout2KHR
#define wire_args_vkGetImageSubresourceLayout2 wire_args_vkGetImageSubresourceLayout2KHR
#define GetDeviceImageSubresourceLayout GetDeviceImageSubresourceLayoutKHR
#define WIRE_vkGetDeviceImageSubresourceLayout WIRE_vkGetDeviceImageSubresourceLayoutKHR
#define wire_args_vkGetDeviceImageSubresourceLayout wire_args_vkGetDeviceImageSubresourceLayoutKHR
#define WIRE_vkUnmapMemory2 WIRE_vkUnmapMemory2KHR
#endif

#ifndef VK_KHR_calibrated_timestamps
#define GetPhysicalDeviceCalibrateableTimeDomainsKHR GetPhysicalDeviceCalibrateableTimeDomainsEXT
#define WIRE_vkGetPhysicalDeviceCalibrateableTimeDomainsKHR                                        \
    WIRE_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT
#define wire_args_vkGetPhysicalDeviceCalibrateableTimeDomainsKHR                                   \
    wire_args_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT
#define VK_TIME_DOMAIN_DEVICE_KHR VK_TIME_DOMAIN_DEVICE_EXT
#endif

#endif
