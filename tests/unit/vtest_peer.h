// Stands in for link/worker.c: a worker that is the test itself. What the front sends to it arrives
// at `peer`; what it has to say is told by the callbacks. Include in one file per program.
#ifndef TESTS_VTEST_PEER_H
#define TESTS_VTEST_PEER_H

#include <errno.h>
#include <stdlib.h>

#include "link/worker.h"
#include "os/socket.h"

struct link_worker {
    struct link *link, *peer; // the front's end, ours
    struct link_worker_callbacks callbacks;
    void *data;
};

static struct link_worker *peer_worker; // taken last and not released
static unsigned peer_taken, peer_released;
static bool peer_unavailable;

struct link_worker *link_pool_take(struct link_pool *pool,
                                   const struct link_worker_callbacks *callbacks, void *data)
{
    int fds[2];
    (void)pool;
    if (peer_unavailable || os_socket_pair(fds)) {
        errno = ENOENT;
        return NULL;
    }
    struct link_worker *worker = calloc(1, sizeof(*worker));
    worker->link = link_create(fds[0], false);
    worker->peer = link_create(fds[1], false);
    worker->callbacks = *callbacks;
    worker->data = data;
    peer_worker = worker;
    peer_taken++;
    return worker;
}

void link_worker_release(struct link_worker *worker)
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

struct link *link_worker_link(struct link_worker *worker)
{
    return worker->link;
}

long link_worker_pid(const struct link_worker *worker)
{
    (void)worker;
    return 1;
}

enum link_status link_worker_send(struct link_worker *worker, enum link_type type,
                                  const void *payload, size_t size, const void *tail,
                                  size_t tail_size, const int *fds, unsigned fd_count)
{
    return link_send(worker->link, type, payload, size, tail, tail_size, fds, fd_count);
}

void link_worker_hold(struct link_worker *worker)
{
    link_hold(worker->link);
}

enum link_status link_worker_flush(struct link_worker *worker)
{
    return link_release(worker->link);
}

#endif
