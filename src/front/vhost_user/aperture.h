// The aperture: the guest's shared-memory region, in which ranges of files are placed
// (docs/architecture.md). There are two carriers:
//
// - With the placer in QEMU, one sparse file is mapped over the whole region at each start of a
// driver, and the placer maps ranges over it.
// - Without it, QEMU maps each range itself (SHMEM_MAP). The number of its mappings is limited.
//
// An aperture belongs to one vhost_user device, and must be told of its `start`, `stop` and
// `reset`.
//
// Thread: the loop's.
#ifndef VHOST_USER_APERTURE_H
#define VHOST_USER_APERTURE_H

#include <stdbool.h>
#include <stdint.h>

struct os_loop;
struct vhost_user;
struct vhost_aperture;

struct vhost_aperture_options {
    uint64_t size;       // bytes, a power of two; 0: no aperture, and nothing here does anything
    unsigned max_ranges; // placements at a time without the placer; 0: as many as QEMU survives
    const char *hint;    // how to load the placer, for the log line without it; static, or NULL
};

struct vhost_aperture_ops {
    // The guest has the placement, or no longer has it (0); or this never will be so (-errno).
    void (*placed)(void *data, uint64_t cookie, int error);
    // What vhost_aperture_start and _stop waited for has happened.
    void (*started)(void *data);
    void (*stopped)(void *data);
    // The stopped driver's memory is unmapped: it was reset, not paused.
    void (*gone)(void *data);
};

// Errors: NULL, out of memory.
struct vhost_aperture *vhost_aperture_create(struct os_loop *loop,
                                             const struct vhost_aperture_options *options,
                                             const struct vhost_aperture_ops *ops, void *data);
void vhost_aperture_destroy(struct vhost_aperture *aperture);

// Sets the device that serves the guest, before the first start.
void vhost_aperture_set_device(struct vhost_aperture *aperture, struct vhost_user *vhost);
// The placer has connected.
// Owns: takes over `fd`.
// Errors: false, there is one already, or out of memory.
bool vhost_aperture_set_placer(struct vhost_aperture *aperture, int fd);
bool vhost_aperture_has_placer(const struct vhost_aperture *aperture);

// As in vhost_user_ops. False: `started` or `stopped` follows.
bool vhost_aperture_start(struct vhost_aperture *aperture, bool resumed);
bool vhost_aperture_stop(struct vhost_aperture *aperture);
// The driver and its placements are gone. There is no callback for what was under way.
void vhost_aperture_reset(struct vhost_aperture *aperture);

// As in struct gpu_front. `placed` follows.
// Errors: -errno, and `placed` does not follow.
int vhost_aperture_place(struct vhost_aperture *aperture, uint64_t offset, int fd,
                         uint64_t file_offset, uint64_t size, bool writable, uint64_t cookie);
int vhost_aperture_unplace(struct vhost_aperture *aperture, uint64_t offset, uint64_t size,
                           uint64_t cookie);

#endif
