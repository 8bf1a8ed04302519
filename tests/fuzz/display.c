// Both ends of a display's link, each against a hostile other one: the device process's front to a
// display that says anything while the guest draws, and a display whose device process does.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "played.h"

#define BANK_SIZE 65536 // a machine per input: small
#include "../unit/gpu/machine.c"
#include "../unit/gpu/workers.c"
#include "display/display.h"
#include "front/display/display_front.h"
#include "gpu/output.h"
#include "os/os.h"
#include "os/shm.h"

enum { STEPS = 200 };

static uint32_t byte(void)
{
    return (uint32_t)take(1);
}

static uint32_t word(void)
{
    uint32_t kind = byte();
    if (kind < 0xe0)
        return kind & 31;
    if (kind < 0xf8)
        return (uint32_t)take(4);
    return UINT32_MAX - (kind & 7);
}

// Of a message with words in it; `most` bytes at most.
static size_t anything(uint32_t *words, size_t most)
{
    for (size_t i = 0; i < most / 4; i++)
        words[i] = i < 12 ? word() : 1;
    size_t size = byte() * 4u;
    return size < most ? size : most;
}

// ---- a hostile display ----------------------------------------------------

struct owner {
    struct display_front *front;
    unsigned attached;
};

static void on_input(void *data, const struct link_input *events, size_t count)
{
    (void)data;
    for (size_t i = 0; i < count; i++)
        if (events[i].device >= LINK_INPUT_DEVICES)
            abort();
}

static void on_counters(void *data, const struct link_display_counters *counters)
{
    (void)data, (void)counters;
}

static void on_gone(void *data, int status, const char *how)
{
    struct owner *owner = data;
    (void)status, (void)how;
    display_front_destroy(owner->front);
    owner->front = NULL;
}

static void on_event(void *data)
{
    (void)data;
}

static void open_front(struct machine *machine, struct owner *owner)
{
    static const struct display_front_callbacks callbacks = {.ready = on_event,
                                                             .input = on_input,
                                                             .closed = on_event,
                                                             .counters = on_counters,
                                                             .gone = on_gone};
    struct display_front_options options = {.setup = {.outputs = 2}, .paces = byte() & 1};
    if (machine->pool.count < 8 && !owner->front &&
        !display_front_create(machine->loop, &machine->pool, &options, &callbacks, owner,
                              &owner->front) &&
        byte() & 3)
        display_front_attach(owner->front, machine->device);
}

static void guest(struct machine *machine)
{
    uint32_t what = byte(), id = 1 + (what >> 4 & 3);
    const struct picture_rect rect = {word(), word(), word(), word()};
    switch (what & 7) {
    case 0:
        create_2d(machine, id, PICTURE_FORMAT_B8G8R8X8, 16 + (what >> 6), 16);
        break;
    case 1:
        unref(machine, id);
        break;
    case 2:
    case 3:
        set_scanout(machine, what >> 6 & 1, what & 128 ? 0 : id,
                    what & 8 ? rect : (struct picture_rect){0, 0, 16, 16});
        break;
    case 4:
    case 5: {
        struct gpu_flush body = {.rect = what & 8 ? rect : (struct picture_rect){0, 0, 16, 16},
                                 .resource_id = id};
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_FLUSH, &body, sizeof(body));
        break;
    }
    case 6: {
        struct gpu_update_cursor cursor = {.resource_id = id, .x = rect.x, .y = rect.y};
        machine_ask(machine, GPU_CURSOR_QUEUE, GPU_CMD_UPDATE_CURSOR, &cursor, sizeof(cursor));
        break;
    }
    case 7:
        if (what & 128)
            machine_reset(machine);
        break;
    }
}

static void say(struct machine *machine, uint16_t type, const void *payload, size_t size)
{
    struct link_child *process = machine->pool.workers[machine->pool.count - 1];
    if (process->peer && process->link) {
        link_send(process->peer, type, payload, size, NULL, 0, NULL, 0);
        machine_pump(machine);
    }
}

static uint64_t newest; // frame

static void hear(struct machine *machine)
{
    struct link_message message;
    while (worker_receive(machine, machine->pool.count - 1, &message))
        if (message.type == LINK_FRAME)
            newest = ((const struct link_frame *)message.payload)->serial;
}

static void speak(struct machine *machine)
{
    uint32_t words[64], what = byte();
    switch (what & 7) {
    case 0:
    case 1: {
        struct link_frame_shown shown = {.output = what >> 3 & 3,
                                         .serial = what & 32 ? word() : newest - (what >> 6)};
        say(machine, LINK_FRAME_SHOWN, &shown, sizeof(shown));
        break;
    }
    case 2: {
        struct link_output_mode mode = {.output = what >> 3 & 3, .width = word(), .height = word()};
        say(machine, LINK_OUTPUT_MODE, &mode, sizeof(mode));
        break;
    }
    case 3: {
        struct link_output_screen screen = {
            .output = what & 8 ? word() : what >> 4 & 1, .refresh = word(), .dpi = word()};
        say(machine, LINK_OUTPUT_SCREEN, &screen, sizeof(screen));
        break;
    }
    default: {
        size_t size = anything(words, sizeof(words));
        say(machine, (uint16_t)(what & 8 ? word() : LINK_DISPLAY_READY + (what >> 4 & 7)), words,
            size);
        break;
    }
    }
}

static void against_a_display(void)
{
    struct gpu_options options = machine_options();
    options.venus = false;
    struct machine *machine = machine_create(&options);
    struct owner owner = {0};
    machine->options.pool = &machine->pool;
    newest = 0;
    open_front(machine, &owner);
    for (unsigned i = 0; script.at < script.end && i < STEPS; i++) {
        uint32_t what = byte();
        switch (what & 7) {
        case 0:
        case 1:
        case 2:
            guest(machine);
            break;
        case 3:
        case 4:
            if (machine->pool.count)
                speak(machine);
            break;
        case 5:
            if (machine->pool.count && !(what & 8))
                hear(machine);
            break;
        case 6:
            if (owner.front && what & 8)
                display_front_attach(owner.front, what & 16 ? NULL : machine->device);
            else if (owner.front && what & 32)
                display_front_set_leds(owner.front, what);
            else
                machine_round(machine);
            break;
        case 7:
            if (owner.front && what & 64)
                on_gone(&owner, 0, NULL);
            else
                open_front(machine, &owner);
            break;
        }
    }
    display_front_destroy(owner.front);
    machine_destroy(machine);
}

// ---- a hostile device process ---------------------------------------------

static struct display *display;

static void on_setup(void *data, const struct link_display_setup *setup)
{
    if (!setup->outputs || setup->outputs > LINK_DISPLAY_OUTPUTS)
        abort();
    *(uint32_t *)data = setup->outputs;
}

static void on_picture(void *data, uint32_t output)
{
    const struct display_output *shown = display_output(display, output);
    if (output >= *(uint32_t *)data || (shown->enabled && !shown->file))
        abort();
}

// Looks at all that a program looks at.
static void on_frame(void *data, uint32_t output, const struct picture_rect *damage)
{
    enum { SIDE = 64 };
    static uint8_t pixels[SIDE * SIDE * 4];
    const struct display_output *shown = display_output(display, output);
    struct picture_rect rect = *damage;
    if (output >= *(uint32_t *)data || rect.x > shown->width || rect.y > shown->height ||
        rect.width > shown->width - rect.x || rect.height > shown->height - rect.y)
        abort();
    rect.width = rect.width < SIDE ? rect.width : SIDE;
    rect.height = rect.height < SIDE ? rect.height : SIDE;
    if (display_read(display, output, &rect, PICTURE_ORDER_BGRA, pixels, SIDE * 4))
        display_draw_cursor(display, output, &rect, PICTURE_ORDER_BGRA, pixels, SIDE * 4);
    if (byte() & 3)
        display_shown(display, output);
}

static void on_cursor(void *data, uint32_t output, bool changed)
{
    const struct display_output *shown = display_output(display, output);
    if (output >= *(uint32_t *)data ||
        (changed && !shown->cursor.rgba[shown->cursor.width * shown->cursor.height * 4 - 1]))
        return;
}

static void on_leds(void *data, uint32_t leds)
{
    (void)data, (void)leds;
}

static void on_file_closed(void *data, struct display_file *file)
{
    (void)data;
    for (uint32_t i = 0; i < LINK_DISPLAY_OUTPUTS; i++)
        if (display_output(display, i)->file == file)
            abort();
}

static void do_something(uint32_t outputs)
{
    uint32_t what = byte();
    if (!outputs)
        return;
    switch (what & 3) {
    case 0:
        display_shown(display, (what >> 2) % outputs);
        break;
    case 1:
        display_input_position(display, LINK_INPUT_POINTER, (what >> 2) % outputs, word(),
                               word() * -0.5);
        break;
    case 2:
        display_count_viewers(display, what);
        break;
    case 3:
        display_set_mode(display, (what >> 2) % outputs, word(), word());
        break;
    }
}

static void tell(struct link *device)
{
    union {
        uint32_t words[512];
        struct link_picture picture;
        struct link_file_open file;
        struct link_frame frame;
        struct link_cursor_shape shape;
    } body = {{0}};
    uint32_t what = byte();
    size_t size = 0;
    uint16_t type = LINK_DISPLAY_SETUP + (what >> 4 & 7);
    int fd = -1;
    switch (what & 7) {
    case 0:
    case 1:
        type = LINK_PICTURE;
        body.picture = (struct link_picture){.output = what >> 3 & 3,
                                             .format = what & 32 ? word() : 1,
                                             .file_id = byte() & 3,
                                             .offset = word(),
                                             .stride = what & 64 ? word() : 128,
                                             .width = word(),
                                             .height = word(),
                                             .enabled = byte() & 1};
        size = sizeof(body.picture);
        break;
    case 2:
        type = LINK_FILE_OPEN;
        body.file =
            (struct link_file_open){.file_id = what >> 3 & 3, .size = what & 32 ? word() : 4096};
        size = sizeof(body.file);
        break;
    case 3:
        type = LINK_FRAME;
        body.frame = (struct link_frame){.output = what >> 3 & 3,
                                         .x = word(),
                                         .y = word(),
                                         .width = word(),
                                         .height = word(),
                                         .serial = 1};
        size = sizeof(body.frame);
        break;
    case 4:
        type = LINK_CURSOR_SHAPE;
        anything(body.words, sizeof(body));
        body.shape.output = what >> 3 & 3;
        body.shape.width = 1 + (what >> 5);
        body.shape.height = 1 + (byte() & 7);
        size = sizeof(body.shape) + (size_t)body.shape.width * body.shape.height * 4;
        break;
    default:
        size = anything(body.words, what & 64 ? sizeof(body) : 96);
        if (what & 8)
            type = (uint16_t)word();
        break;
    }
    if (type == LINK_FILE_OPEN)
        fd = os_shm_create("fuzz", 4096 << (byte() & 3));
    link_send(device, type, &body, size, NULL, 0, &fd, fd >= 0);
    if (fd >= 0)
        close(fd);
}

static void against_a_device(void)
{
    static const struct display_ops ops = {.setup = on_setup,
                                           .picture = on_picture,
                                           .frame = on_frame,
                                           .cursor = on_cursor,
                                           .leds = on_leds,
                                           .file_closed = on_file_closed};
    struct link_display_setup setup = {.outputs = 1 + (byte() & 3), .name = "fuzz"};
    uint32_t outputs = 0;
    int pair[2];
    if (os_socket_pair(pair) || display_create(pair[1], &ops, &outputs, &display))
        abort();
    struct link *device = new_link(pair[0], false);
    if (byte() & 7)
        link_send(device, LINK_DISPLAY_SETUP, &setup, sizeof(setup), NULL, 0, NULL, 0);
    bool alive = true;
    for (unsigned i = 0; script.at < script.end && alive && i < STEPS; i++) {
        uint32_t what = byte();
        if (what < 0xc0)
            tell(device);
        else
            do_something(outputs);
        if (what & 3)
            alive = display_dispatch(display);
        struct link_message message;
        while (what & 4 && !link_receive(device, &message))
            ;
        link_flush(device);
    }
    display_destroy(display);
    link_destroy(device);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    os_init(&(struct os_options){.portable = false});
    return 0;
}

void log_set_level(enum log_level level)
{
    (void)level;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script.at = data;
    script.end = data + size;
    if (byte() & 1)
        against_a_display();
    else
        against_a_device();
    return 0;
}
