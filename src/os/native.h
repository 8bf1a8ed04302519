// Private to src/os: what a platform has beyond POSIX. linux_*.c and macos_*.c implement it; the
// portable files call it unless os_is_portable().
//
// Errors: -errno; -ENOSYS: the platform has nothing better, use POSIX.
#ifndef OS_NATIVE_H
#define OS_NATIVE_H

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "os/notifier.h"

// A sealed file of exactly `size` bytes.
int os_native_shm_create(const char *label, uint64_t size);
// -EOPNOTSUPP means what -ENOSYS does. `address`: the mapping in this process, or NULL.
int os_native_shm_punch(int fd, void *address, uint64_t offset, uint64_t size);
int os_native_shm_clear(int fd, void *address, uint64_t offset, uint64_t size);

// A descriptor of a dma-buf, and the largest one possible (0: unknown).
int os_native_shm_dma_buf(int fd, uint64_t offset, uint64_t size);
uint64_t os_native_shm_dma_buf_limit(void);

// 1: the file cannot be made shorter by anybody; 0: it can.
int os_native_shm_is_fixed(int fd);

int os_native_notifier_init(struct os_notifier *notifier);
int os_native_pipe(int fds[2]); // non-blocking, close-on-exec

// Sockets that are close-on-exec from birth.
int os_native_socket_pair(int fds[2]);
int os_native_accept(int listener);
int os_native_open_name(const char *path); // as os_socket_open_name
// 1: the peer has yet to read something; 0: it has read all.
int os_native_socket_unread(int fd);
// Two messages by one call. Returns the bytes sent; an error only if there were none.
ssize_t os_native_send_two(int fd, struct msghdr messages[2]);
// Flags for sendmsg and recvmsg: no SIGPIPE (0: os_init has it ignored); descriptors arrive
// close-on-exec (0: it is set after).
int os_native_send_flags(void);
int os_native_receive_flags(void);
// What a new socket needs that flags and defaults do not give it: no SIGPIPE, larger buffers.
void os_native_socket_prepare(int fd);

// For platforms whose poll is silent about the hang-up of a descriptor with no events asked for: a
// descriptor that is readable when one of those watched may have hung up. -ENOSYS: poll tells.
int os_native_hangups_create(void);
void os_native_hangups_watch(int hangups, int fd, bool on);
// The next descriptor that has hung up, or -1. Each is told once.
int os_native_hangups_next(int hangups);

// The folder in which each descriptor of this process has a name.
extern const char os_native_descriptors[];

// Has a spawn close every descriptor in the child but 0, 1, 2 and `keep`. False: not all that other
// code may have left open is closed.
bool os_native_spawn_close_from(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                                short *flags, const int *keep, unsigned keep_count, int first_fd);

#endif
