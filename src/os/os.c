#include "os/os.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static struct os_options chosen;
static size_t real_page_size;

void os_init(const struct os_options *options)
{
    chosen = *options;
    real_page_size = (size_t)sysconf(_SC_PAGESIZE);
    static const int errors[] = {SIGPIPE, SIGXFSZ, SIGXCPU};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        signal(errors[i], SIG_IGN);
}

bool os_is_portable(void)
{
    return chosen.portable;
}

size_t os_page_size(void)
{
    if (chosen.page_size)
        return chosen.page_size;
    return real_page_size ? real_page_size : (size_t)sysconf(_SC_PAGESIZE);
}

size_t os_file_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : (size_t)limit.rlim_cur;
}

size_t os_raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    rlim_t had = limit.rlim_cur;
    rlim_t wanted = limit.rlim_max;
    // "No limit" as a soft value is refused by macOS, and makes programs that close every number
    // slow.
    if (wanted == RLIM_INFINITY || wanted > 1u << 20)
        wanted = 1u << 20;
    while (wanted > had) {
        limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
            return (size_t)wanted;
        wanted /= 2;
    }
    return (size_t)had;
}
