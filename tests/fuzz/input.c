// libFuzzer target: a driver and a display that say anything in any order to an input device. The
// input is a list of actions. What a driver hears must make sense to it: whole groups, keys that
// change, nothing that its configuration space doesn't have; and in the end, when it has read all,
// what it believes to be down is what is down.
#include "input/private.h"

#include "actions.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 64 };

struct machine {
    struct input_device *device;
    uint8_t buffers[BUFFERS][INPUT_EVENT_SIZE];
    bool offered[BUFFERS];
    struct input_state believed; // by the driver
    unsigned group;
    uint64_t now, wake;
};

static void check(bool good)
{
    if (!good)
        abort();
}

// ---- the driver -----------------------------------------------------------

static void hear_touch(struct machine *m, uint16_t code, int32_t value)
{
    struct input_state *b = &m->believed;
    struct input_contact *contact = &b->contacts[b->slot];
    switch (code) {
    case INPUT_ABS_MT_SLOT:
        check(value >= 0 && value < INPUT_CONTACTS);
        b->slot = value;
        return;
    case INPUT_ABS_MT_TRACKING_ID:
        check(value >= -1 && value <= INPUT_MAX_TRACKING && value != contact->id);
        contact->id = value;
        return;
    }
    check(value >= 0 && value <= INPUT_RANGE);
    check(code < INPUT_ABS_MT_SLOT || contact->id >= 0);
}

static void hear_position(struct machine *m, uint16_t code, int32_t value)
{
    *(code == INPUT_ABS_X ? &m->believed.x : &m->believed.y) = value;
}

static void hear(struct machine *m, uint16_t type, uint16_t code, int32_t value)
{
    check(input_kind_takes(m->device->kind, type, code));
    if (type == INPUT_EV_SYN) {
        check(m->group > 0);
        m->group = 0;
        return;
    }
    m->group++;
    check(m->group < INPUT_MOST_EMITTED);
    if (type == INPUT_EV_KEY) {
        check(value == !input_state_is_down(&m->believed, code));
        m->believed.down[code / 8] ^= (uint8_t)(1 << code % 8);
    } else if (type == INPUT_EV_ABS) {
        if (input_kind_is_pad(m->device->kind)) {
            check(value >= input_axis_least(code) && value <= input_axis_most(code));
            m->believed.axes[code] = value;
            return;
        }
        hear_touch(m, code, value);
        if (code < INPUT_ABS_MT_SLOT)
            hear_position(m, code, value);
    }
}

static void complete(void *data, void *token, uint32_t written)
{
    struct machine *m = data;
    uint8_t *bytes = token;
    if (!bytes)
        return;
    size_t index = (size_t)(bytes - m->buffers[0]) / INPUT_EVENT_SIZE;
    check(index < BUFFERS && m->offered[index]);
    m->offered[index] = false;
    if (!written)
        return;
    check(written == INPUT_EVENT_SIZE);
    hear(m, (uint16_t)(bytes[0] | bytes[1] << 8), (uint16_t)(bytes[2] | bytes[3] << 8),
         (int32_t)(bytes[4] | bytes[5] << 8 | bytes[6] << 16 | (uint32_t)bytes[7] << 24));
}

static void flush(void *data)
{
}

static uint64_t now(void *data)
{
    struct machine *m = data;
    return m->now;
}

static void wake(void *data, uint64_t at_ns)
{
    struct machine *m = data;
    check(at_ns > m->now);
    m->wake = at_ns;
}

// Time passes.
static void wait_for(struct machine *m, uint64_t ns)
{
    m->now += ns;
    if (!m->wake || m->wake > m->now)
        return;
    m->wake = 0;
    input_device_wake(m->device);
}

static void leds(void *data, uint32_t leds)
{
    check(leds < 8);
}

static void offer(struct machine *m, unsigned count, uint32_t size)
{
    for (unsigned i = 0; i < BUFFERS && count; i++) {
        if (m->offered[i])
            continue;
        m->offered[i] = true;
        count--;
        input_device_request(m->device, INPUT_QUEUE_EVENT, NULL, 0, m->buffers[i], size,
                             m->buffers[i]);
    }
}

static void forget(struct machine *m)
{
    input_device_reset(m->device);
    memset(m->offered, 0, sizeof(m->offered));
    input_state_clear(&m->believed);
    m->group = 0;
}

static void status(struct machine *m, struct input *in)
{
    uint8_t bytes[16];
    size_t size = take(in, 1) % 17, split = take(in, 1) % 17;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)take(in, 1);
    split = split < size ? split : size;
    struct iovec parts[2] = {{bytes, split}, {bytes + split, size - split}};
    input_device_request(m->device, take(in, 1) & 3 ? INPUT_QUEUE_STATUS : 9, parts, 2, NULL, 0,
                         NULL);
}

static void configure(struct machine *m, struct input *in)
{
    uint8_t bytes[INPUT_CONFIG_SIZE];
    uint32_t offset = (uint32_t)take(in, 1) % INPUT_CONFIG_SIZE;
    uint32_t size = (uint32_t)take(in, 1) % (INPUT_CONFIG_SIZE - offset + 1);
    memset(bytes, 0, sizeof(bytes));
    bytes[0] = (uint8_t)take(in, 1);
    bytes[1] = (uint8_t)take(in, 1);
    input_device_write_config(m->device, offset, bytes, size);
    input_device_read_config(m->device, offset, bytes, size);
    input_device_read_config(m->device, 0, bytes, 3);
    check(bytes[2] <= 128);
}

// ---- the display ----------------------------------------------------------

static struct input_event any_event(struct input *in)
{
    static const uint16_t usual[][2] = {
        {INPUT_EV_SYN, 0},
        {INPUT_EV_KEY, 30},
        {INPUT_EV_KEY, INPUT_KEY_LEFTSHIFT},
        {INPUT_EV_KEY, INPUT_BTN_LEFT},
        {INPUT_EV_ABS, INPUT_ABS_X},
        {INPUT_EV_ABS, INPUT_ABS_Y},
        {INPUT_EV_REL, INPUT_REL_WHEEL},
        {INPUT_EV_REL, INPUT_REL_HWHEEL_HI_RES},
        {INPUT_EV_ABS, INPUT_ABS_MT_SLOT},
        {INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID},
        {INPUT_EV_ABS, INPUT_ABS_MT_POSITION_X},
        {INPUT_EV_ABS, INPUT_ABS_MT_POSITION_Y},
        {INPUT_EV_KEY, INPUT_BTN_TOUCH},
        {INPUT_EV_ABS, INPUT_ABS_HAT0X},
        {INPUT_EV_REL, INPUT_REL_X},
        {INPUT_EV_KEY, INPUT_BTN_SOUTH},
    };
    enum { USUAL = sizeof(usual) / sizeof(*usual) };
    unsigned which = (unsigned)take(in, 1);
    struct input_event event;
    if (which % 16 < USUAL)
        event = (struct input_event){usual[which % 16][0], usual[which % 16][1], 0};
    else
        event = (struct input_event){(uint16_t)take(in, 1), (uint16_t)take(in, 2), 0};
    event.value = which & 0x80 ? (int32_t)take(in, 4) : (int8_t)take(in, 1);
    return event;
}

static void send(struct machine *m, struct input *in)
{
    struct input_event events[32];
    size_t count = take(in, 1) % 33;
    for (size_t i = 0; i < count; i++)
        events[i] = any_event(in);
    check(input_device_send(m->device, events, count) <= count);
}

// So many groups that the driver can't keep up.
static void flood(struct machine *m, struct input *in)
{
    struct input_event events[64];
    unsigned rounds = (unsigned)take(in, 1) / 4;
    struct input_event event = any_event(in);
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned k = 0; k < 64; k += 2) {
            events[k] = event;
            events[k].value ^= (int32_t)(k / 2 & 1);
            events[k + 1] = (struct input_event){INPUT_EV_SYN, 0, 0};
        }
        input_device_send(m->device, events, 64);
    }
}

// ---- the whole ------------------------------------------------------------

static void act(struct machine *m, struct input *in)
{
    unsigned action = (unsigned)take(in, 1);
    if (action == 0xff) { // rarely: it is slow
        flood(m, in);
        return;
    }
    switch (action % 10) {
    case 0:
    case 1:
    case 2:
        send(m, in);
        break;
    case 3:
        offer(m, (unsigned)take(in, 1), INPUT_EVENT_SIZE);
        break;
    case 4:
        offer(m, 1, (uint32_t)take(in, 1));
        break;
    case 5:
        status(m, in);
        break;
    case 6:
        configure(m, in);
        break;
    case 7:
        take(in, 1) & 1 ? input_device_start(m->device) : input_device_stop(m->device);
        break;
    case 8:
        if (take(in, 1) & 1)
            forget(m);
        else
            input_device_release(m->device);
        break;
    case 9:
        wait_for(m, take(in, 1) * 1000000);
        break;
    }
}

static void read_all(struct machine *m)
{
    input_device_start(m->device);
    for (unsigned round = 0; m->device->pending_count; round++) {
        check(round <= 2 * INPUT_MAX_PENDING);
        offer(m, BUFFERS, INPUT_EVENT_SIZE);
        wait_for(m, 1000000000);
    }
    check(!m->group && !m->device->behind);
    check(!memcmp(m->believed.down, m->device->state.down, sizeof(m->believed.down)));
    check(!memcmp(m->believed.axes, m->device->state.axes, sizeof(m->believed.axes)));
    check(m->believed.x == m->device->state.x && m->believed.y == m->device->state.y);
    for (unsigned i = 0; i < INPUT_CONTACTS; i++)
        check(m->believed.contacts[i].id == m->device->state.contacts[i].id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    static struct machine m;
    memset(&m, 0, sizeof(m));
    struct input_front front = {
        .data = &m, .complete = complete, .flush = flush, .leds = leds, .now = now, .wake = wake};
    m.device = input_device_create((enum input_kind)(take(&in, 1) % INPUT_KINDS), &front);
    check(m.device);
    m.device->most_pending = 2 * INPUT_MOST_EMITTED;
    input_state_clear(&m.believed);
    while (in.at < in.end)
        act(&m, &in);
    read_all(&m);
    input_device_destroy(m.device);
    return 0;
}
