// Devices: what may be asked for, what the host is asked for instead, and their queues.
#define VK_ENABLE_BETA_EXTENSIONS // VK_KHR_portability_subset
#include "venus/device.h"

#include <vulkan/vulkan_beta.h>

#include "base/log.h"
#include "venus/extensions.h"
#include "venus/feedback.h"
#include "venus/null_descriptor.h"
#include "venus/profile.h"
#include "venus/queue.h"

static const char *find_missing_extension(const struct venus_physical_device *physical_device,
                                          const VkDeviceCreateInfo *info)
{
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        if (venus_extension_use(physical_device, info->ppEnabledExtensionNames[i]) ==
            VENUS_EXTENSION_UNKNOWN)
            return info->ppEnabledExtensionNames[i];
    }
    return NULL;
}

// Drivers index tables with these numbers without a look.
static bool queues_exist(const struct venus_physical_device *physical_device,
                         const VkDeviceCreateInfo *info)
{
    for (uint32_t i = 0; i < info->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *queues = &info->pQueueCreateInfos[i];
        if (queues->queueFamilyIndex >= physical_device->queue_family_count ||
            !queues->queueCount ||
            queues->queueCount >
                physical_device->queue_families[queues->queueFamilyIndex].queueCount)
            return false;
        for (uint32_t j = 0; j < i; j++) {
            if (info->pQueueCreateInfos[j].queueFamilyIndex == queues->queueFamilyIndex &&
                info->pQueueCreateInfos[j].flags == queues->flags)
                return false;
        }
    }
    return true;
}

// The guest's extensions without those that we carry out, and with those that we need.
static bool choose_extensions(struct venus_call *call,
                              const struct venus_physical_device *physical_device,
                              VkDeviceCreateInfo *info)
{
    const char **names = venus_scratch(
        call, (info->enabledExtensionCount + VENUS_NEEDED_EXTENSIONS) * sizeof(*names));
    if (!names)
        return venus_fail(call, "out of memory");
    uint32_t count = venus_extensions_needed(physical_device, names);
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        if (venus_extension_use(physical_device, info->ppEnabledExtensionNames[i]) ==
            VENUS_EXTENSION_HOST)
            names[count++] = info->ppEnabledExtensionNames[i];
    }
    info->enabledExtensionCount = count;
    info->ppEnabledExtensionNames = names;
    return true;
}

// A driver with the portability subset offers what it has of full Vulkan as features of that
// extension. The guest takes them for granted, so all that exist are switched on.
static void enable_portability(struct venus_call *call, VkDeviceCreateInfo *info,
                               VkPhysicalDevicePortabilitySubsetFeaturesKHR *subset)
{
    *subset = (VkPhysicalDevicePortabilitySubsetFeaturesKHR){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PORTABILITY_SUBSET_FEATURES_KHR};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = subset};
    call->instance->vk.GetPhysicalDeviceFeatures2((VkPhysicalDevice)(uintptr_t)call->self->handle,
                                                  &features);
    subset->pNext = (void *)(uintptr_t)info->pNext;
    info->pNext = subset;
}

static void stop(struct venus_context *context, struct venus_object *object)
{
    struct venus_device *device = (struct venus_device *)object;
    venus_device_wait_for_users(device);
    if (device->vk.DeviceWaitIdle)
        device->vk.DeviceWaitIdle(venus_device_handle(device));
    for (struct venus_queue *queue = device->queues; queue; queue = queue->next_of_device)
        venus_queue_release(context, queue);
}

static void release(struct venus_context *context, struct venus_object *object)
{
    struct venus_device *device = (struct venus_device *)object;
    while (device->queues) {
        struct venus_queue *next = device->queues->next_of_device;
        venus_object_free(&context->objects, &device->queues->base);
        device->queues = next;
    }
    venus_null_descriptor_destroy(device);
    venus_feedback_destroy(device->feedback);
    device->vk.DestroyDevice(venus_device_handle(device), NULL);
    venus_object_free(&context->objects, object);
}

static const struct venus_class device_class = {
    .size = sizeof(struct venus_device), .stop = stop, .release = release};

// ---- its beginning --------------------------------------------------------

// Makes `device` ours together with its queues. If that fails, the device is destroyed.
static VkResult adopt(struct venus_call *call, struct venus_device *device, VkDevice handle,
                      const VkDeviceCreateInfo *info)
{
    struct venus_context *context = call->context;
    device->base.handle = (uintptr_t)handle;
    device->base.device = device;
    device->base.parent = &call->instance->base;
    device->physical_device = (struct venus_physical_device *)call->self;
    device->context = context;
    venus_device_driver_load(&device->vk, call->instance->vk.GetDeviceProcAddr, handle);
    device->feedback = venus_feedback_create();
    if (!device->feedback) {
        venus_release(context, &device->base);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    for (uint32_t i = 0; i < info->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *queues = &info->pQueueCreateInfos[i];
        for (uint32_t j = 0; j < queues->queueCount; j++) {
            VkResult result =
                venus_queue_create(device, queues->queueFamilyIndex, j, queues->flags);
            if (result != VK_SUCCESS) {
                venus_release(context, &device->base);
                return result;
            }
        }
    }
    return VK_SUCCESS;
}

static bool create_device(struct venus_call *call, void *data)
{
    struct wire_args_vkCreateDevice *args = data;
    struct venus_physical_device *physical_device = (struct venus_physical_device *)call->self;
    VkDeviceCreateInfo info = *args->pCreateInfo;

    bool nulls = venus_null_descriptor_take(physical_device, &info);
    const char *name = find_missing_extension(physical_device, &info);
    args->ret = VK_ERROR_EXTENSION_NOT_PRESENT;
    if (!name) {
        args->ret = VK_ERROR_FEATURE_NOT_PRESENT;
        name = venus_profile_refuses(physical_device->profile, info.pEnabledFeatures, &info);
    }
    if (name) {
        log_info("vkCreateDevice: refused %.255s, which was not offered", name);
        return true;
    }
    if (!queues_exist(physical_device, &info)) {
        args->ret = VK_ERROR_INITIALIZATION_FAILED;
        return true;
    }
    // Layers of devices are deprecated, and the names would mean layers of the host.
    info.enabledLayerCount = 0;
    info.ppEnabledLayerNames = NULL;
    if (!choose_extensions(call, physical_device, &info))
        return false;
    VkPhysicalDevicePortabilitySubsetFeaturesKHR subset;
    if (venus_extension_portability(physical_device))
        enable_portability(call, &info, &subset);

    struct venus_device *device =
        venus_object_alloc(&call->context->objects, &device_class, WIRE_HANDLE_DEVICE);
    VkDevice handle = VK_NULL_HANDLE;
    args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (!device)
        return true;
    args->ret = call->instance->vk.CreateDevice(args->physicalDevice, &info, NULL, &handle);
    if (args->ret != VK_SUCCESS) {
        venus_object_free(&call->context->objects, &device->base);
        return true;
    }
    args->ret = adopt(call, device, handle, &info);
    if (args->ret != VK_SUCCESS)
        return true;
    if (nulls && !venus_null_descriptor_create(device)) {
        venus_release(call->context, &device->base);
        args->ret = VK_ERROR_OUT_OF_DEVICE_MEMORY;
        return true;
    }
    if (!venus_object_insert(&call->context->objects, &device->base, (uintptr_t)*args->pDevice)) {
        venus_release(call->context, &device->base);
        return venus_fail(call, "the id of the new device is 0 or in use");
    }
    return true;
}

static bool destroy_device(struct venus_call *call, void *data)
{
    const struct wire_args_vkDestroyDevice *args = data;
    if (!args->device)
        return true;
    struct venus_object *root =
        venus_object_remove(&call->context->objects, WIRE_HANDLE_DEVICE, (uintptr_t)args->device);
    if (!root)
        return venus_fail(call, "no device has this id");
    venus_release(call->context, root);
    return true;
}

static struct venus_queue *find_queue(const struct venus_device *device,
                                      const VkDeviceQueueInfo2 *info)
{
    struct venus_queue *queue = device->queues;
    while (queue && (queue->family != info->queueFamilyIndex || queue->index != info->queueIndex ||
                     queue->flags != info->flags))
        queue = queue->next_of_device;
    return queue;
}

static bool name_queue(struct venus_call *call, const struct wire_args_vkGetDeviceQueue2 *args,
                       uint32_t ring_idx)
{
    struct venus_context *context = call->context;
    struct venus_queue *queue = find_queue(call->device, args->pQueueInfo);
    if (!queue)
        return venus_fail(call, "the device has no such queue");
    if (!venus_queue_bind(context, queue, ring_idx, &call->reason))
        return false;
    return venus_object_insert(&context->objects, &queue->base, (uintptr_t)*args->pQueue) ||
           venus_fail(call, "the id of the queue is 0 or in use");
}

static bool get_device_queue2(struct venus_call *call, void *data)
{
    const struct wire_args_vkGetDeviceQueue2 *args = data;
    const VkDeviceQueueTimelineInfoMESA *timeline =
        venus_chain_find(args->pQueueInfo, VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA);
    if (!timeline)
        return venus_fail(call, "a queue needs a timeline");
    if (!venus_device_enter(call, &call->device->base, WIRE_HANDLE_DEVICE))
        return false;
    bool ok = name_queue(call, args, timeline->ringIdx);
    venus_device_leave(call->device);
    return ok;
}

// The guest could never fence a queue without a timeline.
static bool get_device_queue(struct venus_call *call, void *data)
{
    return venus_fail(call, "a queue needs a timeline: vkGetDeviceQueue2");
}

const struct venus_handler_entry venus_device_handlers[] = {
    {WIRE_vkCreateDevice, create_device},
    {WIRE_vkDestroyDevice, destroy_device},
    {WIRE_vkGetDeviceQueue, get_device_queue},
    {WIRE_vkGetDeviceQueue2, get_device_queue2},
    {0},
};
