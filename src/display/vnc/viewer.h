// A viewer as the server sees it: a process (session.c) that serves one connection. Changes since
// the process was last told are gathered here.
//
// Thread: the loop's.
#ifndef VNC_VIEWER_H
#define VNC_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "display/vnc/message.h"
#include "display/vnc/options.h"
#include "os/loop.h"
#include "picture/picture.h"

struct vnc_viewer;

// The processes that were started and not yet reaped. The owner sets `loop` and calls list_init.
struct vnc_processes {
    struct os_loop *loop;
    struct list children;
};
// Forgets those that are left. Every viewer must have been freed.
void vnc_processes_finish(struct vnc_processes *processes);

struct vnc_viewer_callbacks {
    void *data;
    // The type is VNC_JOINED (once), VNC_KEY, VNC_POINTER, VNC_MOTION, VNC_MODE or VNC_COPIED.
    // Everything else in it is what a stranger sent.
    // False to VNC_JOINED: there is no place for it; it is lost.
    bool (*message)(void *data, struct vnc_viewer *viewer, const struct vnc_message *message);
    // The viewer is gone, for the reason `why`. Call vnc_viewer_free.
    void (*gone)(void *data, struct vnc_viewer *viewer, const char *why);
};

// What viewers' processes will be started by, for the starter (os/starter.h). Comes first.
// Errors: -errno.
int vnc_viewer_teach(const struct vnc_options *options, const char *name);

// Starts the process. `local`: the viewer came to a port that listens on loopback only; `web`: it
// came to the web port; `name`: the VM's name.
// Owns: takes over `client`, the connection.
// Errors: -errno.
int vnc_viewer_start(struct vnc_processes *processes, const struct vnc_options *options, int client,
                     bool web, bool local, const char *name,
                     const struct vnc_viewer_callbacks *callbacks, struct vnc_viewer **started);
// Ends the process. No callback comes any more.
void vnc_viewer_free(struct vnc_viewer *viewer);

// What the server keeps with a viewer.
void *vnc_viewer_data(const struct vnc_viewer *viewer);
void vnc_viewer_set_data(struct vnc_viewer *viewer, void *data);
bool vnc_viewer_joined(const struct vnc_viewer *viewer);
uint64_t vnc_viewer_since_ns(const struct vnc_viewer *viewer); // when it came
// Since when a batch waits for its answer; 0: none does.
uint64_t vnc_viewer_waiting_ns(const struct vnc_viewer *viewer);

// What it must be told, when vnc_viewer_flush is called.
// Owns: descriptors stay the caller's and are duplicated.
void vnc_viewer_picture(struct vnc_viewer *viewer, int fd, uint32_t width, uint32_t height);
void vnc_viewer_damage(struct vnc_viewer *viewer, const struct picture_rect *rect);
// `fd`: a file with a text of `size` bytes.
void vnc_viewer_text(struct vnc_viewer *viewer, int fd, uint32_t size);
// What its process has put into the file of texts, VNC_MAX_TEXT bytes that may change; NULL: there
// is no such file.
const uint8_t *vnc_viewer_file(const struct vnc_viewer *viewer);
// `fd` -1: there is no shape.
void vnc_viewer_cursor(struct vnc_viewer *viewer, int fd, uint32_t width, uint32_t height,
                       uint32_t hot_x, uint32_t hot_y);
void vnc_viewer_cursor_at(struct vnc_viewer *viewer, bool visible, int32_t x, int32_t y);
// `devices` and `leds` are those of the guest.
void vnc_viewer_inputs(struct vnc_viewer *viewer, uint32_t devices, uint32_t leds);
// Sends all that now, or when the last batch has been answered.
void vnc_viewer_flush(struct vnc_viewer *viewer);
// Stops reading what it sends, or goes on.
void vnc_viewer_hold(struct vnc_viewer *viewer, bool hold);

#endif
