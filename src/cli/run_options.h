// The command line of `hesper run`.
#ifndef CLI_RUN_OPTIONS_H
#define CLI_RUN_OPTIONS_H

#include <stdbool.h>

#include "cli/machine/file.h"
#include "cli/machine/machine.h"

struct cli_device;

struct cli_run_options {
    struct cli_machine machine;
    struct cli_machine_file file; // what options point into; its owner frees it
    const char *screenshot;       // file; NULL: none
    const char *program, *placer; // as cli_qemu_find and cli_qemu_find_placer take them
    enum cli_front front;
    int guest_gl; // 1: zink; -1: nothing was said
};

// `options` is {0}; those of the device go to `device`. CLI_OK with *done: the answer was printed.
// Errors: CLI_USAGE after a log line.
int cli_run_options_parse(struct cli_run_options *options, struct cli_device *device, int argc,
                          char **argv, bool *done);

#endif
