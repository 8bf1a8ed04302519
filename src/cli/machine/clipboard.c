#include "cli/machine/clipboard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/log.h"
#include "cli/qemu/qemu.h"
#include "os/loop.h"
#include "os/socket.h"

// A guest that does not read what it has asked for gets nothing more.
enum { MAX_WAITING = 64 << 10 };

struct cli_clipboard {
    struct agent *agent;
    int fd; // -1: the guest is gone
    struct os_source *source;
    struct os_loop *loop;
    char path[CLI_SOCKET_PATH]; // where QEMU may connect
    int listener;               // -1: it cannot
    struct os_source *accepting;
    void (*copied)(void *data, const char *text, size_t size);
    void *data;
    uint8_t *waiting; // for the guest to read
    size_t size, sent;
};

static void stop(struct cli_clipboard *clipboard)
{
    os_source_remove(clipboard->source);
    clipboard->source = NULL;
    if (clipboard->fd >= 0)
        close(clipboard->fd);
    clipboard->fd = -1;
    free(clipboard->waiting);
    clipboard->waiting = NULL;
    clipboard->size = clipboard->sent = 0;
    agent_destroy(clipboard->agent);
    clipboard->agent = NULL;
}

static void flush(struct cli_clipboard *clipboard)
{
    while (clipboard->sent < clipboard->size) {
        ssize_t sent = os_socket_send(clipboard->fd, clipboard->waiting + clipboard->sent,
                                      clipboard->size - clipboard->sent, NULL, 0);
        if (sent <= 0) // a guest that is gone is noticed by reading
            break;
        clipboard->sent += (size_t)sent;
    }
    bool all = clipboard->sent == clipboard->size;
    if (all) {
        free(clipboard->waiting);
        clipboard->waiting = NULL;
        clipboard->size = clipboard->sent = 0;
    }
    if (clipboard->source)
        os_source_set_events(clipboard->source, OS_READABLE | (all ? 0 : OS_WRITABLE));
}

static void on_send(void *data, const uint8_t *bytes, size_t size)
{
    struct cli_clipboard *clipboard = data;
    if (clipboard->fd < 0 || clipboard->size - clipboard->sent > MAX_WAITING)
        return;
    uint8_t *larger = realloc(clipboard->waiting, clipboard->size + size);
    if (!larger)
        return;
    memcpy(larger + clipboard->size, bytes, size);
    clipboard->waiting = larger;
    clipboard->size += size;
    flush(clipboard);
}

static void on_text(void *data, const char *text, size_t size)
{
    struct cli_clipboard *clipboard = data;
    clipboard->copied(clipboard->data, text, size);
}

static void on_port(void *data, int fd, unsigned events)
{
    struct cli_clipboard *clipboard = data;
    uint8_t bytes[16384];
    unsigned none = 0;
    flush(clipboard);
    ssize_t got = os_socket_recv(fd, bytes, sizeof(bytes), NULL, 0, &none);
    if (got > 0)
        agent_receive(clipboard->agent, bytes, (size_t)got);
    else if (got != -EAGAIN && got != -EINTR)
        stop(clipboard);
}

// Owns: takes `fd`.
static bool begin(struct cli_clipboard *clipboard, int fd)
{
    static const struct agent_callbacks callbacks = {.send = on_send, .text = on_text};
    clipboard->fd = fd;
    clipboard->source = os_loop_add_fd(clipboard->loop, fd, OS_READABLE, on_port, clipboard);
    clipboard->agent = clipboard->source ? agent_create(&callbacks, clipboard) : NULL;
    if (!clipboard->agent)
        stop(clipboard);
    return clipboard->agent;
}

static void on_connection(void *data, int listener, unsigned events)
{
    struct cli_clipboard *clipboard = data;
    int fd = os_socket_accept(listener);
    if (fd < 0)
        return;
    if (clipboard->fd >= 0) {
        log_warning("a second VM at %s was refused: each needs a hesper of its own",
                    clipboard->path);
        close(fd);
    } else if (!begin(clipboard, fd)) {
        log_error("out of memory");
    }
}

static struct cli_clipboard *
new_clipboard(struct os_loop *loop, void (*copied)(void *data, const char *text, size_t size),
              void *data)
{
    struct cli_clipboard *clipboard = calloc(1, sizeof(*clipboard));
    if (!clipboard)
        return NULL;
    clipboard->fd = clipboard->listener = -1;
    clipboard->loop = loop;
    clipboard->copied = copied;
    clipboard->data = data;
    return clipboard;
}

struct cli_clipboard *
cli_clipboard_create(struct os_loop *loop, int fd,
                     void (*copied)(void *data, const char *text, size_t size), void *data)
{
    struct cli_clipboard *clipboard = new_clipboard(loop, copied, data);
    if (!clipboard)
        close(fd);
    else if (begin(clipboard, fd))
        return clipboard;
    cli_clipboard_destroy(clipboard);
    return NULL;
}

// False: too long.
static bool socket_path(const char *path, char to[CLI_SOCKET_PATH])
{
    return snprintf(to, CLI_SOCKET_PATH, "%s.clipboard", path) < CLI_SOCKET_PATH;
}

struct cli_clipboard *
cli_clipboard_listen(struct os_loop *loop, const char *path,
                     void (*copied)(void *data, const char *text, size_t size), void *data)
{
    struct cli_clipboard *clipboard = new_clipboard(loop, copied, data);
    if (!clipboard) {
        log_error("out of memory");
        return NULL;
    }
    int error = socket_path(path, clipboard->path) ? 0 : -ENAMETOOLONG;
    if (!error) {
        int listener = os_socket_listen(clipboard->path);
        error = listener < 0 ? listener : 0;
        clipboard->listener = listener < 0 ? -1 : listener;
    }
    if (!error) {
        clipboard->accepting =
            os_loop_add_fd(loop, clipboard->listener, OS_READABLE, on_connection, clipboard);
        if (clipboard->accepting)
            return clipboard;
        error = -ENOMEM;
    }
    log_error("cannot listen on '%s.clipboard': %s", path, strerror(-error));
    cli_clipboard_destroy(clipboard);
    return NULL;
}

const char *cli_clipboard_socket(const struct cli_clipboard *clipboard)
{
    return clipboard->path;
}

void cli_clipboard_destroy(struct cli_clipboard *clipboard)
{
    if (!clipboard)
        return;
    stop(clipboard);
    os_source_remove(clipboard->accepting);
    if (clipboard->listener >= 0) {
        close(clipboard->listener);
        unlink(clipboard->path);
    }
    free(clipboard);
}

void cli_clipboard_offer(struct cli_clipboard *clipboard, const char *text, size_t size)
{
    if (clipboard && clipboard->agent)
        agent_offer(clipboard->agent, text, size);
}

void cli_clipboard_resize(struct cli_clipboard *clipboard, uint32_t width, uint32_t height)
{
    if (clipboard && clipboard->agent)
        agent_resize(clipboard->agent, width, height);
}

void cli_clipboard_add(struct cli_arguments *arguments, const char *path, const char *bus,
                       unsigned slot)
{
    char socket[CLI_SOCKET_PATH], place[64] = "";
    char *value = path && socket_path(path, socket) ? cli_option_value(socket) : NULL;
    if (path && !value)
        arguments->failed = true;
    if (slot)
        snprintf(place, sizeof(place), ",bus=%s,addr=0x%x", bus, slot);
    cli_arguments_add(arguments, "-chardev");
    if (value)
        cli_arguments_add(arguments, "socket,id=hesper-agent,path=%s", value);
    else
        cli_arguments_add(arguments, "socket,id=hesper-agent,fd=%d", CLI_CLIPBOARD_FD);
    free(value);
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "virtio-serial-pci,id=hesper-serial%s", place);
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "virtserialport,bus=hesper-serial.0,chardev=hesper-agent,"
                                 "name=com.redhat.spice.0");
}
