// What macOS has, and what it lacks, beyond POSIX. Apple's frameworks are not needed.
#include "os/native.h"
#include "os/os.h"
#include "os/process.h"
#include "os/sandbox.h"
#include "os/thread.h"

#include <errno.h>
#include <mach-o/dyld.h>
#include <pthread.h>
#include <pthread/qos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int os_native_shm_create(const char *label, uint64_t size)
{
    (void)label, (void)size;
    return -ENOSYS;
}

int os_native_shm_punch(int fd, uint64_t offset, uint64_t size)
{
    (void)fd, (void)offset, (void)size;
    return -ENOSYS;
}

int os_native_shm_is_fixed(int fd)
{
    (void)fd;
    return -ENOSYS;
}

int os_native_notifier_init(struct os_notifier *notifier)
{
    (void)notifier;
    return -ENOSYS;
}

int os_native_pipe(int fds[2])
{
    (void)fds;
    return -ENOSYS;
}

int os_native_socket_pair(int fds[2])
{
    (void)fds;
    return -ENOSYS;
}

int os_native_accept(int listener)
{
    (void)listener;
    return -ENOSYS;
}

ssize_t os_native_send_two(int fd, struct msghdr messages[2])
{
    (void)fd, (void)messages;
    return -ENOSYS;
}

int os_native_socket_unread(int fd)
{
    (void)fd;
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
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}

bool os_native_spawn_close_from(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                                short *flags, const int *keep, unsigned keep_count, int first_fd)
{
    (void)attributes, (void)keep, (void)keep_count, (void)first_fd;
    *flags |= POSIX_SPAWN_CLOEXEC_DEFAULT; // closes all that no file action mentions, 0 to 2 too
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_addinherit_np(actions, fd);
    return true;
}

void os_die_with_parent(void)
{
}

bool os_self_path(char *buffer, size_t size)
{
    char raw[4096];
    uint32_t raw_size = sizeof raw;
    if (_NSGetExecutablePath(raw, &raw_size) != 0)
        return false;
    char *resolved = realpath(raw, NULL);
    if (!resolved)
        return false;
    bool fits = snprintf(buffer, size, "%s", resolved) < (int)size;
    free(resolved);
    return fits;
}

void os_thread_set_name(const char *name)
{
    pthread_setname_np(name);
}

void os_thread_set_nice(int nice)
{
    qos_class_t class = nice < 0    ? QOS_CLASS_USER_INTERACTIVE
                        : nice == 0 ? QOS_CLASS_USER_INITIATED
                        : nice < 10 ? QOS_CLASS_UTILITY
                                    : QOS_CLASS_BACKGROUND;
    pthread_set_qos_class_self_np(class, 0);
}

void os_thread_set_timer_slack(unsigned long ns)
{
}

// seatbelt's profiles are private API: not used.
bool os_sandbox_enter(char *summary, size_t summary_size)
{
    struct rlimit none = {0, 0};
    bool no_core = setrlimit(RLIMIT_CORE, &none) == 0;
    snprintf(summary, summary_size, "%s",
             no_core ? "no-core (no sandbox on macOS yet)" : "nothing");
    return no_core;
}
