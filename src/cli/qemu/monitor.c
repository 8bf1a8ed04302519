#include "cli/qemu/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/socket.h"

#define NS_PER_S 1000000000ull
// How often a machine that stopped for want of room on the host's disk is told to try again.
#define RETRY_NS (5 * NS_PER_S)
// How often it is asked whether the host has slept, if there is somebody to be told the time then.
#define SLEPT_NS (10 * NS_PER_S)
// Keys that QEMU has not answered: more may not fit into the socket. As many may still go up.
enum { MOST_KEYS = 32 };

struct cli_monitor {
    struct os_loop *loop;
    int fd;    // -1: closed
    int agent; // -1: there is no port
    struct os_source *source, *retry, *slept;
    void (*changed)(void *data);
    void *data;
    char line[16384]; // the answers that we ask for and the events that we know are short
    size_t used;
    bool too_long;       // the line does not fit: it is left out
    bool listens;        // QEMU has greeted us
    bool stopped;        // the machine stands still, for whatever reason
    bool held;           // a person wants it to
    bool full;           // said that the disk is, and not yet that it goes on
    bool retried;        // and QEMU was told to try again
    bool heard;          // an agent in the guest listens at its port
    int64_t ahead;       // as of clock_ahead(), the last time
    unsigned unanswered; // commands
};

static void close_monitor(struct cli_monitor *monitor)
{
    os_source_remove(monitor->source);
    monitor->source = NULL;
    if (monitor->fd >= 0)
        close(monitor->fd);
    monitor->fd = -1;
    monitor->listens = false;
}

// QEMU reads at once what is so short.
static bool say(struct cli_monitor *monitor, const char *text, int length)
{
    monitor->unanswered++;
    return monitor->fd >= 0 &&
           os_socket_send(monitor->fd, text, (size_t)length, NULL, 0) == (ssize_t)length;
}

static bool tell(struct cli_monitor *monitor, const char *command)
{
    char text[96];
    return say(monitor, text, snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\n", command));
}

static void on_retry(void *data)
{
    struct cli_monitor *monitor = data;
    if (monitor->held) {
        os_source_set_deadline(monitor->retry, os_now_ns() + RETRY_NS);
        return;
    }
    if (monitor->retried) { // and nothing was said of it since
        log_warning("the machine's disk can be written again; it goes on");
        monitor->full = monitor->retried = false;
        return;
    }
    monitor->retried = tell(monitor, "cont");
    os_source_set_deadline(monitor->retry, os_now_ns() + RETRY_NS);
}

// QEMU stops the machine before its guest can lose what it writes.
static void on_disk_error(struct cli_monitor *monitor, struct json event)
{
    struct json data;
    char action[16], reason[256];
    json_member(event, "data", &data);
    json_get_text(data, "reason", reason, sizeof(reason));
    if (!json_get_text(data, "action", action, sizeof(action)) || strcmp(action, "stop"))
        return;
    if (!monitor->full)
        log_warning("the machine stands still, as its disk cannot be written: %s; it goes on when "
                    "there is room",
                    reason[0] ? reason : "no reason given");
    monitor->full = true;
    monitor->retried = false;
    os_source_set_deadline(monitor->retry, os_now_ns() + RETRY_NS);
}

// By how much the time of day is ahead of the clock that stands still while the host sleeps.
static int64_t clock_ahead(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec - (int64_t)os_now_ns();
}

// Whether an agent listens is known: what nobody reads now would be read much later, as the time.
static void on_port(struct cli_monitor *monitor, struct json event)
{
    struct json data;
    char id[sizeof(CLI_MONITOR_AGENT)];
    json_member(event, "data", &data);
    if (!json_get_text(data, "id", id, sizeof(id)) || strcmp(id, CLI_MONITOR_AGENT))
        return;
    monitor->heard = json_get_bool(data, "open");
    monitor->ahead = clock_ahead();
    os_source_set_deadline(monitor->slept, monitor->heard ? os_now_ns() + SLEPT_NS : 0);
}

// The guest's clock stood still. What the agent answers stays unread: it is a few bytes a pause.
static void tell_time(const struct cli_monitor *monitor)
{
    struct timespec now;
    char text[96];
    clock_gettime(CLOCK_REALTIME, &now);
    int length = snprintf(text, sizeof(text),
                          "{\"execute\":\"guest-set-time\",\"arguments\":{\"time\":%lld%09ld}}\n",
                          (long long)now.tv_sec, now.tv_nsec);
    os_socket_send(monitor->agent, text, (size_t)length, NULL, 0);
}

static void on_slept(void *data)
{
    struct cli_monitor *monitor = data;
    int64_t ahead = clock_ahead();
    if (llabs(ahead - monitor->ahead) > (int64_t)NS_PER_S && !monitor->stopped)
        tell_time(monitor);
    monitor->ahead = ahead;
    os_source_set_deadline(monitor->slept, os_now_ns() + SLEPT_NS);
}

static void take_line(struct cli_monitor *monitor)
{
    struct json whole, member;
    char event[32];
    monitor->line[monitor->used] = 0;
    if (!json_parse(monitor->line, monitor->used, &whole))
        return;
    if (json_member(whole, "QMP", &member))
        monitor->listens = tell(monitor, "qmp_capabilities");
    if (monitor->unanswered &&
        (json_member(whole, "return", &member) || json_member(whole, "error", &member)))
        monitor->unanswered--;
    if (!json_get_text(whole, "event", event, sizeof(event)))
        return;
    log_debug("QEMU: %s", event);
    if (!strcmp(event, "STOP"))
        monitor->stopped = true;
    else if (!strcmp(event, "RESUME")) {
        if (monitor->stopped && monitor->heard)
            tell_time(monitor);
        monitor->stopped = false;
    } else if (!strcmp(event, "VSERPORT_CHANGE"))
        on_port(monitor, whole);
    else if (!strcmp(event, "BLOCK_IO_ERROR"))
        on_disk_error(monitor, whole);
    monitor->changed(monitor->data);
}

static void take_bytes(struct cli_monitor *monitor, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            if (!monitor->too_long)
                take_line(monitor);
            monitor->used = 0;
            monitor->too_long = false;
        } else if (monitor->used + 1 < sizeof(monitor->line)) {
            monitor->line[monitor->used++] = bytes[i];
        } else {
            monitor->too_long = true;
        }
    }
}

static void on_readable(void *data, int fd, unsigned events)
{
    struct cli_monitor *monitor = data;
    char bytes[4096];
    unsigned none = 0;
    ssize_t got = os_socket_recv(fd, bytes, sizeof(bytes), NULL, 0, &none);
    if (got == -EAGAIN || got == -EINTR)
        return;
    if (got <= 0)
        close_monitor(monitor);
    else
        take_bytes(monitor, bytes, (size_t)got);
}

struct cli_monitor *cli_monitor_create(struct os_loop *loop, int fd, int agent,
                                       void (*changed)(void *data), void *data)
{
    struct cli_monitor *monitor = calloc(1, sizeof(*monitor));
    if (!monitor) {
        close(fd);
        if (agent >= 0)
            close(agent);
        return NULL;
    }
    monitor->loop = loop;
    monitor->fd = fd;
    monitor->agent = agent;
    monitor->changed = changed;
    monitor->data = data;
    monitor->source = os_loop_add_fd(loop, fd, OS_READABLE, on_readable, monitor);
    monitor->retry = os_loop_add_timer(loop, 0, on_retry, monitor);
    monitor->slept = os_loop_add_timer(loop, 0, on_slept, monitor);
    if (monitor->source && monitor->retry && monitor->slept)
        return monitor;
    cli_monitor_destroy(monitor);
    return NULL;
}

void cli_monitor_destroy(struct cli_monitor *monitor)
{
    if (!monitor)
        return;
    close_monitor(monitor);
    if (monitor->agent >= 0)
        close(monitor->agent);
    os_source_remove(monitor->retry);
    os_source_remove(monitor->slept);
    free(monitor);
}

bool cli_monitor_power_button(struct cli_monitor *monitor)
{
    return monitor && monitor->listens && (!monitor->held || cli_monitor_resume(monitor)) &&
           tell(monitor, "system_powerdown");
}

bool cli_monitor_pause(struct cli_monitor *monitor)
{
    if (!monitor || !monitor->listens || !tell(monitor, "stop"))
        return false;
    monitor->held = true;
    return true;
}

bool cli_monitor_resume(struct cli_monitor *monitor)
{
    if (!monitor || !monitor->listens || !tell(monitor, "cont"))
        return false;
    monitor->held = false;
    return true;
}

// QEMU's number of a key: that of the first PC's keyboards, which Linux's are up to 88, and 0x80
// more for the keys that came later; 0: none.
static unsigned number_of(unsigned key)
{
    static const uint8_t later[] = {
        [96] = 0x9c,  [97] = 0x9d,  [98] = 0xb5,  [99] = 0x54,  [100] = 0xb8, [102] = 0xc7,
        [103] = 0xc8, [104] = 0xc9, [105] = 0xcb, [106] = 0xcd, [107] = 0xcf, [108] = 0xd0,
        [109] = 0xd1, [110] = 0xd2, [111] = 0xd3, [125] = 0xdb, [126] = 0xdc, [127] = 0xdd};
    return key <= 88 ? key : key < sizeof(later) ? later[key] : 0;
}

bool cli_monitor_key(struct cli_monitor *monitor, unsigned key, bool down)
{
    char text[192];
    if (!monitor || !monitor->listens || monitor->stopped || !number_of(key) ||
        monitor->unanswered >= (down ? MOST_KEYS : 2 * MOST_KEYS))
        return false;
    int length =
        snprintf(text, sizeof(text),
                 "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[{\"type\":\"key\","
                 "\"data\":{\"down\":%s,\"key\":{\"type\":\"number\",\"data\":%u}}}]}}\n",
                 down ? "true" : "false", number_of(key));
    return say(monitor, text, length);
}

const char *cli_monitor_state(const struct cli_monitor *monitor)
{
    if (!monitor || !monitor->listens)
        return "starting";
    return !monitor->stopped ? "running" : monitor->full && !monitor->held ? "disk full" : "paused";
}
