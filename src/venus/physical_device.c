// What a guest sees of the host's devices: which ones, their extensions, memory types, features and
// limits.
#include <stdlib.h>

#include "base/log.h"
#include "venus/device.h"
#include "venus/extensions.h"
#include "venus/null_descriptor.h"
#include "venus/portability.h"
#include "venus/probe.h"
#include "venus/profile.h"

#define MAX_PHYSICAL_DEVICES VENUS_MAX_HOST_DEVICES

// ---- memory types ---------------------------------------------------------

// A guest maps only pages that we gave the driver, and never flushes: what is not both importable
// and coherent is not mappable.
void venus_memory_types_hide(VkPhysicalDeviceMemoryProperties *memory, uint32_t importable)
{
    const VkMemoryPropertyFlags mappable = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                           VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                           VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        VkMemoryPropertyFlags *flags = &memory->memoryTypes[i].propertyFlags;
        if (!(importable & (1u << i)) || !(*flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT))
            *flags &= ~mappable;
    }
}

static bool has_mappable_type(const VkPhysicalDeviceMemoryProperties *memory)
{
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        if ((memory->memoryTypes[i].propertyFlags & wanted) == wanted)
            return true;
    }
    return false;
}

// Finds out how the driver takes pages, and from that the memory that the guest sees.
static void probe(struct venus_physical_device *physical_device)
{
    const struct venus_instance *instance = physical_device->instance;
    VkPhysicalDevice handle = (VkPhysicalDevice)(uintptr_t)physical_device->base.handle;
    struct venus_probe probe;
    venus_probe_identify(&instance->vk, handle, &probe);
    if (!venus_host_recall(instance->host, &probe))
        venus_probe_device(&instance->vk, handle, &probe);
    physical_device->importable_types = probe.importable_types;
    physical_device->import_alignment = probe.import_alignment;
    physical_device->import_handle = probe.import_handle;
    physical_device->import_refused = probe.refused;
    instance->vk.GetPhysicalDeviceMemoryProperties(handle, &physical_device->memory);
    venus_memory_types_hide(&physical_device->memory, physical_device->importable_types);
    venus_profile_filter_memory(physical_device->profile, &physical_device->memory);
}

enum link_memory venus_heap_memory(const struct venus_physical_device *physical_device,
                                   uint32_t heap)
{
    bool has_its_own =
        physical_device->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    return has_its_own &&
                   physical_device->memory.memoryHeaps[heap].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT
               ? LINK_MEMORY_CARD
               : LINK_MEMORY_HOST;
}

// Heaps are no larger than what the context may have.
static void limit_heaps(const struct venus_context *context,
                        struct venus_physical_device *physical_device)
{
    VkPhysicalDeviceMemoryProperties *memory = &physical_device->memory;
    for (uint32_t i = 0; i < memory->memoryHeapCount; i++) {
        uint64_t most = context->max_memory[venus_heap_memory(physical_device, i)];
        if (most && memory->memoryHeaps[i].size > most)
            memory->memoryHeaps[i].size = most;
    }
}

// What the guest may come to hold, and of the machine's memory what it holds: a driver may tell
// what all programs of the machine do.
static void limit_budget(const struct venus_call *call,
                         const struct venus_physical_device *physical_device,
                         VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget)
{
    const struct venus_ledger *ledger = &call->context->ledger;
    const VkPhysicalDeviceMemoryProperties *memory = &physical_device->memory;
    for (uint32_t i = 0; i < memory->memoryHeapCount; i++) {
        enum link_memory kind = venus_heap_memory(physical_device, i);
        uint64_t most = venus_ledger_ceiling(ledger, kind);
        most = most < memory->memoryHeaps[i].size ? most : memory->memoryHeaps[i].size;
        if (budget->heapBudget[i] > most)
            budget->heapBudget[i] = most;
        if (kind == LINK_MEMORY_HOST && ledger->page)
            budget->heapUsage[i] = venus_ledger_held(ledger, LINK_HOLDS_PAGES) +
                                   venus_ledger_held(ledger, LINK_HOLDS_PLAIN);
    }
}

uint64_t venus_card_usage(const struct venus_instance *instance)
{
    uint64_t sum = 0;
    if (!atomic_load(&instance->enumerated))
        return 0;
    for (uint32_t i = 0; i < instance->physical_device_count; i++) {
        const struct venus_physical_device *physical_device = instance->physical_devices[i];
        VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
        VkPhysicalDeviceMemoryProperties2 memory = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
        if (!venus_extension_of_host(physical_device, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME))
            continue;
        instance->vk.GetPhysicalDeviceMemoryProperties2(
            (VkPhysicalDevice)(uintptr_t)physical_device->base.handle, &memory);
        for (uint32_t j = 0; j < physical_device->memory.memoryHeapCount; j++)
            if (venus_heap_memory(physical_device, j) == LINK_MEMORY_CARD)
                sum += budget.heapUsage[j];
    }
    return sum;
}

// ---- enumeration ----------------------------------------------------------

void venus_physical_device_forget(struct venus_physical_device *physical_device)
{
    free(physical_device->queue_families);
    free(physical_device->extensions);
    free(physical_device->host_extensions);
    physical_device->queue_families = NULL;
    physical_device->extensions = physical_device->host_extensions = NULL;
}

static void release(struct venus_context *context, struct venus_object *object)
{
    venus_physical_device_forget((struct venus_physical_device *)object);
    venus_object_free(&context->objects, object);
}

static const struct venus_class physical_device_class = {
    .size = sizeof(struct venus_physical_device), .release = release};

const char *venus_physical_device_load(struct venus_physical_device *physical_device)
{
    const struct venus_instance_driver *vk = &physical_device->instance->vk;
    VkPhysicalDevice handle = (VkPhysicalDevice)(uintptr_t)physical_device->base.handle;

    vk->GetPhysicalDeviceProperties(handle, &physical_device->properties);
    if (physical_device->properties.apiVersion < VK_API_VERSION_1_1)
        return "it offers only Vulkan 1.0, guests need 1.1";
    if (physical_device->properties.apiVersion > wire_vk_xml_version())
        physical_device->properties.apiVersion = wire_vk_xml_version();
    uint32_t most = physical_device->profile->api_version;
    if (most && physical_device->properties.apiVersion > most)
        physical_device->properties.apiVersion = most;

    vk->GetPhysicalDeviceQueueFamilyProperties(handle, &physical_device->queue_family_count, NULL);
    physical_device->queue_families =
        calloc(physical_device->queue_family_count + 1, sizeof(*physical_device->queue_families));
    if (!physical_device->queue_families)
        return "out of memory";
    vk->GetPhysicalDeviceQueueFamilyProperties(handle, &physical_device->queue_family_count,
                                               physical_device->queue_families);

    if (!venus_extensions_load(physical_device))
        return "its extensions cannot be read";
    probe(physical_device);
    if (!has_mappable_type(&physical_device->memory))
        return physical_device->import_refused
                   ? physical_device->import_refused
                   : "its driver takes shared memory in no coherent memory type, so that a guest "
                     "cannot map any";
    const char *lacking[VENUS_PORTABILITY_FEATURES];
    for (unsigned i = venus_portability_lacks(physical_device, lacking); i-- > 0;)
        physical_device->no_lod_bias |= strcmp(lacking[i], "samplerMipLodBias") == 0;
    physical_device->null_descriptor_is_ours = venus_null_descriptor_is_ours(physical_device);
    return NULL;
}

// lavapipe binds only memory that it has allocated, or imported by descriptor. Imported host memory
// it takes for a structure of its own: the guest's bytes would choose which descriptor of this
// process is mapped. (Mesa up to 26.2)
static bool binds_host_memory(const struct venus_physical_device *physical_device)
{
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
    physical_device->instance->vk.GetPhysicalDeviceProperties2(
        (VkPhysicalDevice)(uintptr_t)physical_device->base.handle, &properties);
    return driver.driverID != VK_DRIVER_ID_MESA_LLVMPIPE;
}

static void forget(struct venus_context *context, struct venus_instance *instance)
{
    while (instance->physical_device_count)
        venus_release(context,
                      &instance->physical_devices[--instance->physical_device_count]->base);
    free(instance->physical_devices);
    instance->physical_devices = NULL;
}

static VkResult enumerate(struct venus_context *context, struct venus_instance *instance)
{
    VkPhysicalDevice handles[MAX_PHYSICAL_DEVICES];
    uint32_t count = MAX_PHYSICAL_DEVICES;
    VkResult result = instance->vk.EnumeratePhysicalDevices(
        (VkInstance)(uintptr_t)instance->base.handle, &count, handles);
    if (result < VK_SUCCESS)
        return result;
    instance->physical_devices = calloc(count + 1, sizeof(*instance->physical_devices));
    if (!instance->physical_devices)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        if (!venus_host_shows(context->host, i))
            continue;
        struct venus_physical_device *physical_device = venus_object_alloc(
            &context->objects, &physical_device_class, WIRE_HANDLE_PHYSICAL_DEVICE);
        if (!physical_device) {
            forget(context, instance); // the guest may ask again
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        }
        physical_device->base.handle = (uintptr_t)handles[i];
        physical_device->base.parent = &instance->base;
        physical_device->instance = instance;
        physical_device->profile = binds_host_memory(physical_device)
                                       ? context->profile
                                       : venus_profile_dense(context->profile);
        const char *hidden = venus_physical_device_load(physical_device);
        if (hidden) {
            log_warning("%s is not shown to guests: %s", physical_device->properties.deviceName,
                        hidden);
            venus_release(context, &physical_device->base);
        } else {
            limit_heaps(context, physical_device);
            instance->physical_devices[instance->physical_device_count++] = physical_device;
        }
    }
    instance->enumerated = true;
    return VK_SUCCESS;
}

// The guest chooses an id for each when it first asks for them; later it must come with the same
// ones.
static bool name_devices(struct venus_call *call, struct venus_instance *instance,
                         const VkPhysicalDevice *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct venus_object *object = &instance->physical_devices[i]->base;
        uint64_t id = (uintptr_t)ids[i];
        if (instance->named & (1ull << i)) {
            if (atomic_load(&object->id) != id)
                return venus_fail(call, "the physical device has another id");
        } else {
            if (!venus_object_insert(&call->context->objects, object, id))
                return venus_fail(call, "the id of the physical device is 0 or in use");
            instance->named |= 1ull << i;
        }
    }
    return true;
}

static bool enumerate_physical_devices(struct venus_call *call, void *data)
{
    struct wire_args_vkEnumeratePhysicalDevices *args = data;
    struct venus_instance *instance = call->instance;
    bool ok = true;

    pthread_mutex_lock(&instance->enumeration_lock);
    args->ret = instance->enumerated ? VK_SUCCESS : enumerate(call->context, instance);
    if (args->ret == VK_SUCCESS && args->pPhysicalDevices) {
        if (*args->pPhysicalDeviceCount < instance->physical_device_count)
            args->ret = VK_INCOMPLETE;
        else
            *args->pPhysicalDeviceCount = instance->physical_device_count;
        ok = name_devices(call, instance, args->pPhysicalDevices, *args->pPhysicalDeviceCount);
    } else {
        *args->pPhysicalDeviceCount = args->ret == VK_SUCCESS ? instance->physical_device_count : 0;
    }
    pthread_mutex_unlock(&instance->enumeration_lock);
    return ok;
}

// The guest's id of a device of the host; 0: it has none, or is not shown.
static uint64_t id_of(const struct venus_instance *instance, VkPhysicalDevice handle)
{
    for (uint32_t i = 0; i < instance->physical_device_count; i++) {
        if (instance->physical_devices[i]->base.handle == (uintptr_t)handle)
            return instance->named & (1ull << i)
                       ? atomic_load(&instance->physical_devices[i]->base.id)
                       : 0;
    }
    return 0;
}

static bool enumerate_groups(struct venus_call *call, void *data)
{
    struct wire_args_vkEnumeratePhysicalDeviceGroups *args = data;
    struct venus_instance *instance = call->instance;
    VkPhysicalDeviceGroupProperties *groups =
        venus_scratch(call, MAX_PHYSICAL_DEVICES * sizeof(*groups));
    if (!groups)
        return venus_fail(call, "out of memory");
    for (uint32_t i = 0; i < MAX_PHYSICAL_DEVICES; i++)
        groups[i].sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_GROUP_PROPERTIES;
    uint32_t count = MAX_PHYSICAL_DEVICES;
    args->ret = VK_ERROR_INITIALIZATION_FAILED;
    if (instance->vk.EnumeratePhysicalDeviceGroups)
        args->ret = instance->vk.EnumeratePhysicalDeviceGroups(
            (VkInstance)(uintptr_t)instance->base.handle, &count, groups);
    if (args->ret < VK_SUCCESS) {
        *args->pPhysicalDeviceGroupCount = 0;
        return true;
    }

    pthread_mutex_lock(&instance->enumeration_lock);
    uint32_t shown = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t members = 0;
        for (uint32_t j = 0; j < groups[i].physicalDeviceCount && j < VK_MAX_DEVICE_GROUP_SIZE;
             j++) {
            uint64_t id = id_of(instance, groups[i].physicalDevices[j]);
            if (id)
                groups[i].physicalDevices[members++] = (VkPhysicalDevice)(uintptr_t)id;
        }
        groups[i].physicalDeviceCount = members;
        if (members)
            groups[shown++] = groups[i];
    }
    pthread_mutex_unlock(&instance->enumeration_lock);

    args->ret = VK_SUCCESS;
    if (args->pPhysicalDeviceGroupProperties) {
        if (*args->pPhysicalDeviceGroupCount < shown) {
            args->ret = VK_INCOMPLETE;
            shown = *args->pPhysicalDeviceGroupCount;
        }
        for (uint32_t i = 0; i < shown; i++) {
            VkPhysicalDeviceGroupProperties *out = &args->pPhysicalDeviceGroupProperties[i];
            memset(out->physicalDevices, 0, sizeof(out->physicalDevices));
            out->physicalDeviceCount = groups[i].physicalDeviceCount;
            memcpy(out->physicalDevices, groups[i].physicalDevices,
                   out->physicalDeviceCount * sizeof(out->physicalDevices[0]));
            out->subsetAllocation = groups[i].subsetAllocation;
        }
    }
    *args->pPhysicalDeviceGroupCount = shown;
    return true;
}

// ---- queries --------------------------------------------------------------

static struct venus_physical_device *self(struct venus_call *call)
{
    return (struct venus_physical_device *)call->self;
}

static bool enumerate_extensions(struct venus_call *call, void *data)
{
    struct wire_args_vkEnumerateDeviceExtensionProperties *args = data;
    const struct venus_physical_device *physical_device = self(call);
    if (args->pLayerName) {
        *args->pPropertyCount = 0;
        args->ret = VK_ERROR_LAYER_NOT_PRESENT;
        return true;
    }
    args->ret = VK_SUCCESS;
    if (!args->pProperties) {
        *args->pPropertyCount = physical_device->extension_count;
        return true;
    }
    if (*args->pPropertyCount < physical_device->extension_count)
        args->ret = VK_INCOMPLETE;
    else
        *args->pPropertyCount = physical_device->extension_count;
    memcpy(args->pProperties, physical_device->extensions,
           *args->pPropertyCount * sizeof(*args->pProperties));
    return true;
}

static bool enumerate_layers(struct venus_call *call, void *data)
{
    struct wire_args_vkEnumerateDeviceLayerProperties *args = data;
    *args->pPropertyCount = 0;
    args->ret = VK_SUCCESS;
    return true;
}

// Debuggers and layers of the host are no business of a guest.
static bool get_tools(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceToolProperties *args = data;
    *args->pToolCount = 0;
    args->ret = VK_SUCCESS;
    return true;
}

static bool get_features(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceFeatures *args = data;
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    call->instance->vk.GetPhysicalDeviceFeatures(args->physicalDevice, &features.features);
    venus_profile_filter_features(self(call)->profile, &features);
    *args->pFeatures = features.features;
    return true;
}

static bool get_features2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceFeatures2 *args = data;
    call->instance->vk.GetPhysicalDeviceFeatures2(args->physicalDevice, args->pFeatures);
    venus_profile_filter_features(self(call)->profile, args->pFeatures);
    venus_null_descriptor_offer(self(call), args->pFeatures);
    return true;
}

// A virtual machine's programs take this for its graphics card, even if the host has nothing but
// its CPU. OpenGL by zink, compositors and games pass over devices of type CPU, and Xorg over any
// whose name holds that of Mesa's OpenGL in software. On the same kernel the device stands beside
// those of the same machine, and is called what it is.
static void describe(const struct venus_call *call, VkPhysicalDeviceProperties *properties)
{
    if (call->context->same_kernel || properties->deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU)
        return;
    properties->deviceType = VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU;
    if (!strncmp(properties->deviceName, "llvmpipe", 8))
        memcpy(properties->deviceName, "lavapipe", 8);
}

static bool get_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceProperties *args = data;
    VkPhysicalDeviceProperties2 properties = {.sType =
                                                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    properties.properties = self(call)->properties;
    venus_profile_filter_limits(self(call)->profile, &properties);
    venus_portability_limit(self(call), &properties.properties.limits);
    *args->pProperties = properties.properties;
    describe(call, args->pProperties);
    return true;
}

static bool get_properties2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceProperties2 *args = data;
    call->instance->vk.GetPhysicalDeviceProperties2(args->physicalDevice, args->pProperties);
    args->pProperties->properties.apiVersion = self(call)->properties.apiVersion;
    describe(call, &args->pProperties->properties);
    venus_profile_filter_limits(self(call)->profile, args->pProperties);
    venus_portability_limit(self(call), &args->pProperties->properties.limits);
    return true;
}

static bool get_queue_families(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceQueueFamilyProperties *args = data;
    call->instance->vk.GetPhysicalDeviceQueueFamilyProperties(
        args->physicalDevice, args->pQueueFamilyPropertyCount, args->pQueueFamilyProperties);
    for (uint32_t i = 0; args->pQueueFamilyProperties && i < *args->pQueueFamilyPropertyCount; i++)
        args->pQueueFamilyProperties[i].queueFlags &= ~self(call)->profile->queue_flags;
    return true;
}

static bool get_queue_families2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceQueueFamilyProperties2 *args = data;
    call->instance->vk.GetPhysicalDeviceQueueFamilyProperties2(
        args->physicalDevice, args->pQueueFamilyPropertyCount, args->pQueueFamilyProperties);
    for (uint32_t i = 0; args->pQueueFamilyProperties && i < *args->pQueueFamilyPropertyCount; i++)
        args->pQueueFamilyProperties[i].queueFamilyProperties.queueFlags &=
            ~self(call)->profile->queue_flags;
    return true;
}

static bool get_memory_properties(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceMemoryProperties *args = data;
    *args->pMemoryProperties = self(call)->memory;
    return true;
}

static bool get_memory_properties2(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceMemoryProperties2 *args = data;
    // What is chained (budgets) changes with time.
    if (args->pMemoryProperties->pNext)
        call->instance->vk.GetPhysicalDeviceMemoryProperties2(args->physicalDevice,
                                                              args->pMemoryProperties);
    args->pMemoryProperties->memoryProperties = self(call)->memory;
    VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = venus_chain_find(
        args->pMemoryProperties, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT);
    if (budget)
        limit_budget(call, self(call), budget);
    return true;
}

// The host's clocks mean something only to a guest on the same kernel.
static bool get_time_domains(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPhysicalDeviceCalibrateableTimeDomainsKHR *args = data;
    if (!call->instance->vk.GetPhysicalDeviceCalibrateableTimeDomainsKHR)
        return venus_unsupported(call);
    if (call->context->same_kernel) {
        args->ret = call->instance->vk.GetPhysicalDeviceCalibrateableTimeDomainsKHR(
            args->physicalDevice, args->pTimeDomainCount, args->pTimeDomains);
        return true;
    }
    args->ret = VK_SUCCESS;
    if (args->pTimeDomains && *args->pTimeDomainCount)
        args->pTimeDomains[0] = VK_TIME_DOMAIN_DEVICE_KHR;
    else if (args->pTimeDomains)
        args->ret = VK_INCOMPLETE;
    if (args->ret == VK_SUCCESS)
        *args->pTimeDomainCount = 1;
    return true;
}

const struct venus_handler_entry venus_physical_device_handlers[] = {
    {WIRE_vkEnumeratePhysicalDevices, enumerate_physical_devices},
    {WIRE_vkEnumeratePhysicalDeviceGroups, enumerate_groups},
    {WIRE_vkEnumerateDeviceExtensionProperties, enumerate_extensions},
    {WIRE_vkEnumerateDeviceLayerProperties, enumerate_layers},
    {WIRE_vkGetPhysicalDeviceToolProperties, get_tools},
    {WIRE_vkGetPhysicalDeviceFeatures, get_features},
    {WIRE_vkGetPhysicalDeviceFeatures2, get_features2},
    {WIRE_vkGetPhysicalDeviceProperties, get_properties},
    {WIRE_vkGetPhysicalDeviceProperties2, get_properties2},
    {WIRE_vkGetPhysicalDeviceQueueFamilyProperties, get_queue_families},
    {WIRE_vkGetPhysicalDeviceQueueFamilyProperties2, get_queue_families2},
    {WIRE_vkGetPhysicalDeviceMemoryProperties, get_memory_properties},
    {WIRE_vkGetPhysicalDeviceMemoryProperties2, get_memory_properties2},
    {WIRE_vkGetPhysicalDeviceCalibrateableTimeDomainsKHR, get_time_domains},
    {0},
};
