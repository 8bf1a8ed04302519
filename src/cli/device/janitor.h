// A process that outlives this one by a moment, in whatever way this one ends: it removes `socket`
// and `folder` and ends the connections it was told of.
#ifndef CLI_DEVICE_JANITOR_H
#define CLI_DEVICE_JANITOR_H

#include <sys/types.h>

struct cli_janitor {
    int fd; // it waits for the end of this; -1: it could not be started, and nothing is swept
    pid_t pid;
};
// `folder` may be NULL.
void cli_janitor_start(struct cli_janitor *janitor, const char *socket, const char *folder);
void cli_janitor_watch(struct cli_janitor *janitor, int connection);
// Lets it do its work, and reaps it.
void cli_janitor_stop(struct cli_janitor *janitor);

// The command `hesper janitor`.
int cli_janitor(int argc, char **argv);

#endif
