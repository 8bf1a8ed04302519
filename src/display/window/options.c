#include "display/window/options.h"

#include <SDL.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "link/display_messages.h"

static const char usage[] =
    "usage: hesper-window --fd N [OPTIONS]\n"
    "\n"
    "Shows a guest's screens in windows. hesper starts it: see --display window of 'hesper run'.\n"
    "\n";

enum { USAGE = 2 }; // exit status

static const char *const scales[] = {"fit", "whole", "none", NULL};
static const char *const sandboxes[] = {"default", "off", NULL};
static const char *const presents[] = {"gpu", "upload", "software", NULL};

static bool take_output(const char *label, const char *text, void *to)
{
    uint64_t number;
    bool all = strcmp(text, "all") == 0;
    if (!all && !option_size(text, LINK_DISPLAY_OUTPUTS - 1, &number)) {
        log_error("--output is 'all' or a number from 0 to %d, not '%s'", LINK_DISPLAY_OUTPUTS - 1,
                  text);
        return false;
    }
    *(int *)to = all ? WINDOW_ALL_OUTPUTS : (int)number;
    return true;
}

static const struct option_row rows[] = {
    {"fd", "N", "the socket to the device process",
     OPTION_NUMBER(struct window_options, fd, 3, 1 << 20)},
    {"output", "N|all", "which of the guest's screens, from 0 [all]",
     OPTION_TAKE(struct window_options, output, take_output)},
    {"scale", "fit|whole|none",
     "a picture of another size than its window: as large as it goes, by whole numbers, or as it "
     "is [fit]",
     OPTION_CHOICE(struct window_options, scale, scales)},
    {"fullscreen", NULL, "Ctrl+Alt+F changes it", OPTION_FLAG(struct window_options, fullscreen)},
    {"grab", NULL, "system keys go to the guest too; Ctrl+Alt+G changes it",
     OPTION_FLAG(struct window_options, grab)},
    {"present", "gpu|upload|software", "how pictures get into the window [gpu, or what there is]",
     OPTION_CHOICE(struct window_options, present, presents)},
    {"sandbox", "default|off", "whether it is confined [default]",
     OPTION_CHOICE(struct window_options, sandbox, sandboxes)},
    {"portable", NULL, "use only what every host has",
     OPTION_FLAG(struct window_options, host.portable)},
    {"verbose", NULL, "twice: more", OPTION_COUNT(struct window_options, verbose), .letter = 'v'},
    {0},
};

bool window_options_parse(struct window_options *options, int argc, char **argv, int *status)
{
    const struct options command = {
        .program = "hesper-window", .usage = usage, .tables = {{rows, options}}};
    *options = (struct window_options){.fd = -1, .output = WINDOW_ALL_OUTPUTS};
    int first = options_read(&command, argc, argv);
    *status = first ? USAGE : 0;
    if (first > 0 && (options->fd < 0 || first < argc)) {
        log_error("hesper starts this program itself; see 'hesper-window --help'");
        return false;
    }
    return first > 0;
}

void window_set_hints(void)
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
