// Virtio input devices (virtio 1.2 §5.8): a keyboard, an absolute pointer, a touch screen, a mouse,
// game pads. They are pure: a front brings the driver's requests and carries the responses, and
// displays bring the events of a person.
//
// The device knows what is held down. Events wait for the driver's buffers, up to
// INPUT_MAX_PENDING. Events beyond that, and those that come while there is no driver or the VM is
// paused, are not kept. When the driver reads again, it is told what differs from what it knows
// (keys and buttons down or up, positions, contacts), so that no key hangs. An event that changes
// nothing is not passed on.
//
// The driver gets events no faster than hands make them: Linux keeps as few as 64 events for a
// program that is not reading at the moment, and drops them all when there are more. This does not
// slow a person. Text that is pasted as keys takes its time, and positions of the pointer and
// motions of the mouse that have to wait are merged.
//
// Thread: one. Nothing blocks.
#ifndef INPUT_INPUT_H
#define INPUT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "input/codes.h"

struct input_device;

enum input_kind {
    INPUT_KEYBOARD, // keys; the driver repeats them by itself; LEDs
    INPUT_POINTER,  // ABS_X, ABS_Y, eight buttons, two wheels
    INPUT_TOUCH,    // INPUT_CONTACTS contacts, protocol B
    INPUT_MOUSE,    // REL_X, REL_Y, buttons and wheels as the pointer
    INPUT_PAD,      // two sticks, two triggers, a cross (hat), eleven buttons, as Linux's xpad has
    INPUT_PAD2,     // the same for other players
    INPUT_PAD3,
    INPUT_PAD4,
    INPUT_KINDS
};

enum {
    INPUT_QUEUE_EVENT,
    INPUT_QUEUE_STATUS,
    INPUT_QUEUE_COUNT,
    INPUT_CONFIG_SIZE = 136, // bytes
    INPUT_EVENT_SIZE = 8,    // a buffer of the event queue
    INPUT_CONTACTS = 10,
    INPUT_MAX_PENDING = 32768, // events that wait for buffers, SYN_REPORTs included
    INPUT_MAX_GROUP = 128,     // events between two SYN_REPORT; longer ones are cut
};

struct input_event {
    uint16_t type, code; // enum input_type, input_code
    int32_t value;
};

struct input_front {
    void *data;
    // Ends the request; its response has `written` bytes.
    void (*complete)(void *data, void *token, uint32_t written);
    void (*flush)(void *data); // tell the driver of requests that were completed
    // The driver has switched LEDs: bit n is LED n. May be NULL.
    void (*leds)(void *data, uint32_t leds);
    uint64_t (*now)(void *data);              // ns, any epoch
    void (*wake)(void *data, uint64_t at_ns); // call input_device_wake then; replaces earlier ones
};

// Owns: `front` is copied.
// Errors: NULL, out of memory.
struct input_device *input_device_create(enum input_kind kind, const struct input_front *front);
// No callback comes.
void input_device_destroy(struct input_device *device);

const char *
input_kind_name(enum input_kind kind); // "keyboard", "pointer", "touch", "mouse", "pad", …
// Whether a device of this kind takes such events (SYN_REPORT included).
bool input_kind_takes(enum input_kind kind, uint16_t type, uint16_t code);

// ---- the driver's side ----------------------------------------------------

// The range must lie inside INPUT_CONFIG_SIZE.
void input_device_read_config(const struct input_device *device, uint32_t offset, void *bytes,
                              uint32_t size);
void input_device_write_config(struct input_device *device, uint32_t offset, const void *bytes,
                               uint32_t size);
// A driver runs.
void input_device_start(struct input_device *device);
// The driver is not served from now on: it is paused, or gone.
void input_device_stop(struct input_device *device);
// The driver was gone: its requests are void, and the next driver knows nothing yet.
void input_device_reset(struct input_device *device);
// `readable` is guest memory, which may change at any time, valid until `reset`; `response` is
// private.
void input_device_request(struct input_device *device, unsigned queue, const struct iovec *readable,
                          unsigned readable_count, void *response, uint32_t response_size,
                          void *token);

// ---- the person's side ----------------------------------------------------

// Takes events in pieces of any size; SYN_REPORT ends a group. Values are clamped to their range.
// High-resolution and plain wheel events make each other. BTN_TOUCH, ABS_X and ABS_Y of a touch
// screen follow from its contacts and need not be sent. Returns how many events were ignored
// because the device has no such events.
size_t input_device_send(struct input_device *device, const struct input_event *events,
                         size_t count);
// Whether a driver reads what is sent. None does in firmware and kernels that do not know it.
bool input_device_is_read(const struct input_device *device);
// The time given to `wake` has come.
void input_device_wake(struct input_device *device);
// Nothing is held down any more. A group that has begun is dropped.
void input_device_release(struct input_device *device);

#endif
