// Private to src/os: which system calls a sandboxed process of Linux may make, as filters of
// seccomp.
//
// Thread: any; every thread of the process is bound. Irrevocable. No new privileges must be set
// before.
// Errors: 0 or -errno.
#ifndef OS_LINUX_FILTER_H
#define OS_LINUX_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define OS_HAS_FILTERS 1

enum { OS_FILTER_ROOM = 1024 };

struct os_filter {
    struct sock_filter code[OS_FILTER_ROOM];
    unsigned length;
    uint32_t refusal; // the result of a refused call
};

// A call that is good with some arguments only. Two words of the arguments are ORed (the second may
// be none), masked, and compared with the values.
struct os_filter_check {
    int number;
    uint8_t word, other_word; // OS_WORD_...
    bool inverse;             // good if it is none of the values
    bool quiet;               // drivers try it: its refusal is told to nobody
    uint8_t count;
    uint32_t mask;
    uint32_t values[16];
};
enum { OS_WORD_NONE = 0, OS_WORD_LOW = 2, OS_WORD_HIGH = 3 }; // plus 2 * the argument's number
#define OS_LOW(argument) (OS_WORD_LOW + 2 * (argument))
#define OS_HIGH(argument) (OS_WORD_HIGH + 2 * (argument))
#define OS_SELF (UINT32_MAX - 1) // as a value: the process

// Refused calls fail with EPERM; `told`: the device process answers them.
void os_filter_begin(struct os_filter *filter, bool told);
void os_filter_allow(struct os_filter *filter, const int *numbers, size_t count);
void os_filter_refuse(struct os_filter *filter, const int *numbers, size_t count);
void os_filter_fail(struct os_filter *filter, int number, int error);
// A call that is not good is refused; one that is good is looked at further.
void os_filter_refuse_bad(struct os_filter *filter, const struct os_filter_check *check);
// A call that is good is allowed; one that is not is looked at further.
void os_filter_allow_good(struct os_filter *filter, const struct os_filter_check *check);
// Installs it: what was not decided is allowed, or refused.
// `refusals` (not NULL if they are told) gets a descriptor, else -ENOSYS or -EINVAL says that this
// kernel has none.
int os_filter_end(struct os_filter *filter, bool allow, int *refusals);

// What is good in any sandbox: threads and no processes; signals, limits and priorities of this
// process only; no keys pressed on a terminal, no owners of descriptors.
extern const struct os_filter_check os_filter_common[];
extern const size_t os_filter_common_count;
#endif

// linux_seccomp.c: what no driver needs is refused.
// `refusals`: as in os/sandbox.h.
int os_seccomp_enter(int *refusals);
// What drivers need only while they are loaded is refused as well: sockets to others.
int os_seccomp_close(void);
// What no window of a desktop needs that stands.
int os_seccomp_enter_desktop(void);
// linux_strict.c: what drivers of Mesa are known to need is allowed, and no more; or, for a server,
// what that needs.
int os_seccomp_enter_strict(bool server, int *refusals);

#endif
