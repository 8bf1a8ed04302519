// QEMU's monitor (QMP) at the other end of a socket: the guest's power button, its pauses, and what
// QEMU says of its disks. Beside it a port to QEMU's guest agent, should the guest have one.
//
// Thread: the loop's.
#ifndef CLI_QEMU_MONITOR_H
#define CLI_QEMU_MONITOR_H

#include <stdbool.h>

#include "os/loop.h"

struct cli_monitor;

// The id of the port of QEMU whose other end is `agent`.
#define CLI_MONITOR_AGENT "hesper-guest-agent"

// `changed` is called when the machine may be in another state. A guest whose agent listens at
// `agent` is told the time when it goes on after a pause, and when the host has slept.
// Owns: takes `fd` and `agent` (-1: none). NULL: out of memory, and they are closed.
struct cli_monitor *cli_monitor_create(struct os_loop *loop, int fd, int agent,
                                       void (*changed)(void *data), void *data);
void cli_monitor_destroy(struct cli_monitor *monitor);

// Errors: false: QEMU does not listen, or not yet. Presses the guest's power button; a machine that
// is paused goes on first, to hear it.
bool cli_monitor_power_button(struct cli_monitor *monitor);
// The machine stands still until it is resumed.
bool cli_monitor_pause(struct cli_monitor *monitor);
bool cli_monitor_resume(struct cli_monitor *monitor);
// A key of QEMU's own keyboard, by Linux's number. False: QEMU has no such key, hears nothing now,
// or the machine stands still.
bool cli_monitor_key(struct cli_monitor *monitor, unsigned key, bool down);
// "starting", "running", "paused", or "disk full", which is a pause too.
const char *cli_monitor_state(const struct cli_monitor *monitor);

#endif
