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

enum { FIRST_OF_SECCOMP = 6 };
enum { ALLOWED = 0, REFUSED = 10, NO_SANDBOX = 20, UNEXPECTED = 30 };

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
    char summary[128];
    pthread_create(&thread, NULL, count_privileges, &bound);
    os_sandbox_enter(summary, sizeof(summary)); // again: it only gets narrower
    entered = true;
    pthread_join(thread, NULL);
    return bound == 2 ? REFUSED : ALLOWED;
}

static const struct {
    const char *name;
    int (*run)(void);
} cases[] = {
    {"create", create_file},      {"execute", execute},           {"read", read_file},
    {"device", write_device},     {"memory", use_shared_memory},  {"core", dump_core},
    {"limits", limit_the_parent}, {"ask", ask_for_limits},        {"signal", signal_the_parent},
    {"fork", start_a_process},    {"trace", trace_the_parent},    {"namespace", make_a_namespace},
    {"network", use_the_network}, {"connect", connect_somewhere}, {"mode", change_a_mode},
    {"thread", start_a_thread},   {"older", bind_an_older_thread}};

static int child(const char *name, const char *flavour)
{
    os_init(&(struct os_options){.portable = !strcmp(flavour, "portable")});
    char summary[128];
    if (os_sandbox_enter(summary, sizeof(summary)))
        return NO_SANDBOX;
    os_sandbox_close();
    bool confined = !strstr(summary, "no landlock") && !strstr(summary, "no sandbox");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!strcmp(cases[i].name, name)) {
            bool needs_landlock = i < 2, needs_seccomp = i >= FIRST_OF_SECCOMP;
            if ((needs_landlock && !confined) || (needs_seccomp && !strstr(summary, "seccomp")))
                return NO_SANDBOX;
            return cases[i].run();
        }
    return UNEXPECTED;
}

static int result_of(const char *name)
{
    char path[4096];
    assert_int_equal(os_self_path(path, sizeof(path)), 0);
    char *argv[] = {path, (char *)name, os_is_portable() ? "portable" : "native", NULL};
    pid_t pid = os_spawn(&(struct os_spawn_options){.path = path, .argv = argv});
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_SANDBOX)
        skip(); // this kernel has none
    return WEXITSTATUS(status);
}

static void files_are_not_created(void **state)
{
    assert_int_equal(result_of("create"), REFUSED);
}

static void programs_are_not_run(void **state)
{
    assert_int_equal(result_of("execute"), REFUSED);
}

static void no_core_is_dumped(void **state)
{
    assert_int_equal(result_of("core"), REFUSED);
}

static void other_processes_are_out_of_reach(void **state)
{
    static const char *const names[] = {"limits", "signal", "fork", "trace", "namespace"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (result_of(names[i]) != REFUSED)
            fail_msg("%s: not refused", names[i]);
}

static void nothing_is_reached_by_sockets_or_modes(void **state)
{
    static const char *const names[] = {"network", "connect", "mode"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (result_of(names[i]) != REFUSED)
            fail_msg("%s: not refused", names[i]);
}

static void threads_from_before_are_bound_as_well(void **state)
{
    assert_int_equal(result_of("older"), REFUSED);
}

static void drivers_go_on_working(void **state)
{
    assert_int_equal(result_of("thread"), ALLOWED);
    assert_int_equal(result_of("ask"), ALLOWED);
    assert_int_equal(result_of("read"), ALLOWED);
    assert_int_equal(result_of("device"), ALLOWED);
    assert_int_equal(result_of("memory"), ALLOWED);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return child(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_not_created),
        cmocka_unit_test(programs_are_not_run),
        cmocka_unit_test(no_core_is_dumped),
        cmocka_unit_test(other_processes_are_out_of_reach),
        cmocka_unit_test(nothing_is_reached_by_sockets_or_modes),
        cmocka_unit_test(threads_from_before_are_bound_as_well),
        cmocka_unit_test(drivers_go_on_working),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
