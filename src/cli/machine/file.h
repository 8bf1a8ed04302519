// A machine's file: options of `hesper run`, written as TOML and read by the program hesper-toml.
//
// Thread: one.
#ifndef CLI_MACHINE_FILE_H
#define CLI_MACHINE_FILE_H

#include <stdbool.h>

#include "base/options.h"
#include "cli/option/arguments.h"

enum { CLI_FILE_VALUES = 256 };

struct cli_machine_file {
    // A command line: argv[0], what the file says, what else was said.
    struct cli_arguments arguments;
    char name[24];                   // as much as a line of the log has room for
    unsigned lines[CLI_FILE_VALUES]; // of arguments.items[n], below `count`
    unsigned count;
};

// If argv[1] is no option it is a file, whose values come before what follows it: keys are the
// names of `options`. Names of files in it are those of its own folder, and "~/" is
// HOME. Owns: the caller frees `file` by cli_arguments_free, when no option is used any more.
// Errors: false after a log line.
bool cli_machine_file_read(struct cli_machine_file *file, const struct options *options, int argc,
                           char **argv);
// What is logged from here on says that argument `index` of the command line comes from a line of
// the file; of others nothing is said.
void cli_machine_file_blame(const struct cli_machine_file *file, int index);

#endif
