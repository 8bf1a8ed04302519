// An input device behind a vhost-user socket: the device model (src/input) and its virtqueues, for
// one VM.
#ifndef VHOST_USER_INPUT_FRONT_H
#define VHOST_USER_INPUT_FRONT_H

#include "input/input.h"

struct os_loop;
struct vhost_input;

struct vhost_input_ops {
    void (*leds)(void *data, uint32_t leds); // as of struct input_front; may be NULL
    // The front end has ended; the device may be destroyed inside.
    void (*closed)(void *data);
};

// Serves the front end connected to `fd`, which is taken over. `ops` is copied. NULL: errno.
struct vhost_input *vhost_input_create(struct os_loop *loop, int fd, enum input_kind kind,
                                       const struct vhost_input_ops *ops, void *data);
// For QEMU this is the loss of its device, which it does not survive.
void vhost_input_destroy(struct vhost_input *input);

// For those who have events; the front's.
struct input_device *vhost_input_device(const struct vhost_input *input);

#endif
