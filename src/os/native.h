// Private to src/os: what a platform has beyond POSIX. linux_*.c and macos_*.c implement it; the
// portable files call it unless os_is_portable(). -ENOSYS: the platform has nothing better, use
// POSIX.
#ifndef OS_NATIVE_H
#define OS_NATIVE_H

#include "os/notifier.h"

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

// A sealed file of exactly `size` bytes: descriptor or -errno.
int os_native_shm_create(const char *label, uint64_t size);
// 0 or -errno; -EOPNOTSUPP like -ENOSYS. `address`: its mapping in this process, or NULL.
int os_native_shm_punch(int fd, void *address, uint64_t offset, uint64_t size);

// 1: nobody can shorten the file, 0: somebody could.
int os_native_shm_is_fixed(int fd);

// 0 or -errno.
int os_native_notifier_init(struct os_notifier *notifier);
int os_native_pipe(int fds[2]); // non-blocking, close-on-exec

// Sockets that are close-on-exec from birth. 0/descriptor or -errno.
int os_native_socket_pair(int fds[2]);
int os_native_accept(int listener);
// Has the peer yet to read something? 1, 0 or -ENOSYS.
int os_native_socket_unread(int fd);
// Two messages by one call. Bytes sent, or -errno if none.
ssize_t os_native_send_two(int fd, struct msghdr messages[2]);
// Flags for sendmsg and recvmsg: no SIGPIPE (0: os_init has it ignored); descriptors arrive
// close-on-exec (0: it is set after).
int os_native_send_flags(void);
int os_native_receive_flags(void);
// What a new socket needs where flags and defaults don't do: no SIGPIPE, buffers.
void os_native_socket_prepare(int fd);

// Where poll reports no hang-up of descriptors of which nothing else is asked: a descriptor that is
// readable when one of those watched may have hung up. -ENOSYS: poll does it.
int os_native_hangups_create(void);
void os_native_hangups_watch(int hangups, int fd, bool on);
// The next that has, or -1. Each is told once.
int os_native_hangups_next(int hangups);

// Adds "close everything from first_fd on in the child" to a spawn. False: the platform can't, or
// reports an error.
bool os_native_spawn_close_from(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                                short *flags, const int *keep, unsigned keep_count, int first_fd);

#endif
