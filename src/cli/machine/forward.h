// Ports of the host that lead to ports of a guest, by QEMU's user networking.
#ifndef CLI_MACHINE_FORWARD_H
#define CLI_MACHINE_FORWARD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum { CLI_MAX_FORWARDS = 16, CLI_FORWARD_SIZE = 64 };

struct cli_forward {
    char address[INET_ADDRSTRLEN]; // of the host
    uint16_t host, guest;          // ports of TCP
};

// One --forward [ADDRESS:]HOST:GUEST; without an address only this machine reaches it.
// Errors: false after a log line.
bool cli_forward_parse(struct cli_forward *forward, const char *text);
// Errors: false after a log line: the host's port is taken, or not for this user.
bool cli_forward_check(const struct cli_forward *forward);
// ",hostfwd=…", for the value of -netdev user. Returns `text`.
const char *cli_forward_text(const struct cli_forward *forward, char text[CLI_FORWARD_SIZE]);

#endif
