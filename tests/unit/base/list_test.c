#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    char name;
    struct list node, other;
};

static struct list list;
static struct item items[4];

static int start(void **state)
{
    list_init(&list);
    for (int i = 0; i < 4; i++) {
        items[i].name = (char)('a' + i);
        list_init(&items[i].node);
        list_init(&items[i].other);
    }
    return 0;
}

static void assert_names(struct list *of, const char *names)
{
    char got[8] = {0};
    unsigned count = 0;
    LIST_EACH (node, of)
        got[count++] = LIST_ENTRY(node, struct item, node)->name;
    assert_string_equal(got, names);
}

static void a_new_list_is_empty(void **state)
{
    assert_true(list_is_empty(&list));
    assert_null(LIST_FIRST(&list, struct item, node));
    assert_names(&list, "");
}

static void the_order_is_that_of_adding(void **state)
{
    list_append(&list, &items[0].node);
    list_append(&list, &items[1].node);
    list_prepend(&list, &items[2].node);
    assert_names(&list, "cab");
    assert_ptr_equal(LIST_FIRST(&list, struct item, node), &items[2]);
}

static void what_is_removed_is_in_no_list(void **state)
{
    for (int i = 0; i < 3; i++)
        list_append(&list, &items[i].node);
    list_remove(&items[1].node);
    list_remove(&items[1].node); // does nothing
    assert_true(list_is_empty(&items[1].node));
    assert_names(&list, "ac");
    list_append(&list, &items[1].node);
    assert_names(&list, "acb");
    while (!list_is_empty(&list))
        list_remove(&LIST_FIRST(&list, struct item, node)->node);
    assert_names(&list, "");
}

static void the_body_of_a_loop_may_free_what_it_is_given(void **state)
{
    for (int i = 0; i < 4; i++)
        list_append(&list, &items[i].node);
    LIST_EACH (node, &list) {
        struct item *item = LIST_ENTRY(node, struct item, node);
        if (item->name == 'b' || item->name == 'd') {
            list_remove(node);
            memset(item, 0xee, sizeof(*item));
        }
    }
    assert_names(&list, "ac");
}

static void an_item_may_be_in_two_lists(void **state)
{
    struct list second;
    list_init(&second);
    list_append(&list, &items[0].node);
    list_append(&list, &items[1].node);
    list_append(&second, &items[1].other);
    list_remove(&items[1].node);
    assert_names(&list, "a");
    assert_ptr_equal(LIST_FIRST(&second, struct item, other), &items[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_list_is_empty, start),
        cmocka_unit_test_setup(the_order_is_that_of_adding, start),
        cmocka_unit_test_setup(what_is_removed_is_in_no_list, start),
        cmocka_unit_test_setup(the_body_of_a_loop_may_free_what_it_is_given, start),
        cmocka_unit_test_setup(an_item_may_be_in_two_lists, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
