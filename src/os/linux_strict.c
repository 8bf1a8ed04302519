// System calls that a worker with a driver of Mesa may make; no others. What lavapipe makes was
// seen (threads, a compiler that writes code, a cache in files); the rest is what C libraries make
// instead of those in other versions, and what drivers of hardware are known to need.
#include "os/linux_filter.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifdef OS_HAS_FILTERS

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// Newer than some headers; the numbers are the same on every architecture.
enum {
    CALL_CLONE3 = 435,
    CALL_CLOSE_RANGE = 436,
    CALL_FACCESSAT2 = 439,
    CALL_EPOLL_PWAIT2 = 441,
    CALL_FUTEX_WAITV = 449,
    CALL_MAP_SHADOW_STACK = 453,
    CALL_FUTEX_WAKE = 454,
    CALL_FUTEX_WAIT = 455,
    CALL_FUTEX_REQUEUE = 456,
    CALL_MSEAL = 462,
};

static const int allowed[] = {
    // Memory.
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_msync,
    SYS_mincore,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_membarrier,
    SYS_memfd_create,
    SYS_get_mempolicy,
    CALL_MAP_SHADOW_STACK,
    CALL_MSEAL,
    // Threads.
    SYS_futex,
    CALL_FUTEX_WAITV,
    CALL_FUTEX_WAKE,
    CALL_FUTEX_WAIT,
    CALL_FUTEX_REQUEUE,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_set_tid_address,
    SYS_exit,
    SYS_exit_group,
    SYS_gettid,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_getpriority,
    SYS_getcpu,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_restart_syscall,
    // Signals.
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    // Files; which of them is for Landlock to say.
    SYS_openat,
    SYS_close,
    CALL_CLOSE_RANGE,
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_preadv,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_readlinkat,
    SYS_faccessat,
    CALL_FACCESSAT2,
    SYS_getdents64,
    SYS_getcwd,
    SYS_flock,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fadvise64,
    SYS_fsync,
    SYS_fdatasync,
    SYS_renameat,
    SYS_renameat2,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_umask,
    // Waiting.
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    CALL_EPOLL_PWAIT2,
    SYS_eventfd2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    // Sockets that are open already.
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_recvfrom,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_getpeername,
    // The time, this process and this machine.
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_times,
    SYS_getrusage,
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_getpgid,
    SYS_getsid,
    SYS_capget,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrandom,
#ifdef __x86_64__
    // Older names of those above.
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_getdents,
    SYS_rename,
    SYS_unlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_dup2,
    SYS_pipe,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_getrlimit,
    SYS_getpgrp,
    SYS_time,
    SYS_arch_prctl,
#else
    SYS_getrlimit,
#endif
};

// Kernel interface; newer than some headers.
enum { NAME_OF_MEMORY = 0x53564d41 }; // PR_SET_VMA
// The devices that _IOC_TYPE names.
enum {
    DRM = 'd' << 8,
    DMA_BUF = 'b' << 8,
    DMA_HEAP = 'H' << 8,
    UDMABUF = 'u' << 8,
    SYNC = '>' << 8
};

static const struct os_filter_check checks[] = {
    // No memory becomes one that can be written to and executed at once. (Some is so from the
    // start: Mesa's assembler of vertex fetches has a heap of it.)
    {SYS_mprotect, OS_LOW(2), .mask = PROT_WRITE | PROT_EXEC, .inverse = true, .count = 1,
     .values = {PROT_WRITE | PROT_EXEC}},
    {SYS_prctl, OS_LOW(0), .mask = ~0u, .count = 9,
     .values = {PR_SET_NAME, PR_GET_NAME, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, PR_SET_PDEATHSIG,
                PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ, NAME_OF_MEMORY}},
    {SYS_ioctl, OS_LOW(1), .mask = ~0u, .count = 6,
     .values = {TCGETS, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TIOCOUTQ}},
    {SYS_ioctl, OS_LOW(1), .mask = 0xff00, .count = 5,
     .values = {DRM, DMA_BUF, DMA_HEAP, UDMABUF, SYNC}},
    // An address would make it reach others: sendto without one.
    {SYS_sendto, OS_LOW(4), OS_HIGH(4), .mask = ~0u, .count = 1, .values = {0}},
};

// Those that have been looked at.
static const int good[] = {SYS_clone,
                           SYS_kill,
                           SYS_tgkill,
                           SYS_rt_sigqueueinfo,
                           SYS_rt_tgsigqueueinfo,
                           SYS_prlimit64,
                           SYS_setpriority,
                           SYS_fcntl,
                           SYS_socketpair,
                           SYS_sched_setaffinity,
                           SYS_sched_setscheduler};

// A server has children and connections, and it makes no code.
static const int of_servers[] = {SYS_accept, SYS_accept4, SYS_wait4, SYS_waitid};
enum { EVERYBODY = UINT32_MAX, REFUSALS = '!' << 8 }; // of kill; the kind of ioctl of seccomp
static const struct os_filter_check good_of_servers[] = {
    {SYS_ioctl, OS_LOW(1), .mask = 0xff00, .count = 1, .values = {REFUSALS}},
    {SYS_kill, OS_LOW(1), .mask = ~0u, .count = 6,
     .values = {SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM, SIGCONT}},
};
static const struct os_filter_check bad_of_servers[] = {
    {SYS_mmap, OS_LOW(2), .mask = PROT_EXEC, .count = 1, .values = {0}},
    {SYS_mprotect, OS_LOW(2), .mask = PROT_EXEC, .count = 1, .values = {0}},
    {SYS_kill, OS_LOW(0), .mask = ~0u, .inverse = true, .count = 1, .values = {EVERYBODY}},
};

static void look_at_server(struct os_filter *filter)
{
    for (size_t i = 0; i < COUNT(bad_of_servers); i++)
        os_filter_refuse_bad(filter, &bad_of_servers[i]);
    for (size_t i = 0; i < COUNT(good_of_servers); i++)
        os_filter_allow_good(filter, &good_of_servers[i]);
    os_filter_allow(filter, of_servers, COUNT(of_servers));
}

static int enter(bool server, int *refusals)
{
    struct os_filter filter;
    os_filter_begin(&filter, refusals);
    if (server)
        look_at_server(&filter);
    os_filter_allow(&filter, allowed, COUNT(allowed));
    for (size_t i = 0; i < os_filter_common_count; i++)
        os_filter_refuse_bad(&filter, &os_filter_common[i]);
    for (size_t i = 0; i < COUNT(checks); i++)
        os_filter_allow_good(&filter, &checks[i]);
    os_filter_allow(&filter, good, COUNT(good));
    os_filter_fail(&filter, CALL_CLONE3, ENOSYS);
    return os_filter_end(&filter, false, refusals);
}

int os_seccomp_enter_strict(bool server, int *refusals)
{
    return refusals && enter(server, refusals) == 0 ? 0 : enter(server, NULL);
}

#else

int os_seccomp_enter_strict(bool server, int *refusals)
{
    return -ENOSYS;
}

#endif
