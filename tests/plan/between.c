#include "between.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vk_icd.h>

#define EXPORT __attribute__((visibility("default")))

static PFN_vkGetInstanceProcAddr real_instance_proc;
static PFN_GetPhysicalDeviceProcAddr real_physical_device_proc;
static PFN_vkGetDeviceProcAddr real_device_proc;
static PFN_vkNegotiateLoaderICDInterfaceVersion real_negotiate;

void between_open(const char *label, const char *variable)
{
    const char *driver = getenv(variable);
    void *library = driver ? dlopen(driver, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library) {
        fprintf(stderr, "%s: %s\n", label, driver ? dlerror() : "no driver is named");
        exit(2);
    }
    real_instance_proc = (PFN_vkGetInstanceProcAddr)dlsym(library, "vk_icdGetInstanceProcAddr");
    real_physical_device_proc =
        (PFN_GetPhysicalDeviceProcAddr)dlsym(library, "vk_icdGetPhysicalDeviceProcAddr");
    real_negotiate = (PFN_vkNegotiateLoaderICDInterfaceVersion)dlsym(
        library, "vk_icdNegotiateLoaderICDInterfaceVersion");
    if (real_instance_proc && real_negotiate)
        return;
    fprintf(stderr, "%s: %s is no Vulkan driver\n", label, driver);
    exit(2);
}

bool between_same(const char *command, const char *asked)
{
    const size_t length = strlen(command);
    const char *suffix = asked + length;
    return strncmp(command, asked, length) == 0 &&
           (!*suffix || strcmp(suffix, "KHR") == 0 || strcmp(suffix, "EXT") == 0);
}

PFN_vkVoidFunction between_device(VkDevice device, const char *name)
{
    return real_device_proc(device, name);
}

// ---- what a loader asks a driver ------------------------------------------

static PFN_vkVoidFunction device_proc(VkDevice device, const char *name)
{
    if (strcmp(name, "vkGetDeviceProcAddr") == 0)
        return (PFN_vkVoidFunction)device_proc;
    return between_wrap(name, real_device_proc(device, name));
}

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                          const char *name)
{
    const PFN_vkVoidFunction real = real_instance_proc(instance, name);
    if (real && strcmp(name, "vkGetInstanceProcAddr") == 0)
        return (PFN_vkVoidFunction)vk_icdGetInstanceProcAddr;
    if (real && strcmp(name, "vkGetDeviceProcAddr") == 0) {
        real_device_proc = (PFN_vkGetDeviceProcAddr)real;
        return (PFN_vkVoidFunction)device_proc;
    }
    return between_wrap(name, real);
}

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetPhysicalDeviceProcAddr(VkInstance instance,
                                                                                const char *name)
{
    return real_physical_device_proc ? between_wrap(name, real_physical_device_proc(instance, name))
                                     : NULL;
}

EXPORT VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version)
{
    return real_negotiate(version);
}
