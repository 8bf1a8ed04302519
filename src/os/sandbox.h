// Takes away from a process what it does not need: from a worker, or from one that serves guests.
//
// Thread: the first one of the process, but where another is named.
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include <stddef.h>

enum os_sandbox {
    OS_SANDBOX_DEFAULT, // what no driver needs is refused
    OS_SANDBOX_STRICT,  // Linux: system calls that drivers of Mesa do not need are refused too
    OS_SANDBOX_OFF,     // everything is allowed
    // Not for drivers, but for a process that serves others over sockets which are open, or listen,
    // already. It starts nothing and connects to nothing (os/starter.h does), and it may signal.
    // Linux only, and not with sanitizers.
    OS_SANDBOX_SERVER,
    // For a window of a person's desktop. Files are confined at once; it may connect, and make
    // threads with all that they may do, until os_sandbox_close. Linux only.
    OS_SANDBOX_DESKTOP,
};

struct os_sandbox_options {
    enum os_sandbox kind;
    // Further files, whose folders and libraries beside may be read, and further folders; NULL:
    // none, else NULL at the end.
    const char *const *readable;
    // A folder in which files may be made, changed and removed; NULL: none.
    const char *writable;
    // If not NULL, it gets a descriptor that tells the device process of refused system calls, or
    // -1. It must be sent there and closed here before a driver runs: who has it can allow calls.
    int *refusals;
};

// Called in a worker before its driver is loaded, so that the driver's threads are bound as well.
// Irrevocable. No core dumps, no new privileges, no capabilities of root (but with `writable`).
// Linux with Landlock and seccomp, macOS with Seatbelt: no file is created, written or executed any
// more except below the driver's cache folders and device nodes; no process is started, reached or
// limited; no network. On Linux nothing is read but what drivers are made of and what describes
// this machine. What is refused fails with EPERM or EACCES. Best effort: `summary` says what is in
// force ("landlock 4, seccomp, no-new-privs"). Errors: -errno only if nothing could be applied.
int os_sandbox_enter(const struct os_sandbox_options *options, char *summary, size_t summary_size);
// Called when the driver is loaded and before a guest's byte is read, or when a window stands: no
// connection is made any more.
void os_sandbox_close(enum os_sandbox kind);

// In the device process: answers the next refused call, for which `refusals` has become readable,
// and says what it is called. Returns its number, below OS_SANDBOX_MAX_CALLS or not.
// Thread: any.
// Errors: -errno: there is none after all.
enum { OS_SANDBOX_MAX_CALLS = 512 };
int os_sandbox_next_refusal(int refusals, char *name, size_t size);

#endif
