// Private data: numbers that a layer of the guest hangs on an object. The object comes as a plain
// number, which drivers follow as a pointer: only an id of the right type becomes one.
#include "venus/context.h"
#include "venus/device.h"

// The host handle of an object of the call's device; 0: it never came to be.
static bool resolve(struct venus_call *call, VkObjectType type, uint64_t id, uint64_t *handle)
{
    struct venus_object *object = venus_object_find(&call->context->objects, id);
    if (!object || (object->type & ~VENUS_INCOMPLETE) != venus_handle_of(type) ||
        object->device != call->device)
        return venus_fail(call, "no object of this type and device has this id");
    *handle = object->handle;
    return true;
}

static bool set_private_data(struct venus_call *call, void *data)
{
    struct wire_args_vkSetPrivateData *args = data;
    uint64_t handle;
    if (!call->device->vk.SetPrivateData)
        return venus_unsupported(call);
    if (!resolve(call, args->objectType, args->objectHandle, &handle))
        return false;
    args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (handle)
        args->ret = call->device->vk.SetPrivateData(args->device, args->objectType, handle,
                                                    args->privateDataSlot, args->data);
    return true;
}

static bool get_private_data(struct venus_call *call, void *data)
{
    struct wire_args_vkGetPrivateData *args = data;
    uint64_t handle;
    if (!call->device->vk.GetPrivateData)
        return venus_unsupported(call);
    if (!resolve(call, args->objectType, args->objectHandle, &handle))
        return false;
    if (handle)
        call->device->vk.GetPrivateData(args->device, args->objectType, handle,
                                        args->privateDataSlot, args->pData);
    return true;
}

const struct venus_handler_entry venus_private_data_handlers[] = {
    {WIRE_vkSetPrivateData, set_private_data},
    {WIRE_vkGetPrivateData, get_private_data},
    {0},
};
