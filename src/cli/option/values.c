#include "cli/option/values.h"

#include <unistd.h>

#include "base/log.h"
#include "base/options.h"

bool cli_take_memory(const char *label, const char *text, void *to)
{
    uint64_t size;
    if (option_size(text, 1ull << 46, &size) && size >= 64 << 20 && size % (1 << 20) == 0) {
        *(uint64_t *)to = size;
        return true;
    }
    log_error("%s: --memory is a size in whole mebibytes like 4G, not '%s'", label, text);
    return false;
}

bool cli_take_wait(const char *label, const char *text, void *to)
{
    uint64_t seconds;
    if (option_size(text, 1u << 30, &seconds)) {
        *(uint64_t *)to = seconds * 1000000000u;
        return true;
    }
    log_error("%s: --max-wait is a number of seconds, not '%s'", label, text);
    return false;
}

bool cli_parse_gpu_memory(const char *label, const char *text, uint64_t *host, uint64_t *card)
{
    uint64_t size;
    if (option_size(text, 1ull << 46, &size) && (!size || size >= 16 << 20)) {
        *host = *card = size;
        return true;
    }
    log_error("%s: --gpu-memory is a size like 4G, at least 16M, or 0 for no limit; not '%s'",
              label, text);
    return false;
}

uint64_t cli_machine_memory(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}
