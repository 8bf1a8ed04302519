#include "link/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "link/child_private.h"
#include "link/context_messages.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/starter.h"

#define MS 1000000ull
// The next spare is started this long after one was taken, so that loading its driver does not slow
// down the taker's start.
#define SPARE_DELAY_NS (500 * MS)

enum { MAX_ARGUMENTS = 18 }; // the last two say which descriptor is the link

struct link_pool {
    struct os_loop *loop;
    char *command[MAX_ARGUMENTS + 1];
    unsigned command_count;
    uint64_t grace_ns;
    bool keep_spare;
    bool first_known; // how the first spare fared
    bool draining;
    struct list children;
    struct link_child *spare;
    struct os_source *spare_timer;
    link_pool_ready ready;
    void *ready_data;
    char devices[LINK_MAX_TEXT + 1];
    uint64_t card_memory;
};

static void tell_first(struct link_pool *pool, bool ready, int status)
{
    if (pool->first_known)
        return;
    pool->first_known = true;
    if (pool->ready)
        pool->ready(pool->ready_data, ready, status);
}

static bool on_message(void *data, struct link_child *child, const struct link_message *message)
{
    struct link_pool *pool = data;
    if (message->type == LINK_WORKER_READY && !child->ready) {
        child->ready = true;
        if (!pool->first_known) {
            snprintf(pool->devices, sizeof(pool->devices), "%.*s", (int)message->size,
                     (const char *)message->payload);
            log_info("GPU: %s", pool->devices);
        }
        tell_first(pool, true, 0);
        return true;
    }
    if (message->type == LINK_WORKER_REFUSALS && !child->ready) {
        link_child_hear_refusals(child, link_take_fd(child->link, 0));
        return true;
    }
    // No guest has had a say in it yet.
    if (message->type == LINK_WORKER_CARD && !child->ready) {
        if (!pool->first_known)
            pool->card_memory = ((const struct link_worker_card *)message->payload)->bytes;
        return true;
    }
    if (message->type == LINK_CONTEXT_LOST && !child->taken) { // its end tells the rest
        log_error("%.*s", (int)message->size, (const char *)message->payload);
        return true;
    }
    return false;
}

static void on_end(void *data, struct link_child *child, int status, const char *how)
{
    struct link_pool *pool = data;
    if (pool->spare == child) {
        pool->spare = NULL;
        if (pool->first_known && !pool->draining)
            log_warning("a spare worker ended: %s", how);
        link_child_release(child);
    }
    if (!child->ready)
        tell_first(pool, false, status);
}

static int start(struct link_pool *pool, struct link_child **started)
{
    static const struct link_child_watcher watcher = {.message = on_message, .ended = on_end};
    int error =
        link_child_start(&(struct link_child_options){.loop = pool->loop,
                                                      .command = (const char *const *)pool->command,
                                                      .grace_ns = pool->grace_ns,
                                                      .watcher = &watcher,
                                                      .watcher_data = pool},
                         started);
    if (error)
        return error;
    list_append(&pool->children, &(*started)->node);
    log_debug("process %ld started", link_child_pid(*started));
    return 0;
}

static int start_spare(struct link_pool *pool)
{
    return pool->spare || !pool->keep_spare ? 0 : start(pool, &pool->spare);
}

static void on_spare_timer(void *data)
{
    struct link_pool *pool = data;
    int error = start_spare(pool);
    if (!error)
        return;
    log_warning("no worker can be started: %s: %s", pool->command[0], strerror(-error));
    tell_first(pool, false, -1);
}

int link_pool_create(struct os_loop *loop, const struct link_pool_options *options,
                     struct link_pool **created)
{
    *created = NULL;
    struct link_pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    list_init(&pool->children);
    pool->loop = loop;
    pool->grace_ns = options->grace_ns ? options->grace_ns : 2000 * MS;
    pool->keep_spare = options->keep_spare;
    pool->spare_timer = os_loop_add_timer(loop, 0, on_spare_timer, pool);
    int error = pool->spare_timer ? link_pool_set_command(pool, options->command) : -ENOMEM;
    if (error) {
        link_pool_destroy(pool);
        return error;
    }
    // If that fails, the timer is due at once: it tries again, and tells.
    if (start_spare(pool) == 0)
        os_source_set_deadline(pool->spare_timer, 0);
    *created = pool;
    return 0;
}

void link_pool_on_ready(struct link_pool *pool, link_pool_ready callback, void *data)
{
    pool->ready = callback;
    pool->ready_data = data;
}

static bool add_argument(struct link_pool *pool, const char *argument)
{
    char *copy = strdup(argument);
    if (!copy)
        return false;
    pool->command[pool->command_count++] = copy;
    pool->command[pool->command_count] = NULL;
    return true;
}

int link_pool_set_command(struct link_pool *pool, const char *const *command)
{
    char link[16];
    snprintf(link, sizeof(link), "%d", OS_CHILD_FD);
    while (pool->command_count)
        free(pool->command[--pool->command_count]);
    for (; *command; command++) {
        if (pool->command_count == MAX_ARGUMENTS - 2)
            return -E2BIG;
        if (!add_argument(pool, *command))
            return -ENOMEM;
    }
    if (!add_argument(pool, "--fd") || !add_argument(pool, link))
        return -ENOMEM;
    pool->first_known = false;
    os_source_set_deadline(pool->spare_timer, os_now_ns());
    return os_starter_teach((const char *const *)pool->command);
}

const char *link_pool_devices(const struct link_pool *pool)
{
    return pool->devices;
}

uint64_t link_pool_card_memory(const struct link_pool *pool)
{
    return pool->card_memory;
}

void link_pool_destroy(struct link_pool *pool)
{
    if (!pool)
        return;
    pool->draining = true;
    pool->ready = NULL;
    os_source_remove(pool->spare_timer);
    link_child_release(pool->spare);
    pool->spare = NULL;
    // The loop's own callbacks must not run any more (their owners are going): wait here, in small
    // steps.
    uint64_t deadline = os_now_ns() + pool->grace_ns, pause = MS / 4;
    bool killed = false;
    for (;;) {
        LIST_EACH (node, &pool->children)
            link_child_reap(LIST_ENTRY(node, struct link_child, node));
        if (list_is_empty(&pool->children))
            break;
        if (!killed && os_now_ns() >= deadline) {
            LIST_EACH (node, &pool->children)
                link_child_kill(LIST_ENTRY(node, struct link_child, node));
            killed = true;
        }
        os_sleep_ns(pause);
        if (pause < 16 * MS)
            pause *= 2;
    }
    while (pool->command_count)
        free(pool->command[--pool->command_count]);
    free(pool);
}

int link_pool_take(struct link_pool *pool, const struct link_child_callbacks *callbacks, void *data,
                   struct link_child **taken)
{
    struct link_child *child = pool->spare;
    pool->spare = NULL;
    *taken = NULL;
    if (child && !child->link) { // ended, not yet reaped
        link_child_release(child);
        child = NULL;
    }
    int error = child ? 0 : start(pool, &child);
    if (error)
        return error;
    link_child_give(child, callbacks, data);
    if (pool->keep_spare)
        os_source_set_deadline(pool->spare_timer, os_now_ns() + SPARE_DELAY_NS);
    *taken = child;
    return 0;
}
