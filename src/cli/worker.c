// hesper worker: one context of one guest, with the host's Vulkan driver. Started by hesper itself.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/cli.h"
#include "os/process.h"
#include "venus/worker.h"

static const char usage[] = "usage: hesper worker --fd N [OPTIONS]\n"
                            "\n"
                            "Serves one context over the socket N. Hesper starts its workers "
                            "itself; nobody else needs this.\n"
                            "\n"
                            "  --fd N                   the socket to the device process\n"
                            "  --host-profile=PROFILE   native or portable\n"
                            "  --page-size=SIZE         pretend that pages have this size\n"
                            "  -v, --verbose            twice: more\n";

int cli_worker(int argc, char **argv)
{
    static const struct option options[] = {
        {"fd", required_argument, NULL, 'f'},
        {"host-profile", required_argument, NULL, 'p'},
        {"page-size", required_argument, NULL, 's'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct cli_host host = {0};
    uint64_t fd = 0;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":vh", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            if (!cli_parse_size(optarg, 1 << 20, &fd))
                fd = 0;
            break;
        case 'p':
            if (!cli_parse_profile(optarg, &host))
                return CLI_USAGE;
            break;
        case 's':
            if (!cli_parse_page_size(optarg, &host))
                return CLI_USAGE;
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
    if (fd < 3 || optind < argc) {
        log_error("worker: hesper starts its workers itself; see 'hesper worker --help'");
        return CLI_USAGE;
    }
    cli_host_apply(&host);
    os_die_with_parent();
    // Meant for the client's side. The host's loader may know Venus too, and would come back to us.
    unsetenv("VN_DEBUG");
    unsetenv("VTEST_SOCKET_NAME");
    return venus_worker_main((int)fd, &(struct venus_worker_options){.portable = host.portable});
}
