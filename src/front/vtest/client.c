#include "front/vtest/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/vtest/protocol.h"
#include "os/clock.h"
#include "os/socket.h"

enum {
    BUFFER_SIZE = 64 << 10,
    BUFFER_KEEP = 1 << 20, // a larger one is given back when it is empty
    OUT_FLUSH_AT = 512,    // of out[1024]; the largest reply has 172 bytes
};

struct vtest_client *vtest_client_create(struct vtest_server *server, int fd)
{
    struct vtest_client *client = calloc(1, sizeof(*client));
    uint8_t *buffer = malloc(BUFFER_SIZE);
    if (!client || !buffer) {
        free(client);
        free(buffer);
        close(fd);
        return NULL;
    }
    client->server = server;
    client->fd = fd;
    client->out_fd = -1;
    client->blob.fd = -1;
    client->buffer = buffer;
    client->capacity = BUFFER_SIZE;
    client->reached = client->never = (struct os_notifier){-1, -1};
    if (++server->next_context_id == 0)
        server->next_context_id = 1;
    client->context_id = server->next_context_id;
    snprintf(client->name, sizeof(client->name), "unnamed");
    const struct vtest_options *options = &server->options;
    vtest_syncs_init(&client->syncs, &(struct vtest_sync_limits){.syncs = options->max_syncs,
                                                                 .waits = options->max_waits,
                                                                 .fences = options->max_fences});
    return client;
}

static void drop_out_fd(struct vtest_client *client)
{
    if (client->out_fd >= 0 && client->out_fd_is_ours)
        close(client->out_fd);
    client->out_fd = -1;
}

void vtest_client_destroy(struct vtest_client *client)
{
    os_source_remove(client->source);
    link_worker_release(client->worker);
    if (client->wait.count)
        vtest_client_held(client, false);
    vtest_syncs_finish(&client->syncs);
    os_notifier_finish(&client->reached);
    os_notifier_finish(&client->never);
    drop_out_fd(client);
    if (client->blob.fd >= 0)
        close(client->blob.fd);
    vtest_last_words(client->fd);
    close(client->fd);
    free(client->resources);
    free(client->free_resources);
    free(client->buffer);
    if (client->at) {
        *client->at = client->next;
        if (client->next)
            client->next->at = client->at;
        client->server->client_count--;
        log_debug("context %u (%s): gone", client->context_id, client->name);
    }
    free(client);
}

void vtest_client_fail(struct vtest_client *client, const char *format, ...)
{
    if (client->failed)
        return;
    client->failed = true;
    if (!log_limit_allows(&client->server->log_limit, os_now_ns(), 50, 10000000000u))
        return;
    char reason[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    log_warning("context %u (%s): %s%s%s; disconnected", client->context_id, client->name,
                client->command ? vtest_command_name(client->command) : "",
                client->command ? ": " : "", reason);
}

// ---- replies --------------------------------------------------------------

static bool out_waits(const struct vtest_client *client)
{
    return client->out_start < client->out_end || client->out_fd >= 0;
}

// Sends what the socket takes. A broken socket ends the client without a line: it has gone.
static void flush_out(struct vtest_client *client)
{
    while (out_waits(client)) {
        const uint8_t *bytes = client->out + client->out_start;
        size_t size = client->out_end - client->out_start;
        ssize_t sent;
        if (client->out_fd < 0)
            sent = os_socket_send(client->fd, bytes, size, NULL, 0);
        else if (size)
            sent = os_socket_send_then_fd(client->fd, bytes, size, client->out_fd);
        else
            sent = os_socket_send(client->fd, &(uint8_t){0}, 1, &client->out_fd, 1);
        if (sent == -EAGAIN || sent == -EWOULDBLOCK)
            return;
        if (sent < 0) {
            client->failed = true;
            client->out_start = client->out_end;
        }
        if (sent < 0 || (size_t)sent > size) {
            drop_out_fd(client);
            sent = (ssize_t)size;
        }
        client->out_start += (size_t)sent;
        if (client->out_start >= client->out_end)
            client->out_start = client->out_end = 0;
    }
}

void vtest_client_reply(struct vtest_client *client, uint32_t command, const uint32_t *words,
                        uint32_t count)
{
    uint32_t header[2] = {count, command};
    if (client->out_end + sizeof(header) + count * 4 > sizeof(client->out))
        flush_out(client);
    if (client->failed || client->out_end + sizeof(header) + count * 4 > sizeof(client->out))
        return;
    memcpy(client->out + client->out_end, header, sizeof(header));
    client->out_end += sizeof(header);
    if (count)
        memcpy(client->out + client->out_end, words, count * 4);
    client->out_end += count * 4;
}

void vtest_client_reply_fd(struct vtest_client *client, int fd, bool ours)
{
    client->out_fd = fd;
    client->out_fd_is_ours = ours;
    flush_out(client);
    if (client->out_fd >= 0 && !ours) { // it may be closed before the socket takes it
        client->out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        client->out_fd_is_ours = true;
        if (client->out_fd < 0)
            vtest_client_fail(client, "no more descriptors: %s", strerror(errno));
    }
}

// ---- requests -------------------------------------------------------------

// Whatever holds a client up empties by itself: its own socket, its worker's, its fences.
static bool may_run(const struct vtest_client *client)
{
    if (client->failed || client->blob.id || client->wait.count || client->out_fd >= 0 ||
        client->out_end > OUT_FLUSH_AT || vtest_fences_full(&client->syncs))
        return false;
    struct link *link = client->worker ? link_worker_link(client->worker) : NULL;
    return !link || link_queued(link) <= client->server->options.max_queued_bytes;
}

static void compact(struct vtest_client *client)
{
    size_t held = client->end - client->start;
    if (!held && client->capacity > BUFFER_KEEP) {
        uint8_t *smaller = malloc(BUFFER_SIZE);
        if (smaller) {
            free(client->buffer);
            client->buffer = smaller;
            client->capacity = BUFFER_SIZE;
        }
    }
    if (client->start)
        memmove(client->buffer, client->buffer + client->start, held);
    client->start = 0;
    client->end = held;
}

static bool reserve(struct vtest_client *client, size_t size)
{
    compact(client);
    if (size <= client->capacity)
        return true;
    uint8_t *larger = realloc(client->buffer, size);
    if (!larger) {
        vtest_client_fail(client, "out of memory");
        return false;
    }
    client->buffer = larger;
    client->capacity = size;
    return true;
}

// Carries out what the buffer holds. True: more bytes are needed to go on.
static bool run_commands(struct vtest_client *client)
{
    bool hungry = false;
    if (client->worker)
        link_worker_hold(client->worker);
    for (;;) {
        size_t held = client->end - client->start, size;
        uint32_t header[2];
        hungry = false;
        if (client->out_end > OUT_FLUSH_AT)
            flush_out(client);
        if (!may_run(client))
            break;
        hungry = true;
        if (held < sizeof(header))
            break;
        memcpy(header, client->buffer + client->start, sizeof(header));
        client->command = header[1];
        if (!vtest_command_check(client, header[1], header[0], &size))
            break;
        if (held < sizeof(header) + size) {
            if (client->start + sizeof(header) + size > client->capacity)
                reserve(client, sizeof(header) + size);
            break;
        }
        vtest_command_run(client, header[1], client->buffer + client->start + sizeof(header), size);
        client->start += sizeof(header) + size;
    }
    client->command = 0;
    if (client->worker && link_worker_flush(client->worker) == LINK_BROKEN)
        vtest_client_fail(client, "nothing can be sent to its worker: %s", strerror(errno));
    return hungry && !client->failed;
}

static void update_events(struct vtest_client *client)
{
    os_source_set_events(client->source, (may_run(client) && !out_waits(client) ? OS_READABLE : 0) |
                                             (out_waits(client) ? OS_WRITABLE : 0));
}

// After anything that may have unblocked the client, or failed it. The client may be gone
// afterwards.
static void proceed(struct vtest_client *client, bool readable)
{
    if (client->wait.count)
        vtest_command_finish_wait(client, false);
    flush_out(client);
    bool hungry = !out_waits(client) && run_commands(client);
    // One command often comes in several pieces: look again before sleeping.
    while (readable && hungry && !client->failed) {
        if (client->start == client->end || client->end == client->capacity)
            compact(client);
        ssize_t got =
            recv(client->fd, client->buffer + client->end, client->capacity - client->end, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (got <= 0) {
            client->failed = true; // it closed the connection, which is how clients leave
            break;
        }
        client->end += (size_t)got;
        hungry = run_commands(client);
        // Whole commands only: whatever comes next announces itself.
        readable = client->start != client->end;
    }
    flush_out(client);
    if (client->failed)
        vtest_client_destroy(client);
    else
        update_events(client);
}

void vtest_client_event(void *data, int fd, unsigned events)
{
    struct vtest_client *client = data;
    (void)fd;
    // Held up and gone: nothing that it still has to say matters.
    if ((events & OS_HANGUP) && !(events & OS_READABLE))
        client->failed = true;
    proceed(client, events & OS_READABLE);
}

void vtest_client_idle(void *data)
{
    struct vtest_server *server = data;
    for (struct vtest_client *client = server->clients, *next; client; client = next) {
        next = client->next;
        if (client->wait.count) {
            vtest_command_finish_wait(client, true);
            proceed(client, false);
        }
    }
}

void vtest_client_held(struct vtest_client *client, bool held)
{
    struct vtest_server *server = client->server;
    server->held_waits += held ? 1 : -1;
    os_loop_set_idle(server->loop, server->held_waits ? vtest_client_idle : NULL, server);
}

// ---- the worker's side ----------------------------------------------------

static bool retire_fences(struct vtest_client *client, const struct link_message *message)
{
    const struct link_fence_retired *fences = (const void *)message->payload;
    for (uint32_t i = 0; i < message->size / sizeof(*fences); i++)
        if (!vtest_fence_retire(&client->syncs, fences[i].fence_id))
            return false;
    return true;
}

static bool on_message(void *data, const struct link_message *message)
{
    struct vtest_client *client = data;
    bool held_up = !may_run(client);
    switch (message->type) {
    case LINK_FENCE_RETIRED:
        if (!retire_fences(client, message))
            vtest_client_fail(client, "the worker retired a fence that was not pending");
        break;
    case LINK_RESOURCE_ATTACHED:
        vtest_command_attached(client, message);
        break;
    case LINK_BLOB_EXPORTED:
        vtest_command_exported(client, message);
        break;
    case LINK_CONTEXT_LOST:
        if (message->size)
            vtest_client_fail(client, "%.*s", (int)message->size, (const char *)message->payload);
        else
            vtest_client_fail(client, "it takes the memory of its ring away");
        break;
    default:
        vtest_client_fail(client, "the worker sent a message of type %u", message->type);
        break;
    }
    bool failed = client->failed;
    if (failed || client->wait.count || (held_up && may_run(client)))
        proceed(client, false);
    return !failed;
}

static void on_drained(void *data)
{
    proceed(data, false);
}

static void on_gone(void *data, const char *how)
{
    struct vtest_client *client = data;
    vtest_client_fail(client, "its worker is gone: %s", how);
    proceed(client, false);
}

const struct link_worker_callbacks vtest_worker_callbacks = {
    .message = on_message, .drained = on_drained, .gone = on_gone};
