#include "display/window/options.h"

#include <SDL.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "link/display_messages.h"

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

enum { USAGE = 2 }; // exit status

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

static bool number(const char *text, int most, int *value)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < 0 || n > most)
        return false;
    *value = (int)n;
    return true;
}

static bool take(struct window_options *options, int option, const char *value)
{
    static const char *const scales[] = {"fit", "whole", "none", NULL};
    static const char *const presents[] = {"gpu", "upload", "software", NULL};
    int index = 0;
    bool good = true;
    switch (option) {
    case 'f':
        return number(value, 1 << 20, &options->fd);
    case 'o':
        options->output = WINDOW_ALL_OUTPUTS;
        return strcmp(value, "all") == 0 ||
               number(value, LINK_DISPLAY_OUTPUTS - 1, &options->output);
    case 's':
        good = one_of(value, scales, &index);
        options->scale = (enum window_scale)index;
        break;
    case 'm':
        good = one_of(value, presents, &index);
        options->present = (enum window_present)index;
        break;
    case 'F':
        options->fullscreen = true;
        break;
    case 'g':
        options->grab = true;
        break;
    case 'p':
        options->host.portable = true;
        break;
    case 'v':
        options->verbose++;
        break;
    }
    return good;
}

bool window_options_parse(struct window_options *options, int argc, char **argv, int *status)
{
    static const struct option known[] = {
        {"fd", required_argument, NULL, 'f'},    {"output", required_argument, NULL, 'o'},
        {"scale", required_argument, NULL, 's'}, {"present", required_argument, NULL, 'm'},
        {"fullscreen", no_argument, NULL, 'F'},  {"grab", no_argument, NULL, 'g'},
        {"portable", no_argument, NULL, 'p'},    {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},        {0},
    };
    int option;
    *options = (struct window_options){.fd = -1, .output = WINDOW_ALL_OUTPUTS};
    *status = USAGE;
    while ((option = getopt_long(argc, argv, "vh", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            *status = 0;
            return false;
        }
        if (option == '?')
            return false;
        if (!take(options, option, optarg)) {
            log_error("'%s' is not known here; see 'hesper-window --help'", optarg);
            return false;
        }
    }
    if (options->fd >= 3 && optind == argc)
        return true;
    log_error("hesper starts this program itself; see 'hesper-window --help'");
    return false;
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
