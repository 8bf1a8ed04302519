#include "front/machine/gpu_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/loop.h"
#include "os/socket.h"

struct machine_gpu_server {
    struct os_loop *loop;
    struct machine_gpu_options options;
    struct machine_gpu_server_ops ops;
    void *data;
    struct machine_entrance *entrance;
    struct machine_gpu *gpu;
    char *placer_path; // NULL: no placer
    int placer;        // its listening socket
    struct os_source *placer_source;
    int waiting_placer; // of a QEMU whose front end has not connected yet; -1: none
};

static void on_end(void *data)
{
    struct machine_gpu_server *server = data;
    log_info("the VM has ended");
    if (server->ops.ended)
        server->ops.ended(server->data);
    machine_gpu_destroy(server->gpu);
    server->gpu = NULL;
}

static void serve(void *data, int fd, virtio_transport_create transport)
{
    struct machine_gpu_server *server = data;
    struct machine_gpu_options options = server->options;
    options.transport = transport;
    int error = machine_gpu_create(server->loop, fd, &options, on_end, server, &server->gpu);
    if (error) {
        log_error("cannot serve a VM: %s", strerror(-error));
        return;
    }
    if (server->waiting_placer >= 0) {
        machine_gpu_set_placer(server->gpu, server->waiting_placer);
        server->waiting_placer = -1;
    }
    log_info("a VM has connected");
    if (server->ops.connected)
        server->ops.connected(server->data, server->gpu);
}

static bool busy(void *data)
{
    const struct machine_gpu_server *server = data;
    return server->gpu;
}

static int listen_at(struct machine_gpu_server *server, const char *path)
{
    static const struct machine_entrance_ops ops = {.busy = busy, .serve = serve};
    int fd = os_socket_listen(path);
    return fd < 0 ? fd
                  : machine_entrance_create(server->loop, fd, path, server->options.transport,
                                            server->ops.choose, &ops, server, &server->entrance);
}

// QEMU loads its plugins before or after it connects its sockets.
static void on_placer(void *data, int listener, unsigned events)
{
    struct machine_gpu_server *server = data;
    int fd = os_socket_accept(listener);
    if (fd < 0)
        return;
    if (server->gpu && !machine_gpu_has_placer(server->gpu)) {
        machine_gpu_set_placer(server->gpu, fd);
        return;
    }
    if (server->waiting_placer >= 0)
        close(server->waiting_placer);
    server->waiting_placer = fd;
}

static int listen_for_placer(struct machine_gpu_server *server, const char *path)
{
    server->placer = os_socket_listen(path);
    if (server->placer < 0)
        return server->placer;
    server->placer_path = strdup(path);
    server->placer_source =
        os_loop_add_fd(server->loop, server->placer, OS_READABLE, on_placer, server);
    return server->placer_path && server->placer_source ? 0 : -ENOMEM;
}

int machine_gpu_server_create(struct os_loop *loop, const char *path, const char *placer_path,
                              const struct machine_gpu_options *options,
                              const struct machine_gpu_server_ops *ops, void *data,
                              const char **refused_path, struct machine_gpu_server **created)
{
    struct machine_gpu_server *server = calloc(1, sizeof(*server));
    *refused_path = NULL;
    if (!server)
        return -ENOMEM;
    server->loop = loop;
    server->options = *options;
    server->ops = *ops;
    server->data = data;
    server->placer = server->waiting_placer = -1;
    *refused_path = path;
    int error = listen_at(server, path);
    if (!error && placer_path) {
        *refused_path = placer_path;
        error = listen_for_placer(server, placer_path);
    }
    if (error) {
        machine_gpu_server_destroy(server);
        return error;
    }
    *refused_path = NULL;
    *created = server;
    return 0;
}

void machine_gpu_server_destroy(struct machine_gpu_server *server)
{
    if (!server)
        return;
    machine_gpu_destroy(server->gpu);
    if (server->waiting_placer >= 0)
        close(server->waiting_placer);
    machine_entrance_destroy(server->entrance);
    os_source_remove(server->placer_source);
    if (server->placer >= 0)
        close(server->placer);
    if (server->placer_path)
        unlink(server->placer_path);
    free(server->placer_path);
    free(server);
}
