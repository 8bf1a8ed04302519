// What the files of this room share.
#ifndef INPUT_PRIVATE_H
#define INPUT_PRIVATE_H

#include "base/log.h"
#include "input/input.h"

// What is down and where things are: of the person's hands, or as a driver knows it.
struct input_state {
    uint8_t down[INPUT_KEY_LIMIT / 8]; // a bit a code
    int32_t x, y;                      // -1: not said yet
    struct input_contact {
        int32_t id; // -1: none
        int32_t x, y;
    } contacts[INPUT_CONTACTS];
    int32_t slot;  // that events are for; -1: none that exists
    int32_t first; // contact that ABS_X and ABS_Y follow; -1: none
};

struct input_device {
    enum input_kind kind;
    struct input_front front;
    uint8_t select, subselect;
    uint32_t leds;

    bool running; // there is a driver, and it reads
    // Events change `state` only; `told` is what the driver will know when it has read all that is
    // pending. Otherwise both are the same, and `told` is not kept.
    bool behind;
    struct input_state state, told;
    int32_t clicks[2]; // of a fine wheel, vertical and horizontal: what is less than a click

    struct input_event group[INPUT_MAX_GROUP]; // until its SYN_REPORT
    size_t group_size;

    struct input_event *pending; // ring of INPUT_MAX_PENDING
    uint32_t pending_first, pending_count;
    uint32_t most_pending; // INPUT_MAX_PENDING; a fuzzer has no time for so many
    bool open;             // the group at the end of `pending` has no SYN_REPORT yet
    // Counting all events that ever were in `pending`: how many have left it; where its last group
    // begins, and where it does if that only moves the pointer (UINT64_MAX: it does not).
    uint64_t taken, last_group, last_motion;
    bool in_group;     // the driver has some of a group, and not its SYN_REPORT
    uint64_t paid_for; // ns: groups given so far would have taken hands until then

    struct input_buffer {
        void *token;
        uint8_t *bytes;
    } * buffers; // ring of MAX_BUFFERS: the driver's, empty
    uint32_t buffer_first, buffer_count;
    struct log_limit limit;
};

// config.c: what a selection shows; returns its size.
uint8_t input_config_bytes(enum input_kind kind, uint8_t select, uint8_t subselect,
                           uint8_t bytes[128]);

// state.c
void input_state_clear(struct input_state *state);
static inline bool input_state_is_down(const struct input_state *state, unsigned code)
{
    return state->down[code / 8] >> code % 8 & 1;
}
// Carries a group out on device->state, and says what it changes with input_device_emit.
void input_state_apply(struct input_device *device, const struct input_event *group, size_t count);
// Says with input_device_emit what leads from `from` to device->state.
void input_state_difference(struct input_device *device, const struct input_state *from);
// Lets go of all.
void input_state_release(struct input_device *device);
enum {
    // More than a group, a difference or a release can become, with all that is added.
    INPUT_MOST_EMITTED = 2 * INPUT_MAX_GROUP + INPUT_KEY_LIMIT + 8 * INPUT_CONTACTS
};

// device.c
void input_device_emit(struct input_device *device, uint16_t type, uint16_t code, int32_t value);
// With a SYN_REPORT, if anything was said.
void input_device_end_group(struct input_device *device);

#endif
