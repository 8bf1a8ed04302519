// Wakes a poll: eventfd, or a pipe where there is none. One side signals, the other clears; both
// any number of times.
//
// Thread: any may signal, signal handlers too; one clears.
// Owns: both descriptors, until os_notifier_finish.
// Errors: 0 or -errno; both descriptors are -1 then.
#ifndef OS_NOTIFIER_H
#define OS_NOTIFIER_H

struct os_notifier {
    int read_fd;  // readable while signalled
    int write_fd; // the same descriptor for an eventfd
};

// Both descriptors are non-blocking and close-on-exec.
int os_notifier_init(struct os_notifier *notifier);
// Always a pipe: whoever polls the read end also hears (POLLHUP) when the last write end is closed,
// by this process or by its end.
int os_notifier_init_pipe(struct os_notifier *notifier);
void os_notifier_finish(struct os_notifier *notifier);
void os_notifier_signal(const struct os_notifier *notifier);
void os_notifier_clear(const struct os_notifier *notifier);

#endif
