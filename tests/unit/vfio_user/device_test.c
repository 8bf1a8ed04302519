// What the guest and QEMU see: the PCI function, its registers, and the life of a driver.
#include "client.h"

#include "os/shm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void capabilities_fill_the_space_and_end(void **state)
{
    struct client *c = *state;
    unsigned virtio = 0, seen = 0;
    for (unsigned at = (unsigned)client_read(c, VFIO_REGION_CONFIG, 0x34, 1); at;
         at = (unsigned)client_read(c, VFIO_REGION_CONFIG, at + 1, 1)) {
        assert_in_range(at, 0x40, 0xff);
        assert_true(++seen < 16);
        virtio += client_read(c, VFIO_REGION_CONFIG, at, 1) == 0x09;
    }
    assert_int_equal(virtio, 6);
    assert_int_equal(seen, 9);
    assert_int_equal(client_read(c, VFIO_REGION_CONFIG, 0x100, 4), 0);
}

static void the_function_is_a_display_and_not_a_vga(void **state)
{
    struct client *c = *state;
    assert_int_equal(client_read(c, VFIO_REGION_CONFIG, 0, 4), 0x10501af4);
    assert_int_equal(client_read(c, VFIO_REGION_CONFIG, 0x08, 4), 0x03800001);
    assert_int_equal(client_read(c, VFIO_REGION_CONFIG, 0x3d, 1), 0); // no interrupt pin
    assert_int_equal(client_read(c, VFIO_REGION_CONFIG, 0x18, 4), 0xc);
}

static void the_aperture_is_a_file_that_can_be_mapped(void **state)
{
    struct client *c = *state;
    struct vfio_region_info info = {.room = sizeof(info), .index = VFIO_BAR_APERTURE};
    struct stat ours, given;
    int fd;
    assert_int_equal(
        client_ask(c, VFIO_USER_GET_REGION_INFO, &info, sizeof(info), NULL, 0, &info, &fd), 0);
    assert_int_equal(info.size, 1 << 20);
    assert_int_equal(info.flags, 7);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &given), 0);
    assert_int_equal(fstat(c->transport->shmem_file, &ours), 0);
    assert_int_equal(ours.st_ino, given.st_ino);
    close(fd);
}

static void only_msix_interrupts(void **state)
{
    struct client *c = *state;
    for (unsigned i = 0; i < 8; i++) {
        struct vfio_interrupt_info info = {.room = sizeof(info), .index = i};
        unsigned error =
            client_ask(c, VFIO_USER_GET_IRQ_INFO, &info, sizeof(info), NULL, 0, &info, NULL);
        assert_int_equal(error, i > VFIO_INTERRUPT_MSIX ? EINVAL : 0);
        if (!error)
            assert_int_equal(info.count, i == VFIO_INTERRUPT_MSIX ? VECTORS : 0);
    }
}

static void a_driver_is_served(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    assert_int_equal(c->starts, 1);
    assert_int_equal(c->took & 0x1f, 0x1f);
    assert_true(c->took & VIRTIO_F_VERSION_1);
    client_offer(c, 0, "hello");
    client_kick(c, 0);
    assert_int_equal(c->requests, 1);
    assert_memory_equal(c->seen, "hello", 5);
    assert_int_equal(client_used(c, 0), 1);
    assert_true(client_interrupted(c, 1));
    assert_false(client_interrupted(c, 2));
}

static void a_kick_is_answered_before_its_work(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    client_offer(c, 1, "later");
    c->hold = true;
    client_kick(c, 1);
    assert_int_equal(client_used(c, 1), 0);
    virtio_complete(c->pending, 0);
    virtio_flush(c->transport);
    assert_int_equal(client_used(c, 1), 1);
    assert_true(client_interrupted(c, 2));
}

static void a_changed_configuration_is_told(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    uint64_t generation = client_common(c, 21, 1);
    c->config[3] = 0x77;
    virtio_config_changed(c->transport);
    assert_true(client_interrupted(c, 0));
    assert_int_equal(client_common(c, 21, 1), generation + 1);
    assert_int_equal(client_read(c, VFIO_BAR_VIRTIO, VFIO_AT_DEVICE + 3, 1), 0x77);
    assert_int_equal(client_write(c, VFIO_BAR_VIRTIO, VFIO_AT_DEVICE + 4, 0x55, 1), 0);
    assert_int_equal(c->config[4], 0x55);
}

static void expect_reset(struct client *c)
{
    assert_int_equal(c->stops, 1);
    assert_int_equal(c->resets, 1);
    assert_int_equal(client_common(c, 20, 1), 0);
    client_set_common(c, 22, 0, 2);
    assert_int_equal(client_common(c, 28, 2), 0);
    client_start_driver(c);
    assert_int_equal(c->starts, 2);
    client_offer(c, 0, "again");
    client_kick(c, 0);
    assert_int_equal(client_used(c, 0), 1);
}

static void status_zero_resets(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    client_set_common(c, 20, 0, 1);
    expect_reset(c);
}

static void qemu_resets(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(client_ask(c, VFIO_USER_RESET, NULL, 0, NULL, 0, NULL, NULL), 0);
    assert_int_equal(client_read(c, VFIO_REGION_CONFIG, 0x04, 2), 0);
    expect_reset(c);
}

static void the_function_resets(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    assert_int_equal(client_write(c, VFIO_REGION_CONFIG, 0xc4 + 8, 0x8000, 2), 0);
    expect_reset(c);
}

static void a_request_of_a_driver_that_is_gone_is_void(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    c->hold = true;
    client_offer(c, 0, "late");
    client_kick(c, 0);
    struct virtio_request *late = c->pending;
    client_set_common(c, 20, 0, 1);
    virtio_complete(late, 0);
    virtio_flush(c->transport);
    assert_int_equal(client_used(c, 0), 0);
}

static void a_device_that_needs_time_delays_its_driver(void **state)
{
    struct client *c = *state;
    c->not_ready = c->not_stopped = true;
    client_start_driver(c);
    client_offer(c, 0, "early");
    client_kick(c, 0);
    assert_int_equal(c->requests, 0);
    virtio_ready(c->transport);
    assert_int_equal(c->requests, 1);
    client_set_common(c, 20, 0, 1);
    assert_int_not_equal(client_common(c, 20, 1), 0); // it waits for this
    assert_int_equal(c->resets, 0);
    virtio_stopped(c->transport);
    assert_int_equal(client_common(c, 20, 1), 0);
    assert_int_equal(c->resets, 1);
}

static void without_bus_mastering_no_memory_is_touched(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    c->hold = true;
    client_offer(c, 0, "one");
    client_kick(c, 0);
    assert_int_equal(client_write(c, VFIO_REGION_CONFIG, 0x04, 0x0002, 2), 0);
    virtio_complete(c->pending, 0);
    virtio_flush(c->transport);
    virtio_config_changed(c->transport);
    client_offer(c, 0, "two");
    client_kick(c, 0);
    assert_int_equal(client_used(c, 0), 0);
    assert_int_equal(c->requests, 1);
    assert_false(client_interrupted(c, 0));
    c->hold = false;
    assert_int_equal(client_write(c, VFIO_REGION_CONFIG, 0x04, 0x0006, 2), 0);
    assert_int_equal(client_used(c, 0), 2);
    assert_true(client_interrupted(c, 0));
    assert_true(client_interrupted(c, 1));
}

static void features_that_were_not_offered_are_refused(void **state)
{
    struct client *c = *state;
    client_set_common(c, 20, 3, 1);
    client_set_common(c, 8, 0, 4);
    client_set_common(c, 12, 1 << 20, 4);
    client_set_common(c, 8, 1, 4);
    client_set_common(c, 12, 1, 4);
    client_set_common(c, 20, 11, 1);
    assert_int_equal(client_common(c, 20, 1), 3);
    client_set_common(c, 20, 15, 1);
    assert_int_equal(c->starts, 0);
}

static void registers_are_reached_through_the_configuration_space(void **state)
{
    struct client *c = *state;
    enum { WINDOW = 0x98 };
    client_write(c, VFIO_REGION_CONFIG, WINDOW + 4, VFIO_BAR_VIRTIO, 1);
    client_write(c, VFIO_REGION_CONFIG, WINDOW + 8, 18, 4);
    client_write(c, VFIO_REGION_CONFIG, WINDOW + 12, 2, 4);
    assert_int_equal(client_read(c, VFIO_REGION_CONFIG, WINDOW + 16, 2), 2); // queues
    client_write(c, VFIO_REGION_CONFIG, WINDOW + 8, 0xfffffffe, 4);
    assert_int_equal(client_read(c, VFIO_REGION_CONFIG, WINDOW + 16, 2), 0);
}

static void the_end_of_the_connection_is_the_end(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    shutdown(c->socket, SHUT_RDWR);
    client_turn(c);
    assert_int_equal(c->ends, 1);
}

// ---- memory ---------------------------------------------------------------

// QEMU's firmware has all of low memory unmapped and mapped again in pieces, many times.
static void memory_that_moves_under_a_driver_stays(void **state)
{
    struct client *c = *state;
    client_start_driver(c);
    for (int round = 0; round < 3; round++) {
        uint64_t half = GUEST_SIZE / 2;
        assert_int_equal(client_unmap(c, GUEST_ADDRESS, GUEST_SIZE), 0);
        assert_int_equal(client_map(c, GUEST_ADDRESS, half, 0, c->memory_fd), 0);
        assert_int_equal(client_map(c, GUEST_ADDRESS + half, half, half, c->memory_fd), 0);
        client_offer(c, 0, "moved");
        client_kick(c, 0);
        assert_int_equal(client_used(c, 0), round + 1);
        assert_int_equal(client_unmap(c, GUEST_ADDRESS, GUEST_SIZE), 0); // both at once
        assert_int_equal(client_map(c, GUEST_ADDRESS, GUEST_SIZE, 0, c->memory_fd), 0);
    }
}

// What is logged while the guest kicks a queue that is empty.
static void kick_and_hear(struct client *c, char said[1024])
{
    FILE *log = tmpfile();
    int error_output = dup(STDERR_FILENO);
    dup2(fileno(log), STDERR_FILENO);
    client_kick(c, 0);
    virtio_ready(c->transport);
    client_turn(c);
    dup2(error_output, STDERR_FILENO);
    close(error_output);
    rewind(log);
    said[fread(said, 1, 1023, log)] = 0;
    fclose(log);
}

// QEMU gives the file of memory that it keeps to itself, and nothing ever appears in it.
static void memory_that_is_not_shared_is_found_out(void **state)
{
    struct client *c = *state;
    char said[1024];
    for (int early = 1; early >= 0; early--) {
        c->not_ready = early;
        client_start_driver(c);
        c->memory[0] = 1; // it is shared: a kick too many
        kick_and_hear(c, said);
        assert_string_equal(said, "");
        assert_int_equal(client_ask(c, VFIO_USER_RESET, NULL, 0, NULL, 0, NULL, NULL), 0);
    }
    c->not_ready = true;
    client_start_driver(c);
    c->memory[0] = 0;
    kick_and_hear(c, said);
    assert_non_null(strstr(said, "memory is not shared with hesper"));
    assert_non_null(strstr(said, "share=on"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1); // one line
    kick_and_hear(c, said);
    assert_string_equal(said, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, client_setup, client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(capabilities_fill_the_space_and_end),
        TEST(the_function_is_a_display_and_not_a_vga),
        TEST(the_aperture_is_a_file_that_can_be_mapped),
        TEST(only_msix_interrupts),
        TEST(a_driver_is_served),
        TEST(a_kick_is_answered_before_its_work),
        TEST(a_changed_configuration_is_told),
        TEST(status_zero_resets),
        TEST(qemu_resets),
        TEST(the_function_resets),
        TEST(a_request_of_a_driver_that_is_gone_is_void),
        TEST(a_device_that_needs_time_delays_its_driver),
        TEST(without_bus_mastering_no_memory_is_touched),
        TEST(features_that_were_not_offered_are_refused),
        TEST(registers_are_reached_through_the_configuration_space),
        TEST(the_end_of_the_connection_is_the_end),
        TEST(memory_that_moves_under_a_driver_stays),
        TEST(memory_that_is_not_shared_is_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
