// The table from ids to objects, against a plain list.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/id_table.h"

enum { IDS = 3000 };

static void an_empty_table_holds_nothing(void **state)
{
    (void)state;
    struct id_table table = {0};
    uint32_t cursor = 0;
    assert_null(id_table_find(&table, 0));
    assert_null(id_table_remove(&table, 1));
    assert_null(id_table_next(&table, &cursor));
    id_table_finish(&table);
}

// Every pattern that a guest may number its objects in; removal in another order; what stays is
// still found.
static void what_is_inserted_is_found_until_it_is_removed(void **state)
{
    (void)state;
    static const uint64_t steps[] = {1, 64, 4096, 0x100000000u, 0x9e3779b97f4a7c15u, UINT64_MAX};
    static int values[IDS];
    for (unsigned s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
        struct id_table table = {0};
        for (uint64_t i = 0; i < IDS; i++)
            assert_true(id_table_insert(&table, i * steps[s], &values[i]));
        assert_int_equal(table.count, IDS);
        bool gone[IDS] = {0};
        for (uint64_t k = 0; k < IDS; k++) {
            uint64_t i = k * 1237 % IDS; // each once
            assert_ptr_equal(id_table_remove(&table, i * steps[s]), &values[i]);
            gone[i] = true;
            if (k % 300)
                continue;
            for (uint64_t j = 0; j < IDS; j++)
                assert_ptr_equal(id_table_find(&table, j * steps[s]), gone[j] ? NULL : &values[j]);
        }
        assert_int_equal(table.count, 0);
        id_table_finish(&table);
    }
}

static void a_walk_meets_each_value_once(void **state)
{
    (void)state;
    struct id_table table = {0};
    int met[100] = {0};
    for (uint64_t i = 0; i < 100; i++)
        assert_true(id_table_insert(&table, i * 3, &met[i]));
    for (uint64_t i = 0; i < 100; i += 2)
        id_table_remove(&table, i * 3);
    uint32_t cursor = 0;
    for (int *value; (value = id_table_next(&table, &cursor));)
        ++*value;
    for (int i = 0; i < 100; i++)
        assert_int_equal(met[i], i % 2);
    id_table_finish(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_holds_nothing),
        cmocka_unit_test(what_is_inserted_is_found_until_it_is_removed),
        cmocka_unit_test(a_walk_meets_each_value_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
