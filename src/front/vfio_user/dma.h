// Which files the guest's memory lies in, as the front end has told by DMA_MAP and DMA_UNMAP.
// Ranges without a file (firmware's flash, regions of other devices) are remembered and not used.
//
// Thread: the loop's.
#ifndef VFIO_USER_DMA_H
#define VFIO_USER_DMA_H

#include "front/virtio/memory.h"

struct vfio_dma_map;
struct vfio_dma_unmap;

enum { VFIO_MAX_RANGES = 256 }; // those with a file are at most VIRTIO_MAX_REGIONS

struct vfio_dma {
    struct virtio_memory memory;
    struct vfio_dma_range {
        uint64_t address, size, offset;
        int fd; // ours; -1: none
    } ranges[VFIO_MAX_RANGES];
    unsigned count;
};

// Owns: `fd` (-1: none) stays the caller's.
// Errors: -errno, and nothing has changed.
int vfio_dma_map(struct vfio_dma *dma, const struct vfio_dma_map *request, int fd);
int vfio_dma_unmap(struct vfio_dma *dma, const struct vfio_dma_unmap *request);
void vfio_dma_finish(struct vfio_dma *dma);

// Whether the address lies in a range that came without a file.
bool vfio_dma_is_private(const struct vfio_dma *dma, uint64_t address);

#endif
