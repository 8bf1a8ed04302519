// The kit as a driver for the Vulkan loader, for comparing it with Mesa's: over a vtest socket, or
// in a Linux guest over its kernel's virtio_gpu.
#include <stdlib.h>

#ifdef __linux__
#include "guest/linux/virtgpu.h"
#endif
#include "guest/vtest/vtest.h"
#include "guest/vulkan/guest.h"
#include "guest_vulkan.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version);
EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                          const char *name);
EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetPhysicalDeviceProcAddr(VkInstance instance,
                                                                                const char *name);

static int connect_here(void *context, struct guest_transport **transport)
{
#ifdef __linux__
    if (!getenv("VTEST_SOCKET_NAME") && !guest_virtgpu_connect(&guest_posix_system, transport))
        return 0;
#endif
    return guest_vtest_connect(&guest_posix_system, NULL, transport);
}

static void start(void)
{
    guest_use(&guest_posix_system, connect_here, NULL);
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
