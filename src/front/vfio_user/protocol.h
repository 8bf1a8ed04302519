// vfio-user on the wire: numbers and layouts that this server uses, as QEMU 10.1 to 11.1 have them.
// Native byte order. docs/vfio-user.md says what each message is for.
#ifndef VFIO_USER_PROTOCOL_H
#define VFIO_USER_PROTOCOL_H

#include <stdint.h>

enum vfio_command {
    VFIO_USER_VERSION = 1,
    VFIO_USER_DMA_MAP = 2,
    VFIO_USER_DMA_UNMAP = 3,
    VFIO_USER_GET_INFO = 4,
    VFIO_USER_GET_REGION_INFO = 5,
    VFIO_USER_GET_IRQ_INFO = 7,
    VFIO_USER_SET_IRQS = 8,
    VFIO_USER_REGION_READ = 9,
    VFIO_USER_REGION_WRITE = 10,
    VFIO_USER_RESET = 13,
};

enum vfio_flags {
    VFIO_USER_REPLY = 0x1,
    VFIO_USER_TYPE_MASK = 0xf,
    VFIO_USER_NO_REPLY = 0x10,
    VFIO_USER_ERROR = 0x20,
};

enum {
    VFIO_USER_MAX_ACCESS = 4096, // bytes of a region in one message: the configuration space
};

struct vfio_header {
    uint16_t id;
    uint16_t command;
    uint32_t size; // of the message, with this header
    uint32_t flags;
    uint32_t error; // errno's value
};

struct vfio_version {
    uint16_t major, minor;
    char text[]; // a JSON object, ended by 0
};

enum { VFIO_DMA_READABLE = 1, VFIO_DMA_WRITABLE = 2 };
struct vfio_dma_map {
    uint32_t room; // vfio's "argsz", as in all that follows
    uint32_t flags;
    uint64_t offset; // in the file that comes with it
    uint64_t address;
    uint64_t size;
};

enum { VFIO_UNMAP_ALL = 2 };
struct vfio_dma_unmap {
    uint32_t room;
    uint32_t flags;
    uint64_t address;
    uint64_t size;
};

enum { VFIO_DEVICE_RESETS = 1, VFIO_DEVICE_IS_PCI = 2 };
struct vfio_device_info {
    uint32_t room;
    uint32_t flags;
    uint32_t regions;
    uint32_t interrupts;
};

enum { VFIO_REGION_READABLE = 1, VFIO_REGION_WRITABLE = 2, VFIO_REGION_MAPPABLE = 4 };
enum { VFIO_REGION_CONFIG = 7, VFIO_REGION_COUNT = 9 };
struct vfio_region_info {
    uint32_t room;
    uint32_t flags;
    uint32_t index;
    uint32_t capability;
    uint64_t size;
    uint64_t offset; // in the file that comes with the answer
};

enum { VFIO_INTERRUPT_EVENTFD = 1 };
enum { VFIO_INTERRUPT_MSIX = 2, VFIO_INTERRUPT_COUNT = 5 };
struct vfio_interrupt_info {
    uint32_t room;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
};

enum {
    VFIO_SET_NONE = 0x1,    // no data
    VFIO_SET_EVENTFD = 0x4, // descriptors
    VFIO_SET_TRIGGER = 0x20,
};
struct vfio_set_interrupts {
    uint32_t room;
    uint32_t flags;
    uint32_t index;
    uint32_t start;
    uint32_t count;
};

struct vfio_region_access {
    uint64_t offset;
    uint32_t region;
    uint32_t count;
    uint8_t bytes[];
};

_Static_assert(sizeof(struct vfio_header) == 16, "vfio-user header");
_Static_assert(sizeof(struct vfio_dma_map) == 32, "DMA_MAP");
_Static_assert(sizeof(struct vfio_dma_unmap) == 24, "DMA_UNMAP");
_Static_assert(sizeof(struct vfio_region_info) == 32, "GET_REGION_INFO");
_Static_assert(sizeof(struct vfio_set_interrupts) == 20, "SET_IRQS");
_Static_assert(sizeof(struct vfio_region_access) == 16, "REGION_READ");

#endif
