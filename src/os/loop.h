// A poll loop for one thread: descriptors, timers, signals, child exits. Not thread-safe; another
// thread wakes it by a notifier. Signals and child exits are process-wide: at most one loop of a
// process may watch them.
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct os_loop;
struct os_source; // one registration; owned by the loop until os_source_remove

enum { OS_READABLE = 1, OS_WRITABLE = 2, OS_HANGUP = 4 }; // HANGUP is always reported

typedef void (*os_fd_callback)(void *data, int fd, unsigned events);
typedef void (*os_timer_callback)(void *data);
typedef void (*os_child_callback)(void *data, pid_t pid, int status);
// `from_process`: another process sent it by kill(2), as opposed to the terminal or the kernel,
// which reach the whole group. Always true on macOS, which does not say.
typedef void (*os_signal_callback)(void *data, int signal_number, bool from_process);

int os_loop_create(struct os_loop **loop);
void os_loop_destroy(struct os_loop *loop);

// `fd` stays the caller's. NULL: out of memory.
struct os_source *os_loop_add_fd(struct os_loop *loop, int fd, unsigned events,
                                 os_fd_callback callback, void *data);
void os_source_set_events(struct os_source *source, unsigned events);
// One shot at `deadline_ns` (os_now_ns clock); re-arm with os_source_set_deadline (0: disarm).
struct os_source *os_loop_add_timer(struct os_loop *loop, uint64_t deadline_ns,
                                    os_timer_callback callback, void *data);
void os_source_set_deadline(struct os_source *source, uint64_t deadline_ns);
// Called once when the child has ended and was reaped (`status` as of waitpid, -1 if somebody else
// reaped it); the source is then removed by itself. Only pids added here are waited for.
struct os_source *os_loop_add_child(struct os_loop *loop, pid_t pid, os_child_callback callback,
                                    void *data);
// Signals are told one by one or merged. The previous disposition comes back when the source is
// removed.
struct os_source *os_loop_add_signal(struct os_loop *loop, int signal_number,
                                     os_signal_callback callback, void *data);
// Safe inside any callback, also the source's own.
void os_source_remove(struct os_source *source);

// Called whenever the loop is about to sleep (it has looked once more and nothing was there), and
// after a few rounds if it is too busy to sleep. One per loop; NULL: none. It may do all that other
// callbacks may.
typedef void (*os_idle_callback)(void *data);
void os_loop_set_idle(struct os_loop *loop, os_idle_callback callback, void *data);

// Runs until os_loop_stop; returns what that was given. May be run again.
int os_loop_run(struct os_loop *loop);
void os_loop_stop(struct os_loop *loop, int status);

#endif
