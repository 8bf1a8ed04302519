// A hypervisor that keeps a picture of its own of what is mapped (Apple's Hypervisor.framework) has
// to hear of every change. Nothing is linked: its functions are looked up in the process. Where
// they are not, which is everywhere but in QEMU on macOS, nothing here does anything.
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

// At a new aperture, mapped at `address` here and at `guest` in the guest (0: unknown): is there
// such a hypervisor, and is it at work? If so it now has the aperture as it is. 0 or -errno.
int hypervisor_begin(struct hypervisor *hypervisor, void *address, uint64_t guest, uint64_t size);
// The range has been mapped anew. 0 or -errno: the guest does not see it.
int hypervisor_renew(const struct hypervisor *hypervisor, void *address, uint64_t guest,
                     uint64_t size);

#endif
