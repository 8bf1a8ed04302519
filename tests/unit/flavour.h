// Runs a group of tests twice: with what the platform has, and with POSIX only (what macOS runs).
#ifndef TESTS_FLAVOUR_H
#define TESTS_FLAVOUR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include "os/os.h"

static inline int flavour_native(void **state)
{
    (void)state;
    os_init(&(struct os_options){.portable = false});
    return 0;
}

static inline int flavour_portable(void **state)
{
    (void)state;
    os_init(&(struct os_options){.portable = true});
    return 0;
}

#define RUN_IN_BOTH_FLAVOURS(tests)                                                                \
    (cmocka_run_group_tests_name("native", tests, flavour_native, NULL) |                          \
     cmocka_run_group_tests_name("portable", tests, flavour_portable, NULL))

#endif
