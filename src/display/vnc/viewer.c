#include "display/vnc/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/process.h"
#include "os/socket.h"

enum {
    READ_MESSAGES = 128, // at once, so that one viewer can't keep the others waiting
    MAX_ARGUMENTS = 32,
    MAX_DAMAGE = 16, // rectangles
};

struct vnc_child {
    struct vnc_child *next, **link; // link: what points to it
    struct vnc_peer *peer;          // NULL: its viewer was forgotten
};

struct vnc_peer {
    struct vnc_peer_callbacks callbacks;
    void *data;
    struct vnc_child *child;
    pid_t pid;
    int fd;
    struct os_source *source;
    uint64_t since_ns, waiting_ns;
    bool joined, gone;

    uint8_t bytes[READ_MESSAGES * sizeof(struct vnc_message)];
    size_t held; // of a message that has not come whole

    // To be sent.
    int screen_fd, cursor_fd; // -1: no news
    uint32_t screen_width, screen_height;
    struct picture_rect damage[MAX_DAMAGE];
    unsigned damage_count;
    struct vnc_message cursor, at, leds;
    bool cursor_new, at_new, leds_new;
};

static void lost(struct vnc_peer *peer, const char *why)
{
    if (peer->gone)
        return;
    peer->gone = true;
    os_source_remove(peer->source);
    peer->source = NULL;
    peer->callbacks.gone(peer->callbacks.data, peer, why);
}

static void forget(struct vnc_child *child)
{
    *child->link = child->next;
    if (child->next)
        child->next->link = child->link;
    free(child);
}

void vnc_processes_finish(struct vnc_processes *processes)
{
    while (processes->first)
        forget(processes->first);
}

static void on_child(void *data, pid_t pid, int status)
{
    struct vnc_child *child = data;
    if (child->peer) {
        // What it said last is still in the socket, and its end is read there.
        child->peer->child = NULL;
        log_debug("viewer %ld ended with status %d", (long)pid, status);
    }
    forget(child);
}

static bool receive(struct vnc_peer *peer)
{
    unsigned fd_count = 0;
    ssize_t got = os_socket_recv(peer->fd, peer->bytes + peer->held,
                                 sizeof(peer->bytes) - peer->held, NULL, 0, &fd_count);
    if (got == -EAGAIN || got == -EWOULDBLOCK)
        return true;
    if (got <= 0) {
        lost(peer, "it left");
        return false;
    }
    peer->held += (size_t)got;

    size_t at = 0;
    for (; peer->held - at >= sizeof(struct vnc_message); at += sizeof(struct vnc_message)) {
        struct vnc_message message;
        memcpy(&message, peer->bytes + at, sizeof(message));
        bool first = message.type == VNC_JOINED && !peer->joined;
        if (message.type == VNC_TAKEN && peer->waiting_ns) {
            peer->waiting_ns = 0;
        } else if (first || (peer->joined && message.type >= VNC_KEY && message.type <= VNC_MODE)) {
            peer->joined = true;
            peer->callbacks.message(peer->callbacks.data, peer, &message);
        } else {
            lost(peer, "its process sent what it must not");
            return false;
        }
    }
    peer->held -= at;
    memmove(peer->bytes, peer->bytes + at, peer->held);
    return true;
}

static void on_socket(void *data, int fd, unsigned events)
{
    struct vnc_peer *peer = data;
    if (receive(peer))
        vnc_peer_flush(peer);
}

// NULL-terminated. Strings are the options'.
static void command_line(const struct vnc_options *options, bool web, bool local, char *self,
                         char *name, char **arguments)
{
    size_t count = 0;
    arguments[count++] = self;
    arguments[count++] = "viewer";
    arguments[count++] = "--fd=3";
    arguments[count++] = "--client=4";
    arguments[count++] = "--name";
    arguments[count++] = name;
    const struct {
        char *option;
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
            arguments[count++] = (char *)values[i].value;
        }
    if (web)
        arguments[count++] = "--web-client";
    if (local)
        arguments[count++] = "--local";
    if (options->portable)
        arguments[count++] = "--portable";
    for (int i = 0; i < options->verbose && i < 2; i++)
        arguments[count++] = "-v";
    arguments[count] = NULL;
}

int vnc_peer_start(struct vnc_processes *processes, const struct vnc_options *options, int client,
                   bool web, bool local, const char *name,
                   const struct vnc_peer_callbacks *callbacks, struct vnc_peer **started)
{
    struct vnc_peer *peer = calloc(1, sizeof(*peer));
    struct vnc_child *child = calloc(1, sizeof(*child));
    char self[4096], *arguments[MAX_ARGUMENTS];
    int pair[2] = {-1, -1}, error = -ENOMEM;
    if (!peer || !child)
        goto fail;
    error = os_self_path(self, sizeof(self));
    if (!error)
        error = os_socket_pair(pair);
    if (!error)
        error = os_socket_set_nonblocking(pair[0], true);
    if (error)
        goto fail;
    command_line(options, web, local, self, (char *)name, arguments);
    const struct os_fd_pass fds[] = {{pair[1], 3}, {client, 4}};
    pid_t pid = os_spawn(&(struct os_spawn_options){
        .path = self, .argv = arguments, .fds = fds, .fd_count = 2, .own_group = true});
    if (pid < 0) {
        error = pid;
        goto fail;
    }
    close(pair[1]);
    pair[1] = -1;
    close(client);
    client = -1;
    *peer = (struct vnc_peer){.callbacks = *callbacks,
                              .child = child,
                              .pid = pid,
                              .fd = pair[0],
                              .since_ns = os_now_ns(),
                              .screen_fd = -1,
                              .cursor_fd = -1};
    child->peer = peer;
    peer->source = os_loop_add_fd(processes->loop, peer->fd, OS_READABLE, on_socket, peer);
    if (!os_loop_add_child(processes->loop, pid, on_child, child) || !peer->source) {
        kill(pid, SIGKILL); // out of memory: it stays a zombie until we end
        if (peer->source)
            os_source_remove(peer->source);
        error = -ENOMEM;
        goto fail;
    }
    child->next = processes->first;
    child->link = &processes->first;
    if (child->next)
        child->next->link = &child->next;
    processes->first = child;
    *started = peer;
    return 0;

fail:
    if (client >= 0)
        close(client);
    if (pair[0] >= 0)
        close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
    free(peer);
    free(child);
    return error;
}

void vnc_peer_free(struct vnc_peer *peer)
{
    if (peer->source)
        os_source_remove(peer->source);
    if (peer->child) {
        kill(peer->pid, SIGKILL); // it may be waiting for its stranger
        peer->child->peer = NULL;
    }
    close(peer->fd);
    if (peer->screen_fd >= 0)
        close(peer->screen_fd);
    if (peer->cursor_fd >= 0)
        close(peer->cursor_fd);
    free(peer);
}

void *vnc_peer_data(const struct vnc_peer *peer)
{
    return peer->data;
}

void vnc_peer_set_data(struct vnc_peer *peer, void *data)
{
    peer->data = data;
}

bool vnc_peer_joined(const struct vnc_peer *peer)
{
    return peer->joined;
}

uint64_t vnc_peer_since_ns(const struct vnc_peer *peer)
{
    return peer->since_ns;
}

uint64_t vnc_peer_waiting_ns(const struct vnc_peer *peer)
{
    return peer->waiting_ns;
}

static void replace_fd(int *held, int fd)
{
    if (*held >= 0)
        close(*held);
    *held = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void vnc_peer_screen(struct vnc_peer *peer, int fd, uint32_t width, uint32_t height)
{
    replace_fd(&peer->screen_fd, fd);
    peer->screen_width = width;
    peer->screen_height = height;
    peer->damage[0] = (struct picture_rect){0, 0, width, height};
    peer->damage_count = 1;
}

static struct picture_rect unite(const struct picture_rect *a, const struct picture_rect *b)
{
    uint32_t left = a->x < b->x ? a->x : b->x, top = a->y < b->y ? a->y : b->y;
    uint32_t right = a->x + a->width, bottom = a->y + a->height;
    if (b->x + b->width > right)
        right = b->x + b->width;
    if (b->y + b->height > bottom)
        bottom = b->y + b->height;
    return (struct picture_rect){left, top, right - left, bottom - top};
}

static uint64_t area(const struct picture_rect *rect)
{
    return (uint64_t)rect->width * rect->height;
}

// What of the union is in neither: pixels encoded for nothing.
static int64_t waste(const struct picture_rect *a, const struct picture_rect *b)
{
    struct picture_rect both = unite(a, b);
    return (int64_t)area(&both) - (int64_t)area(a) - (int64_t)area(b);
}

void vnc_peer_damage(struct vnc_peer *peer, const struct picture_rect *rect)
{
    if (!rect->width || !rect->height)
        return;
    unsigned best = 0;
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < peer->damage_count; i++) {
        int64_t more = waste(&peer->damage[i], rect);
        if (more < least) {
            least = more;
            best = i;
        }
    }
    if (least <= (int64_t)(area(rect) / 4) || peer->damage_count == MAX_DAMAGE)
        peer->damage[best] = unite(&peer->damage[best], rect);
    else
        peer->damage[peer->damage_count++] = *rect;
}

void vnc_peer_cursor(struct vnc_peer *peer, int fd, uint32_t width, uint32_t height, uint32_t hot_x,
                     uint32_t hot_y)
{
    replace_fd(&peer->cursor_fd, fd);
    peer->cursor = (struct vnc_message){.type = VNC_CURSOR,
                                        .width = width,
                                        .height = height,
                                        .x = (int32_t)hot_x,
                                        .y = (int32_t)hot_y};
    peer->cursor_new = true;
}

void vnc_peer_cursor_at(struct vnc_peer *peer, bool visible, int32_t x, int32_t y)
{
    peer->at = (struct vnc_message){.type = VNC_CURSOR_AT, .on = visible, .x = x, .y = y};
    peer->at_new = true;
}

void vnc_peer_leds(struct vnc_peer *peer, uint32_t leds)
{
    peer->leds = (struct vnc_message){.type = VNC_LEDS, .on = leds};
    peer->leds_new = true;
}

// A batch is smaller than any socket's buffer, which the viewer has emptied before.
static bool put(struct vnc_peer *peer, const struct vnc_message *message, int *fd)
{
    ssize_t sent = os_socket_send(peer->fd, message, sizeof(*message), fd, fd && *fd >= 0 ? 1 : 0);
    if (fd && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return sent == (ssize_t)sizeof(*message);
}

void vnc_peer_flush(struct vnc_peer *peer)
{
    if (peer->gone || !peer->joined || peer->waiting_ns)
        return;
    bool news = false, sent = true;
    if (peer->screen_fd >= 0) {
        struct vnc_message screen = {
            .type = VNC_SCREEN, .width = peer->screen_width, .height = peer->screen_height};
        sent = sent && put(peer, &screen, &peer->screen_fd);
        news = true;
    }
    for (unsigned i = 0; i < peer->damage_count; i++) {
        struct vnc_message damage = {.type = VNC_DAMAGE,
                                     .x = (int32_t)peer->damage[i].x,
                                     .y = (int32_t)peer->damage[i].y,
                                     .width = peer->damage[i].width,
                                     .height = peer->damage[i].height};
        sent = sent && put(peer, &damage, NULL);
        news = true;
    }
    peer->damage_count = 0;
    if (peer->cursor_new) {
        if (peer->cursor_fd < 0)
            peer->cursor.width = peer->cursor.height = 0;
        sent = sent && put(peer, &peer->cursor, &peer->cursor_fd);
        peer->cursor_new = false;
        news = true;
    }
    if (peer->at_new) {
        sent = sent && put(peer, &peer->at, NULL);
        peer->at_new = false;
        news = true;
    }
    if (peer->leds_new) {
        sent = sent && put(peer, &peer->leds, NULL);
        peer->leds_new = false;
        news = true;
    }
    if (!news)
        return;
    struct vnc_message end = {.type = VNC_END};
    peer->waiting_ns = os_now_ns();
    if (!sent || !put(peer, &end, NULL))
        log_debug("viewer %ld takes no messages", (long)peer->pid); // it is about to be gone
}

void vnc_peer_hold(struct vnc_peer *peer, bool hold)
{
    if (peer->source)
        os_source_set_events(peer->source, hold ? 0 : OS_READABLE);
}
