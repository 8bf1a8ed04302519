#include "cli/machine/clipboard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "os/loop.h"
#include "os/socket.h"

// A guest that does not read what it has asked for gets nothing more.
enum { MAX_WAITING = 64 << 10 };

struct cli_clipboard {
    struct agent *agent;
    int fd; // -1: the guest is gone
    struct os_source *source;
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
    (void)events;
    flush(clipboard);
    ssize_t got = os_socket_recv(fd, bytes, sizeof(bytes), NULL, 0, &none);
    if (got > 0)
        agent_receive(clipboard->agent, bytes, (size_t)got);
    else if (got != -EAGAIN && got != -EINTR)
        stop(clipboard);
}

struct cli_clipboard *
cli_clipboard_create(struct os_loop *loop, int fd,
                     void (*copied)(void *data, const char *text, size_t size), void *data)
{
    static const struct agent_callbacks callbacks = {.send = on_send, .text = on_text};
    struct cli_clipboard *clipboard = calloc(1, sizeof(*clipboard));
    if (!clipboard) {
        close(fd);
        return NULL;
    }
    clipboard->fd = fd;
    clipboard->copied = copied;
    clipboard->data = data;
    clipboard->source = os_loop_add_fd(loop, fd, OS_READABLE, on_port, clipboard);
    clipboard->agent = clipboard->source ? agent_create(&callbacks, clipboard) : NULL;
    if (clipboard->agent)
        return clipboard;
    cli_clipboard_destroy(clipboard);
    return NULL;
}

void cli_clipboard_destroy(struct cli_clipboard *clipboard)
{
    if (!clipboard)
        return;
    stop(clipboard);
    agent_destroy(clipboard->agent);
    free(clipboard);
}

void cli_clipboard_offer(struct cli_clipboard *clipboard, const char *text, size_t size)
{
    if (clipboard)
        agent_offer(clipboard->agent, text, size);
}

void cli_clipboard_add(struct cli_arguments *arguments)
{
    cli_arguments_add(arguments, "-chardev");
    cli_arguments_add(arguments, "socket,id=hesper-agent,fd=%d", CLI_CLIPBOARD_FD);
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "virtio-serial-pci,id=hesper-serial");
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "virtserialport,bus=hesper-serial.0,chardev=hesper-agent,"
                                 "name=com.redhat.spice.0");
}
