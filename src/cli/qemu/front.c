#include "cli/qemu/front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/option/folder.h"
#include "front/vfio_user/vfio_user.h"
#include "front/vhost_user/vhost_user.h"
#include "os/socket.h"

const char *const cli_front_names[] = {"auto", "vhost-user", "vfio-user", NULL};
// So long QEMU waits for an answer before it gives a device up for lost, milliseconds: as long as
// a person would who stops this process to look at it.
enum { PATIENCE_MS = 600000 };

virtio_transport_create cli_front_transport(enum cli_front front)
{
    static const virtio_transport_create transports[] = {NULL, vhost_user_create, vfio_user_create};
    return transports[front];
}

virtio_transport_create cli_front_spoken(uint32_t first)
{
    return vhost_user_is_spoken(first)  ? vhost_user_create
           : vfio_user_is_spoken(first) ? vfio_user_create
                                        : NULL;
}

// ---- QEMU's arguments -----------------------------------------------------

static void add_vfio_user(struct cli_arguments *arguments, const struct cli_front_device *device)
{
    struct json_writer json = {0};
    char text[64];
    json_open(&json, NULL, '{');
    json_string(&json, "driver", "vfio-user-pci");
    snprintf(text, sizeof(text), "%s0", device->name);
    json_string(&json, "id", text);
    if (device->slot && device->bus)
        json_string(&json, "bus", device->bus);
    snprintf(text, sizeof(text), "0x%x", device->slot);
    if (device->slot)
        json_string(&json, "addr", text);
    json_number(&json, "x-msg-timeout", PATIENCE_MS);
    json_open(&json, "socket", '{');
    json_string(&json, "type", "unix");
    snprintf(text, sizeof(text), "/proc/self/fd/%d", device->fd);
    json_string(&json, "path", device->path ? device->path : text);
    json_close(&json, '}');
    json_close(&json, '}');
    arguments->failed |= json.failed;
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "%s", json.text ? json.text : "");
    json_finish(&json);
}

static void add_vhost_user(struct cli_arguments *arguments, const struct cli_front_device *device)
{
    char place[64] = "";
    char *path = cli_option_value(device->path ? device->path : "");
    if (!path) {
        arguments->failed = true;
        return;
    }
    if (device->slot)
        snprintf(place, sizeof(place), "%s%s,addr=0x%x", device->bus ? ",bus=" : "",
                 device->bus ? device->bus : "", device->slot);
    cli_arguments_add(arguments, "-chardev");
    if (device->path)
        cli_arguments_add(arguments, "socket,id=hesper-%s,path=%s", device->name, path);
    else
        cli_arguments_add(arguments, "socket,id=hesper-%s,fd=%d", device->name, device->fd);
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments,
                      "vhost-user-test-device-pci,id=%s0,chardev=hesper-%s,virtio-id=%u,num_vqs=2,"
                      "config_size=%u,vq_size=%u%s",
                      device->name, device->name, device->type, device->config_size,
                      device->queue_size, place);
    free(path);
}

void cli_front_add_device(struct cli_arguments *arguments, enum cli_front front,
                          const struct cli_front_device *device)
{
    if (front == CLI_FRONT_VFIO_USER)
        add_vfio_user(arguments, device);
    else
        add_vhost_user(arguments, device);
}

// ---- connections ----------------------------------------------------------

// vfio-user-pci connects by a path only. One that leads to an inherited descriptor needs no file:
// the socket's is gone before anybody can look for it.
static int listen_without_name(int *name)
{
    char folder[80], path[108];
    if (!cli_folder_make(folder, sizeof(folder), "vm", path, sizeof(path)))
        return -ENOENT;
    int listener = os_socket_listen(path);
    if (listener >= 0) {
        *name = os_socket_open_name(path);
        unlink(path);
        if (*name < 0) {
            close(listener);
            listener = *name;
        }
    }
    rmdir(folder);
    return listener;
}

bool cli_front_socket(enum cli_front front, struct cli_front_socket *made)
{
    int pair[2], error;
    *made = (struct cli_front_socket){.listener = front == CLI_FRONT_VFIO_USER};
    if (made->listener) {
        made->ours = listen_without_name(&made->theirs);
        error = made->ours < 0 ? made->ours : 0;
    } else {
        error = os_socket_pair(pair);
        made->ours = pair[0];
        made->theirs = pair[1];
    }
    if (error)
        log_error("no socket: %s", strerror(-error));
    else
        os_socket_set_nonblocking(made->ours, true);
    return !error;
}
