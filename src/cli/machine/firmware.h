// UEFI for a machine: the firmware's code, which all machines share, and a store of variables that
// is the machine's own and lies beside its disk.
#ifndef CLI_MACHINE_FIRMWARE_H
#define CLI_MACHINE_FIRMWARE_H

#include <stdbool.h>

#include "cli/option/arguments.h"
#include "cli/qemu/qemu.h"

// `wanted`: a file, or "uefi" for that of the distribution or of QEMU. `disk`: beside which the
// variables are kept, as DISK.efivars.fd; NULL: nowhere, they are lost with the machine.
// Errors: false after a log line.
bool cli_firmware_add(struct cli_arguments *arguments, const struct cli_qemu *qemu,
                      const char *wanted, const char *disk);

#endif
