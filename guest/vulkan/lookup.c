// Names of functions.
#include "guest/vulkan/objects.h"

static PFN_vkVoidFunction find(const char *name, enum guest_level least)
{
    uint32_t low = 0, high = guest_entry_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = strcmp(name, guest_entries[middle].name);
        if (!order)
            return guest_entries[middle].level >= least ? guest_entries[middle].function : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                               const char *pName)
{
    return find(pName, GUEST_LEVEL_GLOBAL);
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetDeviceProcAddr(VkDevice device, const char *pName)
{
    return find(pName, GUEST_LEVEL_DEVICE);
}
