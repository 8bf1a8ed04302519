// The drivers of this machine, tried out: each in a process of its own, which it may end.
#ifndef CLI_DRIVER_H
#define CLI_DRIVER_H

#include "base/json.h"
#include "cli/host.h"
#include "venus/discovery.h"

struct cli_report {
    char *output;     // of the worker; owned
    struct json root; // of venus/report.h; {0}: there is none
    bool usable;      // a guest could use one of the devices
    char error[600];  // why not, in one line: what the driver said, or how it ended; else empty
};

// Has a worker report on `driver` (venus/discovery.h) as `host` says: profile, GPU, page size.
void cli_driver_report(const struct cli_host *host, const char *driver, struct cli_report *report);
void cli_report_finish(struct cli_report *report);
// It works, but finds no device; there is no loader.
bool cli_report_no_device(const struct cli_report *report);
bool cli_report_no_loader(const struct cli_report *report);

// A driver that was found good joins those in host->driver: a loader takes a list of manifests. Of
// what can't be joined the first stays.
void cli_driver_take(struct cli_host *host, const struct venus_candidate *candidate);

// After a first worker has ended before it was ready (`status` as of waitpid, -1: not seen): tries
// out every driver of the machine, each in a process of its own, says which are of no use, and puts
// those that are into host->driver. False after log lines: there is none, or it was done before.
bool cli_driver_choose(struct cli_host *host, int status);

#endif
