// The aperture: the shared-memory region of the guest, in which ranges of files are placed
// (docs/architecture.md). Two carriers:
//
// - with the placer in QEMU, one sparse file is mapped over the whole region once per driver start,
// and the placer maps ranges over it;
// - without it, each range is a mapping of the front end's own (SHMEM_MAP), whose number is
// limited.
//
// Belongs to one vhost_user device, whose `start`, `stop` and `reset` it must be told of. One
// thread, the loop's.
#ifndef VHOST_USER_APERTURE_H
#define VHOST_USER_APERTURE_H

#include <stdbool.h>
#include <stdint.h>

struct os_loop;
struct vhost_user;
struct vhost_aperture;

struct vhost_aperture_options {
    uint64_t size;       // bytes, a power of two; 0: no aperture, and nothing here does anything
    unsigned max_ranges; // placements at a time without the placer; 0: as many as QEMU stands
    const char *hint;    // how to load the placer, for the log line that misses it; static, or NULL
};

struct vhost_aperture_ops {
    // A placement or its removal is in force for the guest (0), or never will be (-errno).
    void (*placed)(void *data, uint64_t cookie, int error);
    // What vhost_aperture_start and _stop waited for has happened.
    void (*started)(void *data);
    void (*stopped)(void *data);
    // While the driver is stopped: its memory is unmapped, so it was reset and not paused.
    void (*gone)(void *data);
};

// NULL: no memory.
struct vhost_aperture *vhost_aperture_create(struct os_loop *loop,
                                             const struct vhost_aperture_options *options,
                                             const struct vhost_aperture_ops *ops, void *data);
void vhost_aperture_destroy(struct vhost_aperture *aperture);

// The device that serves the guest; before the first start.
void vhost_aperture_set_device(struct vhost_aperture *aperture, struct vhost_user *vhost);
// The placer has connected. `fd` is taken over. A second one is refused while the first is there:
// false.
bool vhost_aperture_set_placer(struct vhost_aperture *aperture, int fd);
bool vhost_aperture_has_placer(const struct vhost_aperture *aperture);

// As of vhost_user_ops: true if it is done, else started/stopped follows.
bool vhost_aperture_start(struct vhost_aperture *aperture, bool resumed);
bool vhost_aperture_stop(struct vhost_aperture *aperture);
// The driver and its placements are gone. Nobody is told of what was under way.
void vhost_aperture_reset(struct vhost_aperture *aperture);

// As of struct gpu_front: 0, and `placed` follows; or -errno.
int vhost_aperture_place(struct vhost_aperture *aperture, uint64_t offset, int fd,
                         uint64_t file_offset, uint64_t size, bool writable, uint64_t cookie);
int vhost_aperture_unplace(struct vhost_aperture *aperture, uint64_t offset, uint64_t size,
                           uint64_t cookie);

#endif
