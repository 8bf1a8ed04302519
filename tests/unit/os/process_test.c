#include "../flavour.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process.h"
#include "os/shm.h"

static int end_of(pid_t pid)
{
    int status;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

// Runs a shell script with the write end of a pipe as descriptor 3; its output is in `text`.
static void output_of(const char *script, struct os_spawn_options options, char *text, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    struct os_fd_pass pass = {.parent_fd = ends[1], .child_fd = 3};
    options.path = "sh";
    options.argv = argv;
    options.fds = &pass;
    options.fd_count = 1;
    pid_t pid = os_spawn(&options);
    close(ends[1]);
    ssize_t got = 0, more;
    while ((more = read(ends[0], text + got, size - 1 - (size_t)got)) > 0)
        got += more;
    text[got] = 0;
    close(ends[0]);
    assert_int_equal(end_of(pid), 0);
}

static void the_exit_status_comes_back(void **state)
{
    char *argv[] = {"sh", "-c", "exit 42", NULL};
    int status = end_of(os_spawn(&(struct os_spawn_options){.path = "sh", .argv = argv}));
    assert_int_equal(WEXITSTATUS(status), 42);
}

static void a_missing_program_is_an_error(void **state)
{
    char *argv[] = {"x", NULL};
    assert_int_equal(
        os_spawn(&(struct os_spawn_options){.path = "no-such-program-here", .argv = argv}),
        -ENOENT);
    assert_int_equal(os_spawn(&(struct os_spawn_options){.path = "/", .argv = argv}), -EACCES);
}

static void only_passed_descriptors_reach_the_child(void **state)
{
    char text[256];
    int leaked = fcntl(0, F_DUPFD, 20); // not close-on-exec, as a careless parent leaves it
    output_of("for n in 3 20; do [ -e /dev/fd/$n ] && echo $n >&3; done; true",
              (struct os_spawn_options){0}, text, sizeof(text));
    assert_string_equal(text, "3\n");
    output_of("for n in 3 20; do [ -e /dev/fd/$n ] && echo $n >&3; done; true",
              (struct os_spawn_options){.inherit_fds = true}, text, sizeof(text));
    assert_string_equal(text, "3\n20\n");
    close(leaked);
}

static void descriptors_may_swap_numbers(void **state)
{
    int ends[2][2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pipe(ends[i]), 0);
    // Each gets the number that the other has here.
    struct os_fd_pass pass[] = {{ends[0][1], ends[1][1]}, {ends[1][1], ends[0][1]}};
    char script[64];
    snprintf(script, sizeof(script), "echo one >&%d; echo two >&%d", ends[1][1], ends[0][1]);
    char *argv[] = {"sh", "-c", script, NULL};
    end_of(os_spawn(
        &(struct os_spawn_options){.path = "sh", .argv = argv, .fds = pass, .fd_count = 2}));
    char text[8] = {0};
    assert_int_equal(read(ends[0][0], text, 4), 4);
    assert_string_equal(text, "one\n");
    assert_int_equal(read(ends[1][0], text, 4), 4);
    assert_string_equal(text, "two\n");
    for (int i = 0; i < 4; i++)
        close(ends[i / 2][i % 2]);
}

static void set_limit(int resource, rlim_t soft, struct rlimit *before)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(resource, before), 0);
    limit = *before;
    limit.rlim_cur = soft;
    assert_int_equal(setrlimit(resource, &limit), 0);
}

static void few_descriptors_are_enough(void **state)
{
    struct rlimit before;
    char text[8];
    set_limit(RLIMIT_NOFILE, 16, &before);
    output_of("echo ok >&3", (struct os_spawn_options){0}, text, sizeof(text));
    assert_string_equal(text, "ok\n");

    char *argv[] = {"sh", "-c", "exit 0", NULL};
    struct os_fd_pass pass = {.parent_fd = 2, .child_fd = 20};
    assert_int_equal(os_spawn(&(struct os_spawn_options){
                         .path = "sh", .argv = argv, .fds = &pass, .fd_count = 1}),
                     -EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);
}

// Another process of this user can set such a limit for this one.
static void limits_of_file_size_and_time_do_not_kill(void **state)
{
    struct rlimit before;
    set_limit(RLIMIT_FSIZE, 4096, &before);
    if (!os_is_portable()) // POSIX shared memory is not a file to every kernel
        assert_int_equal(os_shm_create("test", 1 << 20), -EFBIG);
    char path[] = "/tmp/hesper-limit-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    assert_int_equal(ftruncate(fd, 8192), -1);
    assert_int_equal(errno, EFBIG);
    close(fd);
    setrlimit(RLIMIT_FSIZE, &before);
    raise(SIGXFSZ);
    raise(SIGXCPU);
    // A child dies of them again.
    char *argv[] = {"sh", "-c", "kill -XFSZ $$; exit 7", NULL};
    int status = end_of(os_spawn(&(struct os_spawn_options){.path = "sh", .argv = argv}));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

// A service may be started with 0 to 2 closed.
static void a_closed_standard_descriptor_is_no_error(void **state)
{
    int kept = fcntl(0, F_DUPFD_CLOEXEC, 100);
    close(0);
    char *argv[] = {"sh", "-c", "exit 0", NULL};
    pid_t pid = os_spawn(&(struct os_spawn_options){.path = "sh", .argv = argv});
    dup2(kept, 0);
    close(kept);
    assert_int_equal(end_of(pid), 0);
}

static int waits_for_ever(int fd)
{
    os_die_with_parent();
    if (write(fd, "x", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static int starts_one_that_waits(char *self, int fd)
{
    char *argv[] = {self, "wait", NULL};
    struct os_fd_pass pass = {fd, fd};
    pid_t pid = os_spawn(
        &(struct os_spawn_options){.path = self, .argv = argv, .fds = &pass, .fd_count = 1});
    close(fd);
    return pid > 0 ? waits_for_ever(1) : 1;
}

static void a_child_goes_with_its_parent(void **state)
{
    enum { FD = 9 };
    char path[PATH_MAX], byte;
    int ends[2];
    assert_int_equal(os_self_path(path, sizeof(path)), 0);
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    char *argv[] = {path, "start", NULL};
    struct os_fd_pass pass = {ends[1], FD};
    pid_t pid = os_spawn(
        &(struct os_spawn_options){.path = path, .argv = argv, .fds = &pass, .fd_count = 1});
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1); // this program's child of its child runs
    kill(pid, SIGKILL);
    end_of(pid);
    assert_int_equal(read(ends[0], &byte, 1), 0); // its end of the pipe is closed: it has gone
    close(ends[0]);
}

static void the_environment_is_the_given_one(void **state)
{
    char text[64];
    char *environment[] = {"COLOUR=blue", "PATH=/usr/bin:/bin", NULL};
    output_of("echo $COLOUR >&3", (struct os_spawn_options){.environment = environment}, text,
              sizeof(text));
    assert_string_equal(text, "blue\n");
}

static void signals_start_afresh(void **state)
{
    // os_init has SIGPIPE ignored here.
    char *argv[] = {"sh", "-c", "kill -PIPE $$; exit 0", NULL};
    int status = end_of(os_spawn(&(struct os_spawn_options){.path = "sh", .argv = argv}));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGPIPE);
}

static void a_group_of_its_own(void **state)
{
    char *argv[] = {"sleep", "100", NULL};
    pid_t pid =
        os_spawn(&(struct os_spawn_options){.path = "sleep", .argv = argv, .own_group = true});
    assert_int_equal(getpgid(pid), pid);
    kill(pid, SIGKILL);
    end_of(pid);
}

static void our_own_path_is_known(void **state)
{
    char path[PATH_MAX], tiny[4];
    assert_int_equal(os_self_path(path, sizeof(path)), 0);
    assert_non_null(strstr(path, "os_process_test"));
    assert_int_equal(access(path, X_OK), 0);
    assert_int_not_equal(os_self_path(tiny, sizeof(tiny)), 0);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OTHER_MALLOC
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OTHER_MALLOC
#endif
#endif

#if defined(__GLIBC__) && !defined(OTHER_MALLOC)
static long page_faults(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_minflt;
}

// Twice, and more than malloc keeps unasked.
static void freed_memory_is_there_the_next_time(void **state)
{
    enum { SIZE = 3 << 20, PAGES = SIZE / 4096 };
    os_keep_freed_memory();
    long before = 0;
    for (int i = 0; i < 20; i++) {
        if (i == 2)
            before = page_faults();
        char *volatile first = malloc(SIZE), *volatile second = malloc(SIZE);
        assert_true(first && second);
        memset(first, i, SIZE);
        memset(second, i, SIZE);
        free(first);
        free(second);
    }
    assert_true(page_faults() - before < PAGES);
}
#endif

#ifdef __linux__
// size, policy, flags (64 bits), nice, priority, and the turn's length, as the kernel has them
static const uint64_t *turns(uint64_t words[6])
{
    ((uint32_t *)words)[0] = 48;
    assert_int_equal(syscall(SYS_sched_getattr, 0, words, 48, 0), 0);
    return words;
}

static void *look_at_turns(void *words)
{
    turns(words);
    return NULL;
}

static void turns_are_short_in_threads_that_are_started_later(void **state)
{
    uint64_t before[6] = {0}, after[6] = {0};
    pthread_t thread;
    turns(before);
    os_take_short_turns();
    assert_int_equal(pthread_create(&thread, NULL, look_at_turns, after), 0);
    pthread_join(thread, NULL);
    assert_int_equal((uint32_t)after[2], (uint32_t)before[2]); // as nice as before
    assert_int_equal(os_turns_are_short(), before[3] != 0);    // 0: a kernel before 6.12
    assert_true(after[3] <= 100000);
}
#endif

int main(int argc, char **argv)
{
    if (argc > 1) { // as somebody's child
        os_init(&(struct os_options){0});
        return strcmp(argv[1], "wait") == 0 ? waits_for_ever(9) : starts_one_that_waits(argv[0], 9);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_status_comes_back),
        cmocka_unit_test(a_missing_program_is_an_error),
        cmocka_unit_test(only_passed_descriptors_reach_the_child),
        cmocka_unit_test(descriptors_may_swap_numbers),
        cmocka_unit_test(few_descriptors_are_enough),
        cmocka_unit_test(limits_of_file_size_and_time_do_not_kill),
        cmocka_unit_test(a_closed_standard_descriptor_is_no_error),
        cmocka_unit_test(a_child_goes_with_its_parent),
        cmocka_unit_test(the_environment_is_the_given_one),
        cmocka_unit_test(signals_start_afresh),
        cmocka_unit_test(a_group_of_its_own),
        cmocka_unit_test(our_own_path_is_known),
#ifdef __linux__
        cmocka_unit_test(turns_are_short_in_threads_that_are_started_later),
#endif
#if defined(__GLIBC__) && !defined(OTHER_MALLOC)
        cmocka_unit_test(freed_memory_is_there_the_next_time),
#endif
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
