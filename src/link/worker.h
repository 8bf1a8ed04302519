// Worker processes as the device process sees them: started by posix_spawn of our own binary, one
// spare kept warm with its driver loaded, watched, killed when they don't end, always reaped.
// Everything runs on the loop's thread.
#ifndef LINK_WORKER_H
#define LINK_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/link.h"
#include "os/loop.h"

struct link_pool;
struct link_worker;

struct link_pool_options {
    // Program and arguments before "--fd N": SELF, "worker", …; NULL-terminated; copied.
    const char *const *command;
    // A worker whose link was closed and that has not ended after this is killed. 0: 2 s.
    uint64_t grace_ns;
    bool keep_spare; // start the next one before it is needed
};

// How the first spare fared, once: true when its driver is loaded, false when it ended before that
// (its exit status as of waitpid).
typedef void (*link_pool_ready)(void *data, bool ready, int status);

// NULL: errno. Starts the spare, if one is kept.
struct link_pool *link_pool_create(struct os_loop *loop, const struct link_pool_options *options);
// Kills nothing that ends by itself within the grace time, waits for all to end. Every worker taken
// must have been released.
void link_pool_destroy(struct link_pool *pool);
void link_pool_on_ready(struct link_pool *pool, link_pool_ready callback, void *data);

struct link_worker_callbacks {
    // A message arrived. Return false to be told of no more (the worker misbehaves: release it
    // soon). May release the worker.
    bool (*message)(void *data, const struct link_message *message);
    // The send queue, which link_worker_send had reported as waiting, is empty again.
    void (*drained)(void *data);
    // The worker ended or broke the link; `how` is text for a log line. Nothing can be sent any
    // more: release it.
    void (*gone)(void *data, const char *how);
};

// From now on workers are started by this command. The first of them is told of again
// (link_pool_on_ready). May be called inside that. False: no memory.
bool link_pool_set_command(struct link_pool *pool, const char *const *command);
// The devices of the host that the first worker spoke of, for persons; empty before that. Lives as
// long as the pool.
const char *link_pool_devices(const struct link_pool *pool);

// The spare, or a new worker. NULL: errno says why none could be started.
struct link_worker *link_pool_take(struct link_pool *pool,
                                   const struct link_worker_callbacks *callbacks, void *data);
// No callbacks any more. Closes the link; the process ends by that, or by SIGKILL after the grace
// time.
void link_worker_release(struct link_worker *worker);

// For sending: link_worker_send tells the worker's source of what stays in the queue.
struct link *link_worker_link(struct link_worker *worker);
long link_worker_pid(const struct link_worker *worker);
enum link_status link_worker_send(struct link_worker *worker, enum link_type type,
                                  const void *payload, size_t size, const void *tail,
                                  size_t tail_size, const int *fds, unsigned fd_count);
// As link_hold and link_release.
void link_worker_hold(struct link_worker *worker);
enum link_status link_worker_flush(struct link_worker *worker);

#endif
