// A viewer as the server sees it: a process that serves one connection. What has changed since it
// was told last is gathered here. On the loop's thread.
#ifndef VNC_PEER_H
#define VNC_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "display/vnc/message.h"
#include "display/vnc/options.h"
#include "os/loop.h"
#include "picture/picture.h"

struct vnc_peer;
struct vnc_child;

// The processes that were started and not yet reaped. Zero-initialize, but for `loop`.
struct vnc_processes {
    struct os_loop *loop;
    struct vnc_child *first; // private
};
// Forgets those that are left. No peer may.
void vnc_processes_finish(struct vnc_processes *processes);

struct vnc_peer_callbacks {
    void *data;
    // Of what a viewer sends; everything in it is its. Its type is VNC_JOINED (once), VNC_KEY,
    // VNC_POINTER or VNC_MODE.
    void (*message)(void *data, struct vnc_peer *peer, const struct vnc_message *message);
    // It is gone, for `why`. Call vnc_peer_free.
    void (*gone)(void *data, struct vnc_peer *peer, const char *why);
};

// Starts the process. `options` are those of the server; `local`: the port that the viewer came to
// listens on loopback only; `web`: it is the web port; `name`: of the VM.
// Owns: takes over `client`, the connection.
// Errors: -errno.
int vnc_peer_start(struct vnc_processes *processes, const struct vnc_options *options, int client,
                   bool web, bool local, const char *name,
                   const struct vnc_peer_callbacks *callbacks, struct vnc_peer **started);
// Ends the process and forgets it. No callback comes any more.
void vnc_peer_free(struct vnc_peer *peer);

// The server's, for what it keeps with a viewer.
void *vnc_peer_data(const struct vnc_peer *peer);
void vnc_peer_set_data(struct vnc_peer *peer, void *data);
bool vnc_peer_joined(const struct vnc_peer *peer);
uint64_t vnc_peer_since_ns(const struct vnc_peer *peer); // when it came
// Since when a batch waits for its answer; 0: none does.
uint64_t vnc_peer_waiting_ns(const struct vnc_peer *peer);

// What it must be told: descriptors stay the caller's and are duplicated. Sent by vnc_peer_flush.
void vnc_peer_screen(struct vnc_peer *peer, int fd, uint32_t width, uint32_t height);
void vnc_peer_damage(struct vnc_peer *peer, const struct picture_rect *rect);
// fd -1: it has none.
void vnc_peer_cursor(struct vnc_peer *peer, int fd, uint32_t width, uint32_t height, uint32_t hot_x,
                     uint32_t hot_y);
void vnc_peer_cursor_at(struct vnc_peer *peer, bool visible, int32_t x, int32_t y);
void vnc_peer_leds(struct vnc_peer *peer, uint32_t leds);
// Sends all that, unless the last batch was not answered yet: then it will go when it is.
void vnc_peer_flush(struct vnc_peer *peer);
// Stop or go on reading what it sends.
void vnc_peer_hold(struct vnc_peer *peer, bool hold);

#endif
