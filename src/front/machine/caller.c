#include "front/machine/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/loop.h"
#include "os/socket.h"

struct machine_caller {
    int fd;
    struct os_source *source;
    machine_caller_choose choose;
    machine_caller_known known;
    void *data;
};

// A header comes whole, so whoever sends less than four bytes of one is no front end.
static void on_words(void *data, int fd, unsigned events)
{
    struct machine_caller *caller = data;
    uint32_t first = 0;
    ssize_t got = os_socket_peek(fd, &first, sizeof(first));
    if (got == -EAGAIN)
        return;
    virtio_transport_create transport = got == sizeof(first) ? caller->choose(first) : NULL;
    machine_caller_known known = caller->known;
    void *whose = caller->data;
    if (transport)
        caller->fd = -1;
    machine_caller_destroy(caller);
    known(whose, transport ? fd : -1, transport);
}

int machine_caller_create(struct os_loop *loop, int fd, machine_caller_choose choose,
                          machine_caller_known known, void *data, struct machine_caller **created)
{
    struct machine_caller *caller = malloc(sizeof(*caller));
    *created = NULL;
    if (!caller) {
        close(fd);
        return -ENOMEM;
    }
    *caller = (struct machine_caller){
        .fd = fd,
        .source = os_loop_add_fd(loop, fd, OS_READABLE, on_words, caller),
        .choose = choose,
        .known = known,
        .data = data,
    };
    if (!caller->source) {
        machine_caller_destroy(caller);
        return -ENOMEM;
    }
    *created = caller;
    return 0;
}

void machine_caller_destroy(struct machine_caller *caller)
{
    if (!caller)
        return;
    os_source_remove(caller->source);
    if (caller->fd >= 0)
        close(caller->fd);
    free(caller);
}
