#include "display/window/pads.h"

#include "base/log.h"

// Linux's numbers, as its driver for most pads (xpad) has them.
enum {
    EV_KEY = 1,
    EV_ABS = 3,
    ABS_X = 0,
    ABS_Y,
    ABS_Z,
    ABS_RX,
    ABS_RY,
    ABS_RZ,
    ABS_HAT0X = 0x10,
    ABS_HAT0Y,
    BTN_A = 0x130,
    BTN_B = 0x131,
    BTN_X = 0x133,
    BTN_Y = 0x134,
    BTN_TL = 0x136,
    BTN_TR = 0x137,
    BTN_SELECT = 0x13a,
    BTN_START,
    BTN_MODE,
    BTN_THUMBL,
    BTN_THUMBR,
    STICK = 32767,
    TRIGGER_SHIFT = 7, // 32767 becomes 255
};

static void send(struct window_pads *pads, unsigned pad, uint16_t type, uint16_t code,
                 int32_t value)
{
    enum link_input_device device = (enum link_input_device)(LINK_INPUT_PAD + pad);
    display_input(pads->display, device, type, code, value);
    display_input_end(pads->display, device);
}

void window_pads_axis(struct window_pads *pads, unsigned pad, unsigned axis, int16_t value)
{
    static const uint16_t codes[] = {
        [SDL_CONTROLLER_AXIS_LEFTX] = ABS_X,       [SDL_CONTROLLER_AXIS_LEFTY] = ABS_Y,
        [SDL_CONTROLLER_AXIS_RIGHTX] = ABS_RX,     [SDL_CONTROLLER_AXIS_RIGHTY] = ABS_RY,
        [SDL_CONTROLLER_AXIS_TRIGGERLEFT] = ABS_Z, [SDL_CONTROLLER_AXIS_TRIGGERRIGHT] = ABS_RZ,
    };
    if (axis >= sizeof(codes) / sizeof(*codes))
        return;
    bool trigger = codes[axis] == ABS_Z || codes[axis] == ABS_RZ;
    int32_t most = value < -STICK ? -STICK : value;
    send(pads, pad, EV_ABS, codes[axis], trigger ? (most < 0 ? 0 : most >> TRIGGER_SHIFT) : most);
}

// The cross is an axis each way; where both ends are pressed it is in the middle.
static void send_cross(struct window_pads *pads, unsigned pad, unsigned button)
{
    const uint16_t down = pads->list[pad].down;
    bool vertical =
        button == SDL_CONTROLLER_BUTTON_DPAD_UP || button == SDL_CONTROLLER_BUTTON_DPAD_DOWN;
    unsigned least = vertical ? SDL_CONTROLLER_BUTTON_DPAD_UP : SDL_CONTROLLER_BUTTON_DPAD_LEFT;
    unsigned most = vertical ? SDL_CONTROLLER_BUTTON_DPAD_DOWN : SDL_CONTROLLER_BUTTON_DPAD_RIGHT;
    send(pads, pad, EV_ABS, vertical ? ABS_HAT0Y : ABS_HAT0X,
         (down >> most & 1) - (down >> least & 1));
}

void window_pads_button(struct window_pads *pads, unsigned pad, unsigned button, bool down)
{
    static const uint16_t codes[SDL_CONTROLLER_BUTTON_DPAD_UP] = {
        [SDL_CONTROLLER_BUTTON_A] = BTN_A,
        [SDL_CONTROLLER_BUTTON_B] = BTN_B,
        [SDL_CONTROLLER_BUTTON_X] = BTN_X,
        [SDL_CONTROLLER_BUTTON_Y] = BTN_Y,
        [SDL_CONTROLLER_BUTTON_BACK] = BTN_SELECT,
        [SDL_CONTROLLER_BUTTON_GUIDE] = BTN_MODE,
        [SDL_CONTROLLER_BUTTON_START] = BTN_START,
        [SDL_CONTROLLER_BUTTON_LEFTSTICK] = BTN_THUMBL,
        [SDL_CONTROLLER_BUTTON_RIGHTSTICK] = BTN_THUMBR,
        [SDL_CONTROLLER_BUTTON_LEFTSHOULDER] = BTN_TL,
        [SDL_CONTROLLER_BUTTON_RIGHTSHOULDER] = BTN_TR,
    };
    struct window_pad *state = &pads->list[pad];
    if (button > SDL_CONTROLLER_BUTTON_DPAD_RIGHT || (state->down >> button & 1) == down)
        return;
    state->down ^= (uint16_t)(1u << button);
    if (button >= SDL_CONTROLLER_BUTTON_DPAD_UP)
        send_cross(pads, pad, button);
    else
        send(pads, pad, EV_KEY, codes[button], down);
}

// ---- plugging in ----------------------------------------------------------

static void plug_in(struct window_pads *pads, int index)
{
    for (unsigned pad = 0; pad < WINDOW_PADS; pad++) {
        struct window_pad *state = &pads->list[pad];
        if (!(pads->wanted >> pad & 1) || state->controller)
            continue;
        state->controller = SDL_GameControllerOpen(index);
        if (state->controller) {
            state->id = SDL_JoystickInstanceID(SDL_GameControllerGetJoystick(state->controller));
            log_info("game pad %u is '%s'", pad + 1, SDL_GameControllerName(state->controller));
        }
        return;
    }
    log_info("the guest has no game pad for one more");
}

static void let_go(struct window_pads *pads, unsigned pad)
{
    for (unsigned axis = 0; axis < SDL_CONTROLLER_AXIS_MAX; axis++)
        window_pads_axis(pads, pad, axis, 0);
    for (unsigned button = 0; button <= SDL_CONTROLLER_BUTTON_DPAD_RIGHT; button++)
        window_pads_button(pads, pad, button, false);
}

static void unplug(struct window_pads *pads, unsigned pad)
{
    let_go(pads, pad);
    SDL_GameControllerClose(pads->list[pad].controller);
    pads->list[pad].controller = NULL;
}

// Its number; WINDOW_PADS: it is none of ours.
static unsigned pad_of(const struct window_pads *pads, SDL_JoystickID id)
{
    unsigned pad = 0;
    while (pad < WINDOW_PADS && !(pads->list[pad].controller && pads->list[pad].id == id))
        pad++;
    return pad;
}

void window_pads_event(struct window_pads *pads, const SDL_Event *event)
{
    unsigned pad;
    switch (event->type) {
    case SDL_CONTROLLERDEVICEADDED:
        plug_in(pads, event->cdevice.which);
        break;
    case SDL_CONTROLLERDEVICEREMOVED:
        pad = pad_of(pads, event->cdevice.which);
        if (pad < WINDOW_PADS)
            unplug(pads, pad);
        break;
    case SDL_CONTROLLERAXISMOTION:
        pad = pad_of(pads, event->caxis.which);
        if (pad < WINDOW_PADS)
            window_pads_axis(pads, pad, event->caxis.axis, event->caxis.value);
        break;
    case SDL_CONTROLLERBUTTONDOWN:
    case SDL_CONTROLLERBUTTONUP:
        pad = pad_of(pads, event->cbutton.which);
        if (pad < WINDOW_PADS)
            window_pads_button(pads, pad, event->cbutton.button,
                               event->type == SDL_CONTROLLERBUTTONDOWN);
        break;
    }
}

void window_pads_init(struct window_pads *pads, struct display *display, uint32_t inputs)
{
    *pads = (struct window_pads){.display = display, .wanted = inputs >> LINK_INPUT_PAD & 15};
    // Those that are there already are told of as if they were plugged in now.
    if (pads->wanted && SDL_InitSubSystem(SDL_INIT_GAMECONTROLLER) < 0)
        log_warning("game pads do not reach the guest: %s", SDL_GetError());
}

void window_pads_finish(struct window_pads *pads)
{
    for (unsigned pad = 0; pad < WINDOW_PADS; pad++)
        if (pads->list[pad].controller)
            SDL_GameControllerClose(pads->list[pad].controller);
}
