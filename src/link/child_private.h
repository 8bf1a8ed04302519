// Private to src/link: what the pool knows of its processes.
#ifndef LINK_CHILD_PRIVATE_H
#define LINK_CHILD_PRIVATE_H

#include <sys/types.h>

#include "base/list.h"
#include "link/child.h"
#include "os/loop.h"

// Told before the owner is.
struct link_child_watcher {
    // False: the message is not for the pool. One that is for nobody ends the link.
    bool (*message)(void *data, struct link_child *child, const struct link_message *message);
    // The process was reaped; it may be released here.
    void (*ended)(void *data, struct link_child *child, int status, const char *how);
};

struct link_child {
    struct list node; // for the pool, from start to reaping
    const struct link_child_watcher *watcher;
    void *watcher_data;
    struct os_loop *loop;
    uint64_t grace_ns;
    pid_t pid;         // 0 when reaped, or not ours
    bool foreign;      // somebody else has started it
    bool busy;         // on_end or on_link is at work and will free it
    struct link *link; // NULL once closed
    struct os_source *link_source, *child_source, *timer;
    struct link_refusals *refusals; // NULL: none are told
    bool ready;                     // the pool's: its driver is loaded
    bool taken;                     // has an owner: callbacks are set
    bool gone;                      // the owner was told
    bool released;                  // has no owner any more
    bool muted;                     // the owner wants no more messages
    struct link_child_callbacks callbacks;
    void *data;
};

struct link_child_options {
    struct os_loop *loop;
    const char *const *command; // was taught to the starter; NULL-terminated
    uint64_t grace_ns;
    const struct link_child_watcher *watcher;
    void *watcher_data;
};

// Errors: -errno.
int link_child_start(const struct link_child_options *options, struct link_child **started);
void link_child_give(struct link_child *child, const struct link_child_callbacks *callbacks,
                     void *data);
// Frees it if it has ended. No callbacks.
void link_child_reap(struct link_child *child);
void link_child_kill(struct link_child *child);
// Says what system calls the sandbox refuses. Owns: takes over the descriptor.
void link_child_hear_refusals(struct link_child *child, int fd);

#endif
