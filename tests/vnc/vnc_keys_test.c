// The keys that viewers name, and Shift as each symbol needs it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/vnc/keyboard.h"
#include "display/vnc/keys.h"

struct log {
    char text[4096]; // "+30 -30 …"
    size_t length;
    int down[VNC_KEY_MAX + 1]; // presses less releases
};

static void note(void *data, uint16_t code, bool down)
{
    struct log *log = data;
    assert_in_range(code, 1, VNC_KEY_MAX);
    log->down[code] += down ? 1 : -1;
    assert_in_range(log->down[code], 0, 1); // nothing twice
    if (log->length < sizeof(log->text) - 16)
        log->length += (size_t)sprintf(log->text + log->length, "%s%c%u", log->length ? " " : "",
                                       down ? '+' : '-', code);
}

static void expect(struct log *log, const char *text)
{
    assert_string_equal(log->text, text);
    log->text[0] = 0;
    log->length = 0;
}

#define KEYBOARD(name)                                                                             \
    struct log log = {.length = 0};                                                                \
    struct vnc_keyboard name = {.send = note, .data = &log}

static void press(struct vnc_keyboard *keyboard, uint32_t symbol)
{
    vnc_keyboard_symbol(keyboard, symbol, true);
    vnc_keyboard_symbol(keyboard, symbol, false);
}

enum { SHIFT = 0xffe1, SHIFT_R = 0xffe2, CONTROL = 0xffe3, CAPS = 0xffe5 };

// A US keyboard, by row: what its keys give without and with Shift.
static void every_character_of_ascii(void **state)
{
    static const struct {
        uint16_t first;
        const char *plain, *shifted;
    } rows[] = {
        {2, "1234567890-=", "!@#$%^&*()_+"},
        {16, "qwertyuiop[]", "QWERTYUIOP{}"},
        {30, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
        {43, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
    };
    unsigned count = 0;
    for (size_t row = 0; row < 4; row++) {
        for (size_t i = 0; rows[row].plain[i]; i++) {
            struct vnc_key key;
            assert_true(vnc_key_of_symbol((uint8_t)rows[row].plain[i], false, &key));
            assert_int_equal(key.code, rows[row].first + i);
            assert_true(key.shift == VNC_SHIFT_UP || key.shift == VNC_SHIFT_LOWER);
            assert_true(vnc_key_of_symbol((uint8_t)rows[row].shifted[i], false, &key));
            assert_int_equal(key.code, rows[row].first + i);
            assert_true(key.shift == VNC_SHIFT_DOWN || key.shift == VNC_SHIFT_UPPER);
            count += 2;
        }
    }
    assert_int_equal(count, 94);
}

static void functions_are_found(void **state)
{
    static const uint32_t pairs[][2] = {
        {0xff0d, 28},  {0xff1b, 1},   {0xffbe, 59}, {0xffc7, 68},  {0xffc9, 88},
        {0xffff, 111}, {0xff51, 105}, {0xfe20, 15}, {0xffd5, 194}, {0xff8d, 96},
        {0xff95, 102}, {' ', 57},     {0xffab, 78}, {0xff08, 14},
    };
    struct vnc_key key;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_true(vnc_key_of_symbol(pairs[i][0], false, &key));
        assert_int_equal(key.code, pairs[i][1]);
    }
    // The keypad's digits, whatever the guest's Num Lock is.
    assert_true(vnc_key_of_symbol(0xffb7, true, &key));
    assert_int_equal(key.code, 71);
    assert_true(vnc_key_of_symbol(0xffb7, false, &key));
    assert_int_equal(key.code, 8);
    assert_false(vnc_key_of_symbol(0xfe03, false, &key)); // AltGr: its symbols come by themselves
    assert_false(vnc_key_of_symbol(0, false, &key));
    assert_false(vnc_key_of_symbol(0xffffffff, false, &key));
}

static void every_symbol_is_a_key_or_nothing(void **state)
{
    struct vnc_key key;
    for (uint32_t symbol = 0; symbol < 0x1020000; symbol++) {
        if (vnc_key_of_symbol(symbol, symbol & 1, &key)) {
            assert_in_range(key.code, 1, VNC_KEY_MAX);
            assert_in_range(key.shift, VNC_SHIFT_ANY, VNC_SHIFT_UPPER);
        }
    }
    for (uint32_t code = 0; code < 0x10000; code++)
        assert_in_range(vnc_key_of_scancode(code), 0, VNC_KEY_MAX);
    assert_int_equal(vnc_key_of_scancode(0x1e), 30);
    assert_int_equal(vnc_key_of_scancode(0xc8), 103);
    assert_int_equal(vnc_key_of_scancode(0xffffffff), 0);
}

static void shift_is_pressed_and_let_go(void **state)
{
    KEYBOARD(keyboard);
    press(&keyboard, 'A');
    expect(&log, "+42 +30 -30 -42");
    vnc_keyboard_symbol(&keyboard, SHIFT_R, true);
    press(&keyboard, 'A');
    expect(&log, "+54 +30 -30");
    press(&keyboard, '7'); // a French digit: typed with Shift
    expect(&log, "-54 +8 -8 +54");
    vnc_keyboard_symbol(&keyboard, '7', true);
    vnc_keyboard_symbol(&keyboard, SHIFT_R, false);
    vnc_keyboard_symbol(&keyboard, '7', false);
    expect(&log, "-54 +8 -8");
    // Rolling over from one to the other.
    vnc_keyboard_symbol(&keyboard, SHIFT, true);
    vnc_keyboard_symbol(&keyboard, 'H', true);
    vnc_keyboard_symbol(&keyboard, SHIFT, false);
    vnc_keyboard_symbol(&keyboard, 'e', true);
    vnc_keyboard_symbol(&keyboard, 'H', false);
    vnc_keyboard_symbol(&keyboard, 'e', false);
    expect(&log, "+42 +35 -42 +18 -35 -18");
}

static void releases_find_their_key(void **state)
{
    KEYBOARD(keyboard);
    // Shift goes up before the key, whose release has another name then.
    vnc_keyboard_symbol(&keyboard, SHIFT, true);
    vnc_keyboard_symbol(&keyboard, '!', true);
    vnc_keyboard_symbol(&keyboard, SHIFT, false);
    vnc_keyboard_symbol(&keyboard, '1', false);
    expect(&log, "+42 +2 -42 -2");
    // And of a layout where that is another key here: nothing stays down.
    vnc_keyboard_symbol(&keyboard, SHIFT, true);
    vnc_keyboard_symbol(&keyboard, '/', true);
    vnc_keyboard_symbol(&keyboard, SHIFT, false);
    vnc_keyboard_symbol(&keyboard, '7', false);
    expect(&log, "+42 -42 +53 -53");
    vnc_keyboard_symbol(&keyboard, 'q', false); // was never down
    expect(&log, "");
}

static void caps_lock(void **state)
{
    KEYBOARD(keyboard);
    press(&keyboard, CAPS); // the LED's news comes later
    press(&keyboard, 'A');
    press(&keyboard, 'a');
    expect(&log, "+58 -58 +30 -30 +42 +30 -30 -42");
    vnc_keyboard_leds(&keyboard, 2);
    press(&keyboard, 'A');
    press(&keyboard, '!');
    expect(&log, "+30 -30 +42 +2 -2 -42");
    vnc_keyboard_leds(&keyboard, 0);
    press(&keyboard, 'a');
    expect(&log, "+30 -30");
    // With Control it is the key that counts.
    vnc_keyboard_symbol(&keyboard, CONTROL, true);
    press(&keyboard, 'C');
    vnc_keyboard_symbol(&keyboard, CONTROL, false);
    expect(&log, "+29 +46 -46 -29");
}

// Whatever comes: no key goes down twice, and all come up.
static void anything(void **state)
{
    unsigned seed = 7;
    KEYBOARD(keyboard);
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned value = seed >> 8;
        uint32_t symbol = value % 3 ? 0x20 + value / 8 % 95 : 0xff00 + value / 8 % 256;
        if (value % 16 == 5)
            vnc_keyboard_scancode(&keyboard, value / 16 % 300, value >> 20 & 1);
        else if (value % 64 == 7)
            vnc_keyboard_leds(&keyboard, value / 64);
        else
            vnc_keyboard_symbol(&keyboard, symbol, value >> 20 & 1);
        log.length = 0;
    }
    for (uint32_t code = 1; code < 300; code++)
        vnc_keyboard_scancode(&keyboard, code, false);
    for (int i = 0; i <= VNC_KEY_MAX; i++)
        assert_int_equal(log.down[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_of_ascii),
        cmocka_unit_test(functions_are_found),
        cmocka_unit_test(every_symbol_is_a_key_or_nothing),
        cmocka_unit_test(shift_is_pressed_and_let_go),
        cmocka_unit_test(releases_find_their_key),
        cmocka_unit_test(caps_lock),
        cmocka_unit_test(anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
