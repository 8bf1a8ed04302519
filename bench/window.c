#include "window.h"

#include <stdbool.h>

#include "between.h"

static PFN_vkGetPhysicalDeviceMemoryProperties real_properties;
static PFN_vkGetPhysicalDeviceMemoryProperties2 real_properties2;

static void hide(VkPhysicalDeviceMemoryProperties *p)
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

static VKAPI_ATTR void VKAPI_CALL properties(VkPhysicalDevice gpu,
                                             VkPhysicalDeviceMemoryProperties *p)
{
    real_properties(gpu, p);
    hide(p);
}

static VKAPI_ATTR void VKAPI_CALL properties2(VkPhysicalDevice gpu,
                                              VkPhysicalDeviceMemoryProperties2 *p)
{
    real_properties2(gpu, p);
    hide(&p->memoryProperties);
}

PFN_vkVoidFunction window_wrap(const char *name, PFN_vkVoidFunction real)
{
    if (real && between_same("vkGetPhysicalDeviceMemoryProperties", name)) {
        real_properties = (PFN_vkGetPhysicalDeviceMemoryProperties)real;
        return (PFN_vkVoidFunction)properties;
    }
    if (real && between_same("vkGetPhysicalDeviceMemoryProperties2", name)) {
        real_properties2 = (PFN_vkGetPhysicalDeviceMemoryProperties2)real;
        return (PFN_vkVoidFunction)properties2;
    }
    return real;
}
