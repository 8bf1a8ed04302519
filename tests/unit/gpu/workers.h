// Workers without processes. workers.c stands in for link/pool.c and link/child.c: what is sent to
// a worker goes through a real link over a socket pair, whose other end the test holds.
#ifndef TESTS_GPU_WORKERS_H
#define TESTS_GPU_WORKERS_H

#include "link/child.h"
#include "link/context_messages.h"
#include "link/link.h"
#include "link/pool.h"

enum { MAX_WORKERS = 256 };

struct link_child {
    struct link_pool *pool;
    struct link *link; // the device's end; NULL: gone
    struct link *peer; // the test's end: the worker
    struct link_child_callbacks callbacks;
    void *data;
    bool released;
};

struct link_pool {
    struct link_child *workers[MAX_WORKERS]; // in the order they were taken
    unsigned count;
    bool empty; // no worker can be started
    bool slow;  // workers don't answer that they have shared memory: worker_attached does
};

// Lets their owners read what workers have said. True if there was anything.
bool workers_read(struct link_pool *pool);
// What worker `index` was told; false: nothing more.
bool workers_receive(struct link_pool *pool, unsigned index, struct link_message *message);
void workers_destroy(struct link_pool *pool);

#endif
