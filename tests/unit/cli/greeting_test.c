// What a person is told when the guest is up.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/machine/greeting.h"

#define FRONT "hesper:   by one front, for a reason\n"

static void assert_greeting(const struct cli_machine *machine, const char *gpu,
                            const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    cli_greeting(to, machine, gpu, "by one front, for a reason");
    fclose(to);
    assert_string_equal(text, expected);
    free(text);
}

static void test_little(void **state)
{
    struct cli_machine machine = {.name = "my guest"};
    (void)state;
    assert_greeting(&machine, NULL,
                    "hesper: the guest is up\n" FRONT
                    "hesper:   Ctrl-C here, or hesper stop 'my guest', presses its power button\n");
}

static void test_all(void **state)
{
    char shared[] = "/home/me/shared", program[] = "/usr/libexec/virtiofsd";
    struct cli_machine machine = {
        .name = "guest",
        .guest = {.gl = true, .ssh_key = "key.pub"},
        .forwards = {{"0.0.0.0", 2222, 22}, {"127.0.0.1", 8080, 80}},
        .forward_count = 2,
        .shares = {.list = {{.folder = shared, .name = "files"}}, .count = 1, .program = program},
    };
    (void)state;
    assert_greeting(
        &machine, "A GPU (driver 1.2)",
        "hesper: the guest is up; its GPU is A GPU (driver 1.2), also for OpenGL if it has systemd "
        "(--guest-gl)\n"
        "hesper:   no program draws by it yet; the first that does is told of here\n" FRONT
        "hesper:   ssh -p 2222 root@127.0.0.1\n"
        "hesper:   its port 80 is 127.0.0.1:8080 here\n"
        "hesper:   its /mnt/files is /home/me/shared (without systemd: mount -t virtiofs files "
        "/mnt/files)\n"
        "hesper:   Ctrl-C here, or hesper stop 'guest', presses its power button\n");
}

// The kernel passes over what it cannot read among the options of a 9p mount: no "1M".
static void test_a_folder_by_9p(void **state)
{
    char shared[] = "/home/me/shared";
    struct cli_machine machine = {
        .name = "guest", .shares = {.list = {{.folder = shared, .name = "files"}}, .count = 1}};
    (void)state;
    assert_greeting(&machine, NULL,
                    "hesper: the guest is up\n" FRONT
                    "hesper:   its /mnt/files is /home/me/shared (without systemd: mount -t 9p -o "
                    "trans=virtio,msize=1048576 files /mnt/files)\n"
                    "hesper:   Ctrl-C here, or hesper stop 'guest', presses its power button\n");
}

static void assert_drawing(bool screen, const struct cli_greeting_programs *programs,
                           const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    cli_greeting_drawing(to, screen, programs);
    fclose(to);
    assert_string_equal(text, expected);
    free(text);
}

static void test_who_draws(void **state)
{
    struct cli_greeting_programs programs = {.text = ""};
    (void)state;
    cli_greeting_add(&programs, "llama-server", "");
    assert_drawing(false, &programs,
                   "hesper: the guest's screen is drawn by its CPU; programs that use the GPU: "
                   "llama-server\n");
    cli_greeting_add(&programs, "gnome-shell", "mesa zink");
    cli_greeting_add(&programs, "gnome", "");
    cli_greeting_add(&programs, "llama-server", "");
    cli_greeting_add(&programs, "gnome-shell", "mesa zink");
    cli_greeting_add(&programs, "vkcube", "vkcube");
    cli_greeting_add(&programs, "", "");
    assert_drawing(true, &programs,
                   "hesper: the guest's screen is drawn by its GPU; programs that use the GPU: "
                   "llama-server, gnome-shell by mesa zink, gnome, vkcube, one without a name\n");
}

static void test_more_programs_than_fit(void **state)
{
    struct cli_greeting_programs programs = {.text = ""};
    char name[64] = "";
    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    for (char c = 'a'; c <= 'z'; c++) {
        name[0] = c;
        cli_greeting_add(&programs, name, name + 1);
    }
    assert_true(strlen(programs.text) < sizeof(programs.text));
    assert_int_equal(programs.text[0], 'a');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_little), cmocka_unit_test(test_all),
                                       cmocka_unit_test(test_a_folder_by_9p),
                                       cmocka_unit_test(test_who_draws),
                                       cmocka_unit_test(test_more_programs_than_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
