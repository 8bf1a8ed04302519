// PCI as far as a virtio device needs it: finding one, and where its registers and its shared
// memory are.
//
// Thread: one. Errors: 0 or a negative enum guest_error.
#ifndef PCI_PCI_H
#define PCI_PCI_H

#include "guest/pci/hooks.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PCI_VENDOR_VIRTIO = 0x1af4, PCI_DEVICE_VIRTIO = 0x1040 }; // a modern device: + its virtio id

// Registers that a device has at least, bytes.
enum { PCI_COMMON_SIZE = 56, PCI_CONFIG_SIZE = 16 };

// A range of physical memory.
struct pci_range {
    uint64_t address, size; // bytes; a size of 0: not there
};

// The parts of a modern virtio device (virtio 1.2, 4.1.4).
struct pci_virtio {
    pci_place place;
    struct pci_range common, notify, isr, config;
    uint32_t notify_multiplier;
    struct pci_range shared; // memory that the device shares, of the id that was asked for
};

// Looks for a device on all buses that bridges lead to. GUEST_ERROR_UNSUPPORTED: there is none.
int pci_find(const struct pci_hooks *hooks, uint32_t vendor, uint32_t device, pci_place *place);

// Gives the device its addresses, out of two ranges for PCI below and above 4 GiB, which shrink.
// For machines without firmware; everywhere else the addresses are there, and stay.
int pci_assign(const struct pci_hooks *hooks, pci_place place, struct pci_range *low,
               struct pci_range *high);

// Reads the device's capabilities and switches on its memory and its access to ours.
// GUEST_ERROR_LOST: a part is missing or too small, or a base address is not assigned.
int pci_virtio_open(const struct pci_hooks *hooks, pci_place place, uint8_t shared_id,
                    struct pci_virtio *virtio);

#ifdef __cplusplus
}
#endif

#endif
