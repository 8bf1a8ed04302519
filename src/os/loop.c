#include "os/loop.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/patience.h"
#include "os/clock.h"
#include "os/native.h"
#include "os/notifier.h"

enum {
    BUSY_ROUNDS = 4,   // without sleep, before `idle` is called nevertheless
    FIRST_SLOT = 2,    // of `polls`, for descriptors of others
    MAX_SLOTS = 10240, // more than these macOS refuses to poll
    FEW_FDS = 64       // a look at more of them costs more than a sleep
};

enum kind { SOURCE_FD, SOURCE_TIMER, SOURCE_CHILD, SOURCE_SIGNAL };

struct os_source {
    struct os_loop *loop;
    struct list node; // of the loop's list of its kind (not for descriptors), or of its graveyard
    enum kind kind;
    bool removed;
    void *data;
    union {
        struct {
            os_fd_callback callback;
            int number;
            unsigned index; // in polls and fd_sources
            bool muted;     // not polled, but watched for a hang-up
        } fd;
        struct {
            os_timer_callback callback;
            uint64_t deadline_ns; // 0: disarmed
        } timer;
        struct {
            os_child_callback callback;
            pid_t pid;
        } child;
        struct {
            os_signal_callback callback;
            struct sigaction previous;
            int number;
        } signal;
    };
};

struct os_loop {
    // Parallel arrays; slot 0 is the notifier that signal handlers use, slot 1 is `hangups`.
    struct pollfd *polls;
    struct os_source **fd_sources;
    unsigned fd_count, fd_capacity;

    struct list timers, children, signals;
    struct list graveyard; // removed, freed when no callback can be using them
    bool fds_removed;

    int hangups; // of descriptors with no events, where poll is silent about them; -1: it is not

    struct os_notifier wake;
    bool watches_children;
    struct sigaction previous_child_action;

    os_idle_callback idle;
    void *idle_data;
    unsigned busy_rounds; // since `idle` was called

    struct patience patience;
    bool stopped;
    int status;
};

// A signal handler can reach nothing else. Written while no handler is installed.
enum { SIGNAL_COUNT = 65 };
static struct os_notifier handler_wake;
static atomic_uint pending_signals[SIGNAL_COUNT]; // bit 0: arrived, bit 1: sent by a process

static void handle_signal(int number, siginfo_t *info, void *machine_context)
{
    if (number > 0 && number < SIGNAL_COUNT) {
        unsigned bits = 1u | (info && info->si_code <= 0 ? 2u : 0u);
        atomic_fetch_or(&pending_signals[number], bits);
        os_notifier_signal(&handler_wake);
    }
}

static void watch_signal(int number, struct sigaction *previous)
{
    struct sigaction action = {.sa_sigaction = handle_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    atomic_store(&pending_signals[number], 0);
    sigaction(number, &action, previous);
}

int os_loop_create(struct os_loop **created)
{
    *created = NULL;
    struct os_loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return -ENOMEM;
    list_init(&loop->timers);
    list_init(&loop->children);
    list_init(&loop->signals);
    list_init(&loop->graveyard);
    loop->fd_capacity = 16;
    loop->polls = calloc(loop->fd_capacity, sizeof(*loop->polls));
    loop->fd_sources = calloc(loop->fd_capacity, sizeof(struct os_source *));
    int error = loop->polls && loop->fd_sources ? os_notifier_init(&loop->wake) : -ENOMEM;
    if (error) {
        free(loop->polls);
        free(loop->fd_sources);
        free(loop);
        return error;
    }
    loop->hangups = os_native_hangups_create();
    loop->polls[0] = (struct pollfd){.fd = loop->wake.read_fd, .events = POLLIN};
    loop->polls[1] =
        (struct pollfd){.fd = loop->hangups < 0 ? -1 : loop->hangups, .events = POLLIN};
    loop->fd_count = FIRST_SLOT;
    *created = loop;
    return 0;
}

static void bury(struct os_loop *loop)
{
    LIST_EACH (node, &loop->graveyard)
        free(LIST_ENTRY(node, struct os_source, node));
    list_init(&loop->graveyard);
    if (!loop->fds_removed)
        return;
    unsigned kept = FIRST_SLOT;
    for (unsigned i = FIRST_SLOT; i < loop->fd_count; i++) {
        struct os_source *source = loop->fd_sources[i];
        if (!source)
            continue;
        loop->polls[kept] = loop->polls[i];
        loop->fd_sources[kept] = source;
        source->fd.index = kept++;
    }
    loop->fd_count = kept;
    loop->fds_removed = false;
}

void os_loop_destroy(struct os_loop *loop)
{
    if (!loop)
        return;
    for (unsigned i = FIRST_SLOT; i < loop->fd_count; i++)
        if (loop->fd_sources[i])
            os_source_remove(loop->fd_sources[i]);
    struct list *lists[] = {&loop->timers, &loop->children, &loop->signals};
    for (unsigned i = 0; i < 3; i++)
        LIST_EACH (node, lists[i])
            os_source_remove(LIST_ENTRY(node, struct os_source, node));
    bury(loop);
    if (loop->watches_children)
        sigaction(SIGCHLD, &loop->previous_child_action, NULL);
    if (handler_wake.write_fd == loop->wake.write_fd)
        handler_wake = (struct os_notifier){-1, -1};
    os_notifier_finish(&loop->wake);
    if (loop->hangups >= 0)
        close(loop->hangups);
    free(loop->polls);
    free(loop->fd_sources);
    free(loop);
}

static struct os_source *new_source(struct os_loop *loop, enum kind kind, void *data,
                                    struct list *list)
{
    struct os_source *source = calloc(1, sizeof(*source));
    if (!source)
        return NULL;
    source->loop = loop;
    source->kind = kind;
    source->data = data;
    list_init(&source->node);
    if (list)
        list_prepend(list, &source->node);
    return source;
}

static short poll_events(unsigned events)
{
    return (short)((events & OS_READABLE ? POLLIN : 0) | (events & OS_WRITABLE ? POLLOUT : 0));
}

// Who wants no events is still told of a hang-up: by poll, or where that says nothing, by
// `hangups`.
static void ask_for(struct os_source *source, unsigned events)
{
    struct os_loop *loop = source->loop;
    struct pollfd *slot = &loop->polls[source->fd.index];
    bool muted = loop->hangups >= 0 && !poll_events(events);
    if (muted != source->fd.muted)
        os_native_hangups_watch(loop->hangups, source->fd.number, muted);
    source->fd.muted = muted;
    slot->fd = muted ? -1 : source->fd.number;
    slot->events = poll_events(events);
}

struct os_source *os_loop_add_fd(struct os_loop *loop, int fd, unsigned events,
                                 os_fd_callback callback, void *data)
{
    if (loop->fd_count == MAX_SLOTS) {
        errno = EMFILE;
        return NULL;
    }
    if (loop->fd_count == loop->fd_capacity) {
        unsigned capacity = loop->fd_capacity * 2;
        struct pollfd *polls = realloc(loop->polls, capacity * sizeof(*polls));
        if (!polls)
            return NULL;
        loop->polls = polls;
        struct os_source **sources = realloc(loop->fd_sources, capacity * sizeof(*sources));
        if (!sources)
            return NULL;
        loop->fd_sources = sources;
        loop->fd_capacity = capacity;
    }
    struct os_source *source = new_source(loop, SOURCE_FD, data, NULL);
    if (!source)
        return NULL;
    source->fd.callback = callback;
    source->fd.number = fd;
    source->fd.index = loop->fd_count++;
    loop->polls[source->fd.index] = (struct pollfd){.fd = -1};
    loop->fd_sources[source->fd.index] = source;
    ask_for(source, events);
    return source;
}

void os_source_set_events(struct os_source *source, unsigned events)
{
    ask_for(source, events);
}

struct os_source *os_loop_add_timer(struct os_loop *loop, uint64_t deadline_ns,
                                    os_timer_callback callback, void *data)
{
    struct os_source *source = new_source(loop, SOURCE_TIMER, data, &loop->timers);
    if (source) {
        source->timer.callback = callback;
        source->timer.deadline_ns = deadline_ns;
    }
    return source;
}

void os_source_set_deadline(struct os_source *source, uint64_t deadline_ns)
{
    source->timer.deadline_ns = deadline_ns;
}

struct os_source *os_loop_add_child(struct os_loop *loop, pid_t pid, os_child_callback callback,
                                    void *data)
{
    struct os_source *source = new_source(loop, SOURCE_CHILD, data, &loop->children);
    if (!source)
        return NULL;
    source->child.callback = callback;
    source->child.pid = pid;
    if (!loop->watches_children) {
        handler_wake = loop->wake;
        watch_signal(SIGCHLD, &loop->previous_child_action);
        loop->watches_children = true;
    }
    // It may have ended before anybody listened.
    atomic_fetch_or(&pending_signals[SIGCHLD], 1u);
    os_notifier_signal(&loop->wake);
    return source;
}

struct os_source *os_loop_add_signal(struct os_loop *loop, int signal_number,
                                     os_signal_callback callback, void *data)
{
    if (signal_number <= 0 || signal_number >= SIGNAL_COUNT) {
        errno = EINVAL;
        return NULL;
    }
    struct os_source *source = new_source(loop, SOURCE_SIGNAL, data, &loop->signals);
    if (!source)
        return NULL;
    source->signal.callback = callback;
    source->signal.number = signal_number;
    handler_wake = loop->wake;
    watch_signal(signal_number, &source->signal.previous);
    return source;
}

void os_source_remove(struct os_source *source)
{
    if (!source || source->removed)
        return;
    struct os_loop *loop = source->loop;
    source->removed = true;
    if (source->kind == SOURCE_SIGNAL)
        sigaction(source->signal.number, &source->signal.previous, NULL);
    if (source->kind == SOURCE_FD) {
        if (source->fd.muted)
            os_native_hangups_watch(loop->hangups, source->fd.number, false);
        loop->polls[source->fd.index].fd = -1; // poll skips it
        loop->fd_sources[source->fd.index] = NULL;
        loop->fds_removed = true;
    }
    list_remove(&source->node);
    list_append(&loop->graveyard, &source->node);
}

// A child that has ended, and its status as of waitpid, -1 if somebody else has reaped it.
static struct os_source *find_ended(struct os_loop *loop, int *status)
{
    LIST_EACH (node, &loop->children) {
        struct os_source *source = LIST_ENTRY(node, struct os_source, node);
        pid_t pid;
        do
            pid = waitpid(source->child.pid, status, WNOHANG);
        while (pid < 0 && errno == EINTR);
        if (pid < 0)
            *status = -1;
        if (pid)
            return source;
    }
    return NULL;
}

static void reap_children(struct os_loop *loop)
{
    struct os_source *source;
    int status;
    // A callback may add or remove children: each search starts over.
    while ((source = find_ended(loop, &status))) {
        os_source_remove(source); // freed later
        source->child.callback(source->data, source->child.pid, status);
    }
}

// A signal that has arrived, which is no longer pending then.
static struct os_source *find_arrived(struct os_loop *loop, unsigned *bits)
{
    LIST_EACH (node, &loop->signals) {
        struct os_source *source = LIST_ENTRY(node, struct os_source, node);
        *bits = atomic_exchange(&pending_signals[source->signal.number], 0);
        if (*bits)
            return source;
    }
    return NULL;
}

static void dispatch_signals(struct os_loop *loop)
{
    if (loop->watches_children && atomic_exchange(&pending_signals[SIGCHLD], 0))
        reap_children(loop);
    struct os_source *source;
    unsigned bits;
    // A callback may add or remove signals: each search starts over.
    while ((source = find_arrived(loop, &bits)))
        source->signal.callback(source->data, source->signal.number, bits & 2u);
}

// Milliseconds until the next timer, rounded up so that it is due when poll returns; -1: none.
static int next_timeout(struct os_loop *loop)
{
    uint64_t first = 0;
    LIST_EACH (node, &loop->timers) {
        uint64_t deadline = LIST_ENTRY(node, struct os_source, node)->timer.deadline_ns;
        if (deadline && (!first || deadline < first))
            first = deadline;
    }
    if (!first)
        return -1;
    uint64_t now = os_now_ns();
    if (first <= now)
        return 0;
    uint64_t ms = (first - now + 999999) / 1000000;
    return ms > 3600000 ? 3600000 : (int)ms;
}

static struct os_source *find_due(struct os_loop *loop, uint64_t now)
{
    LIST_EACH (node, &loop->timers) {
        struct os_source *source = LIST_ENTRY(node, struct os_source, node);
        if (source->timer.deadline_ns && source->timer.deadline_ns <= now)
            return source;
    }
    return NULL;
}

static void dispatch_timers(struct os_loop *loop)
{
    if (list_is_empty(&loop->timers))
        return;
    uint64_t now = os_now_ns();
    struct os_source *source;
    // A callback may add, remove or arm timers: each search starts over. One that arms its own for
    // a time that has passed is due again.
    while ((source = find_due(loop, now))) {
        source->timer.deadline_ns = 0;
        source->timer.callback(source->data);
    }
}

static void dispatch_fds(struct os_loop *loop)
{
    unsigned count = loop->fd_count; // those added by callbacks wait for the next round
    for (unsigned i = FIRST_SLOT; i < count; i++) {
        short got = loop->polls[i].revents;
        struct os_source *source = loop->fd_sources[i];
        if (!got || !source)
            continue;
        unsigned events = (got & POLLIN ? OS_READABLE : 0) | (got & POLLOUT ? OS_WRITABLE : 0) |
                          (got & (POLLHUP | POLLERR | POLLNVAL) ? OS_HANGUP : 0);
        source->fd.callback(source->data, source->fd.number, events);
    }
}

static void dispatch_hangups(struct os_loop *loop)
{
    int fd;
    while ((fd = os_native_hangups_next(loop->hangups)) >= 0)
        for (unsigned i = FIRST_SLOT; i < loop->fd_count; i++) {
            struct os_source *source = loop->fd_sources[i];
            if (!source || !source->fd.muted || source->fd.number != fd)
                continue;
            source->fd.callback(source->data, fd, OS_HANGUP);
            break;
        }
}

void os_loop_set_idle(struct os_loop *loop, os_idle_callback callback, void *data)
{
    loop->idle = callback;
    loop->idle_data = data;
}

static int look(struct os_loop *loop, int timeout_ms)
{
    return poll(loop->polls, loop->fd_count, timeout_ms);
}

// Before it sleeps: what comes next often comes at once, and is here before a wake-up would be
// over.
static int look_on(struct os_loop *loop, unsigned looks)
{
    int ready = 0;
    while (!ready && looks--) {
        sched_yield();
        ready = look(loop, 0);
    }
    patience_learn(&loop->patience, ready);
    return ready;
}

static int wait_for_events(struct os_loop *loop)
{
    int timeout_ms = next_timeout(loop), ready = 0;
    unsigned looks = timeout_ms && loop->fd_count <= FEW_FDS ? patience_looks(&loop->patience) : 0;
    if (looks || loop->idle)
        ready = look(loop, 0);
    if (looks && !ready)
        ready = look_on(loop, looks);
    if (!loop->idle)
        return ready ? ready : look(loop, timeout_ms);
    if ((ready || timeout_ms == 0) && ++loop->busy_rounds < BUSY_ROUNDS)
        return ready;
    loop->busy_rounds = 0;
    loop->idle(loop->idle_data);
    if (ready || timeout_ms == 0 || loop->stopped)
        return ready;
    return look(loop, next_timeout(loop));
}

int os_loop_run(struct os_loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped) {
        bury(loop);
        int ready = wait_for_events(loop);
        if (ready > 0) {
            if (loop->polls[0].revents) {
                os_notifier_clear(&loop->wake);
                dispatch_signals(loop);
            }
            if (loop->polls[1].revents)
                dispatch_hangups(loop);
            dispatch_fds(loop);
        }
        dispatch_timers(loop);
    }
    bury(loop);
    return loop->status;
}

void os_loop_stop(struct os_loop *loop, int status)
{
    loop->stopped = true;
    loop->status = status;
}
