#include "link/child_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "link/refusals.h"
#include "os/clock.h"
#include "os/socket.h"
#include "os/starter.h"

// After the link closes, the exit status usually arrives within this time: it makes a better log
// line.
#define STATUS_PATIENCE_NS 200000000ull

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

static void close_link(struct link_child *child)
{
    os_source_remove(child->link_source);
    child->link_source = NULL;
    link_destroy(child->link);
    child->link = NULL;
}

static void free_child(struct link_child *child)
{
    close_link(child);
    link_refusals_destroy(child->refusals);
    os_source_remove(child->timer);
    os_source_remove(child->child_source);
    list_remove(&child->node);
    free(child);
}

// Its process group too: nothing that it started and left in there outlives it.
void link_child_kill(struct link_child *child)
{
    if (child->pid && kill(-child->pid, SIGKILL) < 0)
        kill(child->pid, SIGKILL);
}

static void report_gone(struct link_child *child, int status, const char *how)
{
    if (child->taken && !child->gone && !child->released) {
        child->gone = true;
        child->callbacks.gone(child->data, status, how);
    }
}

// One timer, three steps: the link closed → the owner hears it even without an exit status →
// SIGKILL.
static void on_timer(void *data)
{
    struct link_child *child = data;
    if (child->taken && !child->gone && !child->released) {
        os_source_set_deadline(child->timer, os_now_ns() + child->grace_ns);
        report_gone(child, -1, "closed its connection");
        return; // the owner may have released it; it lives until it is reaped
    }
    if (child->pid > 0) { // not reaped yet, so still our child
        log_debug("process %ld does not end: killed", (long)child->pid);
        link_child_kill(child);
    }
}

static void dispatch_messages(struct link_child *child);

static void on_end(void *data, pid_t pid, int status)
{
    struct link_child *child = data;
    kill(-pid, SIGKILL); // what is left of its process group
    child->child_source = NULL;
    child->pid = 0;
    child->busy = true;
    os_source_set_deadline(child->timer, 0);
    if (child->link && !child->released)
        dispatch_messages(child); // its last words may still be in the socket
    char how[96];
    describe_end(status, how, sizeof(how));
    child->watcher->ended(child->watcher_data, child, status, how);
    close_link(child);
    report_gone(child, status, how);
    child->busy = false;
    if (child->released)
        free_child(child);
}

static void on_link_end(struct link_child *child)
{
    close_link(child);
    if (!child->pid && !child->foreign)
        return; // on_end is at work
    uint64_t patience = child->foreign                     ? 0
                        : child->released || !child->taken ? child->grace_ns
                                                           : STATUS_PATIENCE_NS;
    os_source_set_deadline(child->timer, os_now_ns() + patience);
}

static void dispatch_messages(struct link_child *child)
{
    struct link_message message;
    int error = -EAGAIN;
    while (child->link && !child->released && !child->muted) {
        error = link_receive(child->link, &message);
        if (error)
            break;
        if (child->watcher->message(child->watcher_data, child, &message))
            continue;
        if (!child->taken) { // it was asked for nothing yet
            error = -EPROTO;
            break;
        }
        if (!child->callbacks.message(child->data, &message))
            child->muted = true;
    }
    if (child->link && !child->released && error && error != -EAGAIN)
        on_link_end(child);
}

static void update_events(struct link_child *child)
{
    os_source_set_events(child->link_source, (child->muted ? 0 : OS_READABLE) |
                                                 (link_queued(child->link) ? OS_WRITABLE : 0));
}

static void take_events(struct link_child *child, unsigned events)
{
    if (events & OS_WRITABLE) {
        int error = link_flush(child->link);
        if (!error) {
            update_events(child);
            if (child->taken && !child->gone && child->callbacks.drained)
                child->callbacks.drained(child->data);
            if (!child->link)
                return;
        } else if (link_is_broken(error)) {
            on_link_end(child);
            return;
        }
    }
    if (events & (OS_READABLE | OS_HANGUP))
        dispatch_messages(child);
    if (!child->link)
        return;
    if (child->muted && (events & OS_HANGUP))
        on_link_end(child);
    else
        update_events(child);
}

static void on_link(void *data, int fd, unsigned events)
{
    struct link_child *child = data;
    child->busy = true;
    take_events(child, events);
    child->busy = false;
    if (child->released && !child->pid)
        free_child(child);
}

void link_child_hear_refusals(struct link_child *child, int fd)
{
    link_refusals_destroy(child->refusals);
    child->refusals = link_refusals_create(child->loop, fd, child->pid);
}

static bool watch(struct link_child *child, struct os_loop *loop)
{
    child->timer = os_loop_add_timer(loop, 0, on_timer, child);
    child->child_source = os_loop_add_child(loop, child->pid, on_end, child);
    if (child->link)
        child->link_source =
            os_loop_add_fd(loop, link_fd(child->link), OS_READABLE, on_link, child);
    return child->timer && child->child_source && child->link_source;
}

int link_child_start(const struct link_child_options *options, struct link_child **started)
{
    int fds[2], error = os_socket_pair(fds);
    if (error)
        return error;
    struct link_child *child = calloc(1, sizeof(*child));
    pid_t pid = child ? os_starter_spawn(options->command, &fds[1], 1) : -ENOMEM;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        free(child);
        return pid;
    }
    child->pid = pid;
    child->loop = options->loop;
    child->watcher = options->watcher;
    child->watcher_data = options->watcher_data;
    child->grace_ns = options->grace_ns;
    list_init(&child->node);
    link_create(fds[0], false, &child->link);
    if (!watch(child, options->loop)) {
        link_child_kill(child);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        free_child(child);
        return -ENOMEM;
    }
    *started = child;
    return 0;
}

// What is foreign belongs to no pool.
static bool no_message(void *data, struct link_child *child, const struct link_message *message)
{
    return false;
}

int link_child_adopt(struct os_loop *loop, int fd, const struct link_child_callbacks *callbacks,
                     void *data, struct link_child **adopted)
{
    static const struct link_child_watcher nobody = {.message = no_message};
    struct link_child *child = calloc(1, sizeof(*child));
    *adopted = NULL;
    if (!child) {
        close(fd);
        return -ENOMEM;
    }
    list_init(&child->node);
    child->loop = loop;
    child->watcher = &nobody;
    child->foreign = true;
    child->timer = os_loop_add_timer(loop, 0, on_timer, child);
    if (!link_create(fd, false, &child->link))
        child->link_source = os_loop_add_fd(loop, fd, OS_READABLE, on_link, child);
    if (!child->timer || !child->link_source) {
        free_child(child);
        return -ENOMEM;
    }
    link_child_give(child, callbacks, data);
    *adopted = child;
    return 0;
}

void link_child_give(struct link_child *child, const struct link_child_callbacks *callbacks,
                     void *data)
{
    child->taken = true;
    child->callbacks = *callbacks;
    child->data = data;
}

void link_child_reap(struct link_child *child)
{
    int status;
    pid_t result = child->pid ? waitpid(child->pid, &status, WNOHANG) : -1;
    if (result == 0 || (result < 0 && child->pid && errno == EINTR))
        return;
    if (child->pid)
        kill(-child->pid, SIGKILL); // what is left of its process group
    free_child(child);
}

void link_child_release(struct link_child *child)
{
    if (!child || child->released)
        return;
    child->released = true;
    if (child->link)
        close_link(child);
    if (child->pid)
        os_source_set_deadline(child->timer, os_now_ns() + child->grace_ns);
    else if (!child->busy) // else it is freed there
        free_child(child);
}

struct link *link_child_link(struct link_child *child)
{
    return child->link;
}

long link_child_pid(const struct link_child *child)
{
    return (long)child->pid;
}

int link_child_send(struct link_child *child, uint16_t type, const void *payload, size_t size,
                    const void *tail, size_t tail_size, const int *fds, unsigned fd_count)
{
    if (!child->link)
        return -EPIPE;
    int error = link_send(child->link, type, payload, size, tail, tail_size, fds, fd_count);
    if (error == -EAGAIN)
        update_events(child);
    return error;
}

void link_child_hold(struct link_child *child)
{
    if (child->link)
        link_hold(child->link);
}

int link_child_flush(struct link_child *child)
{
    if (!child->link)
        return -EPIPE;
    int error = link_release(child->link);
    if (error == -EAGAIN)
        update_events(child);
    return error;
}
