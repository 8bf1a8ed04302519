// Notifier and sockets.
#include "os/native.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

int os_native_notifier_init(struct os_notifier *notifier)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    *notifier = (struct os_notifier){.read_fd = fd, .write_fd = fd};
    return 0;
}

int os_native_socket_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

int os_native_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int os_native_send_flags(void)
{
    return MSG_NOSIGNAL;
}

int os_native_receive_flags(void)
{
    return MSG_CMSG_CLOEXEC;
}

void os_native_socket_prepare(int fd)
{
    (void)fd;
}
