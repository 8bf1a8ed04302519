// Drivers that are slow, pause, go and come back: what they hear then.
#include "driver.h"

#include "base/log.h"

#include <string.h>

enum { KEY_A = 30, KEY_B = 48, KEY_C = 46 };

static int keyboard(void **state)
{
    *state = driver_create(INPUT_KEYBOARD);
    return 0;
}

static int pointer(void **state)
{
    *state = driver_create(INPUT_POINTER);
    return 0;
}

static int mouse(void **state)
{
    *state = driver_create(INPUT_MOUSE);
    return 0;
}

static int pad(void **state)
{
    *state = driver_create(INPUT_PAD2);
    return 0;
}

static int touch(void **state)
{
    *state = driver_create(INPUT_TOUCH);
    return 0;
}

static void press(struct driver *d, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        driver_key(d, (uint16_t)(1 + i % 200), 1);
        driver_key(d, (uint16_t)(1 + i % 200), 0);
    }
}

// 15 000 events and their ends, faster than any driver.
static void a_burst_waits_for_buffers_and_loses_nothing(void **state)
{
    struct driver *d = *state;
    driver_start(d);
    press(d, 2500);
    press(d, 5000);
    assert_int_equal(d->heard_count, DRIVER_QUEUE);
    driver_refill(d);
    assert_int_equal(d->heard_count, 4 * 7500);
    for (unsigned i = 0; i < 7500; i++) {
        uint16_t code = (uint16_t)(1 + (i < 2500 ? i : i - 2500) % 200);
        driver_expect(d, INPUT_EV_KEY, code, 1);
        driver_expect_end(d);
        driver_expect(d, INPUT_EV_KEY, code, 0);
        driver_expect_end(d);
    }
    driver_expect_nothing(d);
}

// What the driver believes to be down when it has heard everything.
static void believe(const struct driver *d, bool down[INPUT_KEY_LIMIT])
{
    memset(down, 0, INPUT_KEY_LIMIT * sizeof(*down));
    for (size_t i = 0; i < d->heard_count; i++)
        if (d->heard[i].type == INPUT_EV_KEY)
            down[d->heard[i].code] = d->heard[i].value;
}

static void a_driver_that_does_not_read_loses_groups_but_no_key_hangs(void **state)
{
    struct driver *d = *state;
    bool down[INPUT_KEY_LIMIT];
    driver_start(d);
    press(d, 7800);
    driver_key(d, KEY_A, 1); // it hears of this, and not of its end
    driver_key(d, KEY_B, 1);
    press(d, 4000);
    driver_key(d, KEY_B, 1);
    driver_key(d, KEY_A, 0);
    driver_key(d, KEY_C, 1); // nor, at once, of this
    size_t waiting = d->heard_count;
    assert_int_equal(waiting, DRIVER_QUEUE);
    driver_refill(d);
    assert_true(d->heard_count <= DRIVER_QUEUE + INPUT_MAX_PENDING);
    believe(d, down);
    for (unsigned code = 0; code < INPUT_KEY_LIMIT; code++)
        assert_int_equal(down[code], code == KEY_B || code == KEY_C);
    // Whole groups: none without its end, none empty.
    unsigned since_end = 0;
    for (size_t i = 0; i < d->heard_count; i++) {
        bool end = d->heard[i].type == INPUT_EV_SYN;
        assert_true(!end || since_end);
        since_end = end ? 0 : since_end + 1;
    }
    assert_int_equal(since_end, 0);
    d->read = d->heard_count;
    driver_key(d, KEY_C, 0); // and it is heard again
    driver_expect(d, INPUT_EV_KEY, KEY_C, 0);
    driver_expect_end(d);
}

static void without_a_driver_nothing_is_kept_but_what_is_held(void **state)
{
    struct driver *d = *state;
    press(d, 10);
    driver_key(d, KEY_A, 1);
    driver_key(d, INPUT_KEY_RIGHTALT, 1);
    driver_start(d);
    driver_expect(d, INPUT_EV_KEY, INPUT_KEY_RIGHTALT, 1); // modifiers first
    driver_expect(d, INPUT_EV_KEY, KEY_A, 1);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void after_a_reset_nothing_is_down(void **state)
{
    struct driver *d = *state;
    driver_start(d);
    driver_key(d, KEY_A, 1);
    driver_key(d, KEY_B, 1);
    d->read = d->heard_count;
    input_device_stop(d->device);
    driver_key(d, KEY_A, 0);
    driver_gone(d);
    driver_start(d);
    driver_expect(d, INPUT_EV_KEY, KEY_B, 1); // the finger is still on it
    driver_expect_end(d);
    driver_key(d, KEY_B, 0);
    driver_expect(d, INPUT_EV_KEY, KEY_B, 0);
    driver_expect_end(d);
    driver_expect_nothing(d);
    driver_gone(d);
    driver_start(d);
    driver_expect_nothing(d);
}

static void a_reset_voids_what_was_pending(void **state)
{
    struct driver *d = *state;
    input_device_start(d->device); // no buffers
    press(d, 100);
    driver_gone(d);
    driver_start(d);
    driver_expect_nothing(d);
    assert_int_equal(d->heard_count, 0);
}

static void a_pause_keeps_what_was_pending_and_drops_what_comes(void **state)
{
    struct driver *d = *state;
    input_device_start(d->device);
    driver_key(d, KEY_A, 1); // pending
    input_device_stop(d->device);
    driver_offer(d, 2); // as QEMU delivers late
    assert_int_equal(d->heard_count, 0);
    press(d, 100);
    driver_key(d, KEY_A, 0);
    input_device_start(d->device);
    driver_refill(d);
    driver_expect(d, INPUT_EV_KEY, KEY_A, 1);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_KEY, KEY_A, 0);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void the_pointer_is_where_it_was_moved_to(void **state)
{
    struct driver *d = *state;
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_X, 10);
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_Y, 20);
    driver_end(d);
    driver_event(d, INPUT_EV_REL, INPUT_REL_WHEEL, 5); // of the past
    driver_event(d, INPUT_EV_KEY, INPUT_BTN_RIGHT, 1);
    driver_end(d);
    driver_start(d);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_X, 10);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Y, 20);
    driver_expect(d, INPUT_EV_KEY, INPUT_BTN_RIGHT, 1);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void contact(struct driver *d, int32_t slot, int32_t id, int32_t at)
{
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, slot);
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, id);
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X, at);
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_Y, at);
    driver_end(d);
}

static void contacts_are_caught_up_with(void **state)
{
    struct driver *d = *state;
    driver_start(d);
    contact(d, 0, 1, 100);
    contact(d, 1, 2, 200);
    contact(d, 2, 3, 300);
    d->read = d->heard_count;
    input_device_stop(d->device);
    contact(d, 0, -1, 0);  // ends
    contact(d, 1, 9, 250); // another one
    contact(d, 2, 3, 350); // moves
    input_device_start(d->device);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 0);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, -1);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 1);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, -1);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, 9);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X, 250);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_Y, 250);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 2);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X, 350);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_Y, 350);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_X, 250);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Y, 250);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void leds_are_off_after_a_reset(void **state)
{
    struct driver *d = *state;
    driver_start(d);
    driver_led(d, INPUT_EV_LED, INPUT_LED_CAPSL, 1);
    driver_gone(d);
    assert_int_equal(d->leds, 0);
    assert_int_equal(d->led_calls, 2);
}

// ---- pace -----------------------------------------------------------------

enum { MS = 1000000 };

static void a_person_is_not_slowed(void **state)
{
    struct driver *d = *state;
    d->patient = true;
    driver_start(d);
    for (unsigned i = 0; i < 4; i++) { // a chord
        driver_key(d, (uint16_t)(KEY_A + i), 1);
        driver_expect(d, INPUT_EV_KEY, (uint16_t)(KEY_A + i), 1);
        driver_expect_end(d);
    }
    for (unsigned i = 0; i < 1000; i++) { // as fast as ten fingers
        driver_wait(d, 5 * MS);
        driver_offer(d, DRIVER_QUEUE);
        driver_key(d, KEY_C, i % 2 == 0);
        driver_expect(d, INPUT_EV_KEY, KEY_C, i % 2 == 0);
        driver_expect_end(d);
    }
}

// What Linux keeps for a program that does not read for 60 ms: 64 events.
static void a_pasted_text_comes_at_a_pace(void **state)
{
    struct driver *d = *state;
    d->patient = true;
    driver_start(d);
    press(d, 500);
    size_t before = 0;
    for (unsigned i = 0; i < 400 && d->heard_count < 2000; i++) {
        assert_true(d->heard_count - before <= 64);
        before = d->heard_count;
        for (unsigned k = 0; k < 60; k++) {
            driver_wait(d, MS);
            driver_offer(d, DRIVER_QUEUE);
        }
    }
    assert_int_equal(d->heard_count, 2000);
    assert_true(d->now <= 5000ull * MS); // but not slower than need be
}

static void move(struct driver *d, int32_t x, int32_t y)
{
    if (x >= 0)
        driver_event(d, INPUT_EV_ABS, INPUT_ABS_X, x);
    if (y >= 0)
        driver_event(d, INPUT_EV_ABS, INPUT_ABS_Y, y);
    driver_end(d);
}

static void motions_that_wait_are_merged(void **state)
{
    struct driver *d = *state;
    d->patient = true;
    driver_start(d);
    for (int32_t i = 0; i < 8; i++)
        move(d, i, -1);
    d->read = d->heard_count;
    move(d, 100, -1);
    move(d, -1, 200);
    move(d, 101, -1);
    driver_event(d, INPUT_EV_KEY, INPUT_BTN_LEFT, 1); // nothing passes a click
    driver_end(d);
    move(d, 300, 300);
    move(d, 400, 400);
    driver_event(d, INPUT_EV_REL, INPUT_REL_WHEEL, 1);
    driver_end(d);
    assert_int_equal(d->read, d->heard_count);
    driver_wait(d, 100 * MS);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_X, 101);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Y, 200);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_KEY, INPUT_BTN_LEFT, 1);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_X, 400);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Y, 400);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_REL, INPUT_REL_WHEEL, 1);
    driver_expect(d, INPUT_EV_REL, INPUT_REL_WHEEL_HI_RES, 120);
    driver_expect_end(d);
    driver_expect_nothing(d);
    move(d, 500, -1); // at once again
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_X, 500);
    driver_expect_end(d);
}

// A group that the driver has begun to read is not touched.
static void turn(struct driver *d, int32_t x, int32_t y)
{
    driver_event(d, INPUT_EV_REL, INPUT_REL_X, x);
    driver_event(d, INPUT_EV_REL, INPUT_REL_Y, y);
    driver_end(d);
}

static void motions_of_a_mouse_that_wait_add_up(void **state)
{
    struct driver *d = *state;
    d->patient = true;
    driver_start(d);
    for (int32_t i = 0; i < 8; i++)
        turn(d, 1, 1);
    d->read = d->heard_count;
    turn(d, 10, -20);
    turn(d, 5, 3);
    turn(d, -15, 1); // comes to nothing, sideways
    driver_event(d, INPUT_EV_KEY, INPUT_BTN_LEFT, 1);
    driver_end(d);
    for (unsigned i = 0; i < 40; i++)
        turn(d, INT32_MAX, INT32_MIN);
    turn(d, 1, 1);
    assert_int_equal(d->read, d->heard_count);
    driver_wait(d, 100 * MS);
    driver_expect(d, INPUT_EV_REL, INPUT_REL_X, 0);
    driver_expect(d, INPUT_EV_REL, INPUT_REL_Y, -16);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_KEY, INPUT_BTN_LEFT, 1);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_REL, INPUT_REL_X, INPUT_MAX_MOTION);
    driver_expect(d, INPUT_EV_REL, INPUT_REL_Y, 1 - INPUT_MAX_MOTION);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void a_mouse_is_not_moved_during_a_pause(void **state)
{
    struct driver *d = *state;
    driver_start(d);
    input_device_stop(d->device);
    turn(d, 10, 10);
    driver_event(d, INPUT_EV_KEY, INPUT_BTN_RIGHT, 1);
    driver_end(d);
    input_device_start(d->device);
    driver_expect(d, INPUT_EV_KEY, INPUT_BTN_RIGHT, 1);
    driver_expect_end(d);
    driver_expect_nothing(d);
    turn(d, 3, 0);
    driver_expect(d, INPUT_EV_REL, INPUT_REL_X, 3);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void tilt(struct driver *d, uint16_t axis, int32_t value)
{
    driver_event(d, INPUT_EV_ABS, axis, value);
    driver_end(d);
}

static void sticks_that_wait_are_where_they_are(void **state)
{
    struct driver *d = *state;
    d->patient = true;
    driver_start(d);
    for (int32_t i = 1; i <= 8; i++)
        tilt(d, INPUT_ABS_X, i);
    d->read = d->heard_count;
    tilt(d, INPUT_ABS_X, 100);
    tilt(d, INPUT_ABS_RZ, INT32_MAX);
    tilt(d, INPUT_ABS_X, INT32_MIN);
    tilt(d, INPUT_ABS_HAT0Y, -7); // four buttons: none of their clicks is lost
    tilt(d, INPUT_ABS_HAT0Y, 0);
    driver_event(d, INPUT_EV_KEY, INPUT_BTN_SOUTH, 1);
    driver_end(d);
    assert_int_equal(d->read, d->heard_count);
    driver_wait(d, 100 * MS);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_X, -INPUT_STICK);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_RZ, INPUT_TRIGGER);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_HAT0Y, -1);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_HAT0Y, 0);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_KEY, INPUT_BTN_SOUTH, 1);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void a_pad_that_is_let_go_is_at_rest(void **state)
{
    struct driver *d = *state;
    driver_start(d);
    tilt(d, INPUT_ABS_Z + 1, -500);
    input_device_stop(d->device);
    tilt(d, INPUT_ABS_Z, 30);
    driver_event(d, INPUT_EV_KEY, INPUT_BTN_SOUTH, 1);
    driver_end(d);
    d->read = d->heard_count;
    input_device_start(d->device);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Z, 30);
    driver_expect(d, INPUT_EV_KEY, INPUT_BTN_SOUTH, 1);
    driver_expect_end(d);
    input_device_release(d->device);
    driver_expect(d, INPUT_EV_KEY, INPUT_BTN_SOUTH, 0);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Z, 0);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Z + 1, 0);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void a_motion_that_is_under_way_stays(void **state)
{
    struct driver *d = *state;
    input_device_start(d->device);
    move(d, 1, 2);
    driver_offer(d, 1);
    move(d, 3, 4);
    move(d, 5, 6);
    driver_refill(d);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_X, 1);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Y, 2);
    driver_expect_end(d);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_X, 5);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_Y, 6);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

// ---- nonsense -------------------------------------------------------------

static unsigned returned;

static void count(void *data, void *token, uint32_t written)
{
    (void)data, (void)token;
    returned += written == 0;
}

static void ignore(void *data)
{
    (void)data;
}

static void useless_requests_go_back_at_once(void **state)
{
    (void)state;
    struct input_front front = {.complete = count, .flush = ignore}; // there is nothing to wait for
    struct input_device *device = input_device_create(INPUT_KEYBOARD, &front);
    uint8_t bytes[8] = {INPUT_EV_LED, 0, 0, 0, 1};
    struct iovec part = {bytes, 7};
    input_device_start(device);
    input_device_request(device, INPUT_QUEUE_EVENT, NULL, 0, bytes, 7, bytes); // too small
    input_device_request(device, INPUT_QUEUE_EVENT, NULL, 0, NULL, 0, bytes);
    input_device_request(device, INPUT_QUEUE_STATUS, &part, 1, NULL, 0, bytes);
    input_device_request(device, INPUT_QUEUE_STATUS, NULL, 0, NULL, 0, bytes);
    input_device_request(device, 7, &part, 1, NULL, 0, bytes);
    assert_int_equal(returned, 5);
    for (unsigned i = 0; i < 2000; i++) // no queue is that long
        input_device_request(device, INPUT_QUEUE_EVENT, NULL, 0, bytes, 8, bytes);
    assert_int_equal(returned, 5 + 2000 - 1024);
    input_device_destroy(device);
}

int main(void)
{
#define ON(kind, name) cmocka_unit_test_setup_teardown(name, kind, driver_teardown)
    const struct CMUnitTest tests[] = {
        ON(keyboard, a_burst_waits_for_buffers_and_loses_nothing),
        ON(keyboard, a_driver_that_does_not_read_loses_groups_but_no_key_hangs),
        ON(keyboard, without_a_driver_nothing_is_kept_but_what_is_held),
        ON(keyboard, after_a_reset_nothing_is_down),
        ON(keyboard, a_reset_voids_what_was_pending),
        ON(keyboard, a_pause_keeps_what_was_pending_and_drops_what_comes),
        ON(pointer, the_pointer_is_where_it_was_moved_to),
        ON(touch, contacts_are_caught_up_with),
        ON(keyboard, leds_are_off_after_a_reset),
        ON(keyboard, a_person_is_not_slowed),
        ON(keyboard, a_pasted_text_comes_at_a_pace),
        ON(pointer, motions_that_wait_are_merged),
        ON(mouse, motions_of_a_mouse_that_wait_add_up),
        ON(mouse, a_mouse_is_not_moved_during_a_pause),
        ON(pad, sticks_that_wait_are_where_they_are),
        ON(pad, a_pad_that_is_let_go_is_at_rest),
        ON(pointer, a_motion_that_is_under_way_stays),
        cmocka_unit_test(useless_requests_go_back_at_once),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
