// Private to src/link: the system calls that a child's sandbox refuses, for the log.
//
// Thread: that of the loop.
#ifndef LINK_REFUSALS_H
#define LINK_REFUSALS_H

#include <sys/types.h>

#include "os/loop.h"

struct link_refusals;

// Owns: takes over the descriptor (os/sandbox.h).
// Errors: NULL: out of memory; nothing is told.
struct link_refusals *link_refusals_create(struct os_loop *loop, int fd, pid_t pid);
// NULL: nothing to do.
void link_refusals_destroy(struct link_refusals *refusals);

#endif
