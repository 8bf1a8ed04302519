#include "front/vtest/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/vtest/client.h"
#include "os/clock.h"
#include "os/socket.h"
#include "wire/wire.h"

_Static_assert(sizeof(((struct vtest_server *)0)->capset) == WIRE_CAPSET_SIZE, "capset");

static void set_default(uint32_t *value, uint32_t fallback)
{
    if (!*value)
        *value = fallback;
}

struct vtest_server *vtest_server_create(struct os_loop *loop, struct link_pool *pool,
                                         const struct vtest_options *options)
{
    struct vtest_server *server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    server->loop = loop;
    server->pool = pool;
    server->options = *options;
    set_default(&server->options.max_clients, 64);
    set_default(&server->options.max_resources, 16384);
    set_default(&server->options.max_syncs, 65536);
    set_default(&server->options.max_waits, 4096);
    set_default(&server->options.max_fences, 16384);
    set_default(&server->options.max_rings, 64);
    set_default(&server->options.max_queued_bytes, 16u << 20);
    server->listener = -1;
    wire_capset(server->capset);
    return server;
}

void vtest_server_destroy(struct vtest_server *server)
{
    if (!server)
        return;
    while (server->clients)
        vtest_client_destroy(server->clients);
    os_source_remove(server->listen_source);
    os_source_remove(server->retry_timer);
    if (server->listener >= 0)
        close(server->listener);
    struct stat status;
    if (server->socket_path && stat(server->socket_path, &status) == 0 &&
        (uint64_t)status.st_dev == server->socket_device &&
        (uint64_t)status.st_ino == server->socket_inode)
        unlink(server->socket_path); // still ours: nobody has put another there
    free(server->socket_path);
    free(server);
}

// Mesa's client never sees an end of file: it reads again, for ever. Zeroes end whatever read it is
// in, and its next request finds the connection closed, which it does see.
void vtest_last_words(int fd)
{
    static const uint8_t zeroes[512]; // more than the longest reply
    os_socket_send(fd, zeroes, sizeof(zeroes), NULL, 0);
    shutdown(fd, SHUT_RDWR); // also for those who hold a duplicate
}

uint32_t vtest_server_client_count(const struct vtest_server *server)
{
    return server->client_count;
}

bool vtest_server_adopt(struct vtest_server *server, int fd)
{
    if (server->client_count >= server->options.max_clients) {
        if (log_limit_allows(&server->log_limit, os_now_ns(), 50, 10000000000u))
            log_warning("a client is refused: %u are connected already (--max-clients)",
                        server->client_count);
        close(fd);
        return false;
    }
    os_socket_set_nonblocking(fd, true);
    struct vtest_client *client = vtest_client_create(server, fd);
    if (!client)
        return false;
    client->source = os_loop_add_fd(server->loop, fd, OS_READABLE, vtest_client_event, client);
    if (!client->source) {
        vtest_client_destroy(client);
        return false;
    }
    client->next = server->clients;
    client->at = &server->clients;
    if (client->next)
        client->next->at = &client->next;
    server->clients = client;
    server->client_count++;
    if (server->options.connected)
        server->options.connected(server->options.connected_data, fd);
    return true;
}

static void resume_listening(void *data)
{
    struct vtest_server *server = data;
    os_source_set_events(server->listen_source, OS_READABLE);
}

static void on_connection(void *data, int fd, unsigned events)
{
    struct vtest_server *server = data;
    (void)events;
    for (;;) {
        int connection = os_socket_accept(fd);
        if (connection >= 0) {
            vtest_server_adopt(server, connection);
            continue;
        }
        if (connection == -ECONNABORTED || connection == -EINTR)
            continue;
        if (connection != -EAGAIN && connection != -EWOULDBLOCK) {
            // Out of descriptors or memory: the connection stays in the queue and would wake us for
            // ever.
            log_error("no connection can be accepted: %s; trying again in a second",
                      strerror(-connection));
            os_source_set_events(server->listen_source, 0);
            os_source_set_deadline(server->retry_timer, os_now_ns() + 1000000000u);
        }
        return;
    }
}

int vtest_server_listen(struct vtest_server *server, const char *path)
{
    if (server->listener >= 0)
        return -EISCONN;
    int fd = os_socket_listen(path);
    if (fd < 0)
        return fd;
    struct stat status;
    server->socket_path = strdup(path);
    server->retry_timer = os_loop_add_timer(server->loop, 0, resume_listening, server);
    server->listen_source = os_loop_add_fd(server->loop, fd, OS_READABLE, on_connection, server);
    server->listener = fd; // from here on vtest_server_destroy cleans up
    if (stat(path, &status) == 0) {
        server->socket_device = (uint64_t)status.st_dev;
        server->socket_inode = (uint64_t)status.st_ino;
    }
    return server->socket_path && server->retry_timer && server->listen_source ? 0 : -ENOMEM;
}
