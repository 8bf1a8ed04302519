// System calls that a worker never needs, and that a guest which has taken one over must not have.
// A refused call fails with EPERM: a driver that tries one goes on without.
#include "os/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

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

#ifdef ARCHITECTURE

enum { COUNT = sizeof(denied) / sizeof(denied[0]), ROOM = 2 * COUNT + 80 };

struct program {
    struct sock_filter code[ROOM];
    unsigned short length;
};

#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
// Low and high half of an argument; both architectures are little-endian.
#define LOW(argument) (offsetof(struct seccomp_data, args) + 8 * (argument))
#define HIGH(argument) (LOW(argument) + 4)

static void put(struct program *program, struct sock_filter instruction)
{
    if (program->length < ROOM)
        program->code[program->length++] = instruction;
}

// The next `count` instructions are for the system call `number` only.
static void on_call(struct program *program, int number, uint8_t count)
{
    put(program, (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr)));
    put(program,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, count));
}

static void refuse(struct program *program, int number, int error)
{
    on_call(program, number, 1);
    put(program, (struct sock_filter)REFUSE(error));
}

// Refused unless argument 0 is this process.
static void refuse_others(struct program *program, int number)
{
    on_call(program, number, 3);
    put(program, (struct sock_filter)LOAD(LOW(0)));
    put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 1, 0));
    put(program, (struct sock_filter)REFUSE(EPERM));
}

static int install(const struct program *program)
{
    struct sock_fprog filter = {.len = program->length,
                                .filter = (struct sock_filter *)program->code};
    // For threads that were there before too.
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter)
               ? -errno
               : 0;
}

static void begin(struct program *program)
{
    *program = (struct program){0};
    put(program, (struct sock_filter)LOAD(offsetof(struct seccomp_data, arch)));
    put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    put(program, (struct sock_filter)REFUSE(EPERM));
#ifdef __x86_64__
    // The x32 names of the same calls.
    put(program, (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr)));
    put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
    put(program, (struct sock_filter)REFUSE(EPERM));
#endif
}

static int end(struct program *program)
{
    put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    return program->length == ROOM ? -E2BIG : install(program);
}

int os_seccomp_enter(void)
{
    struct program program;
    begin(&program);
    put(&program, (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr)));
    for (unsigned i = 0; i < COUNT; i++) {
        put(&program,
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)denied[i], 0, 1));
        put(&program, (struct sock_filter)REFUSE(EPERM));
    }
    // Signals stay within the process.
    refuse_others(&program, SYS_kill);
    refuse_others(&program, SYS_tgkill);
    refuse_others(&program, SYS_rt_sigqueueinfo);
    refuse_others(&program, SYS_rt_tgsigqueueinfo);
    refuse(&program, SYS_tkill, EPERM);
    // Limits may be asked for, and not set: those of others neither.
    on_call(&program, SYS_prlimit64, 5);
    put(&program, (struct sock_filter)LOAD(LOW(2)));
    put(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2));
    put(&program, (struct sock_filter)LOAD(HIGH(2)));
    put(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    put(&program, (struct sock_filter)REFUSE(EPERM));
    // A thread may be nice itself.
    on_call(&program, SYS_setpriority, 3);
    put(&program, (struct sock_filter)LOAD(LOW(1)));
    put(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    put(&program, (struct sock_filter)REFUSE(EPERM));
    // Threads and no processes, no namespaces. The arguments of clone3 cannot be looked at: without
    // it, C libraries use clone.
    refuse(&program, CALL_CLONE3, ENOSYS);
    on_call(&program, SYS_clone, 3);
    put(&program, (struct sock_filter)LOAD(LOW(0)));
    put(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0));
    put(&program, (struct sock_filter)REFUSE(EPERM));
    // Unix sockets only.
    on_call(&program, SYS_socket, 3);
    put(&program, (struct sock_filter)LOAD(LOW(0)));
    put(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0));
    put(&program, (struct sock_filter)REFUSE(EPERM));
    return end(&program);
}

int os_seccomp_close(void)
{
    struct program program;
    begin(&program);
    refuse(&program, SYS_connect, EPERM);
    return end(&program);
}

#else

int os_seccomp_enter(void)
{
    return -ENOSYS;
}

int os_seccomp_close(void)
{
    return -ENOSYS;
}

#endif
