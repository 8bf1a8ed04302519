// VkDeviceMemory of the guest.
#ifndef VENUS_MEMORY_H
#define VENUS_MEMORY_H

#include "venus/device.h"
#include "venus/pages.h"

struct venus_memory {
    struct venus_object base;
    struct venus_pages *pages; // NULL: plain memory of the driver, not mappable, not shared
    uint64_t size;
    uint32_t map_info; // virtio-gpu's: 1 cached, 3 write-combined
    bool exportable;   // the guest asked for export handle types
    atomic_bool exported; // it is a blob already: once only
};

// Carries out LINK_BLOB_EXPORT: attaches the resource and says where the pages are. Returns 0 or -errno; fd in out_fd is borrowed.
int venus_memory_export(struct venus_context *context, const struct link_blob_export *request, struct link_blob_exported *answer, int *out_fd);
void venus_memory_release(struct venus_context *context, struct venus_memory *memory);

#endif
