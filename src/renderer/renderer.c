#include "renderer/private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "link/pool.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/process.h"
#include "os/shm.h"
#include "os/starter.h"

enum {
    // Those that any context costs: its link and its worker's refusals, a client's socket, a wait
    // and a file on their way to the client, two descriptors that tell it of the past.
    EACH_DESCRIPTORS = 8,
    // Those of this process: the loop, sockets, displays, workers that end, callers.
    MOST_OWN_DESCRIPTORS = 512,
};

// ---- losses ---------------------------------------------------------------

// A loss is noted where it is found, and carried out at the end of the round: so nothing that a
// caller holds goes away while it sends.
void renderer_lose(struct renderer *renderer, const char *format, ...)
{
    if (renderer->is_lost)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(renderer->why, sizeof(renderer->why), format, arguments);
    va_end(arguments);
    renderer->is_lost = true;
    list_remove(&renderer->node);
    list_append(&renderer->all->lost, &renderer->node);
    os_source_set_deadline(renderer->all->end_round, 1);
}

static void retire_first(struct renderer *renderer, uint32_t timeline)
{
    struct list *list = &renderer->timelines[timeline];
    struct renderer_fence *fence = LIST_FIRST(list, struct renderer_fence, node);
    list_remove(&fence->node);
    if (list_is_empty(list))
        renderer->busy &= ~(1ull << timeline);
    renderer->callbacks.retired(renderer->data, fence);
}

// Only so many descriptors are still held for the context.
static void keep_descriptors(struct renderer *renderer, uint32_t count)
{
    renderer_account_discharge(renderer->account, RENDERER_DESCRIPTORS,
                               renderer->descriptors - count);
    renderer->descriptors = count;
}

static void end_worker(struct renderer *renderer)
{
    renderer->is_lost = true;
    list_remove(&renderer->node);
    link_child_release(renderer->worker);
    renderer->worker = NULL;
    keep_descriptors(renderer, 0);
    renderer_account_close(renderer->account);
}

static void settle_debts(struct renderer *renderer)
{
    for (struct renderer_blob *blob;
         (blob = LIST_FIRST(&renderer->blobs, struct renderer_blob, node));) {
        list_remove(&blob->node);
        renderer->callbacks.blob(renderer->data, blob, -EIO, NULL);
    }
    while (renderer->busy)
        retire_first(renderer, (uint32_t)__builtin_ctzll(renderer->busy));
}

static void free_renderer(struct renderer *renderer)
{
    renderer_account_unref(renderer->account);
    free(renderer);
}

// A callback has returned. True: the renderer is gone.
static bool is_over(struct renderer *renderer)
{
    renderer->is_calling = false;
    if (!renderer->is_destroyed)
        return false;
    free_renderer(renderer);
    return true;
}

static void carry_out(struct renderer *renderer)
{
    end_worker(renderer);
    renderer->all->lost_so_far += !renderer->silent;
    renderer->is_calling = true;
    renderer->callbacks.lost(renderer->data, renderer->silent ? NULL : renderer->why);
    if (is_over(renderer))
        return;
    settle_debts(renderer);
}

static void end_round(void *data)
{
    struct renderers *all = data;
    for (struct renderer *lost; (lost = LIST_FIRST(&all->lost, struct renderer, node));)
        carry_out(lost);
}

// ---- watchdog -------------------------------------------------------------

static void watch(struct renderers *all, uint64_t now)
{
    if (all->watching || !all->options.max_wait_ns)
        return;
    all->watching = true;
    os_source_set_deadline(all->watchdog, now + all->options.max_wait_ns / 2);
}

// Since when the worker owes something; 0: it owes nothing. *what names it.
static uint64_t oldest_debt(const struct renderer *renderer, const char **what)
{
    uint64_t oldest = renderer->unread_since_ns;
    *what = "has not read its commands";
    for (uint64_t busy = renderer->busy; busy; busy &= busy - 1) {
        const struct list *list = &renderer->timelines[__builtin_ctzll(busy)];
        const struct renderer_fence *fence = LIST_FIRST(list, struct renderer_fence, node);
        if (!oldest || fence->since_ns < oldest) {
            oldest = fence->since_ns;
            *what = "owes a fence";
        }
    }
    const struct renderer_blob *blob = LIST_FIRST(&renderer->blobs, struct renderer_blob, node);
    if (blob && (!oldest || blob->since_ns < oldest)) {
        oldest = blob->since_ns;
        *what = "owes a blob";
    }
    return oldest;
}

static void look_for_debts(void *data)
{
    struct renderers *all = data;
    uint64_t now = os_now_ns(), next = 0;
    all->watching = false;
    LIST_EACH (node, &all->alive) {
        struct renderer *renderer = LIST_ENTRY(node, struct renderer, node);
        const char *what;
        uint64_t since = oldest_debt(renderer, &what);
        if (!since)
            continue;
        uint64_t cpu_ns = 0;
        bool known = os_process_cpu((pid_t)renderer_pid(renderer), &cpu_ns);
        uint64_t again =
            watchdog_look(&renderer->watchdog, all->options.max_wait_ns, since, now, known, cpu_ns);
        if (!again)
            renderer_lose(renderer, "its worker %s for %.1f s: hung", what,
                          (double)(now - since) / 1e9);
        else if (!next || again < next)
            next = again;
    }
    if (next) {
        all->watching = true;
        os_source_set_deadline(all->watchdog, next);
    }
}

// ---- sending --------------------------------------------------------------

void renderer_send(struct renderer *renderer, uint16_t type, const void *payload, size_t size,
                   const void *tail, size_t tail_size, int fd)
{
    if (renderer->is_lost)
        return;
    int error =
        link_child_send(renderer->worker, type, payload, size, tail, tail_size, &fd, fd >= 0);
    if (link_is_broken(error)) // of -EPIPE its end will tell: its last words come first
        renderer_lose(renderer, "nothing can be sent to its worker: %s", strerror(-error));
    if (error == -EAGAIN && fd >= 0) { // a duplicate of it waits
        if (renderer_account_charge(renderer->account, RENDERER_DESCRIPTORS, 1))
            renderer->descriptors++;
        else
            renderer_lose(renderer, "its worker does not read its commands: %u descriptors wait",
                          renderer->descriptors - EACH_DESCRIPTORS);
    }
    if (error == -EAGAIN) {
        if (link_queued(link_child_link(renderer->worker)) > RENDERER_MAX_QUEUED) {
            renderer_lose(renderer, "its worker does not read its commands: %zu bytes wait",
                          link_queued(link_child_link(renderer->worker)));
        } else if (!renderer->unread_since_ns) {
            renderer->unread_since_ns = os_now_ns();
            watch(renderer->all, renderer->unread_since_ns);
        }
    }
}

void renderer_trace(struct renderer *renderer, int tracer)
{
    renderer_send(renderer, LINK_TRACE, NULL, 0, NULL, 0, tracer);
}

bool renderer_is_lost(const struct renderer *renderer)
{
    return renderer->is_lost;
}

bool renderer_is_full(const struct renderer *renderer)
{
    // Between the closing of the link and the word that the worker has ended there is none.
    struct link *link = renderer->is_lost ? NULL : link_child_link(renderer->worker);
    return link && link_queued(link) > renderer->all->options.max_queued;
}

void renderer_hold(struct renderer *renderer)
{
    if (!renderer->is_lost)
        link_child_hold(renderer->worker);
}

void renderer_flush(struct renderer *renderer)
{
    int error = renderer->is_lost ? 0 : link_child_flush(renderer->worker);
    if (link_is_broken(error))
        renderer_lose(renderer, "nothing can be sent to its worker: %s", strerror(-error));
}

// ---- fences ---------------------------------------------------------------

static void append(struct renderer *renderer, uint32_t timeline, struct renderer_fence *fence,
                   uint64_t serial)
{
    fence->serial = serial;
    fence->since_ns = os_now_ns();
    fence->lost = false;
    list_append(&renderer->timelines[timeline], &fence->node);
    renderer->busy |= 1ull << timeline;
    watch(renderer->all, fence->since_ns);
}

void renderer_submit(struct renderer *renderer, uint32_t timeline, struct renderer_fence *fence,
                     const void *bytes, size_t size)
{
    struct link_submit submit = {.ring_idx = timeline, .byte_count = (uint32_t)size};
    if (fence) {
        submit.fence_id = ++renderer->serial;
        append(renderer, timeline, fence, submit.fence_id);
    }
    renderer_send(renderer, LINK_SUBMIT, &submit, sizeof(submit), bytes, size, -1);
}

bool renderer_follow(struct renderer *renderer, uint32_t timeline, struct renderer_fence *fence)
{
    if (list_is_empty(&renderer->timelines[timeline]))
        return false;
    append(renderer, timeline, fence, 0);
    return true;
}

// A timeline retires in order: whatever the worker left out is done as well.
static bool retire(struct renderer *renderer, uint32_t timeline, uint64_t serial, bool lost)
{
    if (timeline >= RENDERER_TIMELINES || serial > renderer->serial)
        return false;
    const struct list *list = &renderer->timelines[timeline];
    while (!list_is_empty(list) &&
           LIST_FIRST(list, struct renderer_fence, node)->serial <= serial) {
        LIST_FIRST(list, struct renderer_fence, node)->lost = lost;
        retire_first(renderer, timeline);
    }
    return true;
}

static bool retire_fences(struct renderer *renderer, const struct link_message *message)
{
    const struct link_fence_retired *fences = (const void *)message->payload;
    for (size_t i = 0; i < message->size / sizeof(*fences); i++)
        if (!retire(renderer, fences[i].ring_idx, fences[i].fence_id,
                    fences[i].flags & LINK_FENCE_LOST))
            return false;
    return true;
}

// ---- blobs ----------------------------------------------------------------

static void expect(struct renderer *renderer, struct renderer_blob *blob, uint32_t resource_id,
                   uint64_t size, bool exported)
{
    *blob = (struct renderer_blob){
        .resource_id = resource_id, .size = size, .exported = exported, .since_ns = os_now_ns()};
    list_append(&renderer->blobs, &blob->node);
    watch(renderer->all, blob->since_ns);
}

void renderer_attach(struct renderer *renderer, uint32_t resource_id, enum link_resource_kind kind,
                     int fd, uint64_t offset, uint64_t size, struct renderer_blob *blob)
{
    struct link_resource_attach attach = {.resource_id = resource_id,
                                          .kind = (uint16_t)kind,
                                          .flags = blob ? LINK_ATTACH_ANSWER : 0,
                                          .offset = offset,
                                          .size = size};
    if (blob)
        expect(renderer, blob, resource_id, size, false);
    renderer_send(renderer, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0, fd);
}

void renderer_detach(struct renderer *renderer, uint32_t resource_id)
{
    struct link_resource_detach detach = {.resource_id = resource_id};
    renderer_send(renderer, LINK_RESOURCE_DETACH, &detach, sizeof(detach), NULL, 0, -1);
}

void renderer_export(struct renderer *renderer, uint32_t resource_id, uint64_t memory_id,
                     uint32_t flags, uint64_t size, struct renderer_blob *blob)
{
    struct link_blob_export export = {
        .resource_id = resource_id, .blob_flags = flags, .memory_id = memory_id, .size = size};
    expect(renderer, blob, resource_id, size, true);
    renderer_send(renderer, LINK_BLOB_EXPORT, &export, sizeof(export), NULL, 0, -1);
}

// The blob that the worker answers for, which it does not owe any more. NULL: it was not asked.
static struct renderer_blob *take_blob(struct renderer *renderer, uint32_t resource_id,
                                       bool exported)
{
    LIST_EACH (node, &renderer->blobs) {
        struct renderer_blob *blob = LIST_ENTRY(node, struct renderer_blob, node);
        if (blob->resource_id == resource_id && blob->exported == exported) {
            list_remove(node);
            return blob;
        }
    }
    return NULL;
}

// What a worker offers goes into the guest, and must be there to stay.
static bool is_sound(const struct renderer_memory *memory, uint64_t wanted, uint64_t page)
{
    int64_t size = memory->fd < 0 ? -1 : os_shm_size(memory->fd);
    return size >= 0 && os_shm_is_fixed(memory->fd) && memory->map_info >= 1 &&
           memory->map_info <= 3 && memory->offset % page == 0 && memory->size % page == 0 &&
           memory->size >= wanted && checked_range(memory->offset, memory->size, (uint64_t)size);
}

static bool exported(struct renderer *renderer, const struct link_message *message)
{
    const struct link_blob_exported *answer = (const void *)message->payload;
    struct renderer_blob *blob = take_blob(renderer, answer->resource_id, true);
    if (!blob)
        return false;
    if (answer->result < 0) {
        renderer->callbacks.blob(renderer->data, blob, answer->result, NULL);
        return true;
    }
    struct renderer_memory memory = {.fd = link_take_fd(link_child_link(renderer->worker), 0),
                                     .map_info = answer->map_info,
                                     .offset = answer->offset,
                                     .size = answer->size};
    if (is_sound(&memory, blob->size, renderer->all->options.page_size)) {
        renderer->callbacks.blob(renderer->data, blob, 0, &memory);
        return true;
    }
    if (memory.fd >= 0)
        close(memory.fd);
    list_append(&renderer->blobs, &blob->node); // it fails with the context
    return false;
}

static bool attached(struct renderer *renderer, const struct link_message *message)
{
    const struct link_resource_attached *answer = (const void *)message->payload;
    struct renderer_blob *blob = take_blob(renderer, answer->resource_id, false);
    if (blob)
        renderer->callbacks.blob(renderer->data, blob, 0, NULL);
    return blob;
}

// ---- the worker -----------------------------------------------------------

static bool count_failures(struct renderer *renderer, const struct link_message *message)
{
    uint64_t total = ((const struct link_creations_failed *)message->payload)->total;
    if (total <= renderer->failures)
        return true; // threads of a worker may overtake each other
    if (renderer->callbacks.failed)
        renderer->callbacks.failed(renderer->data, total - renderer->failures);
    renderer->failures = total;
    return true;
}

// Refused or not, the worker goes on; the guest's program learns of it.
static bool answer_ask(struct renderer *renderer, const struct link_message *message)
{
    const struct link_memory_ask *ask = (const void *)message->payload;
    char what[64] = "what its driver needs for it";
    if (renderer_account_answer(renderer->account, ask) || renderer->account->refusals > 1)
        return true;
    if (ask->bytes)
        snprintf(what, sizeof(what), "%llu MiB of memory", (unsigned long long)ask->bytes >> 20);
    log_warning("context %u (%s): %s refused: the guest's share is used up (--gpu-memory)",
                renderer->context_id, renderer->name, what);
    return true;
}

static bool on_message(void *data, const struct link_message *message)
{
    struct renderer *renderer = data;
    bool ok = false;
    if (renderer->is_lost)
        return false;
    renderer->is_calling = true;
    switch (message->type) {
    case LINK_FENCE_RETIRED:
        ok = retire_fences(renderer, message);
        break;
    case LINK_BLOB_EXPORTED:
        ok = exported(renderer, message);
        break;
    case LINK_RESOURCE_ATTACHED:
        ok = attached(renderer, message);
        break;
    case LINK_CREATIONS_FAILED:
        ok = count_failures(renderer, message);
        break;
    case LINK_MEMORY_ASK:
        ok = answer_ask(renderer, message);
        break;
    case LINK_CONTEXT_LOST:
        renderer->silent = !message->size;
        renderer_lose(renderer, "%.*s", (int)message->size, (const char *)message->payload);
        ok = true;
        break;
    }
    if (!ok)
        renderer_lose(renderer, "its worker breaks the protocol (message %u)", message->type);
    if (renderer->callbacks.told)
        renderer->callbacks.told(renderer->data);
    return !is_over(renderer) && !renderer->is_lost;
}

static void on_drained(void *data)
{
    struct renderer *renderer = data;
    renderer->unread_since_ns = 0;
    keep_descriptors(renderer, EACH_DESCRIPTORS);
    if (renderer->callbacks.drained)
        renderer->callbacks.drained(renderer->data);
}

static void on_gone(void *data, int status, const char *how)
{
    renderer_lose(data, "its worker ended: %s", how);
}

// ---- life -----------------------------------------------------------------

struct renderers *renderers_create(struct os_loop *loop, const struct renderers_options *options)
{
    struct renderers *all = calloc(1, sizeof(*all));
    if (!all)
        return NULL;
    all->loop = loop;
    all->options = *options;
    uint64_t limits[RENDERER_KINDS] = {[RENDERER_DESCRIPTORS] = renderers_descriptors()};
    memcpy(limits, options->max_memory, sizeof(options->max_memory));
    renderer_budget_init(&all->budget, limits);
    renderer_account_init(&all->account, &all->budget);
    list_init(&all->alive);
    list_init(&all->lost);
    all->end_round = os_loop_add_timer(loop, 0, end_round, all);
    all->watchdog = os_loop_add_timer(loop, 0, look_for_debts, all);
    if (all->end_round && all->watchdog)
        return all;
    renderers_destroy(all);
    return NULL;
}

void renderers_destroy(struct renderers *renderers)
{
    if (!renderers)
        return;
    os_source_remove(renderers->end_round);
    os_source_remove(renderers->watchdog);
    free(renderers);
}

uint32_t renderers_descriptors(void)
{
    size_t all = os_file_limit(),
           own = all / 4 < MOST_OWN_DESCRIPTORS ? all / 4 : MOST_OWN_DESCRIPTORS;
    return all - own < UINT32_MAX ? (uint32_t)(all - own) : UINT32_MAX;
}

struct renderer_account *renderers_account(struct renderers *renderers)
{
    return &renderers->account;
}

struct renderer *renderer_create(struct renderers *renderers, uint32_t context_id,
                                 const char name[64], const struct renderer_callbacks *callbacks,
                                 void *data, int *error)
{
    static const struct link_child_callbacks worker_callbacks = {
        .message = on_message, .drained = on_drained, .gone = on_gone};
    const struct renderers_options *options = &renderers->options;
    struct renderer *renderer = calloc(1, sizeof(*renderer));
    *error = -ENOMEM;
    if (!renderer)
        return NULL;
    renderer->all = renderers;
    renderer->context_id = context_id;
    memcpy(renderer->name, name, sizeof(renderer->name));
    renderer->callbacks = *callbacks;
    renderer->data = data;
    list_init(&renderer->blobs);
    for (uint32_t i = 0; i < RENDERER_TIMELINES; i++)
        list_init(&renderer->timelines[i]);
    int ledger;
    renderer_budget_know_card(&renderers->budget, link_pool_card_memory(options->pool));
    renderer->account = renderer_account_open(&renderers->budget, &ledger, error);
    if (!*error) {
        renderer->descriptors = EACH_DESCRIPTORS;
        if (!renderer_account_charge(renderer->account, RENDERER_DESCRIPTORS, EACH_DESCRIPTORS))
            *error = -EMFILE;
    }
    if (!*error)
        *error = link_pool_take(options->pool, &worker_callbacks, renderer, &renderer->worker);
    if (*error) {
        if (ledger >= 0)
            close(ledger);
        renderer_account_unref(renderer->account);
        free(renderer);
        return NULL;
    }
    list_append(&renderers->alive, &renderer->node);
    renderers->created++;
    struct link_context_create create = {
        .context_id = context_id,
        .flags = options->context_flags,
        .max_rings = options->max_rings,
        .max_resources = options->max_resources,
    };
    for (unsigned kind = 0; kind < LINK_MEMORY_KINDS; kind++)
        create.max_memory[kind] = renderer_budget_share(&renderers->budget, kind);
    memcpy(create.name, name, sizeof(create.name));
    renderer_send(renderer, LINK_CONTEXT_CREATE, &create, sizeof(create), NULL, 0, ledger);
    close(ledger);
    int tracer = options->trace_path ? os_starter_connect(options->trace_path) : -1;
    if (tracer >= 0) {
        renderer_trace(renderer, tracer);
        close(tracer);
    } else if (options->trace_path) {
        log_warning("context %u (%s) is not traced: nobody listens at '%s': %s", context_id,
                    renderer->name, options->trace_path, strerror(-tracer));
    }
    return renderer;
}

void renderer_end(struct renderer *renderer)
{
    end_worker(renderer);
    settle_debts(renderer);
}

void renderer_destroy(struct renderer *renderer)
{
    if (!renderer)
        return;
    renderer->is_destroyed = true;
    list_remove(&renderer->node);
    link_child_release(renderer->worker);
    renderer->worker = NULL;
    renderer->is_lost = true;
    keep_descriptors(renderer, 0);
    renderer_account_close(renderer->account);
    if (!renderer->is_calling)
        free_renderer(renderer);
}

long renderer_pid(const struct renderer *renderer)
{
    return renderer->worker ? link_child_pid(renderer->worker) : -1;
}

struct renderer_account *renderer_account(const struct renderer *renderer)
{
    return renderer->account;
}
