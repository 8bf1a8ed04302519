#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"

enum colour { RED, GREEN };

struct wanted {
    const char *file, *sound;
    bool quick, careful;
    unsigned verbose;
    uint32_t count;
    int fd;
    enum colour colour;
    char taken[32];
    char words[64]; // which were looked at
};

static const char *const colours[] = {"red", "green", NULL};

static bool take(const char *label, const char *text, void *to)
{
    assert_string_equal(label, "paint");
    snprintf(to, 32, "%s", text);
    return strcmp(text, "bad") != 0;
}

static void before(void *data, int index)
{
    struct wanted *wanted = data;
    size_t used = strlen(wanted->words);
    snprintf(wanted->words + used, sizeof(wanted->words) - used, "%d ", index);
}

static const struct option_row rows[] = {
    {"file", "FILE",
     "is read, and what stands in it is painted, in the order in which it was written there by "
     "its author",
     OPTION_TEXT(struct wanted, file)},
    {"sound", "[=DRIVER]", "a noise", OPTION_TEXT(struct wanted, sound)},
    {"quick", NULL, "no care", OPTION_FLAG(struct wanted, quick)},
    {"careless", NULL, NULL, OPTION_NO_FLAG(struct wanted, careful)},
    {"verbose", NULL, "says more", OPTION_COUNT(struct wanted, verbose), .letter = 'v'},
    {0},
};
static const struct option_row more_rows[] = {
    {"count", "N", "how many", OPTION_NUMBER(struct wanted, count, 2, 70000)},
    {"fd", "N", "", OPTION_POSITIVE(struct wanted, fd)},
    {"a-colour-with-a-long-name", "red|green", "which",
     OPTION_CHOICE(struct wanted, colour, colours)},
    {"take", "[NAME:]TEXT", "", OPTION_TAKE(struct wanted, taken, take), .letter = 't'},
    {0},
};

static int read_words(struct wanted *wanted, bool in_order, const char *const *words)
{
    char *argv[20] = {(char *)"paint"};
    int argc = 1;
    const struct options options = {.program = "hesper paint",
                                    .usage = "usage: hesper paint\n\n",
                                    .tables = {{rows, wanted}, {more_rows, wanted}},
                                    .in_order = in_order,
                                    .before = before,
                                    .data = wanted};
    *wanted = (struct wanted){.careful = true};
    for (; *words; words++)
        argv[argc++] = (char *)*words;
    optind = 0; // getopt_long forgets what it has read
    return options_read(&options, argc, argv);
}
#define READ(in_order, ...) read_words(&wanted, in_order, (const char *const[]){__VA_ARGS__, NULL})

static void values_go_where_their_rows_say(void **state)
{
    struct wanted wanted;
    int first = READ(false, "--file", "a b", "--sound=wav", "--quick", "--careless", "-vv", "-tx",
                     "--count=64k", "--fd", "9", "--a-colour", "green", "rest");
    assert_int_equal(first, 13);
    assert_string_equal(wanted.file, "a b");
    assert_string_equal(wanted.sound, "wav");
    assert_true(wanted.quick);
    assert_false(wanted.careful);
    assert_int_equal(wanted.verbose, 2);
    assert_string_equal(wanted.taken, "x");
    assert_int_equal(wanted.count, 65536);
    assert_int_equal(wanted.fd, 9);
    assert_int_equal(wanted.colour, GREEN);
}

static void nothing_said_is_left_alone(void **state)
{
    struct wanted wanted;
    assert_int_equal(READ(false, "--sound"), 2);
    assert_string_equal(wanted.sound, "");
    assert_null(wanted.file);
    assert_false(wanted.quick);
    assert_true(wanted.careful);
}

static void another_programs_options_are_left_to_it(void **state)
{
    struct wanted wanted;
    assert_int_equal(READ(true, "--quick", "--", "ls", "-l"), 3);
    assert_int_equal(READ(true, "--quick", "ls", "-v", "--file", "x"), 2);
    assert_null(wanted.file);
    assert_string_equal(wanted.words, "1 ");
    // Otherwise options may follow.
    assert_int_equal(READ(false, "ls", "--file", "x"), 3);
    assert_string_equal(wanted.file, "x");
}

static void a_bad_command_line_is_refused(void **state)
{
    struct wanted wanted;
    assert_int_equal(READ(false, "--nothing"), -1);
    assert_int_equal(READ(false, "--file"), -1);
    assert_int_equal(READ(false, "--quick=yes"), -1);
    assert_int_equal(READ(false, "-x"), -1);
    assert_int_equal(READ(false, "-t"), -1);
    assert_int_equal(READ(false, "--take", "bad"), -1);
    assert_int_equal(READ(false, "--count", "1"), -1);
    assert_int_equal(READ(false, "--count", "70001"), -1);
    assert_int_equal(READ(false, "--count", "-2"), -1);
    assert_int_equal(READ(false, "--fd", "0"), -1);
    assert_int_equal(READ(false, "--a-colour-with-a-long-name=blue"), -1);
}

static void rows_are_found_by_name(void **state)
{
    struct wanted wanted;
    const struct options options = {.tables = {{rows, &wanted}, {more_rows, &wanted}}};
    assert_ptr_equal(options_find(&options, "fd"), &more_rows[1]);
    assert_true(option_value_may_miss(options_find(&options, "sound")));
    assert_false(option_value_may_miss(options_find(&options, "file")));
    assert_null(options_find(&options, "help"));
}

static void help_has_lines_of_a_hundred_columns(void **state)
{
    struct wanted wanted;
    char text[4096];
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    int first = READ(false, "--help", "--nothing");
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    assert_int_equal(first, 0);
    assert_string_equal(
        text, "usage: hesper paint\n"
              "\n"
              "  --file FILE              is read, and what stands in it is painted, in the order "
              "in which it was\n"
              "                           written there by its author\n"
              "  --sound[=DRIVER]         a noise\n"
              "  --quick                  no care\n"
              "  -v, --verbose            says more\n"
              "  --count N                how many\n"
              "  --fd N\n"
              "  --a-colour-with-a-long-name red|green\n"
              "                           which\n"
              "  -t, --take [NAME:]TEXT\n"
              "  --help\n");
}

static void sizes_have_units(void **state)
{
    uint64_t value = 0;
    assert_true(option_size("8G", UINT64_MAX, &value));
    assert_int_equal(value, 8ull << 30);
    assert_true(option_size("2m", 2 << 20, &value));
    assert_false(option_size("2m", (2 << 20) - 1, &value));
    assert_false(option_size("", 9, &value));
    assert_false(option_size("k", 9, &value));
    assert_false(option_size("1x", UINT64_MAX, &value));
    assert_false(option_size("1kk", UINT64_MAX, &value));
    assert_false(option_size("-1", UINT64_MAX, &value));
    assert_false(option_size("99999999999999999999", UINT64_MAX, &value));
}

int main(void)
{
    setenv("HESPER_LOG", "error", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_where_their_rows_say),
        cmocka_unit_test(nothing_said_is_left_alone),
        cmocka_unit_test(another_programs_options_are_left_to_it),
        cmocka_unit_test(a_bad_command_line_is_refused),
        cmocka_unit_test(rows_are_found_by_name),
        cmocka_unit_test(help_has_lines_of_a_hundred_columns),
        cmocka_unit_test(sizes_have_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
