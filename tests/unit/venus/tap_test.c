// What a tracer hears of a context: each command with its bytes and times, the end, and that it is
// slow. No driver: only commands that need none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../short.h"
#include "link/trace_messages.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/socket.h"
#include "venus/context.h"
#include "venus/tap.h"

struct fixture {
    struct link *link;
    int device_fd; // the device process's end
    struct venus_context *context;
    struct venus_host host;
    struct link *tracer;
};

static struct link *open_tap(struct fixture *f)
{
    int fds[2];
    assert_int_equal(os_socket_pair(fds), 0);
    venus_tap_open(f->context, fds[1]);
    return new_link(fds[0], true);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];
    assert_int_equal(os_socket_pair(fds), 0);
    f->device_fd = fds[0];
    f->link = new_link(fds[1], true);
    f->host.api_version = VK_API_VERSION_1_3;
    const struct link_context_create info = {
        .context_id = 7, .max_rings = 4, .max_resources = 16, .name = "test"};
    f->context = venus_context_create(&info, -1, f->link, &f->host, NULL);
    assert_non_null(f->context);
    f->tracer = open_tap(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    venus_context_destroy(f->context);
    link_destroy(f->link);
    link_destroy(f->tracer);
    close(f->device_fd);
    free(f);
    return 0;
}

// vkEnumerateInstanceVersion, no reply wanted.
static const uint32_t version[] = {WIRE_vkEnumerateInstanceVersion, 0, 1, 0};

static bool run(struct fixture *f, const uint32_t *words, size_t count)
{
    return venus_stream_run(&f->context->stream, (const uint8_t *)words, count * sizeof(*words));
}

static const void *hear(struct fixture *f, uint16_t type)
{
    static struct link_message message;
    assert_int_equal(link_receive(f->tracer, &message), 0);
    assert_int_equal(message.type, type);
    return message.payload;
}

static void test_a_tracer_hears_bytes_and_times(void **state)
{
    struct fixture *f = *state;
    const struct link_trace_hello *hello = hear(f, LINK_TRACE_HELLO);
    assert_int_equal(hello->context_id, 7);
    assert_string_equal(hello->name, "test");
    uint64_t before = os_now_ns();
    assert_true(run(f, version, 4));
    const struct link_trace_command *command = hear(f, LINK_TRACE_COMMAND);
    assert_true(command->begin_ns >= before && command->end_ns >= command->begin_ns &&
                command->end_ns <= os_now_ns());
    assert_true(!command->stream && !command->flags && !command->missed);
    assert_int_equal(command->request_size, sizeof(version));
    assert_memory_equal(command + 1, version, sizeof(version));
    // Nobody wanted the reply, and it is told all the same: number, result, presence, version.
    const uint32_t *reply = (const uint32_t *)(command + 1) + 4;
    assert_int_equal(command->reply_size, 20);
    assert_int_equal(reply[0], WIRE_vkEnumerateInstanceVersion);
    assert_int_equal(reply[1], VK_SUCCESS);
    assert_true(reply[4] >= VK_API_VERSION_1_1);
}

static void test_the_newest_tracer_is_the_only_one(void **state)
{
    struct fixture *f = *state;
    struct link *old = f->tracer;
    struct link_message message;
    f->tracer = open_tap(f);
    hear(f, LINK_TRACE_HELLO);
    assert_true(run(f, version, 4));
    hear(f, LINK_TRACE_COMMAND);
    assert_int_equal(link_receive(old, &message), 0); // its hello
    assert_int_equal(link_receive(old, &message), -EPIPE);
    link_destroy(old);
}

static void test_a_tracer_that_goes_is_forgotten(void **state)
{
    struct fixture *f = *state;
    link_destroy(f->tracer);
    f->tracer = NULL;
    for (int i = 0; i < 3; i++)
        assert_true(run(f, version, 4));
    assert_false(atomic_load(&f->context->traced));
    f->tracer = open_tap(f);
    hear(f, LINK_TRACE_HELLO);
}

static void test_a_tracer_that_does_not_read_delays_once(void **state)
{
    struct fixture *f = *state;
    uint64_t begin = os_now_ns();
    uint32_t count = 100000; // more than sockets hold, and more than is queued
    for (uint32_t i = 0; i < count; i++)
        assert_true(run(f, version, 4));
    assert_true(os_now_ns() - begin < 5000000000ull);
    hear(f, LINK_TRACE_HELLO);
    // It reads again. Each further command sends what is queued, until one tells of those missed.
    uint32_t told = 0, missed = 0;
    while (!missed) {
        struct link_message message;
        if (told % 64 == 0)
            assert_true(run(f, version, 4)), count++;
        assert_int_equal(link_receive(f->tracer, &message), 0);
        assert_int_equal(message.type, LINK_TRACE_COMMAND);
        missed = ((const struct link_trace_command *)message.payload)->missed;
        told++;
    }
    while (told + missed < count)
        hear(f, LINK_TRACE_COMMAND), told++;
    assert_true(missed > 0);
    assert_int_equal(told + missed, count);
}

static void test_a_context_that_is_lost_says_why(void **state)
{
    static const uint32_t nonsense[] = {0xffff, 0};
    struct fixture *f = *state;
    hear(f, LINK_TRACE_HELLO);
    assert_false(run(f, nonsense, 2));
    struct link_message message;
    assert_int_equal(link_receive(f->tracer, &message), 0);
    assert_int_equal(message.type, LINK_TRACE_LOST);
    assert_memory_equal(message.payload, "context stream: unknown command", 31);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    os_init(&(struct os_options){.portable = argc > 1});
    const struct CMUnitTest tests[] = {
        TEST(test_a_tracer_hears_bytes_and_times),
        TEST(test_the_newest_tracer_is_the_only_one),
        TEST(test_a_tracer_that_goes_is_forgotten),
        TEST(test_a_tracer_that_does_not_read_delays_once),
        TEST(test_a_context_that_is_lost_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
