// Processes and threads.
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <features.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/native.h"
#include "os/os.h"
#include "os/thread.h"

bool os_native_spawn_close_from(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                                short *flags, const int *keep, unsigned keep_count, int first_fd)
{
    for (int fd = STDERR_FILENO + 1; fd < first_fd; fd++) {
        bool kept = false;
        for (unsigned i = 0; i < keep_count; i++)
            kept = kept || keep[i] == fd;
        if (!kept)
            posix_spawn_file_actions_addclose(actions, fd);
    }
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    return posix_spawn_file_actions_addclosefrom_np(actions, first_fd) == 0;
#else
    return false; // what we opened is close-on-exec; only what our own parent leaked gets through
#endif
}

// A file of /proc in one piece. Errors: false.
static bool read_proc(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

// By a clock: a confined device process opens no file of /proc.
bool os_process_cpu(pid_t pid, uint64_t *ns)
{
    clockid_t clock;
    struct timespec used;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used) < 0)
        return false;
    *ns = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
    return true;
}

bool os_process_usage(pid_t pid, struct os_process_usage *usage)
{
    char text[256];
    unsigned long long pages;
    if (!os_process_cpu(pid, &usage->cpu_ns) || !read_proc(pid, "statm", text, sizeof(text)) ||
        sscanf(text, "%*u %llu", &pages) != 1)
        return false;
    usage->resident = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

const char os_native_descriptors[] = "/proc/self/fd";

void os_die_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

bool os_private_memory(uint64_t *bytes)
{
    char text[256];
    unsigned long long resident, shared;
    if (!read_proc(getpid(), "statm", text, sizeof(text)) ||
        sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 || shared > resident)
        return false;
    *bytes = (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

void os_offer_to_end(void)
{
    static const char more[] = "500"; // of 1000; whoever has more is not brought down
    char text[16];
    if (read_proc(getpid(), "oom_score_adj", text, sizeof(text)) && atoi(text) >= atoi(more))
        return;
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t written = write(fd, more, sizeof(more) - 1);
    (void)written; // it would only have been better
    close(fd);
}

void os_keep_freed_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    mallopt(M_MMAP_THRESHOLD, 4 << 20); // it does not move by itself any more
#endif
}

// As the kernel has it. Some C libraries declare it, and some of their headers do so twice.
struct turns {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static bool turns_are_short; // written before there are other threads

void os_take_short_turns(void)
{
    enum { SHORTEST_NS = 100000 }; // that the kernel gives
    struct turns turns = {.size = sizeof(turns)};
    if (syscall(SYS_sched_getattr, 0, &turns, sizeof(turns), 0) < 0 ||
        (turns.policy != SCHED_OTHER && turns.policy != SCHED_BATCH))
        return;
    turns.runtime = SHORTEST_NS;
    bool given = syscall(SYS_sched_setattr, 0, &turns, 0) == 0;
    given = given && syscall(SYS_sched_getattr, 0, &turns, sizeof(turns), 0) == 0;
    turns_are_short = given && turns.runtime == SHORTEST_NS; // an older kernel changes nothing
}

bool os_turns_are_short(void)
{
    return turns_are_short;
}

int os_self_path(char *buffer, size_t size)
{
    static const char link[] = "/proc/self/exe";
    ssize_t length = readlink(link, buffer, size);
    if (length < 0)
        return -errno;
    if ((size_t)length >= size)
        return -ENAMETOOLONG;
    buffer[length] = 0;
    // Replaced or removed while running (an upgrade): the link itself still starts what runs now.
    struct stat self, named;
    if (stat(link, &self) == 0 && stat(buffer, &named) == 0 && self.st_dev == named.st_dev &&
        self.st_ino == named.st_ino)
        return 0;
    return snprintf(buffer, size, "%s", link) < (int)size ? 0 : -ENAMETOOLONG;
}

void os_thread_set_name(const char *name)
{
    char shown[16];
    snprintf(shown, sizeof(shown), "%s", name);
    pthread_setname_np(pthread_self(), shown);
}

void os_thread_set_nice(int nice)
{
    setpriority(PRIO_PROCESS, 0, nice); // 0: this thread
}

void os_thread_set_timer_slack(unsigned long ns)
{
    prctl(PR_SET_TIMERSLACK, ns, 0, 0, 0);
}
