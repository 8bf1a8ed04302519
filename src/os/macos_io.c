// Notifiers and sockets: macOS has what POSIX has (pipes, no flags that make descriptors
// close-on-exec), and a few things to set right.
#include "os/native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int os_native_notifier_init(struct os_notifier *notifier)
{
    return -ENOSYS;
}

int os_native_pipe(int fds[2])
{
    return -ENOSYS;
}

int os_native_socket_pair(int fds[2])
{
    return -ENOSYS;
}

int os_native_open_name(const char *path)
{
    return -ENOSYS;
}

int os_native_accept(int listener)
{
    return -ENOSYS;
}

ssize_t os_native_send_two(int fd, struct msghdr messages[2])
{
    return -ENOSYS;
}

// SO_NWRITE counts what waits on this side: with Unix sockets nothing does, it is all in the peer's
// buffer.
int os_native_socket_unread(int fd)
{
    return -ENOSYS;
}

int os_native_send_flags(void)
{
    return 0;
}

int os_native_receive_flags(void)
{
    return 0;
}

void os_native_socket_prepare(int fd)
{
    // The default buffers of 8 KiB would have each larger message sent in pieces.
    enum { BUFFER = 256 << 10 };
    int on = 1, size = BUFFER;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

// poll says nothing at all of a descriptor whose `events` are 0, not even that it hung up.

int os_native_hangups_create(void)
{
    int queue = kqueue();
    if (queue < 0)
        return -errno;
    fcntl(queue, F_SETFD, FD_CLOEXEC);
    return queue;
}

void os_native_hangups_watch(int hangups, int fd, bool on)
{
    struct kevent change;
    // EV_CLEAR: data that is not read for now wakes the loop once, not all the time.
    EV_SET(&change, fd, EVFILT_READ, on ? EV_ADD | EV_CLEAR : EV_DELETE, 0, 0, NULL);
    kevent(hangups, &change, 1, NULL, 0, NULL);
}

int os_native_hangups_next(int hangups)
{
    static const struct timespec at_once = {0, 0};
    struct kevent event;
    while (kevent(hangups, NULL, 0, &event, 1, &at_once) > 0)
        if (event.flags & EV_EOF)
            return (int)event.ident;
    return -1;
}
