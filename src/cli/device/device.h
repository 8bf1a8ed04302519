// The device process of `serve` and `run`: its options, its loop, its workers.
#ifndef CLI_DEVICE_DEVICE_H
#define CLI_DEVICE_DEVICE_H

#include "cli/device/displays.h"
#include "cli/device/janitor.h"
#include "cli/device/seat.h"
#include "cli/device/start.h"
#include "cli/option/host.h"
#include "front/machine/gpu_front.h"
#include "os/loop.h"

struct cli_control;

// What a person may order of a machine whose QEMU is ours.
enum cli_order {
    CLI_ORDER_STOP, // by its power button
    CLI_ORDER_CUT,  // its power
    CLI_ORDER_PAUSE,
    CLI_ORDER_RESUME,
};

struct cli_device {
    struct cli_host host;
    struct cli_displays displays;
    struct cli_seat seat;               // gets what displays send
    struct machine_gpu_options options; // `device.pool` is set by cli_device_start
    struct os_loop *loop;
    struct cli_workers workers;
    void (*ready)(void *data); // the host's driver is there, and displays are open
    // NULL: QEMU is not ours. A word for what the machine does; and carrying out an order, or what
    // is in the way.
    const char *(*state)(void *data);
    const char *(*order)(void *data, enum cli_order order);
    void *data;
    const char *control_path; // NULL or "none": there is no control socket
    struct cli_control *control;
    struct cli_janitor control_janitor;
    struct machine_gpu *gpu; // the connected VM's; NULL: there is none
};

void cli_device_init(struct cli_device *device);

// Their object is a cli_device; those of the host are apart (cli_host_rows).
extern const struct option_row cli_device_rows[];

// Takes the first `length` bytes of `name`, or as many as there is room for.
void cli_device_set_name(struct cli_device *device, const char *name, size_t length);

// Makes the loop and starts workers, then displays. `ready` is called when the first worker has
// shown that the host has a Vulkan driver, and displays are open. If that fails, the loop is
// stopped with CLI_FAILED after a log line. Errors: an exit status other than CLI_OK.
int cli_device_start(struct cli_device *device);
// Shows the GPU of a VM that has connected; NULL, before that is destroyed.
void cli_device_attach(struct cli_device *device, struct machine_gpu *gpu);
// Every GPU must have been destroyed.
void cli_device_finish(struct cli_device *device);

#endif
