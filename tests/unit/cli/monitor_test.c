// What QEMU's monitor is told of keys, and the guest's agent of the time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/qemu/monitor.h"

static struct os_loop *loop;
static struct cli_monitor *monitor;
static int qemu, agent;
static time_t day = 1000000, awake = 1000; // seconds: the time of day, and without the host's sleep

// In the C library's place.
int clock_gettime(clockid_t clock, struct timespec *now)
{
    *now = (struct timespec){.tv_sec = clock == CLOCK_REALTIME ? day : awake};
    return 0;
}

static void on_change(void *data)
{
    (void)data;
}

static void on_idle(void *data)
{
    (void)data;
    os_loop_stop(loop, 0);
}

static void qemu_says(const char *line)
{
    assert_int_equal(write(qemu, line, strlen(line)), strlen(line));
    os_loop_run(loop);
}

// All that came there since; "" if nothing.
static const char *heard_at(int fd)
{
    static char text[65536];
    ssize_t got = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[got > 0 ? got : 0] = 0;
    return text;
}

static const char *qemu_hears(void)
{
    return heard_at(qemu);
}

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;
    for (; (text = strstr(text, what)); text++)
        found++;
    return found;
}

static int set_up(void **state)
{
    int ends[2], agents[2];
    (void)state;
    if (os_loop_create(&loop) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, agents) < 0)
        return -1;
    os_loop_set_idle(loop, on_idle, NULL);
    qemu = ends[1];
    agent = agents[1];
    monitor = cli_monitor_create(loop, ends[0], agents[0], on_change, NULL);
    return monitor ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    cli_monitor_destroy(monitor);
    os_loop_destroy(loop);
    close(qemu);
    close(agent);
    return 0;
}

static void greet(void)
{
    cli_monitor_key(monitor, 30, true); // QEMU does not listen yet
    assert_string_equal(qemu_hears(), "");
    qemu_says("{\"QMP\": {\"version\": {}}}\n");
    assert_int_equal(count(qemu_hears(), "qmp_capabilities"), 1);
    qemu_says("{\"return\": {}}\n");
}

static void keys_have_qemus_numbers(void **state)
{
    static const struct {
        unsigned key, number;
    } keys[] = {{1, 1}, {30, 30}, {88, 88}, {97, 0x9d}, {103, 0xc8}, {108, 0xd0}, {125, 0xdb}};
    (void)state;
    greet();
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char wanted[64];
        cli_monitor_key(monitor, keys[i].key, i % 2);
        const char *heard = qemu_hears();
        snprintf(wanted, sizeof(wanted), "\"data\":%u}", keys[i].number);
        assert_non_null(strstr(heard, wanted));
        assert_non_null(strstr(heard, i % 2 ? "\"down\":true" : "\"down\":false"));
        qemu_says("{\"return\": {}}\n");
    }
    cli_monitor_key(monitor, 0, true);
    cli_monitor_key(monitor, 101, true);
    cli_monitor_key(monitor, 4000, true);
    assert_string_equal(qemu_hears(), "");
}

// What QEMU does not answer does not fill its socket, and keys that are down may go up.
static void a_qemu_that_does_not_answer_is_told_little(void **state)
{
    (void)state;
    greet();
    for (unsigned i = 0; i < 1000; i++)
        cli_monitor_key(monitor, 30, true);
    assert_int_equal(count(qemu_hears(), "\"down\":true"), 32);
    for (unsigned i = 0; i < 1000; i++)
        cli_monitor_key(monitor, 30, false);
    assert_int_equal(count(qemu_hears(), "\"down\":false"), 32);
    for (unsigned i = 0; i < 64; i++)
        qemu_says("{\"return\": {}}\n");
    cli_monitor_key(monitor, 30, true);
    assert_int_equal(count(qemu_hears(), "\"down\":true"), 1);
}

static void a_machine_that_stands_still_is_told_nothing(void **state)
{
    (void)state;
    greet();
    qemu_says("{\"event\": \"STOP\"}\n");
    assert_false(cli_monitor_key(monitor, 30, true));
    assert_string_equal(qemu_hears(), "");
    qemu_says("{\"event\": \"RESUME\"}\n");
    assert_true(cli_monitor_key(monitor, 30, true));
    assert_int_equal(count(qemu_hears(), "\"down\":true"), 1);
}

static void pass(time_t seconds, time_t asleep)
{
    awake += seconds;
    day += seconds + asleep;
    qemu_says("\n");
}

static void a_host_that_has_slept_tells_the_time(void **state)
{
    (void)state;
    greet();
    pass(11, 3600); // nobody listens
    qemu_says("{\"event\": \"VSERPORT_CHANGE\", \"data\": {\"id\": \"hesper-guest-agent\", "
              "\"open\": true}}\n");
    pass(11, 0);
    pass(11, 0);
    assert_string_equal(heard_at(agent), "");
    pass(2, 3600);
    assert_string_equal(heard_at(agent), "");
    pass(9, 0);
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "{\"time\":%lld000000000}", (long long)day);
    assert_non_null(strstr(heard_at(agent), wanted));
    pass(11, 0); // once
    assert_string_equal(heard_at(agent), "");
    qemu_says("{\"event\": \"STOP\"}\n"); // it is told when it goes on
    pass(11, 3600);
    assert_string_equal(heard_at(agent), "");
    qemu_says("{\"event\": \"RESUME\"}\n");
    assert_int_equal(count(heard_at(agent), "guest-set-time"), 1);
    pass(11, 0);
    assert_string_equal(heard_at(agent), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keys_have_qemus_numbers),
        TEST(a_qemu_that_does_not_answer_is_told_little),
        TEST(a_machine_that_stands_still_is_told_nothing),
        TEST(a_host_that_has_slept_tells_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
