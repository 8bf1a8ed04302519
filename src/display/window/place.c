#include "display/window/place.h"

#include <SDL.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

// Makes the folders up to the last slash. Errors: false, there is no such folder.
static bool make_folders(char *path)
{
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        bool there = mkdir(path, 0700) == 0 || errno == EEXIST;
        *at = '/';
        if (!there)
            return false;
    }
    return true;
}

static bool file_of(const char *name, uint32_t output, char *path, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    bool said = state && state[0] == '/';
    if (!said && !(home && home[0] == '/'))
        return false;
    int length = snprintf(path, size, "%s%s/hesper/windows/", said ? state : home,
                          said ? "" : "/.local/state");
    int whole = snprintf(path + length, size > (size_t)length ? size - (size_t)length : 0, "%s.%u",
                         name, output);
    if (length + whole >= (int)size)
        return false;
    for (char *at = path + length; (at = strchr(at, '/'));)
        *at = '_';
    return true;
}

// A piece of its upper edge can be reached.
static bool is_on_a_screen(const struct window_place *place)
{
    const SDL_Point edge = {place->x + 60, place->y + 10};
    SDL_Rect screen;
    for (int i = 0; i < SDL_GetNumVideoDisplays(); i++)
        if (SDL_GetDisplayBounds(i, &screen) == 0 && SDL_PointInRect(&edge, &screen))
            return true;
    return false;
}

bool window_place_find(const char *name, uint32_t output, struct window_place *place)
{
    char path[4096];
    unsigned full;
    FILE *file = file_of(name, output, path, sizeof(path)) ? fopen(path, "re") : NULL;
    bool good = file && fscanf(file, "%6d %6d %u", &place->x, &place->y, &full) == 3;
    if (file)
        fclose(file);
    place->full_screen = good && full == 1;
    return good && is_on_a_screen(place);
}

bool window_place_folder(char *path, size_t size)
{
    if (!file_of("", 0, path, size) || !make_folders(path))
        return false;
    *strrchr(path, '/') = 0;
    return true;
}

void window_place_keep(const char *name, uint32_t output, const struct window_place *place)
{
    char path[4096], next[4128];
    if (!file_of(name, output, path, sizeof(path)) || !make_folders(path))
        return;
    snprintf(next, sizeof(next), "%s.part%ld", path, (long)getpid());
    FILE *file = fopen(next, "we");
    bool good = file && fprintf(file, "%d %d %d\n", place->x, place->y, place->full_screen) > 0;
    if (file && fclose(file) != 0)
        good = false;
    if (good && rename(next, path) == 0)
        return;
    log_debug("where the window stands is not kept: %s", strerror(errno));
    unlink(next);
}
