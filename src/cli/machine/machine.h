// The virtual machine of `hesper run`: what the command line asks for, as QEMU's arguments.
#ifndef CLI_MACHINE_MACHINE_H
#define CLI_MACHINE_MACHINE_H

#include "cli/device/seat.h"
#include "cli/machine/clipboard.h"
#include "cli/machine/forward.h"
#include "cli/machine/guest.h"
#include "cli/machine/share.h"
#include "cli/machine/usb.h"
#include "cli/qemu/qemu.h"

enum { CLI_MAX_DISKS = 8 };

struct cli_machine {
    const char *disks[CLI_MAX_DISKS]; // as of disk.h
    unsigned disk_count;
    const char *iso; // as of cli_iso_get, in place of cdrom; NULL: none
    char *iso_file;  // the caller frees it
    const char *cdrom, *kernel, *initrd, *append, *firmware; // NULL: none
    const char *net;                                         // user[,…] or none
    const char *accelerator;                                 // kvm, hvf, tcg; NULL: what fits
    const char *serial;                                      // a chardev of QEMU's; stdio
    const char *name;
    struct cli_guest guest;
    struct cli_shares shares;
    struct cli_forward forwards[CLI_MAX_FORWARDS];
    unsigned forward_count;
    struct cli_usb usb[CLI_MAX_USB];
    unsigned usb_count;
    bool clipboard;    // of the host: a port for the guest's agent
    const char *sound; // as of cli_sound_add; NULL: no sound card
    uint64_t memory;   // bytes
    uint32_t cpus;
    int monitor_fd, agent_fd; // of QEMU's, for its monitor and a port to a guest agent (-1: none)
    const struct cli_seat *seat; // its devices come through descriptors; NULL: no input
    char **rest;                 // QEMU's own arguments
};

void cli_machine_init(struct cli_machine *machine);
// False after a log line: something that it names is not there.
bool cli_machine_check(struct cli_machine *machine);
// Makes the disks that are not there yet. False after a log line.
bool cli_machine_make_disks(const struct cli_machine *machine);
// QEMU's own arguments name a port for a guest agent already.
bool cli_machine_has_agent(const struct cli_machine *machine);
// All arguments, the program's name first. False after a log line.
bool cli_machine_arguments(const struct cli_machine *machine, const struct cli_qemu *qemu,
                           bool portable, const struct cli_gpu_address *gpu,
                           struct cli_arguments *arguments);

#endif
