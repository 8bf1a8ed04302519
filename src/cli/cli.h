// Private to src/cli: the subcommands.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include "cli/option/exit.h"

// argv[0] is the subcommand's name. Returns the exit status.
int cli_run(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_qemu_args(int argc, char **argv);
int cli_screenshot(int argc, char **argv);
int cli_record_screen(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_stop(int argc, char **argv);
int cli_pause(int argc, char **argv);
int cli_resume(int argc, char **argv);
int cli_vtest(int argc, char **argv);
int cli_top(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_worker(int argc, char **argv);
int cli_starter(int argc, char **argv);
int cli_version(bool verbose);

#endif
