#include "link/worker.h"

#include "base/log.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000ull

enum { WORKER_FD = 3, MAX_ARGUMENTS = 16 };

// After the link closes, the exit status usually arrives within this time: it makes a better log
// line.
#define STATUS_PATIENCE_NS (200 * MS)
// The next spare is started this long after one was taken, so that loading its driver does not slow
// down the taker's start.
#define SPARE_DELAY_NS (500 * MS)

struct link_worker {
    struct link_pool *pool;
    struct link_worker *next, **at; // in the pool's list, from spawn to reaping
    pid_t pid;                      // 0 when reaped
    bool ending;                    // on_child is at work and will free it
    struct link *link;              // NULL once closed
    struct os_source *link_source, *child_source, *timer;
    bool ready;    // said LINK_WORKER_READY
    bool taken;    // has an owner: callbacks are set
    bool gone;     // the owner was told
    bool released; // has no owner any more
    bool muted;    // the owner wants no more messages
    struct link_worker_callbacks callbacks;
    void *data;
};

struct link_pool {
    struct os_loop *loop;
    char *command[MAX_ARGUMENTS];
    unsigned command_count;
    uint64_t grace_ns;
    bool keep_spare;
    bool first_known; // the fate of the first spare
    bool draining;
    struct link_worker *workers, *spare;
    struct os_source *spare_timer;
    link_pool_ready ready;
    void *ready_data;
    char devices[LINK_MAX_TEXT + 1];
};

static void describe_end(int status, char *text, size_t size)
{
    if (status == -1)
        snprintf(text, size, "its end was not seen");
    else if (WIFSIGNALED(status))
        snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
}

static void tell_first(struct link_pool *pool, bool ready, int status)
{
    if (pool->first_known)
        return;
    pool->first_known = true;
    if (pool->ready)
        pool->ready(pool->ready_data, ready, status);
}

static void close_link(struct link_worker *worker)
{
    os_source_remove(worker->link_source);
    worker->link_source = NULL;
    link_destroy(worker->link);
    worker->link = NULL;
}

static void free_worker(struct link_worker *worker)
{
    close_link(worker);
    os_source_remove(worker->timer);
    os_source_remove(worker->child_source);
    *worker->at = worker->next;
    if (worker->next)
        worker->next->at = worker->at;
    free(worker);
}

static void report_gone(struct link_worker *worker, const char *how)
{
    if (worker->taken && !worker->gone && !worker->released) {
        worker->gone = true;
        worker->callbacks.gone(worker->data, how);
    }
}

// One timer, three steps: the link closed → the owner hears it even without an exit status →
// SIGKILL.
static void on_timer(void *data)
{
    struct link_worker *worker = data;
    if (worker->taken && !worker->gone && !worker->released) {
        os_source_set_deadline(worker->timer, os_now_ns() + worker->pool->grace_ns);
        report_gone(worker, "closed its connection");
        return; // the owner may have released it; it lives until it is reaped
    }
    if (worker->pid > 0) { // not reaped yet, so still our child
        log_debug("worker %ld does not end: killed", (long)worker->pid);
        kill(worker->pid, SIGKILL);
    }
}

static void dispatch_messages(struct link_worker *worker);

static void on_child(void *data, pid_t pid, int status)
{
    struct link_worker *worker = data;
    (void)pid;
    worker->child_source = NULL;
    worker->pid = 0;
    worker->ending = true;
    os_source_set_deadline(worker->timer, 0);
    if (worker->link && !worker->released)
        dispatch_messages(worker); // its last words may still be in the socket
    char how[96];
    describe_end(status, how, sizeof how);
    struct link_pool *pool = worker->pool;
    if (pool->spare == worker) {
        pool->spare = NULL;
        if (pool->first_known && !pool->draining)
            log_warning("a spare worker ended: %s", how);
        worker->released = true;
    }
    if (!worker->ready)
        tell_first(pool, false, status);
    close_link(worker);
    report_gone(worker, how);
    worker->ending = false;
    if (worker->released)
        free_worker(worker);
}

static void on_link_end(struct link_worker *worker)
{
    close_link(worker);
    if (!worker->pid)
        return; // on_child is at work
    uint64_t patience =
        worker->released || !worker->taken ? worker->pool->grace_ns : STATUS_PATIENCE_NS;
    os_source_set_deadline(worker->timer, os_now_ns() + patience);
}

static void dispatch_messages(struct link_worker *worker)
{
    struct link_message message;
    enum link_status status = LINK_AGAIN;
    while (worker->link && !worker->released && !worker->muted) {
        status = link_receive(worker->link, &message);
        if (status != LINK_OK)
            break;
        if (message.type == LINK_WORKER_READY && !worker->ready) {
            worker->ready = true;
            if (!worker->pool->first_known) {
                snprintf(worker->pool->devices, sizeof worker->pool->devices, "%.*s",
                         (int)message.size, (const char *)message.payload);
                log_info("GPU: %s", worker->pool->devices);
            }
            tell_first(worker->pool, true, 0);
            continue;
        }
        if (!worker->taken) { // nobody asked it anything; its end tells the rest
            if (message.type == LINK_CONTEXT_LOST)
                log_error("%.*s", (int)message.size, (const char *)message.payload);
            else
                status = LINK_BROKEN;
            break;
        }
        if (!worker->callbacks.message(worker->data, &message))
            worker->muted = true;
    }
    if (worker->link && !worker->released && status != LINK_AGAIN && status != LINK_OK)
        on_link_end(worker);
}

static void update_events(struct link_worker *worker)
{
    os_source_set_events(worker->link_source, (worker->muted ? 0 : OS_READABLE) |
                                                  (link_queued(worker->link) ? OS_WRITABLE : 0));
}

static void on_link(void *data, int fd, unsigned events)
{
    struct link_worker *worker = data;
    (void)fd;
    if (events & OS_WRITABLE) {
        enum link_status status = link_flush(worker->link);
        if (status == LINK_OK) {
            update_events(worker);
            if (worker->taken && !worker->gone && worker->callbacks.drained)
                worker->callbacks.drained(worker->data);
            if (!worker->link)
                return;
        } else if (status == LINK_BROKEN) {
            on_link_end(worker);
            return;
        }
    }
    if (events & (OS_READABLE | OS_HANGUP))
        dispatch_messages(worker);
    if (!worker->link)
        return;
    if (worker->muted && (events & OS_HANGUP))
        on_link_end(worker);
    else
        update_events(worker);
}

static struct link_worker *spawn(struct link_pool *pool)
{
    int fds[2];
    int error = os_socket_pair(fds);
    if (error) {
        errno = -error;
        return NULL;
    }

    char *argv[MAX_ARGUMENTS + 3];
    char fd_number[12];
    snprintf(fd_number, sizeof fd_number, "%d", WORKER_FD);
    unsigned count = 0;
    for (; count < pool->command_count; count++)
        argv[count] = pool->command[count];
    argv[count++] = "--fd";
    argv[count++] = fd_number;
    argv[count] = NULL;
    struct os_fd_pass pass = {.parent_fd = fds[1], .child_fd = WORKER_FD};
    struct os_spawn_options options = {
        .path = argv[0], .argv = argv, .fds = &pass, .fd_count = 1, .own_group = true};

    struct link_worker *worker = calloc(1, sizeof *worker);
    pid_t pid = worker ? os_spawn(&options) : -ENOMEM;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        free(worker);
        errno = -pid;
        return NULL;
    }

    worker->pool = pool;
    worker->pid = pid;
    worker->link = link_create(fds[0], false);
    worker->next = pool->workers;
    worker->at = &pool->workers;
    if (worker->next)
        worker->next->at = &worker->next;
    pool->workers = worker;
    worker->timer = os_loop_add_timer(pool->loop, 0, on_timer, worker);
    worker->child_source = os_loop_add_child(pool->loop, pid, on_child, worker);
    if (worker->link)
        worker->link_source =
            os_loop_add_fd(pool->loop, link_fd(worker->link), OS_READABLE, on_link, worker);
    if (!worker->timer || !worker->child_source || !worker->link_source) { // out of memory
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        free_worker(worker);
        errno = ENOMEM;
        return NULL;
    }
    log_debug("worker %ld started", (long)pid);
    return worker;
}

static void start_spare(void *data)
{
    struct link_pool *pool = data;
    if (pool->spare || !pool->keep_spare)
        return;
    pool->spare = spawn(pool);
    if (!pool->spare) {
        log_warning("no spare worker: %s: %s", pool->command[0], strerror(errno));
        tell_first(pool, false, -1);
    }
}

struct link_pool *link_pool_create(struct os_loop *loop, const struct link_pool_options *options)
{
    struct link_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->loop = loop;
    pool->grace_ns = options->grace_ns ? options->grace_ns : 2000 * MS;
    pool->keep_spare = options->keep_spare;
    pool->spare_timer = os_loop_add_timer(loop, 0, start_spare, pool);
    if (!pool->spare_timer || !link_pool_set_command(pool, options->command)) {
        link_pool_destroy(pool);
        errno = ENOMEM;
        return NULL;
    }
    os_source_set_deadline(pool->spare_timer, 0);
    start_spare(pool);
    return pool;
}

void link_pool_on_ready(struct link_pool *pool, link_pool_ready callback, void *data)
{
    pool->ready = callback;
    pool->ready_data = data;
}

bool link_pool_set_command(struct link_pool *pool, const char *const *command)
{
    while (pool->command_count)
        free(pool->command[--pool->command_count]);
    for (; command[pool->command_count]; pool->command_count++) {
        char *copy =
            pool->command_count < MAX_ARGUMENTS ? strdup(command[pool->command_count]) : NULL;
        if (!copy)
            return false;
        pool->command[pool->command_count] = copy;
    }
    pool->first_known = false;
    os_source_set_deadline(pool->spare_timer, os_now_ns());
    return true;
}

const char *link_pool_devices(const struct link_pool *pool)
{
    return pool->devices;
}

static void stop_draining(void *data)
{
    struct link_pool *pool = data;
    for (struct link_worker *worker = pool->workers; worker; worker = worker->next)
        if (worker->pid)
            kill(worker->pid, SIGKILL);
}

void link_pool_destroy(struct link_pool *pool)
{
    if (!pool)
        return;
    pool->draining = true;
    pool->ready = NULL;
    os_source_remove(pool->spare_timer);
    if (pool->spare) {
        struct link_worker *spare = pool->spare;
        pool->spare = NULL;
        link_worker_release(spare);
    }
    // The loop's own callbacks must not run any more (their owners are going): wait here, in small
    // steps.
    uint64_t deadline = os_now_ns() + pool->grace_ns, pause = MS / 4;
    bool killed = false;
    while (pool->workers) {
        for (struct link_worker *worker = pool->workers, *next; worker; worker = next) {
            next = worker->next;
            int status;
            pid_t result = worker->pid ? waitpid(worker->pid, &status, WNOHANG) : -1;
            if (result != 0 && !(result < 0 && errno == EINTR))
                free_worker(worker);
        }
        if (!pool->workers)
            break;
        if (!killed && os_now_ns() >= deadline) {
            stop_draining(pool);
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

struct link_worker *link_pool_take(struct link_pool *pool,
                                   const struct link_worker_callbacks *callbacks, void *data)
{
    struct link_worker *worker = pool->spare;
    pool->spare = NULL;
    if (worker && !worker->link) { // ended, not yet reaped
        worker->released = true;
        worker = NULL;
    }
    if (!worker)
        worker = spawn(pool);
    if (!worker)
        return NULL;
    worker->taken = true;
    worker->callbacks = *callbacks;
    worker->data = data;
    if (pool->keep_spare)
        os_source_set_deadline(pool->spare_timer, os_now_ns() + SPARE_DELAY_NS);
    return worker;
}

void link_worker_release(struct link_worker *worker)
{
    if (!worker || worker->released)
        return;
    worker->released = true;
    if (worker->link)
        close_link(worker);
    if (!worker->pid) {
        if (!worker->ending) // else on_child frees it
            free_worker(worker);
        return;
    }
    os_source_set_deadline(worker->timer, os_now_ns() + worker->pool->grace_ns);
}

struct link *link_worker_link(struct link_worker *worker)
{
    return worker->link;
}

long link_worker_pid(const struct link_worker *worker)
{
    return (long)worker->pid;
}

enum link_status link_worker_send(struct link_worker *worker, enum link_type type,
                                  const void *payload, size_t size, const void *tail,
                                  size_t tail_size, const int *fds, unsigned fd_count)
{
    if (!worker->link)
        return LINK_CLOSED;
    enum link_status status =
        link_send(worker->link, type, payload, size, tail, tail_size, fds, fd_count);
    if (status == LINK_AGAIN)
        update_events(worker);
    return status;
}

void link_worker_hold(struct link_worker *worker)
{
    if (worker->link)
        link_hold(worker->link);
}

enum link_status link_worker_flush(struct link_worker *worker)
{
    if (!worker->link)
        return LINK_CLOSED;
    enum link_status status = link_release(worker->link);
    if (status == LINK_AGAIN)
        update_events(worker);
    return status;
}
