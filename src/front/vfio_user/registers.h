// The registers of virtio over PCI (virtio 1.2 §4.1): what a driver reads and writes in
// VFIO_BAR_VIRTIO, and what it has negotiated.
//
// Thread: the loop's.
#ifndef VFIO_USER_REGISTERS_H
#define VFIO_USER_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "front/virtio/queue.h"

enum { VFIO_NO_VECTOR = 0xffff };

enum {
    VFIO_STATUS_DRIVER_OK = 4,
    VFIO_STATUS_FEATURES_OK = 8,
    VFIO_STATUS_NEEDS_RESET = 0x40,
};

struct vfio_registers {
    const struct virtio_device *device;
    struct virtio_queue *queues; // device->queue_count of them
    uint64_t offered;            // features
    uint64_t features;           // what the driver has taken
    uint32_t offered_select, features_select;
    uint16_t config_vector, queue_vectors[VIRTIO_MAX_QUEUES];
    uint16_t queue_select;
    uint8_t status, generation, interrupt;
};

// What a write asks for.
enum vfio_register_event {
    VFIO_NOTHING,
    VFIO_START,   // DRIVER_OK
    VFIO_STOP,    // status 0: vfio_registers_reset comes later
    VFIO_VECTORS, // a vector was chosen for something
    VFIO_NOTIFY,  // a queue was kicked: *queue
};

// Features of the transport are added to the device's.
void vfio_registers_init(struct vfio_registers *registers, const struct virtio_device *device,
                         struct virtio_queue *queues);
void vfio_registers_reset(struct vfio_registers *registers);

// [offset, offset + size) is inside VFIO_VIRTIO_SIZE. What is no register reads as zero.
void vfio_registers_read(struct vfio_registers *registers, uint32_t offset, uint8_t *bytes,
                         uint32_t size);
enum vfio_register_event vfio_registers_write(struct vfio_registers *registers, uint32_t offset,
                                              const uint8_t *bytes, uint32_t size, unsigned *queue);

#endif
