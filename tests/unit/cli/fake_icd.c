// A Vulkan driver for tests of discovery and doctor, with or without a loader. FAKE_ICD in the
// environment says what is wrong with it: abort (at vkCreateInstance), exit, none (no device), two
// (devices of one name), old (Vulkan 1.0), noimport (no VK_EXT_external_memory_host), subset (a
// device like MoltenVK's), dmabuf (takes dma-bufs and no addresses).
#define VK_ENABLE_BETA_EXTENSIONS
#include <vulkan/vulkan.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

// The loader writes its own pointer into the first word of what it dispatches on.
struct handle {
    uintptr_t loader;
    unsigned number;
};
#define LOADER_MAGIC 0x01CDC0DE

static bool wrong(const char *what)
{
    const char *says = getenv("FAKE_ICD");
    return says && strstr(says, what);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *allocator,
                                                      VkInstance *instance)
{
    (void)info, (void)allocator;
    if (wrong("abort")) {
        fprintf(stderr, "fake: the firmware is unhappy\n");
        abort();
    }
    if (wrong("exit"))
        exit(7);
    struct handle *handle = calloc(1, sizeof(*handle));
    handle->loader = LOADER_MAGIC;
    *instance = (VkInstance)handle;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy(void *handle, const VkAllocationCallbacks *allocator)
{
    (void)allocator;
    free(handle);
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_version(uint32_t *version)
{
    *version = VK_API_VERSION_1_3;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_devices(VkInstance instance, uint32_t *count,
                                                        VkPhysicalDevice *devices)
{
    static struct handle handles[] = {{LOADER_MAGIC, 0}, {LOADER_MAGIC, 1}};
    (void)instance;
    uint32_t have = wrong("none") ? 0 : wrong("two") ? 2 : 1;
    for (uint32_t i = 0; devices && i < have && i < *count; i++)
        devices[i] = (VkPhysicalDevice)&handles[i];
    *count = have;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device,
                                                 VkPhysicalDeviceProperties *properties)
{
    (void)device;
    memset(properties, 0, sizeof(*properties));
    properties->apiVersion = wrong("old") ? VK_API_VERSION_1_0 : VK_API_VERSION_1_3;
    snprintf(properties->deviceName, sizeof(properties->deviceName), "Fake Card");
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice device,
                                                  VkPhysicalDeviceProperties2 *properties)
{
    get_properties(device, &properties->properties);
    for (VkBaseOutStructure *node = properties->pNext; node; node = node->pNext) {
        if (node->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES)
            ((VkPhysicalDeviceIDProperties *)node)->deviceUUID[0] =
                1 + (uint8_t)((struct handle *)device)->number;
        if (node->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES)
            strcpy(((VkPhysicalDeviceDriverProperties *)node)->driverName, "fakedriver");
    }
}

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice device,
                                               VkPhysicalDeviceFeatures *features)
{
    (void)device;
    memset(features, 0, sizeof(*features));
    features->geometryShader = VK_TRUE;
    features->sparseBinding = VK_TRUE;
}

static VKAPI_ATTR void VKAPI_CALL get_features2(VkPhysicalDevice device,
                                                VkPhysicalDeviceFeatures2 *features)
{
    get_features(device, &features->features);
    for (VkBaseOutStructure *node = features->pNext; node; node = node->pNext) {
        if (node->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT)
            ((VkPhysicalDeviceRobustness2FeaturesEXT *)node)->nullDescriptor = VK_TRUE;
        if (node->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PORTABILITY_SUBSET_FEATURES_KHR)
            ((VkPhysicalDevicePortabilitySubsetFeaturesKHR *)node)->events = VK_TRUE;
    }
}

static VKAPI_ATTR void VKAPI_CALL get_queue_families(VkPhysicalDevice device, uint32_t *count,
                                                     VkQueueFamilyProperties *families)
{
    (void)device;
    if (families && *count)
        families[0] =
            (VkQueueFamilyProperties){.queueFlags = VK_QUEUE_GRAPHICS_BIT, .queueCount = 1};
    *count = 1;
}

static VKAPI_ATTR void VKAPI_CALL get_memory(VkPhysicalDevice device,
                                             VkPhysicalDeviceMemoryProperties *memory)
{
    (void)device;
    memset(memory, 0, sizeof(*memory));
    memory->memoryTypeCount = 2;
    memory->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    memory->memoryTypes[1].propertyFlags = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                           VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                           VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    memory->memoryHeapCount = 1;
    memory->memoryHeaps[0].size = 1 << 30;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *list)
{
    static const char *const all[] = {
        VK_EXT_ROBUSTNESS_2_EXTENSION_NAME, VK_EXT_TRANSFORM_FEEDBACK_EXTENSION_NAME,
        VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, "VK_KHR_portability_subset"};
    static const char *const linux_only[] = {VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
                                             VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
                                             VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME};
    (void)device, (void)layer;
    const char *const *names = wrong("dmabuf") ? linux_only : all;
    uint32_t have = wrong("noimport") ? 2 : wrong("subset") ? 4 : 3;
    for (uint32_t i = 0; list && i < have && i < *count; i++) {
        list[i].specVersion = 1;
        strcpy(list[i].extensionName, names[i]);
    }
    *count = have;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_none(const char *layer, uint32_t *count,
                                                     VkExtensionProperties *list)
{
    (void)layer, (void)list;
    *count = 0;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical_device,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator,
                                                    VkDevice *device)
{
    (void)physical_device, (void)info, (void)allocator;
    struct handle *handle = calloc(1, sizeof(*handle));
    handle->loader = LOADER_MAGIC;
    *device = (VkDevice)handle;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_pointer(VkDevice device,
                                                  VkExternalMemoryHandleTypeFlagBits type,
                                                  const void *pointer,
                                                  VkMemoryHostPointerPropertiesEXT *properties)
{
    (void)device, (void)type, (void)pointer;
    properties->memoryTypeBits = 2;
    return wrong("dmabuf") ? VK_ERROR_INVALID_EXTERNAL_HANDLE : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_fd(VkDevice device,
                                             VkExternalMemoryHandleTypeFlagBits type, int fd,
                                             VkMemoryFdPropertiesKHR *properties)
{
    (void)device, (void)type, (void)fd;
    properties->memoryTypeBits = 2;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                               const VkAllocationCallbacks *allocator,
                                               VkDeviceMemory *memory)
{
    (void)device, (void)info, (void)allocator;
    *memory = (VkDeviceMemory)1;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
                                              const VkAllocationCallbacks *allocator)
{
    (void)device, (void)memory, (void)allocator;
}

// The Vulkan loader takes no driver without the next three.
static VKAPI_ATTR void VKAPI_CALL get_format(VkPhysicalDevice device, VkFormat format,
                                             VkFormatProperties *properties)
{
    (void)device, (void)format;
    *properties = (VkFormatProperties){0};
}

static VKAPI_ATTR VkResult VKAPI_CALL get_image_format(VkPhysicalDevice device, VkFormat format,
                                                       VkImageType type, VkImageTiling tiling,
                                                       VkImageUsageFlags usage,
                                                       VkImageCreateFlags flags,
                                                       VkImageFormatProperties *properties)
{
    (void)device, (void)format, (void)type, (void)tiling, (void)usage, (void)flags;
    *properties = (VkImageFormatProperties){0};
    return VK_ERROR_FORMAT_NOT_SUPPORTED;
}

static VKAPI_ATTR void VKAPI_CALL get_sparse_format(VkPhysicalDevice device, VkFormat format,
                                                    VkImageType type, VkSampleCountFlagBits samples,
                                                    VkImageUsageFlags usage, VkImageTiling tiling,
                                                    uint32_t *count,
                                                    VkSparseImageFormatProperties *properties)
{
    (void)device, (void)format, (void)type, (void)samples, (void)usage, (void)tiling;
    (void)properties;
    *count = 0;
}

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                          const char *name);

static const struct {
    const char *name;
    PFN_vkVoidFunction function;
} functions[] = {
#define FUNCTION(name, function)                                                                   \
    {                                                                                              \
        "vk" #name, (PFN_vkVoidFunction)function                                                   \
    }
    FUNCTION(GetInstanceProcAddr, vk_icdGetInstanceProcAddr),
    FUNCTION(CreateInstance, create_instance),
    FUNCTION(DestroyInstance, destroy),
    FUNCTION(EnumerateInstanceVersion, enumerate_version),
    FUNCTION(EnumerateInstanceExtensionProperties, enumerate_none),
    FUNCTION(EnumeratePhysicalDevices, enumerate_devices),
    FUNCTION(GetPhysicalDeviceProperties, get_properties),
    FUNCTION(GetPhysicalDeviceProperties2, get_properties2),
    FUNCTION(GetPhysicalDeviceFeatures, get_features),
    FUNCTION(GetPhysicalDeviceFormatProperties, get_format),
    FUNCTION(GetPhysicalDeviceImageFormatProperties, get_image_format),
    FUNCTION(GetPhysicalDeviceSparseImageFormatProperties, get_sparse_format),
    FUNCTION(GetPhysicalDeviceFeatures2, get_features2),
    FUNCTION(GetPhysicalDeviceQueueFamilyProperties, get_queue_families),
    FUNCTION(GetPhysicalDeviceMemoryProperties, get_memory),
    FUNCTION(EnumerateDeviceExtensionProperties, enumerate_extensions),
    FUNCTION(CreateDevice, create_device),
    FUNCTION(DestroyDevice, destroy),
    FUNCTION(GetDeviceProcAddr, vk_icdGetInstanceProcAddr),
    FUNCTION(GetMemoryHostPointerPropertiesEXT, get_pointer),
    FUNCTION(GetMemoryFdPropertiesKHR, get_fd),
    FUNCTION(AllocateMemory, allocate),
    FUNCTION(FreeMemory, free_memory),
};

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                          const char *name)
{
    (void)instance;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (strcmp(functions[i].name, name) == 0)
            return functions[i].function;
    }
    return NULL;
}

EXPORT VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version);

EXPORT VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version)
{
    if (*version > 5)
        *version = 5;
    return VK_SUCCESS;
}
