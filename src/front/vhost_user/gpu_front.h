// The GPU of one VM behind a vhost-user socket: the device model (src/gpu), its virtqueues and its
// aperture.
//
// Thread: the loop's.
#ifndef VHOST_USER_GPU_FRONT_H
#define VHOST_USER_GPU_FRONT_H

#include "gpu/gpu.h"

struct os_loop;
struct vhost_gpu;

struct vhost_gpu_options {
    struct gpu_options device;
    unsigned max_ranges; // mapped at a time where QEMU has no placer; 0: as many as QEMU survives
    // What to add to QEMU's command line, for the warning that there is no placer; static, or NULL.
    const char *placer_hint;
};

// Serves the front end that is connected to `fd`. `closed` is called when the front end has ended;
// the GPU may be destroyed inside it. Owns: takes over `fd` in any case; `options` are copied.
// Errors: -errno.
int vhost_gpu_create(struct os_loop *loop, int fd, const struct vhost_gpu_options *options,
                     void (*closed)(void *data), void *data, struct vhost_gpu **created);
// Ends the guest's contexts. QEMU does not survive the loss of its device.
void vhost_gpu_destroy(struct vhost_gpu *gpu);

// The placer of the same QEMU has connected.
// Owns: takes over `fd`.
// Errors: false, there is one already, or out of memory.
bool vhost_gpu_set_placer(struct vhost_gpu *gpu, int fd);
bool vhost_gpu_has_placer(const struct vhost_gpu *gpu);

// The device, for displays. Owns: the GPU.
struct gpu_device *vhost_gpu_device(const struct vhost_gpu *gpu);

#endif
