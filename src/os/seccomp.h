// Private to src/os: which system calls a sandboxed process of Linux may make.
//
// Thread: any; every thread of the process is bound. Irrevocable.
// Errors: 0 or -errno.
#ifndef OS_SECCOMP_H
#define OS_SECCOMP_H

// What no driver needs at any time. No new privileges must be set before.
int os_seccomp_enter(void);
// What drivers need only while they are loaded: connecting to others.
int os_seccomp_close(void);

#endif
