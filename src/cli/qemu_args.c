// hesper qemu-args: what to add to the command line of a QEMU that somebody else starts.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/device/seat.h"
#include "cli/option/values.h"
#include "cli/qemu/qemu.h"

static const char usage[] =
    "usage: hesper qemu-args --socket PATH [OPTIONS]\n"
    "\n"
    "Prints the arguments with which QEMU finds the GPU that 'hesper serve --socket PATH' serves.\n"
    "\n"
    "  --socket PATH            of 'hesper serve'\n"
    "  --memory SIZE            of the guest, which must be shared with hesper [2G]\n"
    "  --input LIST             as of 'hesper serve' [keyboard,pointer,mouse]\n"
    "  --front FRONT            vhost-user, vfio-user, or auto: vhost-user, or vfio-user for a\n"
    "                           QEMU that lacks what that needs [auto]\n"
    "  --format FORMAT          shell: quoted, an option to a line; lines: an argument to a line;\n"
    "                           libvirt: elements for a domain's XML [shell]\n"
    "  --qemu PROGRAM           the one that will be started [qemu-system-MACHINE in PATH]\n"
    "  --placer FILE            QEMU plugin; 'none': do without [beside hesper]\n"
    "  --help\n";

static const char libvirt_head[] =
    "<!-- <domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'> needs the "
    "xmlns,\n"
    "     and, for the guest's memory to be shared with hesper:\n"
    "  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>\n"
    "     The socket and the plugin must be accessible to libvirt's QEMU (user, AppArmor, "
    "SELinux). "
    "-->\n"
    "<qemu:commandline>\n";

// libvirt gives slots of its q35 machines away itself and does not know of our devices: from the
// low numbers on for what it adds, and at the top for what belongs to the chipset.
enum { LIBVIRT_SLOT = 0x15 };

static bool parse_format(const char *text, enum cli_arguments_format *format)
{
    static const char *const names[] = {"shell", "lines", "libvirt"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(text, names[i])) {
            *format = (enum cli_arguments_format)i;
            return true;
        }
    }
    log_error("qemu-args: --format is 'shell', 'lines' or 'libvirt', not '%s'", text);
    return false;
}

int cli_qemu_args(int argc, char **argv)
{
    enum { SOCKET = 256, MEMORY, INPUT, FRONT, FORMAT, QEMU, PLACER, HELP };
    static const struct option options[] = {
        {"socket", required_argument, NULL, SOCKET},
        {"memory", required_argument, NULL, MEMORY},
        {"input", required_argument, NULL, INPUT},
        {"format", required_argument, NULL, FORMAT},
        {"qemu", required_argument, NULL, QEMU},
        {"placer", required_argument, NULL, PLACER},
        {"help", no_argument, NULL, HELP},
        {"front", required_argument, NULL, FRONT},
        {0},
    };
    const char *socket = NULL, *program = NULL, *placer = NULL;
    enum cli_arguments_format format = CLI_FORMAT_SHELL;
    enum cli_front front = CLI_FRONT_AUTO;
    uint64_t memory = 2ull << 30;
    struct cli_seat seat;
    int option;
    cli_seat_init(&seat);
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case SOCKET:
            socket = optarg;
            break;
        case MEMORY:
            if (!cli_parse_memory("qemu-args", optarg, &memory))
                return CLI_USAGE;
            break;
        case INPUT:
            if (!cli_seat_parse(&seat, "qemu-args", optarg))
                return CLI_USAGE;
            break;
        case FRONT:
            if (!cli_front_parse("qemu-args", optarg, &front))
                return CLI_USAGE;
            break;
        case FORMAT:
            if (!parse_format(optarg, &format))
                return CLI_USAGE;
            break;
        case QEMU:
            program = optarg;
            break;
        case PLACER:
            placer = optarg;
            break;
        case 'h':
        case HELP:
            fputs(usage, stdout);
            return CLI_OK;
        default:
            return cli_bad_option("qemu-args", option, argv);
        }
    }
    if (!socket || optind < argc) {
        log_error("qemu-args: say where hesper listens with --socket PATH, and nothing else; see "
                  "'hesper qemu-args --help'");
        return CLI_USAGE;
    }

    struct cli_qemu qemu = {0};
    char placer_socket[CLI_SOCKET_PATH];
    if (!cli_placer_socket(socket, placer_socket))
        return CLI_USAGE;
    if (!cli_qemu_find(&qemu, program) || !cli_qemu_find_placer(&qemu, placer) ||
        !cli_qemu_choose_front(&qemu, front, false, false))
        return CLI_FAILED;
    struct cli_arguments arguments = {0};
    struct cli_gpu_address address = {
        .path = socket, .placer_path = placer_socket, .slot = CLI_LAST_SLOT};
    if (format == CLI_FORMAT_LIBVIRT) {
        address.bus = "pcie.0";
        address.slot = LIBVIRT_SLOT;
    }
    seat.front = qemu.front;
    if (format != CLI_FORMAT_LIBVIRT) // libvirt says this itself
        cli_qemu_add_memory(&arguments, memory, false);
    cli_qemu_add_gpu(&arguments, &qemu, &address);
    cli_seat_add_arguments(&seat, &arguments, socket, address.bus,
                           format == CLI_FORMAT_LIBVIRT ? LIBVIRT_SLOT + 1 : 0);
    bool failed = arguments.failed;
    if (failed) {
        log_error("out of memory");
    } else {
        if (format == CLI_FORMAT_LIBVIRT)
            fputs(libvirt_head, stdout);
        cli_arguments_print(&arguments, format);
        if (format == CLI_FORMAT_LIBVIRT)
            puts("</qemu:commandline>");
        if (qemu.carrier == CLI_CARRIER_PRELOAD)
            log_warning("this QEMU has no plugins; start it with HESPER_PLACER_SOCKET=%s "
                        "LD_PRELOAD=%s",
                        placer_socket, qemu.placer);
    }
    cli_arguments_free(&arguments);
    return failed ? CLI_FAILED : CLI_OK;
}
