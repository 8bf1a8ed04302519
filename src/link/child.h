// A process of ours at the other end of a link: a worker, or a display. The pool starts it (pool.h)
// and watches it; this is what its owner asks of it.
//
// Thread: that of the loop.
// Owns: the owner releases what it took. The process is reaped in any case.
// Errors: as of link.h.
#ifndef LINK_CHILD_H
#define LINK_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/link.h"

struct link_child;
struct os_loop;

struct link_child_callbacks {
    // A message arrived. Return false to be told of no more (the process misbehaves: release it
    // soon). May release it.
    bool (*message)(void *data, const struct link_message *message);
    // The send queue, which link_child_send had reported as waiting, is empty again. NULL: not
    // asked for.
    void (*drained)(void *data);
    // The process ended or broke the link. `status` is that of waitpid; -1: it is not known, as the
    // process closed its link and has not ended. `how` is the same as text for a log line. Nothing
    // can be sent any more: release it.
    void (*gone)(void *data, int status, const char *how);
};

// A process that somebody else has started, at the other end of `fd`. It is taken from birth, and
// is neither killed nor reaped: `gone` comes with status -1. Owns: takes over `fd`, also when it
// fails. Errors: -ENOMEM.
int link_child_adopt(struct os_loop *loop, int fd, const struct link_child_callbacks *callbacks,
                     void *data, struct link_child **adopted);

// No callbacks any more. Closes the link; the process ends by that, or by SIGKILL after the grace
// time of its pool.
void link_child_release(struct link_child *child);

// NULL once it is closed. Send by link_child_send, which looks after what stays in the queue.
struct link *link_child_link(struct link_child *child);
// 0: it was reaped.
long link_child_pid(const struct link_child *child);

// As link_send, link_hold and link_release. -EPIPE: `gone` is on its way, and says more.
int link_child_send(struct link_child *child, uint16_t type, const void *payload, size_t size,
                    const void *tail, size_t tail_size, const int *fds, unsigned fd_count);
void link_child_hold(struct link_child *child);
int link_child_flush(struct link_child *child);

#endif
