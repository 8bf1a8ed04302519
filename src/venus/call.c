#include "venus/call.h"

#include "base/log.h"
#include "venus/context.h"
#include "venus/device.h"

bool venus_fail(struct venus_call *call, const char *reason)
{
    call->reason = reason;
    return false;
}

bool venus_unsupported(struct venus_call *call)
{
    return venus_fail(call, "the host's driver has no such command");
}

void *venus_scratch(struct venus_call *call, size_t size)
{
    return arena_alloc(&call->stream->arena, size);
}

void venus_plain_release(struct venus_context *context, struct venus_object *object)
{
    if (object->device)
        venus_driver_destroy(&object->device->vk, venus_device_handle(object->device),
                             object->type & ~VENUS_INCOMPLETE, object->handle);
    venus_object_free(&context->objects, object);
}

// Objects that are a handle of the host's driver and no more.
static const struct venus_class plain = {.size = sizeof(struct venus_object),
                                         .release = venus_plain_release};

static void destroy_host_handle(struct venus_call *call, enum wire_handle type, uint64_t handle)
{
    if (call->device)
        venus_driver_destroy(&call->device->vk, venus_device_handle(call->device), type, handle);
}

bool venus_add_child(struct venus_call *call, const struct venus_class *class,
                     struct venus_object *parent, enum wire_handle type, uint64_t id,
                     uint64_t handle)
{
    struct venus_object_table *table = &call->context->objects;
    struct venus_object *object = venus_object_alloc(table, class, type);
    if (!object) {
        destroy_host_handle(call, type, handle);
        return venus_fail(call, "too many objects");
    }
    object->handle = handle;
    object->device = call->device;
    object->parent = parent;
    if (!venus_object_insert(table, object, id)) {
        venus_object_free(table, object);
        destroy_host_handle(call, type, handle);
        return venus_fail(call, "the id of the new object is 0 or in use");
    }
    return true;
}

bool venus_add(struct venus_call *call, enum wire_handle type, uint64_t id, uint64_t handle)
{
    struct venus_object *parent = call->device     ? &call->device->base
                                  : call->instance ? &call->instance->base
                                                   : NULL;
    return venus_add_child(call, &plain, parent, type, id, handle);
}

// A pool's children have no host handles of their own to destroy: they go with it. The other
// parents have destroy handlers of their own.
static void free_tree(struct venus_object_table *table, struct venus_object *object)
{
    for (struct venus_object *child = object->children; child;) {
        struct venus_object *next = child->next;
        free_tree(table, child);
        child = next;
    }
    venus_object_free(table, object);
}

bool venus_take(struct venus_call *call, enum wire_handle type, uint64_t id, uint64_t *handle)
{
    *handle = 0;
    if (!id)
        return true;
    struct venus_object *object = venus_object_remove(&call->context->objects, type, id);
    if (!object)
        return venus_fail(call, "no object of this type has this id");
    *handle = object->handle;
    bool ours = object->device == call->device;
    free_tree(&call->context->objects, object);
    return ours || venus_fail(call, "the object belongs to another device");
}

bool venus_leave_out(struct venus_call *call, const char *reason)
{
    const uint64_t told = 1ull << WIRE_HANDLE_NONE;
    if (!(atomic_fetch_or(&call->context->failures_told, told) & told))
        log_warning("%s is not carried out: %s", wire_command_info(call->wire.number)->name,
                    reason);
    return true;
}

bool venus_answer(struct venus_call *call, VkResult *ret, const char *reason)
{
    *ret = VK_ERROR_UNKNOWN;
    return venus_leave_out(call, reason);
}
