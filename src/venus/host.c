#include "venus/host.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/library.h"
#include "venus/discovery.h"

// ---- libraries ------------------------------------------------------------

static bool open_loader(struct venus_host *host)
{
    const char *const *names = os_vulkan_library_names();
    for (unsigned i = 0; names[i] && !host->library; i++)
        host->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (host->library)
        host->get_instance_proc_addr =
            (PFN_vkGetInstanceProcAddr)dlsym(host->library, "vkGetInstanceProcAddr");
    return host->library;
}

// A driver without a loader: it has to be asked for the entry point that the loader would use.
static bool open_driver(struct venus_host *host, const char *path, char *error, size_t error_size)
{
    typedef VkResult(VKAPI_PTR * negotiate_version)(uint32_t * version);
    host->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!host->library) {
        snprintf(error, error_size, "the driver cannot be loaded: %s", dlerror());
        return false;
    }
    negotiate_version negotiate =
        (negotiate_version)dlsym(host->library, "vk_icdNegotiateLoaderICDInterfaceVersion");
    uint32_t version = 5; // the last that says nothing about windows
    if (negotiate && negotiate(&version) != VK_SUCCESS) {
        snprintf(error, error_size, "the driver %s does not work without a Vulkan loader: %s", path,
                 os_vulkan_loader_hint());
        return false;
    }
    host->get_instance_proc_addr =
        (PFN_vkGetInstanceProcAddr)dlsym(host->library, "vk_icdGetInstanceProcAddr");
    if (!host->get_instance_proc_addr)
        host->get_instance_proc_addr =
            (PFN_vkGetInstanceProcAddr)dlsym(host->library, "vkGetInstanceProcAddr");
    if (!host->get_instance_proc_addr)
        snprintf(error, error_size, "%s is no Vulkan driver: it has no vk_icdGetInstanceProcAddr",
                 path);
    return host->get_instance_proc_addr;
}

// One manifest after another, for the loader.
static bool open_manifests(struct venus_host *host, const char *manifests, char *error,
                           size_t error_size)
{
    setenv("VK_DRIVER_FILES", manifests, 1);
    setenv("VK_ICD_FILENAMES", manifests, 1); // loaders before 1.3.207
    if (open_loader(host))
        return true;
    char path[VENUS_PATH], library[VENUS_PATH], broken[160];
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(manifests, ":"), manifests);
    if (venus_manifest_read(path, library, broken, sizeof(broken)))
        return open_driver(host, library, error, error_size);
    snprintf(error, error_size, "the driver manifest %.200s: %s", path, broken);
    return false;
}

static bool open_library(struct venus_host *host, const char *driver, char *error,
                         size_t error_size)
{
    bool open;
    if (!strncmp(driver, "manifest:", 9))
        open = open_manifests(host, driver + 9, error, error_size);
    else if (!strncmp(driver, "library:", 8))
        open = open_driver(host, driver + 8, error, error_size);
    else if (!(open = open_loader(host)))
        snprintf(error, error_size, "no Vulkan on this machine (%s not found): %s",
                 os_vulkan_library_names()[0], os_vulkan_loader_hint());
    if (!open)
        return false;
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

// ---- devices --------------------------------------------------------------

void venus_host_device_name(const struct venus_instance_driver *vk, VkPhysicalDevice device,
                            char *text, size_t size)
{
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
    vk->GetPhysicalDeviceProperties(device, &properties.properties);
    // Older drivers do not fill the driver's name; those of Vulkan 1.0 have no such query.
    if (properties.properties.apiVersion >= VK_API_VERSION_1_1 && vk->GetPhysicalDeviceProperties2)
        vk->GetPhysicalDeviceProperties2(device, &properties);
    if (driver.driverName[0])
        snprintf(text, size, "%s (%s%s%s)", properties.properties.deviceName, driver.driverName,
                 driver.driverInfo[0] ? " " : "", driver.driverInfo);
    else
        snprintf(text, size, "%s", properties.properties.deviceName);
}

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == length)
            return true;
    }
    return false;
}

static bool is_whole(const char *name, const char *gpu)
{
    size_t length = strlen(gpu);
    return !strncmp(name, gpu, length) && (!name[length] || !strncmp(name + length, " (", 2));
}

// Which of `count` names `gpu` means: a number, or part of one name only (upper and lower case are
// the same; a name that is the same as a whole wins).
// Errors: -1: none or several; `error` says so and lists them.
static int index_of(const char *gpu, char names[][256], uint32_t count, char *error,
                    size_t error_size)
{
    char *behind;
    unsigned long number = strtoul(gpu, &behind, 10);
    bool numeric = *gpu && !*behind && isdigit((unsigned char)*gpu);
    if (numeric && number < count)
        return (int)number;
    int found = -1, whole = -1;
    unsigned fits = 0, wholes = 0;
    for (uint32_t i = 0; i < count && !numeric && *gpu; i++) {
        if (contains(names[i], gpu)) {
            found = (int)i;
            fits++;
        }
        if (is_whole(names[i], gpu)) {
            whole = (int)i;
            wholes++;
        }
    }
    if (fits == 1 || wholes == 1)
        return wholes == 1 ? whole : found;
    int used =
        fits ? snprintf(error, error_size,
                        "--gpu: '%.64s' fits %u devices, choose one by its number:", gpu, fits)
             : snprintf(error, error_size, "--gpu: no device '%.64s' here; there is", gpu);
    for (uint32_t i = 0; i < count && used > 0 && (size_t)used < error_size; i++)
        used += snprintf(error + used, error_size - (size_t)used, "%s %u: %s", i ? "," : "", i,
                         names[i]);
    return -1;
}

static bool choose(struct venus_host *host, const char *gpu, char names[][256], uint32_t count,
                   char *error, size_t error_size)
{
    if (gpu) {
        int index = index_of(gpu, names, count, error, error_size);
        if (index < 0)
            return false;
        host->chose = true;
        host->chosen = (uint32_t)index;
    }
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < sizeof(host->devices); i++) {
        if (venus_host_shows(host, i))
            used += (size_t)snprintf(host->devices + used, sizeof(host->devices) - used, "%s%s",
                                     used ? ", " : "", names[i]);
    }
    return true;
}

// Bytes of memory that a graphics card has of its own.
static uint64_t card_memory(const struct venus_instance_driver *vk, VkPhysicalDevice device,
                            const VkPhysicalDeviceProperties *properties)
{
    VkPhysicalDeviceMemoryProperties memory;
    uint64_t sum = 0;
    if (properties->deviceType != VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU)
        return 0;
    vk->GetPhysicalDeviceMemoryProperties(device, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if (memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
            sum += memory.memoryHeaps[i].size;
    return sum;
}

// A driver that opens and shows a device. Its libraries stay loaded with host->keep. A worker that
// waits as a spare has time to try out the devices; a guest would have to wait for it.
static bool find_devices(struct venus_host *host, const char *gpu, char *error, size_t error_size)
{
    struct venus_instance_driver vk;
    VkPhysicalDevice devices[VENUS_MAX_HOST_DEVICES];
    uint32_t count = VENUS_MAX_HOST_DEVICES;
    VkResult result = venus_host_create_instance(host, NULL, &host->keep);
    if (result == VK_SUCCESS) {
        venus_instance_driver_load(&vk, host->get_instance_proc_addr, host->keep);
        result = vk.EnumeratePhysicalDevices(host->keep, &count, devices);
    }
    if (result < VK_SUCCESS || count == 0) {
        if (result >= VK_SUCCESS || result == VK_ERROR_INCOMPATIBLE_DRIVER ||
            result == VK_ERROR_INITIALIZATION_FAILED)
            snprintf(error, error_size, "the Vulkan loader finds no driver with a device: %s",
                     os_vulkan_driver_hint());
        else
            snprintf(error, error_size, "the host's vkCreateInstance failed with VkResult %d",
                     result);
        return false;
    }
    char(*names)[256] = calloc(count, sizeof(*names));
    host->probes = calloc(count, sizeof(*host->probes));
    bool ok = names && host->probes;
    if (!ok)
        snprintf(error, error_size, "out of memory");
    for (uint32_t i = 0; ok && i < count; i++)
        venus_host_device_name(&vk, devices[i], names[i], sizeof(names[i]));
    ok = ok && choose(host, gpu, names, count, error, error_size);
    for (uint32_t i = 0; ok && i < count; i++) {
        VkPhysicalDeviceProperties properties;
        vk.GetPhysicalDeviceProperties(devices[i], &properties);
        uint64_t memory = venus_host_shows(host, i) ? card_memory(&vk, devices[i], &properties) : 0;
        host->card_memory = memory > host->card_memory ? memory : host->card_memory;
        if (properties.apiVersion >= VK_API_VERSION_1_1 && venus_host_shows(host, i))
            venus_probe_device(&vk, devices[i], &host->probes[host->probe_count++]);
    }
    free(names);
    return ok;
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

bool venus_host_load(struct venus_host *host, const struct venus_host_options *options, char *error,
                     size_t error_size)
{
    *host = (struct venus_host){0};
    // Overlays, device pickers and the like belong to the guest's application, not to a renderer. A
    // person may set it otherwise.
    setenv("VK_LOADER_LAYERS_DISABLE", "~implicit~", 0);
    if (!open_library(host, options->driver ? options->driver : "loader", error, error_size))
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
    return find_devices(host, options->gpu, error, error_size);
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
