// Rings as a guest sees them: head, tail and status in shared memory, commands carried out in
// order, replies in place before head moves, and every kind of broken ring ends the context without
// harm. No driver: only commands that need none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../short.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/shm.h"
#include "os/socket.h"
#include "venus/context.h"
#include "venus/ending.h"
#include "venus/ring.h"

#define RING_RESOURCE 1
#define REPLY_RESOURCE 2
#define BUFFER 4096
#define RING_ID 0x5555000011112222ull

struct fixture {
    struct link *link;
    int device_fd; // the device process's end
    struct venus_context *context;
    struct venus_host host;
    uint8_t *ring, *reply;
    uint32_t tail;
};

struct bytes {
    uint32_t words[64];
    unsigned count;
};

static void u32(struct bytes *bytes, uint32_t value)
{
    bytes->words[bytes->count++] = value;
}

static void u64(struct bytes *bytes, uint64_t value)
{
    u32(bytes, (uint32_t)value);
    u32(bytes, (uint32_t)(value >> 32));
}

static _Atomic(uint32_t) *word(uint8_t *base, size_t offset)
{
    return (_Atomic(uint32_t) *)(base + offset);
}

#define HEAD(f) word((f)->ring, 0)
#define TAIL(f) word((f)->ring, 64)
#define STATUS(f) word((f)->ring, 128)

static uint8_t *attach(struct fixture *f, uint32_t id, uint64_t size)
{
    int fd = os_shm_create("test", size);
    uint8_t *address = map_file(fd, 0, size);
    struct venus_pages *pages;
    assert_int_equal(venus_pages_adopt(fd, 0, size, &pages), 0);
    assert_true(venus_resource_attach(&f->context->resources, id, LINK_RESOURCE_SHM, pages));
    return address;
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
        .context_id = 1, .max_rings = 4, .max_resources = 16, .name = "test"};
    f->context = venus_context_create(&info, -1, f->link, &f->host, NULL);
    assert_non_null(f->context);
    f->ring = attach(f, RING_RESOURCE, 65536);
    f->reply = attach(f, REPLY_RESOURCE, 4096);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    venus_context_destroy(f->context);
    link_destroy(f->link);
    close(f->device_fd);
    os_shm_unmap(f->ring, 65536);
    os_shm_unmap(f->reply, 4096);
    free(f);
    return 0;
}

static bool run(struct fixture *f, const struct bytes *bytes)
{
    return venus_stream_run(&f->context->stream, (const uint8_t *)bytes->words, bytes->count * 4);
}

struct ring_layout {
    uint32_t resource;
    uint64_t offset, size, head, tail, status, buffer, buffer_size, extra, extra_size;
};

static const struct ring_layout good = {RING_RESOURCE, 0,      192 + BUFFER + 4, 0, 64, 128,
                                        192,           BUFFER, 192 + BUFFER,     4};

// For tests whose guest does not look whether its ring sleeps, however long they may be kept
// waiting.
#define AWAKE 60000000000u

static struct bytes create_ring(const struct ring_layout *l, uint64_t idle_timeout_ns)
{
    struct bytes b = {0};
    u32(&b, WIRE_vkCreateRingMESA), u32(&b, 0), u64(&b, RING_ID), u64(&b, 1);
    u32(&b, 1000384000), u64(&b, 0), u32(&b, 0), u32(&b, l->resource);
    u64(&b, l->offset), u64(&b, l->size), u64(&b, idle_timeout_ns);
    u64(&b, l->head), u64(&b, l->tail), u64(&b, l->status), u64(&b, l->buffer),
        u64(&b, l->buffer_size), u64(&b, l->extra), u64(&b, l->extra_size);
    return b;
}

static void start(struct fixture *f, uint64_t idle_timeout_ns)
{
    struct bytes b = create_ring(&good, idle_timeout_ns);
    assert_true(run(f, &b));
}

static void put(struct fixture *f, const struct bytes *bytes)
{
    for (unsigned i = 0; i < bytes->count; i++) {
        memcpy(f->ring + 192 + (f->tail & (BUFFER - 1)), &bytes->words[i], 4);
        f->tail += 4;
    }
    atomic_store(TAIL(f), f->tail);
}

static void set_reply(struct bytes *b, uint64_t offset, uint64_t size)
{
    u32(b, WIRE_vkSetReplyCommandStreamMESA), u32(b, 0), u64(b, 1), u32(b, REPLY_RESOURCE),
        u64(b, offset), u64(b, size);
}

static void ask_version(struct bytes *b)
{
    u32(b, WIRE_vkEnumerateInstanceVersion), u32(b, WIRE_FLAG_REPLY), u64(b, 1);
}

static bool becomes(_Atomic(uint32_t) *at, uint32_t mask, uint32_t value)
{
    for (int i = 0; i < 4000; i++) {
        if ((atomic_load(at) & mask) == value)
            return true;
        os_sleep_ns(1000000);
    }
    return false;
}

static void a_reply_is_there_when_head_has_passed(void **state)
{
    struct fixture *f = *state;
    start(f, AWAKE);
    for (unsigned i = 0; i < 2000; i++) { // many times around the buffer
        struct bytes b = {0};
        uint64_t offset = (i % 100) * 20;
        memset(f->reply + offset, 0xff, 20);
        set_reply(&b, offset, 20), ask_version(&b);
        put(f, &b);
        if (i % 500 == 499)
            os_sleep_ns(5000000); // let it fall asleep
        if (atomic_load(STATUS(f)) & VENUS_RING_IDLE) {
            struct bytes wake = {0};
            u32(&wake, WIRE_vkNotifyRingMESA), u32(&wake, 0), u64(&wake, RING_ID), u32(&wake, 0),
                u32(&wake, 0);
            assert_true(run(f, &wake));
        }
        assert_true(becomes(HEAD(f), ~0u, f->tail));
        uint32_t reply[5];
        memcpy(reply, f->reply + offset, 20);
        assert_int_equal(reply[0], WIRE_vkEnumerateInstanceVersion);
        assert_int_equal(reply[1], VK_SUCCESS);
        assert_int_equal(reply[4] >> 22, 1);
    }
}

static void an_idle_ring_says_so_and_wakes_when_told(void **state)
{
    struct fixture *f = *state;
    start(f, 1000000);
    assert_true(becomes(STATUS(f), VENUS_RING_IDLE, VENUS_RING_IDLE));
    struct bytes b = {0}, wake = {0};
    set_reply(&b, 0, 20);
    put(f, &b);
    u32(&wake, WIRE_vkNotifyRingMESA), u32(&wake, 0), u64(&wake, RING_ID), u32(&wake, 0),
        u32(&wake, 0);
    assert_true(run(f, &wake));
    assert_true(becomes(HEAD(f), ~0u, f->tail));
}

static void a_waiting_context_stream_wakes_a_sleeping_ring(void **state)
{
    struct fixture *f = *state;
    start(f, 1000);
    assert_true(becomes(STATUS(f), VENUS_RING_IDLE, VENUS_RING_IDLE));
    struct bytes b = {0}, wait = {0};
    set_reply(&b, 0, 20);
    put(f, &b);
    u32(&wait, WIRE_vkWaitRingSeqnoMESA), u32(&wait, 0), u64(&wait, RING_ID), u64(&wait, f->tail);
    assert_true(run(f, &wait));
    assert_int_equal(atomic_load(HEAD(f)), f->tail);
}

static void waiting_for_what_is_not_in_the_ring_is_fatal(void **state)
{
    struct fixture *f = *state;
    start(f, 1000);
    struct bytes wait = {0};
    u32(&wait, WIRE_vkWaitRingSeqnoMESA), u32(&wait, 0), u64(&wait, RING_ID), u64(&wait, 4096);
    assert_false(run(f, &wait));
    assert_true(becomes(STATUS(f), VENUS_RING_FATAL, VENUS_RING_FATAL));
}

static void virtqueue_seqnos_hold_a_ring_back(void **state)
{
    struct fixture *f = *state;
    start(f, AWAKE);
    struct bytes b = {0}, submit = {0};
    u32(&b, WIRE_vkWaitVirtqueueSeqnoMESA), u32(&b, 0), u64(&b, 5);
    put(f, &b);
    os_sleep_ns(20000000);
    assert_int_equal(atomic_load(HEAD(f)), 0);
    u32(&submit, WIRE_vkSubmitVirtqueueSeqnoMESA), u32(&submit, 0), u64(&submit, RING_ID),
        u64(&submit, 5);
    assert_true(run(f, &submit));
    assert_true(becomes(HEAD(f), ~0u, f->tail));
}

// Streams are decoded in parallel: one that is in the middle of a command holds up no other.
static void a_ring_that_waits_holds_up_no_other(void **state)
{
    struct fixture *f = *state;
    start(f, AWAKE);
    struct bytes b = {0}, submit = {0};
    u32(&b, WIRE_vkWaitVirtqueueSeqnoMESA), u32(&b, 0), u64(&b, 5);
    put(f, &b);
    struct ring_layout behind = good;
    behind.offset = 32768;
    struct bytes second = create_ring(&behind, AWAKE);
    second.words[2]++; // another id
    assert_true(run(f, &second));
    struct fixture other = *f;
    other.ring += behind.offset;
    other.tail = 0;
    b = (struct bytes){0};
    set_reply(&b, 0, 20), ask_version(&b);
    put(&other, &b);
    assert_true(becomes(HEAD(&other), ~0u, other.tail));
    assert_int_equal(atomic_load(HEAD(f)), 0);
    u32(&submit, WIRE_vkSubmitVirtqueueSeqnoMESA), u32(&submit, 0), u64(&submit, RING_ID),
        u64(&submit, 5);
    assert_true(run(f, &submit));
    assert_true(becomes(HEAD(f), ~0u, f->tail));
}

// A waiting thread is woken for the command that it waits for, and not for those before it.
static void a_wait_for_a_seqno_ends_when_it_is_reached(void **state)
{
    struct fixture *f = *state;
    start(f, AWAKE);
    for (unsigned i = 0; i < 200; i++) {
        struct bytes b = {0}, wait = {0};
        for (unsigned j = 0; j < 3; j++)
            set_reply(&b, 0, 20);
        put(f, &b);
        uint32_t target = f->tail - b.count * 4 / 3;
        u32(&wait, WIRE_vkWaitRingSeqnoMESA), u32(&wait, 0), u64(&wait, RING_ID),
            u64(&wait, target);
        assert_true(run(f, &wait));
        assert_true((int32_t)(atomic_load(HEAD(f)) - target) >= 0);
    }
}

static void a_ring_that_waits_can_be_destroyed(void **state)
{
    struct fixture *f = *state;
    start(f, AWAKE);
    struct bytes b = {0}, destroy = {0};
    u32(&b, WIRE_vkWaitVirtqueueSeqnoMESA), u32(&b, 0), u64(&b, 5);
    put(f, &b);
    os_sleep_ns(5000000);
    u32(&destroy, WIRE_vkDestroyRingMESA), u32(&destroy, 0), u64(&destroy, RING_ID);
    assert_true(run(f, &destroy));
    assert_true(venus_resource_detach(&f->context->resources, RING_RESOURCE));
    assert_false(venus_ring_uses_resource(f->context, RING_RESOURCE));
    assert_false(venus_context_stopping(f->context)); // only the ring has ended
    assert_int_equal(atomic_load(STATUS(f)) & VENUS_RING_FATAL, 0);
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void a_ring_that_must_not_sleep_hardly_works(void **state)
{
    struct fixture *f = *state;
    start(f, UINT64_MAX);
    os_sleep_ns(100000000);
    uint64_t least = UINT64_MAX; // on a busy machine the same naps cost more now and then
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = cpu_ns();
        os_sleep_ns(100000000);
        uint64_t used = cpu_ns() - before;
        least = used < least ? used : least;
    }
    assert_true(least < 2000000); // 2 %
    struct bytes b = {0};
    set_reply(&b, 0, 20);
    put(f, &b);
    assert_true(becomes(HEAD(f), ~0u, f->tail)); // nobody tells it
}

static void a_guest_is_not_preferred(void **state)
{
    struct fixture *f = *state;
    struct bytes b = create_ring(&good, AWAKE), chained = {0};
    for (unsigned i = 0; i < 7; i++)
        u32(&chained, b.words[i]);
    u64(&chained, 1), u32(&chained, VK_STRUCTURE_TYPE_RING_PRIORITY_INFO_MESA);
    u64(&chained, 0), u32(&chained, (uint32_t)-20);
    for (unsigned i = 9; i < b.count; i++)
        u32(&chained, b.words[i]);
    assert_true(run(f, &chained));
    b = (struct bytes){0};
    set_reply(&b, 0, 20);
    put(f, &b);
    assert_true(becomes(HEAD(f), ~0u, f->tail));
    glob_t threads;
    assert_int_equal(glob("/proc/self/task/*", 0, NULL, &threads), 0);
    for (size_t i = 0; i < threads.gl_pathc; i++)
        assert_true(getpriority(PRIO_PROCESS, (id_t)atoi(strrchr(threads.gl_pathv[i], '/') + 1)) >=
                    0);
    globfree(&threads);
}

static void wrong_layouts_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ring_layout bad[12];
    for (unsigned i = 0; i < 12; i++)
        bad[i] = good;
    bad[0].resource = 99;
    bad[1].size = 1 << 20;
    bad[2].offset = UINT64_MAX - 3;
    bad[3].head = 2;
    bad[4].tail = 0;     // on head
    bad[5].status = 192; // in the buffer
    bad[6].buffer_size = BUFFER - 4;
    bad[7].buffer_size = 0;
    bad[8].buffer = 65536;
    bad[9].extra = UINT64_MAX - 3;
    bad[10].extra_size = UINT64_MAX;
    bad[11].buffer_size = 1ull << 32;
    for (unsigned i = 0; i < 12; i++) {
        struct bytes b = create_ring(&bad[i], 1000);
        if (i)
            set_up(state), f = *state;
        assert_false(run(f, &b));
        if (i < 11)
            tear_down(state);
    }
}

static void overtaking_tails_and_torn_commands_are_fatal(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        if (i)
            set_up(state);
        struct fixture *f = *state;
        start(f, AWAKE);
        const uint32_t tails[] = {BUFFER + 4, 6,
                                  8}; // too far; not whole words; a command that is cut off
        uint32_t command = WIRE_vkSetReplyCommandStreamMESA;
        memcpy(f->ring + 192, &command, 4);
        atomic_store(TAIL(f), tails[i]);
        assert_true(becomes(STATUS(f), VENUS_RING_FATAL, VENUS_RING_FATAL));
        if (i < 2)
            tear_down(state);
    }
}

static void what_is_not_allowed_on_a_ring_is_fatal(void **state)
{
    struct fixture *f = *state;
    start(f, AWAKE);
    struct bytes b = {0};
    u32(&b, WIRE_vkDestroyRingMESA), u32(&b, 0), u64(&b, RING_ID);
    put(f, &b);
    assert_true(becomes(STATUS(f), VENUS_RING_FATAL, VENUS_RING_FATAL));
}

static void replies_stay_within_what_was_asked(void **state)
{
    struct fixture *f = *state;
    start(f, AWAKE);
    memset(f->reply, 0xee, 4096);
    struct bytes b = {0};
    set_reply(&b, 100, 16), ask_version(&b); // needs 20
    put(f, &b);
    assert_true(becomes(STATUS(f), VENUS_RING_FATAL, VENUS_RING_FATAL));
    assert_int_equal(f->reply[99], 0xee);
    assert_int_equal(f->reply[116], 0xee);
}

static void streams_in_shared_memory_run_as_if_in_place(void **state)
{
    struct fixture *f = *state;
    start(f, AWAKE);
    struct bytes inner = {0}, b = {0};
    ask_version(&inner);
    memcpy(f->reply + 2048, inner.words, inner.count * 4);
    set_reply(&b, 0, 64);
    u32(&b, WIRE_vkExecuteCommandStreamsMESA), u32(&b, 0), u32(&b, 2), u64(&b, 2);
    for (int i = 0; i < 2; i++)
        u32(&b, REPLY_RESOURCE), u64(&b, 2048), u64(&b, inner.count * 4);
    u64(&b, 2), u64(&b, 40), u64(&b, 0); // reply positions
    u32(&b, 0), u64(&b, 0), u32(&b, 0);
    put(f, &b);
    assert_true(becomes(HEAD(f), ~0u, f->tail));
    uint32_t at0, at40;
    memcpy(&at0, f->reply, 4), memcpy(&at40, f->reply + 40, 4);
    assert_int_equal(at0, WIRE_vkEnumerateInstanceVersion);
    assert_int_equal(at40, WIRE_vkEnumerateInstanceVersion);
}

int main(int argc, char **argv)
{
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RING_TEST(a_reply_is_there_when_head_has_passed),
        RING_TEST(an_idle_ring_says_so_and_wakes_when_told),
        RING_TEST(a_waiting_context_stream_wakes_a_sleeping_ring),
        RING_TEST(waiting_for_what_is_not_in_the_ring_is_fatal),
        RING_TEST(virtqueue_seqnos_hold_a_ring_back),
        RING_TEST(a_ring_that_waits_holds_up_no_other),
        RING_TEST(a_wait_for_a_seqno_ends_when_it_is_reached),
        RING_TEST(a_ring_that_waits_can_be_destroyed),
        RING_TEST(a_ring_that_must_not_sleep_hardly_works),
        RING_TEST(a_guest_is_not_preferred),
        RING_TEST(wrong_layouts_are_refused),
        RING_TEST(overtaking_tails_and_torn_commands_are_fatal),
        RING_TEST(what_is_not_allowed_on_a_ring_is_fatal),
        RING_TEST(replies_stay_within_what_was_asked),
        RING_TEST(streams_in_shared_memory_run_as_if_in_place),
    };
    os_init(&(struct os_options){.portable = argc > 1});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
