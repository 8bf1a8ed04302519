// What targets share whose input is a list of actions: its bytes, and a log that nobody reads.
#ifndef FUZZ_ACTIONS_H
#define FUZZ_ACTIONS_H

#include <stdint.h>

#include "base/log.h"

struct input {
    const uint8_t *at, *end;
};

static uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && in->at < in->end; i++)
        value |= (uint64_t)*in->at++ << (8 * i);
    return value;
}

// In place of base/log.c: a fuzzer's log is of no interest, and slow.
void log_write(enum log_level level, const char *format, ...)
{
}

enum log_level log_get_level(void)
{
    return LOG_ERROR;
}

int log_limit_allows(struct log_limit *limit, uint64_t now_ns, uint32_t burst, uint64_t period_ns)
{
    return 1;
}

#endif
