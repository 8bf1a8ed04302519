// The object table: what is inserted is found, what is removed takes its children along, look-ups
// on other threads never miss.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <pthread.h>

#include "venus/object.h"

static const struct venus_class plain = {.size = sizeof(struct venus_object)};

static struct venus_object *add(struct venus_object_table *table, struct venus_object *parent,
                                enum wire_handle type, uint64_t id)
{
    struct venus_object *object = venus_object_alloc(table, &plain, type);
    assert_non_null(object);
    object->handle = id * 10;
    object->parent = parent;
    assert_true(venus_object_insert(table, object, id));
    return object;
}

static void finds_what_was_inserted(void **state)
{
    struct venus_object_table table;
    assert_true(venus_object_table_init(&table, 100000, NULL));
    for (uint64_t id = 1; id <= 20000; id++)
        add(&table, NULL, WIRE_HANDLE_BUFFER, id);
    for (uint64_t id = 1; id <= 20000; id++)
        assert_int_equal(venus_object_find(&table, id)->handle, id * 10);
    assert_null(venus_object_find(&table, 20001));
    assert_null(venus_object_find(&table, 0));
    venus_object_table_finish(&table);
}

static void ids_of_any_size_work(void **state)
{
    struct venus_object_table table;
    assert_true(venus_object_table_init(&table, 1000, NULL));
    // All in one bucket: a guest that wants to be slow.
    for (uint64_t i = 1; i <= 500; i++)
        add(&table, NULL, WIRE_HANDLE_BUFFER, i << 40);
    for (uint64_t i = 1; i <= 500; i++)
        assert_non_null(venus_object_find(&table, i << 40));
    add(&table, NULL, WIRE_HANDLE_BUFFER, UINT64_MAX);
    assert_non_null(venus_object_find(&table, UINT64_MAX));
    venus_object_table_finish(&table);
}

static void refuses_null_and_taken_ids(void **state)
{
    struct venus_object_table table;
    assert_true(venus_object_table_init(&table, 10, NULL));
    add(&table, NULL, WIRE_HANDLE_BUFFER, 7);
    struct venus_object *object = venus_object_alloc(&table, &plain, WIRE_HANDLE_BUFFER);
    assert_false(venus_object_insert(&table, object, 7));
    assert_false(venus_object_insert(&table, object, 0));
    venus_object_free(&table, object);
    venus_object_table_finish(&table);
}

static void stops_at_the_limit(void **state)
{
    struct venus_object_table table;
    assert_true(venus_object_table_init(&table, 3, NULL));
    struct venus_object *first = add(&table, NULL, WIRE_HANDLE_BUFFER, 1);
    add(&table, NULL, WIRE_HANDLE_BUFFER, 2);
    add(&table, NULL, WIRE_HANDLE_BUFFER, 3);
    assert_null(venus_object_alloc(&table, &plain, WIRE_HANDLE_BUFFER));
    assert_ptr_equal(venus_object_remove(&table, WIRE_HANDLE_BUFFER, 1), first);
    venus_object_free(&table, first);
    add(&table, NULL, WIRE_HANDLE_BUFFER, 4);
    venus_object_table_finish(&table);
}

static void note(void *data, struct venus_object *object)
{
    *(uint64_t *)data = object->handle;
}

static void visits_objects_of_the_right_type(void **state)
{
    struct venus_object_table table;
    uint64_t handle = 0;
    assert_true(venus_object_table_init(&table, 3, NULL));
    add(&table, NULL, WIRE_HANDLE_DEVICE_MEMORY, 1);
    assert_false(venus_object_visit(&table, WIRE_HANDLE_BUFFER, 1, note, &handle));
    assert_false(venus_object_visit(&table, WIRE_HANDLE_DEVICE_MEMORY, 2, note, &handle));
    assert_false(venus_object_visit(&table, WIRE_HANDLE_DEVICE_MEMORY, 0, note, &handle));
    assert_int_equal(handle, 0);
    assert_true(venus_object_visit(&table, WIRE_HANDLE_DEVICE_MEMORY, 1, note, &handle));
    assert_int_equal(handle, 10);
    venus_object_table_finish(&table);
}

static void removing_needs_the_right_type(void **state)
{
    struct venus_object_table table;
    assert_true(venus_object_table_init(&table, 10, NULL));
    add(&table, NULL, WIRE_HANDLE_BUFFER, 7);
    assert_null(venus_object_remove(&table, WIRE_HANDLE_IMAGE, 7));
    assert_null(venus_object_remove(&table, WIRE_HANDLE_BUFFER, 8));
    assert_non_null(venus_object_find(&table, 7));
    venus_object_table_finish(&table);
}

static void children_go_with_their_parent(void **state)
{
    struct venus_object_table table;
    assert_true(venus_object_table_init(&table, 100, NULL));
    struct venus_object *device = add(&table, NULL, WIRE_HANDLE_DEVICE, 1);
    struct venus_object *pool = add(&table, device, WIRE_HANDLE_COMMAND_POOL, 2);
    add(&table, pool, WIRE_HANDLE_COMMAND_BUFFER, 3);
    add(&table, pool, WIRE_HANDLE_COMMAND_BUFFER, 4);
    add(&table, device, WIRE_HANDLE_BUFFER, 5);

    assert_ptr_equal(venus_object_remove(&table, WIRE_HANDLE_COMMAND_POOL, 2), pool);
    assert_null(venus_object_find(&table, 3));
    assert_null(venus_object_find(&table, 4));
    assert_non_null(venus_object_find(&table, 5));
    assert_non_null(pool->children);
    assert_ptr_equal(device->children, venus_object_find(&table, 5));

    assert_ptr_equal(venus_object_remove(&table, WIRE_HANDLE_DEVICE, 1), device);
    assert_null(venus_object_find(&table, 5));
    venus_object_table_finish(&table);
}

static void children_can_go_alone(void **state)
{
    struct venus_object_table table;
    assert_true(venus_object_table_init(&table, 100, NULL));
    struct venus_object *pool = add(&table, NULL, WIRE_HANDLE_DESCRIPTOR_POOL, 1);
    for (uint64_t id = 2; id < 10; id++)
        add(&table, pool, WIRE_HANDLE_DESCRIPTOR_SET, id);
    unsigned count = 0;
    for (struct venus_object *set = venus_object_remove_children(&table, pool); set; count++) {
        struct venus_object *next = set->next;
        venus_object_free(&table, set);
        set = next;
    }
    assert_int_equal(count, 8);
    assert_null(pool->children);
    assert_null(venus_object_find(&table, 5));
    assert_non_null(venus_object_find(&table, 1));
    add(&table, pool, WIRE_HANDLE_DESCRIPTOR_SET, 5);
    venus_object_table_finish(&table);
}

// One thread creates and destroys (memory is reused under the readers' feet) while others look up
// what is always there.
#define STEADY 64

static struct venus_object_table shared;
static atomic_bool done;

static void *reader(void *data)
{
    uint64_t misses = 0;
    for (uint64_t i = 0; !atomic_load(&done); i++) {
        struct venus_object *object = venus_object_find(&shared, 1 + i % STEADY);
        misses += !object || object->handle != (1 + i % STEADY) * 10;
    }
    return (void *)(uintptr_t)misses;
}

static void lookups_never_miss_while_others_change_the_table(void **state)
{
    assert_true(venus_object_table_init(&shared, 100000, NULL));
    for (uint64_t id = 1; id <= STEADY; id++)
        add(&shared, NULL, WIRE_HANDLE_BUFFER, id);
    pthread_t threads[2];
    atomic_store(&done, false);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, reader, NULL);
    for (uint64_t round = 0; round < 200; round++) {
        for (uint64_t i = 0; i < 100; i++)
            add(&shared, NULL, WIRE_HANDLE_IMAGE, 1024 + (round * 100 + i) * (i % 3 ? 1 : 1024));
        for (uint64_t i = 0; i < 100; i++) {
            struct venus_object *object = venus_object_remove(
                &shared, WIRE_HANDLE_IMAGE, 1024 + (round * 100 + i) * (i % 3 ? 1 : 1024));
            if (object)
                venus_object_free(&shared, object);
        }
    }
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++) {
        void *misses;
        pthread_join(threads[i], &misses);
        assert_ptr_equal(misses, NULL);
    }
    venus_object_table_finish(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_inserted),
        cmocka_unit_test(ids_of_any_size_work),
        cmocka_unit_test(refuses_null_and_taken_ids),
        cmocka_unit_test(stops_at_the_limit),
        cmocka_unit_test(visits_objects_of_the_right_type),
        cmocka_unit_test(removing_needs_the_right_type),
        cmocka_unit_test(children_go_with_their_parent),
        cmocka_unit_test(children_can_go_alone),
        cmocka_unit_test(lookups_never_miss_while_others_change_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
