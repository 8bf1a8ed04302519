#include "venus/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/os.h"
#include "os/shm.h"

// A device made to try things on, and pages to try.
struct trial {
    const struct venus_instance_driver *vk;
    VkPhysicalDevice physical_device;
    VkDevice device;
    bool has_pointers, has_dma_bufs; // the extensions, which are on
    VkPhysicalDeviceMemoryProperties memory;
    struct venus_pages pages;
};

void venus_probe_identify(const struct venus_instance_driver *vk, VkPhysicalDevice physical_device,
                          struct venus_probe *probe)
{
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    vk->GetPhysicalDeviceProperties2(physical_device, &properties);
    *probe = (struct venus_probe){.import_handle =
                                      VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT};
    memcpy(probe->device_uuid, id.deviceUUID, VK_UUID_SIZE);
    memcpy(probe->driver_uuid, id.driverUUID, VK_UUID_SIZE);
}

static PFN_vkVoidFunction command(const struct trial *trial, const char *name)
{
    return trial->vk->GetDeviceProcAddr(trial->device, name);
}

// ---- types ----------------------------------------------------------------

// The driver's word on which types take a dma-buf of the pages.
static uint32_t types_of_dma_buf(const struct trial *trial, int *error)
{
    PFN_vkGetMemoryFdPropertiesKHR get =
        (PFN_vkGetMemoryFdPropertiesKHR)command(trial, "vkGetMemoryFdPropertiesKHR");
    VkMemoryFdPropertiesKHR properties = {.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR};
    int fd = os_shm_dma_buf(trial->pages.fd, trial->pages.offset, trial->pages.size);
    *error = fd < 0 ? fd : 0;
    if (fd < 0)
        return 0;
    bool known = get && get(trial->device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT, fd,
                            &properties) == VK_SUCCESS;
    close(fd);
    return known ? properties.memoryTypeBits : 0;
}

static uint32_t types_of_pointer(const struct trial *trial)
{
    PFN_vkGetMemoryHostPointerPropertiesEXT get = (PFN_vkGetMemoryHostPointerPropertiesEXT)command(
        trial, "vkGetMemoryHostPointerPropertiesEXT");
    VkMemoryHostPointerPropertiesEXT properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    return get && get(trial->device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
                      trial->pages.address, &properties) == VK_SUCCESS
               ? properties.memoryTypeBits
               : 0;
}

// After the driver's word, the deed: some list a type and refuse the import.
static uint32_t try_types(const struct trial *trial, venus_import_handle handle, uint32_t listed)
{
    PFN_vkAllocateMemory allocate = (PFN_vkAllocateMemory)command(trial, "vkAllocateMemory");
    PFN_vkFreeMemory free_memory = (PFN_vkFreeMemory)command(trial, "vkFreeMemory");
    uint32_t types = 0;
    for (uint32_t i = 0; allocate && free_memory && i < trial->memory.memoryTypeCount; i++) {
        VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                     .allocationSize = trial->pages.size,
                                     .memoryTypeIndex = i};
        struct venus_import import;
        VkDeviceMemory imported;
        if (!(listed & (1u << i)) || venus_import_begin(&import, handle, &trial->pages, &info))
            continue;
        VkResult result = allocate(trial->device, &info, NULL, &imported);
        venus_import_end(&import, result);
        if (result != VK_SUCCESS)
            continue;
        types |= 1u << i;
        free_memory(trial->device, imported, NULL);
    }
    return types;
}

static bool has_coherent(const struct trial *trial, uint32_t types)
{
    for (uint32_t i = 0; i < trial->memory.memoryTypeCount; i++) {
        if ((types & (1u << i)) &&
            (trial->memory.memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT))
            return true;
    }
    return false;
}

// ---- ways -----------------------------------------------------------------

static const char *why_refused(const struct trial *trial, int error)
{
    if (!trial->has_dma_bufs || error == -ENOSYS)
        return trial->has_pointers ? NULL
                                   : "its driver lacks VK_EXT_external_memory_host, without which "
                                     "a guest cannot map memory";
    if (error == -EACCES || error == -EPERM)
        return "its driver takes shared memory only as dma-bufs, and /dev/udmabuf is closed to "
               "this user: add the user to the group of that file (Debian: kvm)";
    if (error == -ENOENT || error == -ENODEV || error == -ENXIO)
        return "its driver takes shared memory only as dma-bufs, and there is no /dev/udmabuf: "
               "load the kernel's module udmabuf";
    if (error)
        return "its driver takes shared memory only as dma-bufs, and /dev/udmabuf makes none";
    return "its driver takes shared memory in no coherent memory type, neither by address nor as "
           "dma-bufs, so that a guest cannot map any";
}

static void try_ways(const struct trial *trial, struct venus_probe *probe)
{
    int error = 0;
    if (trial->has_pointers)
        probe->importable_types = try_types(trial, probe->import_handle, types_of_pointer(trial));
    if (has_coherent(trial, probe->importable_types))
        return;
    uint32_t types = 0;
    if (trial->has_dma_bufs)
        types = try_types(trial, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
                          types_of_dma_buf(trial, &error));
    if (has_coherent(trial, types)) {
        probe->importable_types = types;
        probe->import_handle = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
        probe->import_alignment = os_page_size();
    } else {
        probe->refused = why_refused(trial, error);
    }
}

// ---- the device -----------------------------------------------------------

static bool lists(const VkExtensionProperties *listed, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(listed[i].extensionName, name) == 0)
            return true;
    }
    return false;
}

static void create_device(struct trial *trial)
{
    static const char *const wanted[] = {
        VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
        VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME, "VK_KHR_portability_subset"};
    enum { WANTED = sizeof(wanted) / sizeof(wanted[0]) };
    const float priority = 1.0f;
    const char *names[WANTED];
    bool has[WANTED];
    uint32_t count = 0, listed_count = 0;
    const struct venus_instance_driver *vk = trial->vk;
    vk->EnumerateDeviceExtensionProperties(trial->physical_device, NULL, &listed_count, NULL);
    VkExtensionProperties *listed = calloc(listed_count + 1, sizeof(*listed));
    if (!listed || vk->EnumerateDeviceExtensionProperties(trial->physical_device, NULL,
                                                          &listed_count, listed) < VK_SUCCESS)
        listed_count = 0;
    for (unsigned i = 0; i < WANTED; i++) {
        has[i] = lists(listed, listed_count, wanted[i]);
        if (has[i])
            names[count++] = wanted[i];
    }
    free(listed);
    trial->has_pointers = has[0];
    trial->has_dma_bufs = has[1] && has[2];
    if (!trial->has_pointers && !trial->has_dma_bufs)
        return;

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
    if (vk->CreateDevice(trial->physical_device, &info, NULL, &trial->device) != VK_SUCCESS)
        trial->device = VK_NULL_HANDLE;
}

// Bytes to which addresses of pages must be aligned.
static uint64_t pointer_alignment(const struct trial *trial)
{
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &host};
    if (trial->has_pointers)
        trial->vk->GetPhysicalDeviceProperties2(trial->physical_device, &properties);
    return host.minImportedHostPointerAlignment > os_page_size()
               ? host.minImportedHostPointerAlignment
               : os_page_size();
}

void venus_probe_device(const struct venus_instance_driver *vk, VkPhysicalDevice physical_device,
                        struct venus_probe *probe)
{
    struct trial trial = {.vk = vk, .physical_device = physical_device};
    venus_probe_identify(vk, physical_device, probe);
    probe->import_alignment = os_page_size();
    create_device(&trial);
    if (!trial.device) {
        if (!trial.has_pointers && !trial.has_dma_bufs)
            probe->refused = why_refused(&trial, 0);
        return;
    }
    vk->GetPhysicalDeviceMemoryProperties(physical_device, &trial.memory);
    uint64_t alignment = probe->import_alignment = pointer_alignment(&trial);

    // The pages must lie at a multiple of the alignment in this process, which may be more than a
    // page.
    int fd = os_shm_create("probe", 2 * alignment);
    void *mapping = NULL;
    if (fd >= 0 && !os_shm_map(fd, 0, 2 * alignment, &mapping)) {
        uint64_t offset = (alignment - ((uintptr_t)mapping & (alignment - 1))) & (alignment - 1);
        trial.pages = (struct venus_pages){
            .fd = fd, .offset = offset, .size = alignment, .address = (char *)mapping + offset};
        try_ways(&trial, probe);
    }
    ((PFN_vkDestroyDevice)command(&trial, "vkDestroyDevice"))(trial.device, NULL);
    os_shm_unmap(mapping, 2 * alignment);
    if (fd >= 0)
        close(fd);
}
