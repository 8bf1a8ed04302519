// hesper trace: the Vulkan commands of a program or of a guest, as they are carried out.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/device/control.h"
#include "cli/device/janitor.h"
#include "cli/option/arguments.h"
#include "cli/option/folder.h"
#include "cli/option/values.h"
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
    "(context: the stream beside the rings; +: from a stream in memory), its arguments, its "
    "result,\n"
    "what it wrote, and how long it took.\n"
    "\n"
    "  --only GLOB              only commands whose name matches, like 'vkQueue*'; may be "
    "repeated\n"
    "  --stats                  a table at the end instead: count, bytes, times\n"
    "  --full                   nothing is cut short\n"
    "  -o, --output FILE        where to write [standard error]\n"
    "  --control PATH           of which machine, or server of vtest [all that run]\n"
    "  --gpu, --host-profile, --sandbox, --venus-icd VALUE\n"
    "                           of PROGRAM, as for 'hesper vtest'\n"
    "  --help\n";

enum { MAX_MACHINES = 16, MAX_GLOBS = 64 };
// How long workers may go on telling when the program has ended.
#define LAST_PATIENCE_NS 5000000000ull
#define SETTLE_NS 100000000ull

struct trace {
    struct tracer_options options;
    const char *only[MAX_GLOBS];
    const char *output, *control;
    struct cli_arguments vtest; // options for it
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
    (void)pid;
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
    log_error("trace: '%s' is not complete: %s", trace->output, strerror(errno));
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
    for (size_t i = 0; i < trace->vtest.count; i++)
        cli_arguments_add(&arguments, "%s", trace->vtest.items[i]);
    cli_arguments_add(&arguments, "--");
    for (; *program; program++)
        cli_arguments_add(&arguments, "%s", *program);
    pid_t pid = -ENOMEM;
    if (!arguments.failed && !trace->vtest.failed)
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

static unsigned find_machines(const struct trace *trace, char paths[2 * MAX_MACHINES][108])
{
    if (trace->control) {
        snprintf(paths[0], 108, "%s", trace->control);
        return 1;
    }
    unsigned count = cli_control_list(CLI_CONTROL_MACHINE, paths, MAX_MACHINES);
    return count + cli_control_list(CLI_CONTROL_VTEST, paths + count, MAX_MACHINES);
}

static void list_machine(const char *path, const char *answer)
{
    struct json whole, contexts, item = {0}, member;
    if (!json_parse(answer, strlen(answer), &whole) || !json_member(whole, "contexts", &contexts))
        return;
    while (json_next(contexts, &item)) {
        int64_t context = 0, pid = 0;
        char name[256] = "";
        if (json_member(item, "context", &member))
            json_integer(member, &context);
        if (json_member(item, "pid", &member))
            json_integer(member, &pid);
        if (json_member(item, "name", &member))
            json_copy(member, name, sizeof(name));
        printf("%7lld  %7lld  %-32s %s\n", (long long)context, (long long)pid, name, path);
    }
}

static int list(const struct trace *trace)
{
    char paths[2 * MAX_MACHINES][108], error[256];
    unsigned count = find_machines(trace, paths);
    if (!count) {
        log_error("trace: no virtual machine of 'hesper run' and no server of 'hesper vtest' was "
                  "found; --control PATH says where another is");
        return CLI_FAILED;
    }
    printf("CONTEXT      PID  NAME                             CONTROL SOCKET\n");
    for (unsigned i = 0; i < count; i++) {
        char *answer = cli_control_ask(paths[i], "contexts", -1, error, sizeof(error));
        if (answer)
            list_machine(paths[i], answer);
        else
            log_error("trace: '%s' does not answer: %s", paths[i], error);
        free(answer);
    }
    return CLI_OK;
}

static int attach(struct trace *trace, uint64_t which)
{
    char paths[2 * MAX_MACHINES][108], request[256], reason[256] = "none was found";
    unsigned count = find_machines(trace, paths);
    snprintf(request, sizeof(request), "trace %llu", (unsigned long long)which);
    for (unsigned i = 0; i < count; i++) {
        struct json whole, member;
        int ends[2], error = os_socket_pair(ends);
        if (error) {
            log_error("trace: no socket: %s", strerror(-error));
            return CLI_FAILED;
        }
        char *answer = cli_control_ask(paths[i], request, ends[1], reason, sizeof(reason));
        close(ends[1]);
        bool parsed = answer && json_parse(answer, strlen(answer), &whole);
        bool good = parsed && json_member(whole, "ok", &member);
        if (parsed && !good && json_member(whole, "error", &member))
            json_copy(member, reason, sizeof(reason));
        free(answer);
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

// CLI_OK with *done: the answer was printed.
static int parse(struct trace *trace, int argc, char **argv, bool *done)
{
    enum { ONLY = 256, STATS, FULL, CONTROL, GPU, PROFILE, SANDBOX, ICD, HELP };
    static const struct option options[] = {
        {"only", required_argument, NULL, ONLY},
        {"stats", no_argument, NULL, STATS},
        {"full", no_argument, NULL, FULL},
        {"output", required_argument, NULL, 'o'},
        {"control", required_argument, NULL, CONTROL},
        {"gpu", required_argument, NULL, GPU},
        {"host-profile", required_argument, NULL, PROFILE},
        {"sandbox", required_argument, NULL, SANDBOX},
        {"venus-icd", required_argument, NULL, ICD},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:o:h", options, NULL)) != -1) {
        switch (option) {
        case ONLY:
            if (trace->options.only_count == MAX_GLOBS) {
                log_error("trace: --only may be given %d times", MAX_GLOBS);
                return CLI_USAGE;
            }
            trace->only[trace->options.only_count++] = optarg;
            break;
        case STATS:
            trace->options.stats = true;
            break;
        case FULL:
            trace->options.full = true;
            break;
        case 'o':
            trace->output = optarg;
            break;
        case CONTROL:
            trace->control = optarg;
            break;
        case GPU:
            cli_arguments_add(&trace->vtest, "--gpu=%s", optarg);
            break;
        case PROFILE:
            cli_arguments_add(&trace->vtest, "--host-profile=%s", optarg);
            break;
        case SANDBOX:
            cli_arguments_add(&trace->vtest, "--sandbox=%s", optarg);
            break;
        case ICD:
            cli_arguments_add(&trace->vtest, "--venus-icd=%s", optarg);
            break;
        case 'h':
        case HELP:
            fputs(usage, stdout);
            *done = true;
            return CLI_OK;
        default:
            return cli_bad_option("trace", option, argv);
        }
    }
    return CLI_OK;
}

static int run(struct trace *trace, int argc, char **argv)
{
    bool program = optind < argc && !strcmp(argv[optind - 1], "--");
    uint64_t which = 0;
    if (optind == argc)
        return list(trace);
    if (!program && (optind + 1 < argc || !cli_parse_size(argv[optind], UINT32_MAX, &which))) {
        log_error("trace: say the number of a context or of its worker's process, or -- and a "
                  "program; see 'hesper trace --help'");
        return CLI_USAGE;
    }
    int status = start(trace);
    if (status == CLI_OK)
        status = program ? start_program(trace, argv + optind) : attach(trace, which);
    if (status == CLI_OK)
        status = os_loop_run(trace->loop);
    if (!finish(trace) && status == CLI_OK)
        status = CLI_FAILED;
    return status;
}

int cli_trace(int argc, char **argv)
{
    struct trace trace = {.janitor.fd = -1};
    bool done = false;
    int status = parse(&trace, argc, argv, &done);
    if (status == CLI_OK && !done)
        status = run(&trace, argc, argv);
    cli_arguments_free(&trace.vtest);
    return status;
}
