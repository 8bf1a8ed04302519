#include "os/library.h"

#include <stddef.h>

const char *const *os_vulkan_library_names(void)
{
    // The loader first: it finds any driver. MoltenVK exports the same entry point and serves
    // alone. Package managers install outside dyld's default path.
    static const char *const names[] = {
        "libvulkan.1.dylib",
        "/usr/local/lib/libvulkan.1.dylib",
        "/opt/homebrew/lib/libvulkan.1.dylib",
        "libMoltenVK.dylib",
        "/usr/local/lib/libMoltenVK.dylib",
        "/opt/homebrew/lib/libMoltenVK.dylib",
        "@rpath/libvulkan.1.dylib",
        "@rpath/libMoltenVK.dylib",
        NULL,
    };
    return names;
}

const char *os_vulkan_loader_hint(void)
{
    return "install a Vulkan loader or MoltenVK (Homebrew: vulkan-loader molten-vk)";
}

const char *os_vulkan_driver_hint(void)
{
    return "install a Vulkan driver (Homebrew: molten-vk)";
}
