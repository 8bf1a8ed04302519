// What hesper-window is made of, without a window.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "display/window/input.h"
#include "display/window/layout.h"
#include "display/window/notice.h"
#include "display/window/pads.h"
#include "display/window/present.h"

// ---- a display that writes down what it is told ---------------------------

static struct link_input told[4096];
static unsigned told_count;

void display_input(struct display *display, enum link_input_device device, uint16_t type,
                   uint16_t code, int32_t value)
{
    (void)display;
    assert_true(told_count < 4096);
    told[told_count++] =
        (struct link_input){.device = (uint16_t)device, .type = type, .code = code, .value = value};
}

void display_input_end(struct display *display, enum link_input_device device)
{
    display_input(display, device, 0, 0, 0);
}

void display_input_position(struct display *display, enum link_input_device device, uint32_t output,
                            double x, double y)
{
    uint16_t code = device == LINK_INPUT_TOUCH ? 0x35 : 0;
    display_input(display, device, 3, code, (int32_t)x + 1000 * (int32_t)output);
    display_input(display, device, 3, (uint16_t)(code + 1), (int32_t)y);
}

static void expect_told(unsigned at, unsigned device, unsigned type, unsigned code, int value)
{
    assert_true(at < told_count);
    assert_int_equal(told[at].device, device);
    assert_int_equal(told[at].type, type);
    assert_int_equal(told[at].code, code);
    assert_int_equal(told[at].value, value);
}

static int forget(void **state)
{
    (void)state;
    told_count = 0;
    return 0;
}

// ---- layout ---------------------------------------------------------------

#define ASSERT_AREA(area, X, Y, W, H)                                                              \
    do {                                                                                           \
        assert_int_equal((area).x, X);                                                             \
        assert_int_equal((area).y, Y);                                                             \
        assert_int_equal((area).width, W);                                                         \
        assert_int_equal((area).height, H);                                                        \
    } while (0)

static void a_picture_of_the_windows_size_fills_it(void **state)
{
    (void)state;
    for (int scale = WINDOW_SCALE_FIT; scale <= WINDOW_SCALE_NONE; scale++) {
        struct window_layout at;
        assert_true(window_layout((enum window_scale)scale, 1280, 800, 1280, 800, &at));
        ASSERT_AREA(at.source, 0, 0, 1280, 800);
        ASSERT_AREA(at.target, 0, 0, 1280, 800);
        assert_false(window_layout_has_bars(&at, 1280, 800));
    }
}

static void a_picture_keeps_its_shape(void **state)
{
    (void)state;
    struct window_layout at;
    assert_true(window_layout(WINDOW_SCALE_FIT, 640, 480, 1920, 1080, &at));
    ASSERT_AREA(at.target, 240, 0, 1440, 1080);
    assert_true(window_layout_has_bars(&at, 1920, 1080));
    assert_true(window_layout(WINDOW_SCALE_FIT, 1920, 1080, 640, 480, &at));
    ASSERT_AREA(at.target, 0, 60, 640, 360);
    assert_true(window_layout(WINDOW_SCALE_WHOLE, 640, 480, 1920, 1080, &at));
    ASSERT_AREA(at.target, 320, 60, 1280, 960);
    assert_true(window_layout(WINDOW_SCALE_WHOLE, 1920, 1080, 640, 480, &at)); // made smaller
    ASSERT_AREA(at.target, 0, 60, 640, 360);
    assert_true(window_layout(WINDOW_SCALE_NONE, 640, 480, 1920, 1080, &at));
    ASSERT_AREA(at.target, 640, 300, 640, 480);
    assert_true(window_layout(WINDOW_SCALE_NONE, 1920, 1080, 640, 480, &at));
    ASSERT_AREA(at.source, 640, 300, 640, 480);
    ASSERT_AREA(at.target, 0, 0, 640, 480);
}

static void no_size_is_too_odd(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 3, 16, 4095, 16384, 65535};
    enum { COUNT = sizeof(sizes) / sizeof(*sizes) };
    for (int n = 0; n < COUNT * COUNT * COUNT * COUNT * 3; n++) {
        uint32_t w = sizes[n % COUNT], h = sizes[n / COUNT % COUNT];
        uint32_t ww = sizes[n / COUNT / COUNT % COUNT];
        uint32_t wh = sizes[n / COUNT / COUNT / COUNT % COUNT];
        enum window_scale scale = (enum window_scale)(n / COUNT / COUNT / COUNT / COUNT);
        struct window_layout at;
        bool seen = window_layout(scale, w, h, ww, wh, &at);
        assert_int_equal(seen, w && h && ww && wh);
        if (!seen)
            continue;
        assert_true(at.source.width && at.source.height && at.target.width && at.target.height);
        assert_true(at.source.x + at.source.width <= w && at.source.y + at.source.height <= h);
        assert_true(at.target.x + at.target.width <= ww && at.target.y + at.target.height <= wh);
        double x = ww + 5, y = -3;
        window_layout_point(&at, &x, &y);
        assert_true(x >= 0 && x <= w - 1 && y >= 0 && y <= h - 1);
    }
}

static void places_of_the_window_are_places_of_the_picture(void **state)
{
    (void)state;
    struct window_layout at;
    assert_true(window_layout(WINDOW_SCALE_FIT, 640, 480, 1920, 1080, &at));
    double x = 240 + 720, y = 540;
    window_layout_point(&at, &x, &y);
    assert_true(x == 320 && y == 240);
    x = 10; // in a bar: the nearest
    y = 2000;
    window_layout_point(&at, &x, &y);
    assert_true(x == 0 && y == 479);
}

// ---- keys -----------------------------------------------------------------

static void keys_have_codes_of_their_own(void **state)
{
    (void)state;
    bool used[WINDOW_KEY_MAX + 1] = {false};
    unsigned known = 0;
    for (int key = 0; key < SDL_NUM_SCANCODES; key++) {
        uint16_t code = window_key_code((SDL_Scancode)key);
        // Two positions of USB's are one key of a PC's.
        if (!code || key == SDL_SCANCODE_NONUSHASH || key == SDL_SCANCODE_SYSREQ ||
            key == SDL_SCANCODE_AUDIOMUTE)
            continue;
        assert_in_range(code, 1, WINDOW_KEY_MAX);
        assert_false(used[code]);
        used[code] = true;
        known++;
    }
    assert_true(known > 140);
    assert_int_equal(window_key_code(SDL_SCANCODE_A), 30);
    assert_int_equal(window_key_code(SDL_SCANCODE_RIGHT), 106);
    assert_int_equal(window_key_code(SDL_SCANCODE_UNKNOWN), 0);
    assert_int_equal(window_key_code((SDL_Scancode)100000), 0);
    assert_int_equal(window_key_code((SDL_Scancode)-1), 0);
}

static void a_key_goes_down_once_and_up_once(void **state)
{
    (void)state;
    struct window_input input = {0};
    assert_true(window_input_key(&input, SDL_SCANCODE_A, true));
    assert_true(window_input_key(&input, SDL_SCANCODE_A, true));
    assert_true(window_input_key(&input, SDL_SCANCODE_A, false));
    assert_true(window_input_key(&input, SDL_SCANCODE_A, false));
    assert_false(window_input_key(&input, SDL_SCANCODE_UNKNOWN, true));
    assert_int_equal(told_count, 4);
    expect_told(0, LINK_INPUT_KEYBOARD, 1, 30, 1);
    expect_told(1, LINK_INPUT_KEYBOARD, 0, 0, 0);
    expect_told(2, LINK_INPUT_KEYBOARD, 1, 30, 0);
}

static void what_is_held_is_let_go(void **state)
{
    (void)state;
    struct window_input input = {0};
    window_input_key(&input, SDL_SCANCODE_LSHIFT, true);
    window_input_key(&input, SDL_SCANCODE_A, true);
    window_input_button(&input, SDL_BUTTON_RIGHT, true);
    window_input_finger(&input, 77, true, 0, 5, 6);
    told_count = 0;
    window_input_release_all(&input);
    assert_int_equal(told_count, 2 + 2 + 2 + 3);
    expect_told(0, LINK_INPUT_KEYBOARD, 1, 30, 0);
    expect_told(2, LINK_INPUT_KEYBOARD, 1, 42, 0);
    expect_told(4, LINK_INPUT_POINTER, 1, 0x111, 0);
    expect_told(7, LINK_INPUT_TOUCH, 3, 0x39, -1);
    told_count = 0;
    window_input_release_all(&input);
    assert_int_equal(told_count, 0);
}

static void a_captured_mouse_is_the_guests_mouse(void **state)
{
    (void)state;
    struct window_input input = {0};
    window_input_button(&input, SDL_BUTTON_LEFT, true);
    told_count = 0;
    window_input_capture(&input, true); // what is down is let go where it was pressed
    expect_told(0, LINK_INPUT_POINTER, 1, 0x110, 0);
    assert_int_equal(told_count, 2);
    window_input_capture(&input, true);
    window_input_relative(&input, 0, 0);
    assert_int_equal(told_count, 2);
    told_count = 0;
    window_input_relative(&input, -3, 0);
    window_input_relative(&input, 0, 4);
    window_input_button(&input, SDL_BUTTON_X2 + 3, true);
    window_input_wheel(&input, 0, 1);
    expect_told(0, LINK_INPUT_MOUSE, 2, 0, -3);
    expect_told(1, LINK_INPUT_MOUSE, 0, 0, 0);
    expect_told(2, LINK_INPUT_MOUSE, 2, 1, 4);
    expect_told(4, LINK_INPUT_MOUSE, 1, 0x117, 1);
    expect_told(6, LINK_INPUT_MOUSE, 2, 11, 120);
    told_count = 0;
    window_input_capture(&input, false);
    expect_told(0, LINK_INPUT_MOUSE, 1, 0x117, 0);
    window_input_button(&input, SDL_BUTTON_LEFT, true);
    expect_told(2, LINK_INPUT_POINTER, 1, 0x110, 1);
}

static void a_pad_is_as_linux_has_it(void **state)
{
    (void)state;
    struct window_pads pads = {.wanted = 3};
    enum { PAD2 = LINK_INPUT_PAD + 1 };
    window_pads_axis(&pads, 1, SDL_CONTROLLER_AXIS_LEFTY, -32768);
    window_pads_axis(&pads, 1, SDL_CONTROLLER_AXIS_TRIGGERLEFT, 32767);
    window_pads_axis(&pads, 1, SDL_CONTROLLER_AXIS_MAX, 1);
    window_pads_button(&pads, 1, SDL_CONTROLLER_BUTTON_X, true);
    window_pads_button(&pads, 1, SDL_CONTROLLER_BUTTON_X, true);
    window_pads_button(&pads, 1, SDL_CONTROLLER_BUTTON_MAX, true);
    expect_told(0, PAD2, 3, 1, -32767);
    expect_told(1, PAD2, 0, 0, 0);
    expect_told(2, PAD2, 3, 2, 255);
    expect_told(4, PAD2, 1, 0x133, 1);
    assert_int_equal(told_count, 6);
    told_count = 0;
    window_pads_button(&pads, 0, SDL_CONTROLLER_BUTTON_DPAD_LEFT, true);
    window_pads_button(&pads, 0, SDL_CONTROLLER_BUTTON_DPAD_RIGHT, true);
    window_pads_button(&pads, 0, SDL_CONTROLLER_BUTTON_DPAD_LEFT, false);
    window_pads_button(&pads, 0, SDL_CONTROLLER_BUTTON_DPAD_UP, true);
    expect_told(0, LINK_INPUT_PAD, 3, 0x10, -1);
    expect_told(2, LINK_INPUT_PAD, 3, 0x10, 0);
    expect_told(4, LINK_INPUT_PAD, 3, 0x10, 1);
    expect_told(6, LINK_INPUT_PAD, 3, 0x11, -1);
    assert_int_equal(told_count, 8);
}

static void a_lock_key_is_pressed_where_lights_differ(void **state)
{
    (void)state;
    struct window_input input = {0};
    window_input_match_lock(&input, 2, KMOD_CAPS); // both on
    assert_int_equal(told_count, 0);
    window_input_match_lock(&input, 0, KMOD_CAPS);
    assert_int_equal(told_count, 4);
    expect_told(0, LINK_INPUT_KEYBOARD, 1, 58, 1);
    expect_told(2, LINK_INPUT_KEYBOARD, 1, 58, 0);
}

// ---- pointer --------------------------------------------------------------

static void fine_wheels_add_up(void **state)
{
    (void)state;
    struct window_input input = {0};
    int sum = 0;
    for (int n = 0; n < 1000; n++)
        window_input_wheel(&input, 0, 0.001);
    for (unsigned n = 0; n < told_count; n++) {
        if (told[n].type == 2) {
            assert_int_equal(told[n].code, 11);
            sum += told[n].value;
        }
    }
    assert_in_range(sum, 119, 120);
    told_count = 0;
    window_input_wheel(&input, 1e300, 0);
    window_input_wheel(&input, -1.0 / 0.0, 0.0 / 0.0);
    assert_int_equal(told_count, 0);
    window_input_wheel(&input, -2, 0);
    expect_told(0, LINK_INPUT_POINTER, 2, 12, -240);
}

static void buttons_that_no_mouse_has_are_left_out(void **state)
{
    (void)state;
    struct window_input input = {0};
    window_input_button(&input, 0, true);
    window_input_button(&input, 9, true);
    window_input_button(&input, 255, true);
    window_input_button(&input, SDL_BUTTON_LEFT, false); // was not down
    assert_int_equal(told_count, 0);
}

static void fingers_have_slots(void **state)
{
    (void)state;
    struct window_input input = {0};
    window_input_finger(&input, 100, true, 0, 1, 2);
    expect_told(0, LINK_INPUT_TOUCH, 3, 0x2f, 0);
    expect_told(1, LINK_INPUT_TOUCH, 3, 0x39, 0);
    expect_told(2, LINK_INPUT_TOUCH, 3, 0x35, 1);
    expect_told(3, LINK_INPUT_TOUCH, 3, 0x36, 2);
    expect_told(4, LINK_INPUT_TOUCH, 0, 0, 0);
    told_count = 0;
    window_input_finger(&input, 200, true, 0, 3, 4);
    expect_told(0, LINK_INPUT_TOUCH, 3, 0x2f, 1);
    expect_told(1, LINK_INPUT_TOUCH, 3, 0x39, 1);
    window_input_finger(&input, 100, false, 0, 0, 0);
    told_count = 0;
    window_input_finger(&input, 300, true, 0, 5, 6); // the slot is free again, the id is another
    expect_told(0, LINK_INPUT_TOUCH, 3, 0x2f, 0);
    expect_told(1, LINK_INPUT_TOUCH, 3, 0x39, 2);
    told_count = 0;
    window_input_finger(&input, 200, true, 0, 7, 8); // moves
    assert_int_equal(told_count, 4);
    expect_told(0, LINK_INPUT_TOUCH, 3, 0x2f, 1);
    expect_told(1, LINK_INPUT_TOUCH, 3, 0x35, 7);
    for (int n = 0; n < 100; n++) // more than there are slots for
        window_input_finger(&input, 1000 + n, true, 0, 1, 1);
    for (unsigned n = 0; n < told_count; n++)
        assert_true(told[n].code != 0x2f || told[n].value < WINDOW_TOUCHES);
    told_count = 0;
    window_input_finger(&input, 5000, false, 0, 0, 0); // never came
    assert_int_equal(told_count, 0);
}

// ---- pace -----------------------------------------------------------------

static void frames_without_a_screen_to_wait_for_keep_its_rate(void **state)
{
    (void)state;
    struct window_pace pace = {0};
    const uint64_t period = 16666667, began = 1000000000000;
    uint64_t now = began;
    for (int n = 0; n < 600; n++)
        now = window_pace_next(&pace, now, period) + 100000; // drawn in 0.1 ms
    assert_in_range(now - began, 590 * period * 98 / 100, 600 * period);
}

static void a_screen_that_sets_the_pace_is_not_slowed_down(void **state)
{
    (void)state;
    struct window_pace pace = {0};
    const uint64_t period = 16666667;
    uint64_t now = 1000000000000;
    window_pace_next(&pace, now, period);
    for (int n = 0; n < 600; n++) {
        now += period;
        uint64_t late = n % 2 ? period / 3 : 0; // comes irregularly
        if (n > 60)
            assert_int_equal(window_pace_next(&pace, now + late, period), now + late);
        else
            window_pace_next(&pace, now + late, period);
    }
}

static void a_pause_is_not_made_up_for(void **state)
{
    (void)state;
    struct window_pace pace = {0};
    const uint64_t period = 16666667;
    uint64_t now = 1000000000000, began;
    window_pace_next(&pace, now, period);
    began = now += 1000 * period;
    for (int n = 0; n < 10; n++)
        now = window_pace_next(&pace, now, period);
    assert_true(now - began >= 7 * period);
}

// ---- notices --------------------------------------------------------------

static unsigned lit(const uint8_t *rgba, uint32_t width, uint32_t height)
{
    unsigned count = 0;
    for (size_t i = 0; i < (size_t)width * height; i++) {
        count += rgba[4 * i] != 0;
        assert_int_equal(rgba[4 * i + 3], 255);
    }
    return count;
}

static void sentences_are_drawn_in_any_size(void **state)
{
    (void)state;
    static const char sentence[] = "The guest has not switched its screen on yet";
    static const uint32_t sizes[] = {1, 7, 11, 12, 13, 60, 160, 527, 528, 640, 1599, 1600};
    unsigned whole = 0;
    for (unsigned w = 0; w < sizeof(sizes) / sizeof(*sizes); w++) {
        for (unsigned h = 0; h < sizeof(sizes) / sizeof(*sizes); h++) {
            uint8_t *rgba = window_notice(sentence, sizes[w], sizes[h]);
            assert_non_null(rgba);
            unsigned count = lit(rgba, sizes[w], sizes[h]);
            if (sizes[w] == 640 && sizes[h] == 640)
                whole = count;
            free(rgba);
        }
    }
    assert_true(whole > 1000);
    // In two lines there are as many letters.
    uint8_t *rgba = window_notice(sentence, 400, 200);
    assert_int_equal(lit(rgba, 400, 200), whole);
    free(rgba);
    rgba = window_notice("", 100, 100);
    assert_int_equal(lit(rgba, 100, 100), 0);
    free(rgba);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_of_the_windows_size_fills_it),
        cmocka_unit_test(a_picture_keeps_its_shape),
        cmocka_unit_test(no_size_is_too_odd),
        cmocka_unit_test(places_of_the_window_are_places_of_the_picture),
        cmocka_unit_test(keys_have_codes_of_their_own),
        cmocka_unit_test_setup(a_key_goes_down_once_and_up_once, forget),
        cmocka_unit_test_setup(what_is_held_is_let_go, forget),
        cmocka_unit_test_setup(a_captured_mouse_is_the_guests_mouse, forget),
        cmocka_unit_test_setup(a_pad_is_as_linux_has_it, forget),
        cmocka_unit_test_setup(a_lock_key_is_pressed_where_lights_differ, forget),
        cmocka_unit_test_setup(fine_wheels_add_up, forget),
        cmocka_unit_test_setup(buttons_that_no_mouse_has_are_left_out, forget),
        cmocka_unit_test_setup(fingers_have_slots, forget),
        cmocka_unit_test(frames_without_a_screen_to_wait_for_keep_its_rate),
        cmocka_unit_test(a_screen_that_sets_the_pace_is_not_slowed_down),
        cmocka_unit_test(a_pause_is_not_made_up_for),
        cmocka_unit_test(sentences_are_drawn_in_any_size),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
