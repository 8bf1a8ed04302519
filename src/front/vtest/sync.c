#include "front/vtest/sync.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"

// The client's clock for a wait starts after ours. Closing the pipe before it gives up would tell
// it of a death.
#define GIVEN_UP_NS 10000000000ull

enum { FENCE_SLACK = 64, INLINE_SYNCS = 4, FIRST_PURGE = 64 };

struct wait_entry {
    struct list node; // in the sync's list
    struct vtest_wait *wait;
    struct vtest_sync *sync; // NULL: reached
    uint64_t target;
};

struct vtest_sync {
    uint64_t value;
    uint64_t lost_at_ns; // when the fence was lost that would have raised it; 0: it was not
    uint32_t references; // the table's, fences' and waits'
    struct list entries; // struct wait_entry
};

struct vtest_wait {
    struct list node;
    int write_fd; // Owns: ours, of a notifier.
    uint64_t deadline_ns;
    uint32_t left; // entries to be reached before the wait is satisfied
    uint32_t count;
    struct wait_entry entries[];
};

struct vtest_fence {
    struct renderer_fence fence;
    struct list node;
    uint32_t count;
    struct vtest_sync_value few[INLINE_SYNCS];
    struct vtest_sync_value *many; // instead of `few` if there are more
};

void vtest_syncs_init(struct vtest_syncs *syncs, const struct vtest_sync_limits *limits)
{
    *syncs = (struct vtest_syncs){.limits = *limits, .purge_at = FIRST_PURGE};
    list_init(&syncs->waits);
    list_init(&syncs->fences);
    list_init(&syncs->free_fences);
}

static void unref(struct vtest_sync *sync)
{
    if (--sync->references == 0)
        free(sync);
}

// ---- syncs ----------------------------------------------------------------

static bool grow_table(struct vtest_syncs *syncs)
{
    uint32_t capacity = syncs->capacity ? syncs->capacity * 2 : 16;
    struct vtest_sync **table = realloc(syncs->table, capacity * sizeof(struct vtest_sync *));
    if (table)
        syncs->table = table;
    uint32_t *free_ids = realloc(syncs->free_ids, capacity * sizeof(*free_ids));
    if (free_ids)
        syncs->free_ids = free_ids;
    if (!table || !free_ids)
        return false;
    syncs->capacity = capacity;
    return true;
}

uint32_t vtest_sync_create(struct vtest_syncs *syncs, uint64_t value)
{
    if (syncs->used - syncs->free_count >= syncs->limits.syncs)
        return 0;
    if (!syncs->free_count && syncs->used == syncs->capacity && !grow_table(syncs))
        return 0;
    struct vtest_sync *sync = calloc(1, sizeof(*sync));
    if (!sync)
        return 0;
    sync->value = value;
    sync->references = 1;
    list_init(&sync->entries);
    uint32_t id = syncs->free_count ? syncs->free_ids[--syncs->free_count] : ++syncs->used;
    syncs->table[id - 1] = sync;
    return id;
}

struct vtest_sync *vtest_sync_get(const struct vtest_syncs *syncs, uint32_t id)
{
    return id && id <= syncs->used ? syncs->table[id - 1] : NULL;
}

void vtest_sync_destroy(struct vtest_syncs *syncs, uint32_t id)
{
    struct vtest_sync *sync = vtest_sync_get(syncs, id);
    if (!sync)
        return;
    syncs->table[id - 1] = NULL;
    syncs->free_ids[syncs->free_count++] = id;
    unref(sync);
}

uint64_t vtest_sync_read(const struct vtest_sync *sync)
{
    return sync->value;
}

// ---- waits ----------------------------------------------------------------

static void detach(struct wait_entry *entry)
{
    list_remove(&entry->node);
    unref(entry->sync);
    entry->sync = NULL;
}

static void close_counted(struct vtest_syncs *syncs, int fd)
{
    close(fd);
    renderer_account_discharge(syncs->account, RENDERER_DESCRIPTORS, 1);
}

static void wait_free(struct vtest_syncs *syncs, struct vtest_wait *wait)
{
    for (uint32_t i = 0; i < wait->count; i++)
        if (wait->entries[i].sync)
            detach(&wait->entries[i]);
    list_remove(&wait->node);
    syncs->wait_count--;
    if (wait->write_fd >= 0)
        close_counted(syncs, wait->write_fd);
    free(wait);
}

// Signals, and closes much later: a poll that looks at a pipe while it is written and closed may
// see it closed but still empty, which would mean that the context has died.
static void tell(struct vtest_syncs *syncs, struct vtest_wait *wait)
{
    os_notifier_signal(&(struct os_notifier){-1, wait->write_fd});
    int *slot = &syncs->told[syncs->told_count % VTEST_TOLD_WAITS];
    if (syncs->told_count++ >= VTEST_TOLD_WAITS)
        close_counted(syncs, *slot);
    *slot = wait->write_fd;
    wait->write_fd = -1;
    wait_free(syncs, wait);
}

void vtest_sync_write(struct vtest_syncs *syncs, struct vtest_sync *sync, uint64_t value)
{
    sync->value = value;
    sync->lost_at_ns = 0;
    sync->references++; // the last wait may hold the only other one
    struct list *node = sync->entries.next;
    while (node != &sync->entries) {
        struct wait_entry *entry = LIST_ENTRY(node, struct wait_entry, node);
        node = node->next;
        if (value < entry->target)
            continue;
        struct vtest_wait *wait = entry->wait;
        detach(entry);
        if (--wait->left == 0) {
            tell(syncs, wait);
            node = sync->entries.next; // the wait may have held the next entry too
        }
    }
    unref(sync);
}

bool vtest_sync_reached(const struct vtest_sync_value *values, uint32_t count, bool any)
{
    for (uint32_t i = 0; i < count; i++) {
        bool reached = values[i].sync->value >= values[i].value;
        if (reached == any)
            return any;
    }
    return !any;
}

bool vtest_sync_lost(const struct vtest_sync_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (values[i].sync->lost_at_ns && values[i].sync->value < values[i].value)
            return true;
    return false;
}

uint64_t vtest_sync_lost_for(const struct vtest_sync *sync)
{
    return sync->lost_at_ns ? os_now_ns() - sync->lost_at_ns : 0;
}

static void lose(struct vtest_syncs *syncs, struct vtest_sync *sync)
{
    sync->lost_at_ns = os_now_ns();
    sync->references++; // the last wait may hold the only other one
    for (struct wait_entry *entry; (entry = LIST_FIRST(&sync->entries, struct wait_entry, node));)
        wait_free(syncs, entry->wait);
    unref(sync);
}

static void purge_waits(struct vtest_syncs *syncs)
{
    uint64_t now = os_now_ns();
    LIST_EACH (node, &syncs->waits) {
        struct vtest_wait *wait = LIST_ENTRY(node, struct vtest_wait, node);
        if (wait->deadline_ns < now && now - wait->deadline_ns > GIVEN_UP_NS)
            wait_free(syncs, wait);
    }
    syncs->purge_at = syncs->wait_count < FIRST_PURGE / 2 ? FIRST_PURGE : syncs->wait_count * 2;
}

bool vtest_wait_add(struct vtest_syncs *syncs, const struct vtest_sync_value *values,
                    uint32_t count, bool any, uint64_t deadline_ns,
                    const struct os_notifier *notifier)
{
    // Timeouts need no timer: the client watches the clock itself. What it gave up is dropped when
    // there is much of it.
    if (syncs->wait_count >= syncs->purge_at || syncs->wait_count >= syncs->limits.waits)
        purge_waits(syncs);
    if (syncs->wait_count >= syncs->limits.waits)
        return false;
    if (!renderer_account_charge(syncs->account, RENDERER_DESCRIPTORS, 1))
        return false;
    struct vtest_wait *wait = malloc(sizeof(*wait) + count * sizeof(wait->entries[0]));
    if (!wait) {
        renderer_account_discharge(syncs->account, RENDERER_DESCRIPTORS, 1);
        return false;
    }
    *wait = (struct vtest_wait){
        .write_fd = notifier->write_fd, .deadline_ns = deadline_ns, .count = count};
    for (uint32_t i = 0; i < count; i++) {
        struct vtest_sync *sync = values[i].sync;
        struct wait_entry *entry = &wait->entries[i];
        *entry = (struct wait_entry){.wait = wait, .target = values[i].value};
        if (!any && sync->value >= entry->target)
            continue; // stays reached, even if the value falls again
        wait->left++;
        entry->sync = sync;
        sync->references++;
        list_prepend(&sync->entries, &entry->node);
    }
    if (any)
        wait->left = 1;
    list_prepend(&syncs->waits, &wait->node);
    syncs->wait_count++;
    return true;
}

// ---- fences ---------------------------------------------------------------

// One that was used before, or NULL.
static struct vtest_fence *take_free(struct vtest_syncs *syncs)
{
    struct vtest_fence *fence = LIST_FIRST(&syncs->free_fences, struct vtest_fence, node);
    if (fence)
        list_remove(&fence->node);
    return fence;
}

struct renderer_fence *vtest_fence_create(struct vtest_syncs *syncs,
                                          const struct vtest_sync_value *values, uint32_t count)
{
    if (count > VTEST_MAX_SYNCS || syncs->fence_count >= syncs->limits.fences + FENCE_SLACK)
        return NULL;
    struct vtest_fence *fence = take_free(syncs);
    if (!fence && !(fence = malloc(sizeof(*fence))))
        return NULL;
    list_init(&fence->node);
    struct vtest_sync_value *own = fence->few;
    fence->many = NULL;
    if (count > INLINE_SYNCS && !(own = fence->many = malloc(count * sizeof(*own)))) {
        list_append(&syncs->free_fences, &fence->node);
        return NULL;
    }
    fence->fence.lost = false;
    fence->count = count;
    for (uint32_t i = 0; i < count; i++) {
        own[i] = values[i];
        own[i].sync->references++;
    }
    list_append(&syncs->fences, &fence->node);
    syncs->fence_count++;
    return &fence->fence;
}

static void release_fence(struct vtest_syncs *syncs, struct vtest_fence *fence)
{
    const struct vtest_sync_value *values = fence->many ? fence->many : fence->few;
    for (uint32_t i = 0; i < fence->count; i++)
        unref(values[i].sync);
    free(fence->many);
    list_remove(&fence->node);
    list_prepend(&syncs->free_fences, &fence->node);
    syncs->fence_count--;
}

void vtest_fence_retire(struct vtest_syncs *syncs, struct renderer_fence *done)
{
    struct vtest_fence *fence = LIST_ENTRY(done, struct vtest_fence, fence);
    const struct vtest_sync_value *values = fence->many ? fence->many : fence->few;
    for (uint32_t i = 0; i < fence->count; i++) {
        if (done->lost)
            lose(syncs, values[i].sync);
        else
            vtest_sync_write(syncs, values[i].sync, values[i].value);
    }
    release_fence(syncs, fence);
}

void vtest_syncs_finish(struct vtest_syncs *syncs)
{
    for (struct vtest_wait *wait; (wait = LIST_FIRST(&syncs->waits, struct vtest_wait, node));)
        wait_free(syncs, wait);
    for (uint32_t i = 0; i < syncs->told_count && i < VTEST_TOLD_WAITS; i++)
        close_counted(syncs, syncs->told[i]);
    for (struct vtest_fence *fence; (fence = LIST_FIRST(&syncs->fences, struct vtest_fence, node));)
        release_fence(syncs, fence);
    for (struct vtest_fence *fence; (fence = take_free(syncs));)
        free(fence);
    for (uint32_t i = 0; i < syncs->used; i++)
        if (syncs->table[i])
            unref(syncs->table[i]);
    free(syncs->free_ids);
    free(syncs->table);
    renderer_account_unref(syncs->account);
    vtest_syncs_init(syncs, &syncs->limits);
}
