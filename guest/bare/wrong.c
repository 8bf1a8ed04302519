#include "guest/bare/wrong.h"

#include <string.h>

#include "guest/bare/machine.h"
#include "guest/bare/print.h"
#include "guest/pci/gpu.h"

static void *allocate_dirty(void *context, size_t size)
{
    const struct guest_system *system = machine_system();
    void *memory = system->allocate(system->context, size);
    return memory ? memset(memory, 0xff, size) : NULL;
}

static uint64_t stand_still(void *context)
{
    return 1;
}

static uint32_t read_nothing(void *context, pci_place place, uint32_t offset)
{
    return ~0u;
}

static uint32_t read_the_beginning(void *context, pci_place place, uint32_t offset)
{
    return machine_pci()->config_read(context, place, offset & 0x3c);
}

static void write_nothing(void *context, pci_place place, uint32_t offset, uint32_t value)
{
}

static void *map_nothing(void *context, uint64_t address, uint64_t size, bool cached)
{
    return NULL;
}

static void *map_memory(void *context, uint64_t address, uint64_t size, bool cached)
{
    return machine_pages(size);
}

// The same memory for the same place, but not the device's.
static void *map_other_memory(void *context, uint64_t address, uint64_t size, bool cached)
{
    static uint8_t *memory;
    if (!cached)
        return machine_pci()->map(context, address, size, cached);
    memory = memory ? memory : machine_pages(1 << 20);
    return memory + address % (1 << 20);
}

static void *allocate_nothing(void *context, uint64_t size)
{
    return NULL;
}

static uint64_t address_of_another(void *context, const void *memory)
{
    static uint8_t *other;
    other = other ? other : machine_pages(1 << 20);
    return (uintptr_t)other + (uintptr_t)memory % (1 << 20);
}

void wrong_hooks(void)
{
    const struct pci_hooks *right = machine_pci();
    const struct guest_system *right_system = machine_system();
    struct guest_system system;
    struct pci_hooks hooks;
    static const char *const names[] = {
        "allocate",     "now",        "config_read",      "config_read's offset",
        "config_write", "map",        "map of registers", "map of the aperture",
        "dma_allocate", "dma_address"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        hooks = *right;
        system = *right_system;
        hooks.system = &system;
        switch (i) {
        case 0:
            system.allocate = allocate_dirty;
            break;
        case 1:
            system.now = stand_still;
            break;
        case 2:
            hooks.config_read = read_nothing;
            break;
        case 3:
            hooks.config_read = read_the_beginning;
            break;
        case 4: {
            // As the firmware would have left it.
            pci_place place;
            if (!pci_find(right, PCI_VENDOR_VIRTIO, PCI_DEVICE_VIRTIO + 16, &place))
                right->config_write(right->context, place, 4, 0);
            hooks.config_write = write_nothing;
            break;
        }
        case 5:
            hooks.map = map_nothing;
            break;
        case 6:
            hooks.map = map_memory;
            break;
        case 7:
            hooks.map = map_other_memory;
            break;
        case 8:
            hooks.dma_allocate = allocate_nothing;
            break;
        case 9:
            hooks.dma_address = address_of_another;
            break;
        }
        print("wrong %s: ", names[i]);
        if (!pci_selftest(&hooks))
            print("nobody notices\n");
    }
}
