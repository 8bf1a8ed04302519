#include "venus/failed.h"

#include "base/log.h"
#include "venus/context.h"
#include "venus/device.h"
#include "venus/loss.h"

// Stands for a host handle that there is none of; no driver gets to see it.
static const char nothing;
#define NOTHING ((uint64_t)(uintptr_t)&nothing)

static bool is_nothing(uint64_t handle)
{
    return handle == NOTHING;
}
#define IS_NOTHING(handle) is_nothing((uint64_t)(uintptr_t)(handle))

static void set_lacks(struct venus_object *object, unsigned lacks)
{
    atomic_store_explicit(&object->lacks, (uint16_t)lacks, memory_order_relaxed);
    if (lacks)
        atomic_fetch_or_explicit(&object->type, VENUS_INCOMPLETE, memory_order_relaxed);
    else
        atomic_fetch_and_explicit(&object->type, ~VENUS_INCOMPLETE, memory_order_relaxed);
}

static bool waits(const struct venus_call *call)
{
    return call->wire.flags & WIRE_FLAG_REPLY;
}

// One line per type of object and context: a program that runs out of memory does so often.
static void tell(struct venus_call *call, enum wire_handle type, VkResult result)
{
    struct venus_context *context = call->context;
    if (waits(call))
        return;
    struct link_creations_failed failed = {
        .total = atomic_fetch_add_explicit(&context->failures, 1, memory_order_relaxed) + 1};
    if (failed.total <= 1000 || failed.total % 1000 == 0)
        link_send(context->link, LINK_CREATIONS_FAILED, &failed, sizeof(failed), NULL, 0, NULL, 0);
    if (!(atomic_fetch_or(&context->failures_told, 1ull << type) & 1ull << type))
        log_warning("%s failed with VkResult %d, and the guest did not wait for it",
                    wire_command_info(call->wire.number)->name, result);
}

static int32_t *result_of(const struct venus_call *call, void *args)
{
    uint16_t offset = venus_shapes[call->wire.number].result;
    return offset ? (int32_t *)((uint8_t *)args + offset) : NULL;
}

// ---- what failed ----------------------------------------------------------

static void spoil(struct venus_call *call, struct venus_object *object, VkResult result)
{
    if (!venus_object_failed(object))
        tell(call, object->type & ~VENUS_INCOMPLETE, result);
    set_lacks(object, VENUS_LACKS_ALL);
}

void venus_failed_add(struct venus_call *call, struct venus_object *parent, enum wire_handle type,
                      uint64_t id)
{
    static const struct venus_class class = {.size = sizeof(struct venus_object),
                                             .release = venus_plain_release};
    if (!id || waits(call))
        return;
    // If there is no memory to remember it by, its first use ends the context. What it may have is
    // no matter: it was refused for that.
    struct venus_object *object =
        venus_object_alloc(&call->context->objects, &class, type | VENUS_INCOMPLETE);
    if (!object)
        return;
    object->device = call->device;
    object->parent = parent;
    set_lacks(object, VENUS_LACKS_ALL);
    if (!venus_object_insert(&call->context->objects, object, id))
        venus_object_free(&call->context->objects, object);
}

// None of what the command was to make came to be.
static void add_all(struct venus_call *call, void *args)
{
    const struct venus_shape *shape = &venus_shapes[call->wire.number];
    uint64_t *ids = *(uint64_t **)((uint8_t *)args + shape->ids);
    uint32_t count = 1;
    if (shape->inner)
        memcpy(&count, *(uint8_t **)((uint8_t *)args + shape->count) + shape->inner, sizeof(count));
    else if (shape->count)
        memcpy(&count, (uint8_t *)args + shape->count, sizeof(count));
    // What comes from a pool goes with it.
    bool pooled =
        shape->made == WIRE_HANDLE_COMMAND_BUFFER || shape->made == WIRE_HANDLE_DESCRIPTOR_SET;
    struct venus_object *parent =
        pooled && call->object_count > 1 ? call->objects[1] : &call->device->base;
    for (uint32_t i = 0; ids && i < count; i++)
        venus_failed_add(call, parent, shape->made, ids[i]);
    // That is how a guest tells which of several pipelines failed.
    if (ids && shape->count && waits(call))
        memset(ids, 0, count * sizeof(*ids));
}

// Its answer is for the GPU, which would read and write elsewhere.
static bool is_address(uint32_t number)
{
    return number == WIRE_vkGetBufferDeviceAddress ||
           number == WIRE_vkGetAccelerationStructureDeviceAddressKHR;
}

// The command cannot be carried out.
static bool refuse(struct venus_call *call, void *args)
{
    const struct venus_shape *shape = &venus_shapes[call->wire.number];
    int32_t *result = result_of(call, args);
    if (result)
        *result = shape->error;
    if (shape->made) {
        tell(call, shape->made, shape->error);
        add_all(call, args);
    }
    if (shape->error == VK_ERROR_DEVICE_LOST || is_address(call->wire.number))
        venus_call_loses(call, shape->error);
    return true;
}

static bool make(struct venus_call *call, void *args)
{
    if (__builtin_expect(!venus_holdings_allow(call->context), 0))
        return refuse(call, args);
    if (!call->context->handlers.inner[call->wire.number](call, args))
        return false;
    const int32_t *result = result_of(call, args);
    if (__builtin_expect(*result < 0 && !waits(call), 0)) {
        tell(call, venus_shapes[call->wire.number].made, *result);
        add_all(call, args);
    }
    return true;
}

static bool spoil_all(struct venus_call *call, VkResult result)
{
    for (unsigned i = 0; i < call->object_count; i++) {
        struct venus_object *object = call->objects[i];
        enum wire_handle type = object->type & ~VENUS_INCOMPLETE;
        if (type == WIRE_HANDLE_BUFFER || type == WIRE_HANDLE_IMAGE ||
            type == WIRE_HANDLE_COMMAND_BUFFER)
            spoil(call, object, result);
    }
    return true;
}

// An image without memory, a command buffer without an end: no driver is to be led on with it.
static bool change(struct venus_call *call, void *args)
{
    if (!call->context->handlers.inner[call->wire.number](call, args))
        return false;
    const int32_t *result = result_of(call, args);
    return *result >= 0 || spoil_all(call, *result);
}

// What is recorded is memory of the driver.
static bool begin_recording(struct venus_call *call, void *args)
{
    struct wire_args_vkBeginCommandBuffer *begin = args;
    if (__builtin_expect(venus_holdings_allow(call->context), 1))
        return change(call, args);
    begin->ret = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return spoil_all(call, begin->ret);
}

// What waits for this would wait for ever, or not at all.
static bool set(struct venus_call *call, void *args)
{
    if (!call->context->handlers.inner[call->wire.number](call, args))
        return false;
    const int32_t *result = result_of(call, args);
    if (*result < 0 && !waits(call))
        venus_call_loses(call, *result);
    return true;
}

void venus_failed_watch(struct venus_handlers *handlers)
{
    static const enum wire_command sets[] = {WIRE_vkSetEvent, WIRE_vkResetEvent, WIRE_vkResetFences,
                                             WIRE_vkSignalSemaphore};
    static const enum wire_command changes[] = {
        WIRE_vkBindBufferMemory, WIRE_vkBindBufferMemory2, WIRE_vkBindImageMemory,
        WIRE_vkBindImageMemory2, WIRE_vkEndCommandBuffer,
    };
    memcpy(handlers->inner, handlers->carry_out, sizeof(handlers->inner));
    for (uint32_t i = 0; i < WIRE_COMMAND_COUNT; i++) {
        if (venus_shapes[i].made && handlers->carry_out[i])
            handlers->carry_out[i] = make;
    }
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
        handlers->carry_out[changes[i]] = change;
    handlers->carry_out[WIRE_vkBeginCommandBuffer] = begin_recording;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        handlers->carry_out[sets[i]] = set;
}

// ---- decoding -------------------------------------------------------------

static bool resolve(void *data, enum wire_handle type, uint64_t id, uint64_t *handle,
                    const char **reason)
{
    struct venus_call *call = data;
    if (!id) {
        call->incomplete = true;
        *handle = NOTHING;
        return true;
    }
    struct venus_object *object = venus_object_find(&call->context->objects, id);
    if (!object || (object->type & ~VENUS_INCOMPLETE) != type) {
        *reason = object ? "the object is of another type" : "no object has this id";
        return false;
    }
    if (!venus_call_takes(call, object, reason))
        return false;
    call->incomplete |= venus_object_failed(object);
    *handle = venus_object_failed(object) ? NOTHING : object->handle;
    return true;
}

bool venus_failed_decode(struct venus_call *call, struct wire_decoder *decoder,
                         const uint8_t *start)
{
    call->self = NULL;
    call->device = NULL;
    call->object_count = 0;
    call->incomplete = false; // from here on: names an object that failed
    arena_reset(decoder->arena);
    decoder->cursor = start;
    decoder->resolve = resolve;
    decoder->any_value = true;
    decoder->unknown_value = false;
    if (!wire_decode(decoder, &call->wire))
        return false;
    // No driver is to see it. Such structures are those of creations, which fail then.
    if (decoder->unknown_value)
        call->incomplete = venus_leave_out(call, wire_unknown_value);
    // These are about objects of ours that fail with what they name: objects are wanted, not
    // handles.
    if (call->wire.number != WIRE_vkBindBufferMemory2 &&
        call->wire.number != WIRE_vkBindImageMemory2 &&
        call->wire.number != WIRE_vkUpdateDescriptorSets)
        return true;
    struct wire_call ids;
    decoder->cursor = start;
    decoder->resolve = NULL;
    if (!wire_decode(decoder, &ids))
        return false;
    call->ids = ids.args;
    return true;
}

const void *venus_call_ids(struct venus_call *call)
{
    struct wire_call ids;
    struct wire_decoder decoder = {.cursor = call->start,
                                   .end = call->end,
                                   .arena = &call->stream->arena,
                                   .reply_capacity = UINT64_MAX};
    return wire_decode(&decoder, &ids) ? ids.args : NULL;
}

// ---- carrying out ---------------------------------------------------------

static bool inner(struct venus_call *call, void *args)
{
    return call->context->handlers.inner[call->wire.number](call, args);
}

static void spoil_id(struct venus_call *call, enum wire_handle type, uint64_t id)
{
    struct venus_object *object = venus_object_find(&call->context->objects, id);
    if (object && (object->type & ~VENUS_INCOMPLETE) == type)
        spoil(call, object, VK_ERROR_OUT_OF_DEVICE_MEMORY);
}

// One bind of several: those whose memory failed are left out, and their image or buffer fails.
#define BIND(command, type_, object_)                                                              \
    static bool bind_##object_(struct venus_call *call, void *data)                                \
    {                                                                                              \
        struct wire_args_##command *args = data;                                                   \
        const struct wire_args_##command *ids = call->ids;                                         \
        uint32_t kept = 0;                                                                         \
        for (uint32_t i = 0; i < args->bindInfoCount; i++) {                                       \
            if (!IS_NOTHING(args->pBindInfos[i].memory) &&                                         \
                !IS_NOTHING(args->pBindInfos[i].object_)) {                                        \
                memcpy((void *)(uintptr_t)&args->pBindInfos[kept++], &args->pBindInfos[i],         \
                       sizeof(args->pBindInfos[i]));                                               \
                continue;                                                                          \
            }                                                                                      \
            struct venus_object *object =                                                          \
                venus_object_find(&call->context->objects, (uint64_t)ids->pBindInfos[i].object_);  \
            if (object && (object->type & ~VENUS_INCOMPLETE) == type_)                             \
                spoil(call, object, VK_ERROR_OUT_OF_DEVICE_MEMORY);                                \
        }                                                                                          \
        args->bindInfoCount = kept;                                                                \
        if (kept && !change(call, args))                                                           \
            return false;                                                                          \
        args->ret = VK_ERROR_OUT_OF_DEVICE_MEMORY;                                                 \
        return true;                                                                               \
    }
BIND(vkBindBufferMemory2, WIRE_HANDLE_BUFFER, buffer)
BIND(vkBindImageMemory2, WIRE_HANDLE_IMAGE, image)

static bool reset_fences(struct venus_call *call, void *data)
{
    struct wire_args_vkResetFences *args = data;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < args->fenceCount; i++) {
        if (!IS_NOTHING(args->pFences[i]))
            ((VkFence *)(uintptr_t)args->pFences)[kept++] = args->pFences[i];
    }
    args->fenceCount = kept;
    args->ret = VK_SUCCESS;
    return !kept || inner(call, args);
}

static bool can_write(const VkWriteDescriptorSet *write)
{
    if (IS_NOTHING(write->dstSet))
        return false;
    for (uint32_t i = 0; i < write->descriptorCount; i++) {
        if ((write->pImageInfo && (IS_NOTHING(write->pImageInfo[i].sampler) ||
                                   IS_NOTHING(write->pImageInfo[i].imageView))) ||
            (write->pBufferInfo && IS_NOTHING(write->pBufferInfo[i].buffer)) ||
            (write->pTexelBufferView && IS_NOTHING(write->pTexelBufferView[i])))
            return false;
    }
    const VkWriteDescriptorSetAccelerationStructureKHR *structures =
        venus_chain_find(write, VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_ACCELERATION_STRUCTURE_KHR);
    for (uint32_t i = 0; structures && i < structures->accelerationStructureCount; i++) {
        if (IS_NOTHING(structures->pAccelerationStructures[i]))
            return false;
    }
    return true;
}

// A set that lacks a descriptor makes drivers crash: it fails. The decoded arrays are private
// memory of this thread.
static bool write_descriptors(struct venus_call *call, void *data)
{
    struct wire_args_vkUpdateDescriptorSets *args = data;
    VkWriteDescriptorSet *writes = (VkWriteDescriptorSet *)(uintptr_t)args->pDescriptorWrites;
    VkCopyDescriptorSet *copies = (VkCopyDescriptorSet *)(uintptr_t)args->pDescriptorCopies;
    const struct wire_args_vkUpdateDescriptorSets *ids = call->ids;
    uint32_t kept_writes = 0, kept_copies = 0;
    for (uint32_t i = 0; writes && i < args->descriptorWriteCount; i++) {
        if (can_write(&writes[i]))
            writes[kept_writes++] = writes[i];
        else
            spoil_id(call, WIRE_HANDLE_DESCRIPTOR_SET, (uint64_t)ids->pDescriptorWrites[i].dstSet);
    }
    for (uint32_t i = 0; copies && i < args->descriptorCopyCount; i++) {
        if (!IS_NOTHING(copies[i].srcSet) && !IS_NOTHING(copies[i].dstSet))
            copies[kept_copies++] = copies[i];
        else
            spoil_id(call, WIRE_HANDLE_DESCRIPTOR_SET, (uint64_t)ids->pDescriptorCopies[i].dstSet);
    }
    args->descriptorWriteCount = kept_writes;
    args->descriptorCopyCount = kept_copies;
    return !(kept_writes || kept_copies) || inner(call, args);
}

static unsigned lacks_of_point(VkPipelineBindPoint point)
{
    switch (point) {
    case VK_PIPELINE_BIND_POINT_GRAPHICS:
        return VENUS_LACKS_GRAPHICS;
    case VK_PIPELINE_BIND_POINT_COMPUTE:
        return VENUS_LACKS_COMPUTE;
    case VK_PIPELINE_BIND_POINT_RAY_TRACING_KHR:
        return VENUS_LACKS_RAY_TRACING;
    default:
        return 0;
    }
}

static bool bind_pipeline(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdBindPipeline *args = data;
    unsigned lacks = lacks_of_point(args->pipelineBindPoint);
    if (call->incomplete) {
        set_lacks(call->self, call->self->lacks | lacks);
        return true;
    }
    set_lacks(call->self, call->self->lacks & ~lacks);
    return inner(call, data);
}

static bool record(struct venus_call *call, void *args)
{
    if (venus_object_failed(call->self))
        return refuse(call, args);
    if (call->wire.number == WIRE_vkCmdBindPipeline)
        return bind_pipeline(call, args);
    if (call->incomplete) {
        spoil(call, call->self, VK_ERROR_OUT_OF_DEVICE_MEMORY);
        return refuse(call, args);
    }
    unsigned missing = call->self->lacks & venus_shapes[call->wire.number].pipeline;
    if (missing & ~VENUS_LACKS_GRAPHICS)
        spoil(call, call->self, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    return missing || inner(call, args);
}

// A command buffer that exists is as good as new.
static bool begin(struct venus_call *call, void *args)
{
    struct venus_object *self = call->self;
    if (!self->handle)
        return refuse(call, args);
    bool inheritance_failed = false;
    for (unsigned i = 1; i < call->object_count; i++)
        inheritance_failed |= venus_object_failed(call->objects[i]);
    set_lacks(self, inheritance_failed ? VENUS_LACKS_ALL : 0);
    // Its place in the arguments: the first.
    *(VkCommandBuffer *)args = (VkCommandBuffer)(uintptr_t)self->handle;
    return inheritance_failed ? refuse(call, args)
                              : call->context->handlers.carry_out[call->wire.number](call, args);
}

bool venus_failed_carry_out(struct venus_call *call, void *args)
{
    switch (call->wire.number) {
    case WIRE_vkBeginCommandBuffer:
    case WIRE_vkResetCommandBuffer:
        return begin(call, args);
    case WIRE_vkBindBufferMemory2:
        return bind_buffer(call, args);
    case WIRE_vkBindImageMemory2:
        return bind_image(call, args);
    case WIRE_vkBindBufferMemory:
    case WIRE_vkBindImageMemory:
        return refuse(call, args) && spoil_all(call, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    case WIRE_vkResetFences:
        return reset_fences(call, args);
    case WIRE_vkUpdateDescriptorSets:
        return write_descriptors(call, args);
    case WIRE_vkFreeCommandBuffers:
    case WIRE_vkFreeDescriptorSets:
    case WIRE_vkResetDescriptorPool:
        return inner(call, args); // pool.c looks whether there is a pool
    default:
        break;
    }
    if ((call->self->type & ~VENUS_INCOMPLETE) == WIRE_HANDLE_COMMAND_BUFFER)
        return record(call, args);
    return call->incomplete ? refuse(call, args)
                            : call->context->handlers.carry_out[call->wire.number](call, args);
}
