// Private to src/cli: what hesper doctor checks.
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/doctor_say.h"

// doctor_host.c: this machine. doctor_driver.c: loader, drivers, devices, what guests get of them.
// doctor_qemu.c: QEMU and displays. doctor_guest.c: a running VM, by its control socket; `path`
// NULL: the only one.
void doctor_host(struct doctor *doctor);
void doctor_driver(struct doctor *doctor);
void doctor_qemu(struct doctor *doctor);
void doctor_displays(struct doctor *doctor);
void doctor_guest(struct doctor *doctor, const char *path);

#endif
