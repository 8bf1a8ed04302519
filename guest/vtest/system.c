#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "guest/vtest/vtest.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *allocate(void *context, size_t size)
{
    return calloc(1, size ? size : 1);
}

static void release(void *context, void *memory)
{
    free(memory);
}

static uint64_t now(void *context)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// An answer usually takes some 10 µs; a GPU may take any time. Those who work for us may need this
// processor.
static void relax(void *context, uint32_t round)
{
    if (round < 64) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    } else if (round < 256) {
        sched_yield();
    } else {
        uint32_t micros = round - 256 < 20 ? 20 : round - 256 < 4000 ? round - 256 : 4000;
        nanosleep(&(struct timespec){.tv_nsec = micros * 1000L}, NULL);
    }
}

static void say(void *context, const char *line)
{
    fprintf(stderr, "hesper guest: %s\n", line);
}

static void lock(void *context)
{
    pthread_mutex_lock(&mutex);
}

static void unlock(void *context)
{
    pthread_mutex_unlock(&mutex);
}

const struct guest_system guest_posix_system = {
    .allocate = allocate,
    .release = release,
    .now = now,
    .relax = relax,
    .log = say,
    .lock = lock,
    .unlock = unlock,
};
