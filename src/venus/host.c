#include "venus/host.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/library.h"

static bool open_library(struct venus_host *host, char *error, size_t error_size)
{
    const char *const *names = os_vulkan_library_names();
    for (unsigned i = 0; names[i] && !host->library; i++)
        host->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!host->library) {
        snprintf(error, error_size, "no Vulkan on this machine (%s not found): %s", names[0],
                 os_vulkan_loader_hint());
        return false;
    }
    host->get_instance_proc_addr =
        (PFN_vkGetInstanceProcAddr)dlsym(host->library, "vkGetInstanceProcAddr");
    if (host->get_instance_proc_addr)
        host->create_instance =
            (PFN_vkCreateInstance)host->get_instance_proc_addr(NULL, "vkCreateInstance");
    if (!host->create_instance) {
        snprintf(error, error_size, "the Vulkan library lacks vkCreateInstance: %s",
                 os_vulkan_loader_hint());
        return false;
    }
    return true;
}

static bool loader_lists(const struct venus_host *host, const char *name)
{
    PFN_vkEnumerateInstanceExtensionProperties enumerate =
        (PFN_vkEnumerateInstanceExtensionProperties)host->get_instance_proc_addr(
            NULL, "vkEnumerateInstanceExtensionProperties");
    uint32_t count = 0;
    if (!enumerate || enumerate(NULL, &count, NULL) != VK_SUCCESS || !count)
        return false;
    VkExtensionProperties *properties = calloc(count, sizeof(*properties));
    bool found = false;
    if (properties && enumerate(NULL, &count, properties) >= VK_SUCCESS) {
        for (uint32_t i = 0; i < count && !found; i++)
            found = strcmp(properties[i].extensionName, name) == 0;
    }
    free(properties);
    return found;
}

VkResult venus_host_create_instance(const struct venus_host *host,
                                    const VkApplicationInfo *application, VkInstance *instance)
{
    static const char *const portability[] = {VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME};
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO};
    if (application)
        app = *application;
    app.pNext = NULL;
    // The guest's driver is the real application here: it uses commands of any version whatever its
    // own application asked for, and some drivers hide commands newer than apiVersion.
    app.apiVersion = host->api_version;
    VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .flags = host->lists_portability ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0,
        .pApplicationInfo = &app,
        .enabledExtensionCount = host->lists_portability,
        .ppEnabledExtensionNames = portability,
    };
    return host->create_instance(&info, NULL, instance);
}

// A driver that opens and shows a device. Its libraries stay loaded with host->keep. A worker that
// waits as a spare has time to try out the devices; a guest would have to wait for it.
static bool find_devices(struct venus_host *host, char *error, size_t error_size)
{
    struct venus_instance_driver vk;
    VkPhysicalDevice devices[64];
    uint32_t count = sizeof(devices) / sizeof(devices[0]);
    VkResult result = venus_host_create_instance(host, NULL, &host->keep);
    if (result == VK_SUCCESS) {
        venus_instance_driver_load(&vk, host->get_instance_proc_addr, host->keep);
        result = vk.EnumeratePhysicalDevices(host->keep, &count, devices);
    }
    if (result >= VK_SUCCESS && count > 0) {
        host->probes = calloc(count, sizeof(*host->probes));
        for (uint32_t i = 0; host->probes && i < count; i++) {
            VkPhysicalDeviceProperties properties;
            vk.GetPhysicalDeviceProperties(devices[i], &properties);
            if (properties.apiVersion >= VK_API_VERSION_1_1)
                venus_probe_device(&vk, devices[i], &host->probes[host->probe_count++]);
        }
        return true;
    }
    if (result >= VK_SUCCESS || result == VK_ERROR_INCOMPATIBLE_DRIVER ||
        result == VK_ERROR_INITIALIZATION_FAILED)
        snprintf(error, error_size, "the Vulkan loader finds no driver with a device: %s",
                 os_vulkan_driver_hint());
    else
        snprintf(error, error_size, "the host's vkCreateInstance failed with VkResult %d", result);
    return false;
}

bool venus_host_recall(const struct venus_host *host, struct venus_probe *probe)
{
    for (uint32_t i = 0; i < host->probe_count; i++) {
        if (memcmp(host->probes[i].device_uuid, probe->device_uuid, VK_UUID_SIZE) == 0 &&
            memcmp(host->probes[i].driver_uuid, probe->driver_uuid, VK_UUID_SIZE) == 0) {
            *probe = host->probes[i];
            return true;
        }
    }
    return false;
}

bool venus_host_load(struct venus_host *host, bool portable, char *error, size_t error_size)
{
    *host = (struct venus_host){.portable = portable};
    // Overlays, device pickers and the like belong to the guest's application, not to a renderer. A
    // person may set it otherwise.
    setenv("VK_LOADER_LAYERS_DISABLE", "~implicit~", 0);
    if (!open_library(host, error, error_size))
        return false;

    PFN_vkEnumerateInstanceVersion version =
        (PFN_vkEnumerateInstanceVersion)host->get_instance_proc_addr(NULL,
                                                                     "vkEnumerateInstanceVersion");
    host->api_version = VK_API_VERSION_1_0;
    if (version)
        version(&host->api_version);
    if (host->api_version < VK_API_VERSION_1_1) {
        snprintf(error, error_size, "the host offers only Vulkan 1.0, guests need 1.1: %s",
                 os_vulkan_loader_hint());
        return false;
    }
    if (host->api_version > wire_vk_xml_version())
        host->api_version = wire_vk_xml_version();
    host->lists_portability = loader_lists(host, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    return find_devices(host, error, error_size);
}

void venus_host_finish(struct venus_host *host)
{
    PFN_vkDestroyInstance destroy =
        host->keep
            ? (PFN_vkDestroyInstance)host->get_instance_proc_addr(host->keep, "vkDestroyInstance")
            : NULL;
    if (destroy)
        destroy(host->keep, NULL); // ends the driver's threads
    host->keep = VK_NULL_HANDLE;
    free(host->probes);
    host->probes = NULL;
    host->probe_count = 0;
}
