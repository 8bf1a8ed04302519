#include "window.h"

#include <stdbool.h>

void window_hide(VkPhysicalDeviceMemoryProperties *p)
{
    const VkMemoryPropertyFlags mappable = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                           VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                           VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    bool other = false;
    for (uint32_t i = 0; i < p->memoryTypeCount; i++)
        other |= (p->memoryTypes[i].propertyFlags & mappable) &&
                 !(p->memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    for (uint32_t i = 0; other && i < p->memoryTypeCount; i++)
        if (p->memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT)
            p->memoryTypes[i].propertyFlags &= ~mappable;
}
