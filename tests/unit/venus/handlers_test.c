// Every command of the vocabulary has somebody who carries it out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include "venus/context.h"

static void no_command_is_forgotten(void **state)
{
    static struct venus_handlers handlers;
    unsigned known = 0;
    venus_handlers_fill(&handlers);
    for (uint32_t number = 0; number < WIRE_COMMAND_COUNT; number++) {
        const struct wire_command_info *info = wire_command_info(number);
        if (!info)
            continue;
        known++;
        if (!handlers.carry_out[number])
            fail_msg("nobody carries out %s", info->name);
    }
    assert_true(known > 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_command_is_forgotten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
