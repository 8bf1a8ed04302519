// A front end that says what makes no sense is refused, and does no harm.
#include "client.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void nothing_goes_before_the_version(void **state)
{
    struct client *c = *state;
    struct vfio_version other = {1, 0};
    uint8_t longer[256] = {0};
    memcpy(longer, &other, sizeof(other));
    assert_int_equal(client_ask(c, VFIO_USER_VERSION, longer, sizeof(longer), NULL, 0, NULL, NULL),
                     EINVAL);
    // An answer would be longer than the question.
    other.major = 0;
    assert_int_equal(client_ask(c, VFIO_USER_VERSION, &other, sizeof(other), NULL, 0, NULL, NULL),
                     EINVAL);
}

static void unknown_and_short_messages_are_refused(void **state)
{
    struct client *c = *state;
    for (unsigned command = 0; command < 20; command++) {
        if (command == VFIO_USER_RESET)
            continue;
        assert_int_not_equal(client_ask(c, command, "abc", 3, NULL, 0, NULL, NULL), 0);
    }
}

static void accesses_outside_a_region_are_refused(void **state)
{
    struct client *c = *state;
    static const struct vfio_region_access bad[] = {
        {0, VFIO_BAR_APERTURE, 4},
        {0, 6, 4},
        {0, 0xffffffff, 4},
        {0, VFIO_BAR_VIRTIO, 0},
        {0, VFIO_BAR_VIRTIO, 0xffffffff},
        {VFIO_VIRTIO_SIZE - 1, VFIO_BAR_VIRTIO, 2},
        {UINT64_MAX, VFIO_BAR_VIRTIO, 1},
        {UINT64_MAX - 1, VFIO_REGION_CONFIG, 4},
        {1, VFIO_REGION_CONFIG, VFIO_CONFIG_SIZE},
        {VFIO_MSIX_SIZE, VFIO_BAR_MSIX, 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            client_ask(c, VFIO_USER_REGION_READ, &bad[i], sizeof(bad[i]), NULL, 0, NULL, NULL),
            EINVAL);
    }
    // Fewer bytes than it says.
    struct vfio_region_access truncated = {0, VFIO_REGION_CONFIG, 4};
    assert_int_equal(
        client_ask(c, VFIO_USER_REGION_WRITE, &truncated, sizeof(truncated), NULL, 0, NULL, NULL),
        EINVAL);
}

static void odd_accesses_do_nothing(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    for (unsigned offset = 0; offset < VFIO_COMMON_SIZE; offset++)
        for (unsigned size = 1; size <= 8; size++)
            if (offset + size <= VFIO_COMMON_SIZE)
                client_read(c, VFIO_BAR_VIRTIO, offset, size);
    client_set_common(c, 22, 0xffff, 2); // a queue that does not exist
    client_set_common(c, 24, 8, 2);
    client_set_common(c, 26, 0, 2);
    client_set_common(c, 28, 1, 2);
    assert_int_equal(client_common(c, 24, 2), 0);
    client_set_common(c, 22, 0, 2);
    client_set_common(c, 32, UINT64_MAX, 8); // of a queue that is enabled
    client_set_common(c, VFIO_AT_NOTIFY + 4 * 100, 0, 2);
    client_offer(c, 0, "still there");
    client_kick(c, 0);
    assert_int_equal(client_used(c, 0), 1);
}

static void memory_that_cannot_be_is_refused(void **state)
{
    struct client *c = *state;
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    assert_int_equal(client_map(c, GUEST_ADDRESS, 4096, 0, c->memory_fd), EEXIST);
    assert_int_equal(client_map(c, 0, 0, 0, c->memory_fd), EINVAL);
    assert_int_equal(client_map(c, UINT64_MAX - 4095, 8192, 0, c->memory_fd), EINVAL);
    assert_int_equal(client_map(c, 0, 4096, UINT64_MAX - 4095, c->memory_fd), EINVAL);
    assert_int_equal(client_map(c, 0, 4096, 1, c->memory_fd), EINVAL);
    assert_int_not_equal(client_map(c, 0, 2 * GUEST_SIZE, 0, c->memory_fd), 0); // longer than it
    assert_int_not_equal(client_map(c, 0, 4096, 0, pair[0]), 0);
    assert_int_equal(client_unmap(c, GUEST_ADDRESS, 4096), EINVAL); // a part
    assert_int_equal(client_unmap(c, 0, 4096), ENOENT);
    assert_int_equal(client_unmap(c, UINT64_MAX - 1, 4096), EINVAL);
    close(pair[0]);
    close(pair[1]);
}

static void ranges_are_counted(void **state)
{
    struct client *c = *state;
    unsigned made = 0, without = 0;
    for (unsigned i = 0; i < 300; i++)
        made += !client_map(c, 4096ull * i, 4096, 0, c->memory_fd);
    for (unsigned i = 300; i < 600; i++)
        without += !client_map(c, 4096ull * i, 4096, 0, -1);
    assert_int_equal(made, 127); // and one that was there
    assert_int_equal(without, 128);
    struct vfio_dma_unmap all = {sizeof(all), VFIO_UNMAP_ALL, 0, 0};
    assert_int_equal(client_ask(c, VFIO_USER_DMA_UNMAP, &all, sizeof(all), NULL, 0, NULL, NULL), 0);
    assert_int_equal(client_map(c, GUEST_ADDRESS, GUEST_SIZE, 0, c->memory_fd), 0);
}

static void interrupts_that_do_not_exist_are_refused(void **state)
{
    struct client *c = *state;
    static const struct vfio_set_interrupts bad[] = {
        {20, VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_INTERRUPT_MSIX, VECTORS, 1},
        {20, VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_INTERRUPT_MSIX, 0xffffffff, 2},
        {20, VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, VFIO_INTERRUPT_MSIX, 0, 2},
        {20, VFIO_SET_EVENTFD | VFIO_SET_TRIGGER, 0, 0, 1},
        {20, VFIO_SET_EVENTFD, VFIO_INTERRUPT_MSIX, 0, 1},
        {20, VFIO_SET_NONE | VFIO_SET_TRIGGER, VFIO_INTERRUPT_MSIX, 0, 1},
    };
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            client_ask(c, VFIO_USER_SET_IRQS, &bad[i], sizeof(bad[i]), &fds[1], 1, NULL, NULL),
            EINVAL);
    close(fds[0]);
    close(fds[1]);
}

static void rings_outside_memory_start_nothing(void **state)
{
    struct client *c = *state;
    assert_int_equal(client_unmap(c, GUEST_ADDRESS, GUEST_SIZE), 0);
    client_start_driver(c);
    client_kick(c, 0);
    assert_int_equal(c->requests, 0);
    assert_true(client_common(c, 20, 1) & 0x40); // it needs a reset
}

static void a_message_of_an_impossible_size_ends_it(void **state)
{
    struct client *c = *state;
    struct vfio_header header = {.id = 1, .command = VFIO_USER_GET_INFO, .size = 3};
    assert_int_equal(write(c->socket, &header, sizeof(header)), sizeof(header));
    client_turn(c);
    assert_int_equal(c->ends, 1);
}

static void a_message_that_is_too_long_ends_it(void **state)
{
    struct client *c = *state;
    struct vfio_header header = {.id = 1, .command = VFIO_USER_REGION_WRITE, .size = 1 << 20};
    assert_int_equal(write(c->socket, &header, sizeof(header)), sizeof(header));
    client_turn(c);
    assert_int_equal(c->ends, 1);
}

// Answers are not piled up: what is not read stops what is asked.
static void who_does_not_read_is_not_read(void **state)
{
    struct client *c = *state;
    struct vfio_region_access access = {0, VFIO_REGION_CONFIG, VFIO_CONFIG_SIZE};
    struct vfio_header header;
    uint8_t answer[8192];
    enum { QUESTIONS = 150 };
    for (unsigned i = 0; i < QUESTIONS; i++) {
        client_send(c, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
        if (i % 50 == 0)
            client_turn(c);
    }
    for (unsigned i = 0; i < QUESTIONS; i++)
        assert_int_equal(client_receive(c, &header, answer, NULL),
                         sizeof(access) + VFIO_CONFIG_SIZE);
    assert_true(client_silent(c));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, client_setup, client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_goes_before_the_version),
        TEST(unknown_and_short_messages_are_refused),
        TEST(accesses_outside_a_region_are_refused),
        TEST(odd_accesses_do_nothing),
        TEST(memory_that_cannot_be_is_refused),
        TEST(ranges_are_counted),
        TEST(interrupts_that_do_not_exist_are_refused),
        TEST(rings_outside_memory_start_nothing),
        TEST(a_message_of_an_impossible_size_ends_it),
        TEST(a_message_that_is_too_long_ends_it),
        TEST(who_does_not_read_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
