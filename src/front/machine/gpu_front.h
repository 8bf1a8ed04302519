// The GPU of one VM behind a socket of QEMU: the device model (src/gpu), its virtqueues and its
// aperture.
//
// Thread: the loop's.
#ifndef MACHINE_GPU_FRONT_H
#define MACHINE_GPU_FRONT_H

#include "front/virtio/device.h"
#include "gpu/gpu.h"

struct os_loop;
struct machine_gpu;

struct machine_gpu_options {
    struct gpu_options device;
    virtio_transport_create transport;
    unsigned max_ranges; // mapped at a time where QEMU has no placer; 0: as many as QEMU survives
    // What to add to QEMU's command line, for the warning that there is no placer; static, or NULL.
    const char *placer_hint;
};

// Serves the front end that is connected to `fd`. `closed` is called when the front end has ended;
// the GPU may be destroyed inside it. Owns: takes over `fd` in any case; `options` are copied.
// Errors: -errno.
int machine_gpu_create(struct os_loop *loop, int fd, const struct machine_gpu_options *options,
                       void (*closed)(void *data), void *data, struct machine_gpu **created);
// Ends the guest's contexts. QEMU does not survive the loss of its device.
void machine_gpu_destroy(struct machine_gpu *gpu);

// The placer of the same QEMU has connected.
// Owns: takes over `fd`.
// Errors: false, there is one already, or out of memory.
bool machine_gpu_set_placer(struct machine_gpu *gpu, int fd);
bool machine_gpu_has_placer(const struct machine_gpu *gpu);

// The device, for displays. Owns: the GPU.
struct gpu_device *machine_gpu_device(const struct machine_gpu *gpu);

#endif
