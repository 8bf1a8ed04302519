// How a process that serves guests starts, of a virtual machine or over vtest: its signals, its
// first worker, its socket.
//
// Thread: the loop's.
#ifndef CLI_DEVICE_START_H
#define CLI_DEVICE_START_H

#include <sys/resource.h>

#include "cli/option/host.h"
#include "os/loop.h"
#include "os/process.h"

struct link_pool;

// Calls back for SIGINT, SIGTERM, SIGHUP and SIGQUIT, but not for those that this process was
// started to ignore. Errors: false after a log line.
bool cli_on_signals(struct os_loop *loop, os_signal_callback callback, void *data);

// Workers of the host's driver. Nothing is served before one of them has shown that there is a
// driver: else the error would come from deep inside a guest's program.
struct cli_workers {
    struct link_pool *pool; // NULL: none are wanted. Owns: the caller destroys it
    struct cli_host *host;  // its driver is chosen here, if the loader finds none
    // Called once. `there`: there is a driver, or one that takes long, or none is wanted; else a
    // log line has said what is wrong.
    void (*ready)(void *data, bool there);
    void *data;
    struct os_source *patience;
};
// `host`, `ready` and `data` are set. Errors: -errno.
int cli_workers_start(struct cli_workers *workers, struct os_loop *loop, bool wanted);

// Says why nobody can connect at `path`; `error` is -errno.
void cli_say_unheard(const char *path, int error);

// Starts a program that has the limit of descriptors of `limit`: this process has raised its own.
// Errors: as os_spawn.
pid_t cli_spawn_limited(const struct os_spawn_options *options, const struct rlimit *limit);

#endif
