// Stands in for link/child.c and link/pool.c: a worker that is the test itself. What the front
// sends to it arrives at `peer`; what it has to say is told by the callbacks. Include in one file
// per program.
#ifndef TESTS_VTEST_PEER_H
#define TESTS_VTEST_PEER_H

#include <errno.h>
#include <stdlib.h>

#include "../scarce/scarce.h"
#include "link/context_messages.h"
#include "link/pool.h"
#include "os/socket.h"

struct link_child {
    struct link *link, *peer; // the front's end, ours
    struct link_child_callbacks callbacks;
    void *data;
};

static struct link_child *peer_worker; // taken last and not released
static unsigned peer_taken, peer_released;
static bool peer_unavailable;

int link_pool_take(struct link_pool *pool, const struct link_child_callbacks *callbacks, void *data,
                   struct link_child **taken)
{
    int fds[2];
    if (peer_unavailable || os_socket_pair(fds))
        return -ENOENT;
    scarce_spared++;
    struct link_child *worker = calloc(1, sizeof(*worker));
    link_create(fds[0], false, &worker->link);
    link_create(fds[1], false, &worker->peer);
    scarce_spared--;
    worker->callbacks = *callbacks;
    worker->data = data;
    peer_worker = worker;
    peer_taken++;
    *taken = worker;
    return 0;
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
    link_destroy(worker->link);
    link_destroy(worker->peer);
    if (peer_worker == worker)
        peer_worker = NULL;
    free(worker);
    peer_released++;
}

struct link *link_child_link(struct link_child *worker)
{
    return worker->link;
}

long link_child_pid(const struct link_child *worker)
{
    (void)worker;
    return 1;
}

int link_child_send(struct link_child *worker, uint16_t type, const void *payload, size_t size,
                    const void *tail, size_t tail_size, const int *fds, unsigned fd_count)
{
    if (!worker->link)
        return -EPIPE;
    return link_send(worker->link, type, payload, size, tail, tail_size, fds, fd_count);
}

void link_child_hold(struct link_child *worker)
{
    if (worker->link)
        link_hold(worker->link);
}

int link_child_flush(struct link_child *worker)
{
    return worker->link ? link_release(worker->link) : -EPIPE;
}

#endif
