// A worker process: one guest context.
#ifndef VENUS_WORKER_H
#define VENUS_WORKER_H

#include "os/sandbox.h"
#include "venus/host.h"

struct venus_profile;

struct venus_worker_options {
    const struct venus_profile *profile; // of the host
    struct venus_host_options host;
    enum os_sandbox sandbox;
    // Another driver may be tried if this one has no device: end without a word, with
    // VENUS_WORKER_NO_DRIVER.
    bool tentative;
    bool short_turns; // on a processor (os/process.h)
};

enum { VENUS_WORKER_NO_DRIVER = 3 };

// Loads the host's driver, says LINK_WORKER_READY on `link_fd`, serves one context until the link
// closes. Returns the exit status: 0, or 1 after a line on stderr. Takes over the descriptor.
// os_init has been called.
int venus_worker_main(int link_fd, const struct venus_worker_options *options);

#endif
