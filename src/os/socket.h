// Unix stream sockets that carry descriptors. Everything is close-on-exec.
#ifndef OS_SOCKET_H
#define OS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define OS_SOCKET_MAX_FDS 8

// SOCK_STREAM pair, blocking. False: errno.
bool os_socket_pair(int fds[2]);

// Listens on `path`. A stale socket file (nobody listens) is replaced; one in use gives -EADDRINUSE, a path that is too long -ENAMETOOLONG. Returns fd or -errno.
int os_socket_listen(const char *path);
// Next connection, close-on-exec; -errno (-EAGAIN if none waits on a non-blocking listener).
int os_socket_accept(int listener);
bool os_socket_set_nonblocking(int fd, bool on);

// sendmsg without SIGPIPE. Descriptors travel with the first byte. Returns bytes sent or -errno.
ssize_t os_socket_send(int fd, const void *data, size_t size, const int *fds, unsigned fd_count);
// recvmsg: returns bytes (0 at end) or -errno. Received descriptors (close-on-exec) are put in fds[*fd_count..], at most
// `fd_capacity` in all; surplus ones are closed and -EMFILE returned.
ssize_t os_socket_recv(int fd, void *data, size_t size, int *fds, unsigned fd_capacity, unsigned *fd_count);

#endif
