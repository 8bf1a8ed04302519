// hesper-window shows a guest's screens as windows on the person's desktop. hesper starts it.
#include <SDL.h>
#include <SDL_vulkan.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "display/display.h"
#include "display/window/clipboard.h"
#include "display/window/confine.h"
#include "display/window/import.h"
#include "display/window/options.h"
#include "display/window/pads.h"
#include "display/window/window.h"
#include "os/clock.h"
#include "os/notifier.h"
#include "os/os.h"
#include "os/process.h"
#include "os/thread.h"

#define NS_PER_MS 1000000ull
// A Vulkan device that is lost more often than this is given up.
enum { MOST_LOSSES = 3 };
#define LOSS_PERIOD_NS (30000 * NS_PER_MS)

// A close that comes sooner after another is the same click.
#define DOUBLE_CLICK_NS (500 * NS_PER_MS)

// How long after the last event more are expected, and how often SDL is looked at then and else.
#define ACTIVE_NS (500 * NS_PER_MS)
enum { ACTIVE_POLL_MS = 4, IDLE_POLL_MS = 1000 };

struct app {
    struct display *display;
    struct window_input input;
    struct window_pads pads;
    struct window_clipboard clipboard;
    struct window_settings settings;
    struct window_options options;
    enum window_present present; // what was asked for, or what there is
    char name[64];

    uint32_t count;
    struct window windows[LINK_DISPLAY_OUTPUTS]; // those without `sdl` are not shown
    struct window_vulkan *vulkan;
    unsigned losses;
    uint64_t first_loss_ns;
    bool leds_known;
    uint32_t leds;
    bool opened, failed;

    // While something happens, this thread waits for the socket itself and looks what SDL has;
    // otherwise it waits in SDL, and another thread for the socket.
    uint64_t active_until_ns;
    struct os_notifier wake; // to this thread
    pthread_t watcher;
    struct os_notifier to_watcher;
    atomic_bool asleep; // in SDL
    atomic_bool quit;
    unsigned closings; // how often the person has closed the last window
    uint64_t closed_ns;
};

// ---- presenters -----------------------------------------------------------

static void drop_presenters(struct app *app)
{
    for (uint32_t i = 0; i < app->count; i++)
        window_set_presenter(&app->windows[i], NULL);
    if (app->vulkan)
        window_import_forget_all(app->vulkan);
    window_vulkan_destroy(app->vulkan);
    app->vulkan = NULL;
    // These belong to presenters that are gone.
    SDL_FlushEvent(app->settings.event);
}

static bool give_presenter(struct app *app, struct window *window)
{
    struct window_present_settings settings = {
        .display = app->display,
        .output = window->output,
        .window = window->sdl,
        .scale = app->settings.scale,
        .upload = app->present == WINDOW_PRESENT_UPLOAD,
        .event = app->settings.event,
        .wake = &app->wake,
    };
    struct window_presenter *presenter = app->vulkan
                                             ? window_presenter_create(app->vulkan, &settings)
                                             : window_software_create(&settings);
    if (presenter)
        window_set_presenter(window, presenter);
    return presenter != NULL;
}

static bool give_presenters(struct app *app)
{
    for (uint32_t i = 0; i < app->count; i++)
        if (app->windows[i].sdl && !give_presenter(app, &app->windows[i]))
            return false;
    return true;
}

static SDL_Window *any_window(const struct app *app)
{
    for (uint32_t i = 0; i < app->count; i++)
        if (app->windows[i].sdl)
            return app->windows[i].sdl;
    return NULL;
}

// Windows are open, for Vulkan if `present` says so; from here on they show something.
static bool start_presenters(struct app *app)
{
    const char *why = "it is lost again and again";
    if (app->present != WINDOW_PRESENT_SOFTWARE) {
        if (app->losses <= MOST_LOSSES)
            app->vulkan = window_vulkan_create(any_window(app), app->count, &why);
        if (app->vulkan && give_presenters(app))
            return true;
        if (app->vulkan)
            why = "a window cannot be presented to";
        drop_presenters(app);
        log_warning("the CPU draws the window: no Vulkan: %s", why);
        app->present = WINDOW_PRESENT_SOFTWARE;
        for (uint32_t i = 0; i < app->count; i++)
            if (app->windows[i].sdl && !window_reopen(&app->windows[i], false))
                return false;
    }
    return give_presenters(app);
}

static void on_lost(struct app *app)
{
    if (!app->vulkan || !atomic_load(&app->vulkan->lost))
        return;
    uint64_t now = os_now_ns();
    if (!app->losses || now - app->first_loss_ns > LOSS_PERIOD_NS) {
        app->first_loss_ns = now;
        app->losses = 0;
    }
    app->losses++;
    log_info("the Vulkan device is lost: another one");
    drop_presenters(app);
    if (!start_presenters(app))
        app->failed = true;
}

// ---- what the display says ------------------------------------------------

static struct window *window_of(struct app *app, uint32_t output)
{
    return output < app->count && app->windows[output].sdl ? &app->windows[output] : NULL;
}

static bool open_windows(struct app *app, const struct link_display_setup *setup)
{
    if (app->present != WINDOW_PRESENT_SOFTWARE && SDL_Vulkan_LoadLibrary(NULL) < 0) {
        log_warning("the CPU draws the window: no Vulkan: %s", SDL_GetError());
        app->present = WINDOW_PRESENT_SOFTWARE;
    }
    for (uint32_t i = 0; i < setup->outputs; i++) {
        if (app->options.output != WINDOW_ALL_OUTPUTS && (uint32_t)app->options.output != i)
            continue;
        struct window *window = &app->windows[i];
        bool vulkan = app->present != WINDOW_PRESENT_SOFTWARE;
        if (window_open(window, &app->settings, i, setup->width, setup->height, vulkan))
            continue;
        // SDL does not know how to present by Vulkan here.
        if (vulkan && !any_window(app) &&
            window_open(window, &app->settings, i, setup->width, setup->height, false)) {
            log_warning("the CPU draws the window: no Vulkan: %s", SDL_GetError());
            app->present = WINDOW_PRESENT_SOFTWARE;
            continue;
        }
        return false;
    }
    return start_presenters(app);
}

static void on_setup(void *data, const struct link_display_setup *setup)
{
    struct app *app = data;
    memcpy(app->name, setup->name, sizeof(app->name));
    app->name[sizeof(app->name) - 1] = '\0';
    if (!app->name[0])
        strcpy(app->name, "Hesper");
    if (app->options.output != WINDOW_ALL_OUTPUTS &&
        (uint32_t)app->options.output >= setup->outputs) {
        log_error("there is no output %d: the guest has %u", app->options.output, setup->outputs);
        app->failed = true;
        return;
    }
    app->settings.name = app->name;
    window_pads_init(&app->pads, app->display, setup->inputs);
    app->settings.mouse = setup->inputs >> LINK_INPUT_MOUSE & 1;
    app->settings.numbered = setup->outputs > 1;
    app->count = setup->outputs;
    app->failed = !open_windows(app, setup);
    app->opened = !app->failed;
}

static void on_picture(void *data, uint32_t output)
{
    struct window *window = window_of(data, output);
    if (window)
        window_picture(window);
}

static void on_frame(void *data, uint32_t output, const struct picture_rect *damage)
{
    struct app *app = data;
    struct window *window = window_of(app, output);
    if (window)
        window_frame(window, damage);
    else
        display_shown(app->display, output);
}

static void on_cursor(void *data, uint32_t output, bool shape_changed)
{
    struct window *window = window_of(data, output);
    if (window)
        window_cursor(window, shape_changed);
}

static void on_leds(void *data, uint32_t leds)
{
    struct app *app = data;
    app->leds_known = true;
    app->leds = leds;
}

static void on_state(void *data, enum link_machine_state state)
{
    static const char *const words[] = {
        [LINK_MACHINE_PAUSED] = "paused", [LINK_MACHINE_FULL] = "stands still: a disk is full"};
    struct app *app = data;
    for (uint32_t i = 0; i < app->count; i++)
        if (app->windows[i].sdl)
            window_say_state(&app->windows[i], words[state]);
}

static void on_clipboard(void *data, const char *text, size_t size)
{
    struct app *app = data;
    window_clipboard_take(&app->clipboard, app->display, text, size);
}

static void on_file_closed(void *data, struct display_file *file)
{
    window_import_forget(file);
}

// ---- what the person does -------------------------------------------------

static struct window *window_by_id(struct app *app, Uint32 id)
{
    for (uint32_t i = 0; i < app->count; i++)
        if (app->windows[i].sdl && SDL_GetWindowID(app->windows[i].sdl) == id)
            return &app->windows[i];
    return NULL;
}

// The machine is asked to shut down, twice: its end by force has to be announced (cli/run.c).
static void ask_for_the_end(struct app *app)
{
    static const char *const farewells[] = {
        "the guest was asked to shut down",
        "close once more to cut the guest's power; what it has not saved is lost",
    };
    uint64_t now = os_now_ns();
    if (app->closings && now - app->closed_ns < DOUBLE_CLICK_NS)
        return;
    app->closed_ns = now;
    unsigned number = app->closings++ ? 1 : 0;
    for (uint32_t i = 0; i < app->count; i++)
        if (app->windows[i].sdl)
            window_say(&app->windows[i], farewells[number]);
    display_closed(app->display);
}

// Closing the last window means the VM. Closing another one unplugs its output.
static void on_close(struct app *app, struct window *window)
{
    unsigned open = 0;
    for (uint32_t i = 0; i < app->count; i++)
        open += app->windows[i].sdl != NULL;
    if (open == 1) {
        ask_for_the_end(app);
        return;
    }
    uint32_t output = window->output;
    window_close(window);
    display_shown(app->display, output);
    display_set_mode(app->display, output, 0, 0);
}

static void on_key(struct app *app, const SDL_KeyboardEvent *event)
{
    struct window *window = window_by_id(app, event->windowID);
    bool down = event->type == SDL_KEYDOWN;
    SDL_Scancode key = event->keysym.scancode;
    if (!window || event->repeat)
        return;
    bool ours = down && (event->keysym.mod & KMOD_CTRL) && (event->keysym.mod & KMOD_ALT);
    if (!ours || !window_shortcut(window, key))
        window_input_key(&app->input, key, down);
}

static void on_motion(struct app *app, Uint32 id, Sint32 at_x, Sint32 at_y)
{
    struct window *window = window_by_id(app, id);
    double x = at_x, y = at_y;
    if (window && !app->input.captured && window_point(window, &x, &y))
        window_input_motion(&app->input, window->output, x, y);
}

static void on_finger(struct app *app, const SDL_TouchFingerEvent *event)
{
    struct window *window = window_by_id(app, event->windowID);
    if (!window)
        return;
    int width, height;
    SDL_GetWindowSize(window->sdl, &width, &height);
    double x = (double)event->x * width, y = (double)event->y * height;
    bool down = event->type != SDL_FINGERUP;
    if (window_point(window, &x, &y) || !down)
        window_input_finger(&app->input, event->fingerId, down, window->output, x, y);
}

static void on_window(struct app *app, const SDL_WindowEvent *event)
{
    struct window *window = window_by_id(app, event->windowID);
    if (!window)
        return;
    switch (event->event) {
    case SDL_WINDOWEVENT_CLOSE:
        on_close(app, window);
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        window_capture(window, false);
        window_input_release_all(&app->input);
        window_clipboard_focus(&app->clipboard, false);
        break;
    case SDL_WINDOWEVENT_FOCUS_GAINED:
        window_clipboard_focus(&app->clipboard, true);
        if (app->leds_known)
            window_input_match_lock(&app->input, app->leds, SDL_GetModState());
        break;
    default:
        window_event(window, event);
    }
}

// ---- events ---------------------------------------------------------------

static void on_ours(struct app *app, const SDL_UserEvent *event)
{
    uint32_t output = (uint32_t)(uintptr_t)event->data1;
    if (event->code == WINDOW_EVENT_LOST) {
        on_lost(app);
    } else if (event->code == WINDOW_EVENT_SHOWN && output < app->count &&
               display_output(app->display, output)->frame_due) {
        display_shown(app->display, output);
        display_count(app->display, 1, 0);
        window_shown(&app->windows[output]);
        window_confine_more();
    }
}

static void on_event(struct app *app, const SDL_Event *event)
{
    switch (event->type) {
    case SDL_QUIT:
        ask_for_the_end(app);
        break;
    case SDL_WINDOWEVENT:
        on_window(app, &event->window);
        break;
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        on_key(app, &event->key);
        break;
    case SDL_CLIPBOARDUPDATE:
        window_clipboard_changed(&app->clipboard);
        break;
    case SDL_MOUSEMOTION:
        if (app->input.captured)
            window_input_relative(&app->input, event->motion.xrel, event->motion.yrel);
        on_motion(app, event->motion.windowID, event->motion.x, event->motion.y);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        on_motion(app, event->button.windowID, event->button.x, event->button.y);
        window_input_button(&app->input, event->button.button, event->type == SDL_MOUSEBUTTONDOWN);
        break;
    case SDL_MOUSEWHEEL:
        window_input_wheel(&app->input, event->wheel.preciseX, event->wheel.preciseY);
        break;
    case SDL_FINGERDOWN:
    case SDL_FINGERMOTION:
    case SDL_FINGERUP:
        on_finger(app, &event->tfinger);
        break;
    default:
        if (event->type == app->settings.event)
            on_ours(app, &event->user);
        else
            window_pads_event(&app->pads, event);
    }
}

static void on_link(struct app *app)
{
    if (!display_dispatch(app->display))
        atomic_store(&app->quit, true);
    if (app->opened) {
        app->opened = false;
        display_ready(app->display);
    }
}

// Does what windows do by themselves. Returns the milliseconds until the next time, at most `most`.
static int tick(struct app *app, int most)
{
    uint64_t now = os_now_ns();
    for (uint32_t i = 0; i < app->count; i++) {
        if (!app->windows[i].sdl)
            continue;
        window_tick(&app->windows[i], now);
        uint64_t due = window_deadline(&app->windows[i]);
        if (due && due < now + (uint64_t)most * NS_PER_MS)
            most = due > now ? (int)((due - now) / NS_PER_MS) + 1 : 1;
    }
    display_flush(app->display);
    return most;
}

// SDL's own wait can miss what comes while a Vulkan driver talks to the same X server: the driver's
// thread reads it, and SDL sleeps on. So that wait is for times when nothing is presented.
static bool is_active(const struct app *app)
{
    for (uint32_t i = 0; i < app->count; i++)
        if (display_output(app->display, i)->frame_due)
            return true;
    return display_wants_write(app->display) || os_now_ns() < app->active_until_ns;
}

static void run(struct app *app)
{
    SDL_Event event;
    while (!atomic_load(&app->quit) && !app->failed) {
        bool any = false;
        for (; SDL_PollEvent(&event) && !app->failed; any = true)
            on_event(app, &event);
        if (any)
            app->active_until_ns = os_now_ns() + ACTIVE_NS;
        bool active = is_active(app);
        int ms = tick(app, active ? ACTIVE_POLL_MS : IDLE_POLL_MS);
        if (!active) {
            atomic_store(&app->asleep, true);
            os_notifier_signal(&app->to_watcher);
            if (SDL_WaitEventTimeout(&event, ms))
                on_event(app, &event);
            atomic_store(&app->asleep, false);
            ms = 0;
        }
        short events = POLLIN | (display_wants_write(app->display) ? POLLOUT : 0);
        struct pollfd fds[2] = {{.fd = app->options.fd, .events = events},
                                {.fd = app->wake.read_fd, .events = POLLIN}};
        if (poll(fds, 2, ms) <= 0)
            continue;
        app->active_until_ns = os_now_ns() + ACTIVE_NS;
        if (fds[1].revents)
            os_notifier_clear(&app->wake);
        if (fds[0].revents)
            on_link(app);
    }
}

// SDL cannot wait for a socket, so this thread does, and wakes SDL.
static void *watch(void *data)
{
    struct app *app = data;
    os_thread_set_name("link");
    while (!atomic_load(&app->quit)) {
        struct pollfd fds[2] = {{.fd = app->to_watcher.read_fd, .events = POLLIN},
                                {.fd = app->options.fd, .events = POLLIN}};
        if (poll(fds, atomic_load(&app->asleep) ? 2 : 1, -1) < 0)
            continue;
        if (fds[0].revents)
            os_notifier_clear(&app->to_watcher);
        if (fds[1].revents && atomic_exchange(&app->asleep, false))
            window_event_push(app->settings.event, WINDOW_EVENT_LINK, 0, &app->wake);
    }
    return NULL;
}

// ---- main -----------------------------------------------------------------

static const char *value_of(const char *variable)
{
    const char *value = getenv(variable);
    return value ? value : "";
}

// Where SDL reaches no screen it may choose a driver that shows nothing.
static bool is_seen(void)
{
    const char *driver = SDL_GetCurrentVideoDriver();
    return value_of("SDL_VIDEODRIVER")[0] || (driver && strcmp(driver, "offscreen") &&
                                              strcmp(driver, "dummy") && strcmp(driver, "evdev"));
}

static bool start(struct app *app)
{
    static const struct display_ops ops = {
        .setup = on_setup,
        .picture = on_picture,
        .frame = on_frame,
        .cursor = on_cursor,
        .leds = on_leds,
        .state = on_state,
        .file_closed = on_file_closed,
        .clipboard = on_clipboard,
    };
    window_set_hints();
    if (SDL_Init(SDL_INIT_VIDEO) < 0) {
        log_error("cannot open a window: %s: no desktop session here? try --display vnc",
                  SDL_GetError());
        return false;
    }
    if (!is_seen()) {
        log_error(
            "cannot open a window: no screen can be reached (DISPLAY is '%s', WAYLAND_DISPLAY is "
            "'%s'); try --display vnc",
            value_of("DISPLAY"), value_of("WAYLAND_DISPLAY"));
        SDL_Quit();
        return false;
    }
    SDL_StopTextInput(); // keys are keys: no input method in between
    SDL_version sdl;
    SDL_GetVersion(&sdl);
    log_info("windows by SDL %u.%u.%u, %s", sdl.major, sdl.minor, sdl.patch,
             SDL_GetCurrentVideoDriver());
    app->settings.event = SDL_RegisterEvents(1);
    int error = display_create(app->options.fd, &ops, app, &app->display);
    app->settings.display = app->display;
    app->settings.input = &app->input;
    app->input.display = app->display;
    if (!error)
        error = os_notifier_init(&app->wake);
    if (!error)
        error = os_notifier_init(&app->to_watcher);
    if (!error)
        error = -pthread_create(&app->watcher, NULL, watch, app);
    if (error)
        log_error("cannot start: %s", strerror(-error));
    return !error;
}

int main(int argc, char **argv)
{
    static struct app app; // large, and one
    int status;
    log_set_tag("window");
    if (!window_options_parse(&app.options, argc, argv, &status))
        return status;
    if (app.options.verbose)
        log_set_level(app.options.verbose > 1 ? LOG_DEBUG : LOG_INFO);
    app.present = app.options.present;
    app.settings.scale = app.options.scale;
    app.settings.fullscreen = app.options.fullscreen;
    app.settings.grab = app.options.grab;
    os_init(&app.options.host);
    os_die_with_parent();
    window_confine(app.options.sandbox == WINDOW_CONFINED);
    if (!start(&app))
        return 1;
    run(&app);

    atomic_store(&app.quit, true);
    os_notifier_signal(&app.to_watcher);
    pthread_join(app.watcher, NULL);
    drop_presenters(&app);
    for (uint32_t i = 0; i < app.count; i++)
        window_close(&app.windows[i]);
    window_pads_finish(&app.pads);
    display_destroy(app.display);
    os_notifier_finish(&app.to_watcher);
    os_notifier_finish(&app.wake);
    SDL_Quit();
    return app.failed ? 1 : 0;
}
