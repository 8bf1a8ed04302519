// This program is the starter too, and what it starts.
#include "../flavour.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process.h"
#include "os/socket.h"
#include "os/starter.h"

static char self[4096];

// What a child is: it says who it is by what it got.
static int be_started(const char *word)
{
    char line[64];
    snprintf(line, sizeof(line), "%s %d %d", word, getpgid(0) == getpid(),
             fcntl(OS_CHILD_FD + 1, F_GETFD) < 0);
    return write(OS_CHILD_FD, line, strlen(line)) > 0 ? 7 : 8;
}

static int begin(void **state)
{
    (void)state;
    int error = os_starter_begin();
    return error && error != -ENOSYS;
}

static int end(void **state)
{
    (void)state;
    os_starter_end();
    return 0;
}

static int run(const char *const *command, char *text, size_t size)
{
    int fds[2], status;
    assert_int_equal(os_socket_pair(fds), 0);
    pid_t pid = os_starter_spawn(command, &fds[1], 1);
    close(fds[1]);
    ssize_t got = pid > 0 ? read(fds[0], text, size - 1) : 0;
    text[got > 0 ? got : 0] = 0;
    close(fds[0]);
    if (pid < 0)
        return pid;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void what_was_taught_is_started_as_a_child_of_ours(void **state)
{
    (void)state;
    const char *const command[] = {self, "child", "hello", NULL};
    char text[64];
    assert_int_equal(os_starter_teach(command), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run(command, text, sizeof(text)), 7);
        assert_memory_equal(text, "hello", 5);
        assert_string_equal(text + 5, " 1 1"); // a group of its own, and no more descriptors
    }
}

static void nothing_else_is_started_or_learned_too_late(void **state)
{
    (void)state;
    const char *const command[] = {self, "child", "hello", NULL};
    const char *const longer[] = {self, "child", "hello", "you", NULL};
    const char *const other[] = {"/bin/true", NULL};
    char text[64];
    assert_int_equal(os_starter_teach(command), 0);
    os_starter_close();
    assert_int_equal(os_starter_teach(command), 0); // known
    assert_int_equal(os_starter_teach(other), -EPERM);
    assert_int_equal(run(other, text, sizeof(text)), -EPERM);
    assert_int_equal(run(longer, text, sizeof(text)), -EPERM);
    assert_int_equal(run(command, text, sizeof(text)), 7);
}

static void a_program_that_is_not_there_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    const char *const command[] = {"/nowhere/program", NULL};
    char text[64];
    assert_int_equal(os_starter_teach(command), 0);
    assert_int_equal(run(command, text, sizeof(text)), -ENOENT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); // the starter, and no other child
}

static void only_places_that_were_taught_are_connected_to(void **state)
{
    (void)state;
    char folder[] = "/tmp/hesper-starter-XXXXXX", path[64], other[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a", folder);
    snprintf(other, sizeof(other), "%s/b", folder);
    const char *const place[] = {path, NULL};
    int listeners[] = {os_socket_listen(path), os_socket_listen(other)};
    assert_int_equal(os_starter_teach(place), 0);
    os_starter_close();
    int fd = os_starter_connect(path);
    assert_true(fd >= 0);
    int accepted = os_socket_accept(listeners[0]);
    assert_true(accepted >= 0);
    assert_int_equal(os_starter_connect(other), -EPERM);
    close(accepted);
    close(fd);
    close(listeners[0]);
    close(listeners[1]);
    assert_int_equal(os_starter_connect(path), -ECONNREFUSED);
    unlink(path);
    unlink(other);
    rmdir(folder);
}

static void without_one_the_process_starts_them_itself(void **state)
{
    (void)state;
    const char *const command[] = {self, "child", "alone", NULL};
    char text[64];
    assert_int_equal(os_starter_teach(command), 0);
    assert_int_equal(run(command, text, sizeof(text)), 7);
    assert_memory_equal(text, "alone", 5);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "starter"))
        return os_starter_main();
    if (argc >= 3)
        return be_started(argv[2]);
    if (os_self_path(self, sizeof(self)))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_one_the_process_starts_them_itself),
#ifdef __linux__
        cmocka_unit_test_setup_teardown(what_was_taught_is_started_as_a_child_of_ours, begin, end),
        cmocka_unit_test_setup_teardown(nothing_else_is_started_or_learned_too_late, begin, end),
        cmocka_unit_test_setup_teardown(a_program_that_is_not_there_is_an_error_and_leaves_nothing,
                                        begin, end),
        cmocka_unit_test_setup_teardown(only_places_that_were_taught_are_connected_to, begin, end),
#endif
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
