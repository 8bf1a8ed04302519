// A worker process: one guest context.
#ifndef VENUS_WORKER_H
#define VENUS_WORKER_H

#include <stdbool.h>

struct venus_worker_options {
    bool portable; // --host-profile=portable
};

// Loads the host's driver, says LINK_WORKER_READY on `link_fd`, serves one context until the link
// closes. Returns the exit status: 0, or 1 after a line on stderr. Takes over the descriptor.
// os_init has been called.
int venus_worker_main(int link_fd, const struct venus_worker_options *options);

#endif
