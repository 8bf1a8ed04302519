// The front by which QEMU gets its devices.
#ifndef CLI_QEMU_FRONT_H
#define CLI_QEMU_FRONT_H

#include <stdbool.h>

#include "cli/option/arguments.h"
#include "front/virtio/device.h"

enum cli_front {
    CLI_FRONT_AUTO, // what fits the QEMU at hand
    CLI_FRONT_VHOST_USER,
    CLI_FRONT_VFIO_USER,
};

// Values of --front, as in enum cli_front.
extern const char *const cli_front_names[];
// NULL for CLI_FRONT_AUTO: the front end's first bytes tell.
virtio_transport_create cli_front_transport(enum cli_front front);
// As machine_entrance_choose.
virtio_transport_create cli_front_spoken(uint32_t first);

// A device as QEMU is told of it.
struct cli_front_device {
    const char *name;
    unsigned type, config_size, queue_size; // virtio's
    const char *path;                       // of the socket; NULL: QEMU has it as descriptor `fd`
    int fd;
    const char *bus; // NULL: QEMU chooses
    unsigned slot;   // on that bus; 0: QEMU chooses
};
void cli_front_add_device(struct cli_arguments *arguments, enum cli_front front,
                          const struct cli_front_device *device);

// Our end, and what QEMU is to inherit, of a connection without a name in the file system.
// `listener`: QEMU has yet to connect.
// Errors: false after a log line.
struct cli_front_socket {
    int ours, theirs;
    bool listener;
};
bool cli_front_socket(enum cli_front front, struct cli_front_socket *made);

#endif
