// The GPU behind a vhost-user socket: the device model (src/gpu), its virtqueues and its aperture,
// for one VM.
#ifndef VHOST_USER_GPU_FRONT_H
#define VHOST_USER_GPU_FRONT_H

#include "gpu/gpu.h"

struct os_loop;
struct vhost_gpu;

struct vhost_gpu_options {
    struct gpu_options device;
    unsigned max_ranges;     // mapped at a time where QEMU has no placer; 0: as many as it stands
    const char *placer_hint; // what to add to QEMU's command line, for the warning that it is
                             // missing; static, or NULL
};

// Serves the front end connected to `fd`, which is taken over. `closed` comes when the front end
// has ended; the GPU may be destroyed inside it. NULL: errno.
struct vhost_gpu *vhost_gpu_create(struct os_loop *loop, int fd,
                                   const struct vhost_gpu_options *options,
                                   void (*closed)(void *data), void *data);
// Ends the guest's contexts; for QEMU this is the loss of its device, which it does not survive.
void vhost_gpu_destroy(struct vhost_gpu *gpu);

// The placer of the same QEMU has connected; `fd` is taken over. False: there is one already.
bool vhost_gpu_set_placer(struct vhost_gpu *gpu, int fd);
bool vhost_gpu_has_placer(const struct vhost_gpu *gpu);

// For screens and screenshots; the GPU's.
struct gpu_device *vhost_gpu_device(const struct vhost_gpu *gpu);

#endif
