// hesper screenshot: what the screen of a running virtual machine shows.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/displays.h"
#include "cli/join.h"
#include "cli/machines.h"
#include "gpu/output.h"
#include "os/process.h"

static const char usage[] =
    "usage: hesper screenshot [OPTIONS] FILE.png\n"
    "\n"
    "Writes what the screen of a virtual machine of 'hesper run' or 'hesper serve' shows now.\n"
    "\n";

struct wanted {
    uint32_t output;
    const char *machine, *control;
};

static const struct option_row rows[] = {
    {"output", "N", "which of its screens, from 0 [0]",
     OPTION_NUMBER(struct wanted, output, 0, GPU_MAX_OUTPUTS - 1)},
    {"machine", "NAME", "of which machine of 'hesper list' [the one that runs]",
     OPTION_TEXT(struct wanted, machine)},
    {"control", "PATH", "of the machine with this control socket",
     OPTION_TEXT(struct wanted, control)},
    {0},
};

// As a display that has joined the machine. Returns its exit status.
static int take(const char *program, const char *file, uint32_t output, int fd)
{
    char number[24], link[12];
    snprintf(number, sizeof(number), "%u", output);
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
    char path[108], program[4096];
    struct cli_joined joined;
    struct wanted wanted = {.output = 0};
    const struct options options = {
        .program = "hesper screenshot", .usage = usage, .tables = {{rows, &wanted}}};
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (first != argc - 1) {
        log_error("screenshot: say one file to write; see 'hesper screenshot --help'");
        return CLI_USAGE;
    }
    if (wanted.control)
        snprintf(path, sizeof(path), "%s", wanted.control);
    else if (!cli_machine_find("screenshot", wanted.machine, path))
        return CLI_FAILED;
    if (!cli_displays_find("hesper-image", program) || !cli_join("screenshot", path, &joined))
        return CLI_FAILED;
    if (!joined.connected) {
        log_error("no screenshot: no guest is connected");
        close(joined.fd);
        return CLI_FAILED;
    }
    int status = take(program, argv[first], wanted.output, joined.fd);
    if (status == CLI_OK && !(joined.outputs_on >> wanted.output & 1))
        log_warning(
            "the guest has switched this screen off: the picture is the last one, or black");
    return status;
}
