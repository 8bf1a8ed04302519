// hesper run: a virtual machine with a GPU, in one command.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/device/control.h"
#include "cli/device/device.h"
#include "cli/lookout.h"
#include "cli/option/host.h"
#include "cli/qemu/monitor.h"
#include "cli/run_options.h"
#include "gpu/status.h"
#include "link/pool.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/socket.h"

extern char **environ;

enum {
    // Numbers of the descriptors in QEMU, out of the way of those that a caller passes to it.
    QEMU_AGENT_FD = 59,
    QEMU_GPU_FD = 60,
    QEMU_PLACER_FD = 61,
    QEMU_MONITOR_FD = 62,
};
#define NS_PER_S 1000000000ull
// So long QEMU may take to end once it was told to.
#define QUIT_PATIENCE_NS (10 * NS_PER_S)
// So long a guest may take to shut down when its person's terminal has gone: nobody can ask again.
#define HANGUP_PATIENCE_NS (90 * NS_PER_S)
// What comes sooner than this after the last request is a double click.
#define REPEAT_NS (NS_PER_S / 2)

struct run {
    struct cli_device device;
    struct cli_run_options options;
    struct cli_qemu qemu;
    struct machine_gpu *gpu; // NULL: QEMU has not connected yet, or it is gone
    int listener;            // where it connects; -1: it inherits the connection
    struct os_source *connecting;
    int placer; // our end of the placer's connection, for the GPU to come; -1: none
    char control_path[CLI_SOCKET_PATH];
    int result;               // when the screenshot is made
    struct rlimit file_limit; // as it was
    pid_t child;              // 0: not running
    struct cli_monitor *monitor;
    struct cli_clipboard *clipboard; // NULL: not shared
    unsigned asked;                  // how often a person has asked for the machine's end
    uint64_t asked_ns;
    bool ending;  // QEMU was told to end
    int ended_by; // the signal that it was for, 0: none
    struct os_source *patience;
    struct cli_lookout lookout;
};

// ---- QEMU -----------------------------------------------------------------

static void close_gpu(struct run *run)
{
    if (!run->gpu)
        return;
    cli_device_attach(&run->device, NULL);
    machine_gpu_destroy(run->gpu);
    run->gpu = NULL;
}

static void on_screenshot(void *data, const char *error)
{
    struct run *run = data;
    if (error) {
        log_error("no screenshot: %s", error);
        if (run->result == CLI_OK)
            run->result = CLI_FAILED;
    }
    os_loop_stop(run->device.loop, run->result);
}

// QEMU is gone. The device keeps the last picture of the screen until it is destroyed.
static void finish_with(struct run *run, int result)
{
    run->result = result;
    if (run->options.screenshot && run->gpu) {
        if (cli_displays_screenshot(&run->device.displays, on_screenshot, run))
            return;
        if (result == CLI_OK)
            result = CLI_FAILED;
    }
    os_loop_stop(run->device.loop, result);
}

static void on_gpu_end(void *data)
{
    struct run *run = data;
    log_debug("QEMU has closed its GPU");
    if (!run->options.screenshot)
        close_gpu(run);
}

static void on_qemu_end(void *data, pid_t pid, int status)
{
    struct run *run = data;
    run->child = 0;
    int result = CLI_FAILED;
    if (run->ended_by)
        result = CLI_SIGNALLED + run->ended_by;
    else if (status == -1)
        log_error("QEMU has ended, and its status is not known");
    else if (WIFSIGNALED(status)) {
        result = CLI_SIGNALLED + WTERMSIG(status);
        log_error("QEMU was ended by a signal: %s", strsignal(WTERMSIG(status)));
    } else
        result = WEXITSTATUS(status); // it has said why
    finish_with(run, result);
}

// NULL: inherit ours. The caller frees the array, but not its entries.
static char **environment_with_placer(const struct run *run, char storage[2][4200])
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **environment = calloc(count + 3, sizeof(*environment));
    if (!environment)
        return NULL;
    memcpy(environment, environ, count * sizeof(*environment));
    snprintf(storage[0], 4200, "LD_PRELOAD=%s", run->qemu.placer);
    snprintf(storage[1], 4200, "HESPER_PLACER_FD=%d", QEMU_PLACER_FD);
    environment[count++] = storage[0];
    environment[count] = storage[1];
    return environment;
}

static int spawn_qemu(struct run *run, const struct cli_arguments *arguments,
                      const struct os_fd_pass *fds, unsigned fd_count)
{
    char storage[2][4200];
    char **environment =
        run->qemu.carrier == CLI_CARRIER_PRELOAD ? environment_with_placer(run, storage) : NULL;
    struct os_spawn_options options = {.path = run->qemu.path,
                                       .argv = arguments->items,
                                       .environment = environment,
                                       .fds = fds,
                                       .fd_count = fd_count,
                                       .inherit_fds = true,
                                       .shielded = true}; // it would end at the first Ctrl-C
    pid_t pid = cli_spawn_limited(&options, &run->file_limit);
    free(environment);
    if (pid < 0) {
        log_error("cannot run '%s': %s", run->qemu.path, strerror(-pid));
        return CLI_FAILED;
    }
    run->child = pid;
    if (!os_loop_add_child(run->device.loop, pid, on_qemu_end, run)) {
        log_error("out of memory");
        return CLI_FAILED;
    }
    return CLI_OK;
}

// Our end of a connection that QEMU will have as descriptor `number`; -1 after a log line.
static int new_connection(int number, struct os_fd_pass *fds, unsigned *count)
{
    int pair[2];
    int error = os_socket_pair(pair);
    if (error) {
        log_error("no socket: %s", strerror(-error));
        return -1;
    }
    fds[(*count)++] = (struct os_fd_pass){pair[1], number};
    os_socket_set_nonblocking(pair[0], true);
    return pair[0];
}

// Owns: takes over `fd` and the placer's connection.
static bool start_gpu(struct run *run, int fd)
{
    int error =
        machine_gpu_create(run->device.loop, fd, &run->device.options, on_gpu_end, run, &run->gpu);
    if (error) {
        log_error("cannot start the GPU: %s", strerror(-error));
        return false;
    }
    if (run->placer >= 0)
        machine_gpu_set_placer(run->gpu, run->placer);
    run->placer = -1;
    return true;
}

static void stop_listening(struct run *run)
{
    os_source_remove(run->connecting);
    run->connecting = NULL;
    if (run->listener >= 0)
        close(run->listener);
    run->listener = -1;
}

static void on_connection(void *data, int listener, unsigned events)
{
    struct run *run = data;
    int fd = os_socket_accept(listener);
    if (fd < 0)
        return;
    stop_listening(run);
    if (start_gpu(run, fd))
        cli_device_attach(&run->device, run->gpu);
    else
        kill(run->child, SIGTERM);
}

static bool connect_gpu(struct run *run, struct os_fd_pass *fds, unsigned *count)
{
    struct cli_front_socket socket;
    if (!cli_front_socket(run->qemu.front, &socket))
        return false;
    fds[(*count)++] = (struct os_fd_pass){socket.theirs, QEMU_GPU_FD};
    if (!socket.listener)
        return start_gpu(run, socket.ours);
    run->listener = socket.ours;
    run->connecting =
        os_loop_add_fd(run->device.loop, run->listener, OS_READABLE, on_connection, run);
    if (!run->connecting)
        log_error("out of memory");
    return run->connecting;
}

// Whoever looks at its screen is told why nothing moves.
static void on_monitor(void *data)
{
    struct run *run = data;
    const char *state = cli_monitor_state(run->monitor);
    cli_displays_set_state(&run->device.displays, !strcmp(state, "paused") ? LINK_MACHINE_PAUSED
                                                  : !strcmp(state, "disk full")
                                                      ? LINK_MACHINE_FULL
                                                      : LINK_MACHINE_RUNS);
}

static void on_copied(void *data, const char *text, size_t size)
{
    struct run *run = data;
    cli_clipboard_offer(run->clipboard, text, size);
}

static void on_resized(void *data, uint32_t width, uint32_t height)
{
    struct run *run = data;
    cli_clipboard_resize(run->clipboard, width, height);
}

// Firmware and kernels that do not know our keyboard know QEMU's.
static bool on_unheard(void *data, unsigned key, bool down)
{
    struct run *run = data;
    return cli_monitor_key(run->monitor, key, down);
}

// Made before QEMU is, so that there is nothing in the file system.
static bool connect_devices(struct run *run, struct os_fd_pass *fds, unsigned *count)
{
    struct os_loop *loop = run->device.loop;
    if (run->qemu.carrier != CLI_CARRIER_NONE) {
        run->placer = new_connection(QEMU_PLACER_FD, fds, count);
        if (run->placer < 0)
            return false;
    }
    if (!connect_gpu(run, fds, count))
        return false;
    int monitor = new_connection(QEMU_MONITOR_FD, fds, count);
    if (monitor < 0)
        return false;
    bool has_agent = cli_machine_has_agent(&run->options.machine);
    int agent = has_agent ? -1 : new_connection(QEMU_AGENT_FD, fds, count);
    if (!has_agent && agent < 0) {
        close(monitor);
        return false;
    }
    run->options.machine.agent_fd = has_agent ? -1 : QEMU_AGENT_FD;
    run->monitor = cli_monitor_create(loop, monitor, agent, on_monitor, run);
    if (!run->monitor) {
        log_error("out of memory");
        return false;
    }
    if (run->options.machine.clipboard) {
        int port = new_connection(CLI_CLIPBOARD_FD, fds, count);
        if (port < 0)
            return false;
        run->clipboard =
            cli_clipboard_create(loop, port, cli_displays_set_clipboard, &run->device.displays);
        if (!run->clipboard) {
            log_error("out of memory");
            return false;
        }
    }
    return cli_seat_connect(&run->device.seat, loop, fds, count) &&
           cli_shares_connect(&run->options.machine.shares, loop, fds, count);
}

static int start_qemu(struct run *run)
{
    int status = CLI_FAILED;
    struct cli_arguments arguments = {0};
    struct cli_gpu_address address = {
        .fd = QEMU_GPU_FD, .placer_fd = QEMU_PLACER_FD, .slot = CLI_LAST_SLOT};
    struct os_fd_pass fds[4 + CLI_SEAT_DEVICES + CLI_MAX_SHARES]; // QEMU's ends
    run->options.machine.monitor_fd = QEMU_MONITOR_FD;
    unsigned count = 0;
    if (connect_devices(run, fds, &count)) {
        if (cli_machine_arguments(&run->options.machine, &run->qemu, run->device.host.portable,
                                  &address, &arguments))
            status = spawn_qemu(run, &arguments, fds, count);
        if (run->gpu)
            cli_device_attach(&run->device, run->gpu);
    }
    cli_arguments_free(&arguments);
    for (unsigned i = 0; i < count; i++)
        close(fds[i].parent_fd);
    return status;
}

static void on_ready(void *data)
{
    struct run *run = data;
    int status = CLI_FAILED;
    bool seen = isatty(STDERR_FILENO); // which cannot be asked in the sandbox
    if ((!run->options.screenshot ||
         cli_displays_foresee(&run->device.displays, run->options.screenshot)) &&
        cli_machine_make_disks(&run->options.machine))
        status = start_qemu(run);
    if (status == CLI_OK)
        cli_host_confine();
    if (status != CLI_OK)
        os_loop_stop(run->device.loop, status);
    else if (seen && !cli_lookout_start(&run->lookout, &run->device, &run->options.machine,
                                        run->qemu.front_said))
        log_warning("out of memory: nothing will be said of the guest");
}

// ---- the end --------------------------------------------------------------

static void on_impatience(void *data)
{
    struct run *run = data;
    if (!run->child)
        return;
    log_warning(run->ending ? "QEMU does not end; killing it"
                            : "the guest does not shut down; its power is cut");
    kill(run->child, run->ending ? SIGKILL : SIGTERM);
    run->ending = true;
    os_source_set_deadline(run->patience, os_now_ns() + QUIT_PATIENCE_NS);
}

// As a power cut is for the guest; QEMU itself closes its files in good order.
static void end_qemu(struct run *run, int signal_number)
{
    kill(run->child, SIGTERM);
    run->ending = true;
    run->ended_by = signal_number;
    os_source_set_deadline(run->patience, os_now_ns() + QUIT_PATIENCE_NS);
}

// A person wants the machine to end. Twice the guest is asked; what it has not written to its disks
// is lost by the third time only, which the second has announced.
static void ask_for_the_end(struct run *run, const char *how, int signal_number)
{
    uint64_t now = os_now_ns();
    if (run->asked && !signal_number && now - run->asked_ns < REPEAT_NS)
        return;
    run->asked_ns = now;
    if (run->ending || run->asked == 2 || !cli_monitor_power_button(run->monitor)) {
        end_qemu(run, signal_number);
        return;
    }
    if (run->asked++ == 0)
        log_warning("the guest's power button was pressed; waiting for it to shut down");
    else
        log_warning("the guest's power button was pressed again; %s once more cuts its power, and "
                    "what it has not saved is lost",
                    how);
}

static void on_signal(void *data, int number, bool from_process)
{
    struct run *run = data;
    if (!run->child) {
        os_loop_stop(run->device.loop, CLI_SIGNALLED + number);
    } else if (number == SIGINT) {
        ask_for_the_end(run, "Ctrl-C", number);
    } else if (number == SIGHUP && cli_monitor_power_button(run->monitor)) {
        run->ended_by = number;
        os_source_set_deadline(run->patience, os_now_ns() + HANGUP_PATIENCE_NS);
    } else {
        end_qemu(run, number);
    }
}

static void on_closed(void *data)
{
    struct run *run = data;
    if (run->child)
        ask_for_the_end(run, "closing the window", 0);
}

static const char *on_state(void *data)
{
    struct run *run = data;
    return run->ending ? "ending" : cli_monitor_state(run->monitor);
}

static const char *on_order(void *data, enum cli_order order)
{
    struct run *run = data;
    bool done = false;
    if (!run->child)
        return "its QEMU does not run";
    switch (order) {
    case CLI_ORDER_STOP:
        done = cli_monitor_power_button(run->monitor);
        break;
    case CLI_ORDER_CUT:
        end_qemu(run, 0);
        return NULL;
    case CLI_ORDER_PAUSE:
        done = cli_monitor_pause(run->monitor);
        break;
    case CLI_ORDER_RESUME:
        done = cli_monitor_resume(run->monitor);
        break;
    }
    return done ? NULL : "its QEMU does not listen yet";
}

static void finish(struct run *run)
{
    if (run->child) { // only after an error of ours
        kill(run->child, SIGKILL);
        while (waitpid(run->child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    stop_listening(run);
    close_gpu(run);
    if (run->placer >= 0)
        close(run->placer);
    cli_shares_finish(&run->options.machine.shares);
    cli_monitor_destroy(run->monitor);
    cli_clipboard_destroy(run->clipboard);
    cli_device_finish(&run->device);
}

// The name of the file that it boots from, unless its person has given one.
static void name_machine(struct run *run)
{
    struct cli_machine *machine = &run->options.machine;
    const char *file = machine->disk_count ? machine->disks[0]
                       : machine->cdrom    ? machine->cdrom
                       : machine->kernel   ? machine->kernel
                                           : "Hesper";
    if (!run->device.displays.setup.name[0]) {
        const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
        size_t length = strcspn(name, ",");
        size_t stem = length;
        while (stem && name[stem - 1] != '.')
            stem--;
        cli_device_set_name(&run->device, name, stem > 1 ? stem - 1 : length);
    }
    machine->name = run->device.displays.setup.name;
}

// The picture is written at the end, which may be days away.
static bool can_write(const char *file)
{
    struct stat status;
    const char *slash = strrchr(file, '/');
    char folder[4096] = ".";
    if (slash)
        snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - file), file);
    errno = ENOENT;
    if (*file && access(folder, W_OK | X_OK) == 0) {
        if (stat(file, &status) < 0 || !S_ISDIR(status.st_mode))
            return true;
        errno = EISDIR;
    }
    log_error("run: --screenshot: cannot write '%s': %s", file, strerror(errno));
    return false;
}

static int run_machine(struct run *run, int argc, char **argv)
{
    bool done = false;
    cli_device_init(&run->device);
    int status = cli_run_options_parse(&run->options, &run->device, argc, argv, &done);
    if (status != CLI_OK || done)
        return status;
    cli_host_apply(&run->device.host);
    // The machine comes last: its ISO image is fetched.
    if ((run->options.screenshot && !can_write(run->options.screenshot)) ||
        !cli_qemu_find(&run->qemu, run->options.program) ||
        !cli_qemu_find_placer(&run->qemu, run->options.placer) ||
        !cli_qemu_choose_front(&run->qemu, run->options.front, run->options.machine.firmware,
                               run->device.host.portable) ||
        !cli_machine_check(&run->options.machine))
        return CLI_FAILED;
    run->device.options.transport = cli_front_transport(run->qemu.front);
    run->device.seat.front = run->qemu.front;
    getrlimit(RLIMIT_NOFILE, &run->file_limit);
    name_machine(run);
    run->options.machine.seat = &run->device.seat;
    run->device.ready = on_ready;
    run->device.displays.owner = run->device.seat.owner = run;
    run->device.displays.copied = on_copied;
    run->device.displays.resized = on_resized;
    run->device.displays.closed = on_closed;
    run->device.seat.unheard = on_unheard;
    run->device.state = on_state;
    run->device.order = on_order;
    cli_displays_default(&run->device.displays);
    run->device.data = run;

    if (!run->device.control_path &&
        cli_control_default_path(CLI_CONTROL_MACHINE, (long)getpid(), run->control_path,
                                 sizeof(run->control_path)))
        run->device.control_path = run->control_path;
    status = cli_device_start(&run->device);
    if (status == CLI_OK && !cli_on_signals(run->device.loop, on_signal, run))
        status = CLI_FAILED;
    if (status == CLI_OK) {
        run->patience = os_loop_add_timer(run->device.loop, 0, on_impatience, run);
        if (!run->patience) {
            log_error("out of memory");
            status = CLI_FAILED;
        }
    }
    if (status == CLI_OK)
        status = os_loop_run(run->device.loop);
    finish(run);
    return status;
}

int cli_run(int argc, char **argv)
{
    struct run run = {.listener = -1, .placer = -1};
    int status = run_machine(&run, argc, argv);
    cli_arguments_free(&run.options.file.arguments);
    free(run.options.machine.iso_file);
    return status;
}
