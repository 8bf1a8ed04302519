// hesper screenshot: what the screen of a running virtual machine shows.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/device/control.h"
#include "cli/machines.h"
#include "cli/option/values.h"
#include "gpu/output.h"

static const char usage[] =
    "usage: hesper screenshot [OPTIONS] FILE.png\n"
    "\n"
    "Writes what the screen of a virtual machine of 'hesper run' or 'hesper serve' shows now.\n"
    "\n"
    "  --output N               which of its screens, from 0 [0]\n"
    "  --machine NAME           of which machine of 'hesper list' [the one that runs]\n"
    "  --control PATH           of the machine with this control socket\n"
    "  --help\n";

static bool request_text(char *request, size_t size, uint64_t output, const char *file)
{
    char folder[4096] = "";
    if (file[0] != '/' && !getcwd(folder, sizeof(folder))) {
        log_error("the current folder has no path: %s", strerror(errno));
        return false;
    }
    if (snprintf(request, size, "screenshot %llu %s%s%s", (unsigned long long)output, folder,
                 folder[0] ? "/" : "", file) < (int)size)
        return true;
    log_error("the path '%s' is too long", file);
    return false;
}

int cli_screenshot(int argc, char **argv)
{
    enum { OUTPUT = 256, MACHINE, CONTROL, HELP };
    static const struct option options[] = {
        {"output", required_argument, NULL, OUTPUT},
        {"machine", required_argument, NULL, MACHINE},
        {"control", required_argument, NULL, CONTROL},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    char path[108] = "", request[4600], error[256];
    const char *machine = NULL;
    uint64_t output = 0;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case OUTPUT:
            if (!cli_parse_size(optarg, GPU_MAX_OUTPUTS - 1, &output)) {
                log_error("screenshot: --output is a number from 0 to %d, not '%s'",
                          GPU_MAX_OUTPUTS - 1, optarg);
                return CLI_USAGE;
            }
            break;
        case MACHINE:
            machine = optarg;
            break;
        case CONTROL:
            snprintf(path, sizeof(path), "%s", optarg);
            break;
        case 'h':
        case HELP:
            fputs(usage, stdout);
            return CLI_OK;
        default:
            return cli_bad_option("screenshot", option, argv);
        }
    }
    if (optind != argc - 1) {
        log_error("screenshot: say one file to write; see 'hesper screenshot --help'");
        return CLI_USAGE;
    }
    if ((!path[0] && !cli_machine_find("screenshot", machine, path)) ||
        !request_text(request, sizeof(request), output, argv[optind]))
        return CLI_FAILED;
    char *answer = cli_control_ask(path, request, error, sizeof(error));
    if (!answer) {
        log_error("no screenshot: the machine at '%s' does not answer: %s", path, error);
        return CLI_FAILED;
    }
    struct json whole, member;
    char reason[256] = "its answer is not understood";
    bool good = json_parse(answer, strlen(answer), &whole) && json_member(whole, "ok", &member);
    if (!good) {
        if (json_parse(answer, strlen(answer), &whole) && json_member(whole, "error", &member))
            json_copy(member, reason, sizeof(reason));
        log_error("no screenshot: %s", reason);
    }
    if (good && json_member(whole, "off", &member) && json_is(member, 't'))
        log_warning(
            "the guest has switched this screen off: the picture is the last one, or black");
    free(answer);
    return good ? CLI_OK : CLI_FAILED;
}
