// The sandbox can't be left: each case runs in a child, which is this program again.
#include "../flavour.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process.h"
#include "os/sandbox.h"
#include "os/shm.h"

enum { OF_LANDLOCK = 3, FIRST_OF_SECCOMP = 9 };
enum { ALLOWED = 0, REFUSED = 10, NO_SANDBOX = 20, UNEXPECTED = 30 };

static enum os_sandbox kind; // of the child
static char summary[128];

static int enter(void)
{
    static const char *const readable[] = {"/etc/hostname", "/var", "/nowhere/driver.so", NULL};
    const struct os_sandbox_options options = {.kind = kind, .readable = readable};
    int error = os_sandbox_enter(&options, summary, sizeof(summary));
    os_sandbox_close(kind);
    return error;
}

static int attempt(bool done)
{
    return done ? ALLOWED : errno == EACCES || errno == EPERM ? REFUSED : UNEXPECTED;
}

static int create_file(void)
{
    int fd = open("/tmp/hesper-sandbox-test", O_CREAT | O_RDWR, 0600);
    if (fd >= 0)
        unlink("/tmp/hesper-sandbox-test");
    return attempt(fd >= 0);
}

static int execute(void)
{
    execl("/bin/true", "true", NULL);
    return attempt(false);
}

static int read_file(void)
{
    return attempt(open("/proc/self/maps", O_RDONLY) >= 0);
}

static int read_secrets(void)
{
    static const char *const paths[] = {"/etc", "/tmp", "/etc/hosts", "/proc/1/stat", "/dev/tty"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], F_OK) == 0 && open(paths[i], O_RDONLY) >= 0)
            return ALLOWED;
    return attempt(false);
}

// As if the driver lay there.
static int read_what_is_named(void)
{
    return attempt(open("/etc/hostname", O_RDONLY) >= 0 && open("/var", O_RDONLY) >= 0);
}

static int write_device(void)
{
    int fd = open("/dev/null", O_RDWR);
    return attempt(fd >= 0 && write(fd, "x", 1) == 1);
}

static int use_shared_memory(void)
{
    return attempt(os_shm_create("test", 4096) >= 0);
}

static int dump_core(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    return limit.rlim_max == 0 ? REFUSED : ALLOWED;
}

static int limit_the_parent(void)
{
    struct rlimit none = {0, 0};
    return attempt(prlimit(getppid(), RLIMIT_NOFILE, &none, NULL) == 0);
}

static int ask_for_limits(void)
{
    struct rlimit limit;
    return attempt(getrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int signal_the_parent(void)
{
    return attempt(kill(getppid(), SIGCONT) == 0);
}

static int start_a_process(void)
{
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    return attempt(pid > 0);
}

static int trace_the_parent(void)
{
    return attempt(syscall(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, getppid(), 0, 0) == 0);
}

static int make_a_namespace(void)
{
    return attempt(unshare(CLONE_NEWUSER) == 0);
}

static int use_the_network(void)
{
    return attempt(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
}

static int connect_somewhere(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return attempt(connect(fd, (void *)&address, sizeof(address)) == 0);
}

static int change_a_mode(void)
{
    return attempt(chmod("/tmp", 01777) == 0);
}

static void *nothing(void *data)
{
    setpriority(PRIO_PROCESS, 0, 1);
    return data;
}

static int start_a_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, nothing, NULL);
    return error ? UNEXPECTED : (pthread_join(thread, NULL), ALLOWED);
}

static int speak_for_the_user(void)
{
    return attempt(setpriority(PRIO_USER, 0, 5) == 0);
}

static int have_the_parent_signalled(void)
{
    int fds[2];
    return attempt(pipe(fds) == 0 && fcntl(fds[0], F_SETOWN, getppid()) == 0);
}

static int press_a_key(void)
{
    return attempt(ioctl(STDIN_FILENO, TIOCSTI, "x") == 0);
}

static int send_to_anybody(void)
{
    int fds[2];
    return attempt(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
}

static int write_code_in_place(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return attempt(page != MAP_FAILED &&
                   mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
}

static int write_code_first(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return attempt(page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
}

static int schedule_the_parent(void)
{
    cpu_set_t set;
    return attempt(sched_getaffinity(0, sizeof(set), &set) == 0 &&
                   sched_setaffinity(getppid(), sizeof(set), &set) == 0);
}

static int call_what_no_driver_calls(void)
{
    return attempt(syscall(SYS_inotify_init1, 0) >= 0);
}

// A driver starts threads while it is loaded; in them nothing may be left open.
static _Atomic bool entered;

static void *count_privileges(void *data)
{
    char line[256];
    while (!entered)
        sched_yield();
    FILE *status = fopen("/proc/thread-self/status", "r");
    int *bound = data;
    while (status && fgets(line, sizeof(line), status))
        *bound += !strcmp(line, "NoNewPrivs:\t1\n") || !strcmp(line, "Seccomp:\t2\n");
    return NULL;
}

static int bind_an_older_thread(void)
{
    int bound = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, count_privileges, &bound);
    enter();
    entered = true;
    pthread_join(thread, NULL);
    return bound == 2 ? REFUSED : ALLOWED;
}

static int ask_how_much_the_parent_computes(void)
{
    uint64_t ns = 0;
    return os_process_cpu(getppid(), &ns) && ns ? ALLOWED : REFUSED;
}

static const struct {
    const char *name;
    int (*run)(void);
} cases[] = {{"secrets", read_secrets},
             {"create", create_file},
             {"execute", execute},
             {"read", read_file},
             {"named", read_what_is_named},
             {"device", write_device},
             {"memory", use_shared_memory},
             {"computes", ask_how_much_the_parent_computes},
             {"core", dump_core},
             {"limits", limit_the_parent},
             {"ask", ask_for_limits},
             {"signal", signal_the_parent},
             {"fork", start_a_process},
             {"trace", trace_the_parent},
             {"namespace", make_a_namespace},
             {"network", use_the_network},
             {"connect", connect_somewhere},
             {"mode", change_a_mode},
             {"thread", start_a_thread},
             {"older", bind_an_older_thread},
             {"user", speak_for_the_user},
             {"owner", have_the_parent_signalled},
             {"key", press_a_key},
             {"datagram", send_to_anybody},
             {"code", write_code_in_place},
             {"compiler", write_code_first},
             {"schedule", schedule_the_parent},
             {"unlisted", call_what_no_driver_calls}};

static int child(const char *name, const char *flavour, const char *number)
{
    os_init(&(struct os_options){.portable = !strcmp(flavour, "portable")});
    kind = (enum os_sandbox)atoi(number);
    if (!strcmp(name, "older"))
        return bind_an_older_thread();
    if (enter())
        return NO_SANDBOX;
    bool confined = !strstr(summary, "no landlock") && !strstr(summary, "no sandbox");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!strcmp(cases[i].name, name)) {
            bool on = kind != OS_SANDBOX_OFF;
            bool needs_landlock = on && i < OF_LANDLOCK,
                 needs_seccomp = on && i >= FIRST_OF_SECCOMP;
            if ((needs_landlock && !confined) || (needs_seccomp && !strstr(summary, "seccomp")))
                return NO_SANDBOX;
            return cases[i].run();
        }
    return UNEXPECTED;
}

static int result_of(const char *name, enum os_sandbox kind)
{
    char path[4096], number[] = {(char)('0' + kind), 0};
    assert_int_equal(os_self_path(path, sizeof(path)), 0);
    char *argv[] = {path, (char *)name, os_is_portable() ? "portable" : "native", number, NULL};
    pid_t pid = os_spawn(&(struct os_spawn_options){.path = path, .argv = argv});
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_SANDBOX)
        skip(); // this kernel has none
    return WEXITSTATUS(status);
}

static void expect(const char *const *names, size_t count, enum os_sandbox kind, int result)
{
    for (size_t i = 0; i < count; i++) {
        int got = result_of(names[i], kind);
        if (got != result)
            fail_msg("%s, sandbox %d: %d and not %d", names[i], kind, got, result);
    }
}

#define EXPECT(result, ...)                                                                        \
    do {                                                                                           \
        static const char *const names[] = {__VA_ARGS__};                                          \
        size_t count = sizeof(names) / sizeof(names[0]);                                           \
        expect(names, count, OS_SANDBOX_DEFAULT, result);                                          \
        expect(names, count, OS_SANDBOX_STRICT, result);                                           \
    } while (0)

static void files_are_not_created(void **state)
{
    EXPECT(REFUSED, "create");
}

static void files_are_not_read(void **state)
{
    EXPECT(REFUSED, "secrets");
}

static void programs_are_not_run(void **state)
{
    EXPECT(REFUSED, "execute");
}

static void no_core_is_dumped(void **state)
{
    EXPECT(REFUSED, "core");
}

static void other_processes_are_out_of_reach(void **state)
{
    EXPECT(REFUSED, "limits", "signal", "fork", "trace", "namespace", "user", "owner", "key",
           "schedule");
}

static void nothing_is_reached_by_sockets_or_modes(void **state)
{
    EXPECT(REFUSED, "network", "connect", "datagram", "mode");
}

static void threads_from_before_are_bound_as_well(void **state)
{
    EXPECT(REFUSED, "older");
}

static void drivers_go_on_working(void **state)
{
    EXPECT(ALLOWED, "thread", "ask", "read", "named", "device", "memory", "compiler");
}

static void only_the_strict_one_refuses_what_some_drivers_need(void **state)
{
    static const char *const names[] = {"code", "unlisted"};
    expect(names, 2, OS_SANDBOX_DEFAULT, ALLOWED);
    expect(names, 2, OS_SANDBOX_STRICT, REFUSED);
}

// Else it would take a worker that computes on a busy machine for one that hangs.
static void who_serves_knows_how_much_its_workers_compute(void **state)
{
    static const char *const names[] = {"computes"};
    expect(names, 1, OS_SANDBOX_SERVER, ALLOWED);
}

static void switched_off_it_refuses_nothing(void **state)
{
    static const char *const names[] = {"create", "fork", "network", "code", "unlisted"};
    expect(names, 5, OS_SANDBOX_OFF, ALLOWED);
}

int main(int argc, char **argv)
{
    if (argc == 4)
        return child(argv[1], argv[2], argv[3]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_not_created),
        cmocka_unit_test(files_are_not_read),
        cmocka_unit_test(programs_are_not_run),
        cmocka_unit_test(no_core_is_dumped),
        cmocka_unit_test(other_processes_are_out_of_reach),
        cmocka_unit_test(nothing_is_reached_by_sockets_or_modes),
        cmocka_unit_test(threads_from_before_are_bound_as_well),
        cmocka_unit_test(drivers_go_on_working),
        cmocka_unit_test(only_the_strict_one_refuses_what_some_drivers_need),
        cmocka_unit_test(who_serves_knows_how_much_its_workers_compute),
        cmocka_unit_test(switched_off_it_refuses_nothing),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
