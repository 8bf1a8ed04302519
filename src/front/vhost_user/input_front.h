// An input device of one VM behind a vhost-user socket: the device model (src/input) and its
// virtqueues.
//
// Thread: the loop's.
#ifndef VHOST_USER_INPUT_FRONT_H
#define VHOST_USER_INPUT_FRONT_H

#include "input/input.h"

struct os_loop;
struct vhost_input;

struct vhost_input_ops {
    void (*leds)(void *data, uint32_t leds); // as in struct input_front; may be NULL
    // The front end has ended. The device may be destroyed inside.
    void (*closed)(void *data);
};

// Serves the front end that is connected to `fd`.
// Owns: takes over `fd` in any case; `ops` is copied.
// Errors: -errno.
int vhost_input_create(struct os_loop *loop, int fd, enum input_kind kind,
                       const struct vhost_input_ops *ops, void *data, struct vhost_input **created);
// QEMU does not survive the loss of its device.
void vhost_input_destroy(struct vhost_input *input);

// The device, which takes events. Owns: the front.
struct input_device *vhost_input_device(const struct vhost_input *input);

#endif
