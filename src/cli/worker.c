// hesper worker: one context of one guest, with the host's Vulkan driver. hesper starts it.
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/option/host.h"
#include "os/process.h"
#include "venus/profile.h"
#include "venus/report.h"
#include "venus/worker.h"

static const char usage[] =
    "usage: hesper worker --fd N [OPTIONS]\n"
    "       hesper worker --report [OPTIONS]\n"
    "\n"
    "Serves one context over the socket N, or says what a driver can do. Hesper starts its\n"
    "workers itself; there is no other use for this.\n"
    "\n";

struct wanted {
    uint32_t fd;
    bool report, short_turns;
    const char *driver;
};

static const struct option_row rows[] = {
    {"fd", "N", "the socket to the device process", OPTION_NUMBER(struct wanted, fd, 3, 1 << 20)},
    {"report", NULL, "one line of JSON, then the end", OPTION_FLAG(struct wanted, report)},
    {"short-turns", NULL, "be run soon beside the processors of a machine",
     OPTION_FLAG(struct wanted, short_turns)},
    {"driver", "NAME", "loader, manifest:PATH[:PATH...] or library:PATH",
     OPTION_TEXT(struct wanted, driver)},
    {0},
};

// Drivers look for their cache and settings in a home. Without the variable they would ask the
// system who their user is, which the sandbox refuses later.
static void have_home(void)
{
    const struct passwd *user = getenv("HOME") ? NULL : getpwuid(getuid());
    if (user && user->pw_dir && user->pw_dir[0] == '/')
        setenv("HOME", user->pw_dir, 1);
}

int cli_worker(int argc, char **argv)
{
    struct wanted wanted = {.fd = 0};
    struct cli_host host = {.profile = "native"};
    const struct options options = {.program = "hesper worker",
                                    .usage = usage,
                                    .tables = {{rows, &wanted}, {cli_host_rows, &host}}};
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if ((!wanted.fd && !wanted.report) || first < argc) {
        log_error("worker: hesper starts its workers itself; see 'hesper worker --help'");
        return CLI_USAGE;
    }
    cli_host_apply(&host);
    os_die_with_parent();
    have_home();
    // These are meant for clients. The host's loader may know Venus too, and would come back to us.
    unsetenv("VN_DEBUG");
    unsetenv("VTEST_SOCKET_NAME");
    const struct venus_worker_options worker = {
        .host = {.driver = wanted.driver, .gpu = host.gpu},
        .profile = venus_profile_find(host.profile),
        .sandbox = cli_sandbox(&host),
        .tentative = !wanted.driver,
        .short_turns = wanted.short_turns,
    };
    return wanted.report ? venus_report_main(&worker) : venus_worker_main((int)wanted.fd, &worker);
}
