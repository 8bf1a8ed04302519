// hesper vtest: Venus over a socket, for many clients or for one program.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/contexts.h"
#include "cli/device/janitor.h"
#include "cli/device/start.h"
#include "cli/environment.h"
#include "cli/manifest.h"
#include "cli/option/folder.h"
#include "cli/option/host.h"
#include "cli/option/values.h"
#include "front/vtest/server.h"
#include "link/pool.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/process.h"
#include "os/starter.h"

extern char **environ;

static const char usage[] =
    "usage: hesper vtest [OPTIONS]                        serve on a socket until interrupted\n"
    "       hesper vtest [OPTIONS] -- PROGRAM [ARGS...]   run a program on a private server\n"
    "\n"
    "Vulkan programs reach this machine's Vulkan driver through Mesa's Venus driver, without a\n"
    "virtual machine. With PROGRAM, its environment is set up and its exit status is returned.\n"
    "Else start clients with VN_DEBUG=vtest VTEST_SOCKET_NAME=PATH\n"
    "VK_DRIVER_FILES=.../virtio_icd.json.\n"
    "\n";

static const char default_socket[] = "/tmp/.virgl_test"; // Mesa's default too
#define MAX_WAIT_NS 60000000000ull                       // as hesper run and serve

struct session {
    // From the command line.
    struct cli_host host;
    struct vtest_options options;
    const char *socket; // NULL: choose
    const char *manifest;
    char **program;           // NULL: only serve
    const char *control_path; // NULL: choose; "none": without

    struct os_loop *loop;
    struct cli_workers workers;
    struct vtest_server *server;
    char folder[96]; // private, ours to remove; "": none
    char socket_path[128];
    char manifest_path[4096];
    struct cli_janitor janitor;
    char chosen_path[108]; // of the control socket
    struct cli_control *control;
    struct cli_janitor control_janitor;
    struct rlimit file_limit; // as it was
    pid_t child;              // 0: not running
};

// ---- the program ----------------------------------------------------------

static void on_program_end(void *data, pid_t pid, int status)
{
    struct session *session = data;
    session->child = 0;
    if (WIFSIGNALED(status))
        os_loop_stop(session->loop, CLI_SIGNALLED + WTERMSIG(status));
    else
        os_loop_stop(session->loop, status == -1 ? CLI_FAILED : WEXITSTATUS(status));
}

static int start_program(struct session *session)
{
    char **environment =
        cli_environment_for_client(environ, session->socket_path, session->manifest_path);
    if (!environment) {
        log_error("out of memory");
        return CLI_FAILED;
    }
    struct os_spawn_options options = {.path = session->program[0],
                                       .argv = session->program,
                                       .environment = environment,
                                       .inherit_fds = true};
    pid_t pid = cli_spawn_limited(&options, &session->file_limit);
    cli_environment_free(environment);
    if (pid < 0) {
        log_error("cannot run '%s': %s", session->program[0], strerror(-pid));
        return pid == -ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
    }
    session->child = pid;
    if (!os_loop_add_child(session->loop, pid, on_program_end, session)) {
        log_error("out of memory");
        return CLI_FAILED;
    }
    return CLI_OK;
}

static void on_signal(void *data, int number, bool from_process)
{
    struct session *session = data;
    if (!session->program)
        os_loop_stop(session->loop, CLI_OK); // the way to end a server
    else if (!session->child)
        os_loop_stop(session->loop, CLI_SIGNALLED + number);
    else if (from_process) // the terminal has told the program itself
        kill(session->child, number);
}

// ---- the server -----------------------------------------------------------

static bool listen_on_socket(struct session *session)
{
    if (session->socket || !session->program) {
        const char *path = session->socket ? session->socket : default_socket;
        if (strlen(path) >= sizeof(session->socket_path)) {
            cli_say_unheard(path, -ENAMETOOLONG);
            return false;
        }
        strcpy(session->socket_path, path);
    } else if (!cli_folder_make(session->folder, sizeof(session->folder), "vtest",
                                session->socket_path, sizeof(session->socket_path))) {
        return false;
    }
    int error = vtest_server_listen(session->server, session->socket_path);
    if (error) {
        cli_say_unheard(session->socket_path, error);
        return false;
    }
    cli_janitor_start(&session->janitor, session->socket_path,
                      session->folder[0] ? session->folder : NULL);
    return true;
}

static void answer_contexts(void *data, const char *argument, struct cli_control_answer *answer)
{
    struct session *session = data;
    cli_contexts_list(vtest_server_renderers(session->server), answer);
}

static void answer_usage(void *data, const char *argument, struct cli_control_answer *answer)
{
    struct session *session = data;
    cli_contexts_usage(vtest_server_renderers(session->server), session->socket_path, 0, answer);
}

static void answer_trace(void *data, const char *argument, struct cli_control_answer *answer)
{
    struct session *session = data;
    cli_contexts_trace(vtest_server_renderers(session->server), argument, answer);
}

static bool open_control(struct session *session)
{
    static const struct cli_control_request requests[] = {
        {"contexts", NULL, answer_contexts},
        {"usage", NULL, answer_usage},
        {"trace", "CONTEXT", answer_trace},
        {0},
    };
    const char *path = session->control_path;
    if (!path && !session->program &&
        cli_control_default_path(CLI_CONTROL_VTEST, (long)getpid(), session->chosen_path,
                                 sizeof(session->chosen_path)))
        path = session->chosen_path;
    if (!path || !strcmp(path, "none"))
        return true;
    session->control = cli_control_create(session->loop, path, requests, session);
    if (!session->control)
        return false;
    cli_janitor_start(&session->control_janitor, path, NULL);
    return true;
}

static void on_workers(void *data, bool there)
{
    struct session *session = data;
    int status = CLI_OK;
    if (!there || !listen_on_socket(session) || !open_control(session)) {
        status = CLI_FAILED;
    } else if (session->program) {
        status = start_program(session);
        cli_host_confine();
    } else {
        cli_host_confine();
        printf("hesper: listening on %s\n", session->socket_path);
        fflush(stdout);
    }
    if (status != CLI_OK)
        os_loop_stop(session->loop, status);
}

static void on_connection(void *data, int connection)
{
    struct session *session = data;
    cli_janitor_watch(&session->janitor, connection);
}

static int start(struct session *session)
{
    const char *const tracer[] = {session->options.trace_path, NULL};
    cli_host_begin_starter(&session->host);
    if (tracer[0])
        os_starter_teach(tracer);
    int error = os_loop_create(&session->loop);
    if (error) {
        log_error("no poll loop: %s", strerror(-error));
        return CLI_FAILED;
    }
    if (!cli_on_signals(session->loop, on_signal, session))
        return CLI_FAILED;
    session->workers =
        (struct cli_workers){.host = &session->host, .ready = on_workers, .data = session};
    error = cli_workers_start(&session->workers, session->loop, true);
    session->options.connected = on_connection;
    session->options.connected_data = session;
    if (!error)
        session->server =
            vtest_server_create(session->loop, session->workers.pool, &session->options);
    if (!error && !session->server)
        error = -ENOMEM;
    if (error) {
        log_error("cannot start: %s", strerror(-error));
        return CLI_FAILED;
    }
    return CLI_OK;
}

static void finish(struct session *session)
{
    cli_control_destroy(session->control);
    vtest_server_destroy(session->server);
    link_pool_destroy(session->workers.pool);
    os_loop_destroy(session->loop);
    os_starter_end();
    if (session->folder[0])
        rmdir(session->folder);
    cli_janitor_stop(&session->janitor);
    cli_janitor_stop(&session->control_janitor);
}

// ---- the command line -----------------------------------------------------

static bool take_gpu_memory(const char *label, const char *text, void *to)
{
    struct vtest_options *options = to;
    return cli_parse_gpu_memory(label, text, &options->max_memory, &options->max_card_memory);
}

static const struct option_row rows[] = {
    {"socket", "PATH", "where to listen [/tmp/.virgl_test; with PROGRAM: a private place]",
     OPTION_TEXT(struct session, socket)},
    {"venus-icd", "PATH", "manifest of the Venus driver for PROGRAM [searched as the loader does]",
     OPTION_TEXT(struct session, manifest)},
    {"control", "PATH",
     "a socket for 'hesper trace'; none: without [a server's: made in XDG_RUNTIME_DIR or TMPDIR; "
     "with PROGRAM: none]",
     OPTION_TEXT(struct session, control_path)},
    {"trace", "PATH",
     "every context is told to the tracer that listens there; 'hesper trace' starts programs so",
     OPTION_TEXT(struct session, options.trace_path)},
    {"max-clients", "N", "programs at a time [256]",
     OPTION_POSITIVE(struct session, options.max_clients)},
    {"gpu-memory", "SIZE",
     "memory that all programs may have of the machine, and as much of a graphics card's; 0: no "
     "limit [three quarters of the machine's]",
     OPTION_TAKE(struct session, options, take_gpu_memory)},
    {"max-memory", "SIZE", NULL, OPTION_TAKE(struct session, options, take_gpu_memory)},
    {"max-resources", "N", "blobs per client [16384]",
     OPTION_POSITIVE(struct session, options.max_resources)},
    {"max-wait", "SECONDS",
     "after which a GPU that does not answer is lost to its program; 0: never [60]",
     OPTION_TAKE(struct session, options.max_wait_ns, cli_take_wait)},
    {0},
};

static bool find_manifest(struct session *session)
{
    struct utsname machine;
    if (session->manifest) {
        if (access(session->manifest, R_OK) == 0 &&
            snprintf(session->manifest_path, sizeof(session->manifest_path), "%s",
                     session->manifest) < (int)sizeof(session->manifest_path))
            return true;
        log_error("--venus-icd: cannot read '%s': %s", session->manifest, strerror(errno));
        return false;
    }
    if (uname(&machine) == 0 && cli_manifest_find("", machine.machine, session->manifest_path,
                                                  sizeof(session->manifest_path)))
        return true;
    log_error("no Venus driver (virtio_icd.json) is installed for '%s' to use: install "
              "mesa-vulkan-drivers 25 or newer "
              "(Debian 12: from bookworm-backports), or say where it is with --venus-icd",
              session->program[0]);
    return false;
}

int cli_vtest(int argc, char **argv)
{
    struct session session = {
        .options = {.max_wait_ns = MAX_WAIT_NS, .max_memory = cli_machine_memory() / 4 * 3},
        .janitor.fd = -1,
        .control_janitor.fd = -1};
    const struct options options = {.program = "hesper vtest",
                                    .usage = usage,
                                    .tables = {{rows, &session}, {cli_host_rows, &session.host}},
                                    .in_order = true};
    int first = options_read(&options, argc, argv), status;
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (first < argc) {
        session.program = argv + first;
    } else if (!strcmp(argv[first - 1], "--")) {
        log_error("vtest: '--' needs a program behind it; see 'hesper vtest --help'");
        return CLI_USAGE;
    }
    cli_host_apply(&session.host);
    if (session.program && !find_manifest(&session))
        return CLI_FAILED;
    getrlimit(RLIMIT_NOFILE, &session.file_limit);
    os_raise_file_limit();

    status = start(&session);
    if (status == CLI_OK)
        status = os_loop_run(session.loop);
    finish(&session);
    return status;
}
