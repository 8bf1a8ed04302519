#include "front/vfio_user/config.h"

#include <string.h>

#include "base/checked.h"

// Places in the configuration space. The capabilities fill what there is.
enum {
    COMMAND = 0x04,
    STATUS = 0x06,
    CACHE_LINE = 0x0c,
    BASE_ADDRESS = 0x10,
    SUBSYSTEM = 0x2c,
    FIRST_CAPABILITY = 0x34,
    INTERRUPT_LINE = 0x3c,
    AT_POWER = 0x40,   // 8 bytes
    AT_MSIX = 0x48,    // 12
    AT_COMMON = 0x54,  // 16, as the next two
    AT_ISR = 0x64,     //
    AT_DEVICE = 0x74,  //
    AT_NOTIFY = 0x84,  // 20, as the next
    AT_WINDOW = 0x98,  //
    AT_SHARED = 0xac,  // 24
    AT_EXPRESS = 0xc4, // 60
};
enum { CAPABILITY_POWER = 0x01, CAPABILITY_EXPRESS = 0x10, CAPABILITY_MSIX = 0x11 };
enum { CAPABILITY_VIRTIO = 0x09 };
enum { COMMON = 1, NOTIFY = 2, ISR = 3, DEVICE = 4, WINDOW = 5, SHARED_MEMORY = 8 };
enum { BUS_MASTER = 1 << 2, MEMORY_64_PREFETCHABLE = 0xc };
enum { VIRTIO_VENDOR = 0x1af4, FIRST_DEVICE = 0x1040, SUBSYSTEM_ID = 0x1100 };
enum { DEVICE_GPU = 16, DEVICE_INPUT = 18 };
enum { EXPRESS_CONTROL = AT_EXPRESS + 0x08, FUNCTION_RESET = 1 << 15 };
// In the window's capability.
enum {
    WINDOW_BAR = AT_WINDOW + 4,
    WINDOW_OFFSET = AT_WINDOW + 8,
    WINDOW_LENGTH = AT_WINDOW + 12,
    WINDOW_DATA = AT_WINDOW + 16
};

_Static_assert(AT_EXPRESS + 60 == VFIO_CONFIG_USED, "the capabilities fill the space");

static void put(uint8_t *bytes, unsigned at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        bytes[at + i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get(const uint8_t *bytes, unsigned at, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)bytes[at + i] << (8 * i);
    return value;
}

static void put_virtio(uint8_t *bytes, unsigned at, unsigned next, unsigned size, unsigned type,
                       unsigned bar, uint32_t offset, uint32_t length)
{
    bytes[at] = CAPABILITY_VIRTIO;
    bytes[at + 1] = (uint8_t)next;
    bytes[at + 2] = (uint8_t)size;
    bytes[at + 3] = (uint8_t)type;
    bytes[at + 4] = (uint8_t)bar;
    put(bytes, at + 8, offset, 4);
    put(bytes, at + 12, length, 4);
}

// Class and subclass: "display, other" for the GPU, so that firmware and systems that look for a
// display find one, and not "VGA", which OVMF takes for QEMU's own.
static uint16_t class_of(uint16_t type)
{
    return type == DEVICE_GPU ? 0x0380 : type == DEVICE_INPUT ? 0x0980 : 0x0000;
}

static void put_capabilities(uint8_t *bytes, const struct vfio_config_setup *setup)
{
    bool shared = setup->aperture_size;
    bytes[AT_POWER] = CAPABILITY_POWER;
    bytes[AT_POWER + 1] = AT_MSIX;
    put(bytes, AT_POWER + 2, 3, 2);      // version 3
    put(bytes, AT_POWER + 4, 1 << 3, 2); // what is set up survives D3

    bytes[AT_MSIX] = CAPABILITY_MSIX;
    bytes[AT_MSIX + 1] = AT_COMMON;
    put(bytes, AT_MSIX + 2, setup->queues, 2); // vectors - 1
    put(bytes, AT_MSIX + 4, VFIO_BAR_MSIX, 4);
    put(bytes, AT_MSIX + 8, VFIO_AT_PENDING | VFIO_BAR_MSIX, 4);

    put_virtio(bytes, AT_COMMON, AT_ISR, 16, COMMON, VFIO_BAR_VIRTIO, VFIO_AT_COMMON,
               VFIO_COMMON_SIZE);
    put_virtio(bytes, AT_ISR, AT_DEVICE, 16, ISR, VFIO_BAR_VIRTIO, VFIO_AT_ISR, 1);
    put_virtio(bytes, AT_DEVICE, AT_NOTIFY, 16, DEVICE, VFIO_BAR_VIRTIO, VFIO_AT_DEVICE,
               setup->config_size);
    put_virtio(bytes, AT_NOTIFY, AT_WINDOW, 20, NOTIFY, VFIO_BAR_VIRTIO, VFIO_AT_NOTIFY,
               VFIO_NOTIFY_STRIDE * setup->queues);
    put(bytes, AT_NOTIFY + 16, VFIO_NOTIFY_STRIDE, 4);
    put_virtio(bytes, AT_WINDOW, shared ? AT_SHARED : AT_EXPRESS, 20, WINDOW, 0, 0, 0);
    if (shared) {
        put_virtio(bytes, AT_SHARED, AT_EXPRESS, 24, SHARED_MEMORY, VFIO_BAR_APERTURE, 0,
                   (uint32_t)setup->aperture_size);
        bytes[AT_SHARED + 5] = setup->shmid;
        put(bytes, AT_SHARED + 20, setup->aperture_size >> 32, 4);
    }

    bytes[AT_EXPRESS] = CAPABILITY_EXPRESS;
    put(bytes, AT_EXPRESS + 0x02, 2, 2);                   // an endpoint, version 2
    put(bytes, AT_EXPRESS + 0x04, 1u << 28 | 1u << 15, 4); // it can be reset
    put(bytes, AT_EXPRESS + 0x0c, 1u << 4 | 1, 4);         // one lane of 2.5 GT/s
    put(bytes, AT_EXPRESS + 0x12, 1u << 4 | 1, 2);
}

void vfio_config_init(struct vfio_config *config, const struct vfio_config_setup *setup)
{
    uint8_t *bytes = config->bytes, *writable = config->writable;
    *config = (struct vfio_config){0};
    put(bytes, 0x00, VIRTIO_VENDOR, 2);
    put(bytes, 0x02, FIRST_DEVICE + setup->type, 2);
    put(bytes, STATUS, 1 << 4, 2); // it has capabilities
    bytes[0x08] = 1;               // revision: no driver of before virtio 1.0 may take it
    put(bytes, 0x0a, class_of(setup->type), 2);
    if (setup->aperture_size)
        put(bytes, BASE_ADDRESS + 4 * VFIO_BAR_APERTURE, MEMORY_64_PREFETCHABLE, 4);
    put(bytes, SUBSYSTEM, VIRTIO_VENDOR, 2);
    put(bytes, SUBSYSTEM + 2, SUBSYSTEM_ID, 2);
    bytes[FIRST_CAPABILITY] = AT_POWER;
    put_capabilities(bytes, setup);

    put(writable, COMMAND, 0x0547, 2);
    writable[CACHE_LINE] = 0xff;
    writable[INTERRUPT_LINE] = 0xff;
    put(writable, AT_POWER + 4, 0x0003, 2);
    writable[WINDOW_BAR] = 0xff;
    put(writable, WINDOW_OFFSET, 0xffffffff, 4);
    put(writable, WINDOW_LENGTH, 0xffffffff, 4);
    put(writable, EXPRESS_CONTROL, 0x7fff, 2);
}

void vfio_config_read(const struct vfio_config *config, uint32_t offset, uint8_t *bytes,
                      uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = offset + i < VFIO_CONFIG_USED ? config->bytes[offset + i] : 0;
}

void vfio_config_reset(struct vfio_config *config)
{
    // What may be written is zero at the beginning, but for the window's place, which is the
    // driver's to set.
    for (unsigned i = 0; i < VFIO_CONFIG_USED; i++)
        config->bytes[i] &= (uint8_t)~config->writable[i];
}

bool vfio_config_write(struct vfio_config *config, uint32_t offset, const uint8_t *bytes,
                       uint32_t size)
{
    bool reset = false;
    for (uint32_t i = 0; i < size && offset + i < VFIO_CONFIG_USED; i++) {
        uint32_t at = offset + i;
        uint8_t mask = config->writable[at];
        config->bytes[at] = (uint8_t)((config->bytes[at] & ~mask) | (bytes[i] & mask));
        reset |= at == EXPRESS_CONTROL + 1 && bytes[i] & FUNCTION_RESET >> 8;
    }
    if (reset)
        vfio_config_reset(config);
    return reset;
}

bool vfio_config_is_master(const struct vfio_config *config)
{
    return config->bytes[COMMAND] & BUS_MASTER;
}

bool vfio_config_is_window(const struct vfio_config *config, uint32_t offset, uint32_t size,
                           uint32_t *at)
{
    uint32_t length = get(config->bytes, WINDOW_LENGTH, 4);
    *at = get(config->bytes, WINDOW_OFFSET, 4);
    return offset == WINDOW_DATA && size == length && (size == 1 || size == 2 || size == 4) &&
           config->bytes[WINDOW_BAR] == VFIO_BAR_VIRTIO &&
           checked_range(*at, size, VFIO_VIRTIO_SIZE);
}
