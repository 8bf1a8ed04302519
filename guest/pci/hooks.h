// What the driver of the GPU asks of an operating system (or of none), beside memory, time and the
// log of system.h: ten hooks in all. guest/pci/README.md explains each; guest/bare/machine.c is an
// implementation, and selftest.h says which is wrong.
//
// Thread: the driver calls them from the thread that calls it.
// Owns: the caller keeps the structure for as long as the driver is open. Memory and mappings are
// the driver's until it gives them back.
#ifndef PCI_HOOKS_H
#define PCI_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/system.h"

// Where a function of a PCI device is: bus << 8 | device << 3 | function.
typedef uint32_t pci_place;

struct pci_hooks {
    const struct guest_system *system; // its allocate, release, now, relax and log are used
    void *context;                     // given to every hook below

    // 32 bits of configuration space, in the processor's byte order. `offset` is a multiple of 4,
    // below 256. What is not there reads as all ones.
    uint32_t (*config_read)(void *context, pci_place place, uint32_t offset);
    void (*config_write)(void *context, pci_place place, uint32_t offset, uint32_t value);

    // Makes physical memory visible: registers of the device (not cached), or a range of its
    // shared memory (cached as ordinary memory is: processors of one machine are on both sides).
    // `address` and `size` are multiples of 4096. Errors: NULL.
    void *(*map)(void *context, uint64_t address, uint64_t size, bool cached);
    void (*unmap)(void *context, void *mapping, uint64_t size);

    // Zeroed memory that the device may read and write: ordinary cached memory, contiguous for the
    // device, aligned to 4096. `size` is a multiple of that. Errors: NULL.
    void *(*dma_allocate)(void *context, uint64_t size);
    void (*dma_free)(void *context, void *memory, uint64_t size);
    // What the device calls a byte of such memory.
    uint64_t (*dma_address)(void *context, const void *memory);
};

#endif
