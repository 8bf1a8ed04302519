#include "cli/option/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "os/os.h"
#include "os/starter.h"
#include "venus/discovery.h"
#include "venus/profile.h"

bool cli_take_profile(const char *label, const char *text, void *to)
{
    struct cli_host *host = to;
    const struct venus_profile *profile = venus_profile_find(text);
    if (!profile) {
        log_error("%s: --host-profile is %s, not '%s'", label, venus_profile_names(), text);
        return false;
    }
    host->profile = profile->name;
    host->portable = profile->portable;
    return true;
}

static bool take_page_size(const char *label, const char *text, void *to)
{
    uint64_t size, real = os_page_size();
    if (!option_size(text, 1u << 20, &size) || !size || (size & (size - 1)) || size < real) {
        log_error("%s: --page-size is a power of two from %llu on, like 16k, not '%s'", label,
                  (unsigned long long)real, text);
        return false;
    }
    *(uint32_t *)to = (uint32_t)size;
    return true;
}

// In the order of enum os_sandbox.
static const char *const sandboxes[] = {"default", "strict", "off", NULL};

bool cli_take_sandbox(const char *label, const char *text, void *to)
{
    struct cli_host *host = to;
    int kind = option_choice(label, "sandbox", sandboxes, text);
    if (kind >= 0)
        host->sandbox = sandboxes[kind];
    return kind >= 0;
}

const struct option_row cli_host_rows[] = {
    {"gpu", "NAME|N",
     "the only device that guests see, by (part of) its name or its number; 'hesper doctor' lists "
     "them [all]",
     OPTION_TEXT(struct cli_host, gpu)},
    {"host-profile", "PROFILE",
     "native: use what this host has; portable: only what every host has; moltenvk, kosmickrisp: "
     "only what a Mac has, by that driver",
     OPTION_TAKE_WHOLE(cli_take_profile)},
    {"sandbox", "KIND",
     "what confines the driver. strict: only system calls that drivers of Mesa need; default: all "
     "but dangerous ones; off: nothing, nor a window [strict where all drivers are Mesa's, else "
     "default]",
     OPTION_TAKE_WHOLE(cli_take_sandbox)},
    {"page-size", "SIZE", "pretend that pages have this size, like 16k",
     OPTION_TAKE(struct cli_host, page_size, take_page_size)},
    {"verbose", NULL, "say more; twice: much more", OPTION_COUNT(struct cli_host, verbose),
     .letter = 'v'},
    {0},
};

enum os_sandbox cli_sandbox(const struct cli_host *host)
{
    for (unsigned i = 0; host->sandbox && sandboxes[i]; i++)
        if (host->sandbox == sandboxes[i])
            return (enum os_sandbox)i;
    return OS_SANDBOX_DEFAULT;
}

void cli_host_apply(const struct cli_host *host)
{
    os_init(&(struct os_options){.portable = host->portable, .page_size = host->page_size});
    if (host->verbose)
        log_set_level(host->verbose > 1 ? LOG_DEBUG : LOG_INFO);
}

void cli_host_begin_starter(const struct cli_host *host)
{
    int error = cli_sandbox(host) == OS_SANDBOX_OFF ? 0 : os_starter_begin();
    if (error && error != -ENOSYS)
        log_warning("no starter, so this process is not confined: %s", strerror(-error));
}

void cli_host_confine(void)
{
    char summary[128];
    const struct os_sandbox_options confined = {.kind = OS_SANDBOX_SERVER};
    if (os_starter_close() == 0 && os_sandbox_enter(&confined, summary, sizeof(summary)) == 0)
        log_debug("this process is confined: %s", summary);
}

bool cli_worker_command(struct cli_worker_command *command, const struct cli_host *host)
{
    int error = os_self_path(command->self, sizeof(command->self));
    if (error) {
        log_error(
            "cannot find the path of the running hesper, which is needed to start workers: %s",
            strerror(-error));
        return false;
    }
    unsigned count = 0;
    command->arguments[count++] = command->self;
    command->arguments[count++] = "worker";
    if (host->profile) {
        command->arguments[count++] = "--host-profile";
        command->arguments[count++] = host->profile;
    }
    if (host->gpu) {
        command->arguments[count++] = "--gpu";
        command->arguments[count++] = host->gpu;
    }
    if (host->driver[0]) {
        command->arguments[count++] = "--driver";
        command->arguments[count++] = host->driver;
    }
    command->arguments[count++] = "--sandbox";
    command->arguments[count++] = host->sandbox                           ? host->sandbox
                                  : venus_drivers_are_mesas(host->driver) ? "strict"
                                                                          : "default";
    if (host->page_size) {
        snprintf(command->page_size, sizeof(command->page_size), "--page-size=%u", host->page_size);
        command->arguments[count++] = command->page_size;
    }
    if (host->short_turns)
        command->arguments[count++] = "--short-turns";
    for (unsigned i = 0; i < host->verbose && i < 2; i++)
        command->arguments[count++] = "--verbose";
    command->arguments[count] = NULL;
    return true;
}
