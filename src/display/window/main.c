// hesper-window: a guest's screens as windows on the person's desktop. Started by hesper itself.
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <SDL.h>
#include <SDL_vulkan.h>

#include "base/log.h"
#include "display/display.h"
#include "display/window/import.h"
#include "display/window/window.h"
#include "os/clock.h"
#include "os/notifier.h"
#include "os/os.h"
#include "os/process.h"
#include "os/thread.h"

static const char usage[] =
    "usage: hesper-window --fd N [OPTIONS]\n"
    "\n"
    "Shows a guest's screens in windows. hesper starts it: see --display window of 'hesper run'.\n"
    "\n"
    "  --fd N                   the socket to the device process\n"
    "  --output N|all           which of the guest's screens, from 0 [all]\n"
    "  --scale fit|whole|none   a picture of another size than its window: as large as it goes,\n"
    "                           by whole numbers, or as it is [fit]\n"
    "  --fullscreen             Ctrl+Alt+F changes it\n"
    "  --grab                   system keys go to the guest too; Ctrl+Alt+G changes it\n"
    "  --present gpu|upload|software\n"
    "                           how pictures get into the window [gpu, or what there is]\n"
    "  --portable               use only what every host has\n"
    "  -v, --verbose            twice: more\n";

#define NS_PER_MS 1000000ull
// A Vulkan device that is lost more often than this is given up.
enum { MOST_LOSSES = 3 };
#define LOSS_PERIOD_NS (30000 * NS_PER_MS)

enum { ALL_OUTPUTS = -1 };

struct app {
    struct display *display;
    struct window_input input;
    struct window_settings settings;
    enum window_present present;
    int output; // or ALL_OUTPUTS
    char name[64];

    uint32_t count;
    struct window windows[LINK_DISPLAY_OUTPUTS]; // those without `sdl` are not shown
    struct window_vulkan *vulkan;
    unsigned losses;
    uint64_t first_loss_ns;
    bool leds_known;
    uint32_t leds;
    bool opened, failed;

    // The thread that waits for the socket.
    pthread_t thread;
    struct os_notifier notifier; // to it
    int fd;
    atomic_bool quit, pending, wants_write;
};

// ---- presenters --------------------------------------------------------------------------------

static void drop_presenters(struct app *app)
{
    for (uint32_t i = 0; i < app->count; i++)
        window_set_presenter(&app->windows[i], NULL);
    if (app->vulkan)
        window_import_forget_all(app->vulkan);
    window_vulkan_destroy(app->vulkan);
    app->vulkan = NULL;
    // Of presenters that are gone.
    SDL_FlushEvent(app->settings.event);
    if (atomic_load(&app->pending))
        window_event_push(app->settings.event, WINDOW_EVENT_LINK, 0);
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
            why = "a window can't be presented to";
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

// ---- what the display says ---------------------------------------------------------------------

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
        if (app->output != ALL_OUTPUTS && (uint32_t)app->output != i)
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
    memcpy(app->name, setup->name, sizeof app->name);
    app->name[sizeof app->name - 1] = '\0';
    if (!app->name[0])
        strcpy(app->name, "Hesper");
    if (app->output != ALL_OUTPUTS && (uint32_t)app->output >= setup->outputs) {
        log_error("there is no output %d: the guest has %u", app->output, setup->outputs);
        app->failed = true;
        return;
    }
    app->settings.name = app->name;
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

static void on_frame(void *data, uint32_t output, const struct gpu_rect *damage)
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

static void on_file_closed(void *data, struct display_file *file)
{
    (void)data;
    window_import_forget(file);
}

// ---- what the person does ----------------------------------------------------------------------

static struct window *window_by_id(struct app *app, Uint32 id)
{
    for (uint32_t i = 0; i < app->count; i++)
        if (app->windows[i].sdl && SDL_GetWindowID(app->windows[i].sdl) == id)
            return &app->windows[i];
    return NULL;
}

// The last window stands for the VM; others for a monitor, which is pulled out.
static void on_close(struct app *app, struct window *window)
{
    unsigned open = 0;
    for (uint32_t i = 0; i < app->count; i++)
        open += app->windows[i].sdl != NULL;
    if (open == 1) {
        display_closed(app->display);
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
    if (ours && key == SDL_SCANCODE_G)
        window_toggle_grab(window);
    else if (ours && key == SDL_SCANCODE_F)
        window_toggle_fullscreen(window);
    else
        window_input_key(&app->input, key, down);
}

static void on_motion(struct app *app, Uint32 id, Sint32 at_x, Sint32 at_y)
{
    struct window *window = window_by_id(app, id);
    double x = at_x, y = at_y;
    if (window && window_point(window, &x, &y))
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
        window_input_release_all(&app->input);
        break;
    case SDL_WINDOWEVENT_FOCUS_GAINED:
        if (app->leds_known)
            window_input_match_lock(&app->input, app->leds, SDL_GetModState());
        break;
    default:
        window_event(window, event);
    }
}

// ---- events ------------------------------------------------------------------------------------

static void on_ours(struct app *app, const SDL_UserEvent *event)
{
    uint32_t output = (uint32_t)(uintptr_t)event->data1;
    switch (event->code) {
    case WINDOW_EVENT_LINK:
        if (!display_dispatch(app->display))
            atomic_store(&app->quit, true);
        if (app->opened) {
            app->opened = false;
            display_ready(app->display);
        }
        atomic_store(&app->wants_write, display_wants_write(app->display));
        atomic_store(&app->pending, false);
        os_notifier_signal(&app->notifier);
        break;
    case WINDOW_EVENT_SHOWN:
        if (output < app->count && display_output(app->display, output)->frame_due) {
            display_shown(app->display, output);
            display_count(app->display, 1, 0);
        }
        break;
    case WINDOW_EVENT_LOST:
        on_lost(app);
        break;
    }
}

static void on_event(struct app *app, const SDL_Event *event)
{
    switch (event->type) {
    case SDL_QUIT:
        display_closed(app->display);
        break;
    case SDL_WINDOWEVENT:
        on_window(app, &event->window);
        break;
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        on_key(app, &event->key);
        break;
    case SDL_MOUSEMOTION:
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
    }
}

// Waits for the next event, or until a window's time has come.
static bool next_event(struct app *app, SDL_Event *event)
{
    uint64_t deadline = 0, now = os_now_ns();
    for (uint32_t i = 0; i < app->count; i++) {
        if (!app->windows[i].sdl)
            continue;
        window_tick(&app->windows[i], now);
        uint64_t due = window_deadline(&app->windows[i]);
        if (due && (!deadline || due < deadline))
            deadline = due;
    }
    display_flush(app->display);
    if (display_wants_write(app->display) != atomic_load(&app->wants_write)) {
        atomic_store(&app->wants_write, display_wants_write(app->display));
        os_notifier_signal(&app->notifier);
    }
    if (!deadline)
        return SDL_WaitEvent(event);
    int ms = deadline > now ? (int)((deadline - now) / NS_PER_MS) + 1 : 1;
    return SDL_WaitEventTimeout(event, ms);
}

static void run(struct app *app)
{
    SDL_Event event;
    while (!atomic_load(&app->quit) && !app->failed) {
        if (!next_event(app, &event))
            continue;
        do
            on_event(app, &event);
        while (!atomic_load(&app->quit) && !app->failed && SDL_PollEvent(&event));
    }
}

// SDL can't wait for a socket, so this does, and tells it.
static void *watch(void *data)
{
    struct app *app = data;
    os_thread_set_name("link");
    while (!atomic_load(&app->quit)) {
        bool armed = !atomic_load(&app->pending);
        short events = POLLIN | (atomic_load(&app->wants_write) ? POLLOUT : 0);
        struct pollfd fds[2] = {{.fd = armed ? app->fd : -1, .events = events},
                                {.fd = app->notifier.read_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents)
            os_notifier_clear(&app->notifier);
        if (armed && fds[0].revents) {
            atomic_store(&app->pending, true);
            window_event_push(app->settings.event, WINDOW_EVENT_LINK, 0);
        }
    }
    return NULL;
}

// ---- main --------------------------------------------------------------------------------------

static void set_hints(void)
{
    SDL_SetHint(SDL_HINT_APP_NAME, "Hesper");
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    SDL_SetHint(SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0");
    SDL_SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
    SDL_SetHint(SDL_HINT_TOUCH_MOUSE_EVENTS, "0");
    SDL_SetHint(SDL_HINT_MOUSE_TOUCH_EVENTS, "0");
    SDL_SetHint(SDL_HINT_QUIT_ON_LAST_WINDOW_CLOSE, "0");
}

static bool one_of(const char *text, const char *const *names, int *index)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool parse(struct app *app, struct os_options *host, int argc, char **argv)
{
    static const struct option options[] = {
        {"fd", required_argument, NULL, 'f'},    {"output", required_argument, NULL, 'o'},
        {"scale", required_argument, NULL, 's'}, {"present", required_argument, NULL, 'm'},
        {"fullscreen", no_argument, NULL, 'F'},  {"grab", no_argument, NULL, 'g'},
        {"portable", no_argument, NULL, 'p'},    {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},        {0},
    };
    static const char *const scales[] = {"fit", "whole", "none", NULL};
    static const char *const presents[] = {"gpu", "upload", "software", NULL};
    int verbose = 0, option, index = 0;
    app->output = ALL_OUTPUTS;
    app->fd = -1;
    while ((option = getopt_long(argc, argv, "vh", options, NULL)) != -1) {
        bool good = true;
        switch (option) {
        case 'f':
            app->fd = atoi(optarg);
            break;
        case 'o':
            app->output = strcmp(optarg, "all") == 0 ? ALL_OUTPUTS : atoi(optarg);
            break;
        case 's':
            good = one_of(optarg, scales, &index);
            app->settings.scale = (enum window_scale)index;
            break;
        case 'm':
            good = one_of(optarg, presents, &index);
            app->present = (enum window_present)index;
            break;
        case 'F':
            app->settings.fullscreen = true;
            break;
        case 'g':
            app->settings.grab = true;
            break;
        case 'p':
            host->portable = true;
            break;
        case 'v':
            verbose++;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            return false;
        }
        if (!good) {
            log_error("'%s' is not known here; see 'hesper-window --help'", optarg);
            return false;
        }
    }
    if (app->fd < 3 || optind < argc) {
        log_error("hesper starts this program itself; see 'hesper-window --help'");
        return false;
    }
    if (verbose)
        log_set_level(verbose > 1 ? LOG_DEBUG : LOG_INFO);
    return true;
}

static bool start(struct app *app)
{
    static const struct display_ops ops = {
        .setup = on_setup,
        .picture = on_picture,
        .frame = on_frame,
        .cursor = on_cursor,
        .leds = on_leds,
        .file_closed = on_file_closed,
    };
    set_hints();
    if (SDL_Init(SDL_INIT_VIDEO) < 0) {
        log_error("cannot open a window: %s: no desktop session here? try --display vnc",
                  SDL_GetError());
        return false;
    }
    SDL_StopTextInput(); // keys are keys: no input method in between
    SDL_version sdl;
    SDL_GetVersion(&sdl);
    log_info("windows by SDL %u.%u.%u, %s", sdl.major, sdl.minor, sdl.patch,
             SDL_GetCurrentVideoDriver());
    app->settings.event = SDL_RegisterEvents(1);
    app->display = display_create(app->fd, &ops, app);
    app->settings.display = app->display;
    app->settings.input = &app->input;
    app->input.display = app->display;
    if (app->display && os_notifier_init(&app->notifier) &&
        pthread_create(&app->thread, NULL, watch, app) == 0)
        return true;
    log_error("cannot start: %s", strerror(errno));
    return false;
}

int main(int argc, char **argv)
{
    static struct app app; // large, and one
    struct os_options host = {0};
    log_set_tag("window");
    if (!parse(&app, &host, argc, argv))
        return 2;
    os_init(&host);
    os_die_with_parent();
    // Meant for the guest's side: a loader that knows Venus would come back to us.
    unsetenv("VN_DEBUG");
    unsetenv("VTEST_SOCKET_NAME");
    if (!start(&app))
        return 1;
    run(&app);

    atomic_store(&app.quit, true);
    os_notifier_signal(&app.notifier);
    pthread_join(app.thread, NULL);
    drop_presenters(&app);
    for (uint32_t i = 0; i < app.count; i++)
        window_close(&app.windows[i]);
    display_destroy(app.display);
    os_notifier_finish(&app.notifier);
    SDL_Quit();
    return app.failed ? 1 : 0;
}
