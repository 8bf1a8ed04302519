#include "cli/device/start.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "cli/device/driver.h"
#include "link/pool.h"
#include "os/clock.h"

#define READY_PATIENCE_NS 30000000000ull

bool cli_on_signals(struct os_loop *loop, os_signal_callback callback, void *data)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction current;
        bool ignored =
            sigaction(signals[i], NULL, &current) == 0 && current.sa_handler == SIG_IGN; // nohup
        if (!ignored && !os_loop_add_signal(loop, signals[i], callback, data)) {
            log_error("out of memory");
            return false;
        }
    }
    return true;
}

// ---- workers --------------------------------------------------------------

// Looks for another driver that works.
static bool try_others(struct cli_workers *workers, int status)
{
    struct cli_worker_command command;
    if (!cli_driver_choose(workers->host, status) || !cli_worker_command(&command, workers->host) ||
        link_pool_set_command(workers->pool, command.arguments))
        return false;
    os_source_set_deadline(workers->patience, os_now_ns() + READY_PATIENCE_NS);
    return true;
}

static void on_ready(void *data, bool ready, int status)
{
    struct cli_workers *workers = data;
    if (!ready && try_others(workers, status))
        return;
    os_source_remove(workers->patience);
    workers->patience = NULL;
    workers->ready(workers->data, ready);
}

static void on_impatience(void *data)
{
    struct cli_workers *workers = data;
    if (workers->pool) {
        log_warning("the worker is still loading the host's Vulkan driver; going on without it");
        link_pool_on_ready(workers->pool, NULL, NULL);
    }
    on_ready(workers, true, 0);
}

int cli_workers_start(struct cli_workers *workers, struct os_loop *loop, bool wanted)
{
    struct cli_worker_command command;
    uint64_t patience = os_now_ns() + (wanted ? READY_PATIENCE_NS : 0);
    workers->patience = os_loop_add_timer(loop, patience, on_impatience, workers);
    if (!workers->patience)
        return -ENOMEM;
    if (!wanted)
        return 0;
    if (!cli_worker_command(&command, workers->host))
        return -ENOENT;
    const struct link_pool_options options = {.command = command.arguments, .keep_spare = true};
    int error = link_pool_create(loop, &options, &workers->pool);
    if (!error)
        link_pool_on_ready(workers->pool, on_ready, workers);
    return error;
}

// ---- a socket, a program --------------------------------------------------

void cli_say_unheard(const char *path, int error)
{
    log_error("cannot listen on '%s': %s", path,
              error == -EADDRINUSE
                  ? "another server does; stop it, or choose another place with --socket"
              : error == -EEXIST ? "a file that is not a socket is in the way"
                                 : strerror(-error));
}

pid_t cli_spawn_limited(const struct os_spawn_options *options, const struct rlimit *limit)
{
    struct rlimit raised;
    bool lowered = getrlimit(RLIMIT_NOFILE, &raised) == 0 && setrlimit(RLIMIT_NOFILE, limit) == 0;
    pid_t pid = os_spawn(options);
    if (lowered)
        setrlimit(RLIMIT_NOFILE, &raised);
    return pid;
}
