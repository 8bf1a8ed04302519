// Time.
//
// Thread: any.
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

// Nanoseconds of a clock that never goes back and stands still while the machine is suspended.
uint64_t os_now_ns(void);
// Sleeps all of it, whatever signals arrive.
void os_sleep_ns(uint64_t ns);

// Tells the processor that this is a spin loop.
static inline void os_cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
