// Private to guest/pci: slots of the device's queue, for requests whose answers nobody waits for at
// once.
#ifndef PCI_GPU_PRIVATE_H
#define PCI_GPU_PRIVATE_H

#include "guest/pci/gpu.h"

// False: the device is lost. A look at a register of the device.
bool pci_gpu_alive(struct pci_gpu *gpu);
// Waits for a free slot. GUEST_ERROR_LOST: none gets free.
int pci_gpu_take_slot(struct pci_gpu *gpu);
// 0: it is answered; GUEST_ERROR_TIMEOUT or GUEST_ERROR_LOST.
int pci_gpu_wait_slot(struct pci_gpu *gpu, int slot, uint64_t nanoseconds);
// What the answer says.
int pci_gpu_result(struct pci_gpu *gpu, int slot);

#endif
