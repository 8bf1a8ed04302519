// How shared pages get into the host's driver: by their address (VK_EXT_external_memory_host), or,
// where the driver takes no address of a file's pages, as a dma-buf made of them.
//
// Thread: any.
#ifndef VENUS_IMPORT_H
#define VENUS_IMPORT_H

#include "venus/pages.h"
#include "wire/wire.h"

// HOST_ALLOCATION or DMA_BUF, found out by venus_probe_device.
typedef VkExternalMemoryHandleTypeFlagBits venus_import_handle;

struct venus_import {
    VkImportMemoryHostPointerInfoEXT pointer;
    VkImportMemoryFdInfoKHR file; // fd is -1 without a dma-buf
};

// Puts the first info->allocationSize bytes of `pages` in front of the chain of `info`, which then
// points into `import`. If it succeeds, venus_import_end must follow.
// Errors: -errno; info is as it was.
int venus_import_begin(struct venus_import *import, venus_import_handle handle,
                       const struct venus_pages *pages, VkMemoryAllocateInfo *info);
// Called with what vkAllocateMemory has returned: a driver owns a dma-buf only if it took it.
void venus_import_end(struct venus_import *import, VkResult result);

#endif
