// vhost-user on the wire: numbers and layouts that this back end uses, as QEMU 11.1 has them.
// Native byte order, no padding.
#ifndef VHOST_USER_PROTOCOL_H
#define VHOST_USER_PROTOCOL_H

#include <stdint.h>

#include "front/virtio/channel.h"
#include "front/virtio/device.h"
#include "front/virtio/memory.h"

// From the front end.
enum vhost_message_type {
    VHOST_GET_FEATURES = 1,
    VHOST_SET_FEATURES = 2,
    VHOST_SET_OWNER = 3,
    VHOST_RESET_OWNER = 4,
    VHOST_SET_MEM_TABLE = 5,
    VHOST_SET_VRING_NUM = 8,
    VHOST_SET_VRING_ADDR = 9,
    VHOST_SET_VRING_BASE = 10,
    VHOST_GET_VRING_BASE = 11,
    VHOST_SET_VRING_KICK = 12,
    VHOST_SET_VRING_CALL = 13,
    VHOST_SET_VRING_ERR = 14,
    VHOST_GET_PROTOCOL_FEATURES = 15,
    VHOST_SET_PROTOCOL_FEATURES = 16,
    VHOST_GET_QUEUE_NUM = 17,
    VHOST_SET_VRING_ENABLE = 18,
    VHOST_SET_BACKEND_REQ_FD = 21,
    VHOST_GET_CONFIG = 24,
    VHOST_SET_CONFIG = 25,
    VHOST_GET_SHMEM_CONFIG = 44,
};

// From us, on the back-end channel.
enum vhost_backend_type {
    VHOST_BACKEND_CONFIG_CHANGE = 2,
    VHOST_BACKEND_SHARED_OBJECT_LOOKUP = 8,
    VHOST_BACKEND_SHMEM_MAP = 9,
    VHOST_BACKEND_SHMEM_UNMAP = 10,
    VHOST_BACKEND_NOTHING = 0x68000000, // makes an unknown message of any other that has begun
};

enum vhost_flags {
    VHOST_VERSION = VIRTIO_CHANNEL_VERSION,
    VHOST_REPLY = 1 << 2,
    VHOST_NEED_REPLY = 1 << 3,
};

// Bits of GET_PROTOCOL_FEATURES. Others must not be offered to QEMU 11.1: docs/vhost-user.md says
// what each of them breaks.
#define VHOST_PROTOCOL_MQ (1ull << 0)
#define VHOST_PROTOCOL_REPLY_ACK (1ull << 3)
#define VHOST_PROTOCOL_BACKEND_REQ (1ull << 5)
#define VHOST_PROTOCOL_CONFIG (1ull << 9)
#define VHOST_PROTOCOL_BACKEND_SEND_FD (1ull << 10)
#define VHOST_PROTOCOL_SHARED_OBJECT (1ull << 18)
#define VHOST_PROTOCOL_SHMEM (1ull << 22)

// Bits of GET_FEATURES that belong to the transport.
#define VHOST_F_PROTOCOL_FEATURES (1ull << 30)

enum { VHOST_MAX_REGIONS = 8, VHOST_MAX_SHMEM = 256 };

struct vhost_memory_table {
    uint32_t count;
    uint32_t padding;
    struct virtio_memory_region regions[VHOST_MAX_REGIONS];
};

struct vhost_vring_state { // SET_VRING_NUM, BASE, ENABLE, GET_VRING_BASE
    uint32_t index;
    uint32_t number;
};

struct vhost_vring_address {
    uint32_t index;
    uint32_t flags;
    uint64_t descriptors, used, available; // front-end addresses
    uint64_t log;
};

// The u64 of SET_VRING_KICK, CALL and ERR.
#define VHOST_VRING_INDEX_MASK 0xffull
#define VHOST_VRING_NO_FD (1ull << 8)

struct vhost_config {
    uint32_t offset;
    uint32_t size;
    uint32_t flags;
    uint8_t bytes[VIRTIO_MAX_CONFIG];
};
#define VHOST_CONFIG_HEADER 12u

struct vhost_shmem_config {
    uint32_t count;
    uint32_t padding;
    uint64_t sizes[VHOST_MAX_SHMEM]; // by shmid
};

struct vhost_shmem_map {
    uint8_t shmid;
    uint8_t padding[7];
    uint64_t file_offset;
    uint64_t offset; // in the shared-memory region
    uint64_t size;
    uint64_t flags; // bit 0: writable
};
#define VHOST_SHMEM_WRITABLE 1ull

_Static_assert(sizeof(struct vhost_shmem_map) == 40, "SHMEM_MAP");
_Static_assert(sizeof(struct vhost_shmem_config) == 2056, "SHMEM_CONFIG");
_Static_assert(sizeof(struct vhost_vring_address) == 40, "VRING_ADDR");

#endif
