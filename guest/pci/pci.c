#include "guest/pci/pci.h"

enum {
    ID = 0x00,
    COMMAND = 0x04, // and status, in the upper half
    HEADER = 0x0c,  // its type is in the third byte
    BARS = 0x10,
    BUSES = 0x18, // of a bridge
    CAPABILITIES = 0x34,

    COMMAND_MEMORY = 2,
    COMMAND_MASTER = 4,
    STATUS_CAPABILITIES = 1 << 20,
    MULTIFUNCTION = 1 << 23,
    BRIDGE = 1,

    VENDOR_SPECIFIC = 9,
    // A list that is longer goes in a circle.
    MAX_CAPABILITIES = 48,
    FIRST_CAPABILITY = 0x40,
    SPACE = 256,
    BUSES_MAX = 256,
    PAGE = 4096,
};

// What a virtio capability describes.
enum { COMMON = 1, NOTIFY, ISR, CONFIG, SHARED = 8 };

static uint32_t read32(const struct pci_hooks *hooks, pci_place place, uint32_t offset)
{
    return hooks->config_read(hooks->context, place, offset);
}

// ---- finding --------------------------------------------------------------

// Bits of buses that a bridge leads to. Bridges lead to buses of higher numbers, so each is looked
// at once, whatever they say.
struct buses {
    uint32_t bits[BUSES_MAX / 32];
};

static bool find_on_bus(const struct pci_hooks *hooks, uint32_t bus, uint32_t id,
                        struct buses *buses, pci_place *place)
{
    for (uint32_t slot = 0; slot < 32; slot++) {
        uint32_t functions = 1;
        for (uint32_t function = 0; function < functions; function++) {
            pci_place here = bus << 8 | slot << 3 | function;
            uint32_t found = read32(hooks, here, ID);
            if ((found & 0xffff) == 0xffff)
                continue;
            if (found == id) {
                *place = here;
                return true;
            }
            uint32_t header = read32(hooks, here, HEADER);
            if (header & MULTIFUNCTION)
                functions = 8;
            if ((header >> 16 & 0x7f) != BRIDGE)
                continue;
            uint32_t behind = read32(hooks, here, BUSES) >> 8 & 0xff;
            buses->bits[behind / 32] |= 1u << behind % 32;
        }
    }
    return false;
}

int pci_find(const struct pci_hooks *hooks, uint32_t vendor, uint32_t device, pci_place *place)
{
    struct buses buses = {{1}};
    for (uint32_t bus = 0; bus < BUSES_MAX; bus++) {
        if (buses.bits[bus / 32] & 1u << bus % 32 &&
            find_on_bus(hooks, bus, device << 16 | vendor, &buses, place))
            return 0;
    }
    return GUEST_ERROR_UNSUPPORTED;
}

// ---- addresses ------------------------------------------------------------

// Cuts an aligned piece off the range's start.
static bool take(struct pci_range *range, uint64_t size, uint64_t *address)
{
    uint64_t start = (range->address + size - 1) & ~(size - 1);
    uint64_t skipped = start - range->address;
    if (skipped > range->size || range->size - skipped < size)
        return false;
    *address = start;
    *range = (struct pci_range){start + size, range->size - skipped - size};
    return true;
}

int pci_assign(const struct pci_hooks *hooks, pci_place place, struct pci_range *low,
               struct pci_range *high)
{
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t at = BARS + 4 * i, before = read32(hooks, place, at);
        if (before & 1)
            continue; // ports
        const bool wide = (before & 6) == 4;
        // What does not stay set when all is written is the size.
        hooks->config_write(hooks->context, place, at, ~0u);
        uint64_t mask = read32(hooks, place, at) & ~15u;
        if (wide) {
            hooks->config_write(hooks->context, place, at + 4, ~0u);
            mask |= (uint64_t)read32(hooks, place, at + 4) << 32;
        } else if (mask) {
            mask |= ~0ull << 32;
        }
        i += wide;
        if (!mask)
            continue;
        uint64_t address;
        if (!take(wide ? high : low, ~mask + 1, &address))
            return GUEST_ERROR_MEMORY;
        hooks->config_write(hooks->context, place, at, (uint32_t)address);
        if (wide)
            hooks->config_write(hooks->context, place, at + 4, (uint32_t)(address >> 32));
    }
    return 0;
}

// ---- capabilities ---------------------------------------------------------

// 0: not memory, or not assigned.
static uint64_t bar_address(const struct pci_hooks *hooks, pci_place place, uint32_t index)
{
    if (index > 5)
        return 0;
    uint32_t low = read32(hooks, place, BARS + 4 * index);
    if (low & 1)
        return 0;
    uint64_t high = (low & 6) == 4 && index < 5 ? read32(hooks, place, BARS + 4 * index + 4) : 0;
    return high << 32 | (low & ~15u);
}

static struct pci_range range_of(const struct pci_hooks *hooks, pci_place place, uint32_t offset,
                                 bool wide)
{
    uint32_t bar = read32(hooks, place, offset + 4) & 0xff;
    uint64_t start = read32(hooks, place, offset + 8), size = read32(hooks, place, offset + 12);
    if (wide) {
        start |= (uint64_t)read32(hooks, place, offset + 16) << 32;
        size |= (uint64_t)read32(hooks, place, offset + 20) << 32;
    }
    uint64_t base = bar_address(hooks, place, bar);
    struct pci_range none = {0};
    if (!base || start > UINT64_MAX - base || size > UINT64_MAX - PAGE - (base + start))
        return none;
    return (struct pci_range){base + start, size};
}

// Whether the registers that the driver knows are there, and can be read as what they are.
static bool holds(const struct pci_range *range, uint64_t size)
{
    return range->size >= size && range->address % 4 == 0;
}

int pci_virtio_open(const struct pci_hooks *hooks, pci_place place, uint8_t shared_id,
                    struct pci_virtio *virtio)
{
    *virtio = (struct pci_virtio){.place = place};
    uint32_t command = read32(hooks, place, COMMAND);
    uint32_t offset = command & STATUS_CAPABILITIES ? read32(hooks, place, CAPABILITIES) & 0xfc : 0;
    for (unsigned i = 0; offset >= FIRST_CAPABILITY && i < MAX_CAPABILITIES; i++) {
        uint32_t head = read32(hooks, place, offset);
        uint32_t kind = head >> 24;
        const uint32_t bytes = kind == SHARED ? 24 : kind == NOTIFY ? 20 : 16;
        if ((head & 0xff) == VENDOR_SPECIFIC && offset + bytes > SPACE)
            break;
        uint32_t id = read32(hooks, place, offset + 4) >> 8 & 0xff;
        struct pci_range *range = kind == COMMON                      ? &virtio->common
                                  : kind == NOTIFY                    ? &virtio->notify
                                  : kind == ISR                       ? &virtio->isr
                                  : kind == CONFIG                    ? &virtio->config
                                  : kind == SHARED && id == shared_id ? &virtio->shared
                                                                      : NULL;
        // The first of a kind is the one that the device prefers.
        if ((head & 0xff) == VENDOR_SPECIFIC && range && !range->size) {
            *range = range_of(hooks, place, offset, kind == SHARED);
            if (kind == NOTIFY)
                virtio->notify_multiplier = read32(hooks, place, offset + 16);
        }
        offset = head >> 8 & 0xfc;
    }
    if (!holds(&virtio->common, PCI_COMMON_SIZE) || !holds(&virtio->notify, 2) ||
        !holds(&virtio->config, PCI_CONFIG_SIZE))
        return GUEST_ERROR_LOST;
    // What is mapped of it is whole pages.
    if (virtio->shared.address % PAGE)
        virtio->shared = (struct pci_range){0};
    // Zeroes leave the status, in the upper half, as it is.
    hooks->config_write(hooks->context, place, COMMAND,
                        (command & 0xffff) | COMMAND_MEMORY | COMMAND_MASTER);
    return 0;
}
