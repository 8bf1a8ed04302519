#include "cli/option/values.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/option/exit.h"

bool cli_parse_size(const char *text, uint64_t maximum, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || errno || text[0] == '-')
        return false;
    unsigned shift = 0;
    if (*end && !end[1]) {
        static const char units[] = "kmgt";
        const char *unit = strchr(units, *end | 0x20);
        if (!unit)
            return false;
        shift = 10 * (unsigned)(unit - units + 1);
    } else if (*end) {
        return false;
    }
    if (number > maximum >> shift)
        return false;
    *value = number << shift;
    return true;
}

bool cli_parse_memory(const char *command, const char *text, uint64_t *value)
{
    uint64_t size;
    if (cli_parse_size(text, 1ull << 46, &size) && size >= 64 << 20 && size % (1 << 20) == 0) {
        *value = size;
        return true;
    }
    log_error("%s: --memory is a size in whole mebibytes like 4G, not '%s'", command, text);
    return false;
}

bool cli_parse_gpu_memory(const char *command, const char *text, uint64_t *host, uint64_t *card)
{
    uint64_t size;
    if (cli_parse_size(text, 1ull << 46, &size) && (!size || size >= 16 << 20)) {
        *host = *card = size;
        return true;
    }
    log_error("%s: --gpu-memory is a size like 4G, at least 16M, or 0 for no limit; not '%s'",
              command, text);
    return false;
}

uint64_t cli_machine_memory(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

int cli_bad_option(const char *command, int result, char **argv)
{
    const char *option = argv[optind - 1];
    char letter[3] = {'-', (char)optopt, 0};
    if (optopt && strncmp(option, "--", 2)) // a letter, maybe one of several
        option = letter;
    if (result == ':')
        log_error("%s: option '%s' needs a value; see 'hesper %s --help'", command, option,
                  command);
    else
        log_error("%s: unknown option '%s'; see 'hesper %s --help'", command, option, command);
    return CLI_USAGE;
}
