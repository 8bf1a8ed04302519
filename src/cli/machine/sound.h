// Sound of a guest: a virtio sound card, whose output the host plays.
#ifndef CLI_MACHINE_SOUND_H
#define CLI_MACHINE_SOUND_H

#include <stdbool.h>

#include "cli/qemu/qemu.h"

// `wanted`: the name of one of QEMU's audio drivers, maybe with its options (wav,path=FILE); "":
// what this host plays sound with.
// Errors: false after a log line: QEMU has no such driver.
bool cli_sound_add(const char *wanted, const struct cli_qemu *qemu,
                   struct cli_arguments *arguments);

#endif
