// Wakes a poll: eventfd, or a pipe where there is none. One side signals, the other clears; both
// any number of times.
#ifndef OS_NOTIFIER_H
#define OS_NOTIFIER_H

#include <stdbool.h>

struct os_notifier {
    int read_fd;  // readable while signalled
    int write_fd; // the same descriptor for an eventfd
};

// Both descriptors are non-blocking and close-on-exec. False: errno.
bool os_notifier_init(struct os_notifier *notifier);
// Always a pipe: whoever polls the read end also hears (POLLHUP) when the last write end is closed,
// by this process or by its end.
bool os_notifier_init_pipe(struct os_notifier *notifier);
void os_notifier_finish(struct os_notifier *notifier);
// Async-signal-safe and callable from any thread.
void os_notifier_signal(const struct os_notifier *notifier);
void os_notifier_clear(const struct os_notifier *notifier);

#endif
