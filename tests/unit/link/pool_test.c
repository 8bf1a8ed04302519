// The pool of workers, with real processes: this program, started again, plays the worker.
#include "../flavour.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../short.h"
#include "link/context_messages.h"
#include "link/pool.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/shm.h"
#include "os/socket.h"

#define MS 1000000ull

// ---- the worker -----------------------------------------------------------

// Outlives this process, if nobody ends it.
static pid_t start_sleeper(void)
{
    char *argv[] = {"sleep", "30", NULL};
    return os_spawn(&(struct os_spawn_options){.path = "sleep", .argv = argv});
}

static int serve(struct link *link, const char *role)
{
    struct link_message message;
    if (!strcmp(role, "no-driver")) {
        link_send(link, LINK_CONTEXT_LOST, "install a driver", 16, NULL, 0, NULL, 0);
        return 1;
    }
    if (!strcmp(role, "crash"))
        raise(SIGKILL);
    link_send(link, LINK_WORKER_READY, NULL, 0, NULL, 0, NULL, 0);
    if (!strcmp(role, "silent")) // neither reads nor ends
        for (;;)
            pause();
    if (!strcmp(role, "slow")) // reads late
        os_sleep_ns(50 * MS);
    while (link_receive(link, &message) == 0) {
        if (message.type == LINK_SUBMIT) {
            const struct link_submit *submit = (const void *)message.payload;
            struct link_fence_retired fence = {.fence_id = submit->fence_id};
            if (!strcmp(role, "parent"))
                fence.fence_id = (uint64_t)start_sleeper();
            link_send(link, LINK_FENCE_RETIRED, &fence, sizeof(fence), NULL, 0, NULL, 0);
        }
        if (message.type == LINK_RESOURCE_DETACH) {
            link_send(link, LINK_CONTEXT_LOST, "bad luck", 8, NULL, 0, NULL, 0);
            return 3;
        }
    }
    return 0;
}

static int play_worker(const char *role, int fd)
{
    os_init(&(struct os_options){0});
    struct link *link = new_link(fd, true);
    int status = serve(link, role);
    link_destroy(link);
    return status;
}

// ---- the owner ------------------------------------------------------------

struct fixture {
    struct os_loop *loop;
    struct link_pool *pool;
    struct link_child *worker;
    bool ready_told, ready, release_when_gone;
    int status, gone_status, gone_calls, fences, drained;
    uint64_t last_fence;
    char how[128], text[64];
};

static struct fixture fixture;

static void on_timeout(void *data)
{
    os_loop_stop(fixture.loop, -1);
}

static bool on_message(void *data, const struct link_message *message)
{
    if (message->type == LINK_FENCE_RETIRED) {
        fixture.fences++;
        fixture.last_fence = ((const struct link_fence_retired *)message->payload)->fence_id;
    }
    if (message->type == LINK_CONTEXT_LOST)
        snprintf(fixture.text, sizeof(fixture.text), "%.*s", (int)message->size,
                 (const char *)message->payload);
    if (message->type == LINK_FENCE_RETIRED)
        os_loop_stop(fixture.loop, 0);
    return true;
}

static void on_drained(void *data)
{
    fixture.drained++;
}

static void on_gone(void *data, int status, const char *how)
{
    fixture.gone_calls++;
    fixture.gone_status = status;
    snprintf(fixture.how, sizeof(fixture.how), "%s", how);
    if (fixture.release_when_gone) {
        link_child_release(fixture.worker);
        fixture.worker = NULL;
    }
    os_loop_stop(fixture.loop, 0);
}

static const struct link_child_callbacks callbacks = {on_message, on_drained, on_gone};

static void on_ready(void *data, bool ready, int status)
{
    fixture.ready_told = true;
    fixture.ready = ready;
    fixture.status = status;
    os_loop_stop(fixture.loop, 0);
}

static void start(const char *role, bool spare)
{
    static char self[4096];
    assert_int_equal(os_self_path(self, sizeof(self)), 0);
    const char *command[] = {self, role, NULL};
    fixture = (struct fixture){.loop = new_loop()};
    os_loop_add_timer(fixture.loop, os_now_ns() + 20000 * MS, on_timeout, NULL);
    struct link_pool_options options = {
        .command = command, .keep_spare = spare, .grace_ns = 100 * MS};
    assert_int_equal(link_pool_create(fixture.loop, &options, &fixture.pool), 0);
    link_pool_on_ready(fixture.pool, on_ready, NULL);
}

static void take(void)
{
    assert_int_equal(link_pool_take(fixture.pool, &callbacks, NULL, &fixture.worker), 0);
}

static void run(void)
{
    assert_int_equal(os_loop_run(fixture.loop), 0);
}

static void finish(void)
{
    link_child_release(fixture.worker);
    link_pool_destroy(fixture.pool);
    os_loop_destroy(fixture.loop);
    errno = 0;
    assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); // every child was reaped
}

static int submit(uint64_t fence_id)
{
    struct link_submit submit = {.fence_id = fence_id};
    return link_child_send(fixture.worker, LINK_SUBMIT, &submit, sizeof(submit), NULL, 0, NULL, 0);
}

static void a_spare_is_ready_and_then_serves(void **state)
{
    start("good", true);
    run();
    assert_true(fixture.ready);
    take();
    assert_int_equal(submit(1), 0);
    run();
    assert_int_equal(fixture.fences, 1);
    finish();
}

static void without_a_spare_one_is_started(void **state)
{
    start("good", false);
    take();
    submit(1);
    while (!fixture.fences)
        run();
    finish();
}

static void a_host_without_a_driver_is_told_with_the_status(void **state)
{
    char text[256] = {0};
    int log = os_shm_create("log", sizeof(text)), real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(log, STDERR_FILENO);
    start("no-driver", true);
    os_sleep_ns(100 *
                MS); // its words and its end are there at once: the end must not hide the words
    run();
    dup2(real, STDERR_FILENO);
    assert_true(pread(log, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "hesper: error: install a driver\n");
    close(log);
    close(real);
    assert_true(fixture.ready_told);
    assert_false(fixture.ready);
    assert_true(WIFEXITED(fixture.status));
    assert_int_equal(WEXITSTATUS(fixture.status), 1);
    finish();
}

static void a_crash_at_the_start_is_told(void **state)
{
    start("crash", true);
    run();
    assert_false(fixture.ready);
    assert_true(WIFSIGNALED(fixture.status));
    finish();
}

static void a_missing_binary_is_told(void **state)
{
    const char *command[] = {"/no/such/binary", NULL};
    fixture = (struct fixture){.loop = new_loop()};
    struct link_pool_options options = {.command = command};
    assert_int_equal(link_pool_create(fixture.loop, &options, &fixture.pool), 0);
    assert_int_equal(link_pool_take(fixture.pool, &callbacks, NULL, &fixture.worker), -ENOENT);
    assert_null(fixture.worker);
    finish();
}

// Not ended; that init has not reaped it yet does not count.
static bool running(pid_t pid)
{
    char path[64], state = 0;
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    bool read = file && fscanf(file, "%*d %*s %c", &state) == 1;
    if (file)
        fclose(file);
    return read ? state != 'Z' : kill(pid, 0) == 0;
}

// As many descriptors as are open now, no more.
static void forbid_new_descriptors(struct rlimit *before)
{
    int next = dup(0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
    struct rlimit limit = *before;
    limit.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_spare_that_cannot_be_started_is_told_at_once(void **state)
{
    const char *command[] = {"/bin/true", NULL};
    fixture = (struct fixture){.loop = new_loop()};
    os_loop_add_timer(fixture.loop, os_now_ns() + 20000 * MS, on_timeout, NULL);
    struct link_pool_options options = {.command = command, .keep_spare = true};
    struct rlimit before;
    forbid_new_descriptors(&before);
    int error = link_pool_create(fixture.loop, &options, &fixture.pool);
    uint64_t begin = os_now_ns();
    int result = -1;
    if (!error) {
        link_pool_on_ready(fixture.pool, on_ready, NULL);
        result = os_loop_run(fixture.loop);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(error, 0);
    assert_int_equal(result, 0);
    assert_true(fixture.ready_told);
    assert_false(fixture.ready);
    assert_int_equal(fixture.status, -1);
    assert_true(os_now_ns() - begin < 1000 * MS);
    finish();
}

static void what_a_worker_left_in_its_group_ends_with_it(void **state)
{
    start("parent", true);
    run();
    take();
    struct link_submit submit = {.fence_id = 1};
    link_child_send(fixture.worker, LINK_SUBMIT, &submit, sizeof(submit), NULL, 0, NULL, 0);
    while (!fixture.fences)
        run();
    pid_t left = (pid_t)fixture.last_fence;
    assert_int_equal(kill(left, 0), 0);
    kill((pid_t)link_child_pid(fixture.worker), SIGKILL);
    run();
    assert_int_equal(fixture.gone_calls, 1);
    for (int i = 0; i < 100 && running(left); i++)
        os_sleep_ns(10 * MS);
    assert_false(running(left));
    finish();
}

static void a_killed_worker_is_gone_with_its_signal(void **state)
{
    start("good", true);
    run();
    take();
    kill((pid_t)link_child_pid(fixture.worker), SIGKILL);
    run();
    assert_int_equal(fixture.gone_calls, 1);
    assert_non_null(strstr(fixture.how, "killed by signal 9"));
    assert_int_equal(submit(1), -EPIPE);
    finish();
}

static void a_worker_may_be_released_when_it_is_gone(void **state)
{
    start("good", true);
    run();
    take();
    fixture.release_when_gone = true;
    kill((pid_t)link_child_pid(fixture.worker), SIGKILL);
    run();
    assert_int_equal(fixture.gone_calls, 1);
    assert_null(fixture.worker);
    finish();
}

static void last_words_come_before_the_end(void **state)
{
    start("good", true);
    run();
    take();
    struct link_resource_detach detach = {1, 0};
    link_child_send(fixture.worker, LINK_RESOURCE_DETACH, &detach, sizeof(detach), NULL, 0, NULL,
                    0);
    run();
    assert_string_equal(fixture.text, "bad luck");
    assert_string_equal(fixture.how, "exit status 3");
    assert_true(WIFEXITED(fixture.gone_status));
    assert_int_equal(WEXITSTATUS(fixture.gone_status), 3);
    finish();
}

static void a_released_worker_that_hangs_is_killed(void **state)
{
    start("silent", true);
    run();
    take();
    pid_t pid = (pid_t)link_child_pid(fixture.worker);
    link_child_release(fixture.worker);
    fixture.worker = NULL;
    os_loop_add_timer(fixture.loop, os_now_ns() + 400 * MS, on_timeout, NULL);
    os_loop_run(fixture.loop);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(fixture.gone_calls, 0); // nobody asked any more
    finish();
}

static void hanging_workers_do_not_hold_up_the_end(void **state)
{
    start("silent", true);
    run();
    take();
    uint64_t begin = os_now_ns();
    finish();
    assert_true(os_now_ns() - begin < 2000 * MS);
}

static void what_a_slow_worker_has_not_read_waits(void **state)
{
    enum { COUNT = 20, SIZE = 200000 };
    start("slow", false);
    take();
    uint8_t *bytes = calloc(1, SIZE);
    bool waited = false;
    for (uint64_t i = 1; i <= COUNT; i++) {
        struct link_submit submit = {.fence_id = i, .byte_count = SIZE};
        waited |= link_child_send(fixture.worker, LINK_SUBMIT, &submit, sizeof(submit), bytes, SIZE,
                                  NULL, 0) == -EAGAIN;
    }
    assert_true(waited);
    while (fixture.fences < COUNT)
        run();
    assert_int_equal(fixture.drained, 1);
    free(bytes);
    finish();
}

static void the_next_spare_follows(void **state)
{
    start("good", true);
    run();
    take();
    long first = link_child_pid(fixture.worker);
    link_child_release(fixture.worker);
    os_loop_add_timer(fixture.loop, os_now_ns() + 700 * MS, on_timeout, NULL);
    os_loop_run(fixture.loop);
    take(); // the one that was started in the meantime
    assert_true(link_child_pid(fixture.worker) != first);
    submit(1);
    while (!fixture.fences)
        run();
    finish();
}

// ---- processes that somebody else has started ------------------------------

// Returns the other end.
static struct link *adopt(void)
{
    int fds[2];
    fixture = (struct fixture){.loop = new_loop()};
    os_loop_add_timer(fixture.loop, os_now_ns() + 20000 * MS, on_timeout, NULL);
    assert_int_equal(os_socket_pair(fds), 0);
    assert_int_equal(link_child_adopt(fixture.loop, fds[0], &callbacks, NULL, &fixture.worker), 0);
    return new_link(fds[1], true);
}

static void retire(struct link *peer, uint64_t fence_id)
{
    struct link_fence_retired fence = {.fence_id = fence_id};
    link_send(peer, LINK_FENCE_RETIRED, &fence, sizeof(fence), NULL, 0, NULL, 0);
}

static void a_foreign_process_speaks_and_goes(void **state)
{
    struct link *peer = adopt();
    struct link_message message;
    assert_int_equal(submit(7), 0);
    assert_int_equal(link_receive(peer, &message), 0);
    assert_int_equal(message.type, LINK_SUBMIT);
    retire(peer, 7);
    run();
    assert_int_equal(fixture.fences, 1);
    fixture.release_when_gone = true;
    link_destroy(peer);
    run();
    assert_int_equal(fixture.gone_calls, 1);
    assert_int_equal(fixture.gone_status, -1);
    os_loop_destroy(fixture.loop);
}

static bool release_at_a_message(void *data, const struct link_message *message)
{
    link_child_release(fixture.worker);
    fixture.worker = NULL;
    os_loop_stop(fixture.loop, 0);
    return true;
}

static void a_foreign_process_may_be_released_at_any_time(void **state)
{
    static const struct link_child_callbacks releasing = {release_at_a_message, NULL, on_gone};
    struct link *peer = adopt();
    link_child_release(fixture.worker);
    link_destroy(peer);
    os_loop_destroy(fixture.loop);

    peer = adopt();
    link_child_release(fixture.worker);
    link_destroy(peer);
    int fds[2];
    assert_int_equal(os_socket_pair(fds), 0);
    assert_int_equal(link_child_adopt(fixture.loop, fds[0], &releasing, NULL, &fixture.worker), 0);
    peer = new_link(fds[1], true);
    retire(peer, 1);
    retire(peer, 2);
    run();
    assert_null(fixture.worker);
    assert_int_equal(fixture.gone_calls, 0);
    link_destroy(peer);
    os_loop_destroy(fixture.loop);
}

int main(int argc, char **argv)
{
    if (argc > 3)
        return play_worker(argv[1], atoi(argv[3]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spare_is_ready_and_then_serves),
        cmocka_unit_test(without_a_spare_one_is_started),
        cmocka_unit_test(a_host_without_a_driver_is_told_with_the_status),
        cmocka_unit_test(a_crash_at_the_start_is_told),
        cmocka_unit_test(a_missing_binary_is_told),
        cmocka_unit_test(a_spare_that_cannot_be_started_is_told_at_once),
        cmocka_unit_test(what_a_worker_left_in_its_group_ends_with_it),
        cmocka_unit_test(a_killed_worker_is_gone_with_its_signal),
        cmocka_unit_test(a_worker_may_be_released_when_it_is_gone),
        cmocka_unit_test(last_words_come_before_the_end),
        cmocka_unit_test(a_released_worker_that_hangs_is_killed),
        cmocka_unit_test(hanging_workers_do_not_hold_up_the_end),
        cmocka_unit_test(what_a_slow_worker_has_not_read_waits),
        cmocka_unit_test(the_next_spare_follows),
        cmocka_unit_test(a_foreign_process_speaks_and_goes),
        cmocka_unit_test(a_foreign_process_may_be_released_at_any_time),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
