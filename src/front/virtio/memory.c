#include "front/virtio/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "os/os.h"
#include "os/shm.h"

bool virtio_file_identify(int fd, struct virtio_file_id *id)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return false;
    *id = os_is_portable() ? (struct virtio_file_id){0}
                           : (struct virtio_file_id){status.st_dev, status.st_ino};
    return true;
}

// The size to map so that [0, needed) is there; 0: the file is too short.
static uint64_t extent(int fd, uint64_t needed)
{
    int64_t size = os_shm_size(fd);
    if (size > 0)
        return (uint64_t)size >= needed ? (uint64_t)size : 0;
    uint64_t rounded; // a device node has no size of its own
    return checked_align_u64(needed, os_page_size(), &rounded) ? rounded : 0;
}

static int find_mapping(const struct virtio_memory *memory, const struct virtio_mapping *wanted)
{
    for (unsigned i = 0; i < memory->mapping_count; i++) {
        const struct virtio_mapping *mapping = &memory->mappings[i];
        if (!mapping->address && mapping->fd < 0) // could not be mapped; perhaps now it can
            continue;
        bool same = wanted->id.inode ? virtio_file_same(mapping->id, wanted->id)
                                     : !mapping->id.inode && mapping->base == wanted->base;
        if (same && mapping->size >= wanted->size)
            return (int)i;
    }
    return -1;
}

static int try_to_map(int fd)
{
    uint64_t page = os_page_size();
    void *address;
    int error = os_shm_map(fd, 0, page, &address);
    os_shm_unmap(address, page);
    return error;
}

// Returns the index of a mapping that covers the region, or -errno.
static int note_region(struct virtio_memory *memory, const struct virtio_memory_region *region,
                       int fd)
{
    struct virtio_mapping wanted = {.fd = -1};
    uint64_t needed;
    if (!checked_add_u64(region->file_offset, region->size, &needed) ||
        !virtio_file_identify(fd, &wanted.id))
        return -EINVAL;
    wanted.base = region->user_address - region->file_offset;
    wanted.size = extent(fd, needed);
    if (!wanted.size)
        return -EINVAL;
    int found = find_mapping(memory, &wanted);
    if (found >= 0)
        return found;
    if (memory->mapping_count == VIRTIO_MAX_MAPPINGS)
        return -ENOSPC;
    int error = try_to_map(fd);
    if (error)
        return error;
    wanted.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (wanted.fd < 0)
        return -errno;
    memory->mappings[memory->mapping_count] = wanted;
    return (int)memory->mapping_count++;
}

// Maps the block's file if it is not mapped. NULL: it cannot be mapped.
static uint8_t *map_block(struct virtio_memory *memory, struct virtio_block *block)
{
    struct virtio_mapping *mapping = &memory->mappings[block->mapping];
    if (!mapping->address && mapping->fd >= 0) {
        int error = os_shm_map(mapping->fd, 0, mapping->size, &mapping->address);
        if (error)
            log_error("cannot map %llu MiB of the guest's memory: %s",
                      (unsigned long long)(mapping->size >> 20), strerror(-error));
        close(mapping->fd);
        mapping->fd = -1;
    }
    block->host = mapping->address ? (uint8_t *)mapping->address + block->file_offset : NULL;
    return block->host;
}

static uint8_t *host_of(struct virtio_memory *memory, struct virtio_block *block)
{
    return block->host ? block->host : map_block(memory, block);
}

static bool overlaps(const struct virtio_block *blocks, unsigned count,
                     const struct virtio_block *block)
{
    for (unsigned i = 0; i < count; i++)
        if (block->guest < blocks[i].guest + blocks[i].size &&
            blocks[i].guest < block->guest + block->size)
            return true;
    return false;
}

static int make_blocks(struct virtio_memory *memory, const struct virtio_memory_region *regions,
                       unsigned region_count, const int *fds, struct virtio_block *blocks)
{
    unsigned count = 0;
    if (region_count > VIRTIO_MAX_REGIONS)
        return -EINVAL;
    for (unsigned i = 0; i < region_count; i++) {
        const struct virtio_memory_region *region = &regions[i];
        uint64_t end;
        if (fds[i] < 0)
            continue;
        struct virtio_block block = {.guest = region->guest_address,
                                     .user = region->user_address,
                                     .size = region->size,
                                     .file_offset = region->file_offset};
        if (!region->size || !checked_add_u64(block.guest, block.size, &end) ||
            !checked_add_u64(block.user, block.size, &end) || overlaps(blocks, count, &block))
            return -EINVAL;
        int mapping = note_region(memory, region, fds[i]);
        if (mapping < 0)
            return mapping;
        block.mapping = (unsigned)mapping;
        blocks[count++] = block;
    }
    return (int)count;
}

// Drops mappings that the table does not name. If `also_mapped` is false, those that are mapped
// stay.
static void forget_mappings(struct virtio_memory *memory, bool also_mapped)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < memory->mapping_count; i++) {
        struct virtio_mapping mapping = memory->mappings[i];
        bool used = !also_mapped && mapping.address;
        for (unsigned b = 0; b < memory->count; b++) {
            if (memory->blocks[b].mapping != i)
                continue;
            used = true;
            memory->blocks[b].mapping = kept;
        }
        if (used) {
            memory->mappings[kept++] = mapping;
            continue;
        }
        if (mapping.address)
            os_shm_unmap(mapping.address, mapping.size);
        if (mapping.fd >= 0)
            close(mapping.fd);
    }
    memory->mapping_count = kept;
}

int virtio_memory_set(struct virtio_memory *memory, const struct virtio_memory_region *regions,
                      unsigned region_count, const int *fds)
{
    struct virtio_block blocks[VIRTIO_MAX_REGIONS];
    int count = make_blocks(memory, regions, region_count, fds, blocks);
    if (count >= 0) {
        memcpy(memory->blocks, blocks, (unsigned)count * sizeof(*blocks));
        memory->count = (unsigned)count;
        memory->last = 0;
    }
    forget_mappings(memory, false);
    return count < 0 ? count : 0;
}

bool virtio_memory_knows(const struct virtio_memory *memory, uint64_t base)
{
    for (unsigned i = 0; i < memory->mapping_count; i++)
        if (memory->mappings[i].base == base)
            return true;
    return false;
}

void virtio_memory_trim(struct virtio_memory *memory)
{
    forget_mappings(memory, true);
}

void virtio_memory_finish(struct virtio_memory *memory)
{
    memory->count = 0;
    virtio_memory_trim(memory);
}

bool virtio_memory_is_blank(struct virtio_memory *memory)
{
    enum { LOOKED_AT = 4 << 20 };
    struct virtio_block *first = NULL;
    for (unsigned i = 0; i < memory->count; i++)
        if (!first || memory->blocks[i].guest < first->guest)
            first = &memory->blocks[i];
    const uint8_t *bytes = first ? host_of(memory, first) : NULL;
    uint64_t size = bytes && first->size < LOOKED_AT ? first->size : LOOKED_AT;
    // All are zero if the first is, and each is like the one before it.
    return bytes && !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

void virtio_say_not_shared(const char *device)
{
    static bool said; // of all devices
    if (!said)
        log_error("%s: the guest's memory is not shared with hesper, so its driver waits for "
                  "answers that never come: give QEMU -object "
                  "memory-backend-memfd,id=mem,size=...,share=on and -machine memory-backend=mem",
                  device);
    said = true;
}

void *virtio_memory_at(struct virtio_memory *memory, uint64_t address, uint64_t size,
                       uint64_t *available)
{
    for (unsigned n = 0; n < memory->count; n++) {
        unsigned i = memory->last + n;
        if (i >= memory->count)
            i -= memory->count;
        struct virtio_block *block = &memory->blocks[i];
        uint64_t offset = address - block->guest; // wraps below the block: larger than any size
        if (offset >= block->size)
            continue;
        memory->last = i;
        *available = size < block->size - offset ? size : block->size - offset;
        uint8_t *host = host_of(memory, block);
        return host ? host + offset : NULL;
    }
    return NULL;
}

void *virtio_memory_user(struct virtio_memory *memory, uint64_t address, uint64_t size)
{
    for (unsigned i = 0; i < memory->count; i++) {
        struct virtio_block *block = &memory->blocks[i];
        if (address < block->user || !checked_range(address - block->user, size, block->size))
            continue;
        uint8_t *host = host_of(memory, block);
        return host ? host + (address - block->user) : NULL;
    }
    return NULL;
}
