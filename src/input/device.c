// Events on their way to the driver, its LEDs on their way back.
#include <stdlib.h>
#include <string.h>

#include "input/private.h"

enum { MAX_BUFFERS = 1024 }; // the longest queue there is; a power of two

// The time that a group takes, and how many groups may come at once.
static const uint64_t pace_ns[INPUT_KINDS] = {
    [INPUT_KEYBOARD] = 4000000, [INPUT_POINTER] = 2000000, [INPUT_TOUCH] = 4000000,
    [INPUT_MOUSE] = 2000000,    [INPUT_PAD] = 4000000,     [INPUT_PAD2] = 4000000,
    [INPUT_PAD3] = 4000000,     [INPUT_PAD4] = 4000000};
enum { AT_ONCE = 8 };
_Static_assert((INPUT_MAX_PENDING & (INPUT_MAX_PENDING - 1)) == 0, "a ring");

struct input_device *input_device_create(enum input_kind kind, const struct input_front *front)
{
    struct input_device *device = calloc(1, sizeof(*device));
    if (!device)
        return NULL;
    device->kind = kind;
    device->front = *front;
    device->behind = true;
    device->most_pending = INPUT_MAX_PENDING;
    input_state_clear(&device->state);
    input_state_clear(&device->told);
    device->last_motion = UINT64_MAX;
    device->pending = malloc(INPUT_MAX_PENDING * sizeof(*device->pending));
    device->buffers = malloc(MAX_BUFFERS * sizeof(*device->buffers));
    if (device->pending && device->buffers)
        return device;
    input_device_destroy(device);
    return NULL;
}

void input_device_destroy(struct input_device *device)
{
    if (!device)
        return;
    free(device->pending);
    free(device->buffers);
    free(device);
}

// ---- to the driver --------------------------------------------------------

static void write_event(uint8_t *to, const struct input_event *event)
{
    uint32_t value = (uint32_t)event->value;
    to[0] = (uint8_t)event->type;
    to[1] = (uint8_t)(event->type >> 8);
    to[2] = (uint8_t)event->code;
    to[3] = (uint8_t)(event->code >> 8);
    for (unsigned i = 0; i < 4; i++)
        to[4 + i] = (uint8_t)(value >> 8 * i);
}

static void append(struct input_device *device, struct input_event event)
{
    uint32_t at = device->pending_first + device->pending_count++;
    device->pending[at % INPUT_MAX_PENDING] = event;
}

void input_device_emit(struct input_device *device, uint16_t type, uint16_t code, int32_t value)
{
    if (device->behind)
        return;
    if (!device->open)
        device->last_group = device->taken + device->pending_count;
    append(device, (struct input_event){type, code, value});
    device->open = true;
}

// A group is in `pending` as a whole or not at all.
void input_device_end_group(struct input_device *device)
{
    if (device->open)
        append(device, (struct input_event){INPUT_EV_SYN, INPUT_SYN_REPORT, 0});
    device->open = false;
}

static void fall_behind(struct input_device *device)
{
    if (device->behind)
        return;
    device->told = device->state;
    device->behind = true;
}

// Makes sure that `pending` has room for anything a group becomes. If it has none, the driver is
// too slow, or has stopped reading.
static void make_sure_of_room(struct input_device *device)
{
    if (device->behind || device->pending_count + INPUT_MOST_EMITTED <= device->most_pending)
        return;
    fall_behind(device);
    if (log_limit_allows(&device->limit, device->front.now(device->front.data), 1, 60000000000ull))
        log_warning("the guest does not read its %s: %u events wait, and until it does, further "
                    "ones are dropped",
                    input_kind_name(device->kind), (unsigned)device->pending_count);
}

static void catch_up(struct input_device *device)
{
    if (!device->running || !device->behind || device->pending_count > device->most_pending / 2)
        return;
    device->behind = false;
    input_state_difference(device, &device->told);
    input_device_end_group(device);
    device->last_motion = UINT64_MAX;
}

// Whether the next event may be given now.
static bool is_time(struct input_device *device)
{
    uint64_t pace = pace_ns[device->kind];
    if (device->in_group)
        return true;
    uint64_t now = device->front.now(device->front.data);
    if (device->paid_for > now + (AT_ONCE - 1) * pace) {
        device->front.wake(device->front.data, device->paid_for - (AT_ONCE - 1) * pace);
        return false;
    }
    device->paid_for = (device->paid_for > now ? device->paid_for : now) + pace;
    return true;
}

static bool fill_buffers(struct input_device *device)
{
    bool any = false;
    while (device->running && device->pending_count && device->buffer_count && is_time(device)) {
        struct input_buffer *buffer = &device->buffers[device->buffer_first];
        const struct input_event *event = &device->pending[device->pending_first];
        write_event(buffer->bytes, event);
        device->in_group = event->type != INPUT_EV_SYN;
        device->pending_first = (device->pending_first + 1) % INPUT_MAX_PENDING;
        device->pending_count--;
        device->taken++;
        device->buffer_first = (device->buffer_first + 1) % MAX_BUFFERS;
        device->buffer_count--;
        device->front.complete(device->front.data, buffer->token, INPUT_EVENT_SIZE);
        any = true;
    }
    return any;
}

static void deliver(struct input_device *device)
{
    bool any = fill_buffers(device);
    catch_up(device); // there may be room now
    any |= fill_buffers(device);
    if (any)
        device->front.flush(device->front.data);
}

// ---- from a person --------------------------------------------------------

// Whether a later group of its kind may take the place of this one: there is a value, or a sum.
static bool is_motion(enum input_kind kind, const struct input_event *event)
{
    if (kind == INPUT_MOUSE)
        return event->type == INPUT_EV_REL && event->code <= INPUT_REL_Y;
    if (input_kind_is_pad(kind)) // a hat is four buttons
        return event->type == INPUT_EV_ABS && event->code < INPUT_ABS_HAT0X;
    return kind == INPUT_POINTER && event->type == INPUT_EV_ABS;
}

static bool only_moves(const struct input_device *device)
{
    for (size_t i = 0; i < device->group_size; i++)
        if (!is_motion(device->kind, &device->group[i]))
            return false;
    return true;
}

// The last two groups in `pending`, the first of which begins at `first`, become one.
static void merge_motions(struct input_device *device, uint64_t first)
{
    uint32_t count = (uint32_t)(device->taken + device->pending_count - first);
    int64_t values[INPUT_AXES] = {0};
    bool moved[INPUT_AXES] = {false};
    bool adds = device->kind == INPUT_MOUSE;
    device->pending_count -= count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (device->pending_first + device->pending_count + i) % INPUT_MAX_PENDING;
        const struct input_event *event = &device->pending[at];
        if (event->type == INPUT_EV_SYN)
            continue;
        moved[event->code] = true;
        values[event->code] = event->value + (adds ? values[event->code] : 0);
    }
    for (uint16_t code = 0; code < INPUT_AXES; code++)
        if (moved[code])
            input_device_emit(device, adds ? INPUT_EV_REL : INPUT_EV_ABS, code,
                              input_within(values[code], -INPUT_MAX_MOTION, INPUT_MAX_MOTION));
    input_device_end_group(device);
}

static void commit(struct input_device *device)
{
    bool moves = only_moves(device);
    uint64_t before = device->last_motion;
    make_sure_of_room(device);
    input_state_apply(device, device->group, device->group_size);
    device->group_size = 0;
    if (!device->open)
        return; // it has changed nothing, or the driver is not told
    input_device_end_group(device);
    // The group before it waits too, and is a motion.
    if (moves && before != UINT64_MAX && before >= device->taken)
        merge_motions(device, before);
    device->last_motion = moves ? device->last_group : UINT64_MAX;
}

size_t input_device_send(struct input_device *device, const struct input_event *events,
                         size_t count)
{
    size_t ignored = 0;
    for (size_t i = 0; i < count; i++) {
        const struct input_event *event = &events[i];
        if (!input_kind_takes(device->kind, event->type, event->code)) {
            ignored++;
            continue;
        }
        if (event->type != INPUT_EV_SYN)
            device->group[device->group_size++] = *event;
        if (event->type == INPUT_EV_SYN || device->group_size == INPUT_MAX_GROUP)
            commit(device);
    }
    deliver(device);
    return ignored;
}

bool input_device_is_read(const struct input_device *device)
{
    return device->running;
}

void input_device_wake(struct input_device *device)
{
    deliver(device);
}

void input_device_release(struct input_device *device)
{
    device->group_size = 0;
    device->last_motion = UINT64_MAX;
    make_sure_of_room(device);
    input_state_release(device);
    input_device_end_group(device);
    deliver(device);
}

// ---- the driver -----------------------------------------------------------

static void set_leds(struct input_device *device, uint32_t leds)
{
    if (device->leds == leds)
        return;
    device->leds = leds;
    if (device->front.leds)
        device->front.leds(device->front.data, leds);
}

void input_device_start(struct input_device *device)
{
    device->running = true;
    deliver(device);
}

// Pending events stay: the driver may only be paused. Events that come now are not kept: clicks on
// a picture that stands still should not be carried out later.
void input_device_stop(struct input_device *device)
{
    device->running = false;
    fall_behind(device);
}

void input_device_reset(struct input_device *device)
{
    device->running = false;
    device->behind = true;
    input_state_clear(&device->told);
    device->pending_count = device->buffer_count = 0;
    device->in_group = false;
    device->last_motion = UINT64_MAX;
    device->paid_for = 0;
    device->select = device->subselect = 0;
    set_leds(device, 0);
}

static void take_buffer(struct input_device *device, void *response, uint32_t size, void *token)
{
    if (size < INPUT_EVENT_SIZE || device->buffer_count == MAX_BUFFERS) {
        device->front.complete(device->front.data, token, 0);
        return;
    }
    uint32_t at = (device->buffer_first + device->buffer_count++) % MAX_BUFFERS;
    device->buffers[at] = (struct input_buffer){token, response};
    deliver(device);
}

// Copies `size` bytes once. False: there are not so many.
static bool gather(const struct iovec *parts, unsigned count, uint8_t *to, size_t size)
{
    for (unsigned i = 0; i < count && size; i++) {
        size_t part = parts[i].iov_len < size ? parts[i].iov_len : size;
        memcpy(to, parts[i].iov_base, part);
        to += part;
        size -= part;
    }
    return !size;
}

static void take_status(struct input_device *device, const struct iovec *parts, unsigned count)
{
    uint8_t event[INPUT_EVENT_SIZE];
    if (device->kind != INPUT_KEYBOARD || !gather(parts, count, event, sizeof(event)))
        return;
    unsigned type = event[0] | event[1] << 8, code = event[2] | event[3] << 8;
    if (type != INPUT_EV_LED || code > INPUT_LED_SCROLLL)
        return; // the rate of key repeats, for example
    bool on = event[4] | event[5] | event[6] | event[7];
    set_leds(device, (device->leds & ~(1u << code)) | (uint32_t)on << code);
}

void input_device_request(struct input_device *device, unsigned queue, const struct iovec *readable,
                          unsigned readable_count, void *response, uint32_t response_size,
                          void *token)
{
    if (queue == INPUT_QUEUE_EVENT) {
        take_buffer(device, response, response_size, token);
        return;
    }
    if (queue == INPUT_QUEUE_STATUS)
        take_status(device, readable, readable_count);
    device->front.complete(device->front.data, token, 0);
}
