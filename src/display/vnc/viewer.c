#include "display/vnc/viewer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"
#include "os/starter.h"

enum {
    READ_MESSAGES = 128, // at once, so that one viewer does not keep the others waiting
    MAX_ARGUMENTS = 32,
    MAX_DAMAGE = 16, // rectangles
};

struct vnc_child {
    struct list node;
    struct vnc_viewer *viewer; // NULL: the viewer was forgotten
};

struct vnc_viewer {
    struct vnc_viewer_callbacks callbacks;
    void *data;
    struct vnc_child *child;
    pid_t pid;
    int fd;
    struct os_source *source;
    uint64_t since_ns, waiting_ns;
    bool joined, gone;

    uint8_t bytes[READ_MESSAGES * sizeof(struct vnc_message)];
    size_t held; // bytes of a message that has not come whole

    void *file; // of texts; NULL: none

    // To be sent.
    int picture_fd, cursor_fd, text_fd; // -1: no news
    uint32_t picture_width, picture_height, text_size;
    struct picture_rect damage[MAX_DAMAGE];
    unsigned damage_count;
    struct vnc_message cursor, at, inputs;
    bool cursor_new, at_new, inputs_new;
};

static void lost(struct vnc_viewer *viewer, const char *why)
{
    if (viewer->gone)
        return;
    viewer->gone = true;
    os_source_remove(viewer->source);
    viewer->source = NULL;
    viewer->callbacks.gone(viewer->callbacks.data, viewer, why);
}

static void forget(struct vnc_child *child)
{
    list_remove(&child->node);
    free(child);
}

void vnc_processes_finish(struct vnc_processes *processes)
{
    LIST_EACH (node, &processes->children)
        forget(LIST_ENTRY(node, struct vnc_child, node));
}

static void on_child(void *data, pid_t pid, int status)
{
    struct vnc_child *child = data;
    if (child->viewer) {
        // What it said last is still in the socket, and its end is read there.
        child->viewer->child = NULL;
        log_debug("viewer %ld ended with status %d", (long)pid, status);
    }
    forget(child);
}

static bool receive(struct vnc_viewer *viewer)
{
    unsigned fd_count = 0;
    ssize_t got = os_socket_recv(viewer->fd, viewer->bytes + viewer->held,
                                 sizeof(viewer->bytes) - viewer->held, NULL, 0, &fd_count);
    if (got == -EAGAIN || got == -EWOULDBLOCK)
        return true;
    if (got <= 0) {
        lost(viewer, "it left");
        return false;
    }
    viewer->held += (size_t)got;

    size_t at = 0;
    for (; viewer->held - at >= sizeof(struct vnc_message); at += sizeof(struct vnc_message)) {
        struct vnc_message message;
        memcpy(&message, viewer->bytes + at, sizeof(message));
        bool first = message.type == VNC_JOINED && !viewer->joined;
        if (message.type == VNC_TAKEN && viewer->waiting_ns) {
            viewer->waiting_ns = 0;
        } else if (first ||
                   (viewer->joined && message.type >= VNC_KEY && message.type <= VNC_COPIED)) {
            viewer->joined = true;
            if (!viewer->callbacks.message(viewer->callbacks.data, viewer, &message)) {
                viewer->joined = false;
                lost(viewer, "there are too many");
                return false;
            }
        } else {
            lost(viewer, "its process sent what it must not");
            return false;
        }
    }
    viewer->held -= at;
    memmove(viewer->bytes, viewer->bytes + at, viewer->held);
    return true;
}

static void on_socket(void *data, int fd, unsigned events)
{
    struct vnc_viewer *viewer = data;
    if (receive(viewer))
        vnc_viewer_flush(viewer);
}

static char self[4096]; // the path of this program

// `arguments` is ended by NULL. Its strings belong to `options` and to the caller.
static void command_line(const struct vnc_options *options, bool web, bool local, const char *name,
                         const char **arguments)
{
    size_t count = 0;
    arguments[count++] = self;
    arguments[count++] = "viewer";
    arguments[count++] = "--fd=3";
    arguments[count++] = "--client=4";
    arguments[count++] = "--name";
    arguments[count++] = name;
    const struct {
        const char *option;
        const char *value;
    } values[] = {
        {"--web-root", options->web_root},
        {"--password-file", options->password_file},
        {"--tls-cert", options->tls_certificate},
        {"--tls-key", options->tls_key},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        if (values[i].value) {
            arguments[count++] = values[i].option;
            arguments[count++] = values[i].value;
        }
    if (web)
        arguments[count++] = "--web-client";
    if (local)
        arguments[count++] = "--local";
    if (options->portable)
        arguments[count++] = "--portable";
    for (unsigned i = 0; i < options->verbose && i < 2; i++)
        arguments[count++] = "-v";
    arguments[count] = NULL;
}

int vnc_viewer_teach(const struct vnc_options *options, const char *name)
{
    const char *arguments[MAX_ARGUMENTS];
    int error = os_self_path(self, sizeof(self));
    for (unsigned kind = 0; !error && kind < 4; kind++) {
        command_line(options, kind & 1, kind & 2, name, arguments);
        error = os_starter_teach(arguments);
    }
    return error;
}

int vnc_viewer_start(struct vnc_processes *processes, const struct vnc_options *options, int client,
                     bool web, bool local, const char *name,
                     const struct vnc_viewer_callbacks *callbacks, struct vnc_viewer **started)
{
    struct vnc_viewer *viewer = calloc(1, sizeof(*viewer));
    struct vnc_child *child = calloc(1, sizeof(*child));
    const char *arguments[MAX_ARGUMENTS];
    int pair[2] = {-1, -1}, text = -1, error = -ENOMEM;
    void *file = NULL;
    if (!viewer || !child)
        goto fail;
    error = os_socket_pair(pair);
    if (!error)
        error = os_socket_set_nonblocking(pair[0], true);
    if (error)
        goto fail;
    command_line(options, web, local, name, arguments);
    text = os_shm_create("hesper-vnc text", VNC_MAX_TEXT);
    error = text < 0 ? text : os_shm_map(text, 0, VNC_MAX_TEXT, &file);
    if (error)
        goto fail;
    const int fds[] = {pair[1], client, text}; // 3, 4 and VNC_TEXT_FD
    pid_t pid = os_starter_spawn(arguments, fds, 3);
    if (pid < 0) {
        error = pid;
        goto fail;
    }
    close(pair[1]);
    pair[1] = -1;
    close(client);
    client = -1;
    close(text);
    text = -1;
    *viewer = (struct vnc_viewer){.callbacks = *callbacks,
                                  .child = child,
                                  .pid = pid,
                                  .fd = pair[0],
                                  .since_ns = os_now_ns(),
                                  .picture_fd = -1,
                                  .cursor_fd = -1,
                                  .text_fd = -1,
                                  .file = file};
    child->viewer = viewer;
    viewer->source = os_loop_add_fd(processes->loop, viewer->fd, OS_READABLE, on_socket, viewer);
    if (!os_loop_add_child(processes->loop, pid, on_child, child) || !viewer->source) {
        kill(pid, SIGKILL); // out of memory: it stays a zombie until we end
        if (viewer->source)
            os_source_remove(viewer->source);
        error = -ENOMEM;
        goto fail;
    }
    list_append(&processes->children, &child->node);
    *started = viewer;
    return 0;

fail:
    if (client >= 0)
        close(client);
    if (pair[0] >= 0)
        close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
    if (text >= 0)
        close(text);
    os_shm_unmap(file, VNC_MAX_TEXT);
    free(viewer);
    free(child);
    return error;
}

void vnc_viewer_free(struct vnc_viewer *viewer)
{
    if (viewer->source)
        os_source_remove(viewer->source);
    if (viewer->child) {
        kill(viewer->pid, SIGKILL); // it may be waiting for its stranger
        viewer->child->viewer = NULL;
    }
    close(viewer->fd);
    if (viewer->picture_fd >= 0)
        close(viewer->picture_fd);
    if (viewer->cursor_fd >= 0)
        close(viewer->cursor_fd);
    if (viewer->text_fd >= 0)
        close(viewer->text_fd);
    os_shm_unmap(viewer->file, VNC_MAX_TEXT);
    free(viewer);
}

void *vnc_viewer_data(const struct vnc_viewer *viewer)
{
    return viewer->data;
}

void vnc_viewer_set_data(struct vnc_viewer *viewer, void *data)
{
    viewer->data = data;
}

bool vnc_viewer_joined(const struct vnc_viewer *viewer)
{
    return viewer->joined;
}

uint64_t vnc_viewer_since_ns(const struct vnc_viewer *viewer)
{
    return viewer->since_ns;
}

uint64_t vnc_viewer_waiting_ns(const struct vnc_viewer *viewer)
{
    return viewer->waiting_ns;
}

static void replace_fd(int *held, int fd)
{
    if (*held >= 0)
        close(*held);
    *held = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void vnc_viewer_picture(struct vnc_viewer *viewer, int fd, uint32_t width, uint32_t height)
{
    replace_fd(&viewer->picture_fd, fd);
    viewer->picture_width = width;
    viewer->picture_height = height;
    viewer->damage[0] = (struct picture_rect){0, 0, width, height};
    viewer->damage_count = 1;
}

static uint64_t area(const struct picture_rect *rect)
{
    return (uint64_t)rect->width * rect->height;
}

// Pixels of the union that are in neither: they would be encoded for nothing.
static int64_t waste(const struct picture_rect *a, const struct picture_rect *b)
{
    struct picture_rect both = *a;
    picture_rect_join(&both, b);
    return (int64_t)area(&both) - (int64_t)area(a) - (int64_t)area(b);
}

void vnc_viewer_damage(struct vnc_viewer *viewer, const struct picture_rect *rect)
{
    if (!rect->width || !rect->height)
        return;
    unsigned best = 0;
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < viewer->damage_count; i++) {
        int64_t more = waste(&viewer->damage[i], rect);
        if (more < least) {
            least = more;
            best = i;
        }
    }
    if (least <= (int64_t)(area(rect) / 4) || viewer->damage_count == MAX_DAMAGE)
        picture_rect_join(&viewer->damage[best], rect);
    else
        viewer->damage[viewer->damage_count++] = *rect;
}

void vnc_viewer_text(struct vnc_viewer *viewer, int fd, uint32_t size)
{
    replace_fd(&viewer->text_fd, fd);
    viewer->text_size = size;
}

const uint8_t *vnc_viewer_file(const struct vnc_viewer *viewer)
{
    return viewer->file;
}

void vnc_viewer_cursor(struct vnc_viewer *viewer, int fd, uint32_t width, uint32_t height,
                       uint32_t hot_x, uint32_t hot_y)
{
    replace_fd(&viewer->cursor_fd, fd);
    viewer->cursor = (struct vnc_message){.type = VNC_CURSOR,
                                          .width = width,
                                          .height = height,
                                          .x = (int32_t)hot_x,
                                          .y = (int32_t)hot_y};
    viewer->cursor_new = true;
}

void vnc_viewer_cursor_at(struct vnc_viewer *viewer, bool visible, int32_t x, int32_t y)
{
    viewer->at = (struct vnc_message){.type = VNC_CURSOR_AT, .on = visible, .x = x, .y = y};
    viewer->at_new = true;
}

void vnc_viewer_inputs(struct vnc_viewer *viewer, uint32_t devices, uint32_t leds)
{
    viewer->inputs = (struct vnc_message){.type = VNC_INPUTS, .on = leds, .code = devices};
    viewer->inputs_new = true;
}

// A batch is smaller than any socket's buffer, which the viewer has emptied before.
static bool put(struct vnc_viewer *viewer, const struct vnc_message *message, int *fd)
{
    ssize_t sent =
        os_socket_send(viewer->fd, message, sizeof(*message), fd, fd && *fd >= 0 ? 1 : 0);
    if (fd && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return sent == (ssize_t)sizeof(*message);
}

void vnc_viewer_flush(struct vnc_viewer *viewer)
{
    if (viewer->gone || !viewer->joined || viewer->waiting_ns)
        return;
    bool news = false, sent = true;
    if (viewer->picture_fd >= 0) {
        struct vnc_message picture = {
            .type = VNC_PICTURE, .width = viewer->picture_width, .height = viewer->picture_height};
        sent = sent && put(viewer, &picture, &viewer->picture_fd);
        news = true;
    }
    for (unsigned i = 0; i < viewer->damage_count; i++) {
        struct vnc_message damage = {.type = VNC_DAMAGE,
                                     .x = (int32_t)viewer->damage[i].x,
                                     .y = (int32_t)viewer->damage[i].y,
                                     .width = viewer->damage[i].width,
                                     .height = viewer->damage[i].height};
        sent = sent && put(viewer, &damage, NULL);
        news = true;
    }
    viewer->damage_count = 0;
    if (viewer->cursor_new) {
        if (viewer->cursor_fd < 0)
            viewer->cursor.width = viewer->cursor.height = 0;
        sent = sent && put(viewer, &viewer->cursor, &viewer->cursor_fd);
        viewer->cursor_new = false;
        news = true;
    }
    if (viewer->at_new) {
        sent = sent && put(viewer, &viewer->at, NULL);
        viewer->at_new = false;
        news = true;
    }
    if (viewer->inputs_new) {
        sent = sent && put(viewer, &viewer->inputs, NULL);
        viewer->inputs_new = false;
        news = true;
    }
    if (viewer->text_fd >= 0) {
        struct vnc_message text = {.type = VNC_TEXT, .width = viewer->text_size};
        sent = sent && put(viewer, &text, &viewer->text_fd);
        news = true;
    }
    if (!news)
        return;
    struct vnc_message end = {.type = VNC_END};
    viewer->waiting_ns = os_now_ns();
    if (!sent || !put(viewer, &end, NULL))
        log_debug("viewer %ld takes no messages", (long)viewer->pid); // it is about to be gone
}

void vnc_viewer_hold(struct vnc_viewer *viewer, bool hold)
{
    if (viewer->source)
        os_source_set_events(viewer->source, hold ? 0 : OS_READABLE);
}
