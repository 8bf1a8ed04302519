// The aperture: the guest's shared-memory region, in which ranges of files are placed
// (docs/architecture.md). There are two carriers:
//
// - With the placer in QEMU, one sparse file is mapped over the whole region at each start of a
// driver, and the placer maps ranges over it.
// - Without it, QEMU maps each range itself (SHMEM_MAP). The number of its mappings is limited.
//
// Over vfio-user the file is the transport's, mapped for QEMU's life, and only the placer can
// carry.
//
// An aperture belongs to one device, and must be told of its `start`, `stop` and
// `reset`.
//
// Thread: the loop's.
#ifndef MACHINE_APERTURE_H
#define MACHINE_APERTURE_H

#include <stdbool.h>
#include <stdint.h>

struct os_loop;
struct virtio_transport;
struct machine_aperture;

struct machine_aperture_options {
    uint64_t size;       // bytes, a power of two; 0: no aperture, and nothing here does anything
    unsigned max_ranges; // placements at a time without the placer; 0: as many as QEMU survives
    const char *hint;    // how to load the placer, for the log line without it; static, or NULL
};

struct machine_aperture_ops {
    // The guest has the placement, or no longer has it (0); or this never will be so (-errno).
    void (*placed)(void *data, uint64_t cookie, int error);
    // What machine_aperture_start and _stop waited for has happened.
    void (*started)(void *data);
    void (*stopped)(void *data);
    // The stopped driver's memory is unmapped: it was reset, not paused.
    void (*gone)(void *data);
};

// Errors: NULL, out of memory.
struct machine_aperture *machine_aperture_create(struct os_loop *loop,
                                                 const struct machine_aperture_options *options,
                                                 const struct machine_aperture_ops *ops,
                                                 void *data);
void machine_aperture_destroy(struct machine_aperture *aperture);

// Sets what carries the device, before the first start.
void machine_aperture_set_transport(struct machine_aperture *aperture,
                                    struct virtio_transport *transport);
// The placer has connected.
// Owns: takes over `fd`.
// Errors: false, there is one already, or out of memory.
bool machine_aperture_set_placer(struct machine_aperture *aperture, int fd);
bool machine_aperture_has_placer(const struct machine_aperture *aperture);

// As in virtio_device_ops. False: `started` or `stopped` follows.
bool machine_aperture_start(struct machine_aperture *aperture, bool resumed);
bool machine_aperture_stop(struct machine_aperture *aperture);
// The driver and its placements are gone. There is no callback for what was under way.
void machine_aperture_reset(struct machine_aperture *aperture);

// As in struct gpu_front. `placed` follows.
// Errors: -errno, and `placed` does not follow.
int machine_aperture_place(struct machine_aperture *aperture, uint64_t offset, int fd,
                           uint64_t file_offset, uint64_t size, bool writable, uint64_t cookie);
int machine_aperture_unplace(struct machine_aperture *aperture, uint64_t offset, uint64_t size,
                             uint64_t cookie);

#endif
