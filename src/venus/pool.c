// Command buffers and descriptor sets: allocated from a pool, all or nothing, and gone with it.
#include "venus/context.h"
#include "venus/device.h"

// The host's pool takes its own along.
static void release(struct venus_context *context, struct venus_object *object)
{
    venus_object_free(&context->objects, object);
}

static const struct venus_class pooled = {.size = sizeof(struct venus_object), .release = release};
const struct venus_class venus_secondary_class = {.size = sizeof(struct venus_object),
                                                  .release = release};

static bool add_all(struct venus_call *call, const struct venus_class *class,
                    struct venus_object *pool, enum wire_handle type, uint32_t count,
                    const uint64_t *ids, const uint64_t *handles)
{
    for (uint32_t i = 0; i < count; i++) {
        // On failure the context is lost: the host's pool takes what was allocated with it.
        if (!venus_add_child(call, class, pool, type, ids[i], handles[i]))
            return false;
    }
    return true;
}

static bool allocate_command_buffers(struct venus_call *call, void *data)
{
    struct wire_args_vkAllocateCommandBuffers *args = data;
    uint32_t count = args->pAllocateInfo->commandBufferCount;
    if (call->object_count < 2 || !call->device->vk.AllocateCommandBuffers)
        return venus_fail(call, "no command pool");
    if ((uint32_t)args->pAllocateInfo->level > VK_COMMAND_BUFFER_LEVEL_SECONDARY)
        return venus_answer(call, &args->ret, "there is no such level");
    VkCommandBuffer *handles = venus_scratch(call, count * sizeof(*handles));
    if (!handles)
        return venus_fail(call, "out of memory");
    args->ret = call->device->vk.AllocateCommandBuffers(args->device, args->pAllocateInfo, handles);
    if (args->ret < 0)
        return true;
    const struct venus_class *class =
        args->pAllocateInfo->level == VK_COMMAND_BUFFER_LEVEL_SECONDARY ? &venus_secondary_class
                                                                        : &pooled;
    return add_all(call, class, call->objects[1], WIRE_HANDLE_COMMAND_BUFFER, count,
                   (uint64_t *)args->pCommandBuffers, (uint64_t *)handles);
}

static bool allocate_descriptor_sets(struct venus_call *call, void *data)
{
    struct wire_args_vkAllocateDescriptorSets *args = data;
    uint32_t count = args->pAllocateInfo->descriptorSetCount;
    if (call->object_count < 2 || !args->pAllocateInfo->descriptorPool ||
        !call->device->vk.AllocateDescriptorSets)
        return venus_fail(call, "no descriptor pool");
    VkDescriptorSet *handles = venus_scratch(call, count * sizeof(*handles));
    if (!handles)
        return venus_fail(call, "out of memory");
    args->ret = call->device->vk.AllocateDescriptorSets(args->device, args->pAllocateInfo, handles);
    if (args->ret < 0)
        return true;
    return add_all(call, &pooled, call->objects[1], WIRE_HANDLE_DESCRIPTOR_SET, count,
                   (uint64_t *)args->pDescriptorSets, (uint64_t *)handles);
}

// Takes `count` ids out of the table; the handles are left in their place. The pool must be the one
// they came from.
static bool take_all(struct venus_call *call, enum wire_handle type, uint32_t count, uint64_t *ids)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!ids[i])
            continue;
        struct venus_object *object = venus_object_find(&call->context->objects, ids[i]);
        if (!object || (object->type & ~VENUS_INCOMPLETE) != type ||
            object->parent != call->objects[1])
            return venus_fail(call, "not an object of this pool");
        if (!venus_take(call, type, ids[i], &ids[i]))
            return false;
    }
    return true;
}

static bool free_command_buffers(struct venus_call *call, void *data)
{
    struct wire_args_vkFreeCommandBuffers *args = data;
    if (call->object_count < 2 || (args->commandBufferCount && !args->pCommandBuffers))
        return venus_fail(call, "no command pool or no command buffers");
    if (!take_all(call, WIRE_HANDLE_COMMAND_BUFFER, args->commandBufferCount,
                  (uint64_t *)args->pCommandBuffers))
        return false;
    if (args->commandBufferCount && !venus_object_failed(call->objects[1]))
        call->device->vk.FreeCommandBuffers(args->device, args->commandPool,
                                            args->commandBufferCount, args->pCommandBuffers);
    return true;
}

static bool free_descriptor_sets(struct venus_call *call, void *data)
{
    struct wire_args_vkFreeDescriptorSets *args = data;
    if (call->object_count < 2 || (args->descriptorSetCount && !args->pDescriptorSets))
        return venus_fail(call, "no descriptor pool or no descriptor sets");
    if (!take_all(call, WIRE_HANDLE_DESCRIPTOR_SET, args->descriptorSetCount,
                  (uint64_t *)args->pDescriptorSets))
        return false;
    args->ret = VK_SUCCESS;
    if (args->descriptorSetCount && !venus_object_failed(call->objects[1]))
        args->ret = call->device->vk.FreeDescriptorSets(
            args->device, args->descriptorPool, args->descriptorSetCount, args->pDescriptorSets);
    return true;
}

static bool reset_descriptor_pool(struct venus_call *call, void *data)
{
    struct wire_args_vkResetDescriptorPool *args = data;
    if (call->object_count < 2)
        return venus_fail(call, "no descriptor pool");
    args->ret = VK_SUCCESS;
    if (!venus_object_failed(call->objects[1]))
        args->ret =
            call->device->vk.ResetDescriptorPool(args->device, args->descriptorPool, args->flags);
    struct venus_object_table *table = &call->context->objects;
    for (struct venus_object *set = venus_object_remove_children(table, call->objects[1]); set;) {
        struct venus_object *next = set->next;
        venus_object_free(table, set);
        set = next;
    }
    return true;
}

const struct venus_handler_entry venus_pool_handlers[] = {
    {WIRE_vkAllocateCommandBuffers, allocate_command_buffers},
    {WIRE_vkAllocateDescriptorSets, allocate_descriptor_sets},
    {WIRE_vkFreeCommandBuffers, free_command_buffers},
    {WIRE_vkFreeDescriptorSets, free_descriptor_sets},
    {WIRE_vkResetDescriptorPool, reset_descriptor_pool},
    {0},
};
