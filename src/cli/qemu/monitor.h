// QEMU's monitor (QMP) at the other end of a socket: the guest's power button, its pauses, and what
// QEMU says of its disks.
//
// Thread: the loop's.
#ifndef CLI_QEMU_MONITOR_H
#define CLI_QEMU_MONITOR_H

#include <stdbool.h>

#include "os/loop.h"

struct cli_monitor;

// `changed` is called when the machine may be in another state.
// Owns: takes `fd`. NULL: out of memory, and `fd` is closed.
struct cli_monitor *cli_monitor_create(struct os_loop *loop, int fd, void (*changed)(void *data),
                                       void *data);
void cli_monitor_destroy(struct cli_monitor *monitor);

// Errors: false: QEMU does not listen, or not yet. Presses the guest's power button; a machine that
// is paused goes on first, to hear it.
bool cli_monitor_power_button(struct cli_monitor *monitor);
// The machine stands still until it is resumed.
bool cli_monitor_pause(struct cli_monitor *monitor);
bool cli_monitor_resume(struct cli_monitor *monitor);
// "starting", "running", "paused", or "disk full", which is a pause too.
const char *cli_monitor_state(const struct cli_monitor *monitor);

#endif
