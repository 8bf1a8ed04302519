// The control socket: requests by the line, answers at once or later, clients that misbehave.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../short.h"
#include "cli/device/control.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"

static struct {
    struct os_loop *loop;
    struct cli_control *control;
    struct cli_control_answer *late;
    char folder[64], path[100];
} f;

static void answer_now(void *data, const char *argument, struct cli_control_answer *answer)
{
    struct json_writer json = {0};
    json_open(&json, NULL, '{');
    json_string(&json, "said", argument);
    json_close(&json, '}');
    cli_control_answer(answer, &json);
}

static void answer_late(void *data, const char *argument, struct cli_control_answer *answer)
{
    f.late = answer;
}

static void answer_much(void *data, const char *argument, struct cli_control_answer *answer)
{
    char *text = calloc(1, 600001);
    memset(text, 'x', 600000); // more than a socket takes at once
    cli_control_answer_error(answer, text);
    free(text);
}

static void answer_size(void *data, const char *argument, struct cli_control_answer *answer)
{
    struct json_writer json = {0};
    struct stat status = {.st_size = -1};
    int fd = cli_control_take_fd(answer);
    if (fd >= 0 && fstat(fd, &status) == 0)
        close(fd);
    json_open(&json, NULL, '{');
    json_number(&json, "size", status.st_size);
    json_close(&json, '}');
    cli_control_answer(answer, &json);
}

static const struct cli_control_request requests[] = {
    {"size", NULL, answer_size}, {"echo", "TEXT", answer_now}, {"status", NULL, answer_now},
    {"late", NULL, answer_late}, {"much", NULL, answer_much},  {0},
};

static void stop(void *data)
{
    os_loop_stop(f.loop, 0);
}

static void run_for(unsigned ms)
{
    struct os_source *timer = os_loop_add_timer(f.loop, os_now_ns() + ms * 1000000ull, stop, NULL);
    os_loop_run(f.loop);
    os_source_remove(timer);
}

static int set_up(void **state)
{
    memset(&f, 0, sizeof(f));
    strcpy(f.folder, "/tmp/hesper-control-XXXXXX");
    if (!mkdtemp(f.folder))
        return -1;
    snprintf(f.path, sizeof(f.path), "%s/socket", f.folder);
    f.loop = new_loop();
    f.control = cli_control_create(f.loop, f.path, requests, NULL);
    return f.control ? 0 : -1;
}

static int tear_down(void **state)
{
    cli_control_destroy(f.control);
    if (f.late)
        cli_control_answer_error(f.late, NULL); // of a client that has gone
    os_loop_destroy(f.loop);
    return rmdir(f.folder); // the socket has gone too
}

static int client(void)
{
    int fd = os_socket_connect(f.path);
    assert_true(fd >= 0);
    return fd;
}

static const char *exchange(int fd, const char *request)
{
    static char answer[4096];
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    run_for(30);
    ssize_t got = read(fd, answer, sizeof(answer) - 1);
    assert_true(got >= 0);
    answer[got] = 0;
    return answer;
}

static void only_this_user_may_ask(void **state)
{
    struct stat status;
    assert_int_equal(stat(f.path, &status), 0);
    assert_int_equal(status.st_mode & 0077, 0);
}

static void requests_are_answered_in_order(void **state)
{
    int fd = client();
    assert_string_equal(exchange(fd, "echo one two\n"), "{\"said\":\"one two\"}\n");
    assert_string_equal(exchange(fd, "status\nec"), "{\"said\":\"\"}\n");
    assert_string_equal(exchange(fd, "ho a\necho b\n"), "{\"said\":\"a\"}\n{\"said\":\"b\"}\n");
    close(fd);
}

static void what_is_not_known_is_refused(void **state)
{
    int fd = client();
    const char *list = "there are: size echo TEXT status late much";
    assert_non_null(strstr(exchange(fd, "fly\n"), list));
    assert_non_null(strstr(exchange(fd, "echo\n"), list));          // lacks its argument
    assert_non_null(strstr(exchange(fd, "status please\n"), list)); // takes none
    assert_non_null(strstr(exchange(fd, "\n"), list));
    close(fd);
}

static void an_answer_may_come_late(void **state)
{
    int fd = client(), other = client();
    assert_int_equal(write(fd, "late\nstatus\n", 12), 12);
    run_for(30);
    assert_non_null(f.late);
    assert_string_equal(exchange(other, "status\n"), "{\"said\":\"\"}\n"); // nobody waits for it
    struct cli_control_answer *late = f.late;
    f.late = NULL;
    cli_control_answer_error(late, NULL);
    assert_string_equal(exchange(fd, ""), "{\"ok\":true}\n{\"said\":\"\"}\n");
    close(fd);
    close(other);
}

static void clients_come_and_go(void **state)
{
    int fd = client();
    assert_int_equal(write(fd, "late\n", 5), 5);
    run_for(30);
    close(fd); // does not wait for the answer; tear_down gives it
    run_for(30);
    for (int i = 0; i < 40; i++) { // more than there is room for, one after another
        fd = client();
        assert_string_equal(exchange(fd, "status\n"), "{\"said\":\"\"}\n");
        close(fd);
    }
}

static void endless_requests_end(void **state)
{
    char junk[5000];
    int fd = client();
    memset(junk, 'a', sizeof(junk));
    assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
    run_for(30);
    assert_true(read(fd, junk, sizeof(junk)) <= 0); // closed
    close(fd);
    fd = client();
    assert_string_equal(exchange(fd, "status\n"), "{\"said\":\"\"}\n");
    close(fd);
}

static void *ask(void *data)
{
    cli_control_ask(f.path, "much", -1, data);
    return NULL;
}

static void long_answers_arrive_whole(void **state)
{
    pthread_t thread;
    struct cli_reply reply;
    struct json value;
    assert_int_equal(pthread_create(&thread, NULL, ask, &reply), 0);
    run_for(1500);
    pthread_join(thread, NULL);
    assert_non_null(reply.text);
    assert_true(json_member(reply.root, "error", &value));
    assert_int_equal(value.end - value.at, 600002);
    free(reply.text);
}

static void a_descriptor_may_come_with_a_request(void **state)
{
    int fd = client(), file = os_shm_create("test", 8192);
    assert_int_equal(os_socket_send(fd, "size\n", 5, &file, 1), 5);
    assert_string_equal(exchange(fd, ""), "{\"size\":8192}\n");
    assert_string_equal(exchange(fd, "size\n"), "{\"size\":-1}\n"); // each goes with one request
    close(file);
    close(fd);
}

static void nobody_there_is_an_error(void **state)
{
    struct cli_reply reply;
    assert_false(cli_control_ask("/nowhere/at/all", "status", -1, &reply));
    assert_null(reply.text);
    assert_string_equal(reply.error, "No such file or directory");
}

int main(void)
{
    os_init(&(struct os_options){0});
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(only_this_user_may_ask),
        TEST(requests_are_answered_in_order),
        TEST(what_is_not_known_is_refused),
        TEST(an_answer_may_come_late),
        TEST(clients_come_and_go),
        TEST(endless_requests_end),
        TEST(long_answers_arrive_whole),
        TEST(nobody_there_is_an_error),
        TEST(a_descriptor_may_come_with_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
