// The command line of hesper-window.
#ifndef WINDOW_OPTIONS_H
#define WINDOW_OPTIONS_H

#include "display/window/present.h"
#include "os/os.h"

enum { WINDOW_ALL_OUTPUTS = -1 };

struct window_options {
    int fd;
    int output; // or WINDOW_ALL_OUTPUTS
    enum window_scale scale;
    enum window_present present;
    enum { WINDOW_CONFINED, WINDOW_FREE } sandbox;
    bool fullscreen, grab;
    unsigned verbose;
    struct os_options host;
};

// False: the program ends with `*status`, after a message.
bool window_options_parse(struct window_options *options, int argc, char **argv, int *status);

// What SDL is told before it starts.
void window_set_hints(void);

#endif
