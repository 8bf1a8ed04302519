#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The process-wide exceptions to "no mutable globals": see log.h.
static atomic_int current_level = -1; // -1: not decided yet
static char tag[32];

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static int environment_level(void)
{
    const char *wanted = getenv("HESPER_LOG");
    for (int i = LOG_ERROR; wanted && i <= LOG_DEBUG; i++)
        if (!strcmp(wanted, level_names[i]))
            return i;
    return -1;
}

void log_set_level(enum log_level level)
{
    int forced = environment_level();
    atomic_store_explicit(&current_level, forced >= 0 ? forced : (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    int level = atomic_load_explicit(&current_level, memory_order_relaxed);
    if (level < 0) {
        log_set_level(LOG_WARNING);
        level = atomic_load_explicit(&current_level, memory_order_relaxed);
    }
    return (enum log_level)level;
}

void log_set_tag(const char *text)
{
    snprintf(tag, sizeof(tag), "%s", text);
}

// Text may come from a guest: nothing in it may steer a terminal. C0, DEL, and C1 in its UTF-8
// form.
static void defuse(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char next = i + 1 < length ? (unsigned char)text[i + 1] : 0;
        bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
        if (c < 0x20 || c == 0x7f || c1)
            text[i] = '?';
        if (c1)
            text[i + 1] = '?';
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level > log_get_level())
        return;

    int saved_errno = errno; // %m of the caller, and its own use afterwards
    char line[1024];
    int start = snprintf(line, sizeof(line), "hesper: %s: %s%s", level_names[level], tag,
                         tag[0] ? ": " : "");
    size_t length = (size_t)start;
    va_list arguments;
    va_start(arguments, format);
    errno = saved_errno;
    int text = vsnprintf(line + length, sizeof(line) - length, format, arguments);
    va_end(arguments);
    if (text > 0)
        length += (size_t)text;
    if (length > sizeof(line) - 1)
        length = sizeof(line) - 1;
    defuse(line, length);
    line[length++] = '\n'; // takes the place of the NUL

    // One write per line, so that lines of several processes don't mix.
    ssize_t written;
    do
        written = write(STDERR_FILENO, line, length);
    while (written < 0 && errno == EINTR);
    errno = saved_errno;
}

int log_limit_allows(struct log_limit *limit, uint64_t now_ns, uint32_t burst, uint64_t period_ns)
{
    if (!limit->window_start_ns || now_ns - limit->window_start_ns >= period_ns) {
        if (limit->suppressed)
            log_warning("%u similar messages were not shown", limit->suppressed);
        *limit = (struct log_limit){.window_start_ns = now_ns ? now_ns : 1};
    }
    if (limit->count < burst) {
        limit->count++;
        return 1;
    }
    limit->suppressed++;
    return 0;
}
