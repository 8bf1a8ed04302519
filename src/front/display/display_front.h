// The device process's side of one display process. It shows the display what the outputs show
// (link/display_messages.h) and hears from it what a person does. A display may die at any time,
// and it is trusted with the pictures only.
//
// Thread: the loop's.
#ifndef DISPLAY_FRONT_H
#define DISPLAY_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/display_messages.h"

struct gpu_device;
struct display_front;
struct link_pool;
struct os_loop;

// Members may be NULL, except `gone`. The front must not be destroyed inside them, except in
// `gone`.
struct display_front_callbacks {
    void (*ready)(void *data); // the window is open, the port is bound
    // What a person did. `device` is checked; everything else is as it came.
    void (*input)(void *data, const struct link_input *events, size_t count);
    // Its person has copied a text: UTF-8, 1 to LINK_MAX_CLIPBOARD bytes, if it tells the truth.
    void (*copied)(void *data, const char *text, size_t size);
    void (*closed)(void *data); // its person has closed the window, and means the VM
    // Its person has resized the window of an output, which has the mode now.
    void (*resized)(void *data, uint32_t output, uint32_t width, uint32_t height);
    void (*counters)(void *data, const struct link_display_counters *counters);
    // The process has ended, or misbehaved. `status` is that of waitpid, or -1 if it is not known.
    // `how` is text for a log line. This is the last call: destroy the front.
    void (*gone)(void *data, int status, const char *how);
};

struct display_front_options {
    struct link_display_setup setup;
    // It sets the pace of flushes. False: it looks on, as for a screenshot.
    bool paces;
};

// Starts a process of `pool`, whose command is a display.
// Errors: -errno.
int display_front_create(struct os_loop *loop, struct link_pool *pool,
                         const struct display_front_options *options,
                         const struct display_front_callbacks *callbacks, void *data,
                         struct display_front **created);
// The same for a process that somebody else has started, at the other end of `fd`.
// Owns: takes over `fd`, also when it fails.
int display_front_adopt(struct os_loop *loop, int fd, const struct display_front_options *options,
                        const struct display_front_callbacks *callbacks, void *data,
                        struct display_front **created);
// Ends the process, if it is ours.
void display_front_destroy(struct display_front *front);

// Shows the device's outputs from now on; NULL: nothing. Detach a device before it is destroyed.
void display_front_attach(struct display_front *front, struct gpu_device *device);
// The guest's person has copied a text. Once it was told of one, maybe an empty one, the display
// tells of those of its own person. A display that is behind is not told.
void display_front_set_clipboard(struct display_front *front, const char *text, size_t size);
void display_front_set_leds(struct display_front *front, uint32_t leds);
void display_front_set_state(struct display_front *front, enum link_machine_state state);

#endif
