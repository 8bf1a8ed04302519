// A poll loop: descriptors, timers, signals, ends of children. Signals and children belong to the
// process: at most one loop of a process may watch them.
//
// Thread: one. Another wakes it by a notifier.
// Owns: a source belongs to its loop until os_source_remove. Descriptors stay the caller's.
// Errors: what returns a source may return NULL: no memory, or more descriptors than a loop can
// poll (10 000).
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct os_loop;
struct os_source; // what a loop was asked to watch

// A callback is told of a hang-up in any case.
enum { OS_READABLE = 1, OS_WRITABLE = 2, OS_HANGUP = 4 };

typedef void (*os_fd_callback)(void *data, int fd, unsigned events);
typedef void (*os_timer_callback)(void *data);
typedef void (*os_child_callback)(void *data, pid_t pid, int status);
// `from_process`: another process sent it by kill(2), as opposed to the terminal or the kernel,
// which reach the whole group. Always true on macOS, which does not say.
typedef void (*os_signal_callback)(void *data, int signal_number, bool from_process);

// Errors: -errno; *loop is NULL then.
int os_loop_create(struct os_loop **loop);
// Removes all sources. NULL: nothing.
void os_loop_destroy(struct os_loop *loop);

struct os_source *os_loop_add_fd(struct os_loop *loop, int fd, unsigned events,
                                 os_fd_callback callback, void *data);
void os_source_set_events(struct os_source *source, unsigned events);
// Called once at `deadline_ns` (of os_now_ns), and again for each os_source_set_deadline; 0: never.
struct os_source *os_loop_add_timer(struct os_loop *loop, uint64_t deadline_ns,
                                    os_timer_callback callback, void *data);
void os_source_set_deadline(struct os_source *source, uint64_t deadline_ns);
// Called once when the child has ended and was reaped (`status` is that of waitpid, -1 if somebody
// else reaped it); the source is removed then. The loop waits for no other children.
struct os_source *os_loop_add_child(struct os_loop *loop, pid_t pid, os_child_callback callback,
                                    void *data);
// Several signals may be told as one. What was done with the signal before is done again when the
// source is removed.
struct os_source *os_loop_add_signal(struct os_loop *loop, int signal_number,
                                     os_signal_callback callback, void *data);
// Safe inside any callback, also the source's own.
void os_source_remove(struct os_source *source);

// Called whenever the loop is about to sleep (it has looked once more and nothing was there), and
// after a few rounds if it is too busy to sleep. One per loop; NULL: none. It may do whatever other
// callbacks may do.
typedef void (*os_idle_callback)(void *data);
void os_loop_set_idle(struct os_loop *loop, os_idle_callback callback, void *data);

// Runs until os_loop_stop, and returns the status that was given to it. It may be run again.
int os_loop_run(struct os_loop *loop);
void os_loop_stop(struct os_loop *loop, int status);

#endif
