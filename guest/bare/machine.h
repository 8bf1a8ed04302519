// The machine that the program runs on, with nothing in between: a serial line, a clock, memory,
// PCI, and the power. x86_64.c is QEMU's q35, aarch64.c its virt.
//
// Thread: there is one.
#ifndef BARE_MACHINE_H
#define BARE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/pci/hooks.h"

// The program's own; it must not return.
void bare_main(void);

// What --append said.
const char *machine_command_line(void);
// Hooks of the kit. Thread: one.
const struct guest_system *machine_system(void);
const struct pci_hooks *machine_pci(void);

// On the serial line.
void machine_put(char letter);
// Somebody has pressed the power button.
bool machine_power_button(void);
void machine_power_off(void) __attribute__((noreturn));

// ---- for the parts of one machine -----------------------------------------

// The hooks that differ, as in struct pci_hooks.
uint32_t machine_config_read(void *context, pci_place place, uint32_t offset);
void machine_config_write(void *context, pci_place place, uint32_t offset, uint32_t value);
void *machine_map_physical(void *context, uint64_t address, uint64_t size, bool cached);
uint64_t machine_now_ns(void);
void machine_relax(void);
// Page tables' pages and DMA memory: zeroed, aligned to 4096, for good. NULL: there is no more.
void *machine_pages(uint64_t size);
// Maps physical memory address by address, in pages of 2 MiB, for good. `root` is the first of four
// levels of tables; `table` and `page` are the other bits of their entries. What is there already
// stays as it is.
void *machine_map(uint64_t *root, uint64_t address, uint64_t size, uint64_t table, uint64_t page);

#endif
