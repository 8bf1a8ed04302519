#include "venus/ring.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "base/checked.h"
#include "base/patience.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/thread.h"
#include "venus/ending.h"
#include "venus/monitor.h"
#include "venus/rhythm.h"

#define MAX_BUFFER_SIZE (16u << 20)
#define NAP_SLACK_NS 2000

struct venus_ring {
    struct venus_ring *next;
    uint64_t id;
    struct venus_context *context;
    struct venus_resource *resource;
    _Atomic(uint32_t) *head, *tail, *status; // in memory that the guest writes
    const uint8_t *buffer;
    uint8_t *extra;
    uint64_t extra_size;
    uint32_t buffer_size; // power of two
    int priority;

    struct venus_stream stream;
    uint8_t *copy; // the bytes being decoded, out of the guest's reach
    pthread_t thread;
    struct venus_rhythm rhythm;
    uint64_t dry_since;        // when the thread had carried everything out
    _Atomic(uint32_t) current; // head, where the guest cannot write it
    atomic_bool sleeping;      // IDLE is set, the thread waits for a notification
    atomic_bool watched;       // the context's thread waits for `current` to reach `awaited`
    _Atomic(uint32_t) awaited;
    struct patience seqno_patience;     // of the context's thread
    struct patience virtqueue_patience; // of the ring's

    pthread_mutex_t lock;
    pthread_cond_t wake;     // for the ring's thread: notified, virtqueue_seqno, stopping
    pthread_cond_t progress; // for the context's thread
    bool notified;
    _Atomic(uint64_t) virtqueue_seqno; // changes under the lock
};

struct venus_ring_list {
    struct venus_context *context;
    pthread_mutex_t lock; // only the context thread changes the list; others read it
    struct venus_ring *first;
    uint32_t count;
    struct venus_monitor *monitor;
};

static bool ring_stopping(struct venus_ring *ring)
{
    return atomic_load_explicit(&ring->stream.stopping, memory_order_relaxed) ||
           venus_context_stopping(ring->context);
}

static void wait_slice(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns)
{
    struct timespec until;
    // macOS has no other clock for condition variables; a jump costs one slice.
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(ns % 1000000000u);
    until.tv_sec += (time_t)(ns / 1000000000u) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(cond, lock, &until);
}

static bool reached(const struct venus_ring *ring, uint64_t seqno)
{
    return (int32_t)(atomic_load_explicit(&ring->current, memory_order_acquire) -
                     (uint32_t)seqno) >= 0;
}

// Whoever is woken takes the lock at once, so it is free by then. The lock is taken at all for a
// thread that has looked and is about to sleep.
static void wake_watcher(struct venus_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    pthread_mutex_unlock(&ring->lock);
    pthread_cond_broadcast(&ring->progress);
}

// Is the context's thread waiting for something that has come, or only for something nearer?
static bool must_wake(const struct venus_ring *ring)
{
    return atomic_load_explicit(&ring->watched, memory_order_acquire) &&
           reached(ring, atomic_load_explicit(&ring->awaited, memory_order_relaxed));
}

// The check after each command has no fence, so it may miss a watcher that just came; this one does
// not.
void venus_ring_publish(struct venus_ring *ring)
{
    if (!ring)
        return;
    atomic_thread_fence(memory_order_seq_cst);
    if (must_wake(ring))
        wake_watcher(ring);
}

static void copy_out(struct venus_ring *ring, uint32_t from, uint32_t size)
{
    uint32_t at = from & (ring->buffer_size - 1);
    uint32_t first = ring->buffer_size - at < size ? ring->buffer_size - at : size;
    memcpy(ring->copy, ring->buffer + at, first);
    memcpy(ring->copy + first, ring->buffer, size - first);
}

// Everything between head and the tail just seen.
static bool run_batch(struct venus_ring *ring, uint32_t size)
{
    uint32_t current = atomic_load_explicit(&ring->current, memory_order_relaxed);
    copy_out(ring, current, size);
    const uint8_t *cursor = ring->copy, *end = ring->copy + size;
    while (cursor < end) {
        const uint8_t *start = cursor;
        if (ring_stopping(ring) || !venus_stream_step(&ring->stream, &cursor, end))
            return false;
        current += (uint32_t)(cursor - start);
        atomic_store_explicit(&ring->current, current, memory_order_release);
        // The guest reads the reply when it sees head move.
        atomic_store_explicit(ring->head, current, memory_order_release);
        if (must_wake(ring))
            wake_watcher(ring);
    }
    venus_ring_publish(ring);
    return true;
}

static uint32_t pending(struct venus_ring *ring)
{
    return atomic_load_explicit(ring->tail, memory_order_acquire) -
           atomic_load_explicit(&ring->current, memory_order_relaxed);
}

// Looks for work since `since`. False: there is none, and it is time to sleep, or to end.
static bool poll_tail(struct venus_ring *ring, uint64_t since)
{
    bool napped = false;
    for (;;) {
        for (unsigned i = 0; i < 50; i++) {
            if (pending(ring)) {
                if (napped)
                    venus_rhythm_learn(&ring->rhythm, os_now_ns() - ring->dry_since);
                return true;
            }
            os_cpu_relax();
        }
        if (ring_stopping(ring))
            return false;
        uint64_t now = os_now_ns(), nap_ns = 0;
        switch (venus_rhythm_step(&ring->rhythm, now - since, now, &nap_ns)) {
        case VENUS_RHYTHM_LOOK:
            break;
        case VENUS_RHYTHM_YIELD:
            sched_yield();
            venus_rhythm_yielded(&ring->rhythm, os_now_ns() - now);
            break;
        case VENUS_RHYTHM_NAP:
            os_sleep_ns(nap_ns);
            napped = true;
            break;
        case VENUS_RHYTHM_SLEEP:
            return false;
        }
    }
}

// Says IDLE and sleeps until notified. The guest stores tail, then loads status; we the other way
// round: one of the two sees the other.
static void sleep_until_notified(struct venus_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    if (!ring->notified) {
        atomic_fetch_or(ring->status, VENUS_RING_IDLE);
        atomic_thread_fence(memory_order_seq_cst);
        atomic_store(&ring->sleeping, true);
        while (!pending(ring) && !ring->notified && !ring_stopping(ring))
            pthread_cond_wait(&ring->wake, &ring->lock);
        venus_ledger_count(&ring->context->ledger, LINK_COUNT_WAKES, 1);
        atomic_store(&ring->sleeping, false);
        atomic_fetch_and(ring->status, ~(uint32_t)VENUS_RING_IDLE);
    }
    ring->notified = false;
    pthread_mutex_unlock(&ring->lock);
}

static void *ring_main(void *data)
{
    struct venus_ring *ring = data;
    os_thread_set_name("venus-ring");
    os_thread_set_timer_slack(NAP_SLACK_NS);
    if (ring->priority)
        os_thread_set_nice(ring->priority);

    uint64_t active_at = ring->dry_since = os_now_ns();
    while (!ring_stopping(ring)) {
        uint32_t size = pending(ring);
        if (!size) {
            if (!poll_tail(ring, active_at) && !ring_stopping(ring)) {
                sleep_until_notified(ring);
                active_at = os_now_ns();
                venus_rhythm_notified(&ring->rhythm, active_at);
                venus_rhythm_learn(&ring->rhythm, active_at - ring->dry_since);
            }
            continue;
        }
        if (size > ring->buffer_size || size % 4) {
            venus_context_lose(
                ring->context,
                "ring: its tail is further ahead than the buffer is long, or not a multiple of 4");
            break;
        }
        if (!run_batch(ring, size))
            break;
        active_at = ring->dry_since = os_now_ns();
        venus_holdings_look(ring->context, active_at);
    }
    wake_watcher(ring);
    return NULL;
}

// ---- creation -------------------------------------------------------------

struct region {
    uint64_t offset, size;
};

static bool regions_valid(const struct region *regions, unsigned count, uint64_t limit)
{
    for (unsigned i = 0; i < count; i++) {
        if (!checked_range(regions[i].offset, regions[i].size, limit) || regions[i].offset % 4)
            return false;
        for (unsigned j = 0; j < i; j++) {
            if (regions[i].size && regions[j].size &&
                regions[i].offset < regions[j].offset + regions[j].size &&
                regions[j].offset < regions[i].offset + regions[i].size)
                return false;
        }
    }
    return true;
}

static const char *layout_error(const VkRingCreateInfoMESA *info,
                                const struct venus_resource *resource)
{
    if (!resource)
        return "no such resource";
    if (resource->kind != LINK_RESOURCE_SHM)
        return "the resource is not shared memory";
    if (!checked_range(info->offset, info->size, resource->pages->size) || info->offset % 4)
        return "the ring lies outside its resource";
    if (!is_power_of_two_u64(info->bufferSize) || info->bufferSize > MAX_BUFFER_SIZE ||
        info->bufferSize < 64)
        return "the buffer's size is not a power of two up to 16 MiB";
    const struct region regions[] = {
        {info->headOffset, 4},
        {info->tailOffset, 4},
        {info->statusOffset, 4},
        {info->bufferOffset, info->bufferSize},
        {info->extraOffset, info->extraSize},
    };
    if (!regions_valid(regions, sizeof(regions) / sizeof(regions[0]), info->size))
        return "its parts overlap or lie outside";
    return NULL;
}

static void ring_free(struct venus_ring *ring)
{
    venus_stream_finish(&ring->stream);
    venus_resource_unref(ring->resource);
    pthread_cond_destroy(&ring->wake);
    pthread_cond_destroy(&ring->progress);
    pthread_mutex_destroy(&ring->lock);
    free(ring->copy);
    arena_budget_give(&ring->context->commands, ring->buffer_size);
    free(ring);
}

static struct venus_ring *find(struct venus_ring_list *list, uint64_t id)
{
    struct venus_ring *ring = list->first;
    while (ring && ring->id != id)
        ring = ring->next;
    return ring;
}

bool venus_ring_create(struct venus_context *context, uint64_t ring_id,
                       const VkRingCreateInfoMESA *info, const char **reason)
{
    struct venus_ring_list *list = context->rings;
    if (find(list, ring_id)) {
        *reason = "the ring's id is in use";
        return false;
    }
    if (list->count >= context->max_rings) {
        *reason = "too many rings";
        return false;
    }
    const VkRingMonitorInfoMESA *monitor =
        venus_chain_find(info, VK_STRUCTURE_TYPE_RING_MONITOR_INFO_MESA);
    const VkRingPriorityInfoMESA *priority =
        venus_chain_find(info, VK_STRUCTURE_TYPE_RING_PRIORITY_INFO_MESA);
    if (monitor && !monitor->maxReportingPeriodMicroseconds) {
        *reason = "a monitor with period 0";
        return false;
    }
    struct venus_resource *resource = venus_resource_get(&context->resources, info->resourceId);
    *reason = layout_error(info, resource);
    if (*reason) {
        venus_resource_unref(resource);
        return false;
    }

    bool affordable = arena_budget_take(&context->commands, info->bufferSize);
    struct venus_ring *ring = affordable ? calloc(1, sizeof(*ring)) : NULL;
    uint8_t *copy = affordable ? malloc(info->bufferSize) : NULL;
    if (!ring || !copy) {
        if (affordable)
            arena_budget_give(&context->commands, info->bufferSize);
        free(ring);
        free(copy);
        venus_resource_unref(resource);
        *reason = "out of memory";
        return false;
    }
    uint8_t *base = (uint8_t *)resource->pages->address + info->offset;
    ring->id = ring_id;
    ring->context = context;
    ring->resource = resource;
    ring->head = (_Atomic(uint32_t) *)(base + info->headOffset);
    ring->tail = (_Atomic(uint32_t) *)(base + info->tailOffset);
    ring->status = (_Atomic(uint32_t) *)(base + info->statusOffset);
    ring->buffer = base + info->bufferOffset;
    ring->buffer_size = (uint32_t)info->bufferSize;
    ring->extra = base + info->extraOffset;
    ring->extra_size = info->extraSize;
    venus_rhythm_init(&ring->rhythm, info->idleTimeout, os_turns_are_short(), os_now_ns());
    // A guest may be nicer than others, not less nice.
    ring->priority = priority && priority->priority > 0 ? priority->priority : 0;
    ring->copy = copy;
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->wake, NULL);
    pthread_cond_init(&ring->progress, NULL);
    venus_stream_init(&ring->stream, context, ring);
    ring->stream.ring_id = ring_id;
    if (atomic_load(ring->head) || atomic_load(ring->status)) {
        ring_free(ring);
        *reason = "head or status of a new ring is not 0";
        return false;
    }
    if (os_thread_create(&ring->thread, ring_main, ring)) {
        ring_free(ring);
        *reason = "no thread for the ring";
        return false;
    }
    pthread_mutex_lock(&list->lock);
    // It goes behind the others: the first ring is the one that is looked for most.
    struct venus_ring **last = &list->first;
    while (*last)
        last = &(*last)->next;
    *last = ring;
    list->count++;
    venus_ledger_count(&context->ledger, LINK_COUNT_RINGS, 1);
    pthread_mutex_unlock(&list->lock);
    if (monitor)
        venus_monitor_watch(list->monitor, ring->status, monitor->maxReportingPeriodMicroseconds);
    return true;
}

static void wake_ring(struct venus_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    pthread_mutex_unlock(&ring->lock);
    pthread_cond_broadcast(&ring->wake);
    pthread_cond_broadcast(&ring->progress);
}

static void ring_end(struct venus_ring_list *list, struct venus_ring *ring)
{
    pthread_mutex_lock(&list->lock);
    struct venus_ring **at = &list->first;
    while (*at != ring)
        at = &(*at)->next;
    *at = ring->next;
    list->count--;
    venus_ledger_count(&list->context->ledger, LINK_COUNT_RINGS, (uint64_t)-1);
    pthread_mutex_unlock(&list->lock);

    venus_monitor_unwatch(list->monitor, ring->status);
    atomic_store(&ring->stream.stopping, true);
    wake_ring(ring);
    pthread_join(ring->thread, NULL);
    ring_free(ring);
}

bool venus_ring_destroy(struct venus_context *context, uint64_t ring_id, const char **reason)
{
    struct venus_ring *ring = find(context->rings, ring_id);
    if (!ring) {
        *reason = "no such ring";
        return false;
    }
    ring_end(context->rings, ring);
    return true;
}

bool venus_ring_list_create(struct venus_context *context)
{
    struct venus_ring_list *list = calloc(1, sizeof(*list));
    if (!list)
        return false;
    list->context = context;
    pthread_mutex_init(&list->lock, NULL);
    context->rings =
        list; // the monitor's thread looks there at once, should the guest be gone already
    list->monitor = venus_monitor_create(context);
    if (!list->monitor) {
        context->rings = NULL;
        pthread_mutex_destroy(&list->lock);
        free(list);
        return false;
    }
    return true;
}

void venus_ring_list_destroy(struct venus_ring_list *list)
{
    if (!list)
        return;
    while (list->first)
        ring_end(list, list->first);
    venus_monitor_destroy(list->monitor);
    pthread_mutex_destroy(&list->lock);
    free(list);
}

void venus_ring_list_fatal(struct venus_ring_list *list)
{
    pthread_mutex_lock(&list->lock);
    for (struct venus_ring *ring = list->first; ring; ring = ring->next)
        atomic_fetch_or(ring->status, VENUS_RING_FATAL);
    pthread_mutex_unlock(&list->lock);
}

void venus_ring_list_wake(struct venus_ring_list *list)
{
    pthread_mutex_lock(&list->lock);
    for (struct venus_ring *ring = list->first; ring; ring = ring->next)
        wake_ring(ring);
    pthread_mutex_unlock(&list->lock);
}

// ---- what the context stream does with rings ------------------------------

static void notify(struct venus_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->notified = true;
    pthread_mutex_unlock(&ring->lock);
    pthread_cond_signal(&ring->wake);
}

bool venus_ring_notify(struct venus_context *context, uint64_t ring_id, const char **reason)
{
    struct venus_ring *ring = find(context->rings, ring_id);
    if (!ring) {
        *reason = "no such ring";
        return false;
    }
    notify(ring);
    return true;
}

bool venus_ring_write_extra(struct venus_context *context, uint64_t ring_id, uint64_t offset,
                            uint32_t value, const char **reason)
{
    struct venus_ring *ring = find(context->rings, ring_id);
    if (!ring || !checked_range(offset, sizeof(value), ring->extra_size) || offset % 4) {
        *reason = ring ? "outside of the ring's extra part" : "no such ring";
        return false;
    }
    atomic_store((_Atomic(uint32_t) *)(ring->extra + offset), value);
    return true;
}

static bool has_come(const struct venus_ring *ring, uint64_t seqno)
{
    return atomic_load_explicit(&ring->virtqueue_seqno, memory_order_acquire) >= seqno;
}

// Before anybody has to wake us: as long as `sleeps` sleeps of those that it passes cost.
static bool look_for(struct venus_ring *ring, struct patience *patience, unsigned sleeps,
                     bool (*is_there)(const struct venus_ring *ring, uint64_t seqno),
                     uint64_t seqno)
{
    unsigned looks = sleeps * patience_looks(patience);
    if (!looks || atomic_load_explicit(&ring->sleeping, memory_order_relaxed))
        return false;
    bool ok = is_there(ring, seqno);
    while (!ok && looks--) {
        for (unsigned i = 0; i < 20 && !is_there(ring, seqno); i++)
            os_cpu_relax();
        sched_yield();
        ok = is_there(ring, seqno);
    }
    patience_learn(patience, ok);
    return ok;
}

// Errors: what the stream is told; NULL: reached.
static const char *sleep_for(struct venus_ring *ring, uint32_t target)
{
    while (!reached(ring, target)) {
        if (ring_stopping(ring))
            return "the context is ending";
        if (atomic_load(&ring->sleeping)) {
            // Asleep with less than asked for in the ring, nothing will ever move it.
            if ((int32_t)(atomic_load(ring->tail) - target) < 0)
                return "the ring is idle and does not hold this seqno";
            ring->notified = true;
            pthread_cond_signal(&ring->wake);
        }
        wait_slice(&ring->progress, &ring->lock, VENUS_WAIT_SLICE_NS);
    }
    return NULL;
}

bool venus_ring_wait_seqno(struct venus_context *context, uint64_t ring_id, uint64_t seqno,
                           const char **reason)
{
    struct venus_ring *ring = find(context->rings, ring_id);
    if (!ring) {
        *reason = "no such ring";
        return false;
    }
    uint32_t target = (uint32_t)seqno;
    if (reached(ring, target) || look_for(ring, &ring->seqno_patience, 1, reached, target))
        return true;
    atomic_store(&ring->awaited, target);
    atomic_store(&ring->watched, true);
    atomic_thread_fence(memory_order_seq_cst);
    pthread_mutex_lock(&ring->lock);
    const char *error = sleep_for(ring, target);
    pthread_mutex_unlock(&ring->lock);
    atomic_store(&ring->watched, false);
    if (error)
        *reason = error;
    return !error;
}

bool venus_ring_submit_virtqueue_seqno(struct venus_context *context, uint64_t ring_id,
                                       uint64_t seqno, const char **reason)
{
    struct venus_ring *ring = find(context->rings, ring_id);
    if (!ring) {
        *reason = "no such ring";
        return false;
    }
    pthread_mutex_lock(&ring->lock);
    atomic_store(&ring->virtqueue_seqno, seqno);
    ring->notified = true;
    pthread_mutex_unlock(&ring->lock);
    pthread_cond_broadcast(&ring->wake);
    return true;
}

bool venus_ring_wait_virtqueue_seqno(struct venus_ring *ring, uint64_t seqno, const char **reason)
{
    venus_ring_publish(ring);
    // It is on its way through the device process and the context's thread.
    if (look_for(ring, &ring->virtqueue_patience, 2, has_come, seqno))
        return true;
    pthread_mutex_lock(&ring->lock);
    while (!has_come(ring, seqno) && !ring_stopping(ring))
        pthread_cond_wait(&ring->wake, &ring->lock);
    bool ok = has_come(ring, seqno);
    pthread_mutex_unlock(&ring->lock);
    if (!ok)
        *reason = "the context is ending";
    return ok;
}

bool venus_ring_uses_resource(struct venus_context *context, uint32_t resource_id)
{
    for (struct venus_ring *ring = context->rings->first; ring; ring = ring->next) {
        if (ring->resource->id == resource_id)
            return true;
    }
    return false;
}
