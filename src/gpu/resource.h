// Private to src/gpu: resources. What a resource shows or shares is always a range of a file; guest
// pages are only a source.
#ifndef GPU_RESOURCE_H
#define GPU_RESOURCE_H

#include "gpu/device.h"

struct gpu_context;
struct renderer_account;

enum gpu_resource_kind {
    GPU_RESOURCE_2D,     // pixels in a file made here, filled by TRANSFER_TO_HOST_2D
    GPU_RESOURCE_GUEST,  // blob of guest pages
    GPU_RESOURCE_SHM,    // blob id 0 of a context: a file made here
    GPU_RESOURCE_MEMORY, // blob of a context's VkDeviceMemory: a range of a worker's file
};

// Guest pages, validated when they came, looked up again at each use.
struct gpu_backing {
    struct gpu_backing_entry {
        uint64_t address, start; // guest-physical; bytes of the entries before
        uint32_t length;
    } * entries;
    uint32_t count;
    uint64_t size; // bytes of all
};

struct gpu_resource {
    uint32_t id;
    enum gpu_resource_kind kind;
    uint32_t format, width, height, stride; // of a 2D resource
    uint32_t blob_flags;
    uint64_t size; // bytes of the blob, as the guest knows it

    struct gpu_file *file; // NULL: guest blob, or not exported yet
    uint64_t offset;       // in the file
    struct gpu_backing backing;
    uint32_t map_info;

    // While its context's worker is asked for it. A resource in this state is in the table, but
    // nobody else reaches it: its lane is held.
    struct gpu_request *creator; // the CREATE_BLOB; NULL: not asked for
    struct gpu_context *exporter;
    struct renderer_blob blob;

    // In the aperture (aperture.c).
    enum gpu_placement placement;
    uint64_t aperture_offset, aperture_size;
    uint64_t cookie;
    bool is_postponed; // `postponed` is in aperture.postponed
    struct list postponed;
    struct gpu_request *mover; // the MAP, UNMAP or UNREF that waits for the placement to change

    // The account of the context that it comes from: what that has shared stays counted as long as
    // the resource is here. A reference; NULL: it comes from no context.
    struct renderer_account *account;
    uint64_t charged; // bytes of shared memory made here

    struct list attachments; // struct gpu_attachment
    bool has_uuid;
    uint8_t uuid[16];
};

// A new one in the table. Errors: NULL and *outcome, if the id is 0 or taken, at the limit, without
// memory.
struct gpu_resource *gpu_resource_create(struct gpu_device *device, uint32_t id,
                                         enum gpu_resource_kind kind, struct gpu_outcome *outcome);
// Out of the table, the contexts, the outputs. It must be in no place of the aperture, or stuck.
void gpu_resource_destroy(struct gpu_device *device, struct gpu_resource *resource);
void gpu_resources_reset(struct gpu_device *device);

// ---- backing (backing.c) --------------------------------------------------

// Reads `count` entries that follow `offset` of the request. At most `wanted` bytes are looked at:
// a resource needs no more.
struct gpu_outcome gpu_backing_read(struct gpu_device *device, const struct gpu_request *request,
                                    uint64_t offset, uint32_t count, uint64_t wanted,
                                    struct gpu_backing *backing);
void gpu_backing_free(struct gpu_device *device, struct gpu_backing *backing);
// Copies bytes [offset, offset + size) out of guest memory. Errors: false, not so many, or no
// longer guest memory.
bool gpu_backing_copy(struct gpu_device *device, const struct gpu_backing *backing, uint64_t offset,
                      void *data, uint64_t size);
// Copies rows of `width_bytes`, `stride` apart in the backing from `offset` on, to rows `to_stride`
// apart.
bool gpu_backing_copy_rows(struct gpu_device *device, const struct gpu_backing *backing,
                           uint64_t offset, uint64_t stride, uint8_t *to, uint64_t to_stride,
                           uint64_t width_bytes, uint32_t rows);

// ---- commands (resource.c, transfer.c) ------------------------------------

struct gpu_outcome gpu_resource_create_2d(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_resource_unref(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_resource_attach_backing(struct gpu_device *device,
                                               struct gpu_request *request);
struct gpu_outcome gpu_resource_detach_backing(struct gpu_device *device,
                                               struct gpu_request *request);
struct gpu_outcome gpu_resource_assign_uuid(struct gpu_device *device, struct gpu_request *request);
struct gpu_outcome gpu_transfer_to_host_2d(struct gpu_device *device, struct gpu_request *request);

#endif
