// Private to src/cli: the subcommands and their exit statuses.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

// Our own exit statuses. Of a program that hesper starts, the status is passed on.
enum {
    CLI_OK = 0,
    CLI_FAILED = 1,           // the host or the peer fails: one line on stderr says what and why
    CLI_USAGE = 2,            // the command line is wrong
    CLI_NOT_EXECUTABLE = 126, // as in a shell
    CLI_NOT_FOUND = 127,
    CLI_SIGNALLED = 128, // + number of the signal
};

// argv[0] is the subcommand's name. Returns the exit status.
int cli_run(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_qemu_args(int argc, char **argv);
int cli_screenshot(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_stop(int argc, char **argv);
int cli_pause(int argc, char **argv);
int cli_resume(int argc, char **argv);
int cli_vtest(int argc, char **argv);
int cli_top(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_worker(int argc, char **argv);
int cli_janitor(int argc, char **argv);
int cli_version(bool verbose);

#endif
