// Starts processes of one command, keeps one spare with its driver loaded, kills those that do not
// end, reaps them all.
//
// Thread: that of the loop.
// Owns: the pool has its processes; the pool goes when all that were taken have been released.
// Errors: -errno.
#ifndef LINK_POOL_H
#define LINK_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "link/child.h"
#include "os/loop.h"

struct link_pool;

struct link_pool_options {
    // Program and arguments before "--fd N": SELF, "worker", …; NULL-terminated, at most 16;
    // copied.
    const char *const *command;
    // A process whose link was closed and that has not ended after this is killed. 0: 2 s.
    uint64_t grace_ns;
    bool keep_spare; // start the next one before it is needed
};

// Starts the spare, if one is kept.
int link_pool_create(struct os_loop *loop, const struct link_pool_options *options,
                     struct link_pool **created);
// Kills nothing that ends by itself within the grace time, waits for all to end.
void link_pool_destroy(struct link_pool *pool);

// How the first spare fared, told once, from the loop: true when its driver is loaded; false when
// it ended before that (its exit status as of waitpid), or could not be started (-1, and a line in
// the log says why).
typedef void (*link_pool_ready)(void *data, bool ready, int status);
void link_pool_on_ready(struct link_pool *pool, link_pool_ready callback, void *data);

// From now on processes are started by this command. The first of them is told of again
// (link_pool_on_ready). May be called inside that.
int link_pool_set_command(struct link_pool *pool, const char *const *command);
// The devices of the host that the first worker spoke of, for persons; empty before that. Lives as
// long as the pool.
const char *link_pool_devices(const struct link_pool *pool);

// Bytes of memory that the largest card of the host has of its own, as the first worker said; 0:
// none, or not known yet.
uint64_t link_pool_card_memory(const struct link_pool *pool);

// The spare, or a new process.
int link_pool_take(struct link_pool *pool, const struct link_child_callbacks *callbacks, void *data,
                   struct link_child **taken);

#endif
