// Virtio input devices (virtio 1.2 §5.8): a keyboard, an absolute pointer, a touch screen. Pure: a
// front brings the driver's requests and carries the answers, whoever has a person's hands in front
// of him brings events.
//
// What is held down is the device's to know. Events wait for the driver's buffers, up to
// INPUT_MAX_PENDING; what happens while there is no driver, while the VM is paused, or beyond that,
// is not kept: when the driver reads again it is told what has come to be different (keys and
// buttons down or up, positions, contacts), so that no key hangs. An event that changes nothing is
// not passed on.
//
// Nothing is given to the driver faster than hands would: Linux keeps as little as 64 events for a
// program that is not reading at the moment, and drops them all when there are more. What a person
// does is not slowed by that; a text that is pasted as keys takes its time, and positions of the
// pointer that have to wait are merged.
//
// One thread; nothing blocks.
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
    INPUT_POINTER,  // ABS_X, ABS_Y, five buttons, two wheels
    INPUT_TOUCH,    // INPUT_CONTACTS contacts, protocol B
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
    // The request's response has `written` bytes.
    void (*complete)(void *data, void *token, uint32_t written);
    void (*flush)(void *data); // tell the driver of what was completed
    // The driver has switched LEDs: bit n is LED n. May be NULL.
    void (*leds)(void *data, uint32_t leds);
    uint64_t (*now)(void *data);              // ns, any epoch
    void (*wake)(void *data, uint64_t at_ns); // call input_device_wake then; replaces earlier ones
};

// NULL: no memory. `front` is copied.
struct input_device *input_device_create(enum input_kind kind, const struct input_front *front);
// Calls nothing back.
void input_device_destroy(struct input_device *device);

const char *input_kind_name(enum input_kind kind); // "keyboard", "pointer", "touch"
// Does a device of this kind take such events (SYN_REPORT included)?
bool input_kind_takes(enum input_kind kind, uint16_t type, uint16_t code);

// ---- the driver's side ----------------------------------------------------

// Inside INPUT_CONFIG_SIZE.
void input_device_read_config(const struct input_device *device, uint32_t offset, void *bytes,
                              uint32_t size);
void input_device_write_config(struct input_device *device, uint32_t offset, const void *bytes,
                               uint32_t size);
// A driver runs; stops being served (it is paused, or gone); was gone: its requests are void and
// the next one knows nothing yet.
void input_device_start(struct input_device *device);
void input_device_stop(struct input_device *device);
void input_device_reset(struct input_device *device);
// `readable` is guest memory, which may change at any time, valid until `reset`; `response` is
// private.
void input_device_request(struct input_device *device, unsigned queue, const struct iovec *readable,
                          unsigned readable_count, void *response, uint32_t response_size,
                          void *token);

// ---- the person's side ----------------------------------------------------

// Groups ended by SYN_REPORT, in pieces of any size. Values out of range are brought into it.
// High-resolution and plain wheel events make each other; BTN_TOUCH, ABS_X and ABS_Y of a touch
// screen follow from its contacts and needn't be sent. Returns how many events were ignored because
// such a device has none.
size_t input_device_send(struct input_device *device, const struct input_event *events,
                         size_t count);
// Time has come for what had to wait.
void input_device_wake(struct input_device *device);
// Nothing is held down any more; a group begun is dropped.
void input_device_release(struct input_device *device);

#endif
