#include "venus/probe.h"

#include <stdlib.h>
#include <unistd.h>

#include "os/os.h"
#include "os/shm.h"

void venus_probe_identify(const struct venus_instance_driver *vk, VkPhysicalDevice physical_device,
                          struct venus_probe *probe)
{
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    vk->GetPhysicalDeviceProperties2(physical_device, &properties);
    *probe = (struct venus_probe){0};
    memcpy(probe->device_uuid, id.deviceUUID, VK_UUID_SIZE);
    memcpy(probe->driver_uuid, id.driverUUID, VK_UUID_SIZE);
}

// The driver's word, and then the deed: some list a type and refuse the import.
static uint32_t try_types(const struct venus_instance_driver *vk, VkPhysicalDevice physical_device,
                          VkDevice device, void *pointer, uint64_t size)
{
    PFN_vkGetMemoryHostPointerPropertiesEXT get_properties =
        (PFN_vkGetMemoryHostPointerPropertiesEXT)vk->GetDeviceProcAddr(
            device, "vkGetMemoryHostPointerPropertiesEXT");
    PFN_vkAllocateMemory allocate =
        (PFN_vkAllocateMemory)vk->GetDeviceProcAddr(device, "vkAllocateMemory");
    PFN_vkFreeMemory free_memory = (PFN_vkFreeMemory)vk->GetDeviceProcAddr(device, "vkFreeMemory");
    VkMemoryHostPointerPropertiesEXT properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    if (!get_properties || !allocate || !free_memory ||
        get_properties(device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, pointer,
                       &properties) != VK_SUCCESS)
        return 0;

    VkPhysicalDeviceMemoryProperties memory;
    vk->GetPhysicalDeviceMemoryProperties(physical_device, &memory);
    uint32_t types = 0;
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++) {
        const VkImportMemoryHostPointerInfoEXT import = {
            .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
            .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
            .pHostPointer = pointer,
        };
        const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                           .pNext = &import,
                                           .allocationSize = size,
                                           .memoryTypeIndex = i};
        VkDeviceMemory imported;
        if (!(properties.memoryTypeBits & (1u << i)) ||
            allocate(device, &info, NULL, &imported) != VK_SUCCESS)
            continue;
        types |= 1u << i;
        free_memory(device, imported, NULL);
    }
    return types;
}

static VkDevice create_device(const struct venus_instance_driver *vk,
                              VkPhysicalDevice physical_device)
{
    static const char *const wanted[] = {VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
                                         "VK_KHR_portability_subset"};
    const float priority = 1.0f;
    const char *names[2];
    uint32_t count = 0, listed_count = 0;
    VkDevice device = VK_NULL_HANDLE;
    vk->EnumerateDeviceExtensionProperties(physical_device, NULL, &listed_count, NULL);
    VkExtensionProperties *listed = calloc(listed_count + 1, sizeof(*listed));
    if (!listed || vk->EnumerateDeviceExtensionProperties(physical_device, NULL, &listed_count,
                                                          listed) < VK_SUCCESS)
        listed_count = 0;
    for (unsigned w = 0; w < 2; w++) {
        for (uint32_t i = 0; i < listed_count; i++) {
            if (strcmp(listed[i].extensionName, wanted[w]) == 0)
                names[count++] = wanted[w];
        }
    }
    free(listed);
    if (!count || names[0] != wanted[0])
        return VK_NULL_HANDLE;

    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = count,
        .ppEnabledExtensionNames = names,
    };
    return vk->CreateDevice(physical_device, &info, NULL, &device) == VK_SUCCESS ? device
                                                                                 : VK_NULL_HANDLE;
}

void venus_probe_device(const struct venus_instance_driver *vk, VkPhysicalDevice physical_device,
                        struct venus_probe *probe)
{
    venus_probe_identify(vk, physical_device, probe);
    probe->import_alignment = os_page_size();
    VkDevice device = create_device(vk, physical_device);
    if (!device)
        return;
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &host};
    vk->GetPhysicalDeviceProperties2(physical_device, &properties);
    if (host.minImportedHostPointerAlignment > probe->import_alignment)
        probe->import_alignment = host.minImportedHostPointerAlignment;

    // The pages must lie at a multiple of the alignment in this process, which may be more than a
    // page.
    uint64_t alignment = probe->import_alignment;
    int fd = os_shm_create("probe", 2 * alignment);
    void *pages = NULL;
    if (fd >= 0 && !os_shm_map(fd, 0, 2 * alignment, &pages)) {
        uintptr_t aligned = ((uintptr_t)pages + alignment - 1) & ~(uintptr_t)(alignment - 1);
        probe->importable_types =
            try_types(vk, physical_device, device, (void *)aligned, alignment);
    }
    PFN_vkDestroyDevice destroy =
        (PFN_vkDestroyDevice)vk->GetDeviceProcAddr(device, "vkDestroyDevice");
    destroy(device, NULL);
    if (pages)
        os_shm_unmap(pages, 2 * alignment);
    if (fd >= 0)
        close(fd);
}
