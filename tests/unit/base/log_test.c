#include "../flavour.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int log_file, real_stderr;
static char text[4096];

static int set_up(void **state)
{
    char path[] = "/tmp/hesper-log-XXXXXX";
    log_file = mkstemp(path);
    unlink(path);
    real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(log_file, STDERR_FILENO);
    unsetenv("HESPER_LOG");
    log_set_tag("");
    log_set_level(LOG_WARNING);
    return log_file < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(log_file);
    return 0;
}

static const char *logged(void)
{
    ssize_t got = pread(log_file, text, sizeof(text) - 1, 0);
    text[got > 0 ? got : 0] = 0;
    return text;
}

static void one_line_per_event(void **state)
{
    log_error("cannot open %s", "x");
    log_set_tag("worker 3");
    log_warning("odd");
    assert_string_equal(logged(), "hesper: error: cannot open x\nhesper: warning: worker 3: odd\n");
}

static void what_is_not_asked_for_is_not_said(void **state)
{
    log_info("a");
    log_debug("b");
    assert_string_equal(logged(), "");
    log_set_level(LOG_INFO);
    log_info("c");
    log_debug("d");
    assert_string_equal(logged(), "hesper: info: c\n");
}

static void the_environment_has_the_last_word(void **state)
{
    setenv("HESPER_LOG", "error", 1);
    log_set_level(LOG_DEBUG);
    log_warning("a");
    assert_string_equal(logged(), "");
    setenv("HESPER_LOG", "nonsense", 1);
    log_set_level(LOG_DEBUG);
    assert_int_equal(log_get_level(), LOG_DEBUG);
    unsetenv("HESPER_LOG");
}

static void a_guests_text_stays_in_its_line(void **state)
{
    log_error("%s", "a\nb\033[2J\x7f\xc2\x9b"
                    "31m \xc3\xa9"); // the last is a letter
    assert_string_equal(logged(), "hesper: error: a?b?[2J???31m \xc3\xa9\n");
}

static void a_long_line_is_cut_and_ended(void **state)
{
    char *many = malloc(5001);
    memset(many, 'x', 5000);
    many[5000] = 0;
    log_error("%s", many);
    free(many);
    assert_int_equal(strlen(logged()), 1024);
    assert_int_equal(text[1023], '\n');
}

static void floods_are_limited(void **state)
{
    struct log_limit limit = {0};
    int allowed = 0;
    for (uint64_t now = 1; now <= 50; now++)
        allowed += log_limit_allows(&limit, now, 3, 100);
    assert_int_equal(allowed, 3);
    assert_true(log_limit_allows(&limit, 200, 3, 100));
    assert_string_equal(logged(), "hesper: warning: 47 similar messages were not shown\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_line_per_event),
        TEST(what_is_not_asked_for_is_not_said),
        TEST(the_environment_has_the_last_word),
        TEST(a_guests_text_stays_in_its_line),
        TEST(a_long_line_is_cut_and_ended),
        TEST(floods_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
