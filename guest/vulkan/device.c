// Devices and their queues.
#include "guest/vulkan/objects.h"

// ---- queues ---------------------------------------------------------------

// A timeline that no queue has; 0: all are taken.
static uint32_t take_timeline(struct guest_context *context)
{
    uint32_t timeline = 1;
    guest_lock(context);
    while (timeline < GUEST_TIMELINES && context->timelines & 1ull << timeline)
        timeline++;
    if (timeline < GUEST_TIMELINES)
        context->timelines |= 1ull << timeline;
    else
        timeline = 0;
    guest_unlock(context);
    return timeline;
}

static bool make_queue(struct guest_device *device, uint32_t family, uint32_t index,
                       VkDeviceQueueCreateFlags flags)
{
    struct guest_queue *queue = guest_new(device->handle.context, sizeof(*queue));
    if (!queue)
        return false;
    queue->device = device;
    queue->flags = flags;
    queue->family = family;
    queue->index = index;
    queue->timeline = take_timeline(device->handle.context);
    VkDeviceQueueTimelineInfoMESA timeline = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA, .ringIdx = queue->timeline};
    VkDeviceQueueInfo2 bound = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
                                .pNext = queue->timeline ? &timeline : NULL,
                                .flags = flags,
                                .queueFamilyIndex = family,
                                .queueIndex = index};
    uint64_t id = queue->handle.object.id;
    struct wire_args_vkGetDeviceQueue2 args = {
        .device = (VkDevice)device, .pQueueInfo = &bound, .pQueue = (VkQueue *)&id};
    guest_call(device, WIRE_vkGetDeviceQueue2, &args, true);
    queue->next = device->queues;
    device->queues = queue;
    return true;
}

// All of a device's queues, at its creation: any thread may ask for them later.
static bool make_queues(struct guest_device *device, const VkDeviceCreateInfo *info)
{
    for (uint32_t i = 0; i < info->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *queues = &info->pQueueCreateInfos[i];
        for (uint32_t j = 0; j < queues->queueCount; j++) {
            if (!make_queue(device, queues->queueFamilyIndex, j, queues->flags))
                return false;
        }
    }
    return true;
}

// ---- devices --------------------------------------------------------------

VKAPI_ATTR void VKAPI_CALL vkDestroyDevice(VkDevice device, const VkAllocationCallbacks *pAllocator)
{
    struct guest_device *self = (struct guest_device *)device;
    if (!self)
        return;
    struct wire_args_vkDestroyDevice args = {.device = (VkDevice)(uintptr_t)self->handle.object.id};
    guest_call(self, WIRE_vkDestroyDevice, &args, false);
    while (self->queues) {
        struct guest_queue *queue = self->queues;
        self->queues = queue->next;
        if (queue->timeline) {
            guest_lock(self->handle.context);
            self->handle.context->timelines &= ~(1ull << queue->timeline);
            guest_unlock(self->handle.context);
        }
        guest_delete(&queue->handle);
    }
    while (self->command_buffers) {
        struct guest_command_buffer *buffer = self->command_buffers;
        self->command_buffers = buffer->next;
        guest_delete(&buffer->handle);
    }
    guest_lock(self->handle.context);
    self->handle.context->devices--;
    guest_unlock(self->handle.context);
    guest_delete(&self->handle);
}

static VkResult create_device(struct guest_physical_device *physical_device,
                              const VkDeviceCreateInfo *info, VkDevice *created)
{
    struct guest_context *context = physical_device->handle.context;
    struct guest_device *device = guest_new(context, sizeof(*device));
    if (!device)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    device->physical_device = physical_device;
    uint64_t id = device->handle.object.id;
    struct wire_args_vkCreateDevice args = {.physicalDevice = (VkPhysicalDevice)physical_device,
                                            .pCreateInfo = info,
                                            .pDevice = (VkDevice *)&id,
                                            .ret = VK_ERROR_DEVICE_LOST};
    guest_call(physical_device, WIRE_vkCreateDevice, &args, true);
    if (args.ret < 0) {
        guest_delete(&device->handle);
        return args.ret;
    }
    guest_lock(context);
    context->devices++;
    guest_unlock(context);
    vkGetPhysicalDeviceMemoryProperties((VkPhysicalDevice)physical_device, &device->memory);
    if (!make_queues(device, info)) {
        vkDestroyDevice((VkDevice)device, NULL);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    *created = (VkDevice)device;
    return VK_SUCCESS;
}

// A program whose device is lost makes another one. Where the host has given the whole context up,
// the instance gets another context for it.
VKAPI_ATTR VkResult VKAPI_CALL vkCreateDevice(VkPhysicalDevice physicalDevice,
                                              const VkDeviceCreateInfo *pCreateInfo,
                                              const VkAllocationCallbacks *pAllocator,
                                              VkDevice *pDevice)
{
    struct guest_physical_device *self = (struct guest_physical_device *)physicalDevice;
    VkDeviceCreateInfo info = *pCreateInfo;
    struct guest_scratch scratch;
    const char **names =
        guest_scratch_take(&scratch, self, info.enabledExtensionCount * sizeof(*names));
    if (!names)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    info.enabledLayerCount = 0; // long obsolete
    info.ppEnabledLayerNames = NULL;
    // Swapchains are the guest's own.
    info.enabledExtensionCount = 0;
    info.ppEnabledExtensionNames = names;
    for (uint32_t i = 0; i < pCreateInfo->enabledExtensionCount; i++) {
        const char *name = pCreateInfo->ppEnabledExtensionNames[i];
        if (strcmp(name, VK_KHR_SWAPCHAIN_EXTENSION_NAME))
            names[info.enabledExtensionCount++] = name;
    }
    struct guest_context *context = self->handle.context;
    VkResult result = create_device(self, &info, pDevice);
    if (result == VK_ERROR_DEVICE_LOST && guest_renew(self->instance, context))
        result = create_device(self, &info, pDevice);
    guest_scratch_give(&scratch);
    return result;
}

VKAPI_ATTR void VKAPI_CALL vkGetDeviceQueue2(VkDevice device, const VkDeviceQueueInfo2 *pQueueInfo,
                                             VkQueue *pQueue)
{
    struct guest_device *self = (struct guest_device *)device;
    struct guest_queue *queue = self->queues;
    while (queue && (queue->family != pQueueInfo->queueFamilyIndex ||
                     queue->index != pQueueInfo->queueIndex || queue->flags != pQueueInfo->flags))
        queue = queue->next;
    *pQueue = (VkQueue)queue;
}

VKAPI_ATTR void VKAPI_CALL vkGetDeviceQueue(VkDevice device, uint32_t queueFamilyIndex,
                                            uint32_t queueIndex, VkQueue *pQueue)
{
    VkDeviceQueueInfo2 info = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
                               .queueFamilyIndex = queueFamilyIndex,
                               .queueIndex = queueIndex};
    vkGetDeviceQueue2(device, &info, pQueue);
}

// ---- idle -----------------------------------------------------------------

// A queue without a timeline: a fence of Vulkan's says the same with more round trips.
static VkResult wait_by_fence(struct guest_queue *queue)
{
    VkDevice device = (VkDevice)queue->device;
    VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence;
    VkResult result = vkCreateFence(device, &info, NULL, &fence);
    if (result < 0)
        return result;
    result = vkQueueSubmit((VkQueue)queue, 0, NULL, fence);
    if (result >= 0)
        result = vkWaitForFences(device, 1, &fence, VK_TRUE, UINT64_MAX);
    vkDestroyFence(device, fence, NULL);
    return result;
}

// The fences of a context that is lost are done as well: only an answer is a proof.
static bool still_there(struct guest_queue *queue)
{
    uint32_t version;
    struct wire_args_vkEnumerateInstanceVersion args = {.pApiVersion = &version,
                                                        .ret = VK_ERROR_DEVICE_LOST};
    guest_call(queue, WIRE_vkEnumerateInstanceVersion, &args, true);
    return args.ret >= 0;
}

static VkResult wait_idle(struct guest_queue *queue)
{
    if (!queue->timeline)
        return wait_by_fence(queue);
    struct guest_context *context = queue->handle.context;
    uint64_t fence;
    struct guest_wait wait = {.nanoseconds = UINT64_MAX};
    if (guest_ring_fence(&context->ring, queue->timeline, &fence))
        return VK_ERROR_DEVICE_LOST;
    do {
        int error = guest_ring_fence_wait(&context->ring, fence, 0);
        if (!error) {
            guest_waited(context, &wait);
            return still_there(queue) ? VK_SUCCESS : VK_ERROR_DEVICE_LOST;
        }
        // A transport need not notice that nobody works on it any more; the ring does.
        if (error != GUEST_ERROR_TIMEOUT || (wait.looks % 16 == 15 && !still_there(queue)))
            return VK_ERROR_DEVICE_LOST;
    } while (guest_pause(context, &wait));
    return VK_ERROR_DEVICE_LOST;
}

VKAPI_ATTR VkResult VKAPI_CALL vkQueueWaitIdle(VkQueue queue)
{
    return wait_idle((struct guest_queue *)queue);
}

VKAPI_ATTR VkResult VKAPI_CALL vkDeviceWaitIdle(VkDevice device)
{
    struct guest_device *self = (struct guest_device *)device;
    VkResult result = VK_SUCCESS;
    for (struct guest_queue *queue = self->queues; queue && result == VK_SUCCESS;
         queue = queue->next)
        result = wait_idle(queue);
    return result;
}
