// A virtqueue (virtio 1.2, 2.7), polled: requests go out, and answers are looked for. No
// interrupts.
//
// Thread: one. Errors: 0 or more, or a negative enum guest_error.
#ifndef PCI_QUEUE_H
#define PCI_QUEUE_H

#include "guest/pci/hooks.h"

#ifdef __cplusplus
extern "C" {
#endif

// Requests that may be under way at once.
enum { PCI_QUEUE_SLOTS = 16 };

// Where a request and its answer lie: a page that the device may read and write.
enum { PCI_SLOT_SIZE = 4096, PCI_SLOT_ANSWER = 2048 };

struct pci_queue {
    const struct pci_hooks *hooks;
    uint16_t index, size;
    volatile uint16_t *doorbell; // the device's
    uint8_t *memory;             // the rings; then the slots
    uint64_t memory_size;
    uint64_t address; // of `memory`, for the device
    uint16_t submitted, seen;
    struct pci_slot {
        bool busy, answered;
        uint32_t written; // bytes of the answer
    } slots[PCI_QUEUE_SLOTS];
};

// Makes the rings for a queue of at most `largest` descriptors, which the device must then be told.
int pci_queue_create(struct pci_queue *queue, const struct pci_hooks *hooks, uint16_t index,
                     uint16_t largest);
void pci_queue_destroy(struct pci_queue *queue);
// Of the descriptor table, the driver's ring and the device's ring.
void pci_queue_addresses(const struct pci_queue *queue, uint64_t addresses[3]);

// A free slot, or GUEST_ERROR_TIMEOUT: all are busy.
int pci_queue_take(struct pci_queue *queue);
// Its memory: the request is written at its start, the answer begins at PCI_SLOT_ANSWER.
uint8_t *pci_queue_slot(const struct pci_queue *queue, int slot);
// Sends `size` bytes of the slot, then `more` bytes of the caller's DMA memory, if any. The answer
// takes up to `room` bytes.
void pci_queue_send(struct pci_queue *queue, int slot, uint32_t size, uint64_t more_address,
                    uint32_t more, uint32_t room);
// Looks for answers.
void pci_queue_poll(struct pci_queue *queue);
// The caller has read the answer, or wants none: the slot is free when it is there.
void pci_queue_release(struct pci_queue *queue, int slot);

#ifdef __cplusplus
}
#endif

#endif
