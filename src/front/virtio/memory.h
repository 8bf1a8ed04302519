// Guest memory, as the transport's memory table describes it. Each file is mapped once, as a whole,
// when an address in it is used. So sections that QEMU splits or moves cost no new mapping, and
// pointers that were given out stay valid until virtio_memory_trim. What other devices have put
// into the guest's address space (a GPU's aperture) costs nothing, and is held only while the table
// names it.
//
// Thread: the loop's.
#ifndef VIRTIO_MEMORY_H
#define VIRTIO_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { VIRTIO_MAX_MAPPINGS = 64, VIRTIO_MAX_REGIONS = 128 };

struct virtio_memory_region {
    uint64_t guest_address; // guest-physical
    uint64_t size;
    uint64_t
        user_address; // by which the transport names rings; guest_address where it has no other
    uint64_t file_offset;
};

// Tells two files apart. Where shared memory has no inode (macOS, the portable flavour) both
// members are 0, and files cannot be told apart.
struct virtio_file_id {
    dev_t device;
    ino_t inode;
};
bool virtio_file_identify(int fd, struct virtio_file_id *id);
static inline bool virtio_file_same(struct virtio_file_id a, struct virtio_file_id b)
{
    return a.device == b.device && a.inode == b.inode && a.inode;
}

struct virtio_memory {
    struct virtio_block {
        uint64_t guest, user, size; // guest-physical and front-end address, bytes
        uint64_t file_offset;
        uint8_t *host; // NULL: not used yet
        unsigned mapping;
    } blocks[VIRTIO_MAX_REGIONS];
    unsigned count, last; // `last`: where the previous look-up ended

    struct virtio_mapping {
        struct virtio_file_id id;
        uint64_t base, size; // `base`: front-end address of the file's first byte
        void *address;       // NULL: not mapped (yet)
        int fd;              // to map the file by; -1: it was used
    } mappings[VIRTIO_MAX_MAPPINGS];
    unsigned mapping_count;
};

// Replaces the table by `count` regions. Those whose fd is -1 are left out.
// Owns: `fds` stay the caller's.
// Errors: -errno, and the old table stays.
int virtio_memory_set(struct virtio_memory *memory, const struct virtio_memory_region *regions,
                      unsigned count, const int *fds);
// Unmaps files that the table no longer names. There must be no pointers into them.
void virtio_memory_trim(struct virtio_memory *memory);
void virtio_memory_finish(struct virtio_memory *memory);

// Whether a file whose first byte the front end has at `base` was in a table since the last trim.
bool virtio_memory_knows(const struct virtio_memory *memory, uint64_t base);

// Whether the guest seems to have written nothing where its memory begins. No guest gets far so.
bool virtio_memory_is_blank(struct virtio_memory *memory);
// Tells a person, once, that QEMU keeps the guest's memory to itself.
void virtio_say_not_shared(const char *device);

// Host address of a guest-physical address; `available` gets how many of `size` bytes lie there in
// one piece.
// Errors: NULL, it is not guest memory.
void *virtio_memory_at(struct virtio_memory *memory, uint64_t address, uint64_t size,
                       uint64_t *available);
// Host address of `size` bytes at a front-end address (of a ring). Errors: NULL.
void *virtio_memory_user(struct virtio_memory *memory, uint64_t address, uint64_t size);

#endif
