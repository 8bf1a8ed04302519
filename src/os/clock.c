#include "os/clock.h"

#include <errno.h>
#include <time.h>

// A clock that stands still while the machine is suspended, so that no deadline passes meanwhile.
// On Linux CLOCK_MONOTONIC does. On macOS it does not, and counts microseconds; CLOCK_UPTIME_RAW is
// Mach's absolute time.
#ifdef CLOCK_UPTIME_RAW
#define CLOCK CLOCK_UPTIME_RAW
#else
#define CLOCK CLOCK_MONOTONIC
#endif

uint64_t os_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void os_sleep_ns(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}
