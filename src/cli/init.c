// hesper init: a machine's file to begin with.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "base/utf8.h"
#include "cli/cli.h"

static const char usage[] =
    "usage: hesper init [NAME]\n"
    "\n"
    "Writes NAME.toml [machine.toml], the file of a machine, with what most people set in it.\n"
    "Then: hesper run NAME.toml\n"
    "\n";

// "%1$s" is the machine's name; "%2$s" is a quote, if a shell needs one.
static const char text[] =
    "# A virtual machine: hesper run %2$s%1$s.toml%2$s\n"
    "#\n"
    "# Every option of 'hesper run --help' may stand here, without its dashes. What may be "
    "repeated\n"
    "# there is a list here. Names of files are those of this folder, \"~/\" is your home. "
    "Options\n"
    "# of the command line come after these: hesper run %2$s%1$s.toml%2$s --memory 8G\n"
    "\n"
    "name = \"%1$s\"\n"
    "disk = [\"%1$s.img,size=20G\"]    # made, if it is not there; or a qcow2 file\n"
    "# iso = \"installer.iso\"         # or a URL\n"
    "firmware = \"uefi\"\n"
    "memory = \"4G\"\n"
    "cpus = 2\n"
    "\n"
    "# display = [\"window\"]          # or \"vnc\", \"web=5800\", \"none\"\n"
    "# resolution = \"1920x1080\"\n"
    "# sound = true\n"
    "# share = [\"~/shared\"]          # in the guest: /mnt/shared\n"
    "# forward = [\"2222:22\"]         # then: ssh -p 2222 root@127.0.0.1, with\n"
    "# ssh-key = \"~/.ssh/id_ed25519.pub\"\n"
    "# clipboard = true             # the guest's desktop has spice-vdagent\n"
    "# usb = [\"046d:c52b\"]           # as lsusb says them\n"
    "\n"
    "# gpu = \"radeon\"                # by a part of its name; all: without this line\n"
    "# gpu-memory = \"4G\"\n"
    "\n"
    "# For QEMU, as it is:\n"
    "# qemu-arguments = [\"-device\", \"virtio-balloon-pci\"]\n";

// Can a file in this folder be called so, in a shell and in TOML too?
static bool is_good(const char *name)
{
    size_t length = strlen(name);
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            return false;
    return length && length < 64 && !strpbrk(name, "\"'\\/%") && *name != '-' && *name != '.' &&
           utf8_is_text(name, length);
}

int cli_init(int argc, char **argv)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    static const char suffix[] = ".toml";
    const struct options options = {.program = "hesper init", .usage = usage};
    char name[300] = "machine", file[310];
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (first < argc)
        snprintf(name, sizeof(name), "%s", argv[first++]);
    size_t length = strlen(name), end = sizeof(suffix) - 1;
    if (length > end && !strcmp(name + length - end, suffix))
        name[length - end] = 0;
    if (first < argc || !is_good(name)) {
        log_error("init: give one name, at most 63 bytes of text, without '/', '\\', '%%' and "
                  "quotes, and with neither '-' nor '.' in front");
        return CLI_USAGE;
    }
    const char *quote = name[strspn(name, plain)] ? "'" : "";
    snprintf(file, sizeof(file), "%s.toml", name);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
    if (!to || fprintf(to, text, name, quote) < 0 || fclose(to)) {
        log_error("init: cannot write '%s': %s", file, strerror(errno));
        return CLI_FAILED;
    }
    printf("%s is written. Look into it, then: hesper run %s%s%s\n", file, quote, file, quote);
    return CLI_OK;
}
