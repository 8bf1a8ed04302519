#include "workers.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../scarce/scarce.h"
#include "os/socket.h"

// ---- link/pool.h and link/child.h, played ---------------------------------

int link_pool_take(struct link_pool *pool, const struct link_child_callbacks *callbacks, void *data,
                   struct link_child **taken)
{
    int fds[2];
    if (pool->empty || pool->count == MAX_WORKERS || os_socket_pair(fds))
        return -EAGAIN;
    scarce_spared++;
    struct link_child *worker = calloc(1, sizeof(*worker));
    worker->pool = pool;
    link_create(fds[0], false, &worker->link);
    link_create(fds[1], false, &worker->peer);
    scarce_spared--;
    worker->callbacks = *callbacks;
    worker->data = data;
    pool->workers[pool->count++] = worker;
    *taken = worker;
    return 0;
}

// No process of these tests was started by somebody else.
int link_child_adopt(struct os_loop *loop, int fd, const struct link_child_callbacks *callbacks,
                     void *data, struct link_child **adopted)
{
    (void)loop, (void)callbacks, (void)data, (void)adopted;
    close(fd);
    return -ENOSYS;
}

uint64_t link_pool_card_memory(const struct link_pool *pool)
{
    (void)pool;
    return 0;
}

void link_child_release(struct link_child *worker)
{
    if (!worker)
        return;
    worker->released = true;
    link_destroy(worker->link);
    worker->link = NULL;
}

long link_child_pid(const struct link_child *worker)
{
    (void)worker;
    return 1;
}

struct link *link_child_link(struct link_child *worker)
{
    return worker->link;
}

int link_child_send(struct link_child *worker, uint16_t type, const void *payload, size_t size,
                    const void *tail, size_t tail_size, const int *fds, unsigned fd_count)
{
    // A worker has shared memory as soon as it is told of it, unless a test wants it slow.
    const struct link_resource_attach *attach = payload;
    struct link_resource_attached attached = {.resource_id = attach ? attach->resource_id : 0};
    if (type == LINK_RESOURCE_ATTACH && attach->flags & LINK_ATTACH_ANSWER && worker->peer &&
        !worker->pool->slow)
        link_send(worker->peer, LINK_RESOURCE_ATTACHED, &attached, sizeof(attached), NULL, 0, NULL,
                  0);
    return worker->link
               ? link_send(worker->link, type, payload, size, tail, tail_size, fds, fd_count)
               : -EPIPE;
}

void link_child_hold(struct link_child *worker)
{
    (void)worker;
}

int link_child_flush(struct link_child *worker)
{
    return worker->link ? 0 : -EPIPE;
}

// ---- the workers' side -----------------------------------------------------

bool workers_read(struct link_pool *pool)
{
    bool any = false;
    for (unsigned i = 0; i < pool->count; i++) {
        struct link_child *worker = pool->workers[i];
        struct link_message message;
        if (worker->link)
            link_flush(worker->link);
        while (worker->link && link_receive(worker->link, &message) == 0) {
            any = true;
            bool goes_on;
            SCARCE(goes_on = worker->callbacks.message(worker->data, &message));
            if (!goes_on)
                break;
        }
    }
    return any;
}

bool workers_receive(struct link_pool *pool, unsigned index, struct link_message *message)
{
    struct link_child *worker = pool->workers[index];
    if (!worker->peer)
        return false;
    int error;
    unsigned idle = 0; // the link says -EAGAIN once when it has seen the end of what there was
    while ((error = link_receive(worker->peer, message)) == -EAGAIN && idle < 2) {
        if (worker->link && link_queued(worker->link))
            link_flush(worker->link);
        else
            idle++;
    }
    return !error;
}

void workers_destroy(struct link_pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++) {
        link_destroy(pool->workers[i]->link);
        link_destroy(pool->workers[i]->peer);
        free(pool->workers[i]);
    }
    pool->count = 0;
}
