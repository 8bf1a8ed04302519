// What the virtio specification (1.2, §5.7) says of bytes: our own definitions, since the kernel's
// header exists on Linux only. Everything is little-endian, as are the hosts that Hesper runs on.
#ifndef GPU_PROTOCOL_H
#define GPU_PROTOCOL_H

#include <stdint.h>

#include "gpu/output.h"
#include "picture/picture.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error the structures below are read and written as they lie in memory
#endif

// Feature bits.
enum {
    GPU_F_VIRGL,         // 3D commands: contexts, submissions
    GPU_F_EDID,          // GET_EDID
    GPU_F_RESOURCE_UUID, // RESOURCE_ASSIGN_UUID
    GPU_F_RESOURCE_BLOB, // blobs
    GPU_F_CONTEXT_INIT,  // a capset per context, timelines (rings) per context
    GPU_F_BLOB_ALIGNMENT // blob sizes and places are multiples of config.blob_alignment
};

struct gpu_config {
    uint32_t events_read, events_clear, num_scanouts, num_capsets;
    uint32_t blob_alignment; // bytes; only with GPU_F_BLOB_ALIGNMENT
};

enum { GPU_EVENT_DISPLAY = 1 };
enum { GPU_SHM_HOST_VISIBLE = 1 }; // shmid of the aperture

enum gpu_command_type {
    GPU_CMD_GET_DISPLAY_INFO = 0x0100,
    GPU_CMD_RESOURCE_CREATE_2D,
    GPU_CMD_RESOURCE_UNREF,
    GPU_CMD_SET_SCANOUT,
    GPU_CMD_RESOURCE_FLUSH,
    GPU_CMD_TRANSFER_TO_HOST_2D,
    GPU_CMD_RESOURCE_ATTACH_BACKING,
    GPU_CMD_RESOURCE_DETACH_BACKING,
    GPU_CMD_GET_CAPSET_INFO,
    GPU_CMD_GET_CAPSET,
    GPU_CMD_GET_EDID,
    GPU_CMD_RESOURCE_ASSIGN_UUID,
    GPU_CMD_RESOURCE_CREATE_BLOB,
    GPU_CMD_SET_SCANOUT_BLOB,

    GPU_CMD_CTX_CREATE = 0x0200,
    GPU_CMD_CTX_DESTROY,
    GPU_CMD_CTX_ATTACH_RESOURCE,
    GPU_CMD_CTX_DETACH_RESOURCE,
    GPU_CMD_RESOURCE_CREATE_3D,    // virgl only: refused
    GPU_CMD_TRANSFER_TO_HOST_3D,   // likewise
    GPU_CMD_TRANSFER_FROM_HOST_3D, // likewise
    GPU_CMD_SUBMIT_3D,
    GPU_CMD_RESOURCE_MAP_BLOB,
    GPU_CMD_RESOURCE_UNMAP_BLOB,

    GPU_CMD_UPDATE_CURSOR = 0x0300,
    GPU_CMD_MOVE_CURSOR,
};

enum gpu_response_type {
    GPU_RESP_OK_NODATA = 0x1100,
    GPU_RESP_OK_DISPLAY_INFO,
    GPU_RESP_OK_CAPSET_INFO,
    GPU_RESP_OK_CAPSET,
    GPU_RESP_OK_EDID,
    GPU_RESP_OK_RESOURCE_UUID,
    GPU_RESP_OK_MAP_INFO,

    GPU_RESP_ERR_UNSPEC = 0x1200,
    GPU_RESP_ERR_OUT_OF_MEMORY,
    GPU_RESP_ERR_INVALID_SCANOUT_ID,
    GPU_RESP_ERR_INVALID_RESOURCE_ID,
    GPU_RESP_ERR_INVALID_CONTEXT_ID,
    GPU_RESP_ERR_INVALID_PARAMETER,
};

enum { GPU_FLAG_FENCE = 1, GPU_FLAG_INFO_RING_IDX = 2 };

// Starts every request and every response.
struct gpu_header {
    uint32_t type;
    uint32_t flags;
    uint64_t fence_id;
    uint32_t ctx_id;
    uint8_t ring_idx;
    uint8_t padding[3];
};

// ---- requests without the header, as they follow it -----------------------

struct gpu_resource_only { // UNREF, DETACH_BACKING, ASSIGN_UUID, CTX_ATTACH/DETACH_RESOURCE,
                           // UNMAP_BLOB
    uint32_t resource_id;
    uint32_t padding;
};

struct gpu_create_2d {
    uint32_t resource_id, format, width, height;
};

struct gpu_set_scanout {
    struct picture_rect rect;
    uint32_t scanout_id, resource_id;
};

struct gpu_set_scanout_blob {
    struct picture_rect rect;
    uint32_t scanout_id, resource_id, width, height, format, padding;
    uint32_t strides[4], offsets[4];
};

struct gpu_flush {
    struct picture_rect rect;
    uint32_t resource_id, padding;
};

struct gpu_transfer_2d {
    struct picture_rect rect;
    uint64_t offset; // of the rectangle's first pixel, in the backing
    uint32_t resource_id, padding;
};

struct gpu_memory_entry {
    uint64_t address; // guest-physical
    uint32_t length, padding;
};

struct gpu_attach_backing { // + nr_entries × struct gpu_memory_entry
    uint32_t resource_id, nr_entries;
};

struct gpu_get_capset_info {
    uint32_t index, padding;
};

struct gpu_get_capset {
    uint32_t id, version;
};

struct gpu_get_edid {
    uint32_t scanout_id, padding;
};

struct gpu_create_blob { // + nr_entries × struct gpu_memory_entry
    uint32_t resource_id, blob_mem, blob_flags, nr_entries;
    uint64_t blob_id, size;
};

enum { GPU_BLOB_MEM_GUEST = 1, GPU_BLOB_MEM_HOST3D, GPU_BLOB_MEM_HOST3D_GUEST };
enum { GPU_BLOB_MAPPABLE = 1, GPU_BLOB_SHAREABLE = 2, GPU_BLOB_CROSS_DEVICE = 4 };

struct gpu_map_blob {
    uint32_t resource_id, padding;
    uint64_t offset; // in the aperture, bytes
};

struct gpu_ctx_create {
    uint32_t name_length, context_init;
    char name[64];
};

enum { GPU_CAPSET_ID_MASK = 0xff, GPU_CAPSET_VENUS = 4, GPU_CAPSET_NOBODYS = 31 };

struct gpu_submit { // + size bytes
    uint32_t size, padding;
};

struct gpu_update_cursor { // MOVE_CURSOR too: the position only
    uint32_t scanout_id, x, y, position_padding;
    uint32_t resource_id, hot_x, hot_y, padding;
};

// ---- responses without the header -----------------------------------------

struct gpu_display_info {
    struct {
        struct picture_rect rect;
        uint32_t enabled, flags;
    } modes[GPU_MAX_OUTPUTS];
};

struct gpu_capset_info {
    uint32_t id, max_version, max_size, padding;
};

struct gpu_edid {
    uint32_t size, padding;
    uint8_t edid[1024];
};

struct gpu_uuid {
    uint8_t uuid[16];
};

struct gpu_map_info {
    uint32_t map_info, padding; // low nibble: 1 cached, 2 uncached, 3 write-combined
};

#endif
