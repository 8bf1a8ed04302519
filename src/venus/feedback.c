#include "venus/feedback.h"

#include <stdlib.h>

#include "venus/call.h"
#include "venus/image.h"
#include "venus/memory.h"

// Mesa keeps one word for each fence, and uses it again. With more than these nobody can be told.
#define MAX_WORDS 4096

struct word {
    uint64_t memory; // id; 0: none
    uint64_t offset; // in the memory, in bytes
};

struct venus_feedback {
    pthread_mutex_t lock;
    uint32_t count;
    bool incomplete;                  // a word did not fit
    struct word words[MAX_WORDS * 2]; // a hash table
};

struct venus_feedback *venus_feedback_create(void)
{
    struct venus_feedback *feedback = calloc(1, sizeof(*feedback));
    if (feedback)
        pthread_mutex_init(&feedback->lock, NULL);
    return feedback;
}

void venus_feedback_destroy(struct venus_feedback *feedback)
{
    if (!feedback)
        return;
    pthread_mutex_destroy(&feedback->lock);
    free(feedback);
}

static void note(struct venus_feedback *feedback, uint64_t memory, uint64_t offset)
{
    const uint32_t mask = sizeof(feedback->words) / sizeof(feedback->words[0]) - 1;
    pthread_mutex_lock(&feedback->lock);
    uint32_t at = (uint32_t)((memory * 0x9e3779b97f4a7c15u ^ offset) >> 2) & mask;
    while (feedback->words[at].memory &&
           (feedback->words[at].memory != memory || feedback->words[at].offset != offset))
        at = (at + 1) & mask;
    if (!feedback->words[at].memory) {
        if (feedback->count < MAX_WORDS) {
            feedback->words[at] = (struct word){memory, offset};
            feedback->count++;
        } else {
            feedback->incomplete = true;
        }
    }
    pthread_mutex_unlock(&feedback->lock);
}

// ---- telling --------------------------------------------------------------

struct telling {
    const struct venus_device *device;
    uint64_t offset;
};

// Under the table's lock, so the memory stays.
static void tell(void *data, struct venus_object *object)
{
    const struct telling *telling = data;
    const struct venus_memory *memory = (struct venus_memory *)object;
    if (object->device != telling->device || !memory->pages || memory->pages->size < 4 ||
        telling->offset > memory->pages->size - 4)
        return;
    int32_t not_ready = VK_NOT_READY;
    atomic_compare_exchange_strong(
        (_Atomic(int32_t) *)((char *)memory->pages->address + telling->offset), &not_ready,
        VK_ERROR_DEVICE_LOST);
}

bool venus_feedback_tell(struct venus_device *device)
{
    struct venus_feedback *feedback = device->feedback;
    pthread_mutex_lock(&feedback->lock);
    for (size_t i = 0; i < sizeof(feedback->words) / sizeof(feedback->words[0]); i++) {
        struct telling telling = {device, feedback->words[i].offset};
        if (feedback->words[i].memory)
            venus_object_visit(&device->context->objects, WIRE_HANDLE_DEVICE_MEMORY,
                               feedback->words[i].memory, tell, &telling);
    }
    bool told = feedback->count && !feedback->incomplete;
    pthread_mutex_unlock(&feedback->lock);
    return told;
}

// ---- handlers -------------------------------------------------------------

static void has_pages(void *data, struct venus_object *object)
{
    *(bool *)data = ((struct venus_memory *)object)->pages;
}

struct binding {
    uint64_t memory, offset;
};

static void bind(void *data, struct venus_object *object)
{
    const struct binding *binding = data;
    struct venus_buffer *buffer = (struct venus_buffer *)object;
    atomic_store_explicit(&buffer->offset, binding->offset, memory_order_relaxed);
    atomic_store_explicit(&buffer->memory, binding->memory, memory_order_relaxed);
}

// Mesa binds the buffer of its words by a call of its own. Another ring may destroy both meanwhile,
// and others take their places: what is in the table stays what it is under the table's lock.
static void remember(struct venus_call *call, VkDeviceSize offset)
{
    struct venus_object_table *table = &call->context->objects;
    struct binding binding = {.memory = atomic_load(&call->objects[2]->id), .offset = offset};
    bool mappable = false;
    venus_object_visit(table, WIRE_HANDLE_DEVICE_MEMORY, binding.memory, has_pages, &mappable);
    if (mappable)
        venus_object_visit(table, WIRE_HANDLE_BUFFER, atomic_load(&call->objects[1]->id), bind,
                           &binding);
}

static bool bind_buffer(struct venus_call *call, void *data)
{
    const struct wire_args_vkBindBufferMemory *args = data;
    if (!venus_thunks[WIRE_vkBindBufferMemory](call, data))
        return false;
    if (args->ret == VK_SUCCESS && call->object_count == 3)
        remember(call, args->memoryOffset);
    return true;
}

static bool bind_buffer2(struct venus_call *call, void *data)
{
    const struct wire_args_vkBindBufferMemory2 *args = data;
    if (!venus_thunks[WIRE_vkBindBufferMemory2](call, data))
        return false;
    if (args->ret == VK_SUCCESS && args->bindInfoCount == 1 && call->object_count == 3)
        remember(call, args->pBindInfos[0].memoryOffset);
    return true;
}

static bool fill_buffer(struct venus_call *call, void *data)
{
    const struct wire_args_vkCmdFillBuffer *args = data;
    if (args->size == 4 && args->data == VK_SUCCESS && call->object_count == 2) {
        const struct venus_buffer *buffer = (struct venus_buffer *)call->objects[1];
        uint64_t memory = atomic_load_explicit(&buffer->memory, memory_order_relaxed);
        uint64_t offset = atomic_load_explicit(&buffer->offset, memory_order_relaxed);
        if (memory && !((offset | args->dstOffset) & 3)) {
            if (!venus_device_enter(call, &call->device->base, WIRE_HANDLE_DEVICE))
                return false;
            note(call->device->feedback, memory, offset + args->dstOffset);
            venus_device_leave(call->device);
        }
    }
    return venus_thunks[WIRE_vkCmdFillBuffer](call, data);
}

const struct venus_handler_entry venus_feedback_handlers[] = {
    {WIRE_vkBindBufferMemory, bind_buffer},
    {WIRE_vkBindBufferMemory2, bind_buffer2},
    {WIRE_vkCmdFillBuffer, fill_buffer},
    {0},
};
