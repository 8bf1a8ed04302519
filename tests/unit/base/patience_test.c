// Looking before sleeping is kept up while it helps, given up when it does not, and tried again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include "base/patience.h"

// How many of `count` waits are looked for; `enough` says whether that helps.
static unsigned looked(struct patience *patience, unsigned count, bool enough)
{
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!patience_looks(patience))
            continue;
        found++;
        patience_learn(patience, enough);
    }
    return found;
}

static void what_helps_is_kept_up(void **state)
{
    struct patience patience = {0};
    assert_int_equal(looked(&patience, 1000, true), 1000);
    for (unsigned i = 0; i < 300; i++) { // two of three
        assert_int_equal(looked(&patience, 2, true), 2);
        assert_int_equal(looked(&patience, 1, false), 1);
    }
}

static void what_does_not_help_is_given_up_and_tried_again(void **state)
{
    struct patience patience = {0};
    assert_int_equal(looked(&patience, 1000, true), 1000);
    assert_in_range(looked(&patience, 32, false), 1, 6);
    assert_in_range(looked(&patience, 3200, false), 99, 101);
    assert_in_range(looked(&patience, 3200, true), 3100, 3200); // soon all of them
    assert_int_equal(looked(&patience, 100, true), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_helps_is_kept_up),
        cmocka_unit_test(what_does_not_help_is_given_up_and_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
