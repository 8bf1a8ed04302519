// hesper qemu-args: what to add to the command line of a QEMU that somebody else starts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/device/seat.h"
#include "cli/machine/clipboard.h"
#include "cli/machine/guest.h"
#include "cli/machine/share.h"
#include "cli/option/values.h"
#include "cli/qemu/qemu.h"

static const char usage[] =
    "usage: hesper qemu-args --socket PATH [OPTIONS]\n"
    "\n"
    "Prints the arguments with which QEMU finds the GPU that 'hesper serve --socket PATH' serves.\n"
    "\n";

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

static const char *const formats[] = {"shell", "lines", "libvirt", NULL};

struct wanted {
    const char *socket, *program, *placer;
    uint64_t memory;
    struct cli_seat seat;
    bool clipboard;
    struct cli_guest guest;
    int guest_gl;
    enum cli_front front;
    enum cli_arguments_format format;
};

static const struct option_row rows[] = {
    {"socket", "PATH", "of 'hesper serve'", OPTION_TEXT(struct wanted, socket)},
    {"memory", "SIZE", "of the guest, which must be shared with hesper [2G]",
     OPTION_TAKE(struct wanted, memory, cli_take_memory)},
    {"input", "LIST", "as of 'hesper serve' [keyboard,pointer,mouse]",
     OPTION_TAKE(struct wanted, seat, cli_seat_parse)},
    {"clipboard", NULL, "as of 'hesper serve'", OPTION_FLAG(struct wanted, clipboard)},
    {"ssh-key", "FILE", "as of 'hesper run'", OPTION_TEXT(struct wanted, guest.ssh_key)},
    {"guest-gl", "zink|off", "as of 'hesper run' [off]",
     OPTION_CHOICE(struct wanted, guest_gl, cli_guest_gl)},
    {"front", "FRONT",
     "vhost-user, vfio-user, or auto: vhost-user, or vfio-user for a QEMU that lacks what that "
     "needs [auto]",
     OPTION_CHOICE(struct wanted, front, cli_front_names)},
    {"format", "FORMAT",
     "shell: quoted, an option to a line; lines: an argument to a line; libvirt: elements for a "
     "domain's XML [shell]",
     OPTION_CHOICE(struct wanted, format, formats)},
    {"qemu", "PROGRAM", "the one that will be started [qemu-system-MACHINE in PATH]",
     OPTION_TEXT(struct wanted, program)},
    {"placer", "FILE", "QEMU plugin; 'none': do without [beside hesper]",
     OPTION_TEXT(struct wanted, placer)},
    {0},
};

// Whether each argument fits what a format has for it.
static bool fits(const struct cli_arguments *arguments, enum cli_arguments_format format)
{
    for (size_t i = 0; format == CLI_FORMAT_LINES && i < arguments->count; i++) {
        if (!strchr(arguments->items[i], '\n'))
            continue;
        log_error("qemu-args: what --ssh-key and --guest-gl need has several lines: --format lines "
                  "cannot print it, shell and libvirt can");
        return false;
    }
    return true;
}

int cli_qemu_args(int argc, char **argv)
{
    struct wanted wanted = {.memory = 2ull << 30};
    const struct options options = {
        .program = "hesper qemu-args", .usage = usage, .tables = {{rows, &wanted}}};
    cli_seat_init(&wanted.seat);
    int first = options_read(&options, argc, argv);
    if (first <= 0)
        return first ? CLI_USAGE : CLI_OK;
    if (!wanted.socket || first < argc) {
        log_error("qemu-args: say where hesper listens with --socket PATH, and nothing else; see "
                  "'hesper qemu-args --help'");
        return CLI_USAGE;
    }

    struct cli_qemu qemu = {0};
    char placer_socket[CLI_SOCKET_PATH];
    if (!cli_placer_socket(wanted.socket, placer_socket))
        return CLI_USAGE;
    if (!cli_qemu_find(&qemu, wanted.program) || !cli_qemu_find_placer(&qemu, wanted.placer) ||
        !cli_qemu_choose_front(&qemu, wanted.front, false, false))
        return CLI_FAILED;
    struct cli_arguments arguments = {0};
    struct cli_gpu_address address = {
        .path = wanted.socket, .placer_path = placer_socket, .slot = CLI_LAST_SLOT};
    if (wanted.format == CLI_FORMAT_LIBVIRT) {
        address.bus = "pcie.0";
        address.slot = LIBVIRT_SLOT;
    }
    wanted.seat.front = qemu.front;
    wanted.guest.gl = wanted.guest_gl;
    if (wanted.format != CLI_FORMAT_LIBVIRT) // libvirt says this itself
        cli_qemu_add_memory(&arguments, wanted.memory, false);
    cli_qemu_add_gpu(&arguments, &qemu, &address);
    cli_seat_add_arguments(&wanted.seat, &arguments, wanted.socket, address.bus,
                           wanted.format == CLI_FORMAT_LIBVIRT ? LIBVIRT_SLOT + 1 : 0);
    if (wanted.clipboard)
        cli_clipboard_add(&arguments, wanted.socket, address.bus,
                          wanted.format == CLI_FORMAT_LIBVIRT ? LIBVIRT_SLOT - 1 : 0);
    bool made = cli_guest_add(&wanted.guest, &(struct cli_shares){0}, &arguments);
    if (made && arguments.failed) {
        log_error("out of memory");
        made = false;
    }
    bool printed = made && fits(&arguments, wanted.format);
    if (printed) {
        if (wanted.format == CLI_FORMAT_LIBVIRT)
            fputs(libvirt_head, stdout);
        cli_arguments_print(&arguments, wanted.format);
        if (wanted.format == CLI_FORMAT_LIBVIRT)
            puts("</qemu:commandline>");
        if (qemu.carrier == CLI_CARRIER_PRELOAD)
            log_warning("this QEMU has no plugins; start it with HESPER_PLACER_SOCKET=%s "
                        "LD_PRELOAD=%s",
                        placer_socket, qemu.placer);
    }
    cli_arguments_free(&arguments);
    return printed ? CLI_OK : made ? CLI_USAGE : CLI_FAILED;
}
