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

static void assert_greeting(const struct cli_machine *machine, const char *gpu,
                            const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    cli_greeting(to, machine, gpu);
    fclose(to);
    assert_string_equal(text, expected);
    free(text);
}

static void test_little(void **state)
{
    struct cli_machine machine = {.name = "my guest"};
    (void)state;
    assert_greeting(&machine, NULL,
                    "hesper: the guest is up\n"
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
                    "hesper: the guest is up\n"
                    "hesper:   its /mnt/files is /home/me/shared (without systemd: mount -t 9p -o "
                    "trans=virtio,msize=1048576 files /mnt/files)\n"
                    "hesper:   Ctrl-C here, or hesper stop 'guest', presses its power button\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_little), cmocka_unit_test(test_all),
                                       cmocka_unit_test(test_a_folder_by_9p)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
