#include "front/vfio_user/dma.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "front/vfio_user/protocol.h"

// Gives the memory the table as it is now.
static int apply(struct vfio_dma *dma)
{
    struct virtio_memory_region regions[VIRTIO_MAX_REGIONS];
    int fds[VIRTIO_MAX_REGIONS];
    unsigned count = 0;
    for (unsigned i = 0; i < dma->count; i++) {
        const struct vfio_dma_range *range = &dma->ranges[i];
        if (range->fd < 0)
            continue;
        if (count == VIRTIO_MAX_REGIONS)
            return -ENOSPC;
        regions[count] = (struct virtio_memory_region){.guest_address = range->address,
                                                       .size = range->size,
                                                       .user_address = range->address,
                                                       .file_offset = range->offset};
        fds[count++] = range->fd;
    }
    return virtio_memory_set(&dma->memory, regions, count, fds);
}

static bool overlaps(const struct vfio_dma_range *range, uint64_t address, uint64_t size)
{
    return address - range->address < range->size || range->address - address < size;
}

int vfio_dma_map(struct vfio_dma *dma, const struct vfio_dma_map *request, int fd)
{
    uint64_t end;
    // A size that ends at the last address would make the end 0, and is refused with the rest.
    if (!request->size || !checked_add_u64(request->address, request->size, &end) ||
        !checked_add_u64(request->offset, request->size, &end) || request->offset % 4096 ||
        !(request->flags & (VFIO_DMA_READABLE | VFIO_DMA_WRITABLE)))
        return -EINVAL;
    for (unsigned i = 0; i < dma->count; i++)
        if (overlaps(&dma->ranges[i], request->address, request->size))
            return -EEXIST;
    if (dma->count == VFIO_MAX_RANGES)
        return -ENOSPC;
    struct vfio_dma_range range = {request->address, request->size, request->offset, -1};
    // Memory that may not be written to is a ROM's, which no driver puts a buffer into.
    if (fd >= 0 && request->flags & VFIO_DMA_WRITABLE) {
        range.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (range.fd < 0)
            return -errno;
    }
    dma->ranges[dma->count++] = range;
    int error = range.fd >= 0 ? apply(dma) : 0;
    if (error) {
        dma->count--;
        close(range.fd);
    }
    return error;
}

// Ranges go as a whole.
int vfio_dma_unmap(struct vfio_dma *dma, const struct vfio_dma_unmap *request)
{
    bool all = request->flags & VFIO_UNMAP_ALL;
    uint64_t last;
    if (request->flags & ~(uint32_t)VFIO_UNMAP_ALL)
        return -EINVAL;
    if (!all && (!request->size || !checked_add_u64(request->address, request->size - 1, &last)))
        return -EINVAL;
    unsigned found = 0;
    for (unsigned i = 0; i < dma->count && !all; i++) {
        const struct vfio_dma_range *range = &dma->ranges[i];
        if (!overlaps(range, request->address, request->size))
            continue;
        if (range->address < request->address || range->address + (range->size - 1) > last)
            return -EINVAL;
        found++;
    }
    if (!found && !all)
        return -ENOENT;
    unsigned kept = 0;
    for (unsigned i = 0; i < dma->count; i++) {
        struct vfio_dma_range range = dma->ranges[i];
        if (!all && !overlaps(&range, request->address, request->size))
            dma->ranges[kept++] = range;
        else if (range.fd >= 0)
            close(range.fd);
    }
    dma->count = kept;
    return apply(dma);
}

void vfio_dma_finish(struct vfio_dma *dma)
{
    for (unsigned i = 0; i < dma->count; i++)
        if (dma->ranges[i].fd >= 0)
            close(dma->ranges[i].fd);
    dma->count = 0;
    virtio_memory_finish(&dma->memory);
}

bool vfio_dma_is_private(const struct vfio_dma *dma, uint64_t address)
{
    for (unsigned i = 0; i < dma->count; i++)
        if (dma->ranges[i].fd < 0 && address - dma->ranges[i].address < dma->ranges[i].size)
            return true;
    return false;
}
