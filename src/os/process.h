// Child processes by posix_spawn, never fork.
//
// Thread: any.
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct os_fd_pass {
    int parent_fd; // stays open in the parent
    int child_fd;  // number in the child, below 128
};

struct os_spawn_options {
    const char *path;             // executable; searched in PATH if it has no slash
    char *const *argv;            // NULL-terminated
    char *const *environment;     // NULL: inherit
    const struct os_fd_pass *fds; // at most 24
    unsigned fd_count;
    bool inherit_fds; // leave open what is not close-on-exec; else only 0, 1, 2 and `fds` reach the
                      // child
    bool own_group;   // new process group: not reached by the terminal's Ctrl-C
    bool shielded;    // in our process group, for the terminal's sake, but deaf to its signals
};

// The child has default signal dispositions and an empty signal mask, but for the terminal's
// signals if it is shielded from them.
// Owns: the caller waits for the child.
// Errors: -errno, else the pid. -EMFILE also if the limit of descriptors is too low for `fds`.
pid_t os_spawn(const struct os_spawn_options *options);

// A child in a process group of its own that has `fds` as OS_CHILD_FD and so on, at most 4.
enum { OS_CHILD_FD = 3 };
pid_t os_spawn_child(const char *const *command, const int *fds, unsigned fd_count);

// Nanoseconds of all processors that a process has had so far, all its threads together. Works in
// any sandbox. Errors: false: there is no such process.
bool os_process_cpu(pid_t pid, uint64_t *ns);
// What another process of this user has had so far.
struct os_process_usage {
    uint64_t cpu_ns;   // of all its threads
    uint64_t resident; // bytes of memory that it has now
};
// Errors: false: there is no such process, or it may not be looked at.
bool os_process_usage(pid_t pid, struct os_process_usage *usage);

// Descriptors that are open in this process. 0: it cannot be said.
size_t os_count_descriptors(void);

// From now on this process is killed when its parent ends (on Linux: when the thread that started
// it ends; on macOS a thread of this process waits for that). Best effort: a child must also end
// when its socket closes.
void os_die_with_parent(void);

// Bytes of memory that only this process has, and that lie in memory now. Errors: false: it cannot
// be said.
bool os_private_memory(uint64_t *bytes);
// When the machine has no memory left, this process is ended before those that have not offered
// themselves. To be called before the sandbox. Linux only.
void os_offer_to_end(void);

// From now on malloc keeps what is freed, up to some megabytes, instead of giving it back to the
// system and asking for it anew, page by page. To be called before there are other threads.
void os_keep_freed_memory(void);

// From now on this thread and those that it starts ask for short turns on a processor: whoever is
// woken is run at once, before threads that compute for long. But its yields are worth less to
// them. What each gets in all stays the same. To be called before the sandbox. Linux 6.12 and
// newer.
void os_take_short_turns(void);
// Was it granted?
bool os_turns_are_short(void);

#endif
