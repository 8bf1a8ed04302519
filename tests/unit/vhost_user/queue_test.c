// Split virtqueues: requests, answers, notifications, and drivers that mean harm.
#include "front_end.h"

#include <string.h>
#include <unistd.h>

static uint32_t used_length(struct front_end *f, unsigned queue, uint16_t index, uint32_t id)
{
    uint32_t got, length;
    front_used_entry(f, queue, index, &got, &length);
    assert_int_equal(got, id);
    return length;
}

static void a_request_is_seen_and_answered(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 2, "hello", 5, 16);
    front_kick(f, 0);
    assert_int_equal(f->requests, 1);
    assert_int_equal(f->seen_queue, 0);
    assert_int_equal(f->seen_size, 5);
    assert_memory_equal(f->seen, "hello", 5);
    assert_int_equal(f->room, 16);
    assert_int_equal(front_used(f, 0), 1);
    assert_int_equal(used_length(f, 0, 0, 2), 16);
    assert_int_equal(f->memory[BUFFERS + 0x2800], 0x5a);
    assert_int_equal(f->memory[BUFFERS + 0x2800 + 16], 0);
    assert_true(front_interrupted(f, 0));
    assert_false(front_interrupted(f, 1));
}

static void both_queues_work_and_wrap(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2] = {65530, 0};
    *front_available_index(f, 0) = 65530;
    *(front_used_flags(f, 0) + 1) = 65530;
    front_start_driver(f, bases);
    for (unsigned i = 0; i < 40; i++) {
        front_simple_request(f, i & 1, (uint16_t)(2 * (i % 4)), "ab", 2, 4);
        front_kick(f, i & 1);
        assert_int_equal(f->requests, i + 1);
        assert_int_equal(f->seen_queue, i & 1);
    }
    assert_int_equal(front_used(f, 0), (uint16_t)(65530 + 20));
    assert_int_equal(front_used(f, 1), 20);
}

static void requests_may_be_completed_later_and_out_of_order(void **state)
{
    struct front_end *f = *state;
    f->hold = true;
    front_start_driver(f, NULL);
    for (uint16_t i = 0; i < 4; i++)
        front_simple_request(f, 0, 2 * i, "abc", 3, 8);
    front_kick(f, 0);
    assert_int_equal(f->pending_count, 4);
    assert_int_equal(front_used(f, 0), 0);
    assert_false(front_interrupted(f, 0));
    virtio_complete(f->pending[3], 1);
    virtio_complete(f->pending[0], 2);
    assert_int_equal(front_used(f, 0), 0); // told when flushed
    virtio_flush(f->vhost);
    assert_int_equal(front_used(f, 0), 2);
    assert_int_equal(used_length(f, 0, 0, 6), 1);
    assert_int_equal(used_length(f, 0, 1, 0), 2);
    assert_true(front_interrupted(f, 0));
    virtio_flush(f->vhost);
    assert_false(front_interrupted(f, 0));
}

static void more_written_than_there_is_room_for_is_cut(void **state)
{
    struct front_end *f = *state;
    f->hold = true;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "abc", 3, 8);
    front_kick(f, 0);
    virtio_complete(f->pending[0], 1000000);
    virtio_flush(f->vhost);
    assert_int_equal(used_length(f, 0, 0, 0), 8);
}

static void answers_start_zeroed_and_are_bounded(void **state)
{
    struct front_end *f = *state;
    f->hold = true;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "abc", 3, 2000);
    front_kick(f, 0);
    assert_int_equal(f->room, 256); // max_response
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(((uint8_t *)f->response)[i], 0);
    virtio_complete(f->pending[0], 256);
    virtio_flush(f->vhost);
    assert_int_equal(used_length(f, 0, 0, 0), 256);
}

static void long_chains_and_scattered_answers(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    struct descriptor *d = front_descriptors(f, 0);
    for (uint16_t i = 0; i < 8; i++)
        d[i] = (struct descriptor){front_buffer(f, i * 0x100, "0123456789", 10), 3,
                                   (i < 7 ? NEXT : 0) | (i >= 4 ? WRITE : 0), i + 1};
    front_offer(f, 0, 0);
    front_kick(f, 0);
    assert_int_equal(f->seen_size, 12);
    assert_memory_equal(f->seen, "012012012012", 12);
    assert_int_equal(f->room, 12);
    for (unsigned i = 4; i < 8; i++) {
        assert_memory_equal(f->memory + BUFFERS + i * 0x100, "\x5a\x5a\x5a", 3);
        assert_int_equal(f->memory[BUFFERS + i * 0x100 + 3], '3');
    }
    assert_int_equal(used_length(f, 0, 0, 0), 12);
}

static void neighbouring_buffers_become_one(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    struct descriptor *d = front_descriptors(f, 0);
    for (uint16_t i = 0; i < 4; i++)
        d[i] = (struct descriptor){front_buffer(f, i * 16, NULL, 0), 16, i < 3 ? NEXT : 0, i + 1};
    front_offer(f, 0, 0);
    front_kick(f, 0);
    assert_int_equal(f->seen_size, 64);
    assert_int_equal(f->seen_parts, 1);
}

// Linux builds indirect tables longer than the queue.
static void indirect_tables(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    struct descriptor table[100];
    for (uint16_t i = 0; i < 100; i++)
        table[i] = (struct descriptor){front_buffer(f, 0x4000 + i * 32, "x", 1), 1,
                                       (i < 99 ? NEXT : 0) | (i == 99 ? WRITE : 0), i + 1};
    struct descriptor *d = front_descriptors(f, 0);
    d[5] = (struct descriptor){front_buffer(f, 0x21, table, sizeof(table)), sizeof(table), INDIRECT,
                               0}; // may lie anywhere
    front_offer(f, 0, 5);
    front_kick(f, 0);
    assert_int_equal(f->requests, 1);
    assert_int_equal(f->seen_size, 99);
    assert_int_equal(f->room, 1);
    assert_int_equal(used_length(f, 0, 0, 5), 1);
}

static void an_indirect_table_may_end_a_chain(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    struct descriptor table = {front_buffer(f, 0x100, NULL, 0), 4, WRITE, 0};
    struct descriptor *d = front_descriptors(f, 0);
    d[0] = (struct descriptor){front_buffer(f, 0, "abc", 3), 3, NEXT, 1};
    d[1] = (struct descriptor){front_buffer(f, 0x200, &table, sizeof(table)), 16, INDIRECT, 0};
    front_offer(f, 0, 0);
    front_kick(f, 0);
    assert_int_equal(f->seen_size, 3);
    assert_int_equal(f->room, 4);
}

// ---- harm -----------------------------------------------------------------

// Offers what is in the descriptors at `head`: it must come back unanswered and unseen, and the
// next request must work.
static void expect_rejected(struct front_end *f, uint16_t head)
{
    int before = f->requests;
    uint16_t used = front_used(f, 0);
    front_offer(f, 0, head);
    front_kick(f, 0);
    assert_int_equal(f->requests, before);
    assert_int_equal(front_used(f, 0), (uint16_t)(used + 1));
    assert_int_equal(used_length(f, 0, used, head), 0);
    front_simple_request(f, 0, 6, "ok", 2, 4);
    front_kick(f, 0);
    assert_int_equal(f->requests, before + 1);
    assert_memory_equal(f->seen, "ok", 2);
}

static void chains_that_make_no_sense_come_back_unanswered(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    struct descriptor *d = front_descriptors(f, 0);
    uint64_t good = front_buffer(f, 0, NULL, 0);

    d[0] = (struct descriptor){good, 4, NEXT, 0}; // to itself
    expect_rejected(f, 0);
    d[0] = (struct descriptor){good, 4, NEXT, 1};
    d[1] = (struct descriptor){good, 4, NEXT, 0}; // round
    expect_rejected(f, 0);
    d[0] = (struct descriptor){good, 4, NEXT, 8}; // out of range
    expect_rejected(f, 0);
    d[0] = (struct descriptor){good, 4, NEXT, 65535};
    expect_rejected(f, 0);
    d[0] = (struct descriptor){good, 0, 0, 0}; // empty
    expect_rejected(f, 0);
    d[0] = (struct descriptor){good, 4, NEXT | WRITE, 1}; // readable after writable
    d[1] = (struct descriptor){good, 4, 0, 0};
    expect_rejected(f, 0);
    uint64_t bad[] = {
        0,          GUEST_ADDRESS - 1, GUEST_ADDRESS + GUEST_SIZE, GUEST_ADDRESS + GUEST_SIZE - 3,
        UINT64_MAX, UINT64_MAX - 3};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        d[0] = (struct descriptor){bad[i], 4, 0, 0};
        expect_rejected(f, 0);
        d[0].flags = WRITE;
        expect_rejected(f, 0);
    }
    d[0] = (struct descriptor){good, UINT32_MAX, 0, 0};
    expect_rejected(f, 0);
}

static void indirect_tables_that_make_no_sense(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    struct descriptor *d = front_descriptors(f, 0);
    struct descriptor inner = {front_buffer(f, 0x100, NULL, 0), 4, 0, 0};
    uint64_t at = front_buffer(f, 0x300, &inner, sizeof(inner));

    d[0] = (struct descriptor){at, 15, INDIRECT, 0};
    expect_rejected(f, 0);
    d[0] = (struct descriptor){at, 0, INDIRECT, 0};
    expect_rejected(f, 0);
    d[0] = (struct descriptor){at, 16, INDIRECT | NEXT, 1};
    expect_rejected(f, 0);
    d[0] = (struct descriptor){at, 0xfffffff0, INDIRECT, 0};
    expect_rejected(f, 0);
    d[0] = (struct descriptor){GUEST_ADDRESS + GUEST_SIZE - 8, 16, INDIRECT, 0};
    expect_rejected(f, 0);
    d[0] = (struct descriptor){5, 16, INDIRECT, 0};
    expect_rejected(f, 0);
    d[0] = (struct descriptor){at, 16, INDIRECT, 0};
    inner = (struct descriptor){at, 16, INDIRECT, 0}; // in itself
    front_buffer(f, 0x300, &inner, sizeof(inner));
    expect_rejected(f, 0);
    inner = (struct descriptor){front_buffer(f, 0x100, NULL, 0), 4, NEXT, 0}; // a loop inside
    front_buffer(f, 0x300, &inner, sizeof(inner));
    expect_rejected(f, 0);
    inner.next = 1; // out of the table, within the queue
    front_buffer(f, 0x300, &inner, sizeof(inner));
    expect_rejected(f, 0);
}

static void indirect_tables_need_the_feature(void **state)
{
    struct front_end *f = *state;
    f->features &= ~VIRTIO_F_INDIRECT_DESC;
    front_start_driver(f, NULL);
    struct descriptor inner = {front_buffer(f, 0x100, NULL, 0), 4, 0, 0};
    front_descriptors(f, 0)[0] =
        (struct descriptor){front_buffer(f, 0x300, &inner, sizeof(inner)), 16, INDIRECT, 0};
    expect_rejected(f, 0);
}

static void impossible_indices_break_the_queue_until_the_next_driver(void **state)
{
    struct front_end *f = *state;
    uint16_t bases[2];
    for (int round = 0; round < 2; round++) {
        memset(f->memory, 0, 0x2000);
        front_start_driver(f, NULL);
        front_simple_request(f, 0, 0, "ok", 2, 4);
        front_kick(f, 0);
        assert_int_equal(f->requests, 3 * round + 1);
        if (round == 0)
            *front_available_index(f, 0) += RING_SIZE + 1; // more than fit
        else
            front_offer(f, 0, RING_SIZE); // no such descriptor
        front_kick(f, 0);
        front_simple_request(f, 0, 0, "no", 2, 4);
        front_kick(f, 0);
        assert_int_equal(f->requests, 3 * round + 1);
        front_simple_request(f, 1, 0, "ok", 2, 4); // the other queue does not mind
        front_kick(f, 1);
        assert_int_equal(f->requests, 3 * round + 2);
        front_stop_driver(f, bases);
        f->requests++;
    }
}

static void a_head_offered_again_and_again_is_bounded(void **state)
{
    struct front_end *f = *state;
    f->hold = true;
    front_start_driver(f, NULL);
    for (unsigned i = 0; i < 3 * RING_SIZE; i++) {
        front_simple_request(f, 0, 0, "again", 5, 4);
        front_kick(f, 0);
    }
    assert_int_equal(f->pending_count, RING_SIZE);
    assert_int_equal(front_get_u64(f, VHOST_GET_QUEUE_NUM), 2);
}

// The device must go by its own copy of a descriptor, and answer into the buffers that it checked.
static void descriptors_changed_afterwards_change_nothing(void **state)
{
    struct front_end *f = *state;
    f->hold = true;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "abc", 3, 8);
    front_kick(f, 0);
    memset(front_descriptors(f, 0), 0xff, RING_SIZE * 16);
    memset(f->response, 7, 8);
    virtio_complete(f->pending[0], 8);
    virtio_flush(f->vhost);
    assert_int_equal(f->memory[BUFFERS + 0x800], 7);
    assert_int_equal(used_length(f, 0, 0, 0), 8);
}

// ---- notifications --------------------------------------------------------

static void the_driver_can_do_without_interrupts(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    assert_true(front_interrupted(f, 0)); // the first after a start comes in any case
    *front_available_flags(f, 0) = 1;
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    assert_int_equal(front_used(f, 0), 2);
    assert_false(front_interrupted(f, 0));
    *front_available_flags(f, 0) = 0;
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    assert_true(front_interrupted(f, 0));
}

static void kicks_are_wanted_when_idle(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    *front_used_flags(f, 0) = 1;
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    assert_int_equal(*front_used_flags(f, 0), 0);
}

static void event_indices(void **state)
{
    struct front_end *f = *state;
    f->features |= VIRTIO_F_EVENT_IDX;
    front_start_driver(f, NULL);
    *front_used_event(f, 0) = 2; // wake me at the third
    for (unsigned i = 0; i < 6; i++) {
        front_simple_request(f, 0, 0, "a", 1, 4);
        front_kick(f, 0);
        bool expected = i == 0 || i == 2; // the first after a start, and the one waited for
        assert_int_equal(front_interrupted(f, 0), expected);
        assert_int_equal(*front_available_event(f, 0), i + 1); // kick me at the next
    }
    *front_available_flags(f, 0) = 1; // has no meaning any more
    *front_used_event(f, 0) = 6;
    front_simple_request(f, 0, 0, "a", 1, 4);
    front_kick(f, 0);
    assert_true(front_interrupted(f, 0));
}

static void a_batch_gets_one_interrupt(void **state)
{
    struct front_end *f = *state;
    front_start_driver(f, NULL);
    for (uint16_t i = 0; i < 4; i++)
        front_simple_request(f, 0, 2 * i, "a", 1, 4);
    front_kick(f, 0);
    char bytes[64];
    assert_int_equal(front_used(f, 0), 4);
    assert_int_equal(read(f->call[0], bytes, sizeof(bytes)), 8);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, front_setup, front_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_seen_and_answered),
        TEST(both_queues_work_and_wrap),
        TEST(requests_may_be_completed_later_and_out_of_order),
        TEST(more_written_than_there_is_room_for_is_cut),
        TEST(answers_start_zeroed_and_are_bounded),
        TEST(long_chains_and_scattered_answers),
        TEST(neighbouring_buffers_become_one),
        TEST(indirect_tables),
        TEST(an_indirect_table_may_end_a_chain),
        TEST(chains_that_make_no_sense_come_back_unanswered),
        TEST(indirect_tables_that_make_no_sense),
        TEST(indirect_tables_need_the_feature),
        TEST(impossible_indices_break_the_queue_until_the_next_driver),
        TEST(a_head_offered_again_and_again_is_bounded),
        TEST(descriptors_changed_afterwards_change_nothing),
        TEST(the_driver_can_do_without_interrupts),
        TEST(kicks_are_wanted_when_idle),
        TEST(event_indices),
        TEST(a_batch_gets_one_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
