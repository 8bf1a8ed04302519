// The kit as a driver for the Vulkan loader, over a vtest socket: for comparing it with Mesa's.
#include <stdlib.h>

#include "guest/vtest/vtest.h"
#include "guest/vulkan/guest.h"
#include "guest_vulkan.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version);
EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                          const char *name);
EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetPhysicalDeviceProcAddr(VkInstance instance,
                                                                                const char *name);

static int connect_to_vtest(void *context, struct guest_transport **transport)
{
    return guest_vtest_connect(&guest_posix_system, NULL, transport);
}

static void start(void)
{
    guest_use(&guest_posix_system, connect_to_vtest, NULL);
}

VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version)
{
    start();
    if (*version > 5)
        *version = 5;
    return VK_SUCCESS;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                   const char *name)
{
    start();
    return vkGetInstanceProcAddr(instance, name);
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetPhysicalDeviceProcAddr(VkInstance instance,
                                                                         const char *name)
{
    for (uint32_t i = 0; i < guest_entry_count; i++) {
        if (!strcmp(name, guest_entries[i].name))
            return guest_entries[i].level == GUEST_LEVEL_PHYSICAL_DEVICE ? guest_entries[i].function
                                                                         : NULL;
    }
    return NULL;
}
