// What hesper doctor checks.
#ifndef CLI_DOCTOR_CHECKS_H
#define CLI_DOCTOR_CHECKS_H

#include "cli/doctor/say.h"

// host.c: this machine. driver.c: loader, drivers, devices, what guests get of them.
// qemu.c: QEMU and displays. guest.c: a running VM, by its control socket; `path`
// NULL: the only one.
void doctor_host(struct doctor *doctor);
void doctor_driver(struct doctor *doctor);
void doctor_qemu(struct doctor *doctor);
void doctor_displays(struct doctor *doctor);
void doctor_guest(struct doctor *doctor, const char *path);

#endif
