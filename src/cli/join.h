// Private to src/cli: a display that joins a machine which runs.
#ifndef CLI_JOIN_H
#define CLI_JOIN_H

#include <stdbool.h>
#include <stdint.h>

struct cli_joined {
    int fd;              // the display's end of the link
    bool connected;      // a guest is there
    uint32_t outputs_on; // bit n: the guest has not switched output n off
};

// `command` is for messages, `control` the machine's socket.
// Owns: the caller closes the link.
// Errors: false after a log line.
bool cli_join(const char *command, const char *control, struct cli_joined *joined);

#endif
