#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/native.h"
#include "os/os.h"

enum { PORTABLE_PATH_SIZE = 104 }; // macOS's; Linux has 108 bytes

static int send_flags(void)
{
    return os_is_portable() ? 0 : os_native_send_flags();
}

static int receive_flags(void)
{
    return os_is_portable() ? 0 : os_native_receive_flags();
}

int os_socket_set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return wanted == flags || fcntl(fd, F_SETFL, wanted) == 0 ? 0 : -errno;
}

int os_socket_open_name(const char *path)
{
    return os_is_portable() ? -ENOSYS : os_native_open_name(path);
}

static void prepare(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    os_native_socket_prepare(fd);
}

int os_socket_pair(int fds[2])
{
    int error = os_is_portable() ? -ENOSYS : os_native_socket_pair(fds);
    if (error != -ENOSYS)
        return error;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return -errno;
    prepare(fds[0]);
    prepare(fds[1]);
    return 0;
}

static int make_address(const char *path, struct sockaddr_un *address)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    size_t length = strlen(path);
    if (length == 0)
        return -ENOENT;
    if (length >= (os_is_portable() ? PORTABLE_PATH_SIZE : sizeof(address->sun_path)))
        return -ENAMETOOLONG;
    memcpy(address->sun_path, path, length + 1);
    return 0;
}

static int make_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return -errno;
    prepare(fd);
    return fd;
}

int os_socket_connect(const char *path)
{
    struct sockaddr_un address;
    int error = make_address(path, &address);
    if (error)
        return error;
    int fd = make_socket();
    if (fd < 0)
        return fd;
    // A server that does not accept is not waited for.
    os_socket_set_nonblocking(fd, true);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    os_socket_set_nonblocking(fd, false);
    return fd;
}

// What stands in the way of binding `path`: 0 if it was a socket without a server (now removed),
// else -errno.
static int remove_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    int probe = make_socket();
    if (probe < 0)
        return probe;
    os_socket_set_nonblocking(probe, true); // a live server with a full queue must not hold us up
    int result = connect(probe, (const struct sockaddr *)address, sizeof(*address));
    int error = errno;
    close(probe);
    if (result == 0 || error != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

int os_socket_listen(const char *path)
{
    struct sockaddr_un address;
    int error = make_address(path, &address);
    if (error)
        return error;
    int fd = make_socket();
    if (fd < 0)
        return fd;

    mode_t mask = umask(0077); // the file's permissions say who may connect
    int result = bind(fd, (struct sockaddr *)&address, sizeof(address));
    error = result < 0 ? -errno : 0;
    if (error == -EADDRINUSE) {
        error = remove_stale(&address);
        if (!error && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
            error = -errno;
    }
    umask(mask);
    if (!error && listen(fd, 64) < 0)
        error = -errno;
    if (!error)
        error = os_socket_set_nonblocking(fd, true);
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

int os_socket_accept(int listener)
{
    if (!os_is_portable()) {
        int fd = os_native_accept(listener);
        if (fd != -ENOSYS)
            return fd;
    }
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return -errno;
    prepare(fd);
    os_socket_set_nonblocking(fd, true);
    return fd;
}

union control {
    char bytes[CMSG_SPACE(sizeof(int) * OS_SOCKET_MAX_FDS)];
    struct cmsghdr alignment;
};

// As many descriptors as a message can carry anywhere (Linux: 253; macOS: 2 KiB of them). With less
// room macOS would leave those that do not fit open in this process, without telling their numbers.
union received_control {
    char bytes[CMSG_SPACE(sizeof(int) * 512)];
    struct cmsghdr alignment;
};

static void attach_fds(struct msghdr *header, union control *control, const int *fds,
                       unsigned fd_count)
{
    memset(control, 0, sizeof(*control));
    header->msg_control = control->bytes;
    header->msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
}

ssize_t os_socket_send_vector(int fd, const struct iovec *parts, unsigned part_count,
                              const int *fds, unsigned fd_count)
{
    struct msghdr header = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (int)part_count};
    union control control;
    if (fd_count > OS_SOCKET_MAX_FDS)
        return -EINVAL;
    if (fd_count)
        attach_fds(&header, &control, fds, fd_count);
    ssize_t sent;
    do
        sent = sendmsg(fd, &header, send_flags());
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t os_socket_send_then_fd(int fd, const void *data, size_t size, int passed)
{
    uint8_t byte = 0;
    struct iovec parts[2] = {{(void *)data, size}, {&byte, 1}};
    struct msghdr headers[2] = {{.msg_iov = &parts[0], .msg_iovlen = 1},
                                {.msg_iov = &parts[1], .msg_iovlen = 1}};
    union control control;
    attach_fds(&headers[1], &control, &passed, 1);
    if (!os_is_portable()) {
        ssize_t sent = os_native_send_two(fd, headers);
        if (sent != -ENOSYS)
            return sent;
    }
    ssize_t first = os_socket_send_vector(fd, &parts[0], 1, NULL, 0);
    if (first != (ssize_t)size)
        return first;
    ssize_t second = os_socket_send_vector(fd, &parts[1], 1, &passed, 1);
    return second < 0 ? first : first + second;
}

ssize_t os_socket_send(int fd, const void *data, size_t size, const int *fds, unsigned fd_count)
{
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    return os_socket_send_vector(fd, &part, 1, fds, fd_count);
}

// Every descriptor of every control message ends up in `fds` or closed. True if none had to be
// closed.
static bool collect_fds(struct msghdr *header, int *fds, unsigned capacity, unsigned *count)
{
    bool fits = !(header->msg_flags & MSG_CTRUNC);
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg; cmsg = CMSG_NXTHDR(header, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        size_t received = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < received; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
            if (!receive_flags())
                fcntl(fd, F_SETFD, FD_CLOEXEC);
            if (fits && *count < capacity) {
                fds[(*count)++] = fd;
            } else {
                close(fd);
                fits = false;
            }
        }
    }
    return fits;
}

ssize_t os_socket_recv(int fd, void *data, size_t size, int *fds, unsigned fd_capacity,
                       unsigned *fd_count)
{
    struct iovec part = {.iov_base = data, .iov_len = size};
    union received_control control;
    struct msghdr header = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t got;
    do
        got = recvmsg(fd, &header, receive_flags());
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    unsigned had = *fd_count;
    if (header.msg_controllen && !collect_fds(&header, fds, fd_capacity, fd_count)) {
        while (*fd_count > had)
            close(fds[--*fd_count]);
        return -EMFILE;
    }
    return got;
}

ssize_t os_socket_peek(int fd, void *data, size_t size)
{
    ssize_t got;
    do
        got = recv(fd, data, size, MSG_PEEK);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int os_socket_unread(int fd)
{
    return os_is_portable() ? -ENOSYS : os_native_socket_unread(fd);
}
