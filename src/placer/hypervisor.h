// A hypervisor that keeps mappings of its own (Apple's Hypervisor.framework) must be told of every
// change. Nothing is linked: its functions are looked up in the process. Everywhere but in QEMU on
// macOS there are none, and nothing here does anything.
#ifndef PLACER_HYPERVISOR_H
#define PLACER_HYPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// hv_vm_map and hv_vm_unmap; hv_return_t is an int, 0 is success.
typedef int hypervisor_map(void *address, uint64_t guest, size_t size, uint64_t flags);
typedef int hypervisor_unmap(uint64_t guest, size_t size);

struct hypervisor {
    hypervisor_map *map;
    hypervisor_unmap *unmap;
    bool active; // it runs this virtual machine
};

// Looks for such a hypervisor at work, and if there is one, tells it of a new aperture, which is
// mapped at `address` here and at `guest` in the guest (0: unknown). Errors: -errno.
int hypervisor_begin(struct hypervisor *hypervisor, void *address, uint64_t guest, uint64_t size);
// The range has been mapped anew. Errors: -errno, and the guest does not see it.
int hypervisor_renew(const struct hypervisor *hypervisor, void *address, uint64_t guest,
                     uint64_t size);

#endif
