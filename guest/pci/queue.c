#include "guest/pci/queue.h"

#include <string.h>

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
enum { NEXT = 1, WRITE = 2 };

struct available {
    uint16_t flags, index, ring[];
};
enum { NO_INTERRUPT = 1 };

struct used {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[];
};

enum {
    PAGE = 4096,
    PER_SLOT = 3, // descriptors: request, what comes behind it, answer
    RINGS = 2 * PAGE,
    SMALLEST = 4, // descriptors: a power of two in which a slot finds room
    LARGEST = 64, // descriptors: table and driver's ring fit a page, the device's ring another
};
_Static_assert(PCI_QUEUE_SLOTS *PER_SLOT <= LARGEST, "each slot has descriptors of its own");
_Static_assert(LARGEST * sizeof(struct descriptor) + sizeof(struct available) + 2 * LARGEST + 2 <=
                   PAGE,
               "table and driver's ring fit a page");

static struct descriptor *table(const struct pci_queue *queue)
{
    return (struct descriptor *)queue->memory;
}

static struct available *available(const struct pci_queue *queue)
{
    return (struct available *)(queue->memory + LARGEST * sizeof(struct descriptor));
}

static struct used *used(const struct pci_queue *queue)
{
    return (struct used *)(queue->memory + PAGE);
}

int pci_queue_create(struct pci_queue *queue, const struct pci_hooks *hooks, uint16_t index,
                     uint16_t largest)
{
    *queue = (struct pci_queue){.hooks = hooks, .index = index, .size = 1};
    if (largest < SMALLEST)
        return GUEST_ERROR_UNSUPPORTED;
    while (queue->size * 2 <= largest && queue->size < LARGEST)
        queue->size *= 2;
    queue->memory_size = RINGS + PCI_QUEUE_SLOTS * PCI_SLOT_SIZE;
    queue->memory = hooks->dma_allocate(hooks->context, queue->memory_size);
    if (!queue->memory)
        return GUEST_ERROR_MEMORY;
    queue->address = hooks->dma_address(hooks->context, queue->memory);
    available(queue)->flags = NO_INTERRUPT;
    return 0;
}

void pci_queue_destroy(struct pci_queue *queue)
{
    if (queue->memory)
        queue->hooks->dma_free(queue->hooks->context, queue->memory, queue->memory_size);
    queue->memory = NULL;
}

void pci_queue_addresses(const struct pci_queue *queue, uint64_t addresses[3])
{
    addresses[0] = queue->address;
    addresses[1] = queue->address + (uint64_t)((uint8_t *)available(queue) - queue->memory);
    addresses[2] = queue->address + (uint64_t)((uint8_t *)used(queue) - queue->memory);
}

int pci_queue_take(struct pci_queue *queue)
{
    pci_queue_poll(queue);
    for (int i = 0; i < PCI_QUEUE_SLOTS && (i + 1) * PER_SLOT <= queue->size; i++) {
        if (!queue->slots[i].busy) {
            queue->slots[i] = (struct pci_slot){.busy = true};
            return i;
        }
    }
    return GUEST_ERROR_TIMEOUT;
}

uint8_t *pci_queue_slot(const struct pci_queue *queue, int slot)
{
    return queue->memory + RINGS + slot * PCI_SLOT_SIZE;
}

void pci_queue_send(struct pci_queue *queue, int slot, uint32_t size, uint64_t more_address,
                    uint32_t more, uint32_t room)
{
    const uint64_t address = queue->address + RINGS + (uint64_t)slot * PCI_SLOT_SIZE;
    const uint16_t first = (uint16_t)(slot * PER_SLOT);
    struct descriptor *descriptors = table(queue) + first;
    unsigned count = 0;
    descriptors[count++] = (struct descriptor){address, size, 0, 0};
    if (more)
        descriptors[count++] = (struct descriptor){more_address, more, 0, 0};
    if (room)
        descriptors[count++] = (struct descriptor){address + PCI_SLOT_ANSWER, room, WRITE, 0};
    for (unsigned i = 0; i + 1 < count; i++) {
        descriptors[i].flags |= NEXT;
        descriptors[i].next = (uint16_t)(first + i + 1);
    }
    struct available *ring = available(queue);
    ring->ring[queue->submitted % queue->size] = first;
    queue->submitted++;
    __atomic_store_n(&ring->index, queue->submitted, __ATOMIC_RELEASE);
    // The device may be looking for the index, and not be asked for it any more.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *queue->doorbell = queue->index;
}

// As far as the device has come now, and once around the ring at most: it may write on for ever.
void pci_queue_poll(struct pci_queue *queue)
{
    struct used *ring = used(queue);
    uint16_t count = (uint16_t)(__atomic_load_n(&ring->index, __ATOMIC_ACQUIRE) - queue->seen);
    for (uint16_t i = 0; i < count && i < queue->size; i++) {
        unsigned place = (uint16_t)(queue->seen + i) % queue->size;
        uint32_t slot = ring->ring[place].id / PER_SLOT;
        if (slot >= PCI_QUEUE_SLOTS || !queue->slots[slot].busy)
            continue; // a device that answers what was not asked
        queue->slots[slot].answered = true;
        queue->slots[slot].written = ring->ring[place].length;
    }
    queue->seen = (uint16_t)(queue->seen + count);
}

void pci_queue_release(struct pci_queue *queue, int slot)
{
    queue->slots[slot].busy = false;
}
