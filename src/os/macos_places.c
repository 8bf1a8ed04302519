#include "os/places.h"

#include <stddef.h>

// Homebrew installs below /opt/homebrew on Apple silicon and /usr/local on Intel; LunarG's SDK sets
// VULKAN_SDK, or lies in /usr/local too.

const struct os_place *os_manifest_places(void)
{
    static const struct os_place places[] = {
        {NULL, "@", "/../Resources/vulkan/icd.d"}, // of an application bundle
        {"XDG_CONFIG_HOME", "~/.config", "/vulkan/icd.d"},
        {"XDG_CONFIG_DIRS", "/etc/xdg", "/vulkan/icd.d"},
        {NULL, "/etc", "/vulkan/icd.d"},
        {"XDG_DATA_HOME", "~/.local/share", "/vulkan/icd.d"},
        {"XDG_DATA_DIRS", "/usr/local/share:/usr/share", "/vulkan/icd.d"},
        {NULL, "/opt/homebrew:/usr/local", "/etc/vulkan/icd.d"},
        {NULL, "/opt/homebrew:/usr/local", "/share/vulkan/icd.d"},
        {"VULKAN_SDK", NULL, "/share/vulkan/icd.d"},
        {0},
    };
    return places;
}

const struct os_place *os_driver_places(void)
{
    static const struct os_place places[] = {
        {NULL, "@", "/../Frameworks"},
        {NULL, "@", "/../lib"},
        {NULL, "/opt/homebrew:/usr/local", "/lib"},
        {"VULKAN_SDK", NULL, "/lib"},
        {0},
    };
    return places;
}

const char *const *os_driver_names(void)
{
    static const char *const names[] = {"libMoltenVK.dylib", "libvulkan_kosmickrisp.dylib", NULL};
    return names;
}

// packaging/homebrew/hesper-qemu.rb installs it beside Homebrew's own, which lacks vhost-user.
const char *const *os_qemu_folders(void)
{
    static const char *const folders[] = {"/opt/homebrew/opt/hesper-qemu/bin",
                                          "/usr/local/opt/hesper-qemu/bin", NULL};
    return folders;
}

unsigned long os_mapping_limit(void)
{
    return 0;
}
