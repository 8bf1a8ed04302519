#include "os/library.h"

#include <stddef.h>

const char *const *os_vulkan_library_names(void)
{
    static const char *const names[] = {"libvulkan.so.1", "libvulkan.so", NULL};
    return names;
}

const char *os_vulkan_loader_hint(void)
{
    return "install the Vulkan loader (Debian: libvulkan1)";
}

const char *os_vulkan_driver_hint(void)
{
    return "install a Vulkan driver for this machine's GPU; mesa-vulkan-drivers (Debian) has them "
           "for most, and lavapipe for a "
           "machine without one";
}
