// hesper screenshot: what the screen of a running virtual machine shows.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/device/displays.h"
#include "cli/join.h"
#include "cli/machines.h"
#include "cli/option/values.h"
#include "gpu/output.h"
#include "os/process.h"

static const char usage[] =
    "usage: hesper screenshot [OPTIONS] FILE.png\n"
    "\n"
    "Writes what the screen of a virtual machine of 'hesper run' or 'hesper serve' shows now.\n"
    "\n"
    "  --output N               which of its screens, from 0 [0]\n"
    "  --machine NAME           of which machine of 'hesper list' [the one that runs]\n"
    "  --control PATH           of the machine with this control socket\n"
    "  --help\n";

// As a display that has joined the machine. Returns its exit status.
static int take(const char *program, const char *file, uint64_t output, int fd)
{
    char number[24], link[12];
    snprintf(number, sizeof(number), "%u", (unsigned)output);
    snprintf(link, sizeof(link), "%d", OS_CHILD_FD);
    const char *const command[] = {program, "--screenshot", file, "--output",
                                   number,  "--fd",         link, NULL};
    int status = 0;
    pid_t pid = os_spawn_child(command, &fd, 1);
    close(fd);
    if (pid < 0) {
        log_error("no screenshot: cannot start '%s': %s", program, strerror(-pid));
        return CLI_FAILED;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CLI_OK : CLI_FAILED;
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
    char path[108] = "", program[4096];
    struct cli_joined joined;
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
        !cli_displays_find("hesper-image", program) || !cli_join("screenshot", path, &joined))
        return CLI_FAILED;
    if (!joined.connected) {
        log_error("no screenshot: no guest is connected");
        close(joined.fd);
        return CLI_FAILED;
    }
    int status = take(program, argv[optind], output, joined.fd);
    if (status == CLI_OK && !(joined.outputs_on >> output & 1))
        log_warning(
            "the guest has switched this screen off: the picture is the last one, or black");
    return status;
}
