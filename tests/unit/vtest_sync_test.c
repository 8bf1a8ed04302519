#include "flavour.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "front/vtest/sync.h"
#include "os/clock.h"

static struct vtest_syncs syncs;

static int set_up(void **state)
{
    vtest_syncs_init(&syncs, &(struct vtest_sync_limits){.syncs = 100, .waits = 10, .fences = 50});
    return 0;
}

static int tear_down(void **state)
{
    vtest_syncs_finish(&syncs);
    return 0;
}

static struct vtest_sync *get(uint32_t id)
{
    struct vtest_sync *sync = vtest_sync_get(&syncs, id);
    assert_non_null(sync);
    return sync;
}

static bool readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN);
}

// A wait; returns the descriptor that its owner polls.
static int wait_for(const struct vtest_sync_value *values, uint32_t count, bool any,
                    uint64_t deadline)
{
    struct os_notifier notifier;
    assert_int_equal(os_notifier_init_pipe(&notifier), 0);
    if (vtest_wait_add(&syncs, values, count, any, deadline, &notifier))
        return notifier.read_fd;
    os_notifier_finish(&notifier);
    return -1;
}

static void ids_are_made_found_and_reused(void **state)
{
    assert_null(vtest_sync_get(&syncs, 0));
    assert_null(vtest_sync_get(&syncs, 1));
    uint32_t ids[100];
    for (uint32_t i = 0; i < 100; i++) {
        ids[i] = vtest_sync_create(&syncs, i);
        assert_int_not_equal(ids[i], 0);
    }
    assert_int_equal(vtest_sync_create(&syncs, 0), 0); // the limit
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(vtest_sync_read(get(ids[i])), i);
    vtest_sync_destroy(&syncs, ids[7]);
    assert_null(vtest_sync_get(&syncs, ids[7]));
    assert_int_not_equal(vtest_sync_create(&syncs, 0), 0);
    assert_null(vtest_sync_get(&syncs, UINT32_MAX));
}

static void all_waits_for_the_last_any_for_the_first(void **state)
{
    struct vtest_sync *a = get(vtest_sync_create(&syncs, 0)),
                      *b = get(vtest_sync_create(&syncs, 0));
    struct vtest_sync_value values[] = {{a, 5}, {b, 1}};
    assert_false(vtest_sync_reached(values, 2, true));
    int all = wait_for(values, 2, false, UINT64_MAX), any = wait_for(values, 2, true, UINT64_MAX);
    vtest_sync_write(&syncs, a, 4);
    assert_false(readable(all) || readable(any));
    vtest_sync_write(&syncs, a, 6);
    assert_true(readable(any));
    assert_false(readable(all));
    assert_true(vtest_sync_reached(values, 2, true));
    assert_false(vtest_sync_reached(values, 2, false));
    vtest_sync_write(&syncs, b, 1);
    assert_true(readable(all));
    assert_true(vtest_sync_reached(values, 2, false));
    close(all);
    close(any);
}

static void a_reached_value_counts_even_if_it_falls(void **state)
{
    struct vtest_sync *a = get(vtest_sync_create(&syncs, 1)),
                      *b = get(vtest_sync_create(&syncs, 0));
    int all = wait_for((struct vtest_sync_value[]){{a, 1}, {b, 1}}, 2, false, UINT64_MAX);
    vtest_sync_write(&syncs, a, 0); // vkResetFences
    vtest_sync_write(&syncs, b, 1);
    assert_true(readable(all));
    close(all);
}

static void the_same_sync_may_be_waited_for_twice(void **state)
{
    struct vtest_sync *a = get(vtest_sync_create(&syncs, 0));
    int all = wait_for((struct vtest_sync_value[]){{a, 1}, {a, 2}, {a, 1}}, 3, false, UINT64_MAX);
    int any = wait_for((struct vtest_sync_value[]){{a, 1}, {a, 1}, {a, 1}}, 3, true, UINT64_MAX);
    vtest_sync_write(&syncs, a, 1);
    assert_false(readable(all));
    assert_true(readable(any));
    vtest_sync_write(&syncs, a, 2);
    assert_true(readable(all));
    close(all);
    close(any);
}

static void a_destroyed_sync_still_ends_its_waits(void **state)
{
    uint32_t id = vtest_sync_create(&syncs, 0);
    struct vtest_sync_value value = {get(id), 1};
    int all = wait_for(&value, 1, false, UINT64_MAX);
    struct renderer_fence *fence = vtest_fence_create(&syncs, &value, 1);
    vtest_sync_destroy(&syncs, id);
    uint32_t same = vtest_sync_create(&syncs, 0);
    assert_int_equal(same, id); // the number is used again, by another object
    vtest_fence_retire(&syncs, fence);
    assert_true(readable(all));
    assert_int_equal(vtest_sync_read(get(same)), 0);
    close(all);
}

static void waits_are_bounded(void **state)
{
    struct vtest_sync_value value = {get(vtest_sync_create(&syncs, 0)), 1};
    int fds[10];
    for (int i = 0; i < 10; i++)
        fds[i] = wait_for(&value, 1, false, UINT64_MAX);
    assert_int_equal(wait_for(&value, 1, false, UINT64_MAX), -1);
    vtest_sync_write(&syncs, value.sync, 1);
    for (int i = 0; i < 10; i++) {
        assert_true(readable(fds[i]));
        close(fds[i]);
    }
    close(wait_for(&value, 1, false, UINT64_MAX)); // there is room again
}

static void what_was_given_up_makes_room(void **state)
{
    struct vtest_sync_value value = {get(vtest_sync_create(&syncs, 0)), 1};
    int fds[11];
    for (int i = 0; i < 11; i++)
        // The first five ended with the boot of the machine, more than 10 s ago.
        fds[i] = wait_for(&value, 1, false, i < 5 ? 1 : UINT64_MAX);
    assert_true(fds[10] >= 0);
    vtest_sync_write(&syncs, value.sync, 1);
    for (int i = 0; i < 11; i++) {
        assert_int_equal(readable(fds[i]), i >= 5); // the first ones' time was over
        close(fds[i]);
    }
}

static void a_waiter_may_have_gone(void **state)
{
    struct vtest_sync_value value = {get(vtest_sync_create(&syncs, 0)), 1};
    close(wait_for(&value, 1, false, UINT64_MAX));
    vtest_sync_write(&syncs, value.sync, 1); // a pipe without a reader: no SIGPIPE
    assert_int_equal(syncs.wait_count, 0);
}

static void what_is_over_does_not_look_dead(void **state)
{
    struct vtest_sync_value value = {get(vtest_sync_create(&syncs, 0)), 1};
    struct pollfd poll_fd = {.events = POLLIN};
    // A poll may see data and end of a pipe in any order: so there must be no end soon after the
    // data.
    for (int i = 0; i < 100; i++) {
        vtest_sync_write(&syncs, value.sync, 0);
        poll_fd.fd = wait_for(&value, 1, false, UINT64_MAX);
        vtest_sync_write(&syncs, value.sync, 1);
        assert_int_equal(poll(&poll_fd, 1, 0), 1);
        assert_int_equal(poll_fd.revents, POLLIN);
        close(poll_fd.fd);
    }
}

static void a_wait_hears_that_it_will_never_end(void **state)
{
    struct vtest_sync_value value = {get(vtest_sync_create(&syncs, 0)), 1};
    struct pollfd poll_fd = {.fd = wait_for(&value, 1, false, UINT64_MAX), .events = POLLIN};
    vtest_syncs_finish(&syncs);
    assert_int_equal(poll(&poll_fd, 1, 0), 1);
    assert_int_equal(poll_fd.revents,
                     POLLHUP); // and not POLLIN: Mesa tells the program of a lost device
    close(poll_fd.fd);
}

static void fences_raise_their_syncs_once(void **state)
{
    struct vtest_sync_value values[100];
    for (uint32_t i = 0; i < 100; i++)
        values[i] = (struct vtest_sync_value){get(vtest_sync_create(&syncs, 0)), i + 1};
    struct renderer_fence *one = vtest_fence_create(&syncs, values, 1),
                          *many = vtest_fence_create(&syncs, values, 100);
    assert_true(one && many && one != many);
    assert_int_equal(syncs.fence_count, 2);
    vtest_fence_retire(&syncs, many); // in any order
    assert_int_equal(vtest_sync_read(values[99].sync), 100);
    assert_int_equal(vtest_sync_read(values[0].sync), 1);
    vtest_sync_write(&syncs, values[0].sync, 0);
    vtest_fence_retire(&syncs, one);
    assert_int_equal(vtest_sync_read(values[0].sync), 1);
    assert_int_equal(syncs.fence_count, 0);
    assert_non_null(vtest_fence_create(&syncs, values, 1)); // and is never retired
}

static bool hung_up(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents == POLLHUP;
}

// Mesa then tells the program that its device is lost.
static void waits_for_a_lost_fence_are_hung_up(void **state)
{
    struct vtest_sync_value values[2] = {{get(vtest_sync_create(&syncs, 0)), 1},
                                         {get(vtest_sync_create(&syncs, 0)), 1}};
    struct renderer_fence *fence = vtest_fence_create(&syncs, values, 1);
    int one = wait_for(values, 1, false, UINT64_MAX), both = wait_for(values, 2, false, UINT64_MAX),
        other = wait_for(&values[1], 1, false, UINT64_MAX);
    assert_false(vtest_sync_lost(values, 2));
    fence->lost = true;
    vtest_fence_retire(&syncs, fence);
    assert_true(hung_up(one) && hung_up(both));
    assert_false(hung_up(other));
    assert_int_equal(vtest_sync_read(values[0].sync), 0);
    assert_true(vtest_sync_lost(values, 2));
    assert_false(vtest_sync_lost(&values[1], 1));
    const struct vtest_sync_value reached = {values[0].sync, 0}; // before the loss
    assert_false(vtest_sync_lost(&reached, 1));
    vtest_sync_write(&syncs, values[0].sync, 0); // a fence that is reset
    assert_false(vtest_sync_lost(values, 2));
    close(one);
    close(both);
    close(other);
}

static void fences_are_bounded(void **state)
{
    struct vtest_sync_value value = {get(vtest_sync_create(&syncs, 0)), 1};
    unsigned made = 0;
    while (made < 10000 && vtest_fence_create(&syncs, &value, 1)) {
        made++;
        assert_int_equal(vtest_fences_full(&syncs), made >= 50);
    }
    assert_true(made >= 50 && made < 300);
    assert_null(vtest_fence_create(&syncs, &value, VTEST_MAX_SYNCS + 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ids_are_made_found_and_reused),
        TEST(all_waits_for_the_last_any_for_the_first),
        TEST(a_reached_value_counts_even_if_it_falls),
        TEST(the_same_sync_may_be_waited_for_twice),
        TEST(a_destroyed_sync_still_ends_its_waits),
        TEST(waits_are_bounded),
        TEST(what_was_given_up_makes_room),
        TEST(a_waiter_may_have_gone),
        TEST(what_is_over_does_not_look_dead),
        TEST(a_wait_hears_that_it_will_never_end),
        TEST(fences_raise_their_syncs_once),
        TEST(waits_for_a_lost_fence_are_hung_up),
        TEST(fences_are_bounded),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
