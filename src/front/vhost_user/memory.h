// Guest memory, as the front end's memory table describes it. Each file is mapped once, as a whole,
// when an address in it is used. So sections that QEMU splits or moves cost no new mapping, and
// pointers that were given out stay valid until vhost_memory_trim. What other devices have put into
// the guest's address space (a GPU's aperture) costs nothing, and is held only while the table
// names it.
//
// Thread: the loop's.
#ifndef VHOST_USER_MEMORY_H
#define VHOST_USER_MEMORY_H

#include <stdbool.h>
#include <sys/types.h>

#include "front/vhost_user/protocol.h"

enum { VHOST_MAX_MAPPINGS = 64 };

// Tells two files apart. Where shared memory has no inode (macOS, the portable flavour) both
// members are 0, and files cannot be told apart.
struct vhost_file_id {
    dev_t device;
    ino_t inode;
};
bool vhost_file_identify(int fd, struct vhost_file_id *id);
static inline bool vhost_file_same(struct vhost_file_id a, struct vhost_file_id b)
{
    return a.device == b.device && a.inode == b.inode && a.inode;
}

struct vhost_memory {
    struct vhost_block {
        uint64_t guest, user, size; // guest-physical and front-end address, bytes
        uint64_t file_offset;
        uint8_t *host; // NULL: not used yet
        unsigned mapping;
    } blocks[VHOST_MAX_REGIONS];
    unsigned count, last; // `last`: where the previous look-up ended

    struct vhost_mapping {
        struct vhost_file_id id;
        uint64_t base, size; // `base`: front-end address of the file's first byte
        void *address;       // NULL: not mapped (yet)
        int fd;              // to map the file by; -1: it was used
    } mappings[VHOST_MAX_MAPPINGS];
    unsigned mapping_count;
};

// Replaces the table. Regions whose fd is -1 are left out.
// Owns: `fds` stay the caller's.
// Errors: -errno, and the old table stays.
int vhost_memory_set(struct vhost_memory *memory, const struct vhost_memory_table *table,
                     const int *fds);
// Unmaps files that the table no longer names. There must be no pointers into them.
void vhost_memory_trim(struct vhost_memory *memory);
void vhost_memory_finish(struct vhost_memory *memory);

// Whether a file whose first byte the front end has at `base` was in a table since the last trim.
bool vhost_memory_knows(const struct vhost_memory *memory, uint64_t base);

// Host address of a guest-physical address; `available` gets how many of `size` bytes lie there in
// one piece.
// Errors: NULL, it is not guest memory.
void *vhost_memory_at(struct vhost_memory *memory, uint64_t address, uint64_t size,
                      uint64_t *available);
// Host address of `size` bytes at a front-end address (of a ring). Errors: NULL.
void *vhost_memory_user(struct vhost_memory *memory, uint64_t address, uint64_t size);

#endif
