#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/queue.h"

struct item {
    uint32_t number;
    char rest[20];
};

static void push(struct queue *queue, uint32_t number)
{
    struct item *item = queue_push(queue);
    assert_non_null(item);
    assert_int_equal(item->number, 0);
    item->number = number;
}

static uint32_t pop(struct queue *queue)
{
    struct item *item = queue_first(queue);
    assert_non_null(item);
    queue_drop(queue);
    return item->number;
}

static void empty_queue_has_no_first(void **state)
{
    struct queue queue = QUEUE_OF(struct item);
    assert_null(queue_first(&queue));
    assert_null(queue_at(&queue, 0));
    push(&queue, 1);
    assert_int_equal(pop(&queue), 1);
    assert_null(queue_first(&queue));
    queue_finish(&queue);
    assert_null(queue.items);
}

static void items_come_out_as_they_went_in(void **state)
{
    struct queue queue = QUEUE_OF(struct item);
    uint32_t in = 0, out = 0;
    for (int round = 0; round < 200; round++) { // grows with its first item anywhere in the ring
        for (int i = 0; i < 7; i++)
            push(&queue, ++in);
        for (int i = 0; i < 5; i++)
            assert_int_equal(pop(&queue), ++out);
    }
    assert_int_equal(queue.count, in - out);
    for (uint32_t i = 0; i < queue.count; i++)
        assert_int_equal(((struct item *)queue_at(&queue, i))->number, out + 1 + i);
    assert_null(queue_at(&queue, queue.count));
    while (queue.count)
        assert_int_equal(pop(&queue), ++out);
    assert_int_equal(in, out);
    queue_finish(&queue);
}

static void memory_is_kept(void **state)
{
    struct queue queue = QUEUE_OF(struct item);
    for (uint32_t i = 0; i < 1000; i++) {
        push(&queue, i);
        assert_int_equal(pop(&queue), i);
    }
    assert_int_equal(queue.capacity, 16);
    queue_finish(&queue);
}

static void index_of_the_first_may_wrap(void **state)
{
    struct queue queue = QUEUE_OF(struct item);
    push(&queue, 1);
    assert_int_equal(pop(&queue), 1);
    queue.first = UINT32_MAX - 3;
    for (uint32_t i = 0; i < 40; i++)
        push(&queue, i);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(pop(&queue), i);
    queue_finish(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_queue_has_no_first),
        cmocka_unit_test(items_come_out_as_they_went_in),
        cmocka_unit_test(memory_is_kept),
        cmocka_unit_test(index_of_the_first_may_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
