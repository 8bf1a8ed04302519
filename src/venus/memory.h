// VkDeviceMemory of the guest.
#ifndef VENUS_MEMORY_H
#define VENUS_MEMORY_H

#include "venus/device.h"
#include "venus/pages.h"

struct venus_memory {
    struct venus_object base;
    struct venus_pages *pages; // NULL: plain memory of the driver, not mappable, not shared
    bool mappable;             // of a type that the guest sees as HOST_VISIBLE
    bool exportable;           // the guest asked for export handle types
    enum link_holding holding; // of plain memory: what it is counted as
    uint64_t plain_size;       // bytes that are counted; of pages these are counted themselves
    atomic_bool exported;      // it is a blob already: once only
};

// Carries out LINK_BLOB_EXPORT: attaches the resource and says where the pages are.
// Owns: *out_fd stays the pages'.
// Errors: 0 or -errno.
int venus_memory_export(struct venus_context *context, const struct link_blob_export *request,
                        struct link_blob_exported *answer, int *out_fd);

#endif
