// hesper record-screen: a video of what the screen of a running virtual machine shows.
//
// The recorder is a display that joins the machine (cli_displays_join), and this process becomes
// it: it belongs to the terminal, ends with Ctrl-C, and costs a machine that nobody records
// nothing.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/device/displays.h"
#include "cli/join.h"
#include "cli/machines.h"
#include "cli/option/values.h"
#include "gpu/output.h"

static const char usage[] =
    "usage: hesper record-screen [OPTIONS] FILE.mp4|FILE.webm\n"
    "\n"
    "Records what the screen of a virtual machine of 'hesper run' or 'hesper serve' shows, until\n"
    "Ctrl-C or the machine's end. Needs the program ffmpeg, which encodes.\n"
    "\n"
    "  --output N               which of its screens, from 0 [0]\n"
    "  --seconds N              ends after so many seconds\n"
    "  --rate N                 pictures in a second, at most, from 1 to 240 [60]\n"
    "  --machine NAME           of which machine of 'hesper list' [the one that runs]\n"
    "  --control PATH           of the machine with this control socket\n"
    "  --help\n";

struct wanted {
    uint64_t output, seconds, rate;
    const char *machine, *control, *file;
};

static bool is_video(const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot && (!strcmp(dot, ".mp4") || !strcmp(dot, ".webm"));
}

static bool number(const char *option, const char *text, uint64_t least, uint64_t most,
                   uint64_t *value)
{
    if (cli_parse_size(text, most, value) && *value >= least)
        return true;
    log_error("record-screen: --%s is a number from %llu to %llu, not '%s'", option,
              (unsigned long long)least, (unsigned long long)most, text);
    return false;
}

// Returns CLI_OK, or another status; -1: go on.
static int parse(int argc, char **argv, struct wanted *wanted)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"seconds", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"machine", required_argument, NULL, 'm'},
        {"control", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool good = true;
    int option;
    opterr = 0;
    while (good && (option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case 'o':
            good = number("output", optarg, 0, GPU_MAX_OUTPUTS - 1, &wanted->output);
            break;
        case 's':
            good = number("seconds", optarg, 1, 1000000, &wanted->seconds);
            break;
        case 'r':
            good = number("rate", optarg, 1, 240, &wanted->rate);
            break;
        case 'm':
            wanted->machine = optarg;
            break;
        case 'c':
            wanted->control = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return CLI_OK;
        default:
            return cli_bad_option("record-screen", option, argv);
        }
    }
    if (!good)
        return CLI_USAGE;
    if (optind != argc - 1 || !is_video(argv[optind])) {
        log_error("record-screen: say one file to write, FILE.mp4 or FILE.webm; see 'hesper "
                  "record-screen --help'");
        return CLI_USAGE;
    }
    wanted->file = argv[optind];
    return -1;
}

static void become_recorder(const struct wanted *wanted, const char *program, int fd)
{
    char numbers[4][24];
    snprintf(numbers[0], sizeof(numbers[0]), "%d", fd);
    snprintf(numbers[1], sizeof(numbers[1]), "%u", (unsigned)wanted->output);
    snprintf(numbers[2], sizeof(numbers[2]), "%u", (unsigned)wanted->seconds);
    snprintf(numbers[3], sizeof(numbers[3]), "%u", (unsigned)wanted->rate);
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
    int status = parse(argc, argv, &wanted);
    if (status >= 0)
        return status;
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
