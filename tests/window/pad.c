// A game pad for a program that uses SDL, where there is no device of one: LD_PRELOAD puts it into
// hesper-window. It is plugged in once the program looks for pads, and does what the lines of the
// pipe $TEST_PAD say:
//
//   button NUMBER VALUE        axis NUMBER VALUE
#include <SDL.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAP_US = 10000 };

// Other programs have this in them as well, and no SDL.
#define SDL(name) ((__typeof__(&name))dlsym(RTLD_DEFAULT, #name))

static void *play(void *data)
{
    char what[16];
    int number, value;
    while (!SDL(SDL_WasInit)(SDL_INIT_GAMECONTROLLER))
        usleep(NAP_US);
    int index = SDL(SDL_JoystickAttachVirtual)(
        SDL_JOYSTICK_TYPE_GAMECONTROLLER, SDL_CONTROLLER_AXIS_MAX, SDL_CONTROLLER_BUTTON_MAX, 0);
    SDL_Joystick *pad = index < 0 ? NULL : SDL(SDL_JoystickOpen)(index);
    FILE *pipe = pad ? fopen(data, "r") : NULL;
    if (!pipe)
        fprintf(stderr, "pad: it is not plugged in: %s\n", SDL(SDL_GetError)());
    while (pipe && fscanf(pipe, "%15s %d %d", what, &number, &value) == 3) {
        if (!strcmp(what, "button"))
            SDL(SDL_JoystickSetVirtualButton)(pad, number, (Uint8)value);
        else
            SDL(SDL_JoystickSetVirtualAxis)(pad, number, (Sint16)value);
        SDL(SDL_JoystickUpdate)(); // the program may look too late, and only the last would count
        usleep(what[0] == 'a' ? 20 * NAP_US : 0); // of places only the newest counts
    }
    return NULL;
}

__attribute__((constructor)) static void plug_in(void)
{
    pthread_t thread;
    char *path = getenv("TEST_PAD");
    if (path && SDL(SDL_WasInit))
        pthread_create(&thread, NULL, play, path);
}
