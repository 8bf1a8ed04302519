// An input device of one VM behind a socket of QEMU: the device model (src/input) and its
// virtqueues.
//
// Thread: the loop's.
#ifndef MACHINE_INPUT_FRONT_H
#define MACHINE_INPUT_FRONT_H

#include "front/virtio/device.h"
#include "input/input.h"

struct os_loop;
struct machine_input;

struct machine_input_ops {
    void (*leds)(void *data, uint32_t leds); // as in struct input_front; may be NULL
    // The front end has ended. The device may be destroyed inside.
    void (*closed)(void *data);
};

// Serves the front end that is connected to `fd`.
// Owns: takes over `fd` in any case; `ops` is copied.
// Errors: -errno.
int machine_input_create(struct os_loop *loop, int fd, virtio_transport_create transport,
                         enum input_kind kind, const struct machine_input_ops *ops, void *data,
                         struct machine_input **created);
// QEMU does not survive the loss of its device.
void machine_input_destroy(struct machine_input *input);

// The device, which takes events. Owns: the front.
struct input_device *machine_input_device(const struct machine_input *input);
// Whether the driver takes nothing that makes virtqueues quick: a firmware's, most likely.
bool machine_input_is_plain(const struct machine_input *input);

#endif
