#include "os/notifier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "os/native.h"
#include "os/os.h"

static int portable_pipe(int fds[2])
{
    if (pipe(fds) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

int os_notifier_init_pipe(struct os_notifier *notifier)
{
    int fds[2];
    int error = os_is_portable() ? -ENOSYS : os_native_pipe(fds);
    if (error == -ENOSYS)
        error = portable_pipe(fds);
    *notifier = error ? (struct os_notifier){-1, -1}
                      : (struct os_notifier){.read_fd = fds[0], .write_fd = fds[1]};
    return error;
}

int os_notifier_init(struct os_notifier *notifier)
{
    *notifier = (struct os_notifier){-1, -1};
    int error = os_is_portable() ? -ENOSYS : os_native_notifier_init(notifier);
    return error == -ENOSYS ? os_notifier_init_pipe(notifier) : error;
}

void os_notifier_finish(struct os_notifier *notifier)
{
    if (notifier->read_fd >= 0)
        close(notifier->read_fd);
    if (notifier->write_fd >= 0 && notifier->write_fd != notifier->read_fd)
        close(notifier->write_fd);
    *notifier = (struct os_notifier){-1, -1};
}

// Eight bytes are one eventfd increment, and as good as any for a pipe. A full pipe is signalled
// already. Both calls keep errno: signal handlers use them.
void os_notifier_signal(const struct os_notifier *notifier)
{
    int saved = errno;
    uint64_t one = 1;
    while (write(notifier->write_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    errno = saved;
}

void os_notifier_clear(const struct os_notifier *notifier)
{
    int saved = errno;
    if (notifier->read_fd == notifier->write_fd) { // one read empties an eventfd
        uint64_t count;
        while (read(notifier->read_fd, &count, sizeof(count)) < 0 && errno == EINTR)
            ;
    } else {
        char bytes[512];
        ssize_t got;
        do
            got = read(notifier->read_fd, bytes, sizeof(bytes));
        while (got == (ssize_t)sizeof(bytes) || (got < 0 && errno == EINTR));
    }
    errno = saved;
}
