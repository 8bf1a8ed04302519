#include "../flavour.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "os/notifier.h"

static bool readable(const struct os_notifier *notifier)
{
    struct pollfd fd = {.fd = notifier->read_fd, .events = POLLIN};
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN);
}

static void readable_from_signal_to_clear(void **state)
{
    struct os_notifier notifier;
    assert_int_equal(os_notifier_init(&notifier), 0);
    assert_int_equal(notifier.read_fd != notifier.write_fd, os_is_portable());
    assert_false(readable(&notifier));
    os_notifier_signal(&notifier);
    os_notifier_signal(&notifier);
    assert_true(readable(&notifier));
    os_notifier_clear(&notifier);
    assert_false(readable(&notifier));
    os_notifier_clear(&notifier); // of nothing: does not block
    os_notifier_signal(&notifier);
    assert_true(readable(&notifier));
    os_notifier_finish(&notifier);
    assert_int_equal(notifier.read_fd, -1);
    os_notifier_finish(&notifier);
}

static void any_number_of_signals_never_blocks(void **state)
{
    struct os_notifier notifier;
    os_notifier_init(&notifier);
    for (int i = 0; i < 100000; i++)
        os_notifier_signal(&notifier);
    os_notifier_clear(&notifier);
    assert_false(readable(&notifier));
    os_notifier_finish(&notifier);
}

static void descriptors_stay_here_and_errno_is_kept(void **state)
{
    struct os_notifier notifier;
    os_notifier_init(&notifier);
    assert_true(fcntl(notifier.read_fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(notifier.write_fd, F_GETFD) & FD_CLOEXEC);
    errno = 77;
    os_notifier_clear(&notifier);
    assert_int_equal(errno, 77);
    os_notifier_signal(&notifier);
    assert_int_equal(errno, 77);
    os_notifier_finish(&notifier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readable_from_signal_to_clear),
        cmocka_unit_test(any_number_of_signals_never_blocks),
        cmocka_unit_test(descriptors_stay_here_and_errno_is_kept),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}
