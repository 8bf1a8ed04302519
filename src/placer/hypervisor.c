#include "placer/hypervisor.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

enum { READ = 1, WRITE = 2, EXECUTE = 4 };

static int map(const struct hypervisor *hypervisor, void *address, uint64_t guest, uint64_t size)
{
    int error = hypervisor->map(address, guest, (size_t)size, READ | WRITE | EXECUTE);
    if (!error)
        return 0;
    fprintf(stderr, "hesper-placer: the hypervisor refuses to map %llu bytes at %#llx: %#x\n",
            (unsigned long long)size, (unsigned long long)guest, (unsigned)error);
    return -EIO;
}

int hypervisor_begin(struct hypervisor *hypervisor, void *address, uint64_t guest, uint64_t size)
{
    hypervisor->map = (hypervisor_map *)(uintptr_t)dlsym(RTLD_DEFAULT, "hv_vm_map");
    hypervisor->unmap = (hypervisor_unmap *)(uintptr_t)dlsym(RTLD_DEFAULT, "hv_vm_unmap");
    hypervisor->active = false;
    if (!hypervisor->map || !hypervisor->unmap)
        return 0;
    if (!guest) {
        fprintf(stderr, "hesper-placer: where the aperture is in the guest is not known; under HVF "
                        "it would not see what is placed\n");
        return 0;
    }
    // Under another accelerator this hypervisor has no virtual machine in the process, and refuses.
    if (hypervisor->unmap(guest, (size_t)size))
        return 0;
    hypervisor->active = true;
    return map(hypervisor, address, guest, size);
}

int hypervisor_renew(const struct hypervisor *hypervisor, void *address, uint64_t guest,
                     uint64_t size)
{
    if (!hypervisor->active)
        return 0;
    if (!guest)
        return -ENXIO;
    // The guest does not use the range now: it waits for this, or has given the range back.
    hypervisor->unmap(guest, (size_t)size);
    return map(hypervisor, address, guest, size);
}
