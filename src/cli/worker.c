// hesper worker: one context of one guest, with the host's Vulkan driver. hesper starts it.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/option/host.h"
#include "cli/option/values.h"
#include "os/process.h"
#include "venus/profile.h"
#include "venus/report.h"
#include "venus/worker.h"

static const char usage[] = "usage: hesper worker --fd N [OPTIONS]\n"
                            "       hesper worker --report [OPTIONS]\n"
                            "\n"
                            "Serves one context over the socket N, or says what a driver can do. "
                            "Hesper starts its\n"
                            "workers itself; there is no other use for this.\n"
                            "\n"
                            "  --fd N                   the socket to the device process\n"
                            "  --report                 one line of JSON, then the end\n"
                            "  --driver NAME            loader, manifest:PATH[:PATH...] or "
                            "library:PATH\n"
                            "  --gpu NAME|N             only this device\n"
                            "  --host-profile=PROFILE   native, portable, moltenvk, kosmickrisp\n"
                            "  --sandbox KIND           strict, default or off\n"
                            "  --page-size=SIZE         pretend that pages have this size\n"
                            "  -v, --verbose            twice: more\n";

int cli_worker(int argc, char **argv)
{
    enum { DRIVER = 256, GPU, REPORT, SANDBOX };
    static const struct option options[] = {
        {"fd", required_argument, NULL, 'f'},
        {"driver", required_argument, NULL, DRIVER},
        {"gpu", required_argument, NULL, GPU},
        {"report", no_argument, NULL, REPORT},
        {"host-profile", required_argument, NULL, 'p'},
        {"page-size", required_argument, NULL, 's'},
        {"sandbox", required_argument, NULL, SANDBOX},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct cli_host host = {0};
    struct venus_worker_options worker = {.profile = venus_profile_find("native"),
                                          .tentative = true};
    uint64_t fd = 0;
    bool report = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":vh", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            if (!cli_parse_size(optarg, 1 << 20, &fd))
                fd = 0;
            break;
        case DRIVER:
            worker.host.driver = optarg;
            worker.tentative = false;
            break;
        case GPU:
            worker.host.gpu = optarg;
            break;
        case REPORT:
            report = true;
            break;
        case 'p':
            if (!cli_parse_profile(optarg, &host))
                return CLI_USAGE;
            worker.profile = venus_profile_find(optarg);
            break;
        case 's':
            if (!cli_parse_page_size(optarg, &host))
                return CLI_USAGE;
            break;
        case SANDBOX:
            if (!cli_parse_sandbox(optarg, &host))
                return CLI_USAGE;
            worker.sandbox = cli_sandbox(&host);
            break;
        case 'v':
            host.verbose++;
            break;
        case 'h':
            fputs(usage, stdout);
            return CLI_OK;
        default:
            return cli_bad_option("worker", option, argv);
        }
    }
    if ((fd < 3 && !report) || optind < argc) {
        log_error("worker: hesper starts its workers itself; see 'hesper worker --help'");
        return CLI_USAGE;
    }
    cli_host_apply(&host);
    os_die_with_parent();
    // These are meant for clients. The host's loader may know Venus too, and would come back to us.
    unsetenv("VN_DEBUG");
    unsetenv("VTEST_SOCKET_NAME");
    return report ? venus_report_main(&worker) : venus_worker_main((int)fd, &worker);
}
