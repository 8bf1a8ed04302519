// When flushes are answered: as fast as the screen shows them, and never later than patience lasts.
#include "gpu_test.h"
#include "os/clock.h"

#define MS 1000000ull

static const struct picture_rect all = {0, 0, 32, 32};

static struct answer *begin_flush(struct machine *machine)
{
    struct gpu_flush body = {.rect = all, .resource_id = 1};
    return machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_FLUSH, &body, sizeof(body));
}

// Nanoseconds until it is answered.
static uint64_t wait_for(struct machine *machine, const struct answer *answer)
{
    uint64_t began = os_now_ns();
    while (!answer->done) {
        machine_round(machine);
        os_sleep_ns(MS / 4);
        assert_true(os_now_ns() - began < 20000 * MS);
    }
    return os_now_ns() - began;
}

static void show(struct machine *machine)
{
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8X8, 32, 32), OK);
    assert_int_equal(set_scanout(machine, 0, 1, all), OK);
}

static void without_a_display_the_refresh_rate_is_the_pace(void **state)
{
    (void)state;
    struct gpu_options options = machine_options();
    options.paced = true;
    options.edid_refresh = 20;
    struct machine *machine = machine_create(&options);
    show(machine);
    uint64_t began = os_now_ns();
    for (unsigned i = 0; i < 4; i++)
        wait_for(machine, begin_flush(machine));
    assert_true(os_now_ns() - began >= 3 * 49 * MS);
    machine_destroy(machine);
}

static void a_flush_waits_until_it_is_shown(void **state)
{
    struct machine *machine = *state;
    struct gpu_listener listener = {.paces = true};
    struct picture_rect damage;
    show(machine);
    gpu_device_listen(machine->device, &listener);
    struct answer *first = begin_flush(machine);
    assert_false(first->done);
    assert_true(gpu_output_take_damage(machine->device, &listener, 0, &damage));
    struct answer *second = begin_flush(machine), *third = begin_flush(machine);
    gpu_output_shown(machine->device, &listener, 0); // what was taken before them
    assert_int_equal(answer_type(first), OK);
    assert_false(second->done);
    assert_true(gpu_output_take_damage(machine->device, &listener, 0, &damage));
    gpu_output_shown(machine->device, &listener, 0);
    assert_int_equal(answer_type(second), OK);
    assert_int_equal(answer_type(third), OK);
    // Another resource's flushes are nobody's business.
    assert_int_equal(create_2d(machine, 2, PICTURE_FORMAT_B8G8R8X8, 32, 32), OK);
    assert_int_equal(flush(machine, 2, all), OK);
}

static void letters_of_a_text_console_wait_for_nobody(void **state)
{
    struct machine *machine = *state;
    struct gpu_listener listener = {.paces = true};
    struct picture_rect damage, small = {8, 16, 16, 16}, half = {0, 0, 32, 16};
    show(machine);
    assert_int_equal(flush(machine, 1, small), OK);
    assert_int_equal(flush(machine, 1, small), OK); // nor for the next tick
    gpu_device_listen(machine->device, &listener);
    struct answer *whole = begin_flush(machine);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(flush(machine, 1, small), OK);
    assert_false(whole->done);
    struct gpu_flush body = {.rect = half, .resource_id = 1};
    struct answer *large =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_FLUSH, &body, sizeof(body));
    assert_false(large->done);
    // They are shown nevertheless.
    assert_true(gpu_output_take_damage(machine->device, &listener, 0, &damage));
    gpu_output_shown(machine->device, &listener, 0);
    assert_int_equal(answer_type(whole), OK);
    assert_int_equal(flush(machine, 1, small), OK);
    assert_true(gpu_output_take_damage(machine->device, &listener, 0, &damage));
    assert_memory_equal(&damage, &small, sizeof(small));
    gpu_device_unlisten(machine->device, &listener);
}

static void a_display_that_shows_nothing_delays_nobody_for_long(void **state)
{
    struct machine *machine = *state;
    struct gpu_listener listener = {.paces = true};
    struct picture_rect damage;
    show(machine);
    gpu_device_listen(machine->device, &listener);
    struct answer *answer = begin_flush(machine);
    gpu_output_take_damage(machine->device, &listener, 0, &damage);
    uint64_t took = wait_for(machine, answer);
    assert_true(took > 90 * MS);
    for (unsigned i = 0; i < 12; i++) // until it is known to sleep
        wait_for(machine, begin_flush(machine));
    assert_true(begin_flush(machine)->done);
    gpu_output_shown(machine->device, &listener, 0); // it is back
    assert_false(begin_flush(machine)->done);
}

static void a_display_that_goes_answers_what_waits(void **state)
{
    struct machine *machine = *state;
    struct gpu_listener listener = {.paces = true};
    show(machine);
    gpu_device_listen(machine->device, &listener);
    struct answer *waiting = begin_flush(machine);
    gpu_device_unlisten(machine->device, &listener);
    assert_true(wait_for(machine, waiting) < 5000 * MS);
    // A reset forgets them; nothing is answered afterwards.
    gpu_device_listen(machine->device, &listener);
    struct answer *forgotten = begin_flush(machine);
    machine_reset(machine);
    gpu_device_unlisten(machine->device, &listener);
    os_sleep_ns(110 * MS);
    machine_round(machine);
    assert_false(forgotten->done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_display_the_refresh_rate_is_the_pace),
        DEVICE_TEST(a_flush_waits_until_it_is_shown),
        DEVICE_TEST(letters_of_a_text_console_wait_for_nobody),
        DEVICE_TEST(a_display_that_shows_nothing_delays_nobody_for_long),
        DEVICE_TEST(a_display_that_goes_answers_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
