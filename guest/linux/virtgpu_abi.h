// Requests of Linux's virtio_gpu driver that the transport makes: numbers and layouts of the
// kernel's interface, which never change. Here because not every system has the kernel's header.
#ifndef GUEST_VIRTGPU_ABI_H
#define GUEST_VIRTGPU_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

struct virtgpu_version {
    int major, minor, patch;
    size_t name_size;
    char *name;
    size_t date_size;
    char *date;
    size_t text_size;
    char *text;
};

struct virtgpu_close {
    uint32_t handle, padding;
};

struct virtgpu_map {
    uint64_t offset;
    uint32_t handle, padding;
};

enum { VIRTGPU_FENCE_OUT = 2, VIRTGPU_RING_IDX = 4 };

struct virtgpu_submit {
    uint32_t flags, size;
    uint64_t commands, handles;
    uint32_t handle_count;
    int32_t fence;
    uint32_t ring_idx, sync_stride, in_count, out_count;
    uint64_t in, out;
};

enum {
    VIRTGPU_PARAM_3D = 1,
    VIRTGPU_PARAM_BLOB = 3,
    VIRTGPU_PARAM_HOST_VISIBLE = 4,
    VIRTGPU_PARAM_CONTEXT_INIT = 6,
};

struct virtgpu_get_param {
    uint64_t param, value;
};

struct virtgpu_get_caps {
    uint32_t id, version;
    uint64_t address;
    uint32_t size, padding;
};

enum { VIRTGPU_BLOB_HOST3D = 2 };

struct virtgpu_create_blob {
    uint32_t memory, flags, handle, resource;
    uint64_t size;
    uint32_t padding, command_size;
    uint64_t command, id;
};

enum { VIRTGPU_CONTEXT_CAPSET = 1, VIRTGPU_CONTEXT_RINGS = 2 };

struct virtgpu_context_init {
    uint32_t count, padding;
    uint64_t params; // pairs of number and value
};

#define VIRTGPU_VERSION _IOWR('d', 0x00, struct virtgpu_version)
#define VIRTGPU_CLOSE _IOW('d', 0x09, struct virtgpu_close)
#define VIRTGPU_MAP _IOWR('d', 0x41, struct virtgpu_map)
#define VIRTGPU_SUBMIT _IOWR('d', 0x42, struct virtgpu_submit)
#define VIRTGPU_GET_PARAM _IOWR('d', 0x43, struct virtgpu_get_param)
#define VIRTGPU_GET_CAPS _IOWR('d', 0x49, struct virtgpu_get_caps)
#define VIRTGPU_CREATE_BLOB _IOWR('d', 0x4a, struct virtgpu_create_blob)
#define VIRTGPU_CONTEXT_INIT _IOWR('d', 0x4b, struct virtgpu_context_init)

#endif
