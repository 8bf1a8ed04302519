// A display process as the device sees it: it is shown what the outputs show (link/display.h), and
// says what a person does. It may die at any time, and is trusted with the pictures only.
//
// Everything runs on the loop's thread.
#ifndef GPU_VIEWER_H
#define GPU_VIEWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/display.h"

struct gpu_device;
struct gpu_viewer;
struct link_pool;
struct os_loop;

// `data` is the owner's. Members may be NULL but `gone`; the viewer must not be destroyed inside
// them, except in `gone`.
struct gpu_viewer_callbacks {
    void (*ready)(void *data); // the window is open, the port is bound
    // What a person did: devices are known ones, everything else is as it came.
    void (*input)(void *data, const struct link_input *events, size_t count);
    void (*closed)(void *data); // its person closed the window, and means the VM
    void (*counters)(void *data, const struct link_display_counters *counters);
    // The process has ended, or misbehaved; `how` is text for a log line. Last call: destroy it.
    void (*gone)(void *data, const char *how);
};

struct gpu_viewer_options {
    struct link_display_setup setup;
    // It sets the pace of flushes; false: it looks on, like a screenshot.
    bool paces;
};

// Starts a process of `pool`, whose command is a display. NULL: errno.
struct gpu_viewer *gpu_viewer_create(struct os_loop *loop, struct link_pool *pool,
                                     const struct gpu_viewer_options *options,
                                     const struct gpu_viewer_callbacks *callbacks, void *data);
// The process ends by that.
void gpu_viewer_destroy(struct gpu_viewer *viewer);

// What it shows from now on; NULL: nothing. The device must be detached before it goes.
void gpu_viewer_attach(struct gpu_viewer *viewer, struct gpu_device *device);
void gpu_viewer_set_leds(struct gpu_viewer *viewer, uint32_t leds);

#endif
