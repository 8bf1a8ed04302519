// One line per event on stderr: "hesper: LEVEL: text". A line is one write, which waits for nothing
// but stderr.
//
// Thread: any, but for what says otherwise.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

// The level of the whole process. Default: LOG_WARNING; HESPER_LOG=error|warning|info|debug
// overrides.
// Thread: before others start.
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

// A short tag in every line of this process ("worker 3"). Copied, at most 31 bytes.
void log_set_tag(const char *tag);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_get_level() >= LOG_DEBUG)                                                          \
            log_write(LOG_DEBUG, __VA_ARGS__);                                                     \
    } while (0)

// For what a guest can cause at will: lets `burst` lines through per `period_ns`. Zero-initialize.
struct log_limit {
    uint64_t window_start_ns;
    uint32_t count;
    uint32_t suppressed;
};
// True if the caller may log now. `now_ns` is os_now_ns().
// Thread: one at a time for a limit.
int log_limit_allows(struct log_limit *limit, uint64_t now_ns, uint32_t burst, uint64_t period_ns);

#endif
