// What the command line says about the host, for this process and for the workers it starts.
// Errors: false after a log line.
#ifndef CLI_OPTION_HOST_H
#define CLI_OPTION_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "os/sandbox.h"

struct cli_host {
    const char *profile; // a name that venus/profile.h knows; NULL: native
    bool portable;       // the profile says so
    uint32_t page_size;  // 0: the real one
    unsigned verbose;    // 1: info, 2: debug
    const char *gpu;     // --gpu; NULL: all
    const char *sandbox; // --sandbox; NULL: strict if all drivers are Mesa's
    bool short_turns;    // workers take short turns on a processor, as os/process.h has it
    // In the form of venus/discovery.h; empty: what the loader finds, or else any that works.
    char driver[4096];
};
// --gpu, --host-profile, --sandbox, --page-size and --verbose.
extern const struct option_row cli_host_rows[];
bool cli_take_profile(const char *label, const char *text, void *host);
bool cli_take_sandbox(const char *label, const char *text, void *host);
// The kind that --sandbox says.
enum os_sandbox cli_sandbox(const struct cli_host *host);

// Calls os_init and sets the log level.
void cli_host_apply(const struct cli_host *host);

// Has a starter begun (os/starter.h), unless there is no sandbox.
void cli_host_begin_starter(const struct cli_host *host);

// From now on guests are served. All that this process will need is open, and every command that it
// will start was taught: it is confined to that.
void cli_host_confine(void);

// A worker's command line: SELF worker ...
// Owns: `arguments` points into this struct and into the host; nothing is freed.
struct cli_worker_command {
    const char *arguments[16];
    char self[4096];
    char page_size[40];
};
bool cli_worker_command(struct cli_worker_command *command, const struct cli_host *host);

#endif
