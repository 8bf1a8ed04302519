#include "cli/device/displays.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/option/folder.h"
#include "front/display/display_front.h"
#include "gpu/output.h"
#include "link/display_messages.h"
#include "link/pool.h"
#include "os/clock.h"
#include "os/loop.h"

#define NS_PER_S 1000000000ull

enum {
    MAX_ARGUMENTS = 15, // of link_pool_options.command
    MAX_RESTARTS = 5,   // of a display that has worked, within a minute
    MAX_JOINED = 8,
};

struct cli_display {
    struct cli_display *next;
    struct cli_displays *all;
    char program[4096];
    char *text;                     // holds what `arguments` points into
    char *arguments[MAX_ARGUMENTS]; // NULL-terminated
    const char *kind;
    struct link_pool *pool;
    struct display_front *front; // NULL: ended
    struct os_source *timer;     // starts it again; or removes it
    bool was_ready;
    unsigned restarts;
    uint64_t restarts_since;
    struct link_display_counters counters, logged;
    bool once;                // not one of those that the machine was started with
    cli_screenshot_done done; // of a screenshot; NULL: it has joined
    void *done_data;
};

// ---- the command line -----------------------------------------------------

struct kind {
    const char *name;
    const char *value_option; // of the program; NULL: it takes no value
    bool needs_value;
};
static const struct kind kinds[] = {
    {"window", NULL, false},
    {"vnc", "--listen", false},
    {"web", "--web", false},
    {"image", "--frames", true},
};
static const char *const programs[] = {"hesper-window", "hesper-vnc", "hesper-vnc", "hesper-image"};

static const struct kind *find_kind(const char *text)
{
    size_t length = strcspn(text, "=,");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strlen(kinds[i].name) == length && !memcmp(kinds[i].name, text, length))
            return &kinds[i];
    return NULL;
}

bool cli_displays_add(const char *label, const char *text, void *to)
{
    struct cli_displays *displays = to;
    if (!strcmp(text, "none")) {
        displays->none = true;
        return true;
    }
    const struct kind *kind = find_kind(text);
    if (!kind) {
        log_error(
            "%s: --display is 'window', 'vnc[=ADDRESS[:PORT]]', 'web=PORT', 'image=FOLDER' or "
            "'none', not '%s'",
            label, text);
        return false;
    }
    bool has_value = text[strlen(kind->name)] == '=';
    if (has_value ? !kind->value_option : kind->needs_value) {
        log_error("%s: --display %s takes %s", label, kind->name,
                  has_value ? "no value" : "a folder, like image=frames");
        return false;
    }
    if (displays->wanted_count == CLI_MAX_DISPLAYS) {
        log_error("%s: at most %d displays", label, CLI_MAX_DISPLAYS);
        return false;
    }
    displays->wanted[displays->wanted_count++] = text;
    return true;
}

bool cli_displays_find(const char *name, char path[4096])
{
    if (cli_beside(name, path))
        return true;
    log_error("%s is not installed beside hesper: it was built without it, or its package is "
              "missing",
              name);
    return false;
}

static bool has_screen(void)
{
    struct utsname name;
    const char *wayland = getenv("WAYLAND_DISPLAY"), *x = getenv("DISPLAY");
    return (wayland && *wayland) || (x && *x) ||
           (uname(&name) == 0 && !strcmp(name.sysname, "Darwin"));
}

void cli_displays_default(struct cli_displays *displays)
{
    char path[4096];
    if (displays->none || displays->wanted_count)
        return;
    if (has_screen() && cli_beside("hesper-window", path)) {
        displays->wanted[displays->wanted_count++] = "window";
        displays->by_default = true;
    } else
        log_warning(
            "nobody sees the guest's screen: --display window, vnc or web=PORT shows it, "
            "'hesper screenshot FILE.png' makes a picture of it (--display none: as meant)");
}

// ---- a process ------------------------------------------------------------

static void free_display(struct cli_display *display)
{
    display_front_destroy(display->front);
    link_pool_destroy(display->pool);
    os_source_remove(display->timer);
    free(display->text);
    free(display);
}

static void remove_display(struct cli_display *display)
{
    struct cli_display **at = &display->all->displays;
    while (*at != display)
        at = &(*at)->next;
    *at = display->next;
    free_display(display);
}

static bool add_argument(struct cli_display *display, char *text)
{
    unsigned count = 0;
    while (display->arguments[count])
        count++;
    if (count + 1 == MAX_ARGUMENTS)
        return false;
    display->arguments[count] = text;
    return true;
}

// NULL after a log line. `arguments` are copied as they are; more may be added.
static struct cli_display *new_display(struct cli_displays *all, const char *kind,
                                       const char *program)
{
    struct cli_display *display = calloc(1, sizeof(*display));
    if (!display) {
        log_error("out of memory");
        return NULL;
    }
    display->all = all;
    display->kind = kind;
    if (!cli_displays_find(program, display->program)) {
        free(display);
        return NULL;
    }
    add_argument(display, display->program);
    if (all->host->portable)
        add_argument(display, "--portable");
    if (!strcmp(program, programs[0]) && cli_sandbox(all->host) == OS_SANDBOX_OFF) {
        add_argument(display, "--sandbox");
        add_argument(display, "off");
    }
    for (unsigned i = 0; i < all->host->verbose && i < 2; i++)
        add_argument(display, "-v");
    return display;
}

static void on_timer(void *data);

static void on_ready(void *data)
{
    struct cli_display *display = data;
    if (display->was_ready)
        return;
    display->was_ready = true;
    if (!display->once && --display->all->opening == 0)
        display->all->ready(display->all->data);
}

static void on_input(void *data, const struct link_input *events, size_t count)
{
    struct cli_display *display = data;
    if (display->all->input)
        display->all->input(display->all->data, events, count);
}

static void on_copied(void *data, const char *text, size_t size)
{
    struct cli_display *display = data;
    if (display->all->copied)
        display->all->copied(display->all->owner, text, size);
}

static void on_closed(void *data)
{
    struct cli_display *display = data;
    if (display->all->closed && !display->once)
        display->all->closed(display->all->owner);
}

static void on_resized(void *data, uint32_t output, uint32_t width, uint32_t height)
{
    struct cli_display *display = data;
    if (display->all->resized && display->all->setup.outputs == 1 && width)
        display->all->resized(display->all->owner, width, height);
}

static void on_counters(void *data, const struct link_display_counters *counters)
{
    struct cli_display *display = data;
    display->counters = *counters;
}

static void finish_screenshot(struct cli_display *display, int status)
{
    cli_screenshot_done done = display->done;
    void *data = display->done_data;
    bool ended = status >= 0 && WIFEXITED(status);
    const char *error = ended && WEXITSTATUS(status) == 0 ? NULL
                        : ended && WEXITSTATUS(status) == LINK_DISPLAY_NOTHING_SHOWN
                            ? "the guest has shown nothing yet"
                            : "it could not be written";
    display_front_destroy(display->front);
    display->front = NULL;
    display->done = NULL;
    // Not from here: a pool cannot go inside a callback of its own.
    os_source_set_deadline(display->timer, 1);
    done(data, error);
}

static void on_gone(void *data, int status, const char *how)
{
    struct cli_display *display = data;
    struct cli_displays *all = display->all;
    if (display->done) {
        finish_screenshot(display, status);
        return;
    }
    display_front_destroy(display->front);
    display->front = NULL;
    if (all->input_lost)
        all->input_lost(all->data);
    if (display->once) {
        log_info("a display has left");
        os_source_set_deadline(display->timer, 1);
        return;
    }
    if (!display->was_ready && all->by_default) {
        log_warning("no window can be opened here (%s); going on without: --display has others",
                    how);
        if (--all->opening == 0)
            all->ready(all->data);
        return;
    }
    if (!display->was_ready) {
        log_error("the display '%s' did not start: %s", display->kind, how);
        all->failed(all->data);
        return;
    }
    uint64_t now = os_now_ns();
    if (now - display->restarts_since > 60 * NS_PER_S) {
        display->restarts_since = now;
        display->restarts = 0;
    }
    if (display->restarts++ == MAX_RESTARTS) {
        log_error("the display '%s' has ended: %s; it is not started again", display->kind, how);
        return;
    }
    log_warning("the display '%s' has ended: %s; starting it again", display->kind, how);
    os_source_set_deadline(display->timer, now + NS_PER_S / 2);
}

static const struct display_front_callbacks callbacks = {.ready = on_ready,
                                                         .input = on_input,
                                                         .copied = on_copied,
                                                         .closed = on_closed,
                                                         .resized = on_resized,
                                                         .counters = on_counters,
                                                         .gone = on_gone};

static void show(const struct cli_display *display)
{
    if (display->all->state != LINK_MACHINE_RUNS)
        display_front_set_state(display->front, display->all->state);
    if (display->all->device)
        display_front_attach(display->front, display->all->device);
}

static bool cannot_start(const struct cli_display *display, int error)
{
    if (error)
        log_error("cannot start '%s': %s", display->program, strerror(-error));
    return error;
}

// Its command is taught to the starter, which learns nothing when guests are served.
static bool prepare(struct cli_display *display)
{
    struct cli_displays *all = display->all;
    int error = 0;
    if (!display->pool)
        error = link_pool_create(
            all->loop,
            &(struct link_pool_options){.command = (const char *const *)display->arguments},
            &display->pool);
    if (!display->timer)
        display->timer = os_loop_add_timer(all->loop, 0, on_timer, display);
    if (!error && !display->timer)
        error = -ENOMEM;
    return !cannot_start(display, error);
}

static bool start(struct cli_display *display)
{
    struct cli_displays *all = display->all;
    if (!prepare(display))
        return false;
    int error =
        display_front_create(all->loop, display->pool,
                             &(struct display_front_options){
                                 .setup = all->setup, .paces = strcmp(display->kind, "image") != 0},
                             &callbacks, display, &display->front);
    if (cannot_start(display, error))
        return false;
    if (all->clipboard)
        display_front_set_clipboard(display->front, "", 0);
    show(display);
    return true;
}

static void on_timer(void *data)
{
    struct cli_display *display = data;
    if (display->once)
        remove_display(display);
    else
        start(display);
}

// "vnc=127.0.0.1:5901,password-file=F" → hesper-vnc --listen 127.0.0.1:5901 --password-file F
static bool open_display(struct cli_displays *all, const char *text)
{
    const struct kind *kind = find_kind(text);
    struct cli_display *display = new_display(all, kind->name, programs[kind - kinds]);
    if (!display)
        return false;
    display->next = all->displays;
    all->displays = display;
    size_t size = 2 * strlen(text) + 64;
    display->text = malloc(size);
    bool good = display->text;
    char *at = display->text;
    const char *from = text + strlen(kind->name);
    const char *option = kind->value_option;
    while (good && *from) {
        // "=VALUE" of the kind itself first, then ",OPTION" and ",OPTION=VALUE".
        size_t length;
        if (*from == ',') {
            length = strcspn(from + 1, ",=");
            good = add_argument(display, at);
            at += sprintf(at, "--%.*s", (int)length, from + 1) + 1;
        } else {
            length = strcspn(from + 1, ",");
            if (option)
                good = add_argument(display, (char *)option);
            good = good && add_argument(display, at);
            at += sprintf(at, "%.*s", (int)length, from + 1) + 1;
        }
        option = NULL;
        from += 1 + length;
    }
    if (!good) {
        log_error(display->text ? "--display %s: too many options" : "out of memory", text);
        return false;
    }
    return start(display);
}

// ---- statistics -----------------------------------------------------------

static void on_stats(void *data)
{
    struct cli_displays *all = data;
    static const double mib = 1 << 20;
    os_source_set_deadline(all->stats_timer, os_now_ns() + NS_PER_S);
    if (!all->device)
        return;
    struct gpu_counters now = gpu_device_counters(all->device);
    fprintf(stderr, "hesper: stats: guest: %llu pictures, %llu flushes, %.1f MiB copied by CPU",
            (unsigned long long)(now.pictures - all->logged.pictures),
            (unsigned long long)(now.flushes - all->logged.flushes),
            (double)(now.copied_bytes - all->logged.copied_bytes) / mib);
    all->logged = now;
    for (struct cli_display *display = all->displays; display; display = display->next) {
        fprintf(stderr, "; %s: %llu frames, %.1f MiB copied by CPU", display->kind,
                (unsigned long long)(display->counters.frames - display->logged.frames),
                (double)(display->counters.copied_bytes - display->logged.copied_bytes) / mib);
        display->logged = display->counters;
    }
    fputc('\n', stderr);
}

// ---- all of them ----------------------------------------------------------

bool cli_displays_start(struct cli_displays *displays, struct os_loop *loop,
                        const struct cli_host *host)
{
    displays->loop = loop;
    displays->host = host;
    displays->opening = displays->wanted_count;
    if (displays->stats)
        displays->stats_timer = os_loop_add_timer(loop, os_now_ns() + NS_PER_S, on_stats, displays);
    for (unsigned i = 0; i < displays->wanted_count; i++)
        if (!open_display(displays, displays->wanted[i]))
            return false;
    if (!displays->wanted_count)
        displays->ready(displays->data);
    return true;
}

void cli_displays_attach(struct cli_displays *displays, struct gpu_device *device)
{
    displays->device = device;
    displays->logged = (struct gpu_counters){0};
    for (struct cli_display *display = displays->displays; display; display = display->next)
        if (display->front)
            display_front_attach(display->front, device);
}

void cli_displays_set_leds(struct cli_displays *displays, uint32_t leds)
{
    for (struct cli_display *display = displays->displays; display; display = display->next)
        if (display->front)
            display_front_set_leds(display->front, leds);
}

void cli_displays_set_state(struct cli_displays *displays, enum link_machine_state state)
{
    if (displays->state == state)
        return;
    displays->state = state;
    for (struct cli_display *display = displays->displays; display; display = display->next)
        if (display->front)
            display_front_set_state(display->front, state);
}

void cli_displays_set_clipboard(void *to, const char *text, size_t size)
{
    struct cli_displays *displays = to;
    for (struct cli_display *display = displays->displays; display; display = display->next)
        if (display->front && displays->clipboard && !display->once)
            display_front_set_clipboard(display->front, text, size);
}

bool cli_displays_foresee(struct cli_displays *displays, const char *path)
{
    struct cli_display *display = new_display(displays, "image", "hesper-image");
    if (!display)
        return false;
    display->next = displays->displays;
    displays->displays = display;
    displays->foreseen = display;
    display->once = true;
    add_argument(display, "--screenshot");
    add_argument(display, (char *)path);
    return prepare(display);
}

bool cli_displays_screenshot(struct cli_displays *displays, cli_screenshot_done done, void *data)
{
    struct cli_display *display = displays->foreseen;
    displays->foreseen = NULL;
    if (!displays->device) {
        log_error("no screenshot: no guest is connected");
        return false;
    }
    display->done = done;
    display->done_data = data;
    return start(display);
}

const char *cli_displays_join(struct cli_displays *displays, int fd)
{
    unsigned joined = 0;
    for (struct cli_display *display = displays->displays; display; display = display->next)
        joined += display->once;
    struct cli_display *display = joined < MAX_JOINED ? calloc(1, sizeof(*display)) : NULL;
    if (!display) {
        close(fd);
        return joined < MAX_JOINED ? strerror(ENOMEM) : "as many look at it as may";
    }
    display->all = displays;
    display->kind = "joined";
    display->once = true;
    display->next = displays->displays;
    displays->displays = display;
    const struct display_front_options options = {.setup = displays->setup};
    display->timer = os_loop_add_timer(displays->loop, 0, on_timer, display);
    int error =
        display_front_adopt(displays->loop, fd, &options, &callbacks, display, &display->front);
    if (error || !display->timer) {
        remove_display(display);
        return strerror(ENOMEM);
    }
    log_info("a display has joined");
    show(display);
    return NULL;
}

void cli_displays_finish(struct cli_displays *displays)
{
    cli_displays_attach(displays, NULL);
    while (displays->displays)
        remove_display(displays->displays);
    os_source_remove(displays->stats_timer);
    displays->stats_timer = NULL;
}
