// Private to src/cli: which of the machines that run is meant.
#ifndef CLI_MACHINES_H
#define CLI_MACHINES_H

#include <stdbool.h>

// The control socket of the machine `name`, a name or a process's number of 'hesper list'; NULL: of
// the only one. `command` is for messages.
// Errors: false after a log line.
bool cli_machine_find(const char *command, const char *name, char path[108]);

#endif
