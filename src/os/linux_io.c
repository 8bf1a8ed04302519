// Notifier and sockets.
#include "os/native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int os_native_notifier_init(struct os_notifier *notifier)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    *notifier = (struct os_notifier){.read_fd = fd, .write_fd = fd};
    return 0;
}

int os_native_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

int os_native_socket_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

int os_native_open_name(const char *path)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int os_native_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int os_native_socket_unread(int fd)
{
    int size; // of the buffers, not of what is in them
    return ioctl(fd, SIOCOUTQ, &size) < 0 ? -ENOSYS : size != 0;
}

ssize_t os_native_send_two(int fd, struct msghdr messages[2])
{
    struct mmsghdr both[2] = {{.msg_hdr = messages[0]}, {.msg_hdr = messages[1]}};
    int sent;
    do
        sent = sendmmsg(fd, both, 2, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    // The second goes out only behind a whole first one: a cut first message would be followed by
    // the descriptor's byte.
    return (ssize_t)both[0].msg_len + (sent > 1 ? (ssize_t)both[1].msg_len : 0);
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
}

int os_native_hangups_create(void)
{
    return -ENOSYS;
}

void os_native_hangups_watch(int hangups, int fd, bool on)
{
}

int os_native_hangups_next(int hangups)
{
    return -1;
}
