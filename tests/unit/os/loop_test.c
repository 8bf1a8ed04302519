#include "../flavour.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../short.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/notifier.h"
#include "os/process.h"

#define MS 1000000ull

struct fixture {
    struct os_loop *loop;
    struct os_source *source, *other;
    struct os_notifier first, second;
    int calls, other_calls;
    unsigned events;
    int number, status;
    bool from_process;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->loop = new_loop();
    os_notifier_init(&fixture->first);
    os_notifier_init(&fixture->second);
    *state = fixture;
    return fixture->loop ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    os_loop_destroy(fixture->loop);
    os_notifier_finish(&fixture->first);
    os_notifier_finish(&fixture->second);
    free(fixture);
    return 0;
}

static void stop_timer(void *data)
{
    struct fixture *fixture = data;
    os_loop_stop(fixture->loop, 5);
}

static void count_fd(void *data, int fd, unsigned events)
{
    struct fixture *fixture = data;
    fixture->calls++;
    fixture->events = events;
    os_loop_stop(fixture->loop, 7);
}

static void a_ready_descriptor_is_told(void **state)
{
    struct fixture *fixture = *state;
    os_loop_add_fd(fixture->loop, fixture->first.read_fd, OS_READABLE, count_fd, fixture);
    os_notifier_signal(&fixture->first);
    assert_int_equal(os_loop_run(fixture->loop), 7);
    assert_int_equal(fixture->calls, 1);
    assert_int_equal(fixture->events, OS_READABLE);
}

static void a_hangup_is_told_to_who_asked_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct os_notifier pipe;
    os_notifier_init_pipe(&pipe);
    struct os_source *source = os_loop_add_fd(fixture->loop, pipe.read_fd, 0, count_fd, fixture);
    os_loop_add_timer(fixture->loop, os_now_ns() + 5000 * MS, stop_timer, fixture);
    close(pipe.write_fd);
    assert_int_equal(os_loop_run(fixture->loop), 7);
    assert_int_equal(fixture->events, OS_HANGUP);
    os_source_remove(source);
    close(pipe.read_fd);
}

static void no_events_means_silence(void **state)
{
    struct fixture *fixture = *state;
    struct os_source *source =
        os_loop_add_fd(fixture->loop, fixture->first.read_fd, OS_READABLE, count_fd, fixture);
    os_source_set_events(source, 0);
    os_notifier_signal(&fixture->first);
    os_loop_add_timer(fixture->loop, os_now_ns() + 20 * MS, stop_timer, fixture);
    assert_int_equal(os_loop_run(fixture->loop), 5);
    assert_int_equal(fixture->calls, 0);
}

static void remove_both(void *data, int fd, unsigned events)
{
    struct fixture *fixture = data;
    fixture->calls++;
    os_source_remove(fixture->source);
    os_source_remove(fixture->other);
    os_loop_add_timer(fixture->loop, os_now_ns() + 20 * MS, stop_timer, fixture);
}

static void sources_may_go_in_a_callback(void **state)
{
    struct fixture *fixture = *state;
    fixture->source =
        os_loop_add_fd(fixture->loop, fixture->first.read_fd, OS_READABLE, remove_both, fixture);
    fixture->other =
        os_loop_add_fd(fixture->loop, fixture->second.read_fd, OS_READABLE, remove_both, fixture);
    os_notifier_signal(&fixture->first);
    os_notifier_signal(&fixture->second);
    os_loop_run(fixture->loop);
    assert_int_equal(fixture->calls, 1); // whichever came first removed the other, ready as it was
}

static void hang_up(void *data, int fd, unsigned events)
{
    struct fixture *fixture = data;
    fixture->events = events;
    os_loop_stop(fixture->loop, 0);
}

static void hang_up_is_told_unasked(void **state)
{
    struct fixture *fixture = *state;
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    os_loop_add_fd(fixture->loop, pair[0], 0, hang_up, fixture);
    close(pair[1]);
    os_loop_run(fixture->loop);
    assert_true(fixture->events & OS_HANGUP);
    close(pair[0]);
}

static void add_more(void *data, int fd, unsigned events)
{
    struct fixture *fixture = data;
    os_notifier_clear(&fixture->first);
    for (int i = 0; i < 100; i++) // beyond the first capacity: the arrays move under the dispatcher
        assert_non_null(
            os_loop_add_fd(fixture->loop, fixture->second.read_fd, OS_READABLE, count_fd, fixture));
    os_notifier_signal(&fixture->second);
}

static void sources_may_come_in_a_callback(void **state)
{
    struct fixture *fixture = *state;
    os_loop_add_fd(fixture->loop, fixture->first.read_fd, OS_READABLE, add_more, fixture);
    os_notifier_signal(&fixture->first);
    os_loop_run(fixture->loop);
    assert_int_equal(fixture->calls, 100);
}

static void tick(void *data)
{
    struct fixture *fixture = data;
    if (++fixture->calls == 3)
        os_loop_stop(fixture->loop, 0);
    else
        os_source_set_deadline(fixture->source, os_now_ns() + 5 * MS);
}

static void timers_fire_once_and_can_be_armed_again(void **state)
{
    struct fixture *fixture = *state;
    uint64_t start = os_now_ns();
    fixture->source = os_loop_add_timer(fixture->loop, start + 5 * MS, tick, fixture);
    struct os_source *disarmed =
        os_loop_add_timer(fixture->loop, start + 1 * MS, stop_timer, fixture);
    os_source_set_deadline(disarmed, 0);
    os_loop_run(fixture->loop);
    assert_int_equal(fixture->calls, 3);
    assert_true(os_now_ns() - start >= 15 * MS);
}

static void on_idle(void *data)
{
    struct fixture *fixture = data;
    fixture->other_calls++;
    if (fixture->other_calls == 1)
        os_notifier_signal(&fixture->first); // what idle work makes ready is seen at once
}

static void idle_comes_before_sleep(void **state)
{
    struct fixture *fixture = *state;
    os_loop_set_idle(fixture->loop, on_idle, fixture);
    os_loop_add_fd(fixture->loop, fixture->first.read_fd, OS_READABLE, count_fd, fixture);
    assert_int_equal(os_loop_run(fixture->loop), 7);
    assert_int_equal(fixture->other_calls, 1);
    assert_int_equal(os_loop_run(fixture->loop), 7); // still readable: nothing to sleep for
    assert_int_equal(fixture->other_calls, 1);
}

static void count_rounds(void *data, int fd, unsigned events)
{
    struct fixture *fixture = data;
    if (++fixture->calls == 100)
        os_loop_stop(fixture->loop, 0);
}

static void a_busy_loop_does_not_starve_idle_work(void **state)
{
    struct fixture *fixture = *state;
    os_loop_set_idle(fixture->loop, on_idle, fixture);
    os_loop_add_fd(fixture->loop, fixture->second.read_fd, OS_READABLE, count_rounds, fixture);
    os_notifier_signal(&fixture->second);
    os_loop_run(fixture->loop);
    assert_true(fixture->other_calls >= 10);
}

static void quick_tick(void *data, int fd, unsigned events)
{
    struct fixture *fixture = data;
    os_notifier_clear(&fixture->first);
    if (++fixture->calls < 100)
        os_notifier_signal(&fixture->first);
}

static void a_brisk_loop_still_sleeps(void **state)
{
    struct fixture *fixture = *state;
    os_loop_add_fd(fixture->loop, fixture->first.read_fd, OS_READABLE, quick_tick, fixture);
    os_notifier_signal(&fixture->first);
    os_loop_add_timer(fixture->loop, os_now_ns() + 100 * MS, stop_timer, fixture);
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    os_loop_run(fixture->loop);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t used = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
    assert_int_equal(fixture->calls, 100);
    assert_true(used < (int64_t)(50 * MS));
}

static void on_child(void *data, pid_t pid, int status)
{
    struct fixture *fixture = data;
    fixture->calls++;
    fixture->status = status;
    os_loop_stop(fixture->loop, 0);
}

static pid_t spawn_shell(const char *script)
{
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    return os_spawn(&(struct os_spawn_options){.path = "sh", .argv = argv});
}

static void the_end_of_a_child_is_told(void **state)
{
    struct fixture *fixture = *state;
    assert_non_null(os_loop_add_child(fixture->loop, spawn_shell("exit 9"), on_child, fixture));
    os_loop_run(fixture->loop);
    assert_true(WIFEXITED(fixture->status));
    assert_int_equal(WEXITSTATUS(fixture->status), 9);

    pid_t pid = spawn_shell("exec sleep 100");
    os_loop_add_child(fixture->loop, pid, on_child, fixture);
    kill(pid, SIGKILL);
    os_loop_run(fixture->loop);
    assert_true(WIFSIGNALED(fixture->status));
    assert_int_equal(fixture->calls, 2);
}

static void a_child_that_ended_before_is_told_too(void **state)
{
    struct fixture *fixture = *state;
    pid_t pid = spawn_shell("exit 3");
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    os_loop_add_child(fixture->loop, pid, on_child, fixture);
    os_loop_run(fixture->loop);
    assert_int_equal(WEXITSTATUS(fixture->status), 3);
}

static void children_of_others_are_left_alone(void **state)
{
    struct fixture *fixture = *state;
    pid_t theirs = spawn_shell("exit 1"), ours = spawn_shell("exit 2");
    os_loop_add_child(fixture->loop, ours, on_child, fixture);
    os_loop_run(fixture->loop);
    int status;
    assert_int_equal(waitpid(theirs, &status, 0), theirs);
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void on_signal(void *data, int number, bool from_process)
{
    struct fixture *fixture = data;
    fixture->calls++;
    fixture->number = number;
    fixture->from_process = from_process;
    os_loop_stop(fixture->loop, 0);
}

static void signals_are_told_and_given_back(void **state)
{
    struct fixture *fixture = *state;
    struct sigaction before, after;
    sigaction(SIGUSR1, NULL, &before);
    struct os_source *source = os_loop_add_signal(fixture->loop, SIGUSR1, on_signal, fixture);
    kill(getpid(), SIGUSR1);
    os_loop_run(fixture->loop);
    assert_int_equal(fixture->number, SIGUSR1);
    assert_true(fixture->from_process);
    os_source_remove(source);
    sigaction(SIGUSR1, NULL, &after);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
    assert_null(os_loop_add_signal(fixture->loop, 0, on_signal, fixture));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_ready_descriptor_is_told),
        TEST(a_hangup_is_told_to_who_asked_for_nothing),
        TEST(no_events_means_silence),
        TEST(sources_may_go_in_a_callback),
        TEST(hang_up_is_told_unasked),
        TEST(sources_may_come_in_a_callback),
        TEST(timers_fire_once_and_can_be_armed_again),
        TEST(idle_comes_before_sleep),
        TEST(a_busy_loop_does_not_starve_idle_work),
        TEST(a_brisk_loop_still_sleeps),
        TEST(the_end_of_a_child_is_told),
        TEST(a_child_that_ended_before_is_told_too),
        TEST(children_of_others_are_left_alone),
        TEST(signals_are_told_and_given_back),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
