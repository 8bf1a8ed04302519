#include "../flavour.h"

#include <string.h>

#include "os/thread.h"

// 4 MiB of stack, as a shader compiler may take: more than macOS gives a thread by default.
static void *uses_stack(void *data)
{
    volatile char room[4 << 20];
    for (size_t i = 0; i < sizeof(room); i += 4096)
        room[i] = 1;
    os_thread_set_name("a name that is longer than any platform shows");
    os_thread_set_nice(5);
    os_thread_set_timer_slack(1000);
    *(int *)data = room[0];
    return data;
}

static void a_thread_has_room_for_a_driver(void **state)
{
    pthread_t thread;
    int done = 0;
    void *result = NULL;
    assert_int_equal(os_thread_create(&thread, uses_stack, &done), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &done);
    assert_int_equal(done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_room_for_a_driver),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
