// The conversation with a vtest client, with the test as client on one side and as worker on the
// other.
#include "flavour.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "front/vtest/client.h"
#include "front/vtest/protocol.h"
#include "front/vtest/server.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/shm.h"
#include "short.h"
#include "vtest_peer.h"
#include "wire/capset.h"
#include "wire/wire.h"

static struct os_loop *loop;
static struct vtest_server *server;
static struct os_source *pause_timer;
static int client; // our end of the connection
static int log_file, real_stderr;
static char log_text[8192];

// ---- tools ----------------------------------------------------------------

static void on_pause(void *data)
{
    os_loop_stop(loop, 0);
}

// Lets the server do whatever it can do without anything new from us.
static void pump(void)
{
    for (int i = 0; i < 8; i++) {
        os_source_set_deadline(pause_timer, os_now_ns());
        os_loop_run(loop);
    }
}

static const char *logged(void)
{
    ssize_t got = pread(log_file, log_text, sizeof(log_text) - 1, 0);
    log_text[got > 0 ? got : 0] = 0;
    return log_text;
}

static int lines_logged(void)
{
    int lines = 0;
    for (const char *c = logged(); *c; c++)
        lines += *c == '\n';
    return lines;
}

static void connect_client(void)
{
    int pair[2];
    assert_int_equal(os_socket_pair(pair), 0);
    client = pair[0];
    os_socket_set_nonblocking(client, true);
    assert_true(vtest_server_adopt(server, pair[1]));
}

static int set_up(void **state)
{
    loop = new_loop();
    pause_timer = os_loop_add_timer(loop, 0, on_pause, NULL);
    server = vtest_server_create(loop, NULL,
                                 &(struct vtest_options){.max_clients = 3,
                                                         .max_resources = 8,
                                                         .max_syncs = 8,
                                                         .max_waits = 4,
                                                         .max_fences = 4,
                                                         .max_memory = 16 << 20,
                                                         .max_queued_bytes = 1 << 20});
    peer_worker = NULL;
    peer_taken = peer_released = 0;
    peer_unavailable = false;
    log_file = os_shm_create("log", sizeof(log_text));
    real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(log_file, STDERR_FILENO);
    log_set_level(LOG_WARNING);
    connect_client();
    return 0;
}

static int tear_down(void **state)
{
    vtest_server_destroy(server);
    os_loop_destroy(loop);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(log_file);
    if (client >= 0)
        close(client);
    return peer_taken == peer_released ? 0 : -1;
}

static void send_bytes(const void *bytes, size_t size)
{
    assert_int_equal(os_socket_send(client, bytes, size, NULL, 0), size);
}

static void send_command(uint32_t command, const uint32_t *words, uint32_t count)
{
    uint32_t message[64] = {count, command};
    assert_true(count <= 62);
    if (count)
        memcpy(message + 2, words, count * 4);
    send_bytes(message, 8 + count * 4);
}
#define COMMAND(command, ...)                                                                      \
    send_command(command, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)

static void expect_reply(uint32_t command, const uint32_t *words, uint32_t count)
{
    uint32_t header[2], payload[64];
    pump();
    assert_int_equal(recv(client, header, 8, 0), 8);
    assert_int_equal(header[0], count);
    assert_int_equal(header[1], command);
    if (count) {
        assert_int_equal(recv(client, payload, count * 4, 0), count * 4);
        assert_memory_equal(payload, words, count * 4);
    }
}
#define REPLY(command, ...)                                                                        \
    expect_reply(command, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)

static void expect_nothing(void)
{
    char byte;
    pump();
    assert_true(recv(client, &byte, 1, 0) < 0);
}

static int expect_fd(void)
{
    char bytes[8];
    int fds[2];
    unsigned count = 0;
    pump();
    assert_int_equal(os_socket_recv(client, bytes, sizeof(bytes), fds, 2, &count),
                     1); // one byte of its own
    assert_int_equal(count, 1);
    return fds[0];
}

// False: the connection is over, after zeroes for whatever reply the client was reading.
static bool connected(void)
{
    char bytes[600];
    pump();
    ssize_t got = recv(client, bytes, sizeof(bytes), MSG_PEEK);
    if (send(client, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) {
        assert_true(got < 0); // nothing unexpected
        return true;
    }
    assert_int_equal(errno, EPIPE); // what a client notices
    while (recv(client, bytes, sizeof(bytes), 0) > 0)
        ;
    return false;
}

static void expect_disconnected(const char *reason)
{
    assert_false(connected());
    if (!strstr(logged(), reason))
        fail_msg("'%s' is not in the log: %s", reason, log_text);
    assert_int_equal(lines_logged(), 1);
    assert_int_equal(server->client_count, 0);
}

static void start_up(uint32_t version)
{
    send_bytes((uint8_t[]){4, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 'a', 'p', 'p', 0}, 12);
    COMMAND(VTEST_PROTOCOL_VERSION, version);
    REPLY(VTEST_PROTOCOL_VERSION, version < 4 ? version : 4);
    COMMAND(VTEST_CONTEXT_INIT, 4);
    pump();
    assert_non_null(peer_worker);
}

static int receive_now(struct link_message *message)
{
    int status = link_receive(peer_worker->peer, message);
    // A link need not look again before poll says so.
    return status == -EAGAIN ? link_receive(peer_worker->peer, message) : status;
}

static int receive(struct link_message *message)
{
    pump();
    return receive_now(message);
}

static struct link_message *expect_message(uint16_t type)
{
    static struct link_message message;
    assert_int_equal(receive(&message), 0);
    assert_int_equal(message.type, type);
    return &message;
}

static void expect_no_message(void)
{
    struct link_message message;
    assert_int_equal(receive(&message), -EAGAIN);
}

// start_up, and the worker has been told.
static void start_context(uint32_t version)
{
    start_up(version);
    expect_message(LINK_CONTEXT_CREATE);
}

static bool answer_fence(uint64_t fence_id, uint32_t timeline, uint32_t flags)
{
    struct link_fence_retired fence = {.fence_id = fence_id, .ring_idx = timeline, .flags = flags};
    struct link_message message = {
        .type = LINK_FENCE_RETIRED, .size = sizeof(fence), .payload = (void *)&fence};
    return peer_worker->callbacks.message(peer_worker->data, &message);
}

static bool retire(uint64_t fence_id, uint32_t timeline)
{
    return answer_fence(fence_id, timeline, 0);
}

static bool readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN);
}

static uint32_t make_sync(uint32_t value)
{
    uint32_t reply[3];
    COMMAND(VTEST_SYNC_CREATE, value, 0);
    pump();
    assert_int_equal(recv(client, reply, sizeof(reply), 0), sizeof(reply));
    return reply[2];
}

// ---- start-up -------------------------------------------------------------

static void start_up_as_mesa_does_it(void **state)
{
    send_bytes((uint8_t[]){11, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 'v', 'u', 'l', 'k', 'a',
                           'n', 'i', 'n', 'f', 'o', 0},
               19);
    COMMAND(VTEST_PING_PROTOCOL_VERSION);
    COMMAND(VTEST_RESOURCE_BUSY_WAIT, 0, 0); // back to back
    expect_reply(VTEST_PING_PROTOCOL_VERSION, NULL, 0);
    REPLY(VTEST_RESOURCE_BUSY_WAIT, 0);
    COMMAND(VTEST_PROTOCOL_VERSION, 4);
    REPLY(VTEST_PROTOCOL_VERSION, 4);
    COMMAND(VTEST_GET_PARAM, 1);
    REPLY(VTEST_GET_PARAM, 1, 64);
    COMMAND(VTEST_GET_PARAM, 2);
    REPLY(VTEST_GET_PARAM, 0, 0);

    uint32_t capset[1 + WIRE_CAPSET_SIZE / 4] = {1};
    wire_capset((uint8_t *)(capset + 1));
    COMMAND(VTEST_GET_CAPSET, 4, 0);
    expect_reply(VTEST_GET_CAPSET, capset, 41);
    COMMAND(VTEST_GET_CAPSET, 1, 0);
    REPLY(VTEST_GET_CAPSET, 0);

    assert_null(peer_worker); // asking costs no worker
    COMMAND(VTEST_CONTEXT_INIT, 4);
    const struct link_context_create *create =
        (const void *)expect_message(LINK_CONTEXT_CREATE)->payload;
    assert_string_equal(create->name, "vulkaninfo");
    assert_int_equal(create->flags,
                     LINK_CONTEXT_OWN_FILES | LINK_CONTEXT_SAME_KERNEL | LINK_CONTEXT_TELLS_LOSS);
    assert_int_equal(create->max_memory[LINK_MEMORY_HOST], 14 << 20);
    assert_int_equal(create->max_memory[LINK_MEMORY_CARD], 0);
    expect_nothing();
    assert_true(connected());
}

static void versions_are_the_smaller_of_both(void **state)
{
    send_bytes((uint8_t[]){1, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 0}, 9);
    COMMAND(VTEST_PROTOCOL_VERSION, 99);
    REPLY(VTEST_PROTOCOL_VERSION, 4);
    COMMAND(VTEST_PROTOCOL_VERSION, 3);
    REPLY(VTEST_PROTOCOL_VERSION, 3);
    COMMAND(VTEST_PROTOCOL_VERSION, 2); // answered, and then good for nothing
    REPLY(VTEST_PROTOCOL_VERSION, 2);
    COMMAND(VTEST_GET_PARAM, 1);
    expect_disconnected("GET_PARAM: not at this point");
}

static void a_name_can_not_steer_a_terminal(void **state)
{
    send_bytes((uint8_t[]){5, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 'a', 27, 0x9b, '\n', 0}, 13);
    COMMAND(99);
    expect_disconnected("context 1 (a\?\?\?): unknown command: command 99");
}

static void commands_may_come_byte_by_byte(void **state)
{
    start_context(4);
    uint32_t id = make_sync(3);
    uint32_t message[] = {1, VTEST_SYNC_READ, id};
    for (size_t i = 0; i < sizeof(message); i++) {
        expect_nothing();
        send_bytes((uint8_t *)message + i, 1);
    }
    REPLY(VTEST_SYNC_READ, 3, 0);
}

static void no_worker_means_disconnection(void **state)
{
    peer_unavailable = true;
    send_bytes((uint8_t[]){1, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 0}, 9);
    COMMAND(VTEST_PROTOCOL_VERSION, 4);
    COMMAND(VTEST_CONTEXT_INIT, 4);
    expect_disconnected("CONTEXT_INIT: no worker can be started");
}

static void a_client_too_many_is_told_that_nothing_is_there(void **state)
{
    server->context_count = 3; // others
    send_bytes((uint8_t[]){4, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 'a', 'p', 'p', 0}, 12);
    send_command(VTEST_PING_PROTOCOL_VERSION, NULL, 0);
    COMMAND(VTEST_RESOURCE_BUSY_WAIT, 0, 0);
    // No answer to the first: so an old server behaves, and Mesa's client gives up in good order.
    REPLY(VTEST_RESOURCE_BUSY_WAIT, 0);
    assert_non_null(strstr(logged(), "--max-clients"));
    COMMAND(VTEST_PROTOCOL_VERSION, 4);
    REPLY(VTEST_PROTOCOL_VERSION, 4);
    COMMAND(VTEST_CONTEXT_INIT, 4);
    assert_false(connected());
    server->context_count = 0;
}

static void silent_connections_shut_nobody_out(void **state)
{
    int silent[600], pair[2];
    for (int i = 0; i < 600; i++) {
        os_socket_pair(pair);
        silent[i] = pair[0];
        assert_true(vtest_server_adopt(server, pair[1]));
    }
    assert_true(server->client_count <= 256);
    log_set_level(LOG_ERROR);
    for (int i = 0; i < 600; i++)
        close(silent[i]);
    pump();
    assert_int_equal(server->client_count, 0); // the first of all was silent too
}

// ---- blobs ----------------------------------------------------------------

// The worker says that it has the resource. False: the client is gone.
static bool attached(uint32_t id)
{
    struct link_resource_attached answer = {.resource_id = id};
    struct link_message message = {
        .type = LINK_RESOURCE_ATTACHED, .size = sizeof(answer), .payload = (void *)&answer};
    return peer_worker->callbacks.message(peer_worker->data, &message);
}

static void shared_memory_goes_to_both(void **state)
{
    start_context(4);
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 131268, 0, 0, 0);
    struct link_message *message = expect_message(LINK_RESOURCE_ATTACH);
    const struct link_resource_attach *attach = (const void *)message->payload;
    // A client that knows of it writes its id into a ring, which may be read before the link.
    expect_nothing();
    assert_int_equal(attach->flags, LINK_ATTACH_ANSWER);
    assert_true(attached(1));
    REPLY(VTEST_RESOURCE_CREATE_BLOB, 1);
    int fd = expect_fd();
    assert_int_equal(attach->resource_id, 1);
    assert_int_equal(attach->kind, LINK_RESOURCE_SHM);
    assert_int_equal(attach->offset, 0);
    assert_true(attach->size >= 131268);
    char *ours = map_file(fd, 0, 131268), *theirs = map_file(message->fds[0], 0, attach->size);
    ours[131267] = 42;
    assert_int_equal(theirs[131267], 42);
    os_shm_unmap(ours, 131268);
    os_shm_unmap(theirs, attach->size);
    close(fd);

    COMMAND(VTEST_RESOURCE_BUSY_WAIT, 1, 1);
    REPLY(VTEST_RESOURCE_BUSY_WAIT, 0);
    COMMAND(VTEST_RESOURCE_UNREF, 1);
    const struct link_resource_detach *detach =
        (const void *)expect_message(LINK_RESOURCE_DETACH)->payload;
    assert_int_equal(detach->resource_id, 1);
    COMMAND(VTEST_RESOURCE_UNREF, 1);
    expect_disconnected("RESOURCE_UNREF: resource 1 does not exist");
}

static void exported(uint32_t id, int result, uint64_t offset, uint64_t size, bool has_file)
{
    struct link_blob_exported answer = {
        .resource_id = id, .result = result, .map_info = 1, .offset = offset, .size = size};
    int fd = os_shm_create("memory", 65536);
    link_send(peer_worker->peer, LINK_BLOB_EXPORTED, &answer, sizeof(answer), NULL, 0, &fd,
              has_file);
    close(fd);
    struct link_message message;
    assert_int_equal(link_receive(peer_worker->link, &message), 0);
    peer_worker->callbacks.message(peer_worker->data, &message);
}

static void memory_comes_from_the_worker(void **state)
{
    start_context(4);
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 3, 65536, 0, 7, 1);
    COMMAND(VTEST_SYNC_CREATE, 0, 0); // must wait its turn
    const struct link_blob_export *export = (const void *)expect_message(LINK_BLOB_EXPORT)->payload;
    assert_int_equal(export->resource_id, 1);
    assert_int_equal(export->blob_flags, 3);
    assert_int_equal(export->memory_id, 0x100000007);
    assert_int_equal(export->size, 65536);
    expect_nothing();
    exported(1, 0, 0, 65536, true);
    REPLY(VTEST_RESOURCE_CREATE_BLOB, 1);
    int fd = expect_fd();
    assert_int_equal(os_shm_size(fd), 65536);
    close(fd);
    REPLY(VTEST_SYNC_CREATE, 1);
}

static void a_failed_export_ends_the_connection(void **state)
{
    start_context(4);
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 65536, 0, 7, 0);
    expect_message(LINK_BLOB_EXPORT);
    exported(1, -EINVAL, 0, 0, false);
    expect_disconnected(
        "RESOURCE_CREATE_BLOB: the worker cannot export the memory: Invalid argument");
}

static void memory_that_never_was_cannot_be_mapped(void **state)
{
    start_context(4);
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 65536, 0, 7, 0);
    expect_message(LINK_BLOB_EXPORT);
    exported(1, -ENOMEM, 0, 0, false);
    REPLY(VTEST_RESOURCE_CREATE_BLOB, 1);
    int fd = expect_fd();
    assert_ptr_equal(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    close(fd);
    // The worker has no such resource to detach.
    COMMAND(VTEST_RESOURCE_UNREF, 1);
    expect_nothing();
    assert_true(connected());
}

static void a_worker_may_not_export_something_else(void **state)
{
    const struct {
        uint32_t id;
        uint64_t offset, size;
    } cases[] = {{2, 0, 65536}, {1, 4096, 65536}, {1, 0, 4096}};
    for (int i = 0; i < 3; i++) {
        if (i)
            connect_client();
        start_context(4);
        COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 65536, 0, 7, 0);
        expect_message(LINK_BLOB_EXPORT);
        exported(cases[i].id, 0, cases[i].offset, cases[i].size, true);
        assert_false(connected());
        close(client);
    }
    client = -1;
    assert_int_equal(lines_logged(), 3);
}

static void resources_and_memory_are_bounded(void **state)
{
    start_context(4);
    for (uint32_t i = 1; i <= 8; i++) {
        COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 1 << 20, 0, 0, 0);
        pump();
        assert_true(attached(i));
        REPLY(VTEST_RESOURCE_CREATE_BLOB, i);
        close(expect_fd());
    }
    COMMAND(VTEST_RESOURCE_UNREF, 3);
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 6 << 20, 0, 0, 0);
    pump();
    assert_true(attached(3));
    REPLY(VTEST_RESOURCE_CREATE_BLOB, 3);
    close(expect_fd());
    COMMAND(VTEST_RESOURCE_UNREF, 1);
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 4 << 20, 0, 0, 0);
    expect_disconnected("more than the client may have");
}

static void too_many_resources(void **state)
{
    start_context(4);
    for (uint32_t i = 1; i <= 8; i++) {
        COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 4096, 0, 0, 0);
        pump();
        assert_true(attached(i));
    }
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 4096, 0, 0, 0);
    expect_disconnected("more than 8 resources");
}

// ---- syncs ----------------------------------------------------------------

static void syncs_are_numbers(void **state)
{
    start_context(4);
    COMMAND(VTEST_SYNC_CREATE, 5, 6);
    REPLY(VTEST_SYNC_CREATE, 1);
    COMMAND(VTEST_SYNC_READ, 1);
    REPLY(VTEST_SYNC_READ, 5, 6);
    COMMAND(VTEST_SYNC_WRITE, 1, 2, 0);
    COMMAND(VTEST_SYNC_READ, 1);
    REPLY(VTEST_SYNC_READ, 2, 0);
    COMMAND(VTEST_SYNC_UNREF, 1);
    COMMAND(VTEST_SYNC_READ, 1);
    expect_disconnected("SYNC_READ: sync 1 does not exist");
}

static int wait_for(uint32_t flags, uint32_t timeout, uint32_t id, uint32_t value)
{
    COMMAND(VTEST_SYNC_WAIT, flags, timeout, id, value, 0);
    expect_reply(VTEST_SYNC_WAIT, NULL, 0);
    return expect_fd();
}

static void waits_are_descriptors(void **state)
{
    start_context(4);
    uint32_t id = make_sync(1);
    int reached = wait_for(0, UINT32_MAX, id, 1), never = wait_for(0, 0, id, 2);
    int later = wait_for(0, UINT32_MAX, id, 2), any = wait_for(1, 1000, id, 2);
    assert_true(readable(reached));
    assert_false(readable(later) || readable(any) || readable(never));
    COMMAND(VTEST_SYNC_WRITE, id, 2, 0);
    pump();
    assert_true(readable(later) && readable(any));
    assert_false(readable(never)); // its time is over
    close(reached);
    close(never);
    close(later);
    close(any);
}

static void waiting_for_nothing_is_over_at_once(void **state)
{
    start_context(4);
    COMMAND(VTEST_SYNC_WAIT, 1, UINT32_MAX);
    expect_reply(VTEST_SYNC_WAIT, NULL, 0);
    int fd = expect_fd();
    assert_true(readable(fd));
    close(fd);
}

// Reads what has come, without an idle moment.
static void read_commands(void)
{
    os_source_set_deadline(pause_timer, os_now_ns());
    os_loop_run(loop);
}

static void a_wait_that_is_soon_over_makes_no_descriptor(void **state)
{
    start_context(4);
    uint32_t id = make_sync(0);
    COMMAND(VTEST_SUBMIT_CMD2, 1, 1, 0, 0, 9, 1, 1, 0, 0, id, 1, 0);
    COMMAND(VTEST_SYNC_WAIT, 0, UINT32_MAX, id, 1, 0);
    COMMAND(VTEST_SYNC_READ, id); // waits its turn
    read_commands();
    char byte;
    assert_true(recv(client, &byte, 1, 0) < 0);
    struct link_message message;
    assert_int_equal(receive_now(&message), 0);
    retire(((const struct link_submit *)message.payload)->fence_id, 1);
    expect_reply(VTEST_SYNC_WAIT, NULL, 0);
    int first = expect_fd();
    assert_true(readable(first));
    REPLY(VTEST_SYNC_READ, 1, 0);

    COMMAND(VTEST_SYNC_WAIT, 0, UINT32_MAX, id, 1, 0);
    expect_reply(VTEST_SYNC_WAIT, NULL, 0);
    int second = expect_fd(); // the same object, which nobody else has
    assert_true(readable(second));
    close(first);
    close(second);
}

static void a_client_may_leave_in_a_wait(void **state)
{
    start_context(4);
    uint32_t id = make_sync(0);
    COMMAND(VTEST_SYNC_WAIT, 0, UINT32_MAX, id, 1, 0);
    read_commands();
    close(client);
    client = -1;
    pump();
    assert_int_equal(server->client_count, 0);
    assert_int_equal(lines_logged(), 0);
}

static void too_many_waits(void **state)
{
    start_context(4);
    uint32_t id = make_sync(0);
    for (int i = 0; i < 4; i++)
        close(wait_for(0, UINT32_MAX, id, 1));
    COMMAND(VTEST_SYNC_WAIT, 0, UINT32_MAX, id, 1, 0);
    expect_disconnected("more than 4 pending waits");
}

static void too_many_syncs(void **state)
{
    start_context(4);
    for (uint32_t i = 0; i < 9; i++)
        COMMAND(VTEST_SYNC_CREATE, 0, 0);
    expect_disconnected("more than 8 sync objects");
}

// ---- submissions ----------------------------------------------------------

static void submissions_reach_the_worker(void **state)
{
    start_context(4);
    uint32_t id = make_sync(0);
    COMMAND(VTEST_SUBMIT_CMD2, 1, 1, 9, 2, 11, 1, 5, 0, 0, 0xaaaa, 0xbbbb, id, 7, 0);
    struct link_message *message = expect_message(LINK_SUBMIT);
    const struct link_submit *submit = (const void *)message->payload;
    assert_int_equal(submit->ring_idx, 5);
    assert_int_equal(submit->byte_count, 8);
    assert_int_not_equal(submit->fence_id, 0);
    const uint32_t *commands = (const void *)(submit + 1);
    assert_int_equal(commands[0], 0xaaaa);
    assert_int_equal(commands[1], 0xbbbb);

    int later = wait_for(0, UINT32_MAX, id, 7);
    assert_false(readable(later));
    assert_true(retire(submit->fence_id, 5));
    assert_true(readable(later)); // without another turn of the loop
    COMMAND(VTEST_SYNC_READ, id);
    REPLY(VTEST_SYNC_READ, 7, 0);
    close(later);
}

// A wait that was under way, and one that comes later: Mesa tells both that the device is lost.
static void what_the_worker_calls_lost_is_not_called_done(void **state)
{
    start_context(4);
    uint32_t id = make_sync(0);
    COMMAND(VTEST_SUBMIT_CMD2, 1, 1, 0, 0, 9, 1, 5, 0, 0, id, 7, 0);
    const struct link_submit *submit = (const void *)expect_message(LINK_SUBMIT)->payload;
    int waits[2] = {wait_for(0, UINT32_MAX, id, 7)};
    assert_true(answer_fence(submit->fence_id, 5, LINK_FENCE_LOST));
    waits[1] = wait_for(0, UINT32_MAX, id, 7);
    for (unsigned i = 0; i < 2; i++) {
        struct pollfd poll_fd = {.fd = waits[i], .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, 0), 1);
        assert_int_equal(poll_fd.revents, POLLHUP);
        close(waits[i]);
    }
}

static void old_clients_write_shorter_batches(void **state)
{
    start_context(3);
    COMMAND(VTEST_SUBMIT_CMD2, 2, 1, 13, 1, 0, 0, 3, 0, 14, 1, 0, 0, 0, 0xaaaa, 0xbbbb);
    const struct link_submit *submit = (const void *)expect_message(LINK_SUBMIT)->payload;
    assert_int_equal(submit->ring_idx, 3);
    assert_int_equal(submit->fence_id, 0);
    assert_int_equal(*(const uint32_t *)(submit + 1), 0xaaaa);
    submit = (const void *)expect_message(LINK_SUBMIT)->payload;
    assert_int_equal(*(const uint32_t *)(submit + 1), 0xbbbb);
}

static void the_layout_follows_what_was_asked_not_what_was_answered(void **state)
{
    start_context(4); // a newer client would be told 4 as well
    COMMAND(VTEST_SUBMIT_CMD2, 1, 1, 9, 1, 0, 0, 0, 0, 0, 0xaaaa);
    const struct link_submit *submit = (const void *)expect_message(LINK_SUBMIT)->payload;
    assert_int_equal(*(const uint32_t *)(submit + 1), 0xaaaa);
}

static void a_batch_without_a_timeline_signals_when_executed(void **state)
{
    start_context(4);
    uint32_t id = make_sync(0);
    COMMAND(VTEST_SUBMIT_CMD2, 1, 0, 0, 0, 9, 1, 33, 0, 0, id, 1, 0);
    const struct link_submit *submit = (const void *)expect_message(LINK_SUBMIT)->payload;
    assert_int_equal(submit->ring_idx, 0);
    assert_int_equal(submit->byte_count, 0);
    assert_int_not_equal(submit->fence_id, 0);
}

static void nothing_to_do_is_not_sent(void **state)
{
    start_context(4);
    COMMAND(VTEST_SUBMIT_CMD2, 1, 1, 0, 0, 0, 0, 0, 0, 0);
    COMMAND(VTEST_SUBMIT_CMD2, 0);
    expect_no_message();
    assert_true(connected());
}

static void too_many_fences_hold_the_client_up(void **state)
{
    start_context(4);
    uint32_t id = make_sync(0);
    uint64_t first = 0;
    for (uint32_t i = 0; i < 4; i++) {
        COMMAND(VTEST_SUBMIT_CMD2, 1, 1, 0, 0, 9, 1, 0, 0, 0, id, i + 1, 0);
        const struct link_submit *submit = (const void *)expect_message(LINK_SUBMIT)->payload;
        first = first ? first : submit->fence_id;
    }
    COMMAND(VTEST_SYNC_READ, id);
    expect_nothing();
    retire(first, 0);
    REPLY(VTEST_SYNC_READ, 1, 0);
}

static void a_large_submission_arrives_whole(void **state)
{
    enum { WORDS = 1 << 20 };
    start_context(4);
    uint32_t *message = calloc(WORDS + 11, 4);
    memcpy(message, (uint32_t[]){WORDS + 9, VTEST_SUBMIT_CMD2, 1, 1, 9, WORDS, 0, 0, 0, 0, 0}, 44);
    for (uint32_t i = 0; i < WORDS; i++)
        message[11 + i] = i;
    size_t sent = 0, total = (WORDS + 11) * 4;
    struct link_message received;
    int status = -EAGAIN;
    while (status == -EAGAIN) {
        ssize_t more = os_socket_send(client, (uint8_t *)message + sent, total - sent, NULL, 0);
        sent += more > 0 ? (size_t)more : 0;
        pump();
        link_flush(peer_worker->link);
        status = link_receive(peer_worker->peer, &received);
    }
    assert_int_equal(status, 0);
    const struct link_submit *submit = (const void *)received.payload;
    assert_int_equal(submit->byte_count, WORDS * 4);
    assert_memory_equal(submit + 1, message + 11, WORDS * 4);
    free(message);
}

static void a_worker_that_does_not_read_holds_its_client_up(void **state)
{
    enum { WORDS = 32768 };
    start_context(4);
    uint32_t *message = calloc(WORDS + 11, 4);
    memcpy(message, (uint32_t[]){WORDS + 9, VTEST_SUBMIT_CMD2, 1, 1, 9, WORDS, 0, 0, 0, 0, 0}, 44);
    size_t total = (WORDS + 11) * 4, taken = 0;
    for (int idle = 0; idle < 3;) {
        ssize_t more = os_socket_send(client, (uint8_t *)message + taken % total,
                                      total - taken % total, NULL, 0);
        idle = more > 0 ? 0 : idle + 1;
        taken += more > 0 ? (size_t)more : 0;
        assert_true(taken < 8 << 20); // the limit is 1 MiB, and there are socket buffers
        pump();
    }
    assert_true(link_queued(peer_worker->link) <= (1 << 20) + total);
    // It reads again.
    struct link_message received;
    do {
        while (receive(&received) == 0)
            ;
    } while (link_flush(peer_worker->link) == -EAGAIN);
    peer_worker->callbacks.drained(peer_worker->data);
    pump();
    ssize_t more =
        os_socket_send(client, (uint8_t *)message + taken % total, total - taken % total, NULL, 0);
    assert_true(more > 0);
    assert_true(connected());
    free(message);
}

static void a_client_that_does_not_read_costs_only_itself(void **state)
{
    start_context(4);
    uint32_t id = make_sync(0);
    uint32_t message[] = {1, VTEST_SYNC_READ, id};
    size_t sent = 0;
    for (int idle = 0; idle < 3;) {
        ssize_t more = os_socket_send(client, message, sizeof(message), NULL, 0);
        assert_true(more < 0 || more == sizeof(message));
        if (more < 0)
            pump();
        idle = more < 0 ? idle + 1 : 0;
        sent += more > 0;
        assert_true(sent < 1000000);
    }
    // Not one answer is lost.
    uint32_t reply[4];
    for (size_t i = 0; i < sent; i++) {
        if (recv(client, reply, sizeof(reply), MSG_PEEK) != sizeof(reply))
            pump();
        assert_int_equal(recv(client, reply, sizeof(reply), 0), sizeof(reply));
        assert_int_equal(reply[1], VTEST_SYNC_READ);
    }
}

// ---- ends -----------------------------------------------------------------

static void a_client_may_leave_at_any_time(void **state)
{
    start_context(4);
    close(wait_for(0, UINT32_MAX, make_sync(0), 1));
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 65536, 0, 7, 0); // in the middle of an export
    pump();
    close(client);
    client = -1;
    pump();
    assert_int_equal(server->client_count, 0);
    assert_int_equal(peer_released, 1);
    assert_int_equal(lines_logged(), 0); // leaving is no error
}

static void a_lost_context_is_logged_with_its_reason(void **state)
{
    start_context(4);
    static const char text[] = "vkCreateBuffer at 96: unknown structure";
    struct link_message message = {
        .type = LINK_CONTEXT_LOST, .size = sizeof(text) - 1, .payload = (const void *)text};
    assert_false(peer_worker->callbacks.message(peer_worker->data, &message));
    expect_disconnected("context 1 (app): vkCreateBuffer at 96: unknown structure; disconnected");
}

static void a_dead_worker_ends_its_client_only(void **state)
{
    int other = client;
    connect_client();
    start_context(4);
    peer_worker->callbacks.gone(peer_worker->data, SIGKILL, "killed by signal 9");
    pump();
    assert_int_equal(server->client_count, 1);
    assert_false(connected());
    assert_non_null(strstr(logged(), "(app): its worker ended: killed by signal 9"));
    close(client);
    client = other;
    COMMAND(VTEST_PING_PROTOCOL_VERSION);
    expect_reply(VTEST_PING_PROTOCOL_VERSION, NULL, 0);
}

// What its client says meanwhile goes nowhere.
static void a_closed_link_is_no_end_yet(void **state)
{
    start_context(4);
    uint32_t id = 1;
    COMMAND(VTEST_SYNC_CREATE, 0, 0);
    REPLY(VTEST_SYNC_CREATE, id);
    link_destroy(peer_worker->link);
    peer_worker->link = NULL;
    COMMAND(VTEST_SUBMIT_CMD2, 1, 1, 9, 2, 11, 1, 5, 0, 0, 0xaaaa, 0xbbbb, id, 7, 0);
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 4096, 0, 0, 0);
    pump();
    assert_true(connected());
    peer_worker->callbacks.gone(peer_worker->data, SIGKILL, "killed by signal 9");
    expect_disconnected("killed by signal 9");
}

static void a_worker_is_not_trusted(void **state)
{
    start_context(4);
    assert_false(retire(0x100000001, 0));
    expect_disconnected("its worker breaks the protocol");
}

static void answers_to_nothing_are_not_trusted(void **state)
{
    start_context(4);
    assert_false(attached(1));
    expect_disconnected("its worker breaks the protocol");
}

static void an_attach_is_not_answered_by_an_export(void **state)
{
    start_context(4);
    COMMAND(VTEST_RESOURCE_CREATE_BLOB, 2, 1, 4096, 0, 0, 0);
    pump();
    exported(1, 0, 0, 4096, true);
    expect_disconnected("its worker breaks the protocol");
}

static void a_worker_may_only_answer(void **state)
{
    start_context(4);
    struct link_message message = {.type = LINK_SUBMIT};
    assert_false(peer_worker->callbacks.message(peer_worker->data, &message));
    expect_disconnected("its worker breaks the protocol");
}

static void malformed_messages_disconnect(void **state)
{
    enum { BLOB = VTEST_RESOURCE_CREATE_BLOB, SUBMIT = VTEST_SUBMIT_CMD2 };
#define WORDS(...) {__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4
    static const struct {
        uint32_t words[32], count; // header included
        const char *reason;
    } cases[] = {
        {WORDS(0, 0), "command 0"},
        {WORDS(0, 25), "command 25"},
        {WORDS(0, UINT32_MAX), "command 4294967295"},
        {WORDS(0, 1), "command 1"},
        {WORDS(UINT32_MAX, SUBMIT), "SUBMIT_CMD2: a length of 4294967295"},
        {WORDS(0, SUBMIT), "a length of 0"},
        {WORDS(1, VTEST_PING_PROTOCOL_VERSION), "PING_PROTOCOL_VERSION: a length of 1"},
        {WORDS(4, VTEST_CREATE_RENDERER, 0), "CREATE_RENDERER: not at this point"},
        {WORDS(1, VTEST_PROTOCOL_VERSION, 4), "PROTOCOL_VERSION: not at this point"},
        {WORDS(1, VTEST_CONTEXT_INIT, 4), "CONTEXT_INIT: not at this point"},
        {WORDS(2, VTEST_RESOURCE_BUSY_WAIT, 9, 0), "resource 9 does not exist"},
        {WORDS(1, VTEST_RESOURCE_UNREF, 0), "resource 0 does not exist"},
        {WORDS(5, BLOB, 2, 1, 1, 0, 0), "a length of 5"},
        {WORDS(6, BLOB, 1, 1, 4096, 0, 0, 0), "blob type 1"},
        {WORDS(6, BLOB, 3, 1, 4096, 0, 0, 0), "blob type 3"},
        {WORDS(6, BLOB, 2, 8, 4096, 0, 0, 0), "blob flags 0x8"},
        {WORDS(6, BLOB, 2, 1, 0, 0, 0, 0), "a blob of 0 bytes"},
        {WORDS(6, BLOB, 2, 1, UINT32_MAX, UINT32_MAX, 1, 0),
         "a blob of 18446744073709551615 bytes"},
        {WORDS(1, VTEST_SYNC_UNREF, 5), "sync 5 does not exist"},
        {WORDS(3, VTEST_SYNC_WRITE, 0, 1, 0), "sync 0 does not exist"},
        {WORDS(5, VTEST_SYNC_WAIT, 0, 0, 5, 0, 0), "sync 5 does not exist"},
        {WORDS(4, VTEST_SYNC_WAIT, 0, 0, 1, 0), "no list of syncs"},
        {WORDS(2, VTEST_SYNC_WAIT, 2, 0), "wait flags 0x2"},
        {WORDS(1, SUBMIT, 1), "1 batches in 1 words"},
        {WORDS(7, SUBMIT, 1, 1, 0, 0, 0, 0, 0), "1 batches in 7 words"},
        {WORDS(1, SUBMIT, UINT32_MAX), "batches"},
        {WORDS(1, SUBMIT, 0x20000000), "batches"}, // times 8 is 0
        {WORDS(9, SUBMIT, 1, 1, 9, 1, 0, 0, 0, 0, 0),
         "commands at 9, 1 words, of a submission of 9"},
        {WORDS(9, SUBMIT, 1, 1, UINT32_MAX, 2, 0, 0, 0, 0, 0), "commands at 4294967295"},
        {WORDS(9, SUBMIT, 1, 1, 2, UINT32_MAX, 0, 0, 0, 0, 0), "commands at 2"},
        {WORDS(9, SUBMIT, 1, 1, 0, 0, 7, 1, 0, 0, 0), "syncs at 7"},
        {WORDS(9, SUBMIT, 1, 1, 0, 0, UINT32_MAX, 1, 0, 0, 0), "syncs at 4294967295"},
        {WORDS(9, SUBMIT, 1, 1, 0, 0, 0, 0x55555556, 0, 0, 0), "1431655766 syncs"}, // times 3 is 2
        {WORDS(12, SUBMIT, 1, 1, 0, 0, 9, 1, 0, 0, 0, 5, 0, 0), "sync 5 does not exist"},
        {WORDS(9, SUBMIT, 1, 1, 0, 0, 0, 0, 64, 0, 0), "timeline 64"},
        {WORDS(9, SUBMIT, 1, 2, 0, 0, 0, 0, 0, 0, 0), "batch flags 0x2"},
        {WORDS(9, SUBMIT, 1, 1, 0, 0, 0, 0, 0, 1, 0), "DRM sync objects"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i)
            connect_client();
        start_context(4);
        send_bytes(cases[i].words, cases[i].count * 4);
        if (connected())
            fail_msg("case %zu (%s) was accepted", i, cases[i].reason);
        if (!strstr(logged(), cases[i].reason))
            fail_msg("case %zu: '%s' is not in the log: %s", i, cases[i].reason, log_text);
        assert_int_equal(lines_logged(), i + 1);
        close(client);
    }
    client = -1;
}

static void commands_out_of_order_disconnect(void **state)
{
    // Before its name, before its version, before its context.
    COMMAND(VTEST_PROTOCOL_VERSION, 4);
    expect_disconnected("PROTOCOL_VERSION: not at this point");
    close(client);
    connect_client();
    send_bytes((uint8_t[]){1, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 0}, 9);
    COMMAND(VTEST_CONTEXT_INIT, 4);
    assert_false(connected());
    close(client);
    connect_client();
    send_bytes((uint8_t[]){1, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 0}, 9);
    COMMAND(VTEST_PROTOCOL_VERSION, 4);
    COMMAND(VTEST_SYNC_CREATE, 0, 0);
    REPLY(VTEST_PROTOCOL_VERSION, 4);
    assert_false(connected());
    close(client);
    connect_client();
    send_bytes((uint8_t[]){1, 0, 0, 0, VTEST_CREATE_RENDERER, 0, 0, 0, 0}, 9);
    COMMAND(VTEST_PROTOCOL_VERSION, 4);
    COMMAND(VTEST_CONTEXT_INIT, 2);
    REPLY(VTEST_PROTOCOL_VERSION, 4);
    assert_false(connected());
    assert_non_null(strstr(logged(), "capset 2 is not offered"));
}

static void a_fresh_socket_serves_and_is_removed(void **state)
{
    char path[64];
    snprintf(path, sizeof(path), "/tmp/hesper-vtest-%ld", (long)getpid());
    assert_int_equal(vtest_server_listen(server, path), 0);
    close(client);
    client = os_socket_connect(path);
    assert_true(client >= 0);
    os_socket_set_nonblocking(client, true);
    COMMAND(VTEST_PING_PROTOCOL_VERSION);
    expect_reply(VTEST_PING_PROTOCOL_VERSION, NULL, 0);
    vtest_server_destroy(server);
    assert_int_equal(access(path, F_OK), -1);
    server = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(start_up_as_mesa_does_it),
        TEST(versions_are_the_smaller_of_both),
        TEST(a_name_can_not_steer_a_terminal),
        TEST(commands_may_come_byte_by_byte),
        TEST(no_worker_means_disconnection),
        TEST(a_client_too_many_is_told_that_nothing_is_there),
        TEST(silent_connections_shut_nobody_out),
        TEST(shared_memory_goes_to_both),
        TEST(memory_comes_from_the_worker),
        TEST(a_failed_export_ends_the_connection),
        TEST(memory_that_never_was_cannot_be_mapped),
        TEST(a_worker_may_not_export_something_else),
        TEST(resources_and_memory_are_bounded),
        TEST(too_many_resources),
        TEST(syncs_are_numbers),
        TEST(waits_are_descriptors),
        TEST(waiting_for_nothing_is_over_at_once),
        TEST(a_wait_that_is_soon_over_makes_no_descriptor),
        TEST(a_client_may_leave_in_a_wait),
        TEST(too_many_waits),
        TEST(too_many_syncs),
        TEST(submissions_reach_the_worker),
        TEST(what_the_worker_calls_lost_is_not_called_done),
        TEST(old_clients_write_shorter_batches),
        TEST(the_layout_follows_what_was_asked_not_what_was_answered),
        TEST(a_batch_without_a_timeline_signals_when_executed),
        TEST(nothing_to_do_is_not_sent),
        TEST(too_many_fences_hold_the_client_up),
        TEST(a_large_submission_arrives_whole),
        TEST(a_worker_that_does_not_read_holds_its_client_up),
        TEST(a_client_that_does_not_read_costs_only_itself),
        TEST(a_client_may_leave_at_any_time),
        TEST(a_lost_context_is_logged_with_its_reason),
        TEST(a_dead_worker_ends_its_client_only),
        TEST(a_closed_link_is_no_end_yet),
        TEST(a_worker_is_not_trusted),
        TEST(answers_to_nothing_are_not_trusted),
        TEST(an_attach_is_not_answered_by_an_export),
        TEST(a_worker_may_only_answer),
        TEST(malformed_messages_disconnect),
        TEST(commands_out_of_order_disconnect),
        TEST(a_fresh_socket_serves_and_is_removed),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
