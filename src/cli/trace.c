// hesper trace: the Vulkan commands of a program or of a guest, as they are carried out.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/control.h"
#include "cli/device/janitor.h"
#include "cli/option/arguments.h"
#include "cli/option/folder.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/process.h"
#include "os/socket.h"
#include "trace/tracer.h"

static const char usage[] =
    "usage: hesper trace [OPTIONS] -- PROGRAM [ARGS...]   of a program, run as 'hesper vtest' "
    "does\n"
    "       hesper trace [OPTIONS] CONTEXT|PID            of a context that runs, or of its "
    "worker\n"
    "       hesper trace [--control PATH]                 which contexts there are\n"
    "\n"
    "Prints each Vulkan command when it has been carried out: when it began, in seconds, its ring\n"
    "(context: the stream beside the rings; +: from a stream in memory), its arguments, its\n"
    "result, what it wrote, and how long it took.\n"
    "\n";

enum { MAX_MACHINES = 16, MAX_GLOBS = 64 };
// How long workers may go on telling when the program has ended.
#define LAST_PATIENCE_NS 5000000000ull
#define SETTLE_NS 100000000ull

static const char *const vtest_options[] = {"gpu", "host-profile", "sandbox", "venus-icd"};

struct trace {
    struct tracer_options options;
    const char *only[MAX_GLOBS];
    const char *output, *control;
    const char *vtest[4]; // options for it; NULL: not said
    struct os_loop *loop;
    struct tracer *tracer;
    struct os_source *patience;
    char folder[96], path[128];
    struct cli_janitor janitor;
    pid_t child; // 0: none, or ended
    bool ended;
    int status;
};

// ---- the place ------------------------------------------------------------

static bool open_output(struct trace *trace)
{
    trace->options.out = trace->output ? fopen(trace->output, "we") : stderr;
    if (!trace->options.out) {
        log_error("trace: cannot write '%s': %s", trace->output, strerror(errno));
        return false;
    }
    // A line at a time would be a system call each.
    setvbuf(trace->options.out, NULL, _IOFBF, 65536);
    return true;
}

// ---- events ---------------------------------------------------------------

static void on_idle(void *data)
{
    struct trace *trace = data;
    if (!trace->child)
        os_loop_stop(trace->loop, trace->status);
}

static void on_impatience(void *data)
{
    struct trace *trace = data;
    if (!tracer_connected(trace->tracer) || trace->ended)
        os_loop_stop(trace->loop, trace->status);
    trace->ended = true;
    os_source_set_deadline(trace->patience, os_now_ns() + LAST_PATIENCE_NS);
}

static void on_program_end(void *data, pid_t pid, int status)
{
    struct trace *trace = data;
    trace->child = 0;
    if (WIFSIGNALED(status))
        trace->status = CLI_SIGNALLED + WTERMSIG(status);
    else
        trace->status = status == -1 ? CLI_FAILED : WEXITSTATUS(status);
    // What its workers have told may still be on its way.
    os_source_set_deadline(trace->patience, os_now_ns() + SETTLE_NS);
}

static void on_signal(void *data, int number, bool from_process)
{
    struct trace *trace = data;
    if (!trace->child)
        os_loop_stop(trace->loop, trace->status);
    else if (from_process) // the terminal has told the program itself
        kill(trace->child, number);
}

static int start(struct trace *trace)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    trace->options.only = trace->only;
    trace->options.idle = on_idle;
    trace->options.data = trace;
    if (!open_output(trace) || !cli_folder_make(trace->folder, sizeof(trace->folder), "trace",
                                                trace->path, sizeof(trace->path)))
        return CLI_FAILED;
    int error = os_loop_create(&trace->loop);
    for (size_t i = 0; !error && i < sizeof(signals) / sizeof(signals[0]); i++)
        if (!os_loop_add_signal(trace->loop, signals[i], on_signal, trace))
            error = -ENOMEM;
    if (!error) {
        trace->patience = os_loop_add_timer(trace->loop, 0, on_impatience, trace);
        trace->tracer = tracer_create(trace->loop, &trace->options);
        error =
            trace->patience && trace->tracer ? tracer_listen(trace->tracer, trace->path) : -ENOMEM;
    }
    if (error) {
        log_error("trace: cannot listen on '%s': %s", trace->path, strerror(-error));
        return CLI_FAILED;
    }
    cli_janitor_start(&trace->janitor, trace->path, trace->folder);
    return CLI_OK;
}

// False after a log line: the output is not complete.
static bool finish(struct trace *trace)
{
    tracer_destroy(trace->tracer);
    os_loop_destroy(trace->loop);
    if (trace->folder[0])
        rmdir(trace->folder);
    cli_janitor_stop(&trace->janitor);
    if (!trace->output || !trace->options.out)
        return true;
    bool failed = ferror(trace->options.out);
    if (!fclose(trace->options.out) && !failed)
        return true;
    log_error("trace: '%s' is not complete: %s", trace->output,
              failed ? "it could not be written to" : strerror(errno));
    return false;
}

// ---- a program ------------------------------------------------------------

static int start_program(struct trace *trace, char **program)
{
    struct cli_arguments arguments = {0};
    char self[4096];
    int error = os_self_path(self, sizeof(self));
    if (error) {
        log_error("trace: cannot find the path of the running hesper: %s", strerror(-error));
        return CLI_FAILED;
    }
    cli_arguments_add(&arguments, "%s", self);
    cli_arguments_add(&arguments, "vtest");
    cli_arguments_add(&arguments, "--trace=%s", trace->path);
    for (size_t i = 0; i < sizeof(trace->vtest) / sizeof(trace->vtest[0]); i++)
        if (trace->vtest[i])
            cli_arguments_add(&arguments, "--%s=%s", vtest_options[i], trace->vtest[i]);
    cli_arguments_add(&arguments, "--");
    for (; *program; program++)
        cli_arguments_add(&arguments, "%s", *program);
    pid_t pid = -ENOMEM;
    if (!arguments.failed)
        pid = os_spawn(
            &(struct os_spawn_options){.path = self, .argv = arguments.items, .inherit_fds = true});
    cli_arguments_free(&arguments);
    if (pid > 0 && os_loop_add_child(trace->loop, pid, on_program_end, trace)) {
        trace->child = pid;
        return CLI_OK;
    }
    log_error("trace: cannot start: %s", strerror(pid < 0 ? -pid : ENOMEM));
    return CLI_FAILED;
}

// ---- contexts that run ----------------------------------------------------

static void list_machine(const char *path, struct json answer)
{
    struct json contexts, item = {0};
    char name[256];
    json_member(answer, "contexts", &contexts);
    while (json_next(contexts, &item)) {
        json_get_text(item, "name", name, sizeof(name));
        printf("%7lld  %7lld  %-32s %s\n", (long long)json_get_number(item, "context"),
               (long long)json_get_number(item, "pid"), name, path);
    }
}

static int list(const struct trace *trace)
{
    char paths[2 * MAX_MACHINES][108];
    unsigned count = cli_control_find("trace", trace->control, paths, 2 * MAX_MACHINES);
    unsigned answered = 0;
    if (!count)
        return CLI_FAILED;
    for (unsigned i = 0; i < count; i++) {
        struct cli_reply reply;
        if (cli_control_ask(paths[i], "contexts", -1, &reply)) {
            if (answered++ == 0)
                printf("CONTEXT      PID  NAME                             CONTROL SOCKET\n");
            list_machine(paths[i], reply.root);
        } else {
            log_error("trace: '%s' does not answer: %s", paths[i], reply.error);
        }
        free(reply.text);
    }
    return answered ? CLI_OK : CLI_FAILED;
}

static int attach(struct trace *trace, uint64_t which)
{
    char paths[2 * MAX_MACHINES][108], request[256], reason[256];
    unsigned count = cli_control_find("trace", trace->control, paths, 2 * MAX_MACHINES);
    if (!count)
        return CLI_FAILED;
    snprintf(request, sizeof(request), "trace %llu", (unsigned long long)which);
    for (unsigned i = 0; i < count; i++) {
        struct cli_reply reply;
        int ends[2], error = os_socket_pair(ends);
        if (error) {
            log_error("trace: no socket: %s", strerror(-error));
            return CLI_FAILED;
        }
        bool good = cli_control_ask(paths[i], request, ends[1], &reply);
        close(ends[1]);
        memcpy(reason, reply.error, sizeof(reason));
        free(reply.text);
        if (good) {
            tracer_adopt(trace->tracer, ends[0]);
            return CLI_OK;
        }
        close(ends[0]);
    }
    log_error("trace: no machine or server traces %llu: %s; 'hesper trace' lists what there is",
              (unsigned long long)which, reason);
    return CLI_FAILED;
}

// ---- the command line -----------------------------------------------------

static bool add_glob(const char *label, const char *text, void *to)
{
    struct trace *trace = to;
    if (trace->options.only_count == MAX_GLOBS) {
        log_error("%s: --only may be given %d times", label, MAX_GLOBS);
        return false;
    }
    if (!trace_knows(text)) {
        log_error("%s: --only: no Vulkan command's name matches '%s'", label, text);
        return false;
    }
    trace->only[trace->options.only_count++] = text;
    return true;
}

static const struct option_row rows[] = {
    {"only", "GLOB", "only commands whose name matches, like 'vkQueue*'; may be repeated",
     OPTION_TAKE_WHOLE(add_glob)},
    {"stats", NULL, "a table at the end instead: count, bytes, times",
     OPTION_FLAG(struct trace, options.stats)},
    {"full", NULL, "nothing is cut short", OPTION_FLAG(struct trace, options.full)},
    {"output", "FILE", "where to write [standard error]", OPTION_TEXT(struct trace, output),
     .letter = 'o'},
    {"control", "PATH", "of which machine, or server of vtest [all that run]",
     OPTION_TEXT(struct trace, control)},
    {"gpu", "NAME|N", "of PROGRAM, as these are for 'hesper vtest'",
     OPTION_TEXT(struct trace, vtest[0])},
    {"host-profile", "PROFILE", "", OPTION_TEXT(struct trace, vtest[1])},
    {"sandbox", "KIND", "", OPTION_TEXT(struct trace, vtest[2])},
    {"venus-icd", "PATH", "", OPTION_TEXT(struct trace, vtest[3])},
    {0},
};

static int run(struct trace *trace, int argc, char **argv)
{
    const struct options options = {
        .program = "hesper trace", .usage = usage, .tables = {{rows, trace}}, .in_order = true};
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    bool program = !strcmp(argv[first - 1], "--");
    uint64_t which = 0;
    if (program && first == argc) {
        log_error("trace: '--' needs a program behind it; see 'hesper trace --help'");
        return CLI_USAGE;
    }
    if (first == argc)
        return list(trace);
    if (!program && (first + 1 < argc || !option_size(argv[first], UINT32_MAX, &which))) {
        log_error("trace: say the number of a context or of its worker's process, or -- and a "
                  "program; see 'hesper trace --help'");
        return CLI_USAGE;
    }
    int status = start(trace);
    if (status == CLI_OK)
        status = program ? start_program(trace, argv + first) : attach(trace, which);
    if (status == CLI_OK)
        status = os_loop_run(trace->loop);
    if (!finish(trace) && status == CLI_OK)
        status = CLI_FAILED;
    return status;
}

int cli_trace(int argc, char **argv)
{
    struct trace trace = {.janitor.fd = -1};
    return run(&trace, argc, argv);
}
