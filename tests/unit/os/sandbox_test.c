// The sandbox can't be left: each case runs in a child, which is this program again.
#include "../flavour.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process.h"
#include "os/sandbox.h"
#include "os/shm.h"

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

static const struct {
    const char *name;
    int (*run)(void);
} cases[] = {{"create", create_file},  {"execute", execute},          {"read", read_file},
             {"device", write_device}, {"memory", use_shared_memory}, {"core", dump_core}};

static int child(const char *name, const char *flavour)
{
    os_init(&(struct os_options){.portable = !strcmp(flavour, "portable")});
    char summary[128];
    if (os_sandbox_enter(summary, sizeof(summary)))
        return NO_SANDBOX;
    bool confined = !strstr(summary, "no landlock") && !strstr(summary, "no sandbox");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!strcmp(cases[i].name, name)) {
            bool needs_landlock = i < 2;
            return needs_landlock && !confined ? NO_SANDBOX : cases[i].run();
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

static void drivers_go_on_working(void **state)
{
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
        cmocka_unit_test(drivers_go_on_working),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
