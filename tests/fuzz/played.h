// What targets play: a script of bytes, a log that nobody reads, and time that passes only when the
// target says so. Their sources are compiled with played_args of meson.build.
#ifndef TESTS_FUZZ_PLAYED_H
#define TESTS_FUZZ_PLAYED_H

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

#include "base/log.h"

static struct {
    const uint8_t *at, *end;
} script;

static uint64_t played_now;

static inline uint64_t take(unsigned bytes)
{
    uint64_t value = 0;
    for (; bytes && script.at < script.end; bytes--)
        value = value << 8 | *script.at++;
    return value;
}

// Mostly small, so that numbers meet.
static inline uint64_t number(void)
{
    uint8_t kind = (uint8_t)take(1);
    if (kind < 0xc0)
        return kind & 15;
    if (kind < 0xe0)
        return (uint64_t)(kind & 31) << 12;
    return kind < 0xf8 ? take(8) : UINT64_MAX - (kind & 7);
}

static inline void expect(bool good)
{
    if (!good)
        abort();
}

int fuzz_kill(pid_t pid, int signal_number);
pid_t fuzz_waitpid(pid_t pid, int *status, int flags);
int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout);
int fuzz_clock_gettime(clockid_t clock, struct timespec *now);
int fuzz_nanosleep(const struct timespec *time, struct timespec *left);

// The system's own.
#undef poll
int poll(struct pollfd *fds, nfds_t count, int timeout);

// What is put into a line is of interest.
void log_write(enum log_level level, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    (void)level;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
}

enum log_level log_get_level(void)
{
    return LOG_DEBUG;
}

int log_limit_allows(struct log_limit *limit, uint64_t now_ns, uint32_t burst, uint64_t period_ns)
{
    (void)limit, (void)now_ns, (void)burst, (void)period_ns;
    return 1;
}

int fuzz_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now = (struct timespec){.tv_sec = (time_t)(played_now / 1000000000u),
                             .tv_nsec = (long)(played_now % 1000000000u)};
    return 0;
}

int fuzz_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)left;
    played_now += (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
