// Instances and physical devices.
#include "guest/vulkan/guest.h"
#include "guest/vulkan/objects.h"

#define API_VERSION VK_MAKE_API_VERSION(0, 1, 3, VK_HEADER_VERSION)

static const struct guest_system *used_system;
static guest_connect used_connect;
static void *used_context;

void guest_use(const struct guest_system *system, guest_connect connect, void *context)
{
    used_system = system;
    used_connect = connect;
    used_context = context;
}

// ---- what there is before an instance -------------------------------------

VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateInstanceVersion(uint32_t *pApiVersion)
{
    *pApiVersion = API_VERSION;
    return VK_SUCCESS;
}

// Vulkan's way to hand out a list: all of it, or as much as there is room for.
static VkResult hand_out(const VkExtensionProperties *list, uint32_t have, uint32_t *count,
                         VkExtensionProperties *to)
{
    if (!to) {
        *count = have;
        return VK_SUCCESS;
    }
    bool all = *count >= have;
    *count = all ? have : *count;
    memcpy(to, list, *count * sizeof(*to));
    return all ? VK_SUCCESS : VK_INCOMPLETE;
}

VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateInstanceExtensionProperties(
    const char *pLayerName, uint32_t *pPropertyCount, VkExtensionProperties *pProperties)
{
    static const VkExtensionProperties list[] = {
        {VK_KHR_DEVICE_GROUP_CREATION_EXTENSION_NAME, 1},
        {VK_KHR_EXTERNAL_FENCE_CAPABILITIES_EXTENSION_NAME, 1},
        {VK_KHR_EXTERNAL_MEMORY_CAPABILITIES_EXTENSION_NAME, 1},
        {VK_KHR_EXTERNAL_SEMAPHORE_CAPABILITIES_EXTENSION_NAME, 1},
        {VK_KHR_DISPLAY_EXTENSION_NAME, VK_KHR_DISPLAY_SPEC_VERSION},
        {VK_KHR_GET_PHYSICAL_DEVICE_PROPERTIES_2_EXTENSION_NAME, 2},
        {VK_KHR_SURFACE_EXTENSION_NAME, VK_KHR_SURFACE_SPEC_VERSION},
    };
    return pLayerName ? VK_ERROR_LAYER_NOT_PRESENT
                      : hand_out(list, sizeof(list) / sizeof(list[0]), pPropertyCount, pProperties);
}

VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateInstanceLayerProperties(uint32_t *pPropertyCount,
                                                                  VkLayerProperties *pProperties)
{
    *pPropertyCount = 0;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateDeviceLayerProperties(VkPhysicalDevice physicalDevice,
                                                                uint32_t *pPropertyCount,
                                                                VkLayerProperties *pProperties)
{
    *pPropertyCount = 0;
    return VK_SUCCESS;
}

// ---- instances ------------------------------------------------------------

static int open_context(struct guest_context *context, const char *name)
{
    uint32_t capset[40];
    int error = used_connect(used_context, &context->transport);
    if (error)
        return error;
    const struct guest_transport_calls *calls = context->transport->calls;
    error = calls->capset(context->transport, GUEST_CAPSET_VENUS, 0, capset, sizeof(capset));
    // Word 0 is the version of the format, word 4 says that shared memory can be had.
    if (!error && (capset[0] != 1 || !capset[4]))
        error = GUEST_ERROR_UNSUPPORTED;
    if (!error && capset[1] < wire_vk_xml_version() && context->system->log)
        context->system->log(context->system->context,
                             "the host knows an older Vulkan than this driver: it may end a "
                             "program that uses what is new");
    if (!error)
        error = calls->open(context->transport, GUEST_CAPSET_VENUS, name);
    if (!error)
        error = guest_ring_open(&context->ring, context->system, context->transport, 0);
    if (error)
        calls->close(context->transport);
    return error;
}

static void close_context(struct guest_context *context)
{
    guest_ring_close(&context->ring);
    context->transport->calls->close(context->transport);
    context->system->release(context->system->context, context);
}

// Asked once, at the creation: any thread may ask for them later. The ids are the same in each
// context of an instance, and so is what the program has of them.
static VkResult find_physical_devices(struct guest_instance *instance)
{
    uint32_t count = 0;
    uint64_t ids[GUEST_MAX_PHYSICAL_DEVICES];
    struct wire_args_vkEnumeratePhysicalDevices args = {.instance = (VkInstance)instance,
                                                        .pPhysicalDeviceCount = &count,
                                                        .ret = VK_ERROR_INITIALIZATION_FAILED};
    guest_call(instance, WIRE_vkEnumeratePhysicalDevices, &args, true);
    if (args.ret < 0)
        return args.ret;
    count = count > GUEST_MAX_PHYSICAL_DEVICES ? GUEST_MAX_PHYSICAL_DEVICES : count;
    if (!instance->physical_device_count) {
        for (uint32_t i = 0; i < count; i++)
            instance->physical_devices[i].handle.object = guest_new_object();
        instance->physical_device_count = count;
    }
    if (count != instance->physical_device_count)
        return VK_ERROR_INITIALIZATION_FAILED;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = instance->physical_devices[i].handle.object.id;
    args.pPhysicalDevices = (VkPhysicalDevice *)ids;
    args.ret = VK_ERROR_INITIALIZATION_FAILED;
    if (count)
        guest_call(instance, WIRE_vkEnumeratePhysicalDevices, &args, true);
    if (count && args.ret < 0)
        return args.ret;
    for (uint32_t i = 0; i < instance->physical_device_count; i++) {
        struct guest_physical_device *device = &instance->physical_devices[i];
        device->handle.context = instance->handle.context;
        device->instance = instance;
    }
    return VK_SUCCESS;
}

// A context, and the instance in it. The one before stays where it is.
static VkResult enter_context(struct guest_instance *instance, const struct guest_system *system)
{
    struct guest_context *former = instance->handle.context;
    struct guest_context *context = system->allocate(system->context, sizeof(*context));
    if (!context)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    context->system = system;
    context->former = former;
    if (open_context(context, instance->names[0][0] ? instance->names[0] : "program")) {
        system->release(system->context, context);
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    instance->handle.context = context;
    // The extensions of an instance are the guest's own.
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pApplicationInfo =
                                     instance->application.sType ? &instance->application : NULL};
    uint64_t id = instance->handle.object.id;
    struct wire_args_vkCreateInstance args = {
        .pCreateInfo = &info, .pInstance = (VkInstance *)&id, .ret = VK_ERROR_DEVICE_LOST};
    guest_call(instance, WIRE_vkCreateInstance, &args, true);
    if (args.ret >= 0)
        args.ret = find_physical_devices(instance);
    if (args.ret < 0) {
        instance->handle.context = former;
        close_context(context);
    }
    return args.ret == VK_ERROR_DEVICE_LOST ? VK_ERROR_INITIALIZATION_FAILED : args.ret;
}

// What nobody lives in any more can go, but for the last one: some thread may still be in it.
static void close_former(struct guest_context *lost)
{
    struct guest_context **link = &lost->former, *former;
    while ((former = *link) != NULL) {
        if (former->devices) {
            link = &former->former;
            continue;
        }
        *link = former->former;
        close_context(former);
    }
}

bool guest_renew(struct guest_instance *instance, struct guest_context *lost)
{
    struct guest_wait wait = {.nanoseconds = UINT64_MAX};
    if (!lost->ring.lost)
        return false;
    guest_lock(lost);
    while (instance->renewing) {
        guest_unlock(lost);
        guest_pause(lost, &wait);
        guest_lock(lost);
    }
    bool ours = instance->handle.context == lost;
    instance->renewing = ours;
    guest_unlock(lost);
    if (!ours)
        return true;
    bool renewed = enter_context(instance, lost->system) >= 0;
    if (renewed)
        close_former(lost);
    guest_lock(lost);
    instance->renewing = false;
    guest_unlock(lost);
    return renewed;
}

void guest_ask(VkPhysicalDevice physical_device, enum wire_command command, void *args)
{
    struct guest_physical_device *self = (struct guest_physical_device *)physical_device;
    struct guest_context *context = self->handle.context;
    if (guest_ring_call(&context->ring, command, args, true) == GUEST_ERROR_LOST &&
        guest_renew(self->instance, context))
        guest_call(self, command, args, true);
}

static void remember(struct guest_instance *instance, const VkApplicationInfo *application)
{
    if (!application)
        return;
    const char *names[] = {application->pApplicationName, application->pEngineName};
    instance->application = *application;
    instance->application.pNext = NULL;
    for (int i = 0; i < 2; i++) {
        size_t size = names[i] ? strlen(names[i]) : 0;
        size = size < sizeof(instance->names[i]) ? size : sizeof(instance->names[i]) - 1;
        if (size)
            memcpy(instance->names[i], names[i], size);
    }
    instance->application.pApplicationName = names[0] ? instance->names[0] : NULL;
    instance->application.pEngineName = names[1] ? instance->names[1] : NULL;
}

VKAPI_ATTR VkResult VKAPI_CALL vkCreateInstance(const VkInstanceCreateInfo *pCreateInfo,
                                                const VkAllocationCallbacks *pAllocator,
                                                VkInstance *pInstance)
{
    if (!used_connect || pCreateInfo->enabledLayerCount)
        return used_connect ? VK_ERROR_LAYER_NOT_PRESENT : VK_ERROR_INITIALIZATION_FAILED;
    struct guest_instance *instance =
        used_system->allocate(used_system->context, sizeof(*instance));
    if (!instance)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    instance->handle.object = guest_new_object();
    remember(instance, pCreateInfo->pApplicationInfo);
    VkResult result = enter_context(instance, used_system);
    if (result < 0) {
        used_system->release(used_system->context, instance);
        return result;
    }
    *pInstance = (VkInstance)instance;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vkDestroyInstance(VkInstance instance,
                                             const VkAllocationCallbacks *pAllocator)
{
    struct guest_instance *self = (struct guest_instance *)instance;
    if (!self)
        return;
    const struct guest_system *system = self->handle.context->system;
    struct wire_args_vkDestroyInstance args = {.instance =
                                                   (VkInstance)(uintptr_t)self->handle.object.id};
    guest_call(self, WIRE_vkDestroyInstance, &args, false);
    while (self->handle.context) {
        struct guest_context *context = self->handle.context;
        self->handle.context = context->former;
        close_context(context);
    }
    system->release(system->context, self);
}

// ---- physical devices -----------------------------------------------------

VKAPI_ATTR VkResult VKAPI_CALL vkEnumeratePhysicalDevices(VkInstance instance,
                                                          uint32_t *pPhysicalDeviceCount,
                                                          VkPhysicalDevice *pPhysicalDevices)
{
    struct guest_instance *self = (struct guest_instance *)instance;
    uint32_t have = self->physical_device_count;
    if (!pPhysicalDevices) {
        *pPhysicalDeviceCount = have;
        return VK_SUCCESS;
    }
    bool all = *pPhysicalDeviceCount >= have;
    *pPhysicalDeviceCount = all ? have : *pPhysicalDeviceCount;
    for (uint32_t i = 0; i < *pPhysicalDeviceCount; i++)
        pPhysicalDevices[i] = (VkPhysicalDevice)&self->physical_devices[i];
    return all ? VK_SUCCESS : VK_INCOMPLETE;
}

// Each device is a group of its own.
VKAPI_ATTR VkResult VKAPI_CALL
vkEnumeratePhysicalDeviceGroups(VkInstance instance, uint32_t *pPhysicalDeviceGroupCount,
                                VkPhysicalDeviceGroupProperties *pPhysicalDeviceGroupProperties)
{
    struct guest_instance *self = (struct guest_instance *)instance;
    uint32_t have = self->physical_device_count;
    if (!pPhysicalDeviceGroupProperties) {
        *pPhysicalDeviceGroupCount = have;
        return VK_SUCCESS;
    }
    bool all = *pPhysicalDeviceGroupCount >= have;
    *pPhysicalDeviceGroupCount = all ? have : *pPhysicalDeviceGroupCount;
    for (uint32_t i = 0; i < *pPhysicalDeviceGroupCount; i++) {
        VkPhysicalDeviceGroupProperties *group = &pPhysicalDeviceGroupProperties[i];
        group->physicalDeviceCount = 1;
        memset(group->physicalDevices, 0, sizeof(group->physicalDevices));
        group->physicalDevices[0] = (VkPhysicalDevice)&self->physical_devices[i];
        group->subsetAllocation = VK_FALSE;
    }
    return all ? VK_SUCCESS : VK_INCOMPLETE;
}

static void cap(VkPhysicalDeviceProperties *properties)
{
    if (properties->apiVersion > API_VERSION)
        properties->apiVersion = API_VERSION;
}

VKAPI_ATTR void VKAPI_CALL vkGetPhysicalDeviceProperties(VkPhysicalDevice physicalDevice,
                                                         VkPhysicalDeviceProperties *pProperties)
{
    guest_plain_vkGetPhysicalDeviceProperties(physicalDevice, pProperties);
    cap(pProperties);
}

VKAPI_ATTR void VKAPI_CALL vkGetPhysicalDeviceProperties2(VkPhysicalDevice physicalDevice,
                                                          VkPhysicalDeviceProperties2 *pProperties)
{
    guest_plain_vkGetPhysicalDeviceProperties2(physicalDevice, pProperties);
    cap(&pProperties->properties);
}

VKAPI_ATTR VkResult VKAPI_CALL
vkGetPhysicalDeviceToolProperties(VkPhysicalDevice physicalDevice, uint32_t *pToolCount,
                                  VkPhysicalDeviceToolProperties *pToolProperties)
{
    *pToolCount = 0;
    return VK_SUCCESS;
}

// ---- extensions of devices ------------------------------------------------

// More than there are; the host's word for it is not taken further.
enum { MAX_EXTENSIONS = 4096 };

// What the host has and the kit lacks: file descriptors of Linux, commands by pointer, and what
// the host wants of a guest that has a kernel.
static bool left_out(const char *name)
{
    static const char *const names[] = {
        "VK_EXT_command_serialization",
        "VK_EXT_descriptor_heap",
        "VK_EXT_external_memory_acquire_unmodified",
        "VK_EXT_external_memory_dma_buf",
        "VK_EXT_host_image_copy",
        "VK_EXT_image_drm_format_modifier",
        "VK_EXT_queue_family_foreign",
        "VK_KHR_acceleration_structure",
        "VK_KHR_deferred_host_operations",
        "VK_KHR_external_fence_fd",
        "VK_KHR_external_memory_fd",
        "VK_KHR_external_semaphore_fd",
        "VK_KHR_maintenance6",
        "VK_KHR_ray_query",
        "VK_KHR_ray_tracing_maintenance1",
        "VK_KHR_ray_tracing_pipeline",
        "VK_KHR_ray_tracing_position_fetch",
        "VK_MESA_venus_protocol",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(name, names[i]))
            return true;
    }
    return false;
}

VKAPI_ATTR VkResult VKAPI_CALL
vkEnumerateDeviceExtensionProperties(VkPhysicalDevice physicalDevice, const char *pLayerName,
                                     uint32_t *pPropertyCount, VkExtensionProperties *pProperties)
{
    const struct guest_system *system = guest_handle_of(physicalDevice)->context->system;
    uint32_t count = 0, room, kept = 0;
    if (pLayerName)
        return VK_ERROR_LAYER_NOT_PRESENT;
    struct wire_args_vkEnumerateDeviceExtensionProperties args = {.physicalDevice = physicalDevice,
                                                                  .pPropertyCount = &count,
                                                                  .ret =
                                                                      VK_ERROR_OUT_OF_HOST_MEMORY};
    guest_ask(physicalDevice, WIRE_vkEnumerateDeviceExtensionProperties, &args);
    if (args.ret < 0)
        return args.ret;
    room = count < MAX_EXTENSIONS ? count : MAX_EXTENSIONS;
    count = room;
    VkExtensionProperties *list =
        system->allocate(system->context, (room + 1) * sizeof(VkExtensionProperties));
    if (!list)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    args.pProperties = list;
    args.ret = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (count)
        guest_ask(physicalDevice, WIRE_vkEnumerateDeviceExtensionProperties, &args);
    for (uint32_t i = 0; args.ret >= 0 && i < count && i < room; i++) {
        if (!left_out(list[i].extensionName))
            list[kept++] = list[i];
    }
    list[kept++] = (VkExtensionProperties){VK_KHR_SWAPCHAIN_EXTENSION_NAME, 70};
    VkResult result =
        count && args.ret < 0 ? args.ret : hand_out(list, kept, pPropertyCount, pProperties);
    system->release(system->context, list);
    return result;
}
