// What a person at the terminal is told when the guest is up: how to reach it, and what it has.
#ifndef CLI_MACHINE_GREETING_H
#define CLI_MACHINE_GREETING_H

#include <stdio.h>

#include "cli/machine/machine.h"

// `gpu`: the host's, for persons; NULL: the guest has no Vulkan.
void cli_greeting(FILE *to, const struct cli_machine *machine, const char *gpu);

#endif
