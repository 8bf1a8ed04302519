// Where poll is silent about descriptors of which nothing is asked (macOS), the loop has the
// platform watch them. Here epoll plays that platform, and the loop is a copy of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <sys/epoll.h>
#include <sys/socket.h>

#define os_native_hangups_create fake_create
#define os_native_hangups_watch fake_watch
#define os_native_hangups_next fake_next
#include "../../../src/os/loop.c"

#include "../short.h"
#include "os/os.h"

static int watched; // by the platform, at the moment

int fake_create(void)
{
    watched = 0;
    return epoll_create1(EPOLL_CLOEXEC);
}

void fake_watch(int hangups, int fd, bool on)
{
    // Edges, as kqueue's EV_CLEAR: data as well as a hang-up.
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    assert_int_equal(epoll_ctl(hangups, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event), 0);
    watched += on ? 1 : -1;
}

int fake_next(int hangups)
{
    struct epoll_event event;
    while (epoll_wait(hangups, &event, 1, 0) > 0)
        if (event.events & (EPOLLHUP | EPOLLRDHUP))
            return event.data.fd;
    return -1;
}

static struct fixture {
    struct os_loop *loop;
    struct os_source *source;
    int pair[2];
    int calls;
    unsigned events;
} f;

static void on_event(void *data, int fd, unsigned events)
{
    (void)data;
    assert_int_equal(fd, f.pair[0]);
    f.calls++;
    f.events = events;
}

static void on_timer(void *data)
{
    os_loop_stop(data, 0);
}

static void run_a_moment(void)
{
    struct os_source *timer = os_loop_add_timer(f.loop, os_now_ns() + 20000000, on_timer, f.loop);
    os_loop_run(f.loop);
    os_source_remove(timer);
}

static int set_up(void **state)
{
    (void)state;
    f = (struct fixture){.loop = new_loop()};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f.pair), 0);
    f.source = os_loop_add_fd(f.loop, f.pair[0], OS_READABLE, on_event, NULL);
    assert_int_equal(watched, 0);
    os_source_set_events(f.source, 0);
    assert_int_equal(watched, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    os_loop_destroy(f.loop);
    close(f.pair[0]);
    if (f.pair[1] >= 0)
        close(f.pair[1]);
    return 0;
}

static void hang_up(void)
{
    close(f.pair[1]);
    f.pair[1] = -1;
}

static void a_hangup_is_told_once(void **state)
{
    hang_up();
    run_a_moment();
    run_a_moment();
    assert_int_equal(f.calls, 1);
    assert_int_equal(f.events, OS_HANGUP);
}

static void also_behind_data_that_nobody_reads(void **state)
{
    assert_int_equal(write(f.pair[1], "x", 1), 1);
    run_a_moment();
    assert_int_equal(f.calls, 0);
    hang_up();
    run_a_moment();
    assert_int_equal(f.calls, 1);
}

static void also_when_it_was_there_before(void **state)
{
    os_source_set_events(f.source, OS_READABLE);
    assert_int_equal(watched, 0);
    hang_up();
    os_source_set_events(f.source, 0);
    run_a_moment();
    assert_int_equal(f.calls, 1);
}

static void what_waited_is_read_later(void **state)
{
    assert_int_equal(write(f.pair[1], "x", 1), 1);
    os_source_set_events(f.source, OS_READABLE);
    os_source_set_events(f.source, OS_READABLE | OS_WRITABLE);
    os_source_set_events(f.source, OS_READABLE);
    assert_int_equal(watched, 0);
    run_a_moment();
    assert_true(f.calls > 0);
    assert_int_equal(f.events, OS_READABLE);
}

static void who_was_removed_hears_nothing(void **state)
{
    os_source_remove(f.source);
    assert_int_equal(watched, 0);
    hang_up();
    run_a_moment();
    assert_int_equal(f.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hangup_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(also_behind_data_that_nobody_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(also_when_it_was_there_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waited_is_read_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_was_removed_hears_nothing, set_up, tear_down),
    };
    os_init(&(struct os_options){.portable = true});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
