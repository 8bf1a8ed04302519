// The end of objects that were taken out of the table together: whatever their owner left behind.
#include "venus/device.h"
#include "venus/memory.h"
#include "venus/queue.h"

static void release(struct venus_context *context, struct venus_object *object);

// Newest first, as a careful program would do it.
static void release_children(struct venus_context *context, struct venus_object *object)
{
    while (object->children) {
        struct venus_object *child = object->children;
        object->children = child->next;
        release(context, child);
    }
}

static void release_device(struct venus_context *context, struct venus_device *device)
{
    VkDevice handle = venus_device_handle(device);
    if (device->vk.DeviceWaitIdle)
        device->vk.DeviceWaitIdle(handle);
    for (struct venus_queue *queue = device->queues; queue; queue = queue->next_of_device)
        venus_queue_release(context, queue);
    release_children(context, &device->base);
    while (device->queues) {
        struct venus_queue *next = device->queues->next_of_device;
        venus_object_free(&context->objects, &device->queues->base);
        device->queues = next;
    }
    venus_device_release(context, device);
    device->vk.DestroyDevice(handle, NULL);
}

static void release(struct venus_context *context, struct venus_object *object)
{
    switch (object->type) {
    case WIRE_HANDLE_QUEUE:
        return; // named or not, they go with their device
    case WIRE_HANDLE_DEVICE:
        release_device(context, (struct venus_device *)object);
        break;
    case WIRE_HANDLE_DEVICE_MEMORY:
        venus_memory_release(context, (struct venus_memory *)object);
        break;
    case WIRE_HANDLE_PHYSICAL_DEVICE:
        release_children(context, object);
        venus_physical_device_release((struct venus_physical_device *)object);
        break;
    case WIRE_HANDLE_INSTANCE: {
        struct venus_instance *instance = (struct venus_instance *)object;
        release_children(context, object);
        venus_instance_release(context, instance);
        instance->vk.DestroyInstance((VkInstance)(uintptr_t)object->handle, NULL);
        // Not another ring's that was there first.
        atomic_compare_exchange_strong(&context->instance, &(struct venus_instance *){instance},
                                       NULL);
        break;
    }
    case WIRE_HANDLE_COMMAND_BUFFER:
    case WIRE_HANDLE_DESCRIPTOR_SET:
        break; // the host's pool takes them along
    default:
        release_children(context, object);
        if (object->device)
            venus_driver_destroy(&object->device->vk, venus_device_handle(object->device),
                                 object->type, object->handle);
        break;
    }
    venus_object_free(&context->objects, object);
}

void venus_release_tree(struct venus_context *context, struct venus_object *root)
{
    release(context, root);
}
