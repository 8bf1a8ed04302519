// What is held down: how a group of events changes it, and which events lead from one state to
// another.
#include <string.h>

#include "input/private.h"

void input_state_clear(struct input_state *state)
{
    *state = (struct input_state){.x = -1, .y = -1, .first = -1};
    for (unsigned i = 0; i < INPUT_CONTACTS; i++)
        state->contacts[i] = (struct input_contact){-1, -1, -1};
}

// ---- one event of a group -------------------------------------------------

static void set_key(struct input_device *device, unsigned code, bool down)
{
    struct input_state *state = &device->state;
    if (input_state_is_down(state, code) == down)
        return;
    state->down[code / 8] ^= (uint8_t)(1 << code % 8);
    input_device_emit(device, INPUT_EV_KEY, (uint16_t)code, down);
}

static void set_position(struct input_device *device, uint16_t code, int32_t *at, int32_t value)
{
    if (*at == value)
        return;
    *at = value;
    input_device_emit(device, INPUT_EV_ABS, code, value);
}

static void apply_touch(struct input_device *device, const struct input_event *event)
{
    struct input_state *state = &device->state;
    if (event->code == INPUT_ABS_MT_SLOT) {
        bool exists = event->value >= 0 && event->value < INPUT_CONTACTS;
        if (exists && state->slot != event->value)
            input_device_emit(device, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, event->value);
        state->slot = exists ? event->value : -1;
        return;
    }
    if (state->slot < 0)
        return;
    struct input_contact *contact = &state->contacts[state->slot];
    if (event->code == INPUT_ABS_MT_TRACKING_ID) {
        int32_t id = event->value < 0 ? -1 : event->value & INPUT_MAX_TRACKING;
        if (id != contact->id && id >= 0)
            contact->x = contact->y = -1; // so that both are told of a new contact
        set_position(device, event->code, &contact->id, id);
    } else if (contact->id >= 0) {
        bool x = event->code == INPUT_ABS_MT_POSITION_X;
        set_position(device, event->code, x ? &contact->x : &contact->y,
                     input_within(event->value, 0, INPUT_RANGE));
    }
}

// ---- what follows from a group --------------------------------------------

// Old programs know one finger: the first contact while it lasts, then another.
static void follow_contacts(struct input_device *device)
{
    struct input_state *state = &device->state;
    if (state->first >= 0 && state->contacts[state->first].id < 0)
        state->first = -1;
    for (int i = 0; state->first < 0 && i < INPUT_CONTACTS; i++)
        if (state->contacts[i].id >= 0)
            state->first = i;
    set_key(device, INPUT_BTN_TOUCH, state->first >= 0);
    if (state->first < 0)
        return;
    const struct input_contact *contact = &state->contacts[state->first];
    if (contact->x >= 0)
        set_position(device, INPUT_ABS_X, &state->x, contact->x);
    if (contact->y >= 0)
        set_position(device, INPUT_ABS_Y, &state->y, contact->y);
}

struct wheel {
    uint16_t code, fine_code;
    int32_t clicks, fine; // the sums of the group
    bool has_clicks, has_fine;
};

static void turn(struct input_device *device, struct wheel *wheel, int32_t *rest)
{
    if (wheel->has_fine && !wheel->has_clicks) {
        // A rest of the other direction would delay the turn.
        if (((int64_t)wheel->fine > 0) != (*rest > 0))
            *rest = 0;
        *rest += wheel->fine;
        wheel->clicks = *rest / INPUT_CLICK;
        *rest %= INPUT_CLICK;
    } else if (wheel->has_clicks) {
        if (!wheel->has_fine)
            wheel->fine = wheel->clicks * INPUT_CLICK;
        *rest = 0;
    }
    if (wheel->clicks)
        input_device_emit(device, INPUT_EV_REL, wheel->code, wheel->clicks);
    if (wheel->fine)
        input_device_emit(device, INPUT_EV_REL, wheel->fine_code, wheel->fine);
}

static void gather(struct wheel *wheel, const struct input_event *event)
{
    enum { MOST = INPUT_MAX_CLICKS * INPUT_CLICK };
    if (event->code == wheel->code) {
        wheel->clicks = input_within(
            wheel->clicks + input_within(event->value, -INPUT_MAX_CLICKS, INPUT_MAX_CLICKS),
            -INPUT_MAX_CLICKS, INPUT_MAX_CLICKS);
        wheel->has_clicks = true;
    } else if (event->code == wheel->fine_code) {
        wheel->fine =
            input_within(wheel->fine + input_within(event->value, -MOST, MOST), -MOST, MOST);
        wheel->has_fine = true;
    }
}

void input_state_apply(struct input_device *device, const struct input_event *group, size_t count)
{
    struct input_state *state = &device->state;
    struct wheel wheels[] = {{.code = INPUT_REL_WHEEL, .fine_code = INPUT_REL_WHEEL_HI_RES},
                             {.code = INPUT_REL_HWHEEL, .fine_code = INPUT_REL_HWHEEL_HI_RES}};
    int32_t moved[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        const struct input_event *event = &group[i];
        switch (event->type) {
        case INPUT_EV_KEY:
            // The driver makes repeats (2). The touch of a screen follows from its contacts.
            if ((event->value == 0 || event->value == 1) && event->code != INPUT_BTN_TOUCH)
                set_key(device, event->code, event->value);
            break;
        case INPUT_EV_REL:
            gather(&wheels[0], event);
            gather(&wheels[1], event);
            if (event->code <= INPUT_REL_Y)
                moved[event->code] = input_within((int64_t)moved[event->code] + event->value,
                                                  -INPUT_MAX_MOTION, INPUT_MAX_MOTION);
            break;
        case INPUT_EV_ABS:
            if (input_kind_is_pad(device->kind))
                set_position(device, event->code, &state->axes[event->code],
                             input_within(event->value, input_axis_least(event->code),
                                          input_axis_most(event->code)));
            else if (device->kind == INPUT_POINTER)
                set_position(device, event->code,
                             event->code == INPUT_ABS_X ? &state->x : &state->y,
                             input_within(event->value, 0, INPUT_RANGE));
            else if (event->code >= INPUT_ABS_MT_SLOT)
                apply_touch(device, event);
            break;
        }
    }
    if (device->kind == INPUT_TOUCH)
        follow_contacts(device);
    for (uint16_t i = 0; i < 2; i++)
        if (moved[i])
            input_device_emit(device, INPUT_EV_REL, (uint16_t)(INPUT_REL_X + i), moved[i]);
    for (unsigned i = 0; i < 2; i++)
        turn(device, &wheels[i], &device->clicks[i]);
}

void input_state_release(struct input_device *device)
{
    device->clicks[0] = device->clicks[1] = 0;
    if (device->kind != INPUT_TOUCH) {
        for (unsigned code = 0; code < INPUT_KEY_LIMIT; code++)
            set_key(device, code, false);
        for (uint16_t code = 0; code < INPUT_AXES; code++)
            set_position(device, code, &device->state.axes[code], 0);
        return;
    }
    for (int i = 0; i < INPUT_CONTACTS; i++) {
        if (device->state.contacts[i].id < 0)
            continue;
        apply_touch(device, &(struct input_event){INPUT_EV_ABS, INPUT_ABS_MT_SLOT, i});
        apply_touch(device, &(struct input_event){INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, -1});
    }
    follow_contacts(device);
}

// ---- from one state to another --------------------------------------------

static void say_slot(struct input_device *device, int32_t *slot, int32_t wanted)
{
    if (*slot != wanted)
        input_device_emit(device, INPUT_EV_ABS, INPUT_ABS_MT_SLOT, wanted);
    *slot = wanted;
}

static void say(struct input_device *device, uint16_t code, int32_t value, bool unknown)
{
    if (value >= 0 && unknown)
        input_device_emit(device, INPUT_EV_ABS, code, value);
}

static void contacts_difference(struct input_device *device, const struct input_state *from)
{
    const struct input_state *to = &device->state;
    int32_t slot = from->slot;
    for (int i = 0; i < INPUT_CONTACTS; i++) {
        if (from->contacts[i].id < 0 || from->contacts[i].id == to->contacts[i].id)
            continue;
        say_slot(device, &slot, i);
        input_device_emit(device, INPUT_EV_ABS, INPUT_ABS_MT_TRACKING_ID, -1);
    }
    input_device_end_group(device); // libraries do not expect an end and a beginning in one
    for (int i = 0; i < INPUT_CONTACTS; i++) {
        const struct input_contact *old = &from->contacts[i], *new = &to->contacts[i];
        bool fresh = new->id != old->id;
        if (new->id < 0 || (!fresh && new->x == old->x &&new->y == old->y))
            continue;
        say_slot(device, &slot, i);
        say(device, INPUT_ABS_MT_TRACKING_ID, new->id, fresh);
        say(device, INPUT_ABS_MT_POSITION_X, new->x, fresh || new->x != old->x);
        say(device, INPUT_ABS_MT_POSITION_Y, new->y, fresh || new->y != old->y);
    }
    if (to->slot >= 0)
        say_slot(device, &slot, to->slot);
}

static bool is_modifier(unsigned code)
{
    return code == INPUT_KEY_LEFTCTRL || code == INPUT_KEY_RIGHTCTRL ||
           code == INPUT_KEY_LEFTSHIFT || code == INPUT_KEY_RIGHTSHIFT ||
           code == INPUT_KEY_LEFTALT || code == INPUT_KEY_RIGHTALT || code == INPUT_KEY_LEFTMETA ||
           code == INPUT_KEY_RIGHTMETA;
}

static void keys_difference(struct input_device *device, const struct input_state *from)
{
    enum { UP, MODIFIERS_DOWN, DOWN, PASSES };
    for (unsigned pass = 0; pass < PASSES; pass++) {
        for (unsigned code = 0; code < INPUT_KEY_LIMIT; code++) {
            bool down = input_state_is_down(&device->state, code);
            if (down == input_state_is_down(from, code))
                continue;
            if (pass == (!down ? UP : is_modifier(code) ? MODIFIERS_DOWN : DOWN))
                input_device_emit(device, INPUT_EV_KEY, (uint16_t)code, down);
        }
    }
}

void input_state_difference(struct input_device *device, const struct input_state *from)
{
    const struct input_state *to = &device->state;
    contacts_difference(device, from);
    // The position first, then the keys that are pressed there.
    say(device, INPUT_ABS_X, to->x, to->x != from->x);
    say(device, INPUT_ABS_Y, to->y, to->y != from->y);
    for (uint16_t code = 0; code < INPUT_AXES; code++)
        if (to->axes[code] != from->axes[code])
            input_device_emit(device, INPUT_EV_ABS, code, to->axes[code]);
    keys_difference(device, from);
}
