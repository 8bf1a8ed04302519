#include "../flavour.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../short.h"
#include "link/context_messages.h"
#include "link/link.h"
#include "os/shm.h"
#include "os/socket.h"

struct fixture {
    int raw; // the other end, by hand
    struct link *link;
    int lowest_free; // to find leaked descriptors
};

static int lowest_free_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static int set_up(void **state, bool blocking)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int pair[2];
    fixture->lowest_free = lowest_free_fd();
    os_socket_pair(pair);
    fixture->raw = pair[0];
    fixture->link = new_link(pair[1], blocking);
    *state = fixture;
    return fixture->link ? 0 : -1;
}

static int set_up_blocking(void **state)
{
    return set_up(state, true);
}

static int set_up_non_blocking(void **state)
{
    return set_up(state, false);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    link_destroy(fixture->link);
    if (fixture->raw >= 0)
        close(fixture->raw);
    int leaked = lowest_free_fd() != fixture->lowest_free;
    free(fixture);
    return leaked ? -1 : 0;
}

// A message as bytes. Returns its length.
static size_t compose(uint8_t *bytes, uint16_t type, const void *payload, uint32_t size,
                      uint16_t fd_count)
{
    struct link_header header = {.size = size, .type = type, .fd_count = fd_count};
    memset(bytes, 0, sizeof(header) + size + 8);
    memcpy(bytes, &header, sizeof(header));
    if (size)
        memcpy(bytes + sizeof(header), payload, size);
    return sizeof(header) + (size + 7) / 8 * 8;
}

static void messages_may_be_cut_anywhere(void **state)
{
    struct fixture *fixture = *state;
    uint8_t stream[256];
    struct link_resource_detach detach = {.resource_id = 77};
    struct link_context_create create = {.context_id = 5, .name = "app"};
    size_t first = compose(stream, LINK_CONTEXT_LOST, "why", 3, 0);
    size_t second =
        first + compose(stream + first, LINK_RESOURCE_DETACH, &detach, sizeof(detach), 0);
    size_t total =
        second + compose(stream + second, LINK_CONTEXT_CREATE, &create, sizeof(create), 0);

    for (size_t cut = 1; cut < total; cut++) {
        struct link_message message;
        unsigned received = 0;
        for (int half = 0; half < 2; half++) {
            os_socket_send(fixture->raw, stream + (half ? cut : 0), half ? total - cut : cut, NULL,
                           0);
            int status;
            while ((status = link_receive(fixture->link, &message)) == 0) {
                static const uint16_t types[] = {LINK_CONTEXT_LOST, LINK_RESOURCE_DETACH,
                                                 LINK_CONTEXT_CREATE};
                assert_true(received < 3);
                assert_int_equal(message.type, types[received]);
                assert_int_equal((uintptr_t)message.payload % 8, 0);
                if (received == 0)
                    assert_memory_equal(message.payload, "why", 3);
                if (received == 1)
                    assert_memory_equal(message.payload, &detach, sizeof(detach));
                if (received == 2)
                    assert_memory_equal(message.payload, &create, sizeof(create));
                received++;
            }
            assert_int_equal(status, -EAGAIN);
        }
        assert_int_equal(received, 3);
    }
}

static void what_is_sent_arrives(void **state)
{
    struct fixture *fixture = *state;
    struct link *sender = new_link(dup(fixture->raw), true);
    struct link_submit submit = {.fence_id = 9, .ring_idx = 2, .byte_count = 12};
    assert_int_equal(
        link_send(sender, LINK_SUBMIT, &submit, sizeof(submit), "abcdefghijkl", 12, NULL, 0), 0);
    assert_int_equal(link_send(sender, LINK_WORKER_READY, NULL, 0, NULL, 0, NULL, 0), 0);
    struct link_message message;
    assert_int_equal(link_receive(fixture->link, &message), 0);
    assert_int_equal(message.type, LINK_SUBMIT);
    assert_int_equal(message.size, sizeof(submit) + 12);
    assert_memory_equal(message.payload, &submit, sizeof(submit));
    assert_memory_equal(message.payload + sizeof(submit), "abcdefghijkl", 12);
    assert_int_equal(link_receive(fixture->link, &message), 0);
    assert_int_equal(message.type, LINK_WORKER_READY);
    link_destroy(sender);
    close(fixture->raw);
    fixture->raw = -1;
    assert_int_equal(link_receive(fixture->link, &message), -EPIPE);
}

static void descriptors_come_with_their_message(void **state)
{
    struct fixture *fixture = *state;
    struct link *sender = new_link(dup(fixture->raw), true);
    struct link_resource_attach attach = {.resource_id = 1, .kind = LINK_RESOURCE_SHM};
    for (uint32_t i = 1; i <= 3; i++) {
        int fd = os_shm_create("test", i * os_page_size());
        attach.resource_id = i;
        link_send(sender, LINK_WORKER_READY, NULL, 0, NULL, 0, NULL, 0); // one without, in between
        assert_int_equal(
            link_send(sender, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0, &fd, 1), 0);
        close(fd);
    }
    for (uint32_t i = 1; i <= 3; i++) {
        struct link_message message;
        assert_int_equal(link_receive(fixture->link, &message), 0);
        assert_int_equal(message.fd_count, 0);
        assert_int_equal(link_receive(fixture->link, &message), 0);
        assert_int_equal(message.fd_count, 1);
        assert_int_equal(os_shm_size(message.fds[0]), i * os_page_size());
        if (i == 2) { // the others are closed behind us: tear_down would find them
            int kept = link_take_fd(fixture->link, 0);
            assert_int_equal(link_take_fd(fixture->link, 0), -1);
            assert_int_equal(link_take_fd(fixture->link, 1), -1);
            link_receive(fixture->link, &message);
            assert_int_equal(os_shm_size(kept), i * os_page_size());
            close(kept);
            assert_int_equal(link_receive(fixture->link, &message), 0);
            break;
        }
    }
    link_destroy(sender);
}

static void malformed_messages_break_the_link(void **state)
{
    (void)state;
    struct link_submit odd = {.byte_count = 6}, longer = {.byte_count = 400};
    struct link_context_create endless;
    memset(&endless, 'x', sizeof(endless));
    uint8_t many[600] = {0};
    const struct {
        uint16_t type;
        const void *payload;
        uint32_t size;
        uint16_t fd_count;
    } cases[] = {
        {0, many, 0, 0},
        {200, many, 0, 0},
        {LINK_CONTEXT_CREATE, many, sizeof(endless) - 8, 0},
        {LINK_CONTEXT_CREATE, &endless, sizeof(endless), 0}, // the name has no end
        {LINK_SUBMIT, many, sizeof(odd) - 1, 0},
        {LINK_SUBMIT, &longer, sizeof(longer), 0},
        {LINK_SUBMIT, many, sizeof(odd) + 4, 0}, // bytes that nobody announced
        {LINK_RESOURCE_ATTACH, many, sizeof(struct link_resource_attach), 0},
        {LINK_RESOURCE_ATTACH, many, sizeof(struct link_resource_attach), 1}, // announced, not sent
        {LINK_RESOURCE_DETACH, many, 0, 0},
        {LINK_BLOB_EXPORT, many, 4, 0},
        {LINK_WORKER_READY, many, LINK_MAX_TEXT + 1, 0},
        {LINK_FENCE_RETIRED, many, 0, 0},
        {LINK_FENCE_RETIRED, many, sizeof(struct link_fence_retired) + 8, 0},
        {LINK_BLOB_EXPORTED, many, sizeof(struct link_blob_exported), 0}, // success without a file
        {LINK_CONTEXT_LOST, many, LINK_MAX_TEXT + 1, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int pair[2];
        os_socket_pair(pair);
        struct link *link = new_link(pair[1], true);
        uint8_t bytes[1024];
        size_t length =
            compose(bytes, cases[i].type, cases[i].payload, cases[i].size, cases[i].fd_count);
        os_socket_send(pair[0], bytes, length, NULL, 0);
        struct link_message message;
        if (link_receive(link, &message) != -EPROTO)
            fail_msg("case %zu was accepted", i);
        assert_int_equal(link_receive(link, &message), -EPROTO); // for good
        link_destroy(link);
        close(pair[0]);
    }
}

static void an_odd_submission_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct {
        struct link_submit submit;
        uint8_t bytes[8];
    } odd = {.submit.byte_count = 6};
    uint8_t bytes[64];
    struct link_message message;
    os_socket_send(fixture->raw, bytes,
                   compose(bytes, LINK_SUBMIT, &odd, sizeof(odd.submit) + 6, 0), NULL, 0);
    assert_int_equal(link_receive(fixture->link, &message), -EPROTO);
}

static void an_oversized_message_is_refused_before_memory_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct link_header header = {.size = LINK_MAX_PAYLOAD + 1, .type = LINK_SUBMIT};
    struct link_message message;
    os_socket_send(fixture->raw, &header, sizeof(header), NULL, 0);
    assert_int_equal(link_receive(fixture->link, &message), -EPROTO);
    static uint8_t big[8];
    assert_int_equal(link_send(fixture->link, LINK_SUBMIT, big, 8, big, LINK_MAX_PAYLOAD, NULL, 0),
                     -EMSGSIZE);
}

static void unannounced_descriptors_are_bounded_and_closed(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[64];
    size_t length = compose(bytes, LINK_WORKER_READY, NULL, 0, 0);
    int fds[8] = {0};
    struct link_message message;
    int status = 0;
    for (int i = 0; i < 20 && status == 0; i++) {
        os_socket_send(fixture->raw, bytes, length, fds, 8);
        status = link_receive(fixture->link, &message);
    }
    assert_true(link_is_broken(status));
}

static void an_end_in_mid_message_is_a_break(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[64];
    struct link_resource_detach detach = {1, 0};
    struct link_message message;
    os_socket_send(fixture->raw, bytes,
                   compose(bytes, LINK_RESOURCE_DETACH, &detach, sizeof(detach), 0) - 4, NULL, 0);
    close(fixture->raw);
    fixture->raw = -1;
    assert_int_equal(link_receive(fixture->link, &message), -EPROTO);
}

static void wait_readable(struct link *link)
{
    struct pollfd fd = {.fd = link_fd(link), .events = POLLIN};
    poll(&fd, 1, -1);
}

// A receiver that does not read: sending queues, keeps the order and the descriptors, and never
// blocks.
static void a_non_blocking_link_queues(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 300000, COUNT = 6 };
    uint8_t *bytes = malloc(SIZE);
    int status = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        struct link_submit submit = {.fence_id = i, .byte_count = SIZE};
        memset(bytes, (int)i, SIZE);
        status =
            link_send(fixture->link, LINK_SUBMIT, &submit, sizeof(submit), bytes, SIZE, NULL, 0);
    }
    assert_int_equal(status, -EAGAIN);
    int fd = os_shm_create("test", 4096);
    struct link_resource_attach attach = {.resource_id = 4};
    assert_int_equal(
        link_send(fixture->link, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0, &fd, 1),
        -EAGAIN);
    close(fd); // the link has its own
    assert_true(link_queued(fixture->link) > SIZE);

    struct link *receiver = new_link(dup(fixture->raw), false);
    struct link_message message;
    for (uint32_t received = 0; received <= COUNT;) {
        status = link_receive(receiver, &message);
        if (status == -EAGAIN) {
            link_flush(fixture->link);
            wait_readable(receiver);
            continue;
        }
        assert_int_equal(status, 0);
        if (received < COUNT) {
            assert_int_equal(message.size, sizeof(struct link_submit) + SIZE);
            assert_int_equal(((const struct link_submit *)message.payload)->fence_id, received);
            assert_int_equal(message.payload[message.size - 1], received);
        } else {
            assert_int_equal(message.type, LINK_RESOURCE_ATTACH);
            assert_int_equal(os_shm_size(message.fds[0]), 4096);
        }
        received++;
    }
    assert_int_equal(link_queued(fixture->link), 0);
    assert_int_equal(link_flush(fixture->link), 0);
    link_destroy(receiver);
    free(bytes);
}

static void held_messages_go_out_as_one(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[8192], large[8192];
    struct link_resource_detach detach = {1, 0};
    struct link_submit submit = {.byte_count = sizeof(large)};
    link_hold(fixture->link);
    for (int i = 0; i < 2; i++)
        assert_int_equal(link_send(fixture->link, LINK_RESOURCE_DETACH, &detach, sizeof(detach),
                                   NULL, 0, NULL, 0),
                         0);
    os_socket_set_nonblocking(fixture->raw, true);
    unsigned count = 0;
    assert_true(os_socket_recv(fixture->raw, bytes, sizeof(bytes), NULL, 0, &count) < 0);
    assert_int_equal(link_release(fixture->link), 0);
    assert_int_equal(os_socket_recv(fixture->raw, bytes, sizeof(bytes), NULL, 0, &count), 32);
    assert_int_equal(link_release(fixture->link), 0); // of nothing

    // Large ones and those with descriptors push out what was gathered before them.
    link_hold(fixture->link);
    link_send(fixture->link, LINK_RESOURCE_DETACH, &detach, sizeof(detach), NULL, 0, NULL, 0);
    link_send(fixture->link, LINK_SUBMIT, &submit, sizeof(submit), large, sizeof(large), NULL, 0);
    link_send(fixture->link, LINK_RESOURCE_DETACH, &detach, sizeof(detach), NULL, 0, NULL, 0);
    struct link_resource_attach attach = {.resource_id = 4};
    link_send(fixture->link, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0, &(int){0}, 1);
    static const uint16_t order[] = {LINK_RESOURCE_DETACH, LINK_SUBMIT, LINK_RESOURCE_DETACH,
                                     LINK_RESOURCE_ATTACH};
    struct link *receiver = new_link(dup(fixture->raw), true);
    for (int i = 0; i < 4; i++) {
        struct link_message message;
        assert_int_equal(link_receive(receiver, &message), 0);
        assert_int_equal(message.type, order[i]);
    }
    for (int i = 0; i < 300; i++) // more than is gathered at a time
        link_send(fixture->link, LINK_RESOURCE_DETACH, &detach, sizeof(detach), NULL, 0, NULL, 0);
    link_release(fixture->link);
    for (int i = 0; i < 300; i++) {
        struct link_message message;
        assert_int_equal(link_receive(receiver, &message), 0);
    }
    link_destroy(receiver);
}

static void a_queue_is_dropped_with_the_link(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *bytes = calloc(1, 1 << 20);
    struct link_submit submit = {.byte_count = 1 << 20};
    link_send(fixture->link, LINK_SUBMIT, &submit, sizeof(submit), bytes, 1 << 20, NULL, 0);
    struct link_resource_attach attach = {.resource_id = 4};
    int fd = os_shm_create("test", 4096);
    link_send(fixture->link, LINK_RESOURCE_ATTACH, &attach, sizeof(attach), NULL, 0, &fd, 1);
    close(fd);
    free(bytes);
    close(fixture->raw);
    fixture->raw = -1;
    assert_int_equal(link_flush(fixture->link), -EPIPE);
    // tear_down finds what is not closed
}

enum { THREADS = 4, MESSAGES = 500 };

static void *send_many(void *data)
{
    struct link *link = data;
    static atomic_uint next_thread;
    uint32_t thread = next_thread++ % THREADS;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct link_fence_retired fences[3] = {{i, thread, 0}, {i, thread, 0}, {i, thread, 0}};
        link_send(link, LINK_FENCE_RETIRED, fences, sizeof(fences[0]), fences + 1,
                  2 * sizeof(fences[0]), NULL, 0);
    }
    return NULL;
}

static void threads_do_not_mix_their_messages(void **state)
{
    struct fixture *fixture = *state;
    struct link *sender = new_link(dup(fixture->raw), true);
    pthread_t threads[THREADS];
    uint64_t next[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, send_many, sender);
    for (int i = 0; i < THREADS * MESSAGES; i++) {
        struct link_message message;
        assert_int_equal(link_receive(fixture->link, &message), 0);
        const struct link_fence_retired *fences = (const void *)message.payload;
        assert_int_equal(message.size, 3 * sizeof(*fences));
        assert_true(fences[0].ring_idx < THREADS);
        assert_int_equal(fences[0].fence_id, next[fences[0].ring_idx]++);
        assert_memory_equal(&fences[0], &fences[2], sizeof(*fences));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    link_destroy(sender);
}

int main(void)
{
#define BLOCKING(name) cmocka_unit_test_setup_teardown(name, set_up_blocking, tear_down)
#define NON_BLOCKING(name) cmocka_unit_test_setup_teardown(name, set_up_non_blocking, tear_down)
    const struct CMUnitTest tests[] = {
        NON_BLOCKING(messages_may_be_cut_anywhere),
        BLOCKING(what_is_sent_arrives),
        BLOCKING(descriptors_come_with_their_message),
        cmocka_unit_test(malformed_messages_break_the_link),
        BLOCKING(an_odd_submission_is_refused),
        BLOCKING(an_oversized_message_is_refused_before_memory_is_taken),
        BLOCKING(unannounced_descriptors_are_bounded_and_closed),
        BLOCKING(an_end_in_mid_message_is_a_break),
        NON_BLOCKING(a_non_blocking_link_queues),
        NON_BLOCKING(held_messages_go_out_as_one),
        NON_BLOCKING(a_queue_is_dropped_with_the_link),
        BLOCKING(threads_do_not_mix_their_messages),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
