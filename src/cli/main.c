#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "os/os.h"
#include "venus/profile.h"

static const char usage[] =
    "Hesper gives virtual machines and programs a real Vulkan GPU through Mesa's Venus driver.\n"
    "\n"
    "usage: hesper COMMAND [OPTIONS]\n"
    "\n"
    "  run --disk FILE              a virtual machine whose GPU is this machine's\n"
    "  serve --socket PATH          only the GPU, for a QEMU that you start yourself\n"
    "  qemu-args --socket PATH      prints what that QEMU must be told\n"
    "  screenshot FILE              what the screen of a running machine shows, as PNG\n"
    "  vtest [--socket PATH]        serve Mesa's Venus driver on a socket, without a virtual "
    "machine\n"
    "  vtest -- PROGRAM [ARGS...]   run one program on a private server\n"
    "  doctor                       checks what this machine has for that, and what a guest gets\n"
    "\n"
    "  --help, --version [--verbose]\n"
    "                               also: hesper COMMAND --help, man hesper\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cli_run},
    {"serve", cli_serve},
    {"qemu-args", cli_qemu_args},
    {"screenshot", cli_screenshot},
    {"vtest", cli_vtest},
    {"doctor", cli_doctor},
    {"worker", cli_worker},
    {"janitor", cli_janitor_main},
};

bool cli_parse_profile(const char *text, struct cli_host *host)
{
    const struct venus_profile *profile = venus_profile_find(text);
    if (!profile) {
        log_error("--host-profile is %s, not '%s'", venus_profile_names(), text);
        return false;
    }
    host->profile = profile->name;
    host->portable = profile->portable;
    return true;
}

bool cli_parse_size(const char *text, uint64_t maximum, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || errno || text[0] == '-')
        return false;
    unsigned shift = 0;
    if (*end && !end[1]) {
        static const char units[] = "kmgt";
        const char *unit = strchr(units, *end | 0x20);
        if (!unit)
            return false;
        shift = 10 * (unsigned)(unit - units + 1);
    } else if (*end) {
        return false;
    }
    if (number > maximum >> shift)
        return false;
    *value = number << shift;
    return true;
}

bool cli_parse_memory(const char *command, const char *text, uint64_t *value)
{
    uint64_t size;
    if (cli_parse_size(text, 1ull << 46, &size) && size >= 64 << 20 && size % (1 << 20) == 0) {
        *value = size;
        return true;
    }
    log_error("%s: --memory is a size in whole mebibytes like 4G, not '%s'", command, text);
    return false;
}

bool cli_parse_page_size(const char *text, struct cli_host *host)
{
    uint64_t size, real = os_page_size();
    if (!cli_parse_size(text, 1u << 20, &size) || !size || (size & (size - 1)) || size < real) {
        log_error("--page-size is a power of two from %llu on, like 16k, not '%s'",
                  (unsigned long long)real, text);
        return false;
    }
    host->page_size = (uint32_t)size;
    return true;
}

void cli_host_apply(const struct cli_host *host)
{
    os_init(&(struct os_options){.portable = host->portable, .page_size = host->page_size});
    if (host->verbose)
        log_set_level(host->verbose > 1 ? LOG_DEBUG : LOG_INFO);
}

int cli_bad_option(const char *command, int result, char **argv)
{
    const char *option = argv[optind - 1];
    char letter[3] = {'-', (char)optopt, 0};
    if (optopt && strncmp(option, "--", 2)) // a letter, maybe one of several
        option = letter;
    if (result == ':')
        log_error("%s: option '%s' needs a value; see 'hesper %s --help'", command, option,
                  command);
    else
        log_error("%s: unknown option '%s'; see 'hesper %s --help'", command, option, command);
    return CLI_USAGE;
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
    if (host->page_size) {
        snprintf(command->page_size, sizeof(command->page_size), "--page-size=%u", host->page_size);
        command->arguments[count++] = command->page_size;
    }
    for (unsigned i = 0; i < host->verbose && i < 2; i++)
        command->arguments[count++] = "--verbose";
    command->arguments[count] = NULL;
    return true;
}

int main(int argc, char **argv)
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
