#include "fake_driver.h"

#include "link/link.h"
#include "os/socket.h"
#include "venus/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "venus/image.h"

struct fake_driver fake;

void fake_reset(void)
{
    fake = (struct fake_driver){.imports_images = true, .host_types = 0x6};
}

#define HANDLE(type, number) ((type)(uintptr_t)(number))
#define FIRST_DEVICE HANDLE(VkPhysicalDevice, 0x1001)
#define SECOND_DEVICE HANDLE(VkPhysicalDevice, 0x1002)

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *a,
                                                      VkInstance *out)
{
    *out = HANDLE(VkInstance, 0x1000);
    fake.instances_alive++;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_instance(VkInstance instance,
                                                   const VkAllocationCallbacks *a)
{
    fake.instances_alive--;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_devices(VkInstance instance, uint32_t *count,
                                                        VkPhysicalDevice *devices)
{
    *count = 2;
    if (devices) {
        devices[0] = SECOND_DEVICE;
        devices[1] = FIRST_DEVICE;
    }
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_groups(VkInstance instance, uint32_t *count,
                                                       VkPhysicalDeviceGroupProperties *groups)
{
    *count = 2;
    for (uint32_t i = 0; groups && i < 2; i++) {
        groups[i].physicalDeviceCount = 1;
        groups[i].physicalDevices[0] = i ? FIRST_DEVICE : SECOND_DEVICE;
    }
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device,
                                                 VkPhysicalDeviceProperties *properties)
{
    *properties = (VkPhysicalDeviceProperties){.apiVersion = VK_MAKE_API_VERSION(0, 1, 4, 4000)};
    properties->deviceType =
        fake.on_cpu ? VK_PHYSICAL_DEVICE_TYPE_CPU : VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    snprintf(properties->deviceName, sizeof(properties->deviceName), "%s",
             fake.on_cpu ? "llvmpipe (LLVM)" : "fake");
    properties->limits.lineWidthRange[1] = 8.0f;
    properties->limits.maxViewports = 16;
    properties->limits.maxBoundDescriptorSets = 8;
    properties->limits.maxVertexInputBindings = 32;
    properties->limits.maxPushConstantsSize = 256;
    properties->limits.maxGeometryOutputVertices = 1024;
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice device,
                                                  VkPhysicalDeviceProperties2 *properties)
{
    get_properties(device, &properties->properties);
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT *host = venus_chain_find(
        properties, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT);
    if (host)
        host->minImportedHostPointerAlignment = 65536;
}

static VKAPI_ATTR void VKAPI_CALL get_features2(VkPhysicalDevice device,
                                                VkPhysicalDeviceFeatures2 *features)
{
    features->features =
        (VkPhysicalDeviceFeatures){.geometryShader = VK_TRUE, .tessellationShader = VK_TRUE};
}

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice device,
                                               VkPhysicalDeviceFeatures *features)
{
    *features =
        (VkPhysicalDeviceFeatures){.geometryShader = VK_TRUE, .tessellationShader = VK_TRUE};
}

static VKAPI_ATTR void VKAPI_CALL get_families(VkPhysicalDevice device, uint32_t *count,
                                               VkQueueFamilyProperties *families)
{
    *count = 2;
    for (uint32_t i = 0; families && i < 2; i++)
        families[i] = (VkQueueFamilyProperties){
            .queueFlags = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_SPARSE_BINDING_BIT, .queueCount = i + 1};
}

// 0: device only; 1: coherent; 2: visible and cached, not coherent; 3: coherent, but takes no host
// pointers.
static VKAPI_ATTR void VKAPI_CALL get_memory(VkPhysicalDevice device,
                                             VkPhysicalDeviceMemoryProperties *memory)
{
    *memory = (VkPhysicalDeviceMemoryProperties){.memoryTypeCount = 4, .memoryHeapCount = 1};
    memory->memoryHeaps[0].size = 1 << 20;
    memory->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    memory->memoryTypes[1].propertyFlags =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    memory->memoryTypes[2].propertyFlags =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    memory->memoryTypes[3].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT |
                                           VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                           VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    static const VkExtensionProperties all[] = {
        {"VK_EXT_external_memory_host", 1}, {"VK_KHR_external_memory_fd", 1},
        {"VK_KHR_swapchain", 70},           {"VK_EXT_robustness2", 99},
        {"VK_EXT_mesh_shader", 1},          {"VK_EXT_pci_bus_info", 1},
        {"VK_KHR_map_memory2", 1},          {"VK_KHR_portability_subset", 1},
    };
    uint32_t have = sizeof(all) / sizeof(all[0]) - !fake.portability;
    const VkExtensionProperties *from = device == FIRST_DEVICE ? all : all + 1;
    have -= device != FIRST_DEVICE;
    if (properties)
        memcpy(properties, from, have * sizeof(*properties));
    *count = have;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_format_properties2(VkPhysicalDevice device, VkFormat format,
                                                         VkFormatProperties2 *properties)
{
    properties->formatProperties.linearTilingFeatures =
        format == VK_FORMAT_R8_UINT ? 0 : VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT;
    VkDrmFormatModifierPropertiesListEXT *list =
        venus_chain_find(properties, VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_EXT);
    if (list && fake.own_modifiers)
        list->drmFormatModifierCount = 17;
}

static VKAPI_ATTR VkResult VKAPI_CALL
get_image_format_properties2(VkPhysicalDevice device, const VkPhysicalDeviceImageFormatInfo2 *info,
                             VkImageFormatProperties2 *properties)
{
    if (info->tiling == VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT)
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    const VkPhysicalDeviceExternalImageFormatInfo *external =
        venus_chain_find(info, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    if (external && external->handleType != VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT)
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    if (external && !fake.imports_images)
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    VkExternalImageFormatProperties *answer =
        venus_chain_find(properties, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    if (external && answer)
        answer->externalMemoryProperties.externalMemoryFeatures =
            VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
    properties->imageFormatProperties.maxMipLevels = 12;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_external_buffer_properties(
    VkPhysicalDevice device, const VkPhysicalDeviceExternalBufferInfo *info,
    VkExternalBufferProperties *properties)
{
    properties->externalMemoryProperties.externalMemoryFeatures =
        info->handleType == VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT
            ? VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT
            : 0;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical_device,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *a,
                                                    VkDevice *device)
{
    fake.extension_count = info->enabledExtensionCount;
    for (uint32_t i = 0; i < info->enabledExtensionCount && i < 32; i++)
        snprintf(fake.extensions[i], sizeof(fake.extensions[i]), "%s",
                 info->ppEnabledExtensionNames[i]);
    fake.had_portability_features = venus_chain_find(info, (VkStructureType)1000163000);
    *device = HANDLE(VkDevice, 0x2000);
    fake.devices_alive++;
    fake.devices_created++;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device, const VkAllocationCallbacks *a)
{
    fake.devices_alive--;
}

static VKAPI_ATTR VkResult VKAPI_CALL device_wait_idle(VkDevice device)
{
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_queue(VkDevice device, uint32_t family, uint32_t index,
                                            VkQueue *queue)
{
    *queue = HANDLE(VkQueue, 0x3000 + family * 16 + index);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_fence(VkDevice device, const VkFenceCreateInfo *info,
                                                   const VkAllocationCallbacks *a, VkFence *fence)
{
    *fence = HANDLE(VkFence, 0x7000);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_fence(VkDevice device, VkFence fence,
                                                const VkAllocationCallbacks *a)
{
}

static VKAPI_ATTR VkResult VKAPI_CALL get_host_pointer(VkDevice device,
                                                       VkExternalMemoryHandleTypeFlagBits type,
                                                       const void *pointer,
                                                       VkMemoryHostPointerPropertiesEXT *properties)
{
    properties->memoryTypeBits = (uintptr_t)pointer % 65536 ? 0 : fake.host_types;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device,
                                                      const VkMemoryAllocateInfo *info,
                                                      const VkAllocationCallbacks *a,
                                                      VkDeviceMemory *memory)
{
    *memory = HANDLE(VkDeviceMemory, 0x4000);
    return fake.refused_types & (1u << info->memoryTypeIndex) ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                                                              : VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
                                              const VkAllocationCallbacks *a)
{
}

static VKAPI_ATTR VkResult VKAPI_CALL create_image(VkDevice device, const VkImageCreateInfo *info,
                                                   const VkAllocationCallbacks *a, VkImage *image)
{
    const VkExternalMemoryImageCreateInfo *external =
        venus_chain_find(info, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO);
    fake.image = *info;
    fake.image_handles = external ? external->handleTypes : 0;
    fake.image_had_modifier =
        venus_chain_find(info, VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT) ||
        venus_chain_find(info,
                         VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT);
    *image = HANDLE(VkImage, 0x5000);
    fake.images_alive++;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_image(VkDevice device, VkImage image,
                                                const VkAllocationCallbacks *a)
{
    fake.images_alive--;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                                                    const VkAllocationCallbacks *a,
                                                    VkBuffer *buffer)
{
    const VkExternalMemoryBufferCreateInfo *external =
        venus_chain_find(info, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO);
    fake.buffer_handles = external ? external->handleTypes : 0;
    *buffer = HANDLE(VkBuffer, 0x6000);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_buffer(VkDevice device, VkBuffer buffer,
                                                 const VkAllocationCallbacks *a)
{
}

static VKAPI_ATTR void VKAPI_CALL get_subresource_layout(VkDevice device, VkImage image,
                                                         const VkImageSubresource *subresource,
                                                         VkSubresourceLayout *layout)
{
    *layout = (VkSubresourceLayout){
        .rowPitch = subresource->aspectMask == VK_IMAGE_ASPECT_COLOR_BIT ? 256 : 1};
}

static VKAPI_ATTR void VKAPI_CALL get_image_requirements(VkDevice device, VkImage image,
                                                         VkMemoryRequirements *requirements)
{
    *requirements = (VkMemoryRequirements){.size = 4096, .alignment = 64, .memoryTypeBits = 0xf};
}

static VKAPI_ATTR void VKAPI_CALL get_buffer_requirements(VkDevice device, VkBuffer buffer,
                                                          VkMemoryRequirements *requirements)
{
    *requirements = (VkMemoryRequirements){.size = 4096, .alignment = 64, .memoryTypeBits = 0xf};
}

static VKAPI_ATTR void VKAPI_CALL pipeline_barrier(VkCommandBuffer c, VkPipelineStageFlags s,
                                                   VkPipelineStageFlags d, VkDependencyFlags f,
                                                   uint32_t m, const VkMemoryBarrier *mb,
                                                   uint32_t b, const VkBufferMemoryBarrier *bb,
                                                   uint32_t i, const VkImageMemoryBarrier *ib)
{
    if (!i && !b)
        return;
    fake.source_family = i ? ib[i - 1].srcQueueFamilyIndex : bb[b - 1].srcQueueFamilyIndex;
    fake.target_family = i ? ib[i - 1].dstQueueFamilyIndex : bb[b - 1].dstQueueFamilyIndex;
}

static VKAPI_ATTR void VKAPI_CALL pipeline_barrier2(VkCommandBuffer c, const VkDependencyInfo *info)
{
    fake.source_family = info->pImageMemoryBarriers[0].srcQueueFamilyIndex;
    fake.target_family = info->pImageMemoryBarriers[0].dstQueueFamilyIndex;
}

static VKAPI_ATTR VkResult VKAPI_CALL copy_image_to_memory(VkDevice device,
                                                           const VkCopyImageToMemoryInfoEXT *info)
{
    fake.copy_flags = info->flags;
    fake.copies++;
    return VK_SUCCESS;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_proc(VkDevice device, const char *name);
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_proc(VkInstance instance, const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } table[] = {
#define ENTRY(vk, function) {#vk, (PFN_vkVoidFunction)function}
        ENTRY(vkCreateInstance, create_instance),
        ENTRY(vkDestroyInstance, destroy_instance),
        ENTRY(vkEnumeratePhysicalDevices, enumerate_devices),
        ENTRY(vkEnumeratePhysicalDeviceGroups, enumerate_groups),
        ENTRY(vkGetPhysicalDeviceProperties, get_properties),
        ENTRY(vkGetPhysicalDeviceProperties2, get_properties2),
        ENTRY(vkGetPhysicalDeviceFeatures, get_features),
        ENTRY(vkGetPhysicalDeviceFeatures2, get_features2),
        ENTRY(vkGetPhysicalDeviceQueueFamilyProperties, get_families),
        ENTRY(vkGetPhysicalDeviceMemoryProperties, get_memory),
        ENTRY(vkGetPhysicalDeviceFormatProperties2, get_format_properties2),
        ENTRY(vkGetPhysicalDeviceImageFormatProperties2, get_image_format_properties2),
        ENTRY(vkGetPhysicalDeviceExternalBufferProperties, get_external_buffer_properties),
        ENTRY(vkEnumerateDeviceExtensionProperties, enumerate_extensions),
        ENTRY(vkCreateDevice, create_device),
        ENTRY(vkGetDeviceProcAddr, get_device_proc),
        ENTRY(vkDestroyDevice, destroy_device),
        ENTRY(vkDeviceWaitIdle, device_wait_idle),
        ENTRY(vkGetDeviceQueue, get_queue),
        ENTRY(vkCreateFence, create_fence),
        ENTRY(vkDestroyFence, destroy_fence),
        ENTRY(vkGetMemoryHostPointerPropertiesEXT, get_host_pointer),
        ENTRY(vkAllocateMemory, allocate_memory),
        ENTRY(vkFreeMemory, free_memory),
        ENTRY(vkCreateImage, create_image),
        ENTRY(vkDestroyImage, destroy_image),
        ENTRY(vkCreateBuffer, create_buffer),
        ENTRY(vkDestroyBuffer, destroy_buffer),
        ENTRY(vkGetImageSubresourceLayout, get_subresource_layout),
        ENTRY(vkGetImageMemoryRequirements, get_image_requirements),
        ENTRY(vkGetBufferMemoryRequirements, get_buffer_requirements),
        ENTRY(vkCmdPipelineBarrier, pipeline_barrier),
        ENTRY(vkCmdPipelineBarrier2, pipeline_barrier2),
        ENTRY(vkCopyImageToMemory, copy_image_to_memory),
        ENTRY(vkCopyImageToMemoryEXT, copy_image_to_memory),
#undef ENTRY
    };
    PFN_vkVoidFunction own = fake.more ? fake.more(name) : NULL;
    if (own)
        return own;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].function;
    }
    return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_proc(VkDevice device, const char *name)
{
    return get_proc(NULL, name);
}

void fake_host(struct venus_host *host)
{
    *host = (struct venus_host){
        .get_instance_proc_addr = get_proc,
        .create_instance = create_instance,
        .api_version = wire_vk_xml_version(),
    };
}

void fake_context_init(struct fake_context *f, bool portable)
{
    memset(f, 0, sizeof(*f));
    fake_host(&f->host);
    f->context.host = &f->host;
    f->context.profile = venus_profile_find(portable ? "portable" : "native");
    pthread_mutex_init(&f->context.timeline_lock, NULL);
    f->context.holdings.before = UINT64_MAX; // what this process has is nobody's
    venus_handlers_fill(&f->context.handlers);
    int pair[2];
    if (os_socket_pair(pair) || link_create(pair[0], false, &f->context.link))
        abort();
    f->device_end = pair[1];
    venus_object_table_init(&f->context.objects, 1000, NULL);
    f->stream.context = &f->context;
    arena_init(&f->stream.arena, 1 << 20);
}

void fake_context_finish(struct fake_context *f)
{
    if (f->context.instance) {
        struct wire_args_vkDestroyInstance args = {.instance = HANDLE(VkInstance, 1)};
        fake_call(f, WIRE_vkDestroyInstance, &args, NULL, 0, NULL);
    }
    arena_finish(&f->stream.arena);
    venus_object_table_finish(&f->context.objects);
    pthread_mutex_destroy(&f->context.timeline_lock);
    link_destroy(f->context.link);
    close(f->device_end);
}

bool fake_call(struct fake_context *f, uint32_t command, void *args,
               struct venus_object *const *objects, unsigned count, const char **reason)
{
    struct venus_call *call = &f->stream.call;
    arena_reset(&f->stream.arena);
    *call = (struct venus_call){.context = &f->context,
                                .stream = &f->stream,
                                .instance = f->context.instance,
                                .object_count = count,
                                .wire = {.info = wire_command_info(command),
                                         .number = command,
                                         .flags = fake.unheard ? 0 : WIRE_FLAG_REPLY,
                                         .args = args}};
    for (unsigned i = 0; i < count; i++)
        call->objects[i] = objects[i];
    if (count) {
        call->self = objects[0];
        call->device = objects[0]->device;
    }
    bool ok = f->context.handlers.carry_out[command](call, args);
    if (reason)
        *reason = call->reason;
    return ok;
}

struct venus_object *fake_find(struct fake_context *f, uint64_t id)
{
    return venus_object_find(&f->context.objects, id);
}

void fake_instance(struct fake_context *f)
{
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
    VkInstance id = HANDLE(VkInstance, 1);
    struct wire_args_vkCreateInstance create = {.pCreateInfo = &info, .pInstance = &id};
    fake_call(f, WIRE_vkCreateInstance, &create, NULL, 0, NULL);
}

struct venus_object *fake_physical_device(struct fake_context *f)
{
    struct venus_object *instance = fake_find(f, 1);
    VkPhysicalDevice ids[2] = {HANDLE(VkPhysicalDevice, 2), HANDLE(VkPhysicalDevice, 20)};
    uint32_t count = 2;
    struct wire_args_vkEnumeratePhysicalDevices args = {.pPhysicalDeviceCount = &count,
                                                        .pPhysicalDevices = ids};
    fake_call(f, WIRE_vkEnumeratePhysicalDevices, &args, &instance, 1, NULL);
    return fake_find(f, 2);
}

VkResult fake_device(struct fake_context *f, const char *const *extensions, uint32_t count,
                     const void *chain)
{
    struct venus_object *physical_device =
        fake_find(f, 2) ? fake_find(f, 2) : fake_physical_device(f);
    const float priority = 1;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = chain,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = count,
                               .ppEnabledExtensionNames = extensions};
    VkDevice id = HANDLE(VkDevice, 3);
    struct wire_args_vkCreateDevice args = {.physicalDevice =
                                                HANDLE(VkPhysicalDevice, physical_device->handle),
                                            .pCreateInfo = &info,
                                            .pDevice = &id};
    if (!fake_call(f, WIRE_vkCreateDevice, &args, &physical_device, 1, NULL))
        return VK_ERROR_UNKNOWN;
    return args.ret;
}
