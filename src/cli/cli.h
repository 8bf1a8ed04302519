// Private to src/cli: the subcommands and what they share.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Exit statuses of our own; a program that was started passes on its own.
enum {
    CLI_OK = 0,
    CLI_FAILED = 1,           // the host or the peer: one line on stderr says what and why
    CLI_USAGE = 2,            // the command line
    CLI_NOT_EXECUTABLE = 126, // as in a shell
    CLI_NOT_FOUND = 127,
    CLI_SIGNALLED = 128, // + number of the signal
};

// argv[0] is the subcommand's name. Returns the exit status.
int cli_run(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_qemu_args(int argc, char **argv);
int cli_screenshot(int argc, char **argv);
int cli_vtest(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_worker(int argc, char **argv);
int cli_janitor_main(int argc, char **argv);
int cli_version(bool verbose);

// What the command line says about the host; for this process and for the workers it starts.
struct cli_host {
    const char *profile; // a name that venus/profile.h knows; NULL: native
    bool portable;       // as the profile says
    uint32_t page_size;  // 0: the real one
    unsigned verbose;    // 1: info, 2: debug
    const char *gpu;     // --gpu; NULL: all
    char
        driver[4096]; // as venus/discovery.h has it; empty: the loader's, and others if it has none
};
bool cli_parse_profile(const char *text, struct cli_host *host);
bool cli_parse_page_size(const char *text, struct cli_host *host);
// os_init and the log level.
void cli_host_apply(const struct cli_host *host);

// "123", "64k", "512M", "8G". False: not a number, or more than `maximum`.
bool cli_parse_size(const char *text, uint64_t maximum, uint64_t *value);

// The value of --memory, a guest's: whole mebibytes. False after a log line.
bool cli_parse_memory(const char *command, const char *text, uint64_t *value);

// Logs the line for a bad option after getopt_long returned '?' or ':'. Returns CLI_USAGE.
int cli_bad_option(const char *command, int result, char **argv);

// A worker's command line: SELF worker …; `arguments` points into `storage`. False after a log
// line.
struct cli_worker_command {
    const char *arguments[16];
    char self[4096];
    char page_size[40];
};
bool cli_worker_command(struct cli_worker_command *command, const struct cli_host *host);

// After a first worker has ended before it was ready (`status` as of waitpid, -1: not seen): tries
// out every driver of the machine, each in a process of its own, says which are of no use, and puts
// those that are into host->driver. False after log lines: there is none, or it was done before.
bool cli_driver_choose(struct cli_host *host, int status);

// A process that removes `socket` and `folder` (may be NULL) and ends the connections it was told
// of, when this one ends in whatever way.
struct cli_janitor {
    int fd; // it waits for the end of this; -1: could not be started, nothing will be swept
    pid_t pid;
};
void cli_janitor_start(struct cli_janitor *janitor, const char *socket, const char *folder);
void cli_janitor_watch(struct cli_janitor *janitor, int connection);
void cli_janitor_stop(struct cli_janitor *janitor); // lets it do its work, and reaps it

#endif
