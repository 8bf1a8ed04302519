// Unix stream sockets that carry descriptors.
//
// Thread: any.
// Owns: descriptors that are returned or received are the caller's, and close-on-exec; those that
// are sent stay the caller's.
// Errors: -errno; else 0, a descriptor or a number of bytes.
#ifndef OS_SOCKET_H
#define OS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define OS_SOCKET_MAX_FDS 8

// SOCK_STREAM pair, blocking.
int os_socket_pair(int fds[2]);

// Listens on `path`, non-blocking, for this user only. A stale socket file (nobody listens) is
// replaced; one in use gives -EADDRINUSE, a file that is no socket -EEXIST, a path that is too long
// -ENAMETOOLONG.
// Thread: changes the umask for a moment, so call it before other threads create files.
int os_socket_listen(const char *path);
// The next connection, non-blocking; -EAGAIN if none waits.
int os_socket_accept(int listener);
// A connection to `path`, blocking from then on. -EAGAIN: its server accepts nobody at present.
int os_socket_connect(const char *path);
int os_socket_set_nonblocking(int fd, bool on);
// A descriptor of the socket's file at `path`, which stands for it when that has been removed: who
// inherits it as N connects to /proc/self/fd/N. -ENOSYS: not on this platform.
int os_socket_open_name(const char *path);

// sendmsg without SIGPIPE. Descriptors travel with the first byte. Returns the bytes sent.
ssize_t os_socket_send(int fd, const void *data, size_t size, const int *fds, unsigned fd_count);
ssize_t os_socket_send_vector(int fd, const struct iovec *parts, unsigned part_count,
                              const int *fds, unsigned fd_count);
// Sends `data`, then behind it, as a message of its own, one byte with `passed`: a reader that does
// not expect descriptors may read the data alone. One system call where the platform can. Returns
// how many of the size + 1 bytes went out, or -errno if none.
ssize_t os_socket_send_then_fd(int fd, const void *data, size_t size, int passed);
// recvmsg: returns the bytes received, 0 at the end. Received descriptors are put in
// fds[*fd_count..], at most `fd_capacity` in all; surplus ones are closed and -EMFILE returned. The
// bytes are lost then: close the socket.
ssize_t os_socket_recv(int fd, void *data, size_t size, int *fds, unsigned fd_capacity,
                       unsigned *fd_count);

// The first bytes that wait, which stay there: how many there are of `size`; 0 at the end.
ssize_t os_socket_peek(int fd, void *data, size_t size);

// 1: the peer has yet to read something that was sent; 0: it has read all; -ENOSYS: that cannot be
// known here.
int os_socket_unread(int fd);

#endif
