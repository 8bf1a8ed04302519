#include "os/thread.h"

#include <errno.h>

// macOS gives all threads but the first 512 KiB, and a driver compiles shaders on ours.
enum { STACK_SIZE = 8 << 20 };

int os_thread_create(pthread_t *thread, void *(*run)(void *data), void *data)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error)
        return -error;
    error = pthread_attr_setstacksize(&attributes, STACK_SIZE);
    if (!error)
        error = pthread_create(thread, &attributes, run, data);
    pthread_attr_destroy(&attributes);
    return -error;
}
