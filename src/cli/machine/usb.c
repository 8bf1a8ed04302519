#include "cli/machine/usb.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static bool is_hex(const char *text)
{
    return isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]) &&
           isxdigit((unsigned char)text[2]) && isxdigit((unsigned char)text[3]);
}

bool cli_usb_parse(struct cli_usb *usb, const char *text)
{
    if (strlen(text) == 9 && is_hex(text) && text[4] == ':' && is_hex(text + 5)) {
        usb->vendor = (uint16_t)strtoul(text, NULL, 16);
        usb->product = (uint16_t)strtoul(text + 5, NULL, 16);
        return true;
    }
    log_error("run: --usb is VENDOR:PRODUCT as lsusb shows them, like 046d:c52b, not '%s'", text);
    return false;
}

// A number in a file of Linux's description of a device; -1: there is none.
static long number_in(const char *device, const char *name, int base)
{
    char path[512], text[32] = "";
    snprintf(path, sizeof(path), "/sys/bus/usb/devices/%.200s/%s", device, name);
    FILE *file = fopen(path, "re");
    bool got = file && fgets(text, sizeof(text), file);
    if (file)
        fclose(file);
    return got ? strtol(text, NULL, base) : -1;
}

bool cli_usb_check(const struct cli_usb *usb)
{
    char path[64] = "";
    DIR *devices = opendir("/sys/bus/usb/devices");
    struct dirent *entry;
    while (devices && !path[0] && (entry = readdir(devices))) {
        const char *name = entry->d_name;
        if (number_in(name, "idVendor", 16) == usb->vendor &&
            number_in(name, "idProduct", 16) == usb->product)
            snprintf(path, sizeof(path), "/dev/bus/usb/%03ld/%03ld", number_in(name, "busnum", 10),
                     number_in(name, "devnum", 10));
    }
    bool known = devices; // this host tells what is plugged in
    if (devices)
        closedir(devices);
    if (path[0] && access(path, R_OK | W_OK) < 0) {
        log_error("run: --usb: cannot take %04x:%04x: '%s': %s", usb->vendor, usb->product, path,
                  strerror(errno));
        return false;
    }
    if (known && !path[0])
        log_warning("no USB device %04x:%04x is plugged in; the guest gets it when it is",
                    usb->vendor, usb->product);
    return true;
}

void cli_usb_add(const struct cli_usb *list, unsigned count, bool keyboard,
                 struct cli_arguments *arguments)
{
    if (!count && !keyboard)
        return;
    cli_arguments_add(arguments, "-device");
    cli_arguments_add(arguments, "qemu-xhci,id=hesper-usb");
    if (keyboard) {
        cli_arguments_add(arguments, "-device");
        cli_arguments_add(arguments, "usb-kbd,bus=hesper-usb.0");
    }
    for (unsigned i = 0; i < count; i++) {
        cli_arguments_add(arguments, "-device");
        cli_arguments_add(arguments, "usb-host,bus=hesper-usb.0,vendorid=0x%04x,productid=0x%04x",
                          list[i].vendor, list[i].product);
    }
}
