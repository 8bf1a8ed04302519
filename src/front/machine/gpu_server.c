#include "front/machine/gpu_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/loop.h"
#include "os/socket.h"

struct listener {
    char *path;
    int fd;
    struct os_source *source;
};

struct machine_gpu_server {
    struct os_loop *loop;
    struct machine_gpu_options options;
    struct machine_gpu_server_ops ops;
    void *data;
    struct listener front_end, placer;
    struct machine_caller *caller; // not heard yet
    struct machine_gpu *gpu;
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

static void serve(struct machine_gpu_server *server, int fd, virtio_transport_create transport)
{
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

static void on_heard(void *data, int fd, virtio_transport_create transport)
{
    struct machine_gpu_server *server = data;
    server->caller = NULL;
    if (transport)
        serve(server, fd, transport);
    else
        log_warning("what has connected to %s is no front end of a VM", server->front_end.path);
}

static void on_front_end(void *data, int listener, unsigned events)
{
    struct machine_gpu_server *server = data;
    int fd = os_socket_accept(listener);
    if (fd < 0)
        return;
    if (server->gpu || server->caller) {
        log_warning("a second VM at %s was refused: each needs a hesper of its own",
                    server->front_end.path);
        close(fd);
    } else if (server->options.transport) {
        serve(server, fd, server->options.transport);
    } else {
        int error = machine_caller_create(server->loop, fd, server->ops.choose, on_heard, server,
                                          &server->caller);
        if (error)
            log_error("cannot serve a VM: %s", strerror(-error));
    }
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

static int listen_at(struct machine_gpu_server *server, struct listener *listener, const char *path,
                     os_fd_callback callback)
{
    listener->fd = os_socket_listen(path);
    if (listener->fd < 0)
        return listener->fd;
    listener->path = strdup(path);
    listener->source = os_loop_add_fd(server->loop, listener->fd, OS_READABLE, callback, server);
    return listener->path && listener->source ? 0 : -ENOMEM;
}

static void stop_listening(struct listener *listener)
{
    os_source_remove(listener->source);
    if (listener->fd >= 0) {
        close(listener->fd);
        if (listener->path)
            unlink(listener->path);
    }
    free(listener->path);
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
    server->front_end.fd = server->placer.fd = server->waiting_placer = -1;
    *refused_path = path;
    int error = listen_at(server, &server->front_end, path, on_front_end);
    if (!error && placer_path) {
        *refused_path = placer_path;
        error = listen_at(server, &server->placer, placer_path, on_placer);
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
    machine_caller_destroy(server->caller);
    if (server->waiting_placer >= 0)
        close(server->waiting_placer);
    stop_listening(&server->front_end);
    stop_listening(&server->placer);
    free(server);
}
