// Processes and threads.
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <libproc.h>
#include <mach-o/dyld.h>
#include <mach/mach_time.h>
#include <pthread.h>
#include <pthread/qos.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/event.h>
#include <unistd.h>

#include "os/native.h"
#include "os/os.h"
#include "os/thread.h"

bool os_native_spawn_close_from(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                                short *flags, const int *keep, unsigned keep_count, int first_fd)
{
    *flags |= POSIX_SPAWN_CLOEXEC_DEFAULT; // closes all that no file action mentions, 0 to 2 too
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        bool mentioned = fcntl(fd, F_GETFD) < 0; // to inherit what isn't open is an error
        for (unsigned i = 0; i < keep_count; i++)
            mentioned = mentioned || keep[i] == fd;
        if (!mentioned)
            posix_spawn_file_actions_addinherit_np(actions, fd);
    }
    return true;
}

static void *watch_parent(void *data)
{
    struct kevent change, event;
    EV_SET(&change, (uintptr_t)data, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL);
    int queue = kqueue();
    if (queue < 0)
        return NULL;
    int got = kevent(queue, &change, 1, &event, 1, NULL);
    while (got < 0 && errno == EINTR)
        got = kevent(queue, NULL, 0, &event, 1, NULL);
    bool gone = got > 0 && (event.flags & EV_ERROR ? event.data == ESRCH : true);
    close(queue);
    if (gone)
        kill(getpid(), SIGKILL);
    return NULL;
}

const char os_native_descriptors[] = "/dev/fd";

void os_die_with_parent(void)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, watch_parent, (void *)(uintptr_t)getppid()) == 0)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool os_process_usage(pid_t pid, struct os_process_usage *usage)
{
    struct rusage_info_v2 info;
    mach_timebase_info_data_t base;
    if (proc_pid_rusage(pid, RUSAGE_INFO_V2, (rusage_info_t *)&info) != 0 ||
        mach_timebase_info(&base) != KERN_SUCCESS)
        return false;
    usage->cpu_ns = (info.ri_user_time + info.ri_system_time) * base.numer / base.denom;
    usage->resident = info.ri_phys_footprint;
    return true;
}

bool os_process_cpu(pid_t pid, uint64_t *ns)
{
    struct os_process_usage usage;
    if (!os_process_usage(pid, &usage))
        return false;
    *ns = usage.cpu_ns;
    return true;
}

bool os_private_memory(uint64_t *bytes)
{
    return false;
}

void os_offer_to_end(void)
{
}

void os_keep_freed_memory(void) // its malloc does so by itself
{
}

int os_self_path(char *buffer, size_t size)
{
    char raw[4096];
    uint32_t raw_size = sizeof(raw);
    if (_NSGetExecutablePath(raw, &raw_size) != 0)
        return -ENAMETOOLONG;
    char *resolved = realpath(raw, NULL);
    if (!resolved)
        return -errno;
    bool fits = snprintf(buffer, size, "%s", resolved) < (int)size;
    free(resolved);
    return fits ? 0 : -ENAMETOOLONG;
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

// A thread's timers are as exact as its QoS class has it.
void os_thread_set_timer_slack(unsigned long ns)
{
}

void os_take_short_turns(void)
{
}

bool os_turns_are_short(void)
{
    return false;
}
