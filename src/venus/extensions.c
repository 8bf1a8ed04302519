#include "venus/extensions.h"

#include <stdlib.h>

#include "venus/profile.h"

// Carried out by us on every host (docs/emulation.md): the host's own are not used, so it need not
// have them.
static const char *const emulated_extensions[] = {
    "VK_EXT_external_memory_dma_buf",   "VK_KHR_external_memory_fd",
    "VK_EXT_image_drm_format_modifier", "VK_EXT_queue_family_foreign",
    "VK_KHR_external_semaphore_fd",     "VK_KHR_external_fence_fd",
};

// The guest's driver has its own, which it offers whatever we list; it names them to vkCreateDevice
// all the same, because others (acceleration structures) require them.
static const char *const guest_extensions[] = {
    "VK_KHR_deferred_host_operations",
    "VK_KHR_map_memory2",
    "VK_EXT_tooling_info",
};

// These are in the vocabulary, but not of a device, or mean nothing once their counterpart is
// emulated.
static const char *const withheld_extensions[] = {
    "VK_EXT_command_serialization",
    "VK_MESA_venus_protocol",
    "VK_EXT_external_memory_acquire_unmodified",
};

static bool contains(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}
#define LISTS(array, name) contains(array, sizeof(array) / sizeof(array[0]), name)

static const VkExtensionProperties *find_extension(const VkExtensionProperties *list,
                                                   uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(list[i].extensionName, name) == 0)
            return &list[i];
    }
    return NULL;
}

bool venus_extension_of_host(const struct venus_physical_device *physical_device, const char *name)
{
    return find_extension(physical_device->host_extensions, physical_device->host_extension_count,
                          name);
}

enum venus_extension_use venus_extension_use(const struct venus_physical_device *physical_device,
                                             const char *name)
{
    if (LISTS(guest_extensions, name))
        return venus_extension_of_host(physical_device, name) ? VENUS_EXTENSION_HOST
                                                              : VENUS_EXTENSION_OURS;
    if (!find_extension(physical_device->extensions, physical_device->extension_count, name))
        return VENUS_EXTENSION_UNKNOWN;
    return LISTS(emulated_extensions, name) ? VENUS_EXTENSION_OURS : VENUS_EXTENSION_HOST;
}

bool venus_extension_usable(const struct venus_physical_device *physical_device, const char *name)
{
    return !venus_profile_hides_extension(physical_device->profile, name) &&
           venus_extension_of_host(physical_device, name);
}

uint32_t venus_extensions_needed(const struct venus_physical_device *physical_device,
                                 const char **names)
{
    uint32_t count = 0;
    if (physical_device->import_handle == VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT) {
        names[count++] = VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME;
        names[count++] = VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME;
    } else {
        names[count++] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    }
    if (venus_extension_portability(physical_device))
        names[count++] = "VK_KHR_portability_subset";
    return count;
}

bool venus_extensions_load(struct venus_physical_device *physical_device)
{
    struct venus_instance_driver *vk = &physical_device->instance->vk;
    VkPhysicalDevice handle = (VkPhysicalDevice)(uintptr_t)physical_device->base.handle;
    uint32_t count = 0;
    if (vk->EnumerateDeviceExtensionProperties(handle, NULL, &count, NULL) != VK_SUCCESS)
        return false;
    VkExtensionProperties *host = calloc(count + 1, sizeof(*host));
    if (!host || vk->EnumerateDeviceExtensionProperties(handle, NULL, &count, host) < VK_SUCCESS) {
        free(host);
        return false;
    }
    physical_device->host_extensions = host;
    physical_device->host_extension_count = count;

    uint32_t known_count;
    const struct wire_extension *known = wire_extensions(&known_count);
    physical_device->extensions = calloc(known_count + 1, sizeof(*physical_device->extensions));
    if (!physical_device->extensions)
        return false;
    for (uint32_t i = 0; i < known_count; i++) {
        const VkExtensionProperties *of_host = find_extension(host, count, known[i].name);
        bool emulated = LISTS(emulated_extensions, known[i].name);
        if (LISTS(withheld_extensions, known[i].name) || LISTS(guest_extensions, known[i].name))
            continue;
        if (!emulated &&
            (!of_host || venus_profile_hides_extension(physical_device->profile, known[i].name)))
            continue;
        VkExtensionProperties *shown =
            &physical_device->extensions[physical_device->extension_count++];
        strncpy(shown->extensionName, known[i].name, VK_MAX_EXTENSION_NAME_SIZE - 1);
        shown->specVersion = known[i].spec_version;
        if (!emulated && of_host->specVersion < shown->specVersion)
            shown->specVersion = of_host->specVersion;
    }
    return true;
}
