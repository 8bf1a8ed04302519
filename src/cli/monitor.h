// QEMU's monitor (QMP) at the other end of a socket: the guest's power button, and what QEMU says
// of its disks.
//
// Thread: the loop's.
#ifndef CLI_MONITOR_H
#define CLI_MONITOR_H

#include <stdbool.h>

#include "os/loop.h"

struct cli_monitor;

// Owns: takes `fd`. NULL: out of memory, and `fd` is closed.
struct cli_monitor *cli_monitor_create(struct os_loop *loop, int fd);
void cli_monitor_destroy(struct cli_monitor *monitor);

// Presses the guest's power button. False: QEMU does not listen, or not yet.
bool cli_monitor_power_button(struct cli_monitor *monitor);

#endif
