// Unix stream sockets that carry descriptors. Everything is close-on-exec.
#ifndef OS_SOCKET_H
#define OS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define OS_SOCKET_MAX_FDS 8

// SOCK_STREAM pair, blocking. False: errno.
bool os_socket_pair(int fds[2]);

// Listens on `path`, non-blocking, for this user only. A stale socket file (nobody listens) is
// replaced; one in use gives -EADDRINUSE, a file that is no socket -EEXIST, a path that is too long
// -ENAMETOOLONG. Returns fd or -errno. Changes the umask for a moment: call it before other threads
// create files.
int os_socket_listen(const char *path);
// Next connection, close-on-exec, non-blocking; -errno (-EAGAIN if none waits).
int os_socket_accept(int listener);
// A blocking connection to `path`, or -errno.
int os_socket_connect(const char *path);
bool os_socket_set_nonblocking(int fd, bool on);

// sendmsg without SIGPIPE. Descriptors travel with the first byte. Returns bytes sent or -errno.
ssize_t os_socket_send(int fd, const void *data, size_t size, const int *fds, unsigned fd_count);
ssize_t os_socket_send_vector(int fd, const struct iovec *parts, unsigned part_count,
                              const int *fds, unsigned fd_count);
// Sends `data`, then behind it, as a message of its own, one byte with `passed`: a reader that does
// not expect descriptors may read the data alone. One system call where the platform can. Returns
// how many of the size + 1 bytes went out, or -errno if none.
ssize_t os_socket_send_then_fd(int fd, const void *data, size_t size, int passed);
// recvmsg: returns bytes (0 at end) or -errno. Received descriptors (close-on-exec) are put in
// fds[*fd_count..], at most `fd_capacity` in all; surplus ones are closed and -EMFILE returned. The
// bytes are lost then: close the socket.
ssize_t os_socket_recv(int fd, void *data, size_t size, int *fds, unsigned fd_capacity,
                       unsigned *fd_count);

// Whether the peer has yet to read something that was sent: 1, 0, or -ENOSYS where that can't be
// known.
int os_socket_unread(int fd);

#endif
