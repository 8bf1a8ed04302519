// Tries out the drivers of this machine, each in a process of its own, which the driver may end.
#ifndef CLI_DEVICE_DRIVER_H
#define CLI_DEVICE_DRIVER_H

#include "base/json.h"
#include "cli/option/host.h"
#include "venus/discovery.h"

struct cli_report {
    char *output;     // what the worker wrote; the report owns it
    struct json root; // the report of venus/report.h; {0}: there is none
    bool usable;      // a guest could use one of the devices
    char error[600];  // why it is not usable, in one line; empty if it is
};

// Has a worker report on `driver` (venus/discovery.h) with the profile, GPU and page size of
// `host`.
void cli_driver_report(const struct cli_host *host, const char *driver, struct cli_report *report);
void cli_report_finish(struct cli_report *report);
// The driver works, but finds no device.
bool cli_report_no_device(const struct cli_report *report);
// There is no loader.
bool cli_report_no_loader(const struct cli_report *report);

// Adds a driver that was found good to host->driver: a loader takes a list of manifests. If it
// cannot be added to those that are there, they stay.
void cli_driver_take(struct cli_host *host, const struct venus_candidate *candidate);

// To be called when a first worker has ended before it was ready (`status` is that of waitpid, -1:
// not seen). Tries out every driver of the machine, logs which do not work, and puts those that do
// into host->driver. Errors: false after log lines, none works or this was done before.
bool cli_driver_choose(struct cli_host *host, int status);

#endif
