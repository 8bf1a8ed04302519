#include "cli/run_options.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/device/device.h"
#include "cli/option/values.h"

static const char usage[] =
    "usage: hesper run [FILE.toml] [OPTIONS] [-- QEMU ARGUMENTS...]\n"
    "\n"
    "Starts a virtual machine in QEMU (10.1 or newer) whose GPU is this machine's, with the "
    "guest's\n"
    "serial console on the terminal. Ctrl-C, or closing its window, presses the guest's power "
    "button.\n"
    "All options may stand in a file, as TOML: 'hesper init' writes one to begin with.\n"
    "\n"
    "  --disk FILE[,readonly]   a disk, qcow2 or raw; may be repeated. FILE,size=20G makes it, if "
    "it "
    "is\n"
    "                           not there\n"
    "  --cdrom FILE             an ISO image\n"
    "  --iso FILE|URL           an installer's, by UEFI; from a URL it is fetched, checked and "
    "kept\n"
    "  --kernel FILE            a kernel to boot: Linux, or another in an ELF file, with\n"
    "  --initrd FILE              its first files and\n"
    "  --append TEXT              its command line (console= is added in front)\n"
    "  --firmware FILE          instead of QEMU's; 'uefi': found where distributions have it, and "
    "with\n"
    "                           boot entries that are kept beside the first disk "
    "(DISK.efivars.fd)\n"
    "  --memory SIZE            of the guest [2G]\n"
    "  --cpus N                 [2]\n"
    "  --accel NAME             kvm, hvf or tcg [the fastest that can be trusted here]\n"
    "  --net user[,...]         with QEMU's user networking, like user,hostfwd=tcp::2222-:22; "
    "none [user]\n"
    "  --forward [ADDRESS:]PORT:GUEST-PORT\n"
    "                           a port of this machine leads to one of the guest, like 2222:22\n"
    "  --share FOLDER[:NAME]    a folder that the guest has too, in /mnt/NAME\n"
    "  --sound[=DRIVER]         a sound card; DRIVER: one of QEMU's, like wav,path=FILE [this "
    "host's]\n"
    "  --usb VENDOR:PRODUCT     a USB device of this machine, by its numbers in lsusb\n"
    "  --clipboard              text that is copied in the guest can be pasted here, and the "
    "other\n"
    "                           way; the guest's desktop has spice-vdagent\n"
    "  --ssh-key FILE           public keys that may log in as root; the guest has systemd 252 or "
    "newer\n"
    "  --guest-gl zink|off      zink: such a guest draws OpenGL by Vulkan, without a file in it "
    "[zink]\n"
    "  --serial DEVICE          where the serial console is: stdio, none, file:NAME, ... [stdio]\n"
    "  --screenshot FILE        what the screen shows at the end, as PNG\n"
    "  --qemu PROGRAM           [qemu-system-MACHINE in PATH, or that of build/vm]\n"
    "  --placer FILE            QEMU plugin; 'none': do without [beside hesper]\n"
    "  --front FRONT            how QEMU gets the GPU: vfio-user (UEFI's screen is seen), "
    "vhost-user,\n"
    "                           auto: vfio-user with --firmware, where QEMU has it, else "
    "vhost-user,\n"
    "                           or what this QEMU has [auto]\n";

static bool parse_accelerator(const char *text, const char **accelerator)
{
    *accelerator = text;
    if (!strcmp(text, "kvm") || !strcmp(text, "hvf") || !strcmp(text, "tcg"))
        return true;
    log_error("run: --accel is 'kvm', 'hvf' or 'tcg', not '%s'", text);
    return false;
}

static bool parse_net(const char *text, const char **net)
{
    *net = text;
    if (!strcmp(text, "none") || !strcmp(text, "user") || !strncmp(text, "user,", 5))
        return true;
    log_error(
        "run: --net is 'user', 'user,...' or 'none', not '%s' (anything else: -- -netdev ...)",
        text);
    return false;
}

static bool parse_guest_gl(const char *text, bool *zink)
{
    *zink = !strcmp(text, "zink");
    if (*zink || !strcmp(text, "off"))
        return true;
    log_error("run: --guest-gl is 'zink' or 'off', not '%s'", text);
    return false;
}

static bool add_disk(struct cli_machine *machine, const char *disk)
{
    if (machine->disk_count == CLI_MAX_DISKS) {
        log_error("run: at most %d disks", CLI_MAX_DISKS);
        return false;
    }
    machine->disks[machine->disk_count++] = disk;
    return true;
}

static bool add_forward(struct cli_machine *machine, const char *text)
{
    if (machine->forward_count == CLI_MAX_FORWARDS) {
        log_error("run: at most %d forwarded ports", CLI_MAX_FORWARDS);
        return false;
    }
    return cli_forward_parse(&machine->forwards[machine->forward_count++], text);
}

static bool add_usb(struct cli_machine *machine, const char *text)
{
    if (machine->usb_count == CLI_MAX_USB) {
        log_error("run: at most %d USB devices", CLI_MAX_USB);
        return false;
    }
    return cli_usb_parse(&machine->usb[machine->usb_count++], text);
}

static bool parse_cpus(const char *text, uint32_t *cpus)
{
    uint64_t number;
    bool good = cli_parse_size(text, 255, &number) && number;
    if (good)
        *cpus = (uint32_t)number;
    else
        log_error("run: --cpus is a number from 1 to 255, not '%s'", text);
    return good;
}

int cli_run_options_parse(struct cli_run_options *run, struct cli_device *device, int argc,
                          char **argv, bool *done)
{
    enum {
        DISK = 256,
        CDROM,
        ISO,
        KERNEL,
        INITRD,
        APPEND,
        FIRMWARE,
        MEMORY,
        CPUS,
        ACCEL,
        NET,
        FORWARD,
        SHARE,
        SOUND,
        USB,
        CLIPBOARD,
        SSH_KEY,
        GUEST_GL,
        SERIAL,
        SCREENSHOT,
        QEMU,
        PLACER,
        FRONT,
        HELP
    };
    static const struct option options[] = {
        {"disk", required_argument, NULL, DISK},
        {"cdrom", required_argument, NULL, CDROM},
        {"iso", required_argument, NULL, ISO},
        {"kernel", required_argument, NULL, KERNEL},
        {"initrd", required_argument, NULL, INITRD},
        {"append", required_argument, NULL, APPEND},
        {"firmware", required_argument, NULL, FIRMWARE},
        {"memory", required_argument, NULL, MEMORY},
        {"cpus", required_argument, NULL, CPUS},
        {"accel", required_argument, NULL, ACCEL},
        {"net", required_argument, NULL, NET},
        {"forward", required_argument, NULL, FORWARD},
        {"share", required_argument, NULL, SHARE},
        {"sound", optional_argument, NULL, SOUND},
        {"usb", required_argument, NULL, USB},
        {"clipboard", no_argument, NULL, CLIPBOARD},
        {"ssh-key", required_argument, NULL, SSH_KEY},
        {"guest-gl", required_argument, NULL, GUEST_GL},
        {"serial", required_argument, NULL, SERIAL},
        {"screenshot", required_argument, NULL, SCREENSHOT},
        {"qemu", required_argument, NULL, QEMU},
        {"placer", required_argument, NULL, PLACER},
        {"front", required_argument, NULL, FRONT},
        CLI_DEVICE_OPTIONS,
        {"help", no_argument, NULL, HELP},
        {0},
    };
    struct cli_machine *machine = &run->machine;
    int option;
    bool good = true, gl_said = false;
    cli_machine_init(machine);
    if (!cli_machine_file_read(&run->file, options, argc, argv))
        return CLI_USAGE;
    argv = run->file.arguments.items;
    argc = (int)run->file.arguments.count;
    opterr = 0;
    while (good && (option = getopt_long(argc, argv, "+:vh", options, NULL)) != -1) {
        cli_machine_file_blame(&run->file, optind - 1);
        switch (option) {
        case DISK:
            good = add_disk(machine, optarg);
            break;
        case CDROM:
            machine->cdrom = optarg;
            break;
        case ISO:
            machine->iso = optarg;
            break;
        case KERNEL:
            machine->kernel = optarg;
            break;
        case INITRD:
            machine->initrd = optarg;
            break;
        case APPEND:
            machine->append = optarg;
            break;
        case FIRMWARE:
            machine->firmware = optarg;
            break;
        case MEMORY:
            good = cli_parse_memory("run", optarg, &machine->memory);
            break;
        case CPUS:
            good = parse_cpus(optarg, &machine->cpus);
            break;
        case ACCEL:
            good = parse_accelerator(optarg, &machine->accelerator);
            break;
        case NET:
            good = parse_net(optarg, &machine->net);
            break;
        case FORWARD:
            good = add_forward(machine, optarg);
            break;
        case SHARE:
            good = cli_shares_add(&machine->shares, optarg);
            break;
        case SOUND:
            machine->sound = optarg ? optarg : "";
            break;
        case USB:
            good = add_usb(machine, optarg);
            break;
        case CLIPBOARD:
            machine->clipboard = device->displays.clipboard = true;
            break;
        case SSH_KEY:
            machine->guest.ssh_key = optarg;
            break;
        case GUEST_GL:
            good = parse_guest_gl(optarg, &machine->guest.gl);
            gl_said = true;
            break;
        case SERIAL:
            machine->serial = optarg;
            break;
        case SCREENSHOT:
            run->screenshot = optarg;
            break;
        case QEMU:
            run->program = optarg;
            break;
        case PLACER:
            run->placer = optarg;
            break;
        case FRONT:
            good = cli_front_parse("run", optarg, &run->front);
            break;
        case 'h':
        case HELP:
            printf("%s%s  --help\n", usage, cli_device_usage);
            *done = true;
            return CLI_OK;
        default:
            good = cli_device_option(device, "run", option, argv);
        }
    }
    log_set_tag("");
    if (!gl_said)
        machine->guest.gl = device->options.device.venus;
    if (good && optind < argc) {
        if (strcmp(argv[optind - 1], "--")) {
            log_error("run: '%s' is no option; what is for QEMU goes behind '--'", argv[optind]);
            good = false;
        }
        machine->rest = argv + optind;
    }
    if (good && !machine->kernel && !machine->disk_count && !machine->cdrom && !machine->iso &&
        !machine->rest) {
        log_error("run: nothing to boot: give a file, --disk, --iso, --cdrom or --kernel; see "
                  "'hesper run "
                  "--help'");
        good = false;
    }
    if (machine->iso && !machine->firmware)
        machine->firmware = "uefi";
    if (good && machine->iso && machine->cdrom) {
        log_error("run: --iso and --cdrom are one drive: give one of them");
        good = false;
    }
    if (good && machine->forward_count && !strcmp(machine->net, "none")) {
        log_error("run: --forward needs a network, and --net is 'none'");
        good = false;
    }
    return good ? CLI_OK : CLI_USAGE;
}
