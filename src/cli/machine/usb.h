// USB devices of the host that a guest has instead.
#ifndef CLI_MACHINE_USB_H
#define CLI_MACHINE_USB_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/option/arguments.h"

enum { CLI_MAX_USB = 8 };

struct cli_usb {
    uint16_t vendor, product;
};

// One --usb VENDOR:PRODUCT, as lsusb shows them.
// Errors: false after a log line.
bool cli_usb_parse(struct cli_usb *usb, const char *text);
// Says if the device is not there yet: the guest gets it when it is plugged in.
// Errors: false after a log line: this user may not have it.
bool cli_usb_check(const struct cli_usb *usb);
// A controller with all of them, and a keyboard of QEMU's own if one is wanted; nothing, if there
// would be nothing on it.
void cli_usb_add(const struct cli_usb *list, unsigned count, bool keyboard,
                 struct cli_arguments *arguments);

#endif
