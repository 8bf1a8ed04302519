#include "cli/qemu/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/option/folder.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/places.h"
#include "os/process.h"

enum { KNOWN_PLUGIN_VERSION = 7 };
#define CAPTURE_PATIENCE_NS 30000000000ull

#ifndef HESPER_LIBDIR
#define HESPER_LIBDIR "lib"
#endif
static const char placer_name[] = "hesper-placer.so";

bool cli_placer_socket(const char *path, char placer_path[CLI_SOCKET_PATH])
{
    if (snprintf(placer_path, CLI_SOCKET_PATH, "%s.placer", path) < CLI_SOCKET_PATH)
        return true;
    log_error("cannot listen on '%s': the path has room for %d bytes", path,
              CLI_SOCKET_PATH - (int)sizeof(".placer"));
    return false;
}

// ---- asking a program -----------------------------------------------------

static size_t read_until_end(int fd, char *output, size_t size)
{
    uint64_t end = os_now_ns() + CAPTURE_PATIENCE_NS;
    size_t used = 0;
    for (;;) {
        uint64_t now = os_now_ns();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (now >= end || poll(&ready, 1, (int)((end - now) / 1000000) + 1) == 0)
            break;
        char scrap[512];
        bool full = used + 1 >= size;
        ssize_t got =
            full ? read(fd, scrap, sizeof(scrap)) : read(fd, output + used, size - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += full ? 0 : (size_t)got;
    }
    return used;
}

int cli_capture(char *const argv[], char *output, size_t size)
{
    int pipe_fds[2];
    output[0] = 0;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return -errno;
    if (pipe(pipe_fds) < 0) {
        close(null);
        return -errno;
    }
    fcntl(pipe_fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(pipe_fds[1], F_SETFD, FD_CLOEXEC);
    struct os_fd_pass fds[] = {
        {null, STDIN_FILENO}, {pipe_fds[1], STDOUT_FILENO}, {pipe_fds[1], STDERR_FILENO}};
    struct os_spawn_options options = {
        .path = argv[0], .argv = argv, .fds = fds, .fd_count = 3, .own_group = true};
    pid_t pid = os_spawn(&options);
    close(null);
    close(pipe_fds[1]);
    int status = pid;
    if (pid >= 0) {
        output[read_until_end(pipe_fds[0], output, size)] = 0;
        // It has closed its outputs, or hangs.
        kill(pid, SIGCONT);
        uint64_t end = os_now_ns() + 1000000000ull;
        while (waitpid(pid, &status, WNOHANG) == 0) {
            if (os_now_ns() > end)
                kill(pid, SIGKILL);
            poll(NULL, 0, 2);
        }
    }
    close(pipe_fds[0]);
    return status;
}

// ---- which QEMU -----------------------------------------------------------

static const char *this_machine(void)
{
    struct utsname name;
    if (uname(&name) == 0 && (!strcmp(name.machine, "aarch64") || !strcmp(name.machine, "arm64")))
        return "aarch64";
    return "x86_64";
}

// The name of the program says which machine it is: QEMU has no option that does.
static const char *machine_of(const char *program)
{
    const char *name = strrchr(program, '/');
    name = name ? name + 1 : program;
    if (strstr(name, "aarch64"))
        return "aarch64";
    if (strstr(name, "x86_64"))
        return "x86_64";
    return this_machine();
}

static void cut_line(char *text)
{
    text[strcspn(text, "\n")] = 0;
}

// `make demo` and scripts/guest unpack one into the build folder, where this program may lie too.
static bool find_unpacked(const char *name, char path[4096])
{
    char below[256];
    snprintf(below, sizeof(below), "vm/qemu/%s", name);
    return cli_beside(below, path);
}

// The program to ask first: one made for Hesper, or the one in PATH.
static void choose_first(const char *name, char path[4096])
{
    for (const char *const *folder = os_qemu_folders(); *folder; folder++) {
        snprintf(path, 4096, "%s/%s", *folder, name);
        if (access(path, X_OK) == 0)
            return;
    }
    snprintf(path, 4096, "%s", name);
}

static const char advice[] = "install QEMU 11.1 or newer (Debian 13: qemu-system from "
                             "trixie-backports), or say where it is with --qemu";

static bool is_of(const struct cli_qemu *qemu, unsigned major, unsigned minor)
{
    return qemu->major > major || (qemu->major == major && qemu->minor >= minor);
}

static bool is_for_vhost_user(const struct cli_qemu *qemu)
{
    return is_of(qemu, 11, 1);
}

// Old enough to be of no use is what has neither front.
static bool is_new_enough(const struct cli_qemu *qemu)
{
    return is_of(qemu, 10, 1);
}

// Asks it for its version. False: `error` says why it cannot be taken.
static bool ask_version(struct cli_qemu *qemu, char *error, size_t size)
{
    char output[4096];
    char *argv[] = {qemu->path, "--version", NULL};
    int status = cli_capture(argv, output, sizeof(output));
    const char *version = strstr(output, "version ");
    if (status == -ENOENT) {
        snprintf(error, size, "no QEMU: there is no '%s'%s; %s", qemu->path,
                 strchr(qemu->path, '/') ? "" : " in PATH", advice);
        return false;
    }
    if (status < 0) {
        snprintf(error, size, "cannot run '%s': %s", qemu->path, strerror(-status));
        return false;
    }
    if (status != 0 || !version ||
        sscanf(version, "version %u.%u", &qemu->major, &qemu->minor) != 2) {
        cut_line(output);
        snprintf(error, size, "'%s' is no QEMU that works: %s", qemu->path,
                 output[0] ? output : "it does not say its version");
        return false;
    }
    if (is_new_enough(qemu))
        return true;
    snprintf(error, size,
             "QEMU is too old: '%s' is version %u.%u, which cannot share host memory with the "
             "guest; %s",
             qemu->path, qemu->major, qemu->minor, advice);
    return false;
}

bool cli_qemu_find(struct cli_qemu *qemu, const char *wanted)
{
    char error[8800], name[64], unpacked[4096];
    qemu->machine = wanted ? machine_of(wanted) : this_machine();
    qemu->foreign = strcmp(qemu->machine, this_machine()) != 0;
    snprintf(name, sizeof(name), "qemu-system-%s", qemu->machine);
    if (wanted)
        snprintf(qemu->path, sizeof(qemu->path), "%s", wanted);
    else
        choose_first(name, qemu->path);
    if (ask_version(qemu, error, sizeof(error)))
        return true;
    if (!wanted && find_unpacked(name, unpacked)) {
        strcpy(qemu->path, unpacked);
        log_info("QEMU: %s", qemu->path);
        if (ask_version(qemu, error, sizeof(error)))
            return true;
    }
    log_error("%s", error);
    return false;
}

const char *cli_qemu_usual(char path[4096])
{
    struct cli_qemu qemu = {0};
    char error[8800], name[64];
    snprintf(name, sizeof(name), "qemu-system-%s", this_machine());
    choose_first(name, qemu.path);
    if (ask_version(&qemu, error, sizeof(error)) || !find_unpacked(name, path))
        strcpy(path, qemu.path);
    return path;
}

// ---- the placer -----------------------------------------------------------

static bool search_placer(char *path, size_t size)
{
    static const char *const places[] = {
        "src/placer/",                  // the build folder
        "",                             // side by side
        "../" HESPER_LIBDIR "/hesper/", // installed
    };
    char self[4096];
    if (os_self_path(self, sizeof(self)))
        return false;
    char *end = strrchr(self, '/');
    if (end)
        end[1] = 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (snprintf(path, size, "%s%s%s", self, places[i], placer_name) < (int)size &&
            access(path, R_OK) == 0)
            return true;
    return false;
}

// QEMU refuses a plugin made for version 0 of its plugin interface, and says which it wants: "this
// QEMU supports only a minimum version of 7".
static bool ask_plugin_version(struct cli_qemu *qemu)
{
    char output[4096];
    char *value = cli_option_value(qemu->placer);
    char plugin[2 * sizeof(qemu->placer) + 32];
    if (!value)
        return false;
    snprintf(plugin, sizeof(plugin), "%s,version=0", value);
    free(value);
    char *argv[] = {qemu->path, "-machine", "none", "-nodefaults", "-display",
                    "none",     "-plugin",  plugin, NULL};
    int status = cli_capture(argv, output, sizeof(output));
    const char *found = strstr(output, "minimum version of ");
    qemu->carrier = CLI_CARRIER_PLUGIN;
    if (found && sscanf(found, "minimum version of %u", &qemu->plugin_version) == 1)
        return true;
    cut_line(output);
    if (strstr(output, "-plugin")) { // "invalid option", "not enabled in this build"
        log_info("this QEMU has no plugins; the placer is preloaded");
        qemu->carrier = CLI_CARRIER_PRELOAD;
        return true;
    }
    log_error("QEMU does not load the placer '%s': %s (--placer none does without)", qemu->placer,
              status < 0  ? strerror(-status)
              : output[0] ? output
                          : "no reason given");
    return false;
}

bool cli_qemu_find_placer(struct cli_qemu *qemu, const char *wanted)
{
    qemu->carrier = CLI_CARRIER_NONE;
    qemu->plugin_version = KNOWN_PLUGIN_VERSION;
    if (wanted && !strcmp(wanted, "none"))
        return true;
    if (wanted) {
        char *whole = realpath(wanted, NULL); // QEMU may run elsewhere
        if (!whole || access(whole, R_OK) < 0 ||
            snprintf(qemu->placer, sizeof(qemu->placer), "%s", whole) >=
                (int)sizeof(qemu->placer)) {
            log_error("--placer: cannot read '%s': %s", wanted, strerror(errno));
            free(whole);
            return false;
        }
        free(whole);
    } else if (!search_placer(qemu->placer, sizeof(qemu->placer))) {
        log_warning("the placer (%s) is not installed beside hesper: the guest can map only some "
                    "hundred ranges of GPU memory, slowly",
                    placer_name);
        return true;
    }
    qemu->carrier = CLI_CARRIER_PLUGIN;
    return !qemu->path[0] || ask_plugin_version(qemu);
}

// ---- the front ------------------------------------------------------------

static bool has_vfio_user(const struct cli_qemu *qemu)
{
    char output[16384];
    char *argv[] = {(char *)qemu->path, "-device", "vfio-user-pci,help", NULL};
    return is_of(qemu, 10, 1) && cli_capture(argv, output, sizeof(output)) == 0 &&
           strstr(output, "socket=");
}

// What stands in the way of vfio-user; NULL: nothing.
static const char *no_vfio_user(const struct cli_qemu *qemu, bool portable)
{
    if (portable)
        return "--host-profile=portable leaves out what only Linux has";
    if (qemu->carrier == CLI_CARRIER_NONE)
        return "it needs the placer in QEMU";
    return has_vfio_user(qemu) ? NULL : "this QEMU has no vfio-user-pci (10.1 or newer, on Linux)";
}

bool cli_qemu_choose_front(struct cli_qemu *qemu, enum cli_front wanted, bool uefi, bool portable)
{
    const char *missing = NULL, *why = "as was asked for";
    qemu->front = wanted;
    if (wanted == CLI_FRONT_AUTO && !is_for_vhost_user(qemu)) {
        qemu->front = CLI_FRONT_VFIO_USER;
        why = "since it is too old for vhost-user";
    } else if (wanted == CLI_FRONT_AUTO && uefi && !no_vfio_user(qemu, portable)) {
        qemu->front = CLI_FRONT_VFIO_USER;
        why = "by which firmware and boot menus are on the guest's screen, too";
    } else if (wanted == CLI_FRONT_AUTO) {
        qemu->front = CLI_FRONT_VHOST_USER;
        why = "by which a guest's request costs least";
    }
    if (qemu->front == CLI_FRONT_VFIO_USER) {
        missing = no_vfio_user(qemu, portable);
    } else if (!is_for_vhost_user(qemu)) {
        missing = "it needs QEMU 11.1 or newer to share host memory with the guest";
    }
    if (missing && wanted == CLI_FRONT_AUTO)
        log_error("QEMU is too old: '%s' is version %u.%u, which cannot share host memory with the "
                  "guest over vhost-user, and not over vfio-user: %s; %s",
                  qemu->path, qemu->major, qemu->minor, missing, advice);
    else if (missing)
        log_error("'%s' (QEMU %u.%u) cannot be used by %s: %s; %s", qemu->path, qemu->major,
                  qemu->minor, cli_front_names[qemu->front], missing, advice);
    if (missing)
        return false;
    snprintf(qemu->front_said, sizeof(qemu->front_said), "QEMU %u.%u gets its devices by %s, %s",
             qemu->major, qemu->minor, cli_front_names[qemu->front], why);
    log_info("%s", qemu->front_said);
    return true;
}

// ---- what it must be told -------------------------------------------------

void cli_qemu_add_memory(struct cli_arguments *arguments, uint64_t size, bool portable)
{
    struct utsname name;
    bool linux_host = uname(&name) == 0 && !strcmp(name.sysname, "Linux");
    cli_arguments_add(arguments, "-object");
    cli_arguments_add(arguments, "memory-backend-%s,id=hesper-mem,size=%lluM,share=on",
                      linux_host && !portable ? "memfd" : "shm", (unsigned long long)(size >> 20));
    cli_arguments_add(arguments, "-machine");
    cli_arguments_add(arguments, "memory-backend=hesper-mem");
    cli_arguments_add(arguments, "-m");
    cli_arguments_add(arguments, "%lluM", (unsigned long long)(size >> 20));
}

void cli_qemu_add_gpu(struct cli_arguments *arguments, const struct cli_qemu *qemu,
                      const struct cli_gpu_address *address)
{
    // 24 bytes of configuration hold all that the specification of a GPU has.
    struct cli_front_device device = {.name = "gpu",
                                      .type = 16,
                                      .config_size = 24,
                                      .queue_size = 256,
                                      .path = address->path,
                                      .fd = address->fd,
                                      .bus = address->bus,
                                      .slot = address->slot};
    char *placer_path = cli_option_value(address->placer_path ? address->placer_path : "");
    char *placer = cli_option_value(qemu->placer);
    cli_front_add_device(arguments, qemu->front, &device);
    if (!placer_path || !placer) {
        arguments->failed = true;
    } else if (qemu->carrier == CLI_CARRIER_PLUGIN) {
        cli_arguments_add(arguments, "-plugin");
        if (address->path)
            cli_arguments_add(arguments, "%s,socket=%s,version=%u", placer, placer_path,
                              qemu->plugin_version);
        else
            cli_arguments_add(arguments, "%s,fd=%d,version=%u", placer, address->placer_fd,
                              qemu->plugin_version);
    }
    free(placer_path);
    free(placer);
}
