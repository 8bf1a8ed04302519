// A command line that is put together piece by piece.
#ifndef CLI_OPTION_ARGUMENTS_H
#define CLI_OPTION_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

// {0} is empty. It remembers if memory ran out: look at `failed` once, at the end.
struct cli_arguments {
    char **items; // ended by NULL, if there are any
    size_t count, capacity;
    bool failed;
};

void cli_arguments_add(struct cli_arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cli_arguments_free(struct cli_arguments *arguments);

// `text` as a value inside one of QEMU's comma-separated options.
// Owns: the caller frees it.
// Errors: NULL, out of memory.
char *cli_option_value(const char *text);

enum cli_arguments_format {
    CLI_FORMAT_SHELL,   // quoted for a POSIX shell, an option and its value to a line
    CLI_FORMAT_LINES,   // one argument to a line, as it is
    CLI_FORMAT_LIBVIRT, // elements of qemu:commandline
};
// Prints them on standard output.
void cli_arguments_print(const struct cli_arguments *arguments, enum cli_arguments_format format);

#endif
