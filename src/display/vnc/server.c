#include "display/vnc/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "display/display.h"
#include "display/vnc/hands.h"
#include "display/vnc/picture.h"
#include "display/vnc/viewer.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/sandbox.h"
#include "os/shm.h"
#include "os/socket.h"
#include "os/starter.h"

#define NS_PER_S 1000000000ull

enum {
    MAX_JOINED = 16,
    MAX_STRANGERS = 24,  // connections that have not joined; browsers open several for their files
    JOIN_SECONDS = 60,   // a person may have to find a password
    ANSWER_SECONDS = 60, // a whole picture over a slow line
    ACCEPTS = 4,         // at once
};

struct server {
    const struct vnc_options *options;
    struct os_loop *loop;
    struct display *display;
    struct os_source *display_source, *tick, *watch;
    struct vnc_listener listeners[2]; // VNC, web
    struct os_source *accepting[2];
    bool ready, holding;
    int status;

    char name[64];
    uint32_t output, outputs;
    struct vnc_picture picture;
    bool has_picture;
    int cursor_fd;          // -1: no shape yet
    uint32_t devices, leds; // of the guest's inputs

    uint64_t period_ns, origin_ns;
    bool ticking;

    struct vnc_viewer *viewers[MAX_JOINED + MAX_STRANGERS];
    unsigned viewer_count, joined;
    struct vnc_processes processes;
    struct vnc_input input;
};

// ---- the picture ----------------------------------------------------------

static void tell_damage(void *data, const struct picture_rect *rect)
{
    struct server *server = data;
    for (unsigned i = 0; i < server->viewer_count; i++)
        if (vnc_viewer_joined(server->viewers[i]))
            vnc_viewer_damage(server->viewers[i], rect);
}

static void flush_viewers(struct server *server)
{
    for (unsigned i = 0; i < server->viewer_count; i++)
        vnc_viewer_flush(server->viewers[i]);
}

static void tell_nobody(void *data, const struct picture_rect *rect)
{
}

// Copies the whole picture, for the first viewer that looks.
static void refresh(struct server *server)
{
    const struct display_output *output = display_output(server->display, server->output);
    const struct picture_rect all = {0, 0, server->picture.width, server->picture.height};
    server->has_picture =
        output->file && vnc_picture_update(&server->picture, server->display, server->output, &all,
                                           tell_nobody, NULL);
    if (!server->has_picture)
        vnc_picture_say(&server->picture, "the guest has not switched its screen on yet",
                        "its serial console may tell more");
}

static bool resize(struct server *server, uint32_t width, uint32_t height)
{
    if (width > VNC_MAX_SIZE || height > VNC_MAX_SIZE || !width || !height) {
        log_warning("a screen of %ux%u cannot be shown", width, height);
        return false;
    }
    int error = vnc_picture_resize(&server->picture, width, height);
    if (error) {
        log_error("no memory for a screen of %ux%u: %s", width, height, strerror(-error));
        return false;
    }
    if (server->joined)
        refresh(server);
    for (unsigned i = 0; i < server->viewer_count; i++)
        if (vnc_viewer_joined(server->viewers[i]))
            vnc_viewer_picture(server->viewers[i], server->picture.fd, width, height);
    return true;
}

static void on_picture(void *data, uint32_t index)
{
    struct server *server = data;
    const struct display_output *output = display_output(server->display, index);
    if (index != server->output || !output->file)
        return; // the last picture stays
    if (output->width != server->picture.width || output->height != server->picture.height)
        resize(server, output->width, output->height);
}

static void on_frame(void *data, uint32_t index, const struct picture_rect *damage)
{
    struct server *server = data;
    if (index == server->output && server->joined) {
        // After a line of text, the whole picture is new.
        const struct picture_rect all = {0, 0, server->picture.width, server->picture.height};
        if (vnc_picture_update(&server->picture, server->display, index,
                               server->has_picture ? damage : &all, tell_damage, server))
            server->has_picture = true;
        flush_viewers(server);
    }
    if (server->ticking)
        return;
    server->ticking = true;
    uint64_t gone = (os_now_ns() - server->origin_ns) / server->period_ns;
    os_source_set_deadline(server->tick, server->origin_ns + (gone + 1) * server->period_ns);
}

// The frame has been copied, or no viewer wanted it: the guest may draw the next.
static void on_tick(void *data)
{
    struct server *server = data;
    server->ticking = false;
    for (uint32_t i = 0; i < server->outputs; i++) {
        if (!display_output(server->display, i)->frame_due)
            continue;
        if (i == server->output)
            display_count(server->display, 1, 0);
        display_shown(server->display, i);
    }
}

// ---- cursor and LEDs ------------------------------------------------------

static void tell_cursor(struct server *server, struct vnc_viewer *viewer)
{
    const struct display_output *output = display_output(server->display, server->output);
    vnc_viewer_cursor(viewer, server->cursor_fd, output->cursor.width, output->cursor.height,
                      output->cursor.hot_x, output->cursor.hot_y);
}

static void tell_cursor_at(struct server *server, struct vnc_viewer *viewer)
{
    const struct display_output *output = display_output(server->display, server->output);
    vnc_viewer_cursor_at(viewer, output->cursor.visible, output->cursor.x, output->cursor.y);
}

// Puts the shape into a file that viewers can be given.
static void take_shape(struct server *server)
{
    const struct display_output *output = display_output(server->display, server->output);
    size_t size = (size_t)output->cursor.width * output->cursor.height * 4;
    if (server->cursor_fd >= 0)
        close(server->cursor_fd);
    server->cursor_fd = output->cursor.rgba ? os_shm_create("hesper-vnc cursor", size) : -1;
    void *pixels;
    if (server->cursor_fd < 0 || os_shm_map(server->cursor_fd, 0, size, &pixels))
        return;
    memcpy(pixels, output->cursor.rgba, size);
    os_shm_unmap(pixels, size);
}

static void on_cursor(void *data, uint32_t index, bool shape_changed)
{
    struct server *server = data;
    if (index != server->output)
        return;
    if (shape_changed)
        take_shape(server);
    for (unsigned i = 0; i < server->viewer_count; i++) {
        struct vnc_viewer *viewer = server->viewers[i];
        if (!vnc_viewer_joined(viewer))
            continue;
        if (shape_changed)
            tell_cursor(server, viewer);
        tell_cursor_at(server, viewer);
        vnc_viewer_flush(viewer);
    }
}

static void on_leds(void *data, uint32_t leds)
{
    struct server *server = data;
    server->leds = leds;
    for (unsigned i = 0; i < server->viewer_count; i++)
        if (vnc_viewer_joined(server->viewers[i]))
            vnc_viewer_inputs(server->viewers[i], server->devices, leds);
    flush_viewers(server);
}

// ---- the clipboard --------------------------------------------------------

static void on_clipboard(void *data, const char *text, size_t size)
{
    struct server *server = data;
    void *bytes;
    int fd = size ? os_shm_create("hesper-vnc text", size) : -1;
    if (fd >= 0 && !os_shm_map(fd, 0, size, &bytes)) {
        memcpy(bytes, text, size);
        os_shm_unmap(bytes, size);
        for (unsigned i = 0; i < server->viewer_count; i++)
            if (vnc_viewer_joined(server->viewers[i]))
                vnc_viewer_text(server->viewers[i], fd, (uint32_t)size);
        flush_viewers(server);
    }
    if (fd >= 0)
        close(fd);
}

// The viewer's process may still be writing to it.
static void take_text(struct server *server, const struct vnc_viewer *viewer, uint32_t size)
{
    char *copy = size && size <= VNC_MAX_TEXT ? malloc(size) : NULL;
    if (!copy)
        return;
    memcpy(copy, vnc_viewer_file(viewer), size);
    display_set_clipboard(server->display, copy, size);
    free(copy);
}

// ---- viewers --------------------------------------------------------------

static void tell_all(struct server *server, struct vnc_viewer *viewer)
{
    if (server->joined == 1)
        refresh(server);
    vnc_viewer_picture(viewer, server->picture.fd, server->picture.width, server->picture.height);
    tell_cursor(server, viewer);
    tell_cursor_at(server, viewer);
    vnc_viewer_inputs(viewer, server->devices, server->leds);
}

static bool on_message(void *data, struct vnc_viewer *viewer, const struct vnc_message *message)
{
    struct server *server = data;
    struct vnc_hands *hands = vnc_viewer_data(viewer);
    switch (message->type) {
    case VNC_JOINED:
        // Many may have come while there was a place left.
        if (server->joined >= MAX_JOINED) {
            log_warning("a viewer was refused: there are too many");
            return false;
        }
        server->joined++;
        display_count_viewers(server->display, server->joined);
        log_info("a viewer has joined: %u now", server->joined);
        tell_all(server, viewer);
        break;
    case VNC_KEY:
    case VNC_POINTER:
    case VNC_MOTION:
        vnc_hands_take(&server->input, hands, message, server->output, server->picture.width,
                       server->picture.height);
        break;
    case VNC_COPIED:
        take_text(server, viewer, message->width);
        break;
    case VNC_MODE:
        if (message->width && message->width <= VNC_MAX_SIZE && message->height &&
            message->height <= VNC_MAX_SIZE)
            display_set_mode(server->display, server->output, message->width, message->height);
        break;
    }
    return true;
}

static void drop(struct server *server, struct vnc_viewer *viewer, const char *why)
{
    struct vnc_hands *hands = vnc_viewer_data(viewer);
    unsigned index = 0;
    while (server->viewers[index] != viewer)
        index++;
    memmove(&server->viewers[index], &server->viewers[index + 1],
            (server->viewer_count - index - 1) * sizeof(server->viewers[0]));
    server->viewer_count--;
    vnc_hands_let_go(&server->input, hands);
    free(hands);
    if (vnc_viewer_joined(viewer)) {
        server->joined--;
        display_count_viewers(server->display, server->joined);
        log_info("a viewer is gone: %s; %u now", why, server->joined);
    }
    vnc_viewer_free(viewer);
}

static void on_gone(void *data, struct vnc_viewer *viewer, const char *why)
{
    drop(data, viewer, why);
}

static unsigned count_strangers(const struct server *server, struct vnc_viewer **oldest)
{
    unsigned count = 0;
    *oldest = NULL;
    for (unsigned i = 0; i < server->viewer_count; i++)
        if (!vnc_viewer_joined(server->viewers[i])) {
            count++;
            if (!*oldest)
                *oldest = server->viewers[i]; // viewers are in the order in which they came
        }
    return count;
}

static void admit(struct server *server, int client, bool web)
{
    struct vnc_viewer *oldest;
    if (count_strangers(server, &oldest) == MAX_STRANGERS)
        drop(server, oldest, "too many connections");
    struct vnc_hands *hands = calloc(1, sizeof(*hands));
    if (!hands || server->joined >= MAX_JOINED) {
        log_warning("a viewer was refused: %s", hands ? "there are too many" : "out of memory");
        free(hands);
        close(client);
        return;
    }
    struct vnc_viewer *viewer;
    int error = vnc_viewer_start(
        &server->processes, server->options, client, web, server->listeners[web].local,
        server->name,
        &(struct vnc_viewer_callbacks){.data = server, .message = on_message, .gone = on_gone},
        &viewer);
    if (error) {
        log_error("no process for a viewer could be started: %s", strerror(-error));
        free(hands);
        return;
    }
    vnc_viewer_set_data(viewer, hands);
    vnc_viewer_hold(viewer, server->holding);
    server->viewers[server->viewer_count++] = viewer;
}

static void on_connection(struct server *server, int listener, bool web)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int client = os_socket_accept(listener);
        if (client < 0)
            return;
        admit(server, client, web);
    }
}

static void on_vnc_connection(void *data, int fd, unsigned events)
{
    on_connection(data, fd, false);
}

static void on_web_connection(void *data, int fd, unsigned events)
{
    on_connection(data, fd, true);
}

// Drops viewers that never join, and those that take too long to read what they were shown.
static void on_watch(void *data)
{
    struct server *server = data;
    uint64_t now = os_now_ns();
    for (unsigned i = server->viewer_count; i-- > 0;) {
        struct vnc_viewer *viewer = server->viewers[i];
        uint64_t waiting = vnc_viewer_waiting_ns(viewer);
        if (!vnc_viewer_joined(viewer) &&
            now - vnc_viewer_since_ns(viewer) > JOIN_SECONDS * NS_PER_S)
            drop(server, viewer, "it never joined");
        else if (waiting && !server->holding && now - waiting > ANSWER_SECONDS * NS_PER_S)
            drop(server, viewer, "it has stopped reading");
    }
    display_count(server->display, 0, 0); // sends counters that have changed meanwhile
    os_source_set_deadline(server->watch, now + NS_PER_S);
}

// ---- life -----------------------------------------------------------------

static void on_setup(void *data, const struct link_display_setup *setup)
{
    struct server *server = data;
    server->outputs = setup->outputs;
    server->devices = setup->inputs;
    snprintf(server->name, sizeof(server->name), "%s", setup->name[0] ? setup->name : "hesper");
    if (server->output >= setup->outputs) {
        log_error("there is no output %u: the guest has %u", server->output, setup->outputs);
        server->status = VNC_USAGE;
    } else if (resize(server, setup->width ? setup->width : 1280,
                      setup->height ? setup->height : 800)) {
        server->ready = true;
    } else {
        server->status = 1;
    }
}

// Its sockets are open, and a starter knows by what viewers are served: it needs nothing else.
static void confine(void)
{
    char summary[128];
    const struct os_sandbox_options confined = {.kind = OS_SANDBOX_SERVER};
    if (os_starter_close() == 0 && os_sandbox_enter(&confined, summary, sizeof(summary)) == 0)
        log_debug("this process is confined: %s", summary);
}

// Lets viewers come: there is something to show them.
static bool open_doors(struct server *server)
{
    static const os_fd_callback callbacks[2] = {on_vnc_connection, on_web_connection};
    for (int i = 0; i < 2; i++) {
        if (server->listeners[i].fd < 0)
            continue;
        server->accepting[i] = os_loop_add_fd(server->loop, server->listeners[i].fd, OS_READABLE,
                                              callbacks[i], server);
        if (!server->accepting[i])
            return false;
    }
    int error = vnc_viewer_teach(server->options, server->name);
    if (error) {
        log_error("viewers cannot be served: %s", strerror(-error));
        return false;
    }
    confine();
    display_ready(server->display);
    return true;
}

static void on_display(void *data, int fd, unsigned events)
{
    struct server *server = data;
    bool was_ready = server->ready, going = display_dispatch(server->display);
    if (server->status || (server->ready && !was_ready && !open_doors(server)))
        os_loop_stop(server->loop, server->status ? server->status : 1);
    else if (!going)
        os_loop_stop(server->loop, 0);
}

// While the device process does not read, viewers are not read either: what they send waits in
// their sockets.
static void on_idle(void *data)
{
    struct server *server = data;
    display_flush(server->display);
    bool waiting = display_wants_write(server->display);
    os_source_set_events(server->display_source, OS_READABLE | (waiting ? OS_WRITABLE : 0));
    if (waiting == server->holding)
        return;
    server->holding = waiting;
    for (unsigned i = 0; i < server->viewer_count; i++)
        vnc_viewer_hold(server->viewers[i], waiting);
}

static int begin(struct server *server)
{
    static const struct display_ops ops = {.setup = on_setup,
                                           .picture = on_picture,
                                           .frame = on_frame,
                                           .cursor = on_cursor,
                                           .leds = on_leds,
                                           .clipboard = on_clipboard};
    list_init(&server->processes.children);
    int error = os_loop_create(&server->loop);
    if (!error)
        error = display_create(server->options->fd, &ops, server, &server->display);
    server->input.display = server->display;
    if (error)
        return error;
    server->processes.loop = server->loop;
    uint64_t now = os_now_ns();
    server->origin_ns = now;
    server->period_ns = NS_PER_S / server->options->fps;
    server->tick = os_loop_add_timer(server->loop, 0, on_tick, server);
    server->watch = os_loop_add_timer(server->loop, now + NS_PER_S, on_watch, server);
    server->display_source =
        os_loop_add_fd(server->loop, display_fd(server->display), OS_READABLE, on_display, server);
    os_loop_set_idle(server->loop, on_idle, server);
    return server->tick && server->watch && server->display_source ? 0 : -ENOMEM;
}

static void finish(struct server *server)
{
    while (server->viewer_count) {
        struct vnc_viewer *viewer = server->viewers[--server->viewer_count];
        free(vnc_viewer_data(viewer));
        vnc_viewer_free(viewer);
    }
    for (int i = 0; i < 2; i++) {
        if (server->accepting[i])
            os_source_remove(server->accepting[i]);
        if (server->listeners[i].fd >= 0)
            close(server->listeners[i].fd);
    }
    vnc_picture_finish(&server->picture);
    if (server->cursor_fd >= 0)
        close(server->cursor_fd);
    if (server->display_source)
        os_source_remove(server->display_source);
    display_destroy(server->display);
    vnc_processes_finish(&server->processes);
    os_loop_destroy(server->loop);
}

int vnc_server_run(const struct vnc_options *options, const struct vnc_listener *vnc,
                   const struct vnc_listener *web)
{
    struct server server = {.options = options,
                            .listeners = {*vnc, *web},
                            .output = options->output,
                            .picture = {.fd = -1},
                            .cursor_fd = -1};
    int error = begin(&server), status = 1;
    if (error)
        log_error("cannot start: %s", strerror(-error));
    else
        status = os_loop_run(server.loop);
    finish(&server);
    return status;
}
