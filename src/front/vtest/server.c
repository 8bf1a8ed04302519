#include "front/vtest/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/vtest/client.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/socket.h"
#include "wire/capset.h"

// Connections without a context yet: so many, or a part of the descriptors.
enum { MAX_CALLERS = 256, CALLERS_PART = 6 };

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
    server->options = *options;
    list_init(&server->clients);
    set_default(&server->options.max_clients, 256);
    set_default(&server->options.max_resources, 16384);
    set_default(&server->options.max_syncs, 1 << 20);
    set_default(&server->options.max_waits, 4096);
    set_default(&server->options.max_fences, 16384);
    set_default(&server->options.max_rings, RENDERER_MAX_RINGS);
    set_default(&server->options.max_queued_bytes, RENDERER_ENOUGH_QUEUED);
    server->options.max_resources = renderers_resources(server->options.max_resources);
    uint32_t callers = renderers_descriptors() / CALLERS_PART + 1;
    server->max_callers = callers < MAX_CALLERS ? callers : MAX_CALLERS;
    server->listener = -1;
    wire_capset(server->capset);
    server->renderers = renderers_create(
        loop, &(struct renderers_options){
                  .pool = pool,
                  .context_flags =
                      LINK_CONTEXT_OWN_FILES | LINK_CONTEXT_SAME_KERNEL | LINK_CONTEXT_TELLS_LOSS,
                  .max_rings = server->options.max_rings,
                  .max_resources = server->options.max_resources,
                  .max_memory = {server->options.max_memory, server->options.max_card_memory},
                  .max_wait_ns = server->options.max_wait_ns,
                  .page_size = (uint32_t)os_page_size(),
                  .max_queued = server->options.max_queued_bytes,
                  .trace_path = server->options.trace_path,
              });
    if (server->renderers)
        return server;
    free(server);
    return NULL;
}

void vtest_server_destroy(struct vtest_server *server)
{
    if (!server)
        return;
    for (struct vtest_client *client;
         (client = LIST_FIRST(&server->clients, struct vtest_client, node));)
        vtest_client_destroy(client);
    renderers_destroy(server->renderers);
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

struct renderers *vtest_server_renderers(const struct vtest_server *server)
{
    return server->renderers;
}

// Those who have said nothing that costs anything yet are kept apart from those who have a context:
// when there are too many, the oldest goes.
static bool make_room(struct vtest_server *server)
{
    if (server->client_count - server->context_count < server->max_callers)
        return true;
    LIST_EACH (node, &server->clients) {
        struct vtest_client *client = LIST_ENTRY(node, struct vtest_client, node);
        if (client->state < VTEST_CONTEXT) {
            vtest_client_fail(client, "%u others want to be served, and it has not begun",
                              server->max_callers);
            vtest_client_destroy(client);
            return true;
        }
    }
    return false;
}

bool vtest_server_adopt(struct vtest_server *server, int fd)
{
    if (!make_room(server)) {
        close(fd);
        return false;
    }
    os_socket_set_nonblocking(fd, true);
    if (!vtest_session_begin(server, fd))
        return false;
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
