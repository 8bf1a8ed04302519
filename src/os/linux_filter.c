// Filters of seccomp, put together.
#include "os/linux_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef OS_HAS_FILTERS

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static void put(struct os_filter *filter, struct sock_filter instruction)
{
    if (filter->length < OS_FILTER_ROOM)
        filter->code[filter->length] = instruction;
    filter->length++;
}

static void load(struct os_filter *filter, size_t offset)
{
    put(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void jump(struct os_filter *filter, uint16_t kind, uint32_t value, size_t yes, size_t no)
{
    put(filter,
        (struct sock_filter)BPF_JUMP(BPF_JMP | kind | BPF_K, value, (uint8_t)yes, (uint8_t)no));
}

static void leave(struct os_filter *filter, uint32_t result)
{
    put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, result));
}

void os_filter_begin(struct os_filter *filter, bool told)
{
    filter->length = 0;
    filter->refusal = told ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | EPERM;
    load(filter, offsetof(struct seccomp_data, arch));
    jump(filter, BPF_JEQ, ARCHITECTURE, 1, 0);
    leave(filter, SECCOMP_RET_ERRNO | EPERM);
    load(filter, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    jump(filter, BPF_JGE, 0x40000000, 0, 1); // the x32 names of the same calls
    leave(filter, SECCOMP_RET_ERRNO | EPERM);
#endif
}

// The number of the call is loaded between any two of these.
static void decide(struct os_filter *filter, const int *numbers, size_t count, uint32_t result)
{
    for (size_t i = 0; i < count; i++) {
        jump(filter, BPF_JEQ, (uint32_t)numbers[i], 0, 1);
        leave(filter, result);
    }
}

void os_filter_allow(struct os_filter *filter, const int *numbers, size_t count)
{
    decide(filter, numbers, count, SECCOMP_RET_ALLOW);
}

void os_filter_refuse(struct os_filter *filter, const int *numbers, size_t count)
{
    decide(filter, numbers, count, filter->refusal);
}

void os_filter_fail(struct os_filter *filter, int number, int error)
{
    decide(filter, &number, 1, SECCOMP_RET_ERRNO | (uint32_t)error);
}

// Words of struct seccomp_data: number, architecture, the program's place (two), arguments. Both
// architectures are little-endian.
static size_t word_offset(unsigned word)
{
    return offsetof(struct seccomp_data, args) + 4 * (word - OS_WORD_LOW);
}

// Leaves with `result` when the arguments match, or when they do not.
static void check_call(struct os_filter *filter, const struct os_filter_check *check, bool when,
                       uint32_t result)
{
    unsigned start = filter->length;
    jump(filter, BPF_JEQ, (uint32_t)check->number, 0, 0); // how far is known at the end
    load(filter, word_offset(check->word));
    if (check->other_word) {
        put(filter, (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0));
        load(filter, word_offset(check->other_word));
        put(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0));
    }
    put(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, check->mask));
    // A match skips the instruction behind the comparisons.
    for (unsigned i = 0; i < check->count; i++) {
        uint32_t value = check->values[i] == OS_SELF ? (uint32_t)getpid() : check->values[i];
        jump(filter, BPF_JEQ, value, check->count - i, 0);
    }
    if (when)
        put(filter, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1));
    leave(filter, result);
    if (start < OS_FILTER_ROOM)
        filter->code[start].jf = (uint8_t)(filter->length - start - 1);
    load(filter, offsetof(struct seccomp_data, nr));
}

void os_filter_refuse_bad(struct os_filter *filter, const struct os_filter_check *check)
{
    check_call(filter, check, check->inverse,
               check->quiet ? SECCOMP_RET_ERRNO | EPERM : filter->refusal);
}

void os_filter_allow_good(struct os_filter *filter, const struct os_filter_check *check)
{
    check_call(filter, check, !check->inverse, SECCOMP_RET_ALLOW);
}

enum { SYNC_SAYS_ERROR = 1 << 4 }; // Linux 5.7; newer than some headers

int os_filter_end(struct os_filter *filter, bool allow, int *refusals)
{
    leave(filter, allow ? SECCOMP_RET_ALLOW : filter->refusal);
    if (filter->length > OS_FILTER_ROOM)
        return -E2BIG;
    struct sock_fprog program = {.len = (unsigned short)filter->length, .filter = filter->code};
    // For threads that were there before too.
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC;
    if (refusals)
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | SYNC_SAYS_ERROR;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (result < 0)
        return -errno;
    if (refusals)
        *refusals = (int)result;
    return !refusals && result ? -ESRCH : 0; // a thread that has a filter of its own
}

enum { OWNER_OF_SOCKET = 0x8901, GROUP_OF_SOCKET = 0x8902 }; // FIOSETOWN, SIOCSPGRP
enum { SET_OWNER = 8, SET_SIGNAL = 10, SET_OWNER_EX = 15 };  // of fcntl

const struct os_filter_check os_filter_common[] = {
    // Threads and no processes, no namespaces.
    {SYS_clone, OS_LOW(0), .mask = CLONE_THREAD, .count = 1, .values = {CLONE_THREAD}},
    {SYS_kill, OS_LOW(0), .mask = ~0u, .count = 1, .values = {OS_SELF}},
    {SYS_tgkill, OS_LOW(0), .mask = ~0u, .count = 1, .values = {OS_SELF}},
    {SYS_rt_sigqueueinfo, OS_LOW(0), .mask = ~0u, .count = 1, .values = {OS_SELF}},
    {SYS_rt_tgsigqueueinfo, OS_LOW(0), .mask = ~0u, .count = 1, .values = {OS_SELF}},
    // Limits may be asked for, and not set.
    {SYS_prlimit64, OS_LOW(2), OS_HIGH(2), .mask = ~0u, .count = 1, .values = {0}},
    // A thread may be nicer itself: PRIO_PROCESS, 0; no others, and never the other way.
    {SYS_setpriority, OS_LOW(0), OS_LOW(1), .mask = ~0u, .quiet = true, .count = 1, .values = {0}},
    {SYS_setpriority, OS_LOW(2), .mask = 1u << 31, .count = 1, .values = {0}},
    // Numbers of threads say nothing to a filter, so a thread may only name itself. Mesa names
    // others of its process too, and goes on without.
    {SYS_sched_setaffinity, OS_LOW(0), .mask = ~0u, .quiet = true, .count = 1, .values = {0}},
    {SYS_sched_setscheduler, OS_LOW(0), .mask = ~0u, .quiet = true, .count = 1, .values = {0}},
    {SYS_sched_setscheduler, OS_LOW(1), .mask = ~0u, .count = 3,
     .values = {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE}},
    // Others may neither be sent a signal by a descriptor of ours, nor see keys pressed at their
    // terminal.
    {SYS_fcntl, OS_LOW(1), .mask = ~0u, .inverse = true, .count = 3,
     .values = {SET_OWNER, SET_SIGNAL, SET_OWNER_EX}},
    {SYS_ioctl, OS_LOW(1), .mask = ~0u, .inverse = true, .count = 4,
     .values = {TIOCSTI, TIOCLINUX, OWNER_OF_SOCKET, GROUP_OF_SOCKET}},
    // A pair of datagram sockets sends to anybody.
    {SYS_socketpair, OS_LOW(1), .mask = 0xf, .count = 2, .values = {SOCK_STREAM, SOCK_SEQPACKET}},
};
const size_t os_filter_common_count = sizeof(os_filter_common) / sizeof(os_filter_common[0]);

#endif
