// What a person at the terminal is told when the guest is up: how to reach it, and what it has.
#ifndef CLI_MACHINE_GREETING_H
#define CLI_MACHINE_GREETING_H

#include <stdio.h>

#include "cli/machine/machine.h"

// `gpu`: the host's, for persons; NULL: the guest has no Vulkan. `front`: how QEMU has it, and why.
void cli_greeting(FILE *to, const struct cli_machine *machine, const char *gpu, const char *front);

// Programs of the guest that draw or compute by the GPU, each name once, as far as a line goes.
struct cli_greeting_programs {
    char text[240]; // "" at first
};
// Both are plain ASCII. `engine`: what the program draws by, as it says itself; "": it has not
// said.
void cli_greeting_add(struct cli_greeting_programs *programs, const char *name, const char *engine);
// `screen`: the guest's screen is drawn by the GPU as well.
void cli_greeting_drawing(FILE *to, bool screen, const struct cli_greeting_programs *programs);

#endif
