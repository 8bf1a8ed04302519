// What a guest is handed before it starts: credentials of systemd, which stock guests with systemd
// 252 or newer read from QEMU's fw_cfg by themselves. Other guests see nothing of them.
#ifndef CLI_MACHINE_GUEST_H
#define CLI_MACHINE_GUEST_H

#include <stdbool.h>

#include "cli/option/arguments.h"

struct cli_shares;

// Values of --guest-gl: what `gl` is for each.
extern const char *const cli_guest_gl[];

struct cli_guest {
    bool gl;             // OpenGL is zink: what docs/desktop.md has a person write
    const char *ssh_key; // file: public keys that may log in as root; NULL: none
};

// Adds them to QEMU's arguments. `shares`: folders that it mounts.
// Errors: false after a log line: a file cannot be taken.
bool cli_guest_add(const struct cli_guest *guest, const struct cli_shares *shares,
                   struct cli_arguments *arguments);

#endif
