#include "venus/monitor.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/notifier.h"
#include "os/thread.h"
#include "venus/context.h"
#include "venus/ending.h"
#include "venus/ring.h"

// A worker whose device process is gone has this long to put its GPU in order.
#define END_GRACE_NS 2000000000ull
// A report may be late by this, so that it falls together with another wake-up of its processor.
#define SLACK_NS 300000000ul

struct watch {
    struct watch *next;
    _Atomic(uint32_t) *status;
    uint32_t period_us;
};

struct venus_monitor {
    struct venus_context *context;
    pthread_t thread;
    pthread_mutex_t lock;
    struct watch *watches;
    struct os_notifier changed; // watches or stopping
    atomic_bool stopping;
};

// Reports on every watch; returns the pause until the next report in milliseconds, -1 for none.
static int report(struct venus_monitor *monitor)
{
    int pause_ms = -1;
    pthread_mutex_lock(&monitor->lock);
    for (struct watch *watch = monitor->watches; watch; watch = watch->next) {
        uint32_t was = atomic_fetch_or(watch->status, VENUS_RING_ALIVE);
        // A guest that waits has taken the report away, and looks whether there is another: three
        // times as often as asked, for one late wake-up is no death. Where nobody looks, half as
        // often will do.
        int third = (int)(watch->period_us / 3000);
        int ms = was & VENUS_RING_ALIVE ? 2 * third : third;
        ms = ms < 1 ? 1 : ms;
        if (pause_ms < 0 || ms < pause_ms)
            pause_ms = ms;
    }
    pthread_mutex_unlock(&monitor->lock);
    return pause_ms;
}

static void *monitor_main(void *data)
{
    struct venus_monitor *monitor = data;
    os_thread_set_name("venus-monitor");
    os_thread_set_timer_slack(SLACK_NS);
    uint64_t gone_at = 0;
    while (!atomic_load(&monitor->stopping)) {
        int pause_ms = report(monitor);
        struct pollfd fds[2] = {{.fd = monitor->changed.read_fd, .events = POLLIN},
                                {.fd = link_fd(monitor->context->link)}};
        if (gone_at)
            pause_ms = 100;
        poll(fds, gone_at ? 1 : 2, pause_ms);
        venus_pages_age(monitor->context->pages);
        if (fds[0].revents)
            os_notifier_clear(&monitor->changed);
        if (!gone_at && (fds[1].revents & (POLLHUP | POLLERR | POLLNVAL))) {
            gone_at = os_now_ns();
            venus_context_stop(monitor->context);
        }
        if (gone_at && os_now_ns() - gone_at > END_GRACE_NS)
            _exit(1); // a driver call does not return: nobody is left to hear of it
    }
    return NULL;
}

struct venus_monitor *venus_monitor_create(struct venus_context *context)
{
    struct venus_monitor *monitor = calloc(1, sizeof(*monitor));
    if (!monitor)
        return NULL;
    monitor->context = context;
    pthread_mutex_init(&monitor->lock, NULL);
    if (!os_notifier_init(&monitor->changed)) {
        if (!os_thread_create(&monitor->thread, monitor_main, monitor))
            return monitor;
        os_notifier_finish(&monitor->changed);
    }
    pthread_mutex_destroy(&monitor->lock);
    free(monitor);
    return NULL;
}

void venus_monitor_destroy(struct venus_monitor *monitor)
{
    atomic_store(&monitor->stopping, true);
    os_notifier_signal(&monitor->changed);
    pthread_join(monitor->thread, NULL);
    while (monitor->watches) {
        struct watch *next = monitor->watches->next;
        free(monitor->watches);
        monitor->watches = next;
    }
    os_notifier_finish(&monitor->changed);
    pthread_mutex_destroy(&monitor->lock);
    free(monitor);
}

void venus_monitor_watch(struct venus_monitor *monitor, _Atomic(uint32_t) *status,
                         uint32_t period_us)
{
    struct watch *watch = malloc(sizeof(*watch));
    if (!watch)
        return; // the guest will notice; there is nobody to tell
    *watch = (struct watch){.status = status, .period_us = period_us};
    pthread_mutex_lock(&monitor->lock);
    watch->next = monitor->watches;
    monitor->watches = watch;
    pthread_mutex_unlock(&monitor->lock);
    os_notifier_signal(&monitor->changed);
}

void venus_monitor_unwatch(struct venus_monitor *monitor, _Atomic(uint32_t) *status)
{
    pthread_mutex_lock(&monitor->lock);
    for (struct watch **at = &monitor->watches; *at; at = &(*at)->next) {
        if ((*at)->status == status) {
            struct watch *watch = *at;
            *at = watch->next;
            free(watch);
            break;
        }
    }
    pthread_mutex_unlock(&monitor->lock);
}
