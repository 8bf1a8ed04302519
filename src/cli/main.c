// The commands of hesper.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/device/janitor.h"

static const char usage[] =
    "Hesper gives virtual machines and programs a real Vulkan GPU through Mesa's Venus driver.\n"
    "\n"
    "usage: hesper COMMAND [OPTIONS]\n"
    "\n"
    "  run --disk FILE              a virtual machine whose GPU is this machine's\n"
    "  init [NAME]                  writes a machine's file, for 'run NAME.toml'\n"
    "  serve --socket PATH          only the GPU, for a QEMU that you start yourself\n"
    "  qemu-args --socket PATH      prints what that QEMU must be told\n"
    "  list                         the machines that run\n"
    "  stop [NAME]                  presses a machine's power button and waits for its end\n"
    "  pause [NAME]                 a machine stands still until it is resumed\n"
    "  resume [NAME]                it goes on\n"
    "  screenshot FILE              what the screen of a running machine shows, as PNG\n"
    "  record-screen FILE           the same as a video, until Ctrl-C\n"
    "  vtest [--socket PATH]        serve Mesa's Venus driver on a socket, without a virtual "
    "machine\n"
    "  vtest -- PROGRAM [ARGS...]   run one program on a private server\n"
    "  trace -- PROGRAM [ARGS...]   the Vulkan commands of a program, or of a guest, one a line\n"
    "  top                          what the programs of guests hold and do, live\n"
    "  doctor                       checks what this machine has for that, and what a guest gets\n"
    "\n"
    "  --help, --version [--verbose]\n"
    "                               also: hesper COMMAND --help, man hesper\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cli_run},
    {"init", cli_init},
    {"serve", cli_serve},
    {"qemu-args", cli_qemu_args},
    {"screenshot", cli_screenshot},
    {"record-screen", cli_record_screen},
    {"list", cli_list},
    {"stop", cli_stop},
    {"pause", cli_pause},
    {"resume", cli_resume},
    {"vtest", cli_vtest},
    {"trace", cli_trace},
    {"top", cli_top},
    {"doctor", cli_doctor},
    {"worker", cli_worker},
    {"janitor", cli_janitor},
    {"starter", cli_starter},
};

// Else the first socket or file would be taken for what is not there.
static void fill_standard_descriptors(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd >= 0)
        close(fd);
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        fputs(usage, stdout);
        return CLI_OK;
    }
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        return cli_version(argc > 2 && (!strcmp(argv[2], "--verbose") || !strcmp(argv[2], "-v")));
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(name, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    log_error("unknown %s '%s'; see 'hesper --help'", name[0] == '-' ? "option" : "command", name);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    int status = run_command(argc, argv);
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    log_error("not all of the output could be written: %s", strerror(errno));
    return status ? status : CLI_FAILED;
}
