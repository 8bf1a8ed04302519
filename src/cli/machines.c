// hesper list, stop, pause and resume: the machines of this user that run.
#include "cli/machines.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/control.h"
#include "os/clock.h"

enum { MAX_MACHINES = 64, LOOK_AGAIN_MS = 20 };
#define NS_PER_S 1000000000ull
#define STOP_PATIENCE_NS (90 * NS_PER_S)
#define PAUSE_PATIENCE_NS (10 * NS_PER_S)

static const char list_usage[] = "usage: hesper list\n"
                                 "\n"
                                 "Lists the virtual machines of 'hesper run' that this user runs.\n"
                                 "\n";

#define WHICH                                                                                      \
    "\n"                                                                                           \
    "NAME is one of 'hesper list', or the number of its process; it may be left out where only\n"  \
    "one machine runs.\n"                                                                          \
    "\n"

struct found {
    char path[108], name[256], state[32], gpu[256];
    int64_t pid;
};

// ---- looking --------------------------------------------------------------

// Errors: false, and `error` gets the reason.
static bool look(const char *path, struct found *found, char error[256])
{
    struct cli_reply reply;
    bool good = cli_control_ask(path, "status", -1, &reply);
    if (good) {
        *found = (struct found){.pid = json_get_number(reply.root, "pid")};
        snprintf(found->path, sizeof(found->path), "%s", path);
        json_get_text(reply.root, "name", found->name, sizeof(found->name));
        json_get_text(reply.root, "state", found->state, sizeof(found->state));
        json_get_text(reply.root, "host_gpu", found->gpu, sizeof(found->gpu));
    }
    memcpy(error, reply.error, sizeof(reply.error));
    free(reply.text);
    return good;
}

static unsigned look_at_all(struct found *list)
{
    char paths[MAX_MACHINES][108], error[256];
    unsigned count = 0, there = cli_control_list(CLI_CONTROL_MACHINE, paths, MAX_MACHINES);
    for (unsigned i = 0; i < there; i++) {
        if (look(paths[i], &list[count], error))
            count++;
        else
            log_warning("the machine at '%s' does not answer: %s", paths[i], error);
    }
    return count;
}

static bool is_called(const struct found *found, const char *name)
{
    uint64_t number;
    return !strcmp(found->name, name) ||
           (option_size(name, INT32_MAX, &number) && (int64_t)number == found->pid);
}

// `name` NULL: the only one. Errors: false after a log line.
static bool find(const char *command, const char *name, struct found *found)
{
    struct found *list = calloc(MAX_MACHINES, sizeof(*list));
    unsigned count = list ? look_at_all(list) : 0, fitting = 0, at = 0;
    for (unsigned i = 0; i < count; i++) {
        if (name && !is_called(&list[i], name))
            continue;
        fitting++;
        at = i;
    }
    if (fitting == 1)
        *found = list[at];
    else if (fitting)
        log_error(
            "%s: %u machines %s%s%s; say which by the number of its process, as 'hesper list' "
            "has it",
            command, fitting, name ? "are called '" : "run", name ? name : "", name ? "'" : "");
    else if (name && count)
        log_error("%s: no machine is called '%s'; 'hesper list' has those that run", command, name);
    else
        log_error("%s: no virtual machine of 'hesper run' was found; --control PATH says where "
                  "another is",
                  command);
    free(list);
    return fitting == 1;
}

bool cli_machine_find(const char *command, const char *name, char path[108])
{
    struct found found;
    if (!find(command, name, &found))
        return false;
    memcpy(path, found.path, sizeof(found.path));
    return true;
}

// ---- list -----------------------------------------------------------------

int cli_list(int argc, char **argv)
{
    const struct options options = {.program = "hesper list", .usage = list_usage};
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (first != argc) {
        log_error("list: it takes nothing; see 'hesper list --help'");
        return CLI_USAGE;
    }
    struct found *list = calloc(MAX_MACHINES, sizeof(*list));
    unsigned count = list ? look_at_all(list) : 0;
    printf("NAME                      PID  STATE      GPU\n");
    for (unsigned i = 0; i < count; i++)
        printf("%-20s  %7lld  %-9s  %s\n", list[i].name, (long long)list[i].pid, list[i].state,
               list[i].gpu[0] ? list[i].gpu : "-");
    free(list);
    return CLI_OK;
}

// ---- orders ---------------------------------------------------------------

struct order {
    const char *command, *program, *usage;
    const char *request;
    const char *wanted; // the state that it leads to; NULL: the machine's end
    uint64_t patience_ns;
    const char *failure; // when that does not come
};

struct which {
    const char *control;
    bool now;
};

static bool ask(const struct order *order, const char *request, const struct found *found)
{
    struct cli_reply reply;
    bool good = cli_control_ask(found->path, request, -1, &reply);
    if (!good)
        log_error("%s: '%s': %s", order->command, found->name, reply.error);
    free(reply.text);
    return good;
}

static bool is_done(const struct order *order, const struct found *found)
{
    struct found now;
    char error[256];
    bool there = look(found->path, &now, error) && now.pid == found->pid;
    return there ? order->wanted && !strcmp(now.state, order->wanted) : !order->wanted;
}

static int carry_out(const struct order *order, const char *request, const struct found *found)
{
    if (!ask(order, request, found))
        return CLI_FAILED;
    uint64_t end = os_now_ns() + order->patience_ns;
    while (!is_done(order, found)) {
        if (os_now_ns() > end) {
            log_error("%s: '%s' %s", order->command, found->name, order->failure);
            return CLI_FAILED;
        }
        poll(NULL, 0, LOOK_AGAIN_MS);
    }
    return CLI_OK;
}

static int give_order(const struct order *order, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"control", "PATH", "the machine of this control socket",
         OPTION_TEXT(struct which, control)},
        {0},
    };
    static const struct option_row stop_rows[] = {
        {"now", NULL, "cuts its power: what the guest has not saved is lost",
         OPTION_FLAG(struct which, now)},
        {0},
    };
    struct which which = {.control = NULL};
    const struct options options = {
        .program = order->program,
        .usage = order->usage,
        .tables = {{rows, &which}, {order->wanted ? NULL : stop_rows, &which}}};
    char error[256];
    struct found found;
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (argc > first + 1 || (which.control && argc > first)) {
        log_error("%s: say one machine; see '%s --help'", order->command, order->program);
        return CLI_USAGE;
    }
    if (!which.control && !find(order->command, argv[first], &found))
        return CLI_FAILED;
    if (which.control && !look(which.control, &found, error)) {
        log_error("%s: the machine at '%s' does not answer: %s", order->command, which.control,
                  error);
        return CLI_FAILED;
    }
    return carry_out(order, which.now ? "cut" : order->request, &found);
}

int cli_stop(int argc, char **argv)
{
    static const struct order order = {
        .command = "stop",
        .program = "hesper stop",
        .usage = "usage: hesper stop [OPTIONS] [NAME]\n"
                 "\n"
                 "Presses a machine's power button and waits for its end.\n" WHICH,
        .request = "stop",
        .patience_ns = STOP_PATIENCE_NS,
        .failure = "does not shut down: look at its screen, or cut its power with --now"};
    return give_order(&order, argc, argv);
}

int cli_pause(int argc, char **argv)
{
    static const struct order order = {.command = "pause",
                                       .program = "hesper pause",
                                       .usage =
                                           "usage: hesper pause [OPTIONS] [NAME]\n"
                                           "\n"
                                           "A machine stands still until it is resumed.\n" WHICH,
                                       .request = "pause",
                                       .wanted = "paused",
                                       .patience_ns = PAUSE_PATIENCE_NS,
                                       .failure = "does not pause"};
    return give_order(&order, argc, argv);
}

int cli_resume(int argc, char **argv)
{
    static const struct order order = {.command = "resume",
                                       .program = "hesper resume",
                                       .usage = "usage: hesper resume [OPTIONS] [NAME]\n"
                                                "\n"
                                                "A machine goes on that was paused.\n" WHICH,
                                       .request = "resume",
                                       .wanted = "running",
                                       .patience_ns = PAUSE_PATIENCE_NS,
                                       .failure = "does not go on"};
    return give_order(&order, argc, argv);
}
