// What a driver that a guest has taken over could try. Linked to a Vulkan driver of the tests, it
// tries everything while the driver is loaded, in a thread that was started then, and again when
// the worker is ready. One line a trial on stderr: "trial WHEN NAME: allowed", "denied" or
// "absent". TRIALS in the environment is the folder that tests/sandbox/run has prepared.
//
// Loaded before everything else (TRIAL_SERVER), it does so in a device process as soon as that is
// confined.
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static const char *in_folder(const char *name)
{
    static _Thread_local char path[108];
    snprintf(path, sizeof(path), "%s/%s", getenv("TRIALS"), name);
    return path;
}

static const char *of_parent(const char *name)
{
    static _Thread_local char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)getppid(), name);
    return path;
}

static int opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd;
}

// ---- files ----------------------------------------------------------------

static int read_home(void)
{
    return opens(in_folder("home/secret"), O_RDONLY);
}

static int list_home(void)
{
    return opens(in_folder("home"), O_RDONLY | O_DIRECTORY);
}

static int read_passwords(void)
{
    return opens("/etc/shadow", O_RDONLY);
}

static int read_system(void)
{
    return opens("/usr/lib/os-release", O_RDONLY);
}

static int create(void)
{
    return opens(in_folder("home/new"), O_CREAT | O_RDWR);
}

static int change(void)
{
    return opens(in_folder("home/file"), O_WRONLY);
}

static int rename_file(void)
{
    char other[120];
    snprintf(other, sizeof(other), "%s2", in_folder("home/file"));
    return rename(in_folder("home/file"), other) ? -1 : rename(other, in_folder("home/file"));
}

static int change_mode(void)
{
    return chmod(in_folder("home/file"), 0644);
}

static int change_owner(void)
{
    return chown(in_folder("home/file"), getuid(), getgid());
}

static int change_times(void)
{
    return utimensat(AT_FDCWD, in_folder("home/file"), NULL, 0);
}

static int change_attributes(void)
{
    return setxattr(in_folder("home/file"), "user.trial", "x", 1, 0);
}

static int see_size(void)
{
    struct stat status;
    return stat(in_folder("home/secret"), &status);
}

static int watch_home(void)
{
    int fd = inotify_init1(IN_CLOEXEC);
    int result = fd < 0 ? -1 : inotify_add_watch(fd, in_folder("home"), IN_MODIFY);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return result;
}

static int open_machines(void)
{
    return opens("/dev/kvm", O_RDWR);
}

static int open_tun(void)
{
    return opens("/dev/net/tun", O_RDWR);
}

static int open_fuse(void)
{
    return opens("/dev/fuse", O_RDWR);
}

static int write_shared_memory(void)
{
    return opens(getenv("TRIALS_SHARED"), O_RDWR);
}

static int open_null(void)
{
    return opens("/dev/null", O_RDWR);
}

// ---- programs and processes -----------------------------------------------

// With arguments that cannot be read: it is not carried out even if it may be.
static int execute(void)
{
    syscall(SYS_execve, "/bin/true", 8, 0);
    return errno == EFAULT ? 0 : -1;
}

static int execute_memory(void)
{
    int fd = memfd_create("trial", 0);
    syscall(SYS_execveat, fd, "", 8, 0, AT_EMPTY_PATH);
    int error = errno;
    close(fd);
    errno = error;
    return error == EFAULT ? 0 : -1;
}

static int start_process(void)
{
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return pid;
}

static int signal_parent(void)
{
    return kill(getppid(), SIGCONT);
}

static int own_signal(void)
{
    int fds[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ? -1 : fcntl(fds[0], F_SETOWN, getppid());
}

static int trace(void)
{
    // By a child, if there may be one: its end lets the device process go again.
    pid_t device = getppid(), pid = fork();
    if (pid > 0) {
        int status;
        waitpid(pid, &status, 0);
        errno = WEXITSTATUS(status);
        return errno ? -1 : 0;
    }
    int result = ptrace(PTRACE_SEIZE, device, NULL, NULL) ? errno : 0;
    if (!pid)
        _exit(result);
    errno = result;
    return result ? -1 : 0;
}

static int read_memory(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {&errno, 1};
    ssize_t count = process_vm_readv(getppid(), &here, 1, &there, 1, 0);
    return count >= 0 || errno == EFAULT ? 0 : -1;
}

static int open_memory(void)
{
    return opens(of_parent("mem"), O_RDONLY);
}

static int read_environment(void)
{
    return opens(of_parent("environ"), O_RDONLY);
}

static int list_descriptors(void)
{
    return opens(of_parent("fd"), O_RDONLY | O_DIRECTORY);
}

static int take_descriptor(void)
{
    int process = (int)syscall(434 /* pidfd_open */, getppid(), 0);
    return process < 0 ? -1 : (int)syscall(438 /* pidfd_getfd */, process, 0, 0);
}

static int limit_parent(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_CORE, &limit) ? -1 : prlimit(getppid(), RLIMIT_CORE, &limit, NULL);
}

static int nice_parent(void)
{
    return setpriority(PRIO_PROCESS, getppid(), 1);
}

static int nice_user(void)
{
    // One who has no processes.
    return setpriority(PRIO_USER, 54321, 1) && errno != ESRCH ? -1 : 0;
}

static int bind_parent(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) < 0
               ? -1
               : sched_setaffinity(getppid(), sizeof(set), &set);
}

static int press_key(void)
{
    return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

// ---- sockets --------------------------------------------------------------

static int reach(int type, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    socklen_t size = sizeof(address);
    if (path[0] == '@') {
        address.sun_path[0] = 0;
        size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    }
    return fd < 0 ? -1 : connect(fd, (void *)&address, size);
}

static int reach_path(void)
{
    return reach(SOCK_STREAM, in_folder("stream"));
}

static int reach_abstract(void)
{
    int result = reach(SOCK_STREAM, getenv("TRIALS_ABSTRACT"));
    if (result < 0 && errno == ECONNREFUSED) // somebody listens there, in another network
        errno = EACCES;
    return result;
}

static int send_by_pair(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fds[2];
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", in_folder("datagram"));
    return socketpair(AF_UNIX, SOCK_DGRAM, 0, fds)
               ? -1
               : (int)sendto(fds[0], "x", 1, 0, (void *)&address, sizeof(address));
}

// There is a socket in it that tests/sandbox/run has made.
static int read_network(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/net/unix", "re");
    bool found = false;
    while (file && fgets(line, sizeof(line), file))
        found = found || strstr(line, in_folder("datagram"));
    if (file)
        fclose(file);
    errno = EACCES;
    return found ? 0 : -1;
}

static int net(int family, int type)
{
    return socket(family, type, 0);
}

static int use_tcp(void)
{
    return net(AF_INET, SOCK_STREAM);
}

static int use_udp(void)
{
    return net(AF_INET, SOCK_DGRAM);
}

static int use_raw(void)
{
    return net(AF_PACKET, SOCK_RAW);
}

static int use_netlink(void)
{
    return net(AF_NETLINK, SOCK_RAW);
}

static int use_vsock(void)
{
    return net(AF_VSOCK, SOCK_STREAM);
}

// ---- the kernel -----------------------------------------------------------

static int namespace_now(void)
{
    // In a process of its own, if there may be one: a user namespace is for one thread.
    int flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS;
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (!pid)
        _exit(0);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return pid;
}

static int mount_something(void)
{
    const char *at = in_folder("home");
    return mount("trial", at, "tmpfs", MS_RDONLY, "size=4k") ? -1 : umount(at);
}

static int change_root(void)
{
    return unshare(CLONE_FS) ? -1 : chroot("/");
}

static int use_bpf(void)
{
    char none[128] = "";
    return syscall(SYS_bpf, 0, none, sizeof(none)) < 0 && (errno == EPERM || errno == ENOSYS) ? -1
                                                                                              : 0;
}

static int use_perf(void)
{
    char none[128] = "";
    return syscall(SYS_perf_event_open, none, 0, -1, -1, 0) < 0 &&
                   (errno == EPERM || errno == EACCES || errno == ENOSYS)
               ? -1
               : 0;
}

static int use_userfaultfd(void)
{
    return (int)syscall(SYS_userfaultfd, 1 /* of user mode only */);
}

static int use_io_uring(void)
{
    char parameters[120] = "";
    return (int)syscall(425 /* io_uring_setup */, 1, parameters);
}

static int use_keys(void)
{
    return (int)syscall(SYS_add_key, "user", "trial", "x", 1, -2 /* of this process */);
}

static int use_system_v(void)
{
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    if (id >= 0)
        shmctl(id, IPC_RMID, NULL);
    return id;
}

static int choose_groups(void)
{
    gid_t groups[64];
    int count = getgroups(64, groups);
    return count < 0 ? 0 : (int)syscall(SYS_setgroups, (size_t)count, groups);
}

static int be_real_time(void)
{
    struct sched_param parameters = {1};
    int result = sched_setscheduler(0, SCHED_FIFO, &parameters);
    parameters.sched_priority = 0;
    return result ? result : sched_setscheduler(0, SCHED_OTHER, &parameters);
}

static int be_first(void)
{
    return setpriority(PRIO_PROCESS, 0, -20) ? -1 : setpriority(PRIO_PROCESS, 0, 0);
}

static int write_and_execute(void)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : munmap(page, 4096);
}

static int write_then_execute(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int make_memory_file(void)
{
    return memfd_create("trial", 0);
}

static int unlisted(void)
{
    return (int)syscall(SYS_inotify_init1, 0);
}

static int dump_core(void)
{
    struct rlimit limit = {1, 1};
    return setrlimit(RLIMIT_CORE, &limit);
}

static void *run_nothing(void *data)
{
    return data;
}

static int start_thread(void)
{
    pthread_t thread;
    errno = pthread_create(&thread, NULL, run_nothing, NULL);
    return errno ? -1 : pthread_join(thread, NULL);
}

// ---- all of them ----------------------------------------------------------

static const struct trial {
    const char *name;
    int (*run)(void);
} trials[] = {
    {"read a file of the user's home", read_home},
    {"list the user's home", list_home},
    {"read /etc/shadow", read_passwords},
    {"read what the system has for all", read_system},
    {"create a file", create},
    {"write to a file of the user", change},
    {"rename a file of the user", rename_file},
    {"chmod", change_mode},
    {"chown", change_owner},
    {"utimes", change_times},
    {"setxattr", change_attributes},
    {"see the size of a file of the user", see_size},
    {"watch a folder of the user", watch_home},
    {"open /dev/kvm", open_machines},
    {"open /dev/net/tun", open_tun},
    {"open /dev/fuse", open_fuse},
    {"open a file of shared memory", write_shared_memory},
    {"open /dev/null", open_null},
    {"execute a program", execute},
    {"execute memory", execute_memory},
    {"start a process", start_process},
    {"start a thread", start_thread},
    {"signal the device process", signal_parent},
    {"have it signalled by a descriptor", own_signal},
    {"trace it", trace},
    {"read its memory", read_memory},
    {"open its /proc/PID/mem", open_memory},
    {"read its environment", read_environment},
    {"list its descriptors", list_descriptors},
    {"take one of its descriptors", take_descriptor},
    {"set its limits", limit_parent},
    {"set its priority", nice_parent},
    {"set the priority of all of the user", nice_user},
    {"bind it to a CPU", bind_parent},
    {"be a real-time process", be_real_time},
    {"press a key at the terminal", press_key},
    {"connect to a Unix socket with a path", reach_path},
    {"connect to an abstract socket", reach_abstract},
    {"send a datagram to a path", send_by_pair},
    {"read what the host is connected to", read_network},
    {"TCP", use_tcp},
    {"UDP", use_udp},
    {"raw packets", use_raw},
    {"netlink", use_netlink},
    {"vsock", use_vsock},
    {"user, network and mount namespaces", namespace_now},
    {"mount", mount_something},
    {"chroot", change_root},
    {"bpf", use_bpf},
    {"perf", use_perf},
    {"userfaultfd", use_userfaultfd},
    {"io_uring", use_io_uring},
    {"keys", use_keys},
    {"System V shared memory", use_system_v},
    {"choose its groups", choose_groups},
    {"nice -20", be_first},
    {"dump core", dump_core},
    {"memory to write and execute at once", write_and_execute},
    {"memory to write, then execute", write_then_execute},
    {"memory files", make_memory_file},
    {"a call that no driver of Mesa makes", unlisted},
};

// Every thread of this process is bound.
static void count_threads(const char *when)
{
    char path[64], line[256];
    unsigned bound = 0, all = 0;
    for (int thread = getpid(); thread < getpid() + 64; thread++) {
        snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        unsigned both = 0;
        while (fgets(line, sizeof(line), file))
            both += !strcmp(line, "NoNewPrivs:\t1\n") || !strcmp(line, "Seccomp:\t2\n");
        fclose(file);
        all++;
        bound += both == 2;
    }
    // Who may not look has one thread.
    bool good = all ? bound == all : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    fprintf(stderr, "trial %s threads that are not bound: %s\n", when, good ? "denied" : "allowed");
}

static void try_all(const char *when)
{
    for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
        errno = 0;
        int result = trials[i].run();
        bool denied = errno == EPERM || errno == EACCES || errno == ENOSYS;
        fprintf(stderr, "trial %s %s: %s\n", when, trials[i].name,
                result >= 0 ? "allowed"
                : denied    ? "denied"
                            : "absent");
    }
    count_threads(when);
    fprintf(stderr, "trial %s end\n", when);
}

#ifdef TRIAL_SERVER

static bool is_confined_server(void)
{
    // A worker may not accept, and who is not confined may ask this.
    return accept(-1, NULL, NULL) < 0 && errno == EBADF && prctl(PR_GET_SECCOMP) < 0;
}

__attribute__((visibility("default"))) int poll(struct pollfd *fds, nfds_t count, int ms)
{
    static bool tried;
    struct timespec time = {ms / 1000, ms % 1000 * 1000000l};
    if (!tried && is_confined_server()) {
        tried = true;
        try_all("serving");
    } else if (!tried && !strcmp(program_invocation_short_name, "hesper-window") &&
               prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER) {
        tried = true;
        try_all("window");
    }
    return ppoll(fds, count, ms < 0 ? NULL : &time, NULL);
}

#else

static void *try_later(void *data)
{
    (void)data;
    try_all("beside");
    struct stat status;
    while (stat(in_folder("ready"), &status) < 0)
        usleep(20000);
    try_all("later");
    return NULL;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    if (!getenv("TRIALS"))
        return;
    try_all("loading");
    pthread_create(&thread, NULL, try_later, NULL);
}

#endif
