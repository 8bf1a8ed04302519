// JSON: what is written can be read, what is no JSON is not taken for it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json.h"

static void what_is_written_is_json(void **state)
{
    struct json_writer w = {0};
    json_open(&w, NULL, '{');
    json_string(&w, "text", "say \"hi\"\\\n\x01 \xc3\xa4 \xff\xc0\xaf");
    json_string(&w, "nothing", NULL);
    json_number(&w, "number", INT64_MIN);
    json_open(&w, "list", '[');
    json_bool(&w, NULL, true);
    json_open(&w, NULL, '{');
    json_close(&w, '}');
    json_number(&w, NULL, 7);
    json_close(&w, ']');
    json_open(&w, "empty", '[');
    json_close(&w, ']');
    json_close(&w, '}');
    assert_false(w.failed);
    assert_string_equal(w.text, "{\"text\":\"say \\\"hi\\\"\\\\\\u000a\\u0001 \xc3\xa4 "
                                "\\ufffd\\ufffd\\ufffd\",\"nothing\":null,\"number\":"
                                "-9223372036854775808,\"list\":[true,{},7],\"empty\":[]}");
    struct json root, value;
    char text[64];
    int64_t number = 0;
    assert_true(json_parse(w.text, w.length, &root));
    assert_true(json_member(root, "text", &value) && json_copy(value, text, sizeof(text)));
    assert_string_equal(text, "say \"hi\"\\\n\x01 \xc3\xa4 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_true(json_member(root, "number", &value) && json_integer(value, &number));
    assert_true(number == INT64_MIN);
    assert_true(json_member(root, "nothing", &value) && json_is(value, 'n'));
    json_finish(&w);
}

static void values_are_found(void **state)
{
    static const char text[] =
        " { \"a\" : { \"b\" : [ 1 , \"two\" , [ 3 ] , { } ] , \"\" : false } "
        ", \"a\" : 9 } ";
    struct json root, a, b, item = {0};
    char two[8];
    int64_t number = 0;
    assert_true(json_parse(text, strlen(text), &root));
    assert_true(json_member(root, "a", &a)); // the first of two
    assert_true(json_member(a, "b", &b));
    assert_true(json_next(b, &item) && json_integer(item, &number) && number == 1);
    assert_true(json_next(b, &item) && json_copy(item, two, sizeof(two)));
    assert_string_equal(two, "two");
    assert_false(json_copy(item, two, 3)); // no room for the end
    assert_true(json_next(b, &item) && json_is(item, '['));
    assert_true(json_next(b, &item) && json_is(item, '{'));
    assert_false(json_next(b, &item));
    assert_true(json_member(a, "", &b) && json_is(b, 'f'));
    assert_false(json_member(root, "b", &b));
    assert_false(json_member(b, "x", &a)); // of no value
    assert_false(json_integer(a, &number) || json_copy(a, two, sizeof(two)) || json_next(a, &item));
}

static void what_is_no_json_is_refused(void **state)
{
    static const char *const broken[] = {
        "",   "{",       "}",           "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1,]",  "[1 2]",
        "\"", "\"\\x\"", "\"\\u12g4\"", "\"\n\"",  "nul",      "{a:1}",      "{1:2}", "1 2",
        "[",  "[\"a",    "{\"a\":1",    "tru",     "\"\\",     "{\"a\" 1}",  "[1}",
    };
    struct json value;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        // Whatever follows the text must not be read.
        char *copy = test_malloc(strlen(broken[i]) + 1);
        memcpy(copy, broken[i], strlen(broken[i]));
        assert_false(json_parse(copy, strlen(broken[i]), &value));
        assert_null(value.at);
        test_free(copy);
    }
}

static void depth_is_bounded(void **state)
{
    char text[200];
    struct json value;
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    assert_false(json_parse(text, 200, &value));
    assert_true(json_parse(text + 80, 40, &value));
}

static void escapes_become_text(void **state)
{
    static const char text[] = "\"\\u00e4\\u20ac\\/\\t\"", nul[] = "\"\\u0000\"";
    struct json value;
    char out[16];
    assert_true(json_parse(text, strlen(text), &value) && json_copy(value, out, sizeof(out) + 8));
    assert_string_equal(out, "\xc3\xa4\xe2\x82\xac/\t");
    assert_true(json_parse(nul, strlen(nul), &value));
    assert_false(json_copy(value, out, sizeof(out)));
}

static void members_are_got_by_their_names(void **state)
{
    static const char source[] = "{\"name\":\"ab\",\"number\":-7,\"yes\":true,\"no\":false}";
    struct json root, none = {0};
    char text[8] = "before";
    assert_true(json_parse(source, strlen(source), &root));
    assert_true(json_get_text(root, "name", text, sizeof(text)));
    assert_string_equal(text, "ab");
    assert_int_equal(json_get_number(root, "number"), -7);
    assert_true(json_get_bool(root, "yes"));
    assert_false(json_get_bool(root, "no"));
    // Another kind, too little room, nothing.
    assert_false(json_get_text(root, "number", text, sizeof(text)));
    assert_string_equal(text, "");
    assert_false(json_get_text(root, "name", text, 2));
    assert_string_equal(text, "");
    assert_int_equal(json_get_number(root, "name"), 0);
    assert_false(json_get_bool(root, "number"));
    assert_int_equal(json_get_number(none, "number"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_json),
        cmocka_unit_test(values_are_found),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(escapes_become_text),
        cmocka_unit_test(members_are_got_by_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
