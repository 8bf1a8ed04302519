#include "cli/run_options.h"

#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/device.h"
#include "cli/machine/disk.h"
#include "cli/option/values.h"

static const char usage[] =
    "usage: hesper run [FILE.toml] [OPTIONS] [-- QEMU ARGUMENTS...]\n"
    "\n"
    "Starts a virtual machine in QEMU (11.1 or newer) whose GPU is this machine's, with the\n"
    "guest's serial console on the terminal. Ctrl-C, or closing its window, presses the guest's\n"
    "power button. All options may stand in a file, as TOML: 'hesper init' writes one to begin\n"
    "with.\n"
    "\n";

static bool take_accelerator(const char *label, const char *text, void *to)
{
    static const char *const names[] = {"kvm", "hvf", "tcg", NULL};
    *(const char **)to = text;
    return option_choice(label, "accel", names, text) >= 0;
}

static bool take_net(const char *label, const char *text, void *to)
{
    *(const char **)to = text;
    if (!strcmp(text, "none") || !strcmp(text, "user") || !strncmp(text, "user,", 5))
        return true;
    log_error("%s: --net is 'user', 'user,...' or 'none', not '%s' (anything else: -- -netdev ...)",
              label, text);
    return false;
}

// True while a list has room for one more.
static bool room(const char *label, unsigned count, unsigned most, const char *what)
{
    if (count == most)
        log_error("%s: at most %u %s", label, most, what);
    return count < most;
}

static bool add_disk(const char *label, const char *text, void *to)
{
    struct cli_machine *machine = to;
    bool good =
        room(label, machine->disk_count, CLI_MAX_DISKS, "disks") && cli_disk_parse(label, text);
    if (good)
        machine->disks[machine->disk_count++] = text;
    return good;
}

static bool add_forward(const char *label, const char *text, void *to)
{
    struct cli_machine *machine = to;
    return room(label, machine->forward_count, CLI_MAX_FORWARDS, "forwarded ports") &&
           cli_forward_parse(&machine->forwards[machine->forward_count++], text);
}

static bool add_share(const char *label, const char *text, void *to)
{
    struct cli_shares *shares = to;
    bool good = room(label, shares->count, CLI_MAX_SHARES, "folders");
    if (good)
        shares->list[shares->count++].text = text;
    return good;
}

static bool add_usb(const char *label, const char *text, void *to)
{
    struct cli_machine *machine = to;
    return room(label, machine->usb_count, CLI_MAX_USB, "USB devices") &&
           cli_usb_parse(&machine->usb[machine->usb_count++], text);
}

static const struct option_row rows[] = {
    {"disk", "FILE[,readonly]",
     "a disk, qcow2 or raw; may be repeated. FILE,size=20G makes it, if it is not there",
     OPTION_TAKE(struct cli_run_options, machine, add_disk)},
    {"cdrom", "FILE", "an ISO image", OPTION_TEXT(struct cli_run_options, machine.cdrom)},
    {"iso", "FILE|URL", "an installer's, by UEFI; from a URL it is fetched, checked and kept",
     OPTION_TEXT(struct cli_run_options, machine.iso)},
    {"kernel", "FILE", "a kernel to boot: Linux, or another in an ELF file, with",
     OPTION_TEXT(struct cli_run_options, machine.kernel)},
    {"initrd", "FILE", "its first files and", OPTION_TEXT(struct cli_run_options, machine.initrd)},
    {"append", "TEXT", "its command line (console= is added in front)",
     OPTION_TEXT(struct cli_run_options, machine.append)},
    {"firmware", "FILE",
     "instead of QEMU's, a BIOS that only the serial console shows; 'uefi': found where "
     "distributions have it, and with boot entries that are kept beside the first disk "
     "(DISK.efivars.fd)",
     OPTION_TEXT(struct cli_run_options, machine.firmware)},
    {"memory", "SIZE", "of the guest [2G]",
     OPTION_TAKE(struct cli_run_options, machine.memory, cli_take_memory)},
    {"cpus", "N", "[2]", OPTION_NUMBER(struct cli_run_options, machine.cpus, 1, 255)},
    {"accel", "NAME", "kvm, hvf or tcg [the fastest that can be trusted here]",
     OPTION_TAKE(struct cli_run_options, machine.accelerator, take_accelerator)},
    {"net", "user[,...]",
     "with QEMU's user networking, like user,hostfwd=tcp::2222-:22; none [user]",
     OPTION_TAKE(struct cli_run_options, machine.net, take_net)},
    {"forward", "[ADDRESS:]PORT:GUEST-PORT",
     "a port of this machine leads to one of the guest, like 2222:22",
     OPTION_TAKE(struct cli_run_options, machine, add_forward)},
    {"share", "FOLDER[:NAME]", "a folder that the guest has too, in /mnt/NAME",
     OPTION_TAKE(struct cli_run_options, machine.shares, add_share)},
    {"sound", "[=DRIVER]", "a sound card; DRIVER: one of QEMU's, like wav,path=FILE [this host's]",
     OPTION_TEXT(struct cli_run_options, machine.sound)},
    {"usb", "VENDOR:PRODUCT", "a USB device of this machine, by its numbers in lsusb",
     OPTION_TAKE(struct cli_run_options, machine, add_usb)},
    {"clipboard", NULL,
     "text that is copied in the guest can be pasted here, and the other way; the guest's desktop "
     "has spice-vdagent",
     OPTION_FLAG(struct cli_run_options, machine.clipboard)},
    {"ssh-key", "FILE", "public keys that may log in as root; the guest has systemd 252 or newer",
     OPTION_TEXT(struct cli_run_options, machine.guest.ssh_key)},
    {"guest-gl", "zink|off",
     "zink: such a guest draws OpenGL by Vulkan, without a file in it [zink]",
     OPTION_CHOICE(struct cli_run_options, guest_gl, cli_guest_gl)},
    {"serial", "DEVICE", "where the serial console is: stdio, none, file:NAME, ... [stdio]",
     OPTION_TEXT(struct cli_run_options, machine.serial)},
    {"screenshot", "FILE", "what the screen shows at the end, as PNG",
     OPTION_TEXT(struct cli_run_options, screenshot)},
    {"qemu", "PROGRAM", "[qemu-system-MACHINE in PATH, or that of build/vm]",
     OPTION_TEXT(struct cli_run_options, program)},
    {"placer", "FILE", "QEMU plugin; 'none': do without [beside hesper]",
     OPTION_TEXT(struct cli_run_options, placer)},
    {"front", "FRONT",
     "how QEMU gets the GPU: vfio-user (UEFI's screen is seen), vhost-user, auto: vfio-user with "
     "--firmware, where QEMU has it, else vhost-user, or what this QEMU has: 10.1 to 11.0, which "
     "were not tried, have vfio-user only [auto]",
     OPTION_CHOICE(struct cli_run_options, front, cli_front_names)},
    {0},
};

static void blame(void *data, int index)
{
    cli_machine_file_blame(data, index);
}

// What cannot be together, or is missing. NULL: nothing.
static const char *mistake(const struct cli_machine *machine)
{
    if (!machine->kernel && !machine->disk_count && !machine->cdrom && !machine->iso &&
        !machine->rest)
        return "nothing to boot: give a file, --disk, --iso, --cdrom or --kernel; see 'hesper run "
               "--help'";
    if (machine->iso && machine->cdrom)
        return "--iso and --cdrom are one drive: give one of them";
    if (!machine->kernel && (machine->initrd || machine->append))
        return "--initrd and --append go with --kernel";
    if (machine->forward_count && !strcmp(machine->net, "none"))
        return "--forward needs a network, and --net is 'none'";
    return NULL;
}

int cli_run_options_parse(struct cli_run_options *run, struct cli_device *device, int argc,
                          char **argv, bool *done)
{
    const struct options options = {
        .program = "hesper run",
        .usage = usage,
        .tables = {{rows, run}, {cli_device_rows, device}, {cli_host_rows, &device->host}},
        .in_order = true,
        .before = blame,
        .data = &run->file,
    };
    struct cli_machine *machine = &run->machine;
    cli_machine_init(machine);
    run->guest_gl = -1;
    if (!cli_machine_file_read(&run->file, &options, argc, argv))
        return CLI_USAGE;
    argv = run->file.arguments.items;
    argc = (int)run->file.arguments.count;
    int first = options_read(&options, argc, argv);
    log_set_tag("");
    *done = !first;
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    device->displays.clipboard = machine->clipboard;
    machine->guest.gl = run->guest_gl < 0 ? device->options.device.venus : run->guest_gl;
    if (first < argc && strcmp(argv[first - 1], "--")) {
        log_error("run: '%s' is no option; what is for QEMU goes behind '--'", argv[first]);
        return CLI_USAGE;
    }
    if (first < argc)
        machine->rest = argv + first;
    if (machine->iso && !machine->firmware)
        machine->firmware = "uefi";
    const char *wrong = mistake(machine);
    if (wrong)
        log_error("run: %s", wrong);
    return wrong ? CLI_USAGE : CLI_OK;
}
