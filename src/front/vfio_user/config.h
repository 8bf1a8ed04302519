// The PCI configuration space of a virtio device, and where its registers lie. QEMU emulates the
// base addresses, the header's multifunction bit, the links of the capabilities and MSI-X itself;
// everything else is read from here, and written to here.
//
// Thread: one at a time.
#ifndef VFIO_USER_CONFIG_H
#define VFIO_USER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VFIO_CONFIG_SIZE = 4096, // what a PCI Express device has
    VFIO_CONFIG_USED = 256,  // the rest reads as zero: there are no extended capabilities
};

// Base address registers, which are vfio's regions of the same numbers.
enum { VFIO_BAR_VIRTIO, VFIO_BAR_MSIX, VFIO_BAR_APERTURE };

// In VFIO_BAR_VIRTIO.
enum {
    VFIO_AT_COMMON = 0x0000,
    VFIO_AT_ISR = 0x1000,
    VFIO_AT_DEVICE = 0x2000,
    VFIO_AT_NOTIFY = 0x3000,
    VFIO_NOTIFY_STRIDE = 4,
    VFIO_VIRTIO_SIZE = 0x4000,
    VFIO_COMMON_SIZE = 56,
};

// In VFIO_BAR_MSIX. The table is QEMU's.
enum { VFIO_AT_PENDING = 0x800, VFIO_MSIX_SIZE = 0x1000 };

struct vfio_config {
    uint8_t bytes[VFIO_CONFIG_USED];
    uint8_t writable[VFIO_CONFIG_USED]; // bits that the guest may set
};

struct vfio_config_setup {
    uint16_t type;          // virtio's device id
    unsigned queues;        // each has a vector; there is one more for the configuration
    uint32_t config_size;   // of the device, bytes
    uint8_t shmid;          // of the aperture
    uint64_t aperture_size; // bytes; 0: there is none
};

void vfio_config_init(struct vfio_config *config, const struct vfio_config_setup *setup);
// [offset, offset + size) is inside VFIO_CONFIG_SIZE.
void vfio_config_read(const struct vfio_config *config, uint32_t offset, uint8_t *bytes,
                      uint32_t size);
// True: the guest asks for a reset of the function. The space is as it was at the beginning then.
bool vfio_config_write(struct vfio_config *config, uint32_t offset, const uint8_t *bytes,
                       uint32_t size);
// As it is after a reset.
void vfio_config_reset(struct vfio_config *config);

// Whether the device may use the guest's memory.
bool vfio_config_is_master(const struct vfio_config *config);

// The way to VFIO_BAR_VIRTIO through this space (VIRTIO_PCI_CAP_PCI_CFG). True: [offset, offset +
// size) is its data, and *at is what it stands for, `size` bytes inside that region.
bool vfio_config_is_window(const struct vfio_config *config, uint32_t offset, uint32_t size,
                           uint32_t *at);

#endif
