// hesper record-screen: a video of what the screen of a running virtual machine shows.
//
// The recorder is a display that joins the machine (cli_displays_join), and this process becomes
// it: it belongs to the terminal, ends with Ctrl-C, and costs a machine that nobody records
// nothing.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/displays.h"
#include "cli/join.h"
#include "cli/machines.h"
#include "gpu/output.h"

static const char usage[] =
    "usage: hesper record-screen [OPTIONS] FILE.mp4|FILE.webm\n"
    "\n"
    "Records what the screen of a virtual machine of 'hesper run' or 'hesper serve' shows, until\n"
    "Ctrl-C or the machine's end. Needs the program ffmpeg, which encodes.\n"
    "\n";

struct wanted {
    uint32_t output, seconds, rate;
    const char *machine, *control, *file;
};

static const struct option_row rows[] = {
    {"output", "N", "which of its screens, from 0 [0]",
     OPTION_NUMBER(struct wanted, output, 0, GPU_MAX_OUTPUTS - 1)},
    {"seconds", "N", "ends after so many seconds",
     OPTION_NUMBER(struct wanted, seconds, 1, 1000000)},
    {"rate", "N", "pictures in a second, at most, from 1 to 240 [60]",
     OPTION_NUMBER(struct wanted, rate, 1, 240)},
    {"machine", "NAME", "of which machine of 'hesper list' [the one that runs]",
     OPTION_TEXT(struct wanted, machine)},
    {"control", "PATH", "of the machine with this control socket",
     OPTION_TEXT(struct wanted, control)},
    {0},
};

static bool is_video(const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot && (!strcmp(dot, ".mp4") || !strcmp(dot, ".webm"));
}

static void become_recorder(const struct wanted *wanted, const char *program, int fd)
{
    char numbers[4][24];
    snprintf(numbers[0], sizeof(numbers[0]), "%d", fd);
    snprintf(numbers[1], sizeof(numbers[1]), "%u", wanted->output);
    snprintf(numbers[2], sizeof(numbers[2]), "%u", wanted->seconds);
    snprintf(numbers[3], sizeof(numbers[3]), "%u", wanted->rate);
    char *argv[] = {(char *)program,      "--fd",     numbers[0], "--record",
                    (char *)wanted->file, "--output", numbers[1], "--seconds",
                    numbers[2],           "--rate",   numbers[3], NULL};
    fcntl(fd, F_SETFD, 0); // it goes with us
    execv(program, argv);
    log_error("record-screen: cannot start '%s': %s", program, strerror(errno));
}

int cli_record_screen(int argc, char **argv)
{
    struct wanted wanted = {.rate = 60};
    char control[108], program[4096];
    const struct options options = {
        .program = "hesper record-screen", .usage = usage, .tables = {{rows, &wanted}}};
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (first != argc - 1 || !is_video(argv[first])) {
        log_error("record-screen: say one file to write, FILE.mp4 or FILE.webm; see 'hesper "
                  "record-screen --help'");
        return CLI_USAGE;
    }
    wanted.file = argv[first];
    if (!cli_displays_find("hesper-image", program))
        return CLI_FAILED;
    if (wanted.control)
        snprintf(control, sizeof(control), "%s", wanted.control);
    else if (!cli_machine_find("record-screen", wanted.machine, control))
        return CLI_FAILED;
    struct cli_joined joined;
    if (cli_join("record-screen", control, &joined))
        become_recorder(&wanted, program, joined.fd);
    return CLI_FAILED;
}
