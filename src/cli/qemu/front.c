#include "cli/qemu/front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

// `text` inside a string of JSON. NULL: out of memory. The caller frees it.
static char *json_text(const char *text)
{
    char *escaped = malloc(6 * strlen(text) + 1), *to = escaped;
    for (; escaped && *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            to += sprintf(to, "\\u%04x", c);
        else
            to += sprintf(to, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    if (escaped)
        *to = 0;
    return escaped;
}

static void add_vfio_user(struct cli_arguments *arguments, const struct cli_front_device *device)
{
    char place[64] = "", inherited[32];
    snprintf(inherited, sizeof(inherited), "/proc/self/fd/%d", device->fd);
    char *path = json_text(device->path ? device->path : inherited);
    if (!path) {
        arguments->failed = true;
        return;
    }
    if (device->slot)
        snprintf(place, sizeof(place), "%s%s%s,\"addr\":\"0x%x\"", device->bus ? ",\"bus\":\"" : "",
                 device->bus ? device->bus : "", device->bus ? "\"" : "", device->slot);
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments,
                      "{\"driver\":\"vfio-user-pci\",\"id\":\"%s0\"%s,\"x-msg-timeout\":%d,"
                      "\"socket\":{\"type\":\"unix\",\"path\":\"%s\"}}",
                      device->name, place, PATIENCE_MS, path);
    free(path);
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
