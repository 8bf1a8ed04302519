#include "link/refusals.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "os/sandbox.h"

// A child that tries on and on must neither keep this process busy nor fill the log. From then on
// the kernel answers.
enum { MAX_REFUSALS = 1000, MAX_LINES = 64 };

struct link_refusals {
    int fd;
    pid_t pid;
    struct os_source *source;
    unsigned count, lines;
    bool told[OS_SANDBOX_MAX_CALLS];
};

static void stop(struct link_refusals *refusals)
{
    os_source_remove(refusals->source);
    refusals->source = NULL;
    if (refusals->fd >= 0)
        close(refusals->fd);
    refusals->fd = -1;
}

static void on_refusal(void *data, int fd, unsigned events)
{
    struct link_refusals *refusals = data;
    char name[40];
    int number = events & OS_READABLE ? os_sandbox_next_refusal(fd, name, sizeof(name)) : -EPIPE;
    if (number >= 0) {
        bool known = number < OS_SANDBOX_MAX_CALLS && refusals->told[number];
        if (!known) {
            log_warning("worker %ld: its sandbox refused the system call %s; if a driver fails for "
                        "that, report it, and see --sandbox",
                        (long)refusals->pid, name);
            refusals->lines++;
        }
        if (number < OS_SANDBOX_MAX_CALLS)
            refusals->told[number] = true;
        if (++refusals->count == MAX_REFUSALS || refusals->lines == MAX_LINES)
            stop(refusals);
    } else if (number != -ENOENT && number != -EINTR) { // else the caller has gone
        stop(refusals);
    }
}

struct link_refusals *link_refusals_create(struct os_loop *loop, int fd, pid_t pid)
{
    struct link_refusals *refusals = calloc(1, sizeof(*refusals));
    if (!refusals) {
        close(fd);
        return NULL;
    }
    refusals->fd = fd;
    refusals->pid = pid;
    refusals->source = os_loop_add_fd(loop, fd, OS_READABLE, on_refusal, refusals);
    if (!refusals->source)
        stop(refusals);
    return refusals;
}

void link_refusals_destroy(struct link_refusals *refusals)
{
    if (refusals)
        stop(refusals);
    free(refusals);
}
