#include "venus/import.h"

#include <unistd.h>

#include "os/shm.h"

int venus_import_begin(struct venus_import *import, venus_import_handle handle,
                       const struct venus_pages *pages, VkMemoryAllocateInfo *info)
{
    import->file.fd = -1;
    if (handle == VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT) {
        import->pointer = (VkImportMemoryHostPointerInfoEXT){
            .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
            .pNext = info->pNext,
            .handleType = handle,
            .pHostPointer = pages->address};
        info->pNext = &import->pointer;
        return 0;
    }
    int fd = os_shm_dma_buf(pages->fd, pages->offset, info->allocationSize);
    if (fd < 0)
        return fd;
    import->file = (VkImportMemoryFdInfoKHR){.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
                                             .pNext = info->pNext,
                                             .handleType = handle,
                                             .fd = fd};
    info->pNext = &import->file;
    return 0;
}

void venus_import_end(struct venus_import *import, VkResult result)
{
    if (import->file.fd >= 0 && result != VK_SUCCESS)
        close(import->file.fd);
    import->file.fd = -1;
}
