// What pthreads leave to the platform.
//
// Thread: any.
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include <pthread.h>

// pthread_create with a stack that holds a Vulkan driver, whatever the platform's default is.
// Owns: the caller joins or detaches the thread.
// Errors: -errno.
int os_thread_create(pthread_t *thread, void *(*run)(void *data), void *data);

// Names the calling thread for debuggers (at most 15 bytes are shown on Linux).
void os_thread_set_name(const char *name);
// Best effort: a nice value (-20 … 19) for the calling thread only; a QoS class on macOS. Failures
// are ignored.
void os_thread_set_nice(int nice);
// How late a short sleep of the calling thread may end, in nanoseconds; the default is 50 µs on
// Linux. Ignored elsewhere.
void os_thread_set_timer_slack(unsigned long ns);

#endif
