#include "display/window/vulkan.h"

#include <SDL_vulkan.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { MAX_EXTENSIONS = 16 };

// ---- instance -------------------------------------------------------------

static bool has_extension(const VkExtensionProperties *list, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(list[i].extensionName, name) == 0)
            return true;
    return false;
}

static VkExtensionProperties *instance_extensions(struct window_vulkan *vk, uint32_t *count)
{
    *count = 0;
    if (vk->EnumerateInstanceExtensionProperties(NULL, count, NULL) < 0 || !*count)
        return NULL;
    VkExtensionProperties *list = calloc(*count, sizeof(*list));
    if (!list || vk->EnumerateInstanceExtensionProperties(NULL, count, list) < 0)
        *count = 0;
    return list;
}

static bool load_global(struct window_vulkan *vk, PFN_vkGetInstanceProcAddr get)
{
    bool all = true;
#define LOAD(name) all &= (vk->name = (PFN_vk##name)get(NULL, "vk" #name)) != NULL;
    WINDOW_GLOBAL_FUNCTIONS(LOAD)
#undef LOAD
    return all;
}

static bool load_instance(struct window_vulkan *vk, PFN_vkGetInstanceProcAddr get)
{
    bool all = true;
#define LOAD(name) all &= (vk->name = (PFN_vk##name)get(vk->instance, "vk" #name)) != NULL;
    WINDOW_INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
    return all;
}

static bool load_device(struct window_vulkan *vk)
{
    bool all = true;
#define LOAD(name)                                                                                 \
    all &= (vk->name = (PFN_vk##name)vk->GetDeviceProcAddr(vk->device, "vk" #name)) != NULL;
    WINDOW_DEVICE_FUNCTIONS(LOAD)
    bool required = all;
    WINDOW_OPTIONAL_FUNCTIONS(LOAD)
#undef LOAD
    return required;
}

static const char *create_instance(struct window_vulkan *vk, SDL_Window *window)
{
    PFN_vkGetInstanceProcAddr get =
        (PFN_vkGetInstanceProcAddr)SDL_Vulkan_GetVkGetInstanceProcAddr();
    uint32_t version = VK_API_VERSION_1_0;
    if (!get || !load_global(vk, get) || vk->EnumerateInstanceVersion(&version) < 0 ||
        version < VK_API_VERSION_1_1)
        return "the Vulkan loader is older than 1.1";

    const char *names[MAX_EXTENSIONS];
    unsigned count = MAX_EXTENSIONS - 1;
    if (!SDL_Vulkan_GetInstanceExtensions(window, &count, names))
        return "SDL cannot present by Vulkan here";
    uint32_t offered;
    VkExtensionProperties *list = instance_extensions(vk, &offered);
    bool portability = has_extension(list, offered, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    if (portability) // or MoltenVK stays hidden
        names[count++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
    bool complete = true;
    for (unsigned i = 0; i < count; i++)
        complete &= has_extension(list, offered, names[i]);
    free(list);
    if (!complete)
        return "no Vulkan driver can present to windows";

    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "hesper-window",
        .apiVersion = VK_API_VERSION_1_1,
    };
    VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .flags = portability ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0,
        .pApplicationInfo = &application,
        .enabledExtensionCount = count,
        .ppEnabledExtensionNames = names,
    };
    if (vk->CreateInstance(&info, NULL, &vk->instance) < 0) {
        vk->instance = VK_NULL_HANDLE;
        return "there is no Vulkan driver";
    }
    return load_instance(vk, get) ? NULL : "the Vulkan loader lacks functions of Vulkan 1.1";
}

// ---- device ---------------------------------------------------------------

struct choice {
    VkPhysicalDevice physical;
    uint32_t family, queue_count;
    bool cpu, import, portability;
};

static bool choose_family(struct window_vulkan *vk, VkSurfaceKHR surface, struct choice *choice)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = 32;
    vk->GetPhysicalDeviceQueueFamilyProperties(choice->physical, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        VkBool32 presents = VK_FALSE;
        if (!(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT) || !families[i].queueCount ||
            vk->GetPhysicalDeviceSurfaceSupportKHR(choice->physical, i, surface, &presents) < 0 ||
            !presents)
            continue;
        choice->family = i;
        choice->queue_count = families[i].queueCount;
        return true;
    }
    return false;
}

static bool examine(struct window_vulkan *vk, VkSurfaceKHR surface, struct choice *choice)
{
    VkPhysicalDeviceProperties properties;
    vk->GetPhysicalDeviceProperties(choice->physical, &properties);
    choice->cpu = properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    uint32_t count = 0;
    if (properties.apiVersion < VK_API_VERSION_1_1 ||
        vk->EnumerateDeviceExtensionProperties(choice->physical, NULL, &count, NULL) < 0 || !count)
        return false;
    VkExtensionProperties *list = calloc(count, sizeof(*list));
    bool swapchain = false;
    if (list && vk->EnumerateDeviceExtensionProperties(choice->physical, NULL, &count, list) >= 0) {
        swapchain = has_extension(list, count, VK_KHR_SWAPCHAIN_EXTENSION_NAME);
        choice->import = has_extension(list, count, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
        choice->portability = has_extension(list, count, "VK_KHR_portability_subset");
    }
    free(list);
    return swapchain && choose_family(vk, surface, choice);
}

// Chooses the first device that can present, in the loader's order. A CPU is chosen only if all
// are.
static bool choose(struct window_vulkan *vk, VkSurfaceKHR surface, struct choice *best)
{
    VkPhysicalDevice devices[16];
    uint32_t count = 16;
    bool found = false;
    if (vk->EnumeratePhysicalDevices(vk->instance, &count, devices) < 0)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct choice choice = {.physical = devices[i]};
        if (!examine(vk, surface, &choice) || (found && !(best->cpu && !choice.cpu)))
            continue;
        *best = choice;
        found = true;
    }
    return found;
}

static bool create_device(struct window_vulkan *vk, const struct choice *choice, uint32_t outputs)
{
    float priorities[LINK_DISPLAY_OUTPUTS] = {0};
    vk->queue_count = choice->queue_count < outputs ? choice->queue_count : outputs;
    VkDeviceQueueCreateInfo queues = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = choice->family,
        .queueCount = vk->queue_count,
        .pQueuePriorities = priorities,
    };
    const char *names[3] = {VK_KHR_SWAPCHAIN_EXTENSION_NAME};
    uint32_t count = 1;
    if (choice->import)
        names[count++] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    if (choice->portability)
        names[count++] = "VK_KHR_portability_subset";
    VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queues,
        .enabledExtensionCount = count,
        .ppEnabledExtensionNames = names,
    };
    if (vk->CreateDevice(choice->physical, &info, NULL, &vk->device) < 0) {
        vk->device = VK_NULL_HANDLE;
        return false;
    }
    if (!load_device(vk))
        return false;
    vk->physical = choice->physical;
    vk->family = choice->family;
    vk->GetPhysicalDeviceMemoryProperties(vk->physical, &vk->memory);
    for (uint32_t i = 0; i < vk->queue_count; i++) {
        vk->GetDeviceQueue(vk->device, vk->family, i, &vk->queues[i].queue);
        pthread_mutex_init(&vk->queues[i].lock, NULL);
    }
    return true;
}

// Finds out whether host memory can be the source of copies.
static void examine_import(struct window_vulkan *vk, bool offered)
{
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
    };
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = offered ? &host : NULL,
    };
    vk->GetPhysicalDeviceProperties2(vk->physical, &properties);
    memcpy(vk->name, properties.properties.deviceName, sizeof(vk->name));
    if (!offered || !vk->GetMemoryHostPointerPropertiesEXT) {
        vk->import_refused = "the driver lacks VK_EXT_external_memory_host";
        return;
    }
    VkPhysicalDeviceExternalBufferInfo buffer = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
    };
    VkExternalBufferProperties allowed = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES,
    };
    vk->GetPhysicalDeviceExternalBufferProperties(vk->physical, &buffer, &allowed);
    if (!(allowed.externalMemoryProperties.externalMemoryFeatures &
          VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT))
        vk->import_refused = "the driver does not import host memory for buffers";
    vk->import_alignment = host.minImportedHostPointerAlignment;
    if (vk->import_alignment & (vk->import_alignment - 1))
        vk->import_refused = "the driver's alignment is no power of two";
}

struct window_vulkan *window_vulkan_create(SDL_Window *window, uint32_t outputs, const char **why)
{
    struct window_vulkan *vk = calloc(1, sizeof(*vk));
    if (!vk) {
        *why = "out of memory";
        return NULL;
    }
    list_init(&vk->import_files);
    struct choice choice;
    VkSurfaceKHR surface = VK_NULL_HANDLE;
    *why = create_instance(vk, window);
    if (*why) {
    } else if (!SDL_Vulkan_CreateSurface(window, vk->instance, &surface)) {
        *why = "SDL cannot make a Vulkan surface of the window";
    } else {
        if (!choose(vk, surface, &choice))
            *why = "no Vulkan driver can present to the window";
        else if (!create_device(vk, &choice, outputs))
            *why = "the Vulkan device cannot be opened";
        vk->DestroySurfaceKHR(vk->instance, surface, NULL);
    }
    if (*why) {
        window_vulkan_destroy(vk);
        return NULL;
    }
    examine_import(vk, choice.import);
    log_info("presenting on %s", vk->name);
    return vk;
}

void window_vulkan_destroy(struct window_vulkan *vk)
{
    if (!vk)
        return;
    if (vk->device && vk->DestroyDevice)
        vk->DestroyDevice(vk->device, NULL);
    if (vk->physical)
        for (uint32_t i = 0; i < vk->queue_count; i++)
            pthread_mutex_destroy(&vk->queues[i].lock);
    if (vk->instance && vk->DestroyInstance)
        vk->DestroyInstance(vk->instance, NULL);
    free(vk);
}

// ---- memory ---------------------------------------------------------------

uint32_t window_vulkan_memory(const struct window_vulkan *vk, uint32_t bits,
                              VkMemoryPropertyFlags flags)
{
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++)
        if ((bits >> i & 1) && (vk->memory.memoryTypes[i].propertyFlags & flags) == flags)
            return i;
    return UINT32_MAX;
}

bool window_staging_reserve(struct window_vulkan *vk, struct window_staging *staging,
                            VkDeviceSize size)
{
    if (staging->size >= size)
        return true;
    window_staging_free(vk, staging);
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = size,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
    };
    if (vk->CreateBuffer(vk->device, &info, NULL, &staging->buffer) < 0) {
        staging->buffer = VK_NULL_HANDLE;
        return false;
    }
    VkMemoryRequirements needs;
    vk->GetBufferMemoryRequirements(vk->device, staging->buffer, &needs);
    VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = needs.size,
        .memoryTypeIndex = window_vulkan_memory(vk, needs.memoryTypeBits,
                                                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                                    VK_MEMORY_PROPERTY_HOST_COHERENT_BIT),
    };
    void *bytes;
    if (vk->AllocateMemory(vk->device, &allocation, NULL, &staging->memory) < 0) {
        staging->memory = VK_NULL_HANDLE;
    } else if (vk->BindBufferMemory(vk->device, staging->buffer, staging->memory, 0) >= 0 &&
               vk->MapMemory(vk->device, staging->memory, 0, VK_WHOLE_SIZE, 0, &bytes) >= 0) {
        staging->bytes = bytes;
        staging->size = size;
        return true;
    }
    window_staging_free(vk, staging);
    return false;
}

void window_staging_free(struct window_vulkan *vk, struct window_staging *staging)
{
    vk->DestroyBuffer(vk->device, staging->buffer, NULL);
    vk->FreeMemory(vk->device, staging->memory, NULL); // unmaps it
    *staging = (struct window_staging){0};
}
