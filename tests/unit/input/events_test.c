// What a person does, as the driver hears it.
#include "driver.h"

#include <string.h>

enum { KEY_A = 30, KEY_B = 48 };

static int start(void **state, enum input_kind kind)
{
    *state = driver_create(kind);
    driver_start(*state);
    return 0;
}

static int keyboard(void **state)
{
    return start(state, INPUT_KEYBOARD);
}

static int pointer(void **state)
{
    return start(state, INPUT_POINTER);
}

static int touch(void **state)
{
    return start(state, INPUT_TOUCH);
}

// ---- keys -----------------------------------------------------------------

static void keys_pass_through(void **state)
{
    driver_key(*state, KEY_A, 1);
    driver_expect(*state, INPUT_EV_KEY, KEY_A, 1);
    driver_expect_end(*state);
    driver_key(*state, KEY_A, 0);
    driver_expect(*state, INPUT_EV_KEY, KEY_A, 0);
    driver_expect_end(*state);
    driver_expect_nothing(*state);
}

static void a_group_comes_as_a_whole(void **state)
{
    driver_event(*state, INPUT_EV_KEY, KEY_A, 1);
    driver_expect_nothing(*state); // its end is not there yet
    driver_event(*state, INPUT_EV_KEY, KEY_B, 1);
    driver_event(*state, INPUT_EV_KEY, KEY_A, 0);
    driver_end(*state);
    driver_expect(*state, INPUT_EV_KEY, KEY_A, 1);
    driver_expect(*state, INPUT_EV_KEY, KEY_B, 1);
    driver_expect(*state, INPUT_EV_KEY, KEY_A, 0);
    driver_expect_end(*state);
    driver_expect_nothing(*state);
}

// The guest repeats keys itself; a viewer that repeats them must not double that.
static void what_changes_nothing_is_not_passed_on(void **state)
{
    driver_key(*state, KEY_A, 0); // is up
    driver_expect_nothing(*state);
    driver_key(*state, KEY_A, 1);
    driver_expect(*state, INPUT_EV_KEY, KEY_A, 1);
    driver_expect_end(*state);
    driver_key(*state, KEY_A, 1);
    driver_key(*state, KEY_A, 2);
    driver_key(*state, KEY_A, -1);
    driver_end(*state);
    driver_expect_nothing(*state);
}

static void what_a_device_has_not_is_ignored_and_counted(void **state)
{
    struct driver *d = *state;
    const struct input_event events[] = {{INPUT_EV_KEY, 0, 1},
                                         {INPUT_EV_KEY, INPUT_BTN_LEFT, 1},
                                         {INPUT_EV_KEY, 249, 1},
                                         {INPUT_EV_KEY, 0xffff, 1},
                                         {INPUT_EV_ABS, INPUT_ABS_X, 1},
                                         {INPUT_EV_REL, 8, 1},
                                         {INPUT_EV_LED, 0, 1},
                                         {0xffff, 1, 1},
                                         {INPUT_EV_SYN, 2, 1},
                                         {INPUT_EV_KEY, KEY_A, 1},
                                         {INPUT_EV_SYN, 0, 0}};
    assert_int_equal(input_device_send(d->device, events, 11), 9);
    driver_expect(d, INPUT_EV_KEY, KEY_A, 1);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

static void an_endless_group_is_cut(void **state)
{
    for (unsigned i = 0; i < INPUT_MAX_GROUP; i++)
        driver_event(*state, INPUT_EV_KEY, KEY_A, i % 2 == 0);
    for (unsigned i = 0; i < INPUT_MAX_GROUP; i++) {
        if (i % 32 == 0)
            driver_refill(*state);
        driver_expect(*state, INPUT_EV_KEY, KEY_A, i % 2 == 0);
    }
    driver_refill(*state);
    driver_expect_end(*state);
    driver_expect_nothing(*state);
}

static void release_lets_go_of_all(void **state)
{
    struct driver *d = *state;
    driver_key(d, KEY_A, 1);
    driver_key(d, INPUT_KEY_LEFTSHIFT, 1);
    driver_event(d, INPUT_EV_KEY, KEY_B, 1); // begun, never ended
    d->read = d->heard_count;
    input_device_release(d->device);
    driver_expect(d, INPUT_EV_KEY, KEY_A, 0);
    driver_expect(d, INPUT_EV_KEY, INPUT_KEY_LEFTSHIFT, 0);
    driver_expect_end(d);
    input_device_release(d->device);
    driver_end(d);
    driver_expect_nothing(d);
}

static void leds_are_told_when_they_change(void **state)
{
    struct driver *d = *state;
    driver_led(d, INPUT_EV_LED, INPUT_LED_CAPSL, 1);
    assert_int_equal(d->leds, 1 << INPUT_LED_CAPSL);
    driver_led(d, INPUT_EV_LED, INPUT_LED_NUML, 1);
    assert_int_equal(d->leds, 3);
    driver_led(d, INPUT_EV_LED, INPUT_LED_NUML, 1);
    assert_int_equal(d->led_calls, 2);
    driver_led(d, INPUT_EV_LED, INPUT_LED_CAPSL, 0);
    assert_int_equal(d->leds, 1);
    driver_led(d, INPUT_EV_REP, INPUT_REP_DELAY, 250);
    driver_led(d, INPUT_EV_LED, 3, 1);
    driver_led(d, INPUT_EV_LED, 0xffff, 1);
    assert_int_equal(d->led_calls, 3);
}

// ---- the pointer ----------------------------------------------------------

static void positions_stay_in_range(void **state)
{
    driver_event(*state, INPUT_EV_ABS, INPUT_ABS_X, -5);
    driver_event(*state, INPUT_EV_ABS, INPUT_ABS_Y, 1 << 30);
    driver_event(*state, INPUT_EV_KEY, INPUT_BTN_LEFT, 1);
    driver_end(*state);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_X, 0);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_Y, INPUT_RANGE);
    driver_expect(*state, INPUT_EV_KEY, INPUT_BTN_LEFT, 1);
    driver_expect_end(*state);
    driver_event(*state, INPUT_EV_ABS, INPUT_ABS_X, 0); // is there
    driver_end(*state);
    driver_expect_nothing(*state);
}

static void wheel(struct driver *d, uint16_t code, int32_t value)
{
    driver_event(d, INPUT_EV_REL, code, value);
    driver_end(d);
}

static void clicks_of_a_wheel_are_fine_too(void **state)
{
    wheel(*state, INPUT_REL_WHEEL, -2);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL, -2);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL_HI_RES, -240);
    driver_expect_end(*state);
    wheel(*state, INPUT_REL_HWHEEL, 1);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_HWHEEL, 1);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_HWHEEL_HI_RES, 120);
    driver_expect_end(*state);
    driver_event(*state, INPUT_EV_REL, INPUT_REL_WHEEL, 1); // said both ways: once
    wheel(*state, INPUT_REL_WHEEL_HI_RES, 120);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL, 1);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL_HI_RES, 120);
    driver_expect_end(*state);
    driver_expect_nothing(*state);
}

static void a_fine_wheel_adds_up_to_clicks(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        wheel(*state, INPUT_REL_WHEEL_HI_RES, 50);
        if (i == 2)
            driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL, 1);
        driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL_HI_RES, 50);
        driver_expect_end(*state);
    }
    // 30 are left over; back, they don't count.
    wheel(*state, INPUT_REL_WHEEL_HI_RES, -120);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL, -1);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL_HI_RES, -120);
    driver_expect_end(*state);
    driver_expect_nothing(*state);
}

static void wild_wheels_are_bounded(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        driver_event(*state, INPUT_EV_REL, INPUT_REL_WHEEL, INT32_MIN);
        driver_event(*state, INPUT_EV_REL, INPUT_REL_HWHEEL_HI_RES, INT32_MAX);
    }
    driver_end(*state);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL, -INPUT_MAX_CLICKS);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_WHEEL_HI_RES, -INPUT_MAX_CLICKS * 120);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_HWHEEL, INPUT_MAX_CLICKS);
    driver_expect(*state, INPUT_EV_REL, INPUT_REL_HWHEEL_HI_RES, INPUT_MAX_CLICKS * 120);
    driver_expect_end(*state);
}

// ---- touch ----------------------------------------------------------------

static void contact(struct driver *d, int32_t slot, int32_t id, int32_t x, int32_t y)
{
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, slot);
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, id);
    if (id < 0)
        return;
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X, x);
    driver_event(d, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_Y, y);
}

static void two_fingers(void **state)
{
    contact(*state, 0, 7, 100, 200);
    contact(*state, 1, 8, 300, 400);
    driver_end(*state);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, 7); // slot 0 is where it begins
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X, 100);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_Y, 200);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 1);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, 8);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X, 300);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_Y, 400);
    driver_expect(*state, INPUT_EV_KEY, INPUT_BTN_TOUCH, 1);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_X, 100);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_Y, 200);
    driver_expect_end(*state);

    contact(*state, 0, -1, 0, 0); // the other one becomes the only one
    driver_end(*state);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 0);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, -1);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_X, 300);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_Y, 400);
    driver_expect_end(*state);

    contact(*state, 1, -1, 0, 0);
    driver_event(*state, INPUT_EV_KEY, INPUT_BTN_TOUCH, 0); // follows by itself
    driver_end(*state);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 1);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, -1);
    driver_expect(*state, INPUT_EV_KEY, INPUT_BTN_TOUCH, 0);
    driver_expect_end(*state);
    driver_expect_nothing(*state);
}

static void slots_that_do_not_exist(void **state)
{
    contact(*state, 10, 7, 100, 200);
    contact(*state, -1, 7, 100, 200);
    contact(*state, INT32_MAX, 7, 100, 200);
    driver_event(*state, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 3);
    driver_event(*state, INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X, 1); // of no contact
    driver_end(*state);
    driver_expect(*state, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 3);
    driver_expect_end(*state);
    driver_expect_nothing(*state);
}

static void released_contacts_end(void **state)
{
    struct driver *d = *state;
    contact(d, 0, 1, 10, 10);
    contact(d, 9, 2, 20, 20);
    driver_end(d);
    d->read = d->heard_count;
    input_device_release(d->device);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 0);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, -1);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, 9);
    driver_expect(d, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, -1);
    driver_expect(d, INPUT_EV_KEY, INPUT_BTN_TOUCH, 0);
    driver_expect_end(d);
    driver_expect_nothing(d);
}

int main(void)
{
#define ON(kind, name) cmocka_unit_test_setup_teardown(name, kind, driver_teardown)
    const struct CMUnitTest tests[] = {
        ON(keyboard, keys_pass_through),
        ON(keyboard, a_group_comes_as_a_whole),
        ON(keyboard, what_changes_nothing_is_not_passed_on),
        ON(keyboard, what_a_device_has_not_is_ignored_and_counted),
        ON(keyboard, an_endless_group_is_cut),
        ON(keyboard, release_lets_go_of_all),
        ON(keyboard, leds_are_told_when_they_change),
        ON(pointer, positions_stay_in_range),
        ON(pointer, clicks_of_a_wheel_are_fine_too),
        ON(pointer, a_fine_wheel_adds_up_to_clicks),
        ON(pointer, wild_wheels_are_bounded),
        ON(touch, two_fingers),
        ON(touch, slots_that_do_not_exist),
        ON(touch, released_contacts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
