// Child processes by posix_spawn, never fork.
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct os_fd_pass {
    int parent_fd; // stays open in the parent
    int child_fd;  // number in the child
};

struct os_spawn_options {
    const char *path;            // executable; searched in PATH if it has no slash
    char *const *argv;           // NULL-terminated
    char *const *environment;    // NULL: inherit
    const struct os_fd_pass *fds;
    unsigned fd_count;           // everything else but 0, 1, 2 is closed in the child (close-on-exec)
    bool own_group;              // new process group: not reached by the terminal's Ctrl-C
};

// Returns the pid or -errno. Default signal dispositions and an empty signal mask in the child.
pid_t os_spawn(const struct os_spawn_options *options);

#endif
