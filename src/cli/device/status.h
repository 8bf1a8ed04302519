// What the control socket of a VM answers.
#ifndef CLI_DEVICE_STATUS_H
#define CLI_DEVICE_STATUS_H

#include "cli/device/device.h"

// Opens the control socket, if there is to be one. Errors: false after a log line.
bool cli_status_open(struct cli_device *device);
void cli_status_close(struct cli_device *device);

#endif
