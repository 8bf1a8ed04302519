// Streams in memory that the guest can change: they are copied out piece by piece, commands that
// lie across pieces included, and the data of vkCmdUpdateBuffer goes from there to the driver.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> // needs the three above

#include <stdlib.h>
#include <string.h>

#include "fake_driver.h"
#include "os/os.h"
#include "venus/ending.h"

enum { COMMANDS = 40, BUFFER = 41, SIZE = 1 << 20 };

static struct fake_context f;
static uint8_t *shared;
static size_t used;

static struct {
    unsigned fills, updates, loose;
    uint32_t last_fill;
    const uint8_t *data; // of the last update
    size_t size;
    uint8_t first, last;
} host;

static VKAPI_ATTR void VKAPI_CALL fill_buffer(VkCommandBuffer c, VkBuffer b, VkDeviceSize at,
                                              VkDeviceSize size, uint32_t value)
{
    host.fills++;
    host.last_fill = value;
}

static VKAPI_ATTR void VKAPI_CALL update_buffer(VkCommandBuffer c, VkBuffer b, VkDeviceSize at,
                                                VkDeviceSize size, const void *data)
{
    const uint8_t *bytes = data;
    host.updates++;
    host.loose += bytes >= shared && bytes < shared + SIZE;
    host.size = size;
    host.first = bytes[0];
    host.last = bytes[size - 1];
}

static PFN_vkVoidFunction driver(const char *name)
{
    if (!strcmp(name, "vkCmdFillBuffer"))
        return (PFN_vkVoidFunction)fill_buffer;
    return strcmp(name, "vkCmdUpdateBuffer") ? NULL : (PFN_vkVoidFunction)update_buffer;
}

static void add(enum wire_handle type, uint64_t id)
{
    static const struct venus_class plain = {.size = sizeof(struct venus_object),
                                             .release = venus_plain_release};
    struct venus_device *device = (struct venus_device *)fake_find(&f, 3);
    struct venus_object *object = venus_object_alloc(&f.context.objects, &plain, type);
    assert_non_null(object);
    object->handle = id;
    object->device = device;
    object->parent = &device->base;
    assert_true(venus_object_insert(&f.context.objects, object, id));
}

static void nobody(struct venus_context *context, const char *text)
{
}

static int set_up(void **state)
{
    fake_reset();
    fake.more = driver;
    fake_context_init(&f, false);
    fake_instance(&f);
    assert_int_equal(fake_device(&f, NULL, 0, NULL), VK_SUCCESS);
    f.context.commands.limit = SIZE;
    f.context.wake = nobody;
    add(WIRE_HANDLE_COMMAND_BUFFER, COMMANDS);
    add(WIRE_HANDLE_BUFFER, BUFFER);
    shared = malloc(SIZE);
    used = 0;
    memset(&host, 0, sizeof(host));
    return 0;
}

static int tear_down(void **state)
{
    free(f.stream.copy);
    free(shared);
    fake_context_finish(&f);
    return 0;
}

static void put(const void *bytes, size_t size)
{
    assert_true(used + size <= SIZE);
    memcpy(shared + used, bytes, size);
    used += size;
}

static void put_fill(uint32_t value)
{
    put((uint32_t[]){WIRE_vkCmdFillBuffer, 0, COMMANDS, 0, BUFFER, 0, 0, 0, 4, 0, value}, 44);
}

static void put_update(uint64_t target, uint32_t size, uint32_t count, uint8_t value)
{
    put((uint32_t[]){WIRE_vkCmdUpdateBuffer, 0, COMMANDS, 0, (uint32_t)target, 0, 0, 0, size, 0,
                     count, 0},
        48);
    assert_true(used + count <= SIZE);
    memset(shared + used, value, count);
    used += count;
}

static bool run(void)
{
    return venus_stream_run_shared(&f.stream, shared, used);
}

static void every_command_of_a_long_stream_is_carried_out(void **state)
{
    for (uint32_t i = 0; i < 20000; i++)
        put_fill(i);
    assert_true(run());
    assert_int_equal(host.fills, 20000);
    assert_int_equal(host.last_fill, 19999);
    assert_true(f.stream.copy_size <= 256 << 10);
}

// Whatever lies before it, and so wherever a piece ends.
static void data_goes_from_there_to_the_driver(void **state)
{
    for (unsigned before = 0; before < 60; before++) {
        used = 0;
        memset(&host, 0, sizeof(host));
        for (unsigned i = 0; i < before; i++)
            put_fill(i);
        put_update(BUFFER, 65536, 65536, 7);
        put_fill(99);
        put_update(BUFFER, 8192, 8192, 8);
        put_fill(100);
        assert_true(run());
        assert_int_equal(host.updates, 2);
        assert_int_equal(host.loose, 2);
        assert_int_equal(host.fills, before + 2);
        assert_int_equal(host.last_fill, 100);
        assert_int_equal(host.size, 8192);
        assert_int_equal(host.first, 8);
        assert_int_equal(host.last, 8);
    }
}

static void a_little_data_is_copied(void **state)
{
    put_update(BUFFER, 256, 256, 5);
    assert_true(run());
    assert_int_equal(host.updates, 1);
    assert_int_equal(host.loose, 0);
    assert_int_equal(host.last, 5);
}

// What a context may have for its commands is nearly all for one.
static void a_large_command_needs_room_once(void **state)
{
    put_fill(1);
    put_update(BUFFER, 700 << 10, 700 << 10, 6);
    put_fill(2);
    assert_true(run());
    assert_int_equal(host.size, 700 << 10);
    assert_int_equal(host.loose, 0);
    assert_int_equal(host.first, 6);
    assert_int_equal(host.last, 6);
    assert_int_equal(host.last_fill, 2);
    assert_in_range(f.context.commands.used, f.stream.copy_size, SIZE);
}

static void data_that_is_not_all_there_is_refused(void **state)
{
    put_update(BUFFER, 8192, 8192, 1);
    used -= 4;
    assert_false(run());
    assert_int_equal(host.updates, 0);
    assert_true(venus_context_stopping(&f.context));
}

static void a_size_that_contradicts_itself_is_refused(void **state)
{
    put_update(BUFFER, 4096, 8192, 1);
    assert_false(run());
    assert_int_equal(host.updates, 0);
}

static void data_for_a_stranger_is_refused(void **state)
{
    put_update(COMMANDS, 8192, 8192, 1);
    assert_false(run());
    assert_int_equal(host.updates, 0);
}

static void a_stream_that_ends_inside_a_command_is_refused(void **state)
{
    for (uint32_t i = 0; i < 100; i++)
        put_fill(i);
    used -= 8;
    assert_false(run());
    assert_int_equal(host.fills, 99);
    assert_true(venus_context_stopping(&f.context));
}

int main(int argc, char **argv)
{
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STREAM_TEST(every_command_of_a_long_stream_is_carried_out),
        STREAM_TEST(data_goes_from_there_to_the_driver),
        STREAM_TEST(a_little_data_is_copied),
        STREAM_TEST(a_large_command_needs_room_once),
        STREAM_TEST(data_that_is_not_all_there_is_refused),
        STREAM_TEST(a_size_that_contradicts_itself_is_refused),
        STREAM_TEST(data_for_a_stranger_is_refused),
        STREAM_TEST(a_stream_that_ends_inside_a_command_is_refused),
    };
    os_init(&(struct os_options){.portable = argc > 1});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
