#include "venus/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "venus/device.h"
#include "venus/ending.h"
#include "venus/queue.h"
#include "venus/ring.h"
#include "venus/tap.h"
#include "venus/waiter.h"

#define MAX_OBJECTS (4u << 20)

// ending.c calls this.
static void wake(struct venus_context *context, const char *lost)
{
    if (lost) {
        venus_ring_list_fatal(context->rings);
        venus_tap_lost(context, lost);
    } else if (context->rings) {
        venus_ring_list_wake(context->rings);
    }
}

static bool take_for_commands(void *data, size_t size)
{
    return venus_ledger_take(data, LINK_HOLDS_COMMANDS, size);
}

static void give_for_commands(void *data, size_t size)
{
    venus_ledger_give(data, LINK_HOLDS_COMMANDS, size);
}

struct venus_context *venus_context_create(const struct link_context_create *info, int ledger,
                                           struct link *link, struct venus_host *host,
                                           const struct venus_profile *profile)
{
    struct venus_context *context = calloc(1, sizeof(*context));
    if (!context) {
        if (ledger >= 0)
            close(ledger);
        return NULL;
    }
    context->id = info->context_id;
    snprintf(context->name, sizeof(context->name), "%.63s", info->name);
    context->own_files = info->flags & LINK_CONTEXT_OWN_FILES;
    context->tells_loss = info->flags & LINK_CONTEXT_TELLS_LOSS;
    context->same_kernel = info->flags & LINK_CONTEXT_SAME_KERNEL;
    context->profile = profile;
    context->link = link;
    context->host = host;
    memcpy(context->max_memory, info->max_memory, sizeof(context->max_memory));
    bool counted = venus_ledger_open(&context->ledger, ledger, link, &context->stopping);
    context->commands = (struct arena_budget){.limit = VENUS_COMMAND_MEMORY,
                                              .take = take_for_commands,
                                              .give = give_for_commands,
                                              .data = &context->ledger};
    context->max_rings = info->max_rings;
    atomic_flag_clear(&context->lost);
    context->wake = wake;
    pthread_mutex_init(&context->timeline_lock, NULL);
    venus_handlers_fill(&context->handlers);
    venus_stream_init(&context->stream, context, NULL);
    venus_holdings_begin(context);

    if (counted && venus_object_table_init(&context->objects, MAX_OBJECTS, &context->ledger) &&
        (context->pages = venus_pages_pool_create()) &&
        venus_resource_table_init(&context->resources, context->pages, info->max_resources) &&
        venus_ring_list_create(context))
        return context;
    venus_context_destroy(context);
    return NULL;
}

void venus_context_destroy(struct venus_context *context)
{
    venus_context_stop(context);
    venus_ring_list_destroy(context->rings);
    struct venus_instance *instance = atomic_load(&context->instance);
    if (instance) {
        struct venus_object *root = &instance->base;
        root = venus_object_remove(&context->objects, WIRE_HANDLE_INSTANCE, atomic_load(&root->id));
        if (root)
            venus_release(context, root);
    }
    venus_tap_close(context);
    venus_stream_finish(&context->stream);
    venus_resource_table_finish(&context->resources);
    venus_object_table_finish(&context->objects);
    venus_pages_pool_destroy(context->pages);
    venus_holdings_end(context);
    venus_ledger_close(&context->ledger);
    pthread_mutex_destroy(&context->timeline_lock);
    free(context);
}

void venus_context_fence(struct venus_context *context, uint32_t ring_idx, uint64_t fence_id)
{
    const uint32_t timelines = sizeof(context->timelines) / sizeof(context->timelines[0]);
    struct venus_queue *queue = NULL;
    if (ring_idx && ring_idx < timelines) {
        pthread_mutex_lock(&context->timeline_lock);
        queue = context->timelines[ring_idx];
        // Under the lock: another ring may be destroying the device.
        if (queue)
            venus_waiter_add(queue->waiter, fence_id);
        pthread_mutex_unlock(&context->timeline_lock);
    }
    // The CPU's timeline, or one that no queue is bound to: a fence must never hang.
    if (!queue)
        venus_context_retire(
            context, &(struct link_fence_retired){.fence_id = fence_id, .ring_idx = ring_idx}, 1);
}
