#include "front/machine/entrance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/loop.h"
#include "os/socket.h"

struct machine_entrance {
    struct os_loop *loop;
    int listener;
    struct os_source *source;
    char *path; // NULL: it has none
    virtio_transport_create transport;
    machine_entrance_choose choose;
    const struct machine_entrance_ops *ops;
    void *data;
    int caller; // has connected and has not said a word yet; -1: nobody
    struct os_source *words;
};

static const char *name(const struct machine_entrance *entrance)
{
    return entrance->path ? entrance->path : "a socket without a name";
}

static int take_caller(struct machine_entrance *entrance)
{
    int fd = entrance->caller;
    entrance->caller = -1;
    os_source_remove(entrance->words);
    entrance->words = NULL;
    return fd;
}

// A header comes whole, so whoever sends less than four bytes of one is no front end.
static void on_words(void *data, int fd, unsigned events)
{
    struct machine_entrance *entrance = data;
    uint32_t first = 0;
    ssize_t got = os_socket_peek(fd, &first, sizeof(first));
    if (got == -EAGAIN)
        return;
    virtio_transport_create transport = got == sizeof(first) ? entrance->choose(first) : NULL;
    take_caller(entrance);
    if (transport) {
        entrance->ops->serve(entrance->data, fd, transport);
        return;
    }
    close(fd);
    log_warning("what has connected to %s is no front end of a VM", name(entrance));
}

static void on_connection(void *data, int listener, unsigned events)
{
    struct machine_entrance *entrance = data;
    int fd = os_socket_accept(listener);
    if (fd < 0)
        return;
    if (entrance->caller >= 0 || entrance->ops->busy(entrance->data)) {
        log_warning("a second VM at %s was refused: each needs a hesper of its own",
                    name(entrance));
        close(fd);
    } else if (entrance->transport) {
        entrance->ops->serve(entrance->data, fd, entrance->transport);
    } else {
        entrance->caller = fd;
        entrance->words = os_loop_add_fd(entrance->loop, fd, OS_READABLE, on_words, entrance);
        if (entrance->words)
            return;
        close(take_caller(entrance));
        log_error("cannot serve a VM: %s", strerror(ENOMEM));
    }
}

int machine_entrance_create(struct os_loop *loop, int listener, const char *path,
                            virtio_transport_create transport, machine_entrance_choose choose,
                            const struct machine_entrance_ops *ops, void *data,
                            struct machine_entrance **created)
{
    struct machine_entrance *entrance = malloc(sizeof(*entrance));
    *created = NULL;
    if (!entrance) {
        close(listener);
        return -ENOMEM;
    }
    *entrance = (struct machine_entrance){
        .loop = loop,
        .listener = listener,
        .source = os_loop_add_fd(loop, listener, OS_READABLE, on_connection, entrance),
        .path = path ? strdup(path) : NULL,
        .transport = transport,
        .choose = choose,
        .ops = ops,
        .data = data,
        .caller = -1,
    };
    if (!entrance->source || (path && !entrance->path)) {
        machine_entrance_destroy(entrance);
        return -ENOMEM;
    }
    *created = entrance;
    return 0;
}

void machine_entrance_destroy(struct machine_entrance *entrance)
{
    if (!entrance)
        return;
    int caller = take_caller(entrance);
    if (caller >= 0)
        close(caller);
    os_source_remove(entrance->source);
    close(entrance->listener);
    if (entrance->path)
        unlink(entrance->path);
    free(entrance->path);
    free(entrance);
}
