// Extensions of a device: what its driver lists, what a guest is shown, what the host is asked for.
//
// Thread: any, once they are loaded.
#ifndef VENUS_EXTENSIONS_H
#define VENUS_EXTENSIONS_H

#include "venus/device.h"

// Fills in the lists of the physical device, whose handle, instance and profile are set.
// Owns: the physical device owns the lists (venus_physical_device_forget).
// Errors: false: the driver does not say, or no memory.
bool venus_extensions_load(struct venus_physical_device *physical_device);

// Does the host's driver list it?
bool venus_extension_of_host(const struct venus_physical_device *physical_device, const char *name);
// Does it, and does the host profile let us see it?
bool venus_extension_usable(const struct venus_physical_device *physical_device, const char *name);
// Does the driver implement a part of Vulkan only, which it then says by VK_KHR_portability_subset?
static inline bool venus_extension_portability(const struct venus_physical_device *physical_device)
{
    return venus_extension_of_host(physical_device, "VK_KHR_portability_subset");
}

// What vkCreateDevice does with an extension that a guest names.
enum venus_extension_use {
    VENUS_EXTENSION_UNKNOWN, // refuses it: it was not shown
    VENUS_EXTENSION_OURS,    // nothing: we or the guest's driver carry it out
    VENUS_EXTENSION_HOST,    // asks the host for it
};
enum venus_extension_use venus_extension_use(const struct venus_physical_device *physical_device,
                                             const char *name);

// Extensions that every device of the host is created with: for us, or because its driver demands
// it. The device has been probed. Returns their number.
#define VENUS_NEEDED_EXTENSIONS 3
uint32_t venus_extensions_needed(const struct venus_physical_device *physical_device,
                                 const char **names);

#endif
