// A process that starts others in the place of this one, which can then be confined to what it
// needs while it serves guests (OS_SANDBOX_SERVER). The starter starts what it was taught and
// nothing else: who takes this process over gets no program by it that would not run anyway.
//
// What it starts is a child of this process, as of os_spawn. Where there is no starter, because the
// platform has none or none was begun, this process does the same itself.
//
// Thread: one.
// Errors: -errno, else 0, a pid or a descriptor.
#ifndef OS_STARTER_H
#define OS_STARTER_H

#include <sys/types.h>

// Starts it, by this program's own command "starter", which calls os_starter_main. -ENOSYS: this
// platform has none.
int os_starter_begin(void);
int os_starter_main(void);

// From now on this command may be started: a whole path first, NULL at the end. Or this path, all
// by itself, may be connected to. -EPERM: too late.
int os_starter_teach(const char *const *command);
// Nothing more is learned. -ENOSYS: there is no starter.
int os_starter_close(void);

// Starts a command that was taught. It gets `fds` as 3 and so on, and a process group of its own.
// Owns: the caller waits for the child. The descriptors stay the caller's.
pid_t os_starter_spawn(const char *const *command, const int *fds, unsigned fd_count);
// A connection to a Unix socket whose path was taught.
int os_starter_connect(const char *path);

// Ends it.
void os_starter_end(void);

#endif
