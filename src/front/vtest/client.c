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

// Mesa's client never sees an end of file: it reads again, for ever. Zeroes end whatever read it is
// in, and its next request finds the connection closed, which it does see.
void vtest_last_words(int fd)
{
    static const uint8_t zeroes[512]; // more than the longest reply
    os_socket_send(fd, zeroes, sizeof(zeroes), NULL, 0);
    shutdown(fd, SHUT_RDWR); // also for those who hold a duplicate
}

struct vtest_client *vtest_client_create(struct vtest_server *server, int fd,
                                         const struct renderer_callbacks *callbacks)
{
    struct vtest_client *client = calloc(1, sizeof(*client));
    uint8_t *buffer = malloc(VTEST_BUFFER_SIZE);
    if (!client || !buffer) {
        free(client);
        free(buffer);
        close(fd);
        return NULL;
    }
    client->server = server;
    client->renderer_callbacks = callbacks;
    client->fd = fd;
    client->out_fd = -1;
    client->blob.fd = -1;
    client->buffer = buffer;
    client->capacity = VTEST_BUFFER_SIZE;
    client->reached = client->never = (struct os_notifier){-1, -1};
    if (++server->next_context_id == 0)
        server->next_context_id = 1;
    client->context_id = server->next_context_id;
    snprintf(client->name, sizeof(client->name), "unnamed");
    list_append(&server->clients, &client->node);
    server->client_count++;
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
    if (client->renderer)
        client->server->context_count--;
    renderer_destroy(client->renderer);
    if (client->wait.count)
        client->server->held_waits--;
    vtest_syncs_finish(&client->syncs);
    os_notifier_finish(&client->reached);
    os_notifier_finish(&client->never);
    drop_out_fd(client);
    if (client->blob.fd >= 0)
        close(client->blob.fd);
    vtest_last_words(client->fd);
    close(client->fd);
    free(client->values);
    free(client->resources);
    free(client->free_resources);
    free(client->buffer);
    list_remove(&client->node);
    client->server->client_count--;
    log_debug("context %u (%s): gone", client->context_id, client->name);
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
                client->doing ? client->doing : "", client->doing ? ": " : "", reason);
}

// ---- replies --------------------------------------------------------------

bool vtest_client_has_output(const struct vtest_client *client)
{
    return client->out_start < client->out_end || client->out_fd >= 0;
}

// A broken socket ends the client without a line: it has gone.
void vtest_client_flush(struct vtest_client *client)
{
    while (vtest_client_has_output(client)) {
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
        vtest_client_flush(client);
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
    vtest_client_flush(client);
    if (client->out_fd >= 0 && !ours) { // it may be closed before the socket takes it
        client->out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        client->out_fd_is_ours = true;
        if (client->out_fd < 0)
            vtest_client_fail(client, "no more descriptors: %s", strerror(errno));
    }
}
