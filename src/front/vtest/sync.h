// Sync objects of one client: numbers that submissions and the client raise, waits for them, and
// the fences that will raise them.
//
// Thread: the loop's.
#ifndef VTEST_SYNC_H
#define VTEST_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "os/notifier.h"
#include "renderer/renderer.h"

struct vtest_sync;
struct vtest_wait;

struct vtest_sync_value {
    struct vtest_sync *sync;
    uint64_t value;
};

struct vtest_sync_limits {
    uint32_t syncs, waits, fences;
};

enum { VTEST_TOLD_WAITS = 64 };

struct vtest_syncs {
    struct vtest_sync_limits limits;
    // A reference: descriptors are counted there. NULL: nowhere.
    struct renderer_account *account;

    struct vtest_sync **table; // by id - 1; NULL: unused
    uint32_t *free_ids;        // a stack
    uint32_t capacity, used, free_count;

    struct list waits; // struct vtest_wait, pending
    uint32_t wait_count, purge_at;
    int told[VTEST_TOLD_WAITS]; // write ends of waits that are over, in a ring; see sync.c
    uint32_t told_count;        // ever

    // struct vtest_fence: in flight, and kept for the next. No submission allocates once there are
    // enough.
    struct list fences, free_fences;
    uint32_t fence_count; // in flight
};

void vtest_syncs_init(struct vtest_syncs *syncs, const struct vtest_sync_limits *limits);
// Pending waits hear that nobody is left to satisfy them.
void vtest_syncs_finish(struct vtest_syncs *syncs);

// An id, or 0 at the limit or without memory.
uint32_t vtest_sync_create(struct vtest_syncs *syncs, uint64_t value);
struct vtest_sync *vtest_sync_get(const struct vtest_syncs *syncs, uint32_t id); // NULL: unknown
// Fences and waits keep it alive, without the id.
void vtest_sync_destroy(struct vtest_syncs *syncs, uint32_t id);
uint64_t vtest_sync_read(const struct vtest_sync *sync);
// Any value, also a lower one. Satisfies waits. A sync that was lost is as good as new.
void vtest_sync_write(struct vtest_syncs *syncs, struct vtest_sync *sync, uint64_t value);

bool vtest_sync_reached(const struct vtest_sync_value *values, uint32_t count, bool any);
// Will values that are not reached stay so, because what would have raised them is lost?
bool vtest_sync_lost(const struct vtest_sync_value *values, uint32_t count);
// Nanoseconds since the sync was lost; 0: it is not.
uint64_t vtest_sync_lost_for(const struct vtest_sync *sync);
// Waits until all (or any) of the values are reached; `notifier` is signalled then. On success the
// write end is taken over (the read end of a pipe is not). `deadline_ns`: after it nobody looks any
// more; UINT64_MAX: never. False: no more waits, descriptors or memory.
bool vtest_wait_add(struct vtest_syncs *syncs, const struct vtest_sync_value *values,
                    uint32_t count, bool any, uint64_t deadline_ns,
                    const struct os_notifier *notifier);

enum { VTEST_MAX_SYNCS = 1 << 16 }; // of one wait or one fence
// A fence for renderer_submit, that will raise `values`. Errors: NULL, the limit or no memory.
struct renderer_fence *vtest_fence_create(struct vtest_syncs *syncs,
                                          const struct vtest_sync_value *values, uint32_t count);
// It is done: raises its syncs. It is lost: ends the waits for them without a signal, so that who
// waits sees the pipe closed.
void vtest_fence_retire(struct vtest_syncs *syncs, struct renderer_fence *fence);
static inline bool vtest_fences_full(const struct vtest_syncs *syncs)
{
    return syncs->fence_count >= syncs->limits.fences;
}

#endif
