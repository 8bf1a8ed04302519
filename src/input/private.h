// What the files of this room share.
#ifndef INPUT_PRIVATE_H
#define INPUT_PRIVATE_H

#include "base/log.h"
#include "input/input.h"

// What is down and where things are, for the person's hands or as a driver knows it.
struct input_state {
    uint8_t down[INPUT_KEY_LIMIT / 8]; // a bit a code
    int32_t x, y;                      // -1: not said yet
    int32_t axes[INPUT_AXES];          // of a pad; 0: at rest
    struct input_contact {
        int32_t id; // -1: none
        int32_t x, y;
    } contacts[INPUT_CONTACTS];
    int32_t slot;  // the contact that events are for; -1: none that exists
    int32_t first; // the contact that ABS_X and ABS_Y follow; -1: none
};

static inline bool input_kind_is_pad(enum input_kind kind)
{
    return kind >= INPUT_PAD && kind <= INPUT_PAD4;
}
// What an axis of a pad reaches; below 0 as far as above, but for triggers.
int32_t input_axis_most(unsigned code);
int32_t input_axis_least(unsigned code);

struct input_device {
    enum input_kind kind;
    struct input_front front;
    uint8_t select, subselect;
    uint32_t leds;

    bool running; // there is a driver, and it reads
    // Events change only `state`, and `told` is what the driver will know when it has read
    // everything that is pending. While the device is not behind, both are the same, and `told` is
    // not kept.
    bool behind;
    struct input_state state, told;
    int32_t clicks[2]; // vertical, horizontal: what a fine wheel has turned beyond whole clicks

    struct input_event group[INPUT_MAX_GROUP]; // until its SYN_REPORT
    size_t group_size;

    struct input_event *pending; // ring of INPUT_MAX_PENDING
    uint32_t pending_first, pending_count;
    uint32_t most_pending; // INPUT_MAX_PENDING; smaller in a fuzzer, which has no time for so many
    bool open;             // the group at the end of `pending` has no SYN_REPORT yet
    // These count all events that ever were in `pending`: how many have left it; where its last
    // group begins; the same if that group only moves the pointer, or else UINT64_MAX.
    uint64_t taken, last_group, last_motion;
    bool in_group;     // the driver has some of a group, and not its SYN_REPORT
    uint64_t paid_for; // ns: hands would have taken until then for the groups given so far

    struct input_buffer {
        void *token;
        uint8_t *bytes;
    } * buffers; // ring of MAX_BUFFERS: the driver's, empty
    uint32_t buffer_first, buffer_count;
    struct log_limit limit;
};

static inline int32_t input_within(int64_t value, int32_t least, int32_t most)
{
    return value < least ? least : value > most ? most : (int32_t)value;
}

// state.c
void input_state_clear(struct input_state *state);
static inline bool input_state_is_down(const struct input_state *state, unsigned code)
{
    return state->down[code / 8] >> code % 8 & 1;
}
// Carries a group out on device->state, and emits what it changes.
void input_state_apply(struct input_device *device, const struct input_event *group, size_t count);
// Emits what leads from `from` to device->state.
void input_state_difference(struct input_device *device, const struct input_state *from);
// Releases everything.
void input_state_release(struct input_device *device);
enum {
    // An upper bound of the events that a group, a difference or a release becomes.
    INPUT_MOST_EMITTED = 2 * INPUT_MAX_GROUP + INPUT_KEY_LIMIT + 8 * INPUT_CONTACTS + INPUT_AXES
};

// device.c
void input_device_emit(struct input_device *device, uint16_t type, uint16_t code, int32_t value);
// Ends a group with SYN_REPORT, if anything was emitted.
void input_device_end_group(struct input_device *device);

#endif
