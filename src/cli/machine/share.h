// Folders of the host that a guest has too: by virtiofsd, a program that distributions package, or
// by QEMU itself (9p) where there is none.
//
// Thread: the loop's.
// Errors: functions that return bool log a line before they return false.
#ifndef CLI_MACHINE_SHARE_H
#define CLI_MACHINE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cli/option/arguments.h"
#include "os/process.h"

struct os_loop;

enum {
    CLI_MAX_SHARES = 8,
    CLI_SHARE_NAME = 32, // virtiofs has room for 36 bytes, 9p for 31 and their end
    CLI_SHARE_FD = 64,   // in QEMU, of the first share's connection; the others follow
};

struct cli_shares {
    struct cli_share {
        const char *text;          // FOLDER[:NAME], as its person said it; the rest is {0}
        char *folder;              // whole path
        char name[CLI_SHARE_NAME]; // in the guest: the tag, and the folder in /mnt
        pid_t server;              // virtiofsd; 0: none runs
    } list[CLI_MAX_SHARES];
    unsigned count;
    const char *program; // virtiofsd; NULL: 9p
    bool translates;     // it can take every user of the guest for one of the host
    char found[4096];    // room for its path
};

// Looks for the folders and for virtiofsd.
bool cli_shares_check(struct cli_shares *shares);
// Starts a server for each. QEMU's ends of their connections are added to `fds`, at most
// CLI_MAX_SHARES; the caller closes them when QEMU is started. Servers end when QEMU does.
bool cli_shares_connect(struct cli_shares *shares, struct os_loop *loop, struct os_fd_pass *fds,
                        unsigned *count);
void cli_shares_add_arguments(const struct cli_shares *shares, struct cli_arguments *arguments);
// Lines of fstab(5) for the guest. Owns: the caller frees the text. NULL: out of memory, or no
// shares.
char *cli_shares_fstab(const struct cli_shares *shares);
void cli_shares_finish(struct cli_shares *shares);

#endif
