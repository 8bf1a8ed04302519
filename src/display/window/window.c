#include "display/window/window.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "display/window/notice.h"
#include "display/window/place.h"
#include "os/clock.h"

#define MS 1000000ull

// The guest is told of a resize when the window has been left alone for so long.
#define SETTLE_NS (100 * MS)
// An output that is off may be one that is being set up anew, also by a kernel after its boot
// loader: the last picture stays for so long.
#define OFF_NS (3000 * MS)
// Where it stands is kept when it has been left alone for so long.
#define PLACE_NS (1000 * MS)
#define COUNT_NS (1000 * MS)
// How long a window manager may take to answer our own resize.
#define ANSWER_NS (500 * MS)

enum { LEAST_WIDTH = 160, LEAST_HEIGHT = 120, LEAST_MODE = 16, MOST_MODE = 16384 };

static const char not_yet[] =
    "The guest has not switched its screen on yet. Its serial console may tell more.";
static const char off[] = "The guest has switched its screen off";

// ---- titles and notices ---------------------------------------------------

static void set_title(struct window *window)
{
    char number[32] = "", rate[48] = "", title[400];
    if (window->settings.numbered)
        snprintf(number, sizeof(number), " (%u)", window->output + 1);
    if (window->counted && window->rate >= 0)
        snprintf(rate, sizeof(rate), " - %.0f frames a second", window->rate);
    snprintf(title, sizeof(title), "%s%s%s%s%s%s%s%s%s%s%s", window->settings.name, number,
             window->state ? " - " : "", window->state ? window->state : "", rate,
             window->farewell ? " - " : "", window->farewell ? window->farewell : "",
             window->notice ? " - " : "", window->notice ? window->notice : "",
             window->grabbed ? " - Ctrl+Alt+G gives the keyboard back" : "",
             window->captured ? " - Ctrl+Alt+M gives the mouse back" : "");
    SDL_SetWindowTitle(window->sdl, title);
}

void window_say(struct window *window, const char *farewell)
{
    window->farewell = farewell;
    set_title(window);
}

void window_say_state(struct window *window, const char *state)
{
    window->state = state;
    set_title(window);
}

static void count(struct window *window, uint64_t now)
{
    window->rate = window->frames * 1e9 / (double)(now - window->counted_ns);
    window->frames = 0;
    window->counted_ns = now;
    set_title(window);
}

static void toggle_count(struct window *window)
{
    window->counted = !window->counted;
    window->rate = -1;
    window->frames = 0;
    window->counted_ns = os_now_ns();
    set_title(window);
}

void window_shown(struct window *window)
{
    window->frames++;
}

static void show_notice(struct window *window)
{
    uint32_t width = window->width, height = window->height;
    if (!window->presenter || !width || !height || width > MOST_MODE || height > MOST_MODE)
        return;
    uint8_t *rgba = window_notice(window->notice, width, height);
    if (rgba)
        window->presenter->ops->notice(window->presenter, rgba, width, height);
}

static void set_notice(struct window *window, const char *notice)
{
    if (window->notice == notice)
        return;
    window->notice = notice;
    set_title(window);
    window_cursor(window, false);
    if (notice)
        show_notice(window);
}

// ---- size -----------------------------------------------------------------

static void pixel_size(SDL_Window *sdl, uint32_t *width, uint32_t *height)
{
    int w = 0, h = 0;
    SDL_GetWindowSizeInPixels(sdl, &w, &h);
    *width = w > 0 ? (uint32_t)w : 0;
    *height = h > 0 ? (uint32_t)h : 0;
}

// SDL's units in a pixel, 1 unless the screen is a fine one.
static double unit(const struct window *window)
{
    int w = 0, h = 0;
    SDL_GetWindowSize(window->sdl, &w, &h);
    return window->width && w > 0 ? (double)w / window->width : 1;
}

static bool is_free(const struct window *window)
{
    const Uint32 bound = SDL_WINDOW_FULLSCREEN | SDL_WINDOW_FULLSCREEN_DESKTOP |
                         SDL_WINDOW_MAXIMIZED | SDL_WINDOW_MINIMIZED;
    return !(SDL_GetWindowFlags(window->sdl) & bound);
}

static void fit_to_guest(struct window *window)
{
    if (!is_free(window) ||
        (window->guest_width == window->width && window->guest_height == window->height))
        return;
    double scale = unit(window);
    window->ours_until_ns = os_now_ns() + ANSWER_NS;
    window->mode_due_ns = 0;
    SDL_SetWindowSize(window->sdl, (int)lround(window->guest_width * scale),
                      (int)lround(window->guest_height * scale));
}

// Frames in a second of the screen that the window is on.
static unsigned refresh_rate(const struct window *window)
{
    SDL_DisplayMode mode;
    int screen = SDL_GetWindowDisplayIndex(window->sdl);
    int rate = screen >= 0 && SDL_GetCurrentDisplayMode(screen, &mode) == 0 ? mode.refresh_rate : 0;
    return rate >= 20 && rate <= 1000 ? (unsigned)rate : 60;
}

static uint64_t period_ns(const struct window *window)
{
    return 1000 * MS / refresh_rate(window);
}

// Its pixels to an inch. Of ordinary screens the systems say this and that: 96 is meant.
static unsigned dots(const struct window *window)
{
    float dpi = 0;
    int screen = SDL_GetWindowDisplayIndex(window->sdl);
    if (screen < 0 || SDL_GetDisplayDPI(screen, &dpi, NULL, NULL) < 0 || !(dpi > 40 && dpi < 800) ||
        (dpi > 80 && dpi < 115))
        return 96;
    return (unsigned)lroundf(dpi);
}

// The guest's monitor is like the person's.
static void tell_screen(struct window *window)
{
    unsigned refresh = refresh_rate(window), dpi = dots(window);
    if (refresh == window->told_refresh && dpi == window->told_dpi)
        return;
    window->told_refresh = refresh;
    window->told_dpi = dpi;
    display_set_screen(window->settings.display, window->output, refresh, dpi);
}

static void take_size(struct window *window)
{
    uint32_t width, height;
    tell_screen(window);
    pixel_size(window->sdl, &width, &height);
    bool changed = width != window->width || height != window->height;
    window->width = width;
    window->height = height;
    if (window->presenter)
        window->presenter->ops->resize(window->presenter, width, height, period_ns(window));
    if (!changed || !width || !height)
        return;
    if (window->notice)
        show_notice(window);
    uint64_t now = os_now_ns();
    // What a window manager makes of our own resize is not the person's resize.
    if (now >= window->ours_until_ns || !is_free(window))
        window->mode_due_ns = now + SETTLE_NS;
}

static void tell_mode(struct window *window)
{
    uint32_t width = window->width, height = window->height;
    window->mode_due_ns = 0;
    if (width < LEAST_MODE || height < LEAST_MODE || width > MOST_MODE || height > MOST_MODE ||
        (width == window->asked_width && height == window->asked_height) ||
        (width == window->guest_width && height == window->guest_height && !window->asked_width))
        return;
    window->asked_width = width;
    window->asked_height = height;
    display_set_mode(window->settings.display, window->output, width, height);
}

// ---- place ----------------------------------------------------------------

static void keep_place(struct window *window)
{
    struct window_place place = {
        .full_screen = SDL_GetWindowFlags(window->sdl) & SDL_WINDOW_FULLSCREEN,
    };
    window->place_due_ns = 0;
    SDL_GetWindowPosition(window->sdl, &place.x, &place.y);
    window_place_keep(window->settings.name, window->output, &place);
}

// Where a new window goes. Several that fill a screen without having stood anywhere fill one each.
static struct window_place choose_place(const struct window *window)
{
    struct window_place place;
    int screens = SDL_GetNumVideoDisplays();
    if (window_place_find(window->settings.name, window->output, &place)) {
        place.full_screen |= window->settings.fullscreen;
        return place;
    }
    place.full_screen = window->settings.fullscreen;
    place.x = place.y = place.full_screen && screens > 1
                            ? SDL_WINDOWPOS_CENTERED_DISPLAY(window->output % (unsigned)screens)
                            : (int)SDL_WINDOWPOS_UNDEFINED;
    return place;
}

// ---- life -----------------------------------------------------------------

static bool make_sdl(struct window *window, uint32_t width, uint32_t height, bool vulkan)
{
    const struct window_place place = choose_place(window);
    Uint32 flags = SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI |
                   (vulkan ? SDL_WINDOW_VULKAN : 0) |
                   (place.full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    window->ours_until_ns = os_now_ns() + ANSWER_NS;
    window->sdl =
        SDL_CreateWindow(window->settings.name, place.x, place.y, (int)width, (int)height, flags);
    if (!window->sdl) {
        if (!vulkan)
            log_error("cannot open a window: %s", SDL_GetError());
        return false;
    }
    if (!place.full_screen && !SDL_WINDOWPOS_ISUNDEFINED(place.x))
        SDL_SetWindowPosition(window->sdl, place.x, place.y); // its frame is known now
    SDL_SetWindowMinimumSize(window->sdl, LEAST_WIDTH, LEAST_HEIGHT);
    if (window->grabbed)
        SDL_SetWindowKeyboardGrab(window->sdl, SDL_TRUE);
    pixel_size(window->sdl, &window->width, &window->height);
    set_title(window);
    return true;
}

bool window_open(struct window *window, const struct window_settings *settings, uint32_t output,
                 uint32_t width, uint32_t height, bool vulkan)
{
    *window = (struct window){
        .settings = *settings,
        .output = output,
        .notice = not_yet,
        .grabbed = settings->grab,
        .guest_width = width,
        .guest_height = height,
        .told_refresh = 60, // what it has without being told
        .told_dpi = 96,
    };
    if (!make_sdl(window, width, height, vulkan))
        return false;
    tell_screen(window);
    if (SDL_GetWindowFlags(window->sdl) & SDL_WINDOW_FULLSCREEN)
        window->mode_due_ns = os_now_ns() + SETTLE_NS;
    else
        fit_to_guest(window);
    return true;
}

bool window_reopen(struct window *window, bool vulkan)
{
    int width, height;
    window_capture(window, false);
    keep_place(window);
    SDL_GetWindowSize(window->sdl, &width, &height);
    SDL_DestroyWindow(window->sdl);
    window->sdl = NULL;
    return make_sdl(window, (uint32_t)width, (uint32_t)height, vulkan);
}

void window_close(struct window *window)
{
    if (window->sdl)
        window_capture(window, false);
    if (window->place_due_ns)
        keep_place(window);
    window_set_presenter(window, NULL);
    if (window->cursor)
        SDL_FreeCursor(window->cursor);
    if (window->sdl)
        SDL_DestroyWindow(window->sdl);
    *window = (struct window){0};
}

void window_set_presenter(struct window *window, struct window_presenter *presenter)
{
    if (window->presenter)
        window->presenter->ops->destroy(window->presenter);
    window->presenter = presenter;
    if (!presenter)
        return;
    presenter->ops->resize(presenter, window->width, window->height, period_ns(window));
    if (window->notice) {
        show_notice(window);
        display_shown(window->settings.display, window->output);
        return;
    }
    // Show what the last presenter showed, or was about to.
    const struct display_output *output = display_output(window->settings.display, window->output);
    struct picture_rect all = {.width = output->width, .height = output->height};
    if (output->file)
        presenter->ops->frame(presenter, &all);
    else
        display_shown(window->settings.display, window->output);
}

// ---- what the display says ------------------------------------------------

void window_picture(struct window *window)
{
    const struct display_output *output = display_output(window->settings.display, window->output);
    if (!output->file || !output->enabled) {
        window->off_due_ns = window->notice ? 0 : os_now_ns() + OFF_NS;
        return;
    }
    window->off_due_ns = 0;
    if (output->width == window->guest_width && output->height == window->guest_height)
        return;
    window->guest_width = output->width;
    window->guest_height = output->height;
    bool as_asked = output->width == window->asked_width && output->height == window->asked_height;
    if (!as_asked && !window->mode_due_ns) { // the guest's own idea
        window->asked_width = window->asked_height = 0;
        fit_to_guest(window);
    }
}

void window_frame(struct window *window, const struct picture_rect *damage)
{
    const struct display_output *output = display_output(window->settings.display, window->output);
    bool shows = output->file && output->enabled;
    struct picture_rect all = {.width = output->width, .height = output->height};
    if (shows && window->notice) {
        damage = &all;
        set_notice(window, NULL);
    }
    if (window->presenter && !window->notice)
        window->presenter->ops->frame(window->presenter, damage);
    else
        display_shown(window->settings.display, window->output);
}

static SDL_Cursor *make_cursor(const struct display_output *output)
{
    uint32_t width = output->cursor.width, height = output->cursor.height;
    if (!output->cursor.rgba)
        return NULL;
    SDL_Surface *surface =
        SDL_CreateRGBSurfaceWithFormat(0, (int)width, (int)height, 32, SDL_PIXELFORMAT_RGBA32);
    if (!surface)
        return NULL;
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *from = output->cursor.rgba + (size_t)y * width * 4;
        uint8_t *to = (uint8_t *)surface->pixels + (size_t)y * (size_t)surface->pitch;
        for (uint32_t x = 0; x < width; x++, from += 4, to += 4) {
            unsigned alpha = from[3];
            for (unsigned i = 0; i < 3; i++) { // SDL's are not premultiplied
                unsigned straight = alpha ? (from[i] * 255u + alpha / 2) / alpha : 0;
                to[i] = straight < 255 ? (uint8_t)straight : 255;
            }
            to[3] = (uint8_t)alpha;
        }
    }
    int hot_x = output->cursor.hot_x < width ? (int)output->cursor.hot_x : (int)width - 1;
    int hot_y = output->cursor.hot_y < height ? (int)output->cursor.hot_y : (int)height - 1;
    SDL_Cursor *cursor = SDL_CreateColorCursor(surface, hot_x, hot_y);
    SDL_FreeSurface(surface);
    return cursor;
}

// Makes the person's pointer look like the guest's. Where the guest shows none, the pointer is
// hidden: the guest draws one of its own then.
void window_cursor(struct window *window, bool shape_changed)
{
    const struct display_output *output = display_output(window->settings.display, window->output);
    SDL_Cursor *old = NULL;
    if (shape_changed) {
        old = window->cursor;
        window->cursor = make_cursor(output);
    }
    if (window->sdl && SDL_GetMouseFocus() == window->sdl) {
        bool guests = !window->notice;
        SDL_SetCursor(guests && window->cursor ? window->cursor : SDL_GetDefaultCursor());
        SDL_ShowCursor(!guests || (window->cursor && output->cursor.visible));
    }
    if (old)
        SDL_FreeCursor(old);
}

// ---- what the person does -------------------------------------------------

void window_event(struct window *window, const SDL_WindowEvent *event)
{
    switch (event->event) {
    case SDL_WINDOWEVENT_SIZE_CHANGED:
    case SDL_WINDOWEVENT_EXPOSED:
    case SDL_WINDOWEVENT_SHOWN:
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_MAXIMIZED:
    case SDL_WINDOWEVENT_DISPLAY_CHANGED:
        take_size(window);
        break;
    case SDL_WINDOWEVENT_MOVED:
        window->place_due_ns = os_now_ns() + PLACE_NS;
        break;
    case SDL_WINDOWEVENT_ENTER:
        window_cursor(window, false);
        break;
    }
}

bool window_point(const struct window *window, double *x, double *y)
{
    struct window_layout at;
    double scale = unit(window);
    if (window->notice || !window_layout(window->settings.scale, window->guest_width,
                                         window->guest_height, window->width, window->height, &at))
        return false;
    *x /= scale;
    *y /= scale;
    window_layout_point(&at, x, y);
    return true;
}

static void toggle_grab(struct window *window)
{
    window->grabbed = !window->grabbed;
    SDL_SetWindowKeyboardGrab(window->sdl, window->grabbed ? SDL_TRUE : SDL_FALSE);
    set_title(window);
}

void window_capture(struct window *window, bool captured)
{
    if (window->captured == captured)
        return;
    if (SDL_SetRelativeMouseMode(captured ? SDL_TRUE : SDL_FALSE) < 0 && captured) {
        log_warning("the mouse cannot be captured here: %s", SDL_GetError());
        return;
    }
    window->captured = captured;
    window_input_capture(window->settings.input, captured);
    set_title(window);
    if (!captured)
        window_cursor(window, false);
}

static void toggle_full_screen(struct window *window)
{
    bool full = SDL_GetWindowFlags(window->sdl) & SDL_WINDOW_FULLSCREEN;
    window->ours_until_ns = 0;
    if (SDL_SetWindowFullscreen(window->sdl, full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP) < 0)
        log_warning("no full screen: %s", SDL_GetError());
    window->place_due_ns = os_now_ns() + PLACE_NS;
}

bool window_shortcut(struct window *window, SDL_Scancode key)
{
    switch (key) {
    case SDL_SCANCODE_G:
        toggle_grab(window);
        return true;
    case SDL_SCANCODE_M:
        if (window->settings.mouse)
            window_capture(window, !window->captured);
        return window->settings.mouse;
    case SDL_SCANCODE_F:
        toggle_full_screen(window);
        return true;
    case SDL_SCANCODE_S:
        toggle_count(window);
        return true;
    default:
        return false;
    }
}

// ---- time -----------------------------------------------------------------

uint64_t window_deadline(const struct window *window)
{
    const uint64_t due[] = {window->mode_due_ns, window->off_due_ns, window->place_due_ns,
                            window->counted ? window->counted_ns + COUNT_NS : 0};
    uint64_t first = 0;
    for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++)
        if (due[i] && (!first || due[i] < first))
            first = due[i];
    return first;
}

void window_tick(struct window *window, uint64_t now_ns)
{
    if (window->mode_due_ns && window->mode_due_ns <= now_ns)
        tell_mode(window);
    if (window->place_due_ns && window->place_due_ns <= now_ns)
        keep_place(window);
    if (window->counted && window->counted_ns + COUNT_NS <= now_ns)
        count(window, now_ns);
    if (window->off_due_ns && window->off_due_ns <= now_ns) {
        window->off_due_ns = 0;
        set_notice(window, off);
    }
}
