// System calls that a worker never needs, and that a guest which has taken one over must not have.
// A refused call fails with EPERM: a driver that tries one goes on without.
#include "os/linux_filter.h"

#include <errno.h>
#include <sys/socket.h>

// Newer than some headers; the numbers are the same on every architecture.
enum {
    CALL_PIDFD_SEND_SIGNAL = 424,
    CALL_IO_URING_SETUP = 425,
    CALL_IO_URING_ENTER = 426,
    CALL_IO_URING_REGISTER = 427,
    CALL_OPEN_TREE = 428,
    CALL_MOVE_MOUNT = 429,
    CALL_FSOPEN = 430,
    CALL_FSCONFIG = 431,
    CALL_FSMOUNT = 432,
    CALL_FSPICK = 433,
    CALL_PIDFD_OPEN = 434,
    CALL_CLONE3 = 435,
    CALL_PIDFD_GETFD = 438,
    CALL_PROCESS_MADVISE = 440,
    CALL_MOUNT_SETATTR = 442,
    CALL_PROCESS_MRELEASE = 448,
    CALL_FCHMODAT2 = 452,
    CALL_SETXATTRAT = 463,
    CALL_REMOVEXATTRAT = 466,
};

static const int denied[] = {
    // Other processes.
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    CALL_PIDFD_OPEN,
    CALL_PIDFD_GETFD,
    CALL_PIDFD_SEND_SIGNAL,
    CALL_PROCESS_MADVISE,
    CALL_PROCESS_MRELEASE,
    SYS_kcmp,
    SYS_ioprio_set,
    SYS_sched_setattr,
    SYS_sched_setparam,
    // Programs and namespaces.
    SYS_execve,
    SYS_execveat,
    SYS_unshare,
    SYS_setns,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
    CALL_OPEN_TREE,
    CALL_MOVE_MOUNT,
    CALL_FSOPEN,
    CALL_FSCONFIG,
    CALL_FSMOUNT,
    CALL_FSPICK,
    CALL_MOUNT_SETATTR,
    SYS_personality,
    // Much of the kernel that no driver's library talks to.
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    CALL_IO_URING_SETUP,
    CALL_IO_URING_ENTER,
    CALL_IO_URING_REGISTER,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_fanotify_init,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_inotify_add_watch, // Landlock lets it watch what may not be read
    SYS_quotactl,
    SYS_acct,
    SYS_syslog,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_vhangup,
    SYS_lookup_dcookie,
    // What Landlock does not cover: owners, modes, times and attributes of files.
    SYS_fchmod,
    SYS_fchmodat,
    CALL_FCHMODAT2,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    CALL_SETXATTRAT,
    CALL_REMOVEXATTRAT,
    SYS_mknodat,
    // The System V calls that outlive a process.
    SYS_shmget,
    SYS_shmat,
    SYS_shmctl,
    SYS_semget,
    SYS_semctl,
    SYS_semop,
    SYS_semtimedop,
    SYS_msgget,
    SYS_msgctl,
    SYS_msgrcv,
    SYS_msgsnd,
    SYS_mq_open,
    SYS_mq_unlink,
    // Serving others.
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
#ifdef __x86_64__
    SYS_fork,
    SYS_vfork,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_mknod,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_uselib,
    SYS_ustat,
    SYS__sysctl,
    SYS_create_module,
    SYS_get_kernel_syms,
    SYS_query_module,
    SYS_nfsservctl,
#endif
};

#ifdef OS_HAS_FILTERS

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void refuse_common(struct os_filter *filter)
{
    os_filter_refuse(filter, denied, COUNT(denied));
    for (size_t i = 0; i < os_filter_common_count; i++)
        os_filter_refuse_bad(filter, &os_filter_common[i]);
    // The arguments of clone3 cannot be looked at: without it, C libraries use clone.
    os_filter_fail(filter, CALL_CLONE3, ENOSYS);
}

static int enter(int *refusals)
{
    static const struct os_filter_check unix_only = {SYS_socket, OS_LOW(0), .mask = ~0u, .count = 1,
                                                     .values = {AF_UNIX}};
    struct os_filter filter;
    os_filter_begin(&filter, refusals);
    refuse_common(&filter);
    os_filter_refuse_bad(&filter, &unix_only);
    return os_filter_end(&filter, true, refusals);
}

int os_seccomp_enter(int *refusals)
{
    return refusals && enter(refusals) == 0 ? 0 : enter(NULL);
}

static const int closed[] = {SYS_socket, SYS_connect, SYS_seccomp};

int os_seccomp_close(void)
{
    struct os_filter filter;
    os_filter_begin(&filter, false);
    os_filter_refuse(&filter, closed, COUNT(closed));
    return os_filter_end(&filter, true, NULL);
}

int os_seccomp_enter_desktop(void)
{
    // Pixels go to X servers by System V shared memory; game pads come and go.
    static const int needed[] = {SYS_shmget, SYS_shmat, SYS_shmctl, SYS_inotify_add_watch};
    struct os_filter filter;
    os_filter_begin(&filter, false);
    os_filter_allow(&filter, needed, COUNT(needed));
    os_filter_refuse(&filter, closed, COUNT(closed));
    refuse_common(&filter);
    return os_filter_end(&filter, true, NULL);
}

#else

int os_seccomp_enter(int *refusals)
{
    return -ENOSYS;
}

int os_seccomp_close(void)
{
    return -ENOSYS;
}

int os_seccomp_enter_desktop(void)
{
    return -ENOSYS;
}

#endif
