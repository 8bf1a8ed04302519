#include "cli/device/seat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/device/start.h"
#include "front/machine/entrance.h"
#include "front/machine/input_front.h"
#include "link/display_messages.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/socket.h"

_Static_assert((int)INPUT_KEYBOARD == LINK_INPUT_KEYBOARD &&
                   (int)INPUT_POINTER == LINK_INPUT_POINTER &&
                   (int)INPUT_TOUCH == LINK_INPUT_TOUCH && (int)INPUT_MOUSE == LINK_INPUT_MOUSE &&
                   (int)INPUT_PAD == LINK_INPUT_PAD && (int)INPUT_KINDS == LINK_INPUT_DEVICES &&
                   (int)INPUT_KINDS == CLI_SEAT_DEVICES && INPUT_RANGE == LINK_INPUT_RANGE,
               "displays and devices mean the same");

void cli_seat_init(struct cli_seat *seat)
{
    *seat =
        (struct cli_seat){.front = CLI_FRONT_VHOST_USER,
                          .wanted = 1u << INPUT_KEYBOARD | 1u << INPUT_POINTER | 1u << INPUT_MOUSE};
    for (unsigned i = 0; i < CLI_SEAT_DEVICES; i++)
        seat->devices[i] = (struct cli_seat_device){.seat = seat, .kind = i, .janitor.fd = -1};
}

bool cli_seat_parse(const char *label, const char *text, void *to)
{
    struct cli_seat *seat = to;
    unsigned wanted = 0;
    bool good = true;
    for (const char *at = text; good && strcmp(text, "none"); at++) {
        size_t length = strcspn(at, ",");
        good = false;
        for (unsigned i = 0; i < CLI_SEAT_DEVICES; i++) {
            const char *name = input_kind_name((enum input_kind)i);
            if (strlen(name) != length || strncmp(at, name, length))
                continue;
            wanted |= 1u << i;
            good = true;
        }
        at += length;
        if (!*at)
            break;
    }
    if (good)
        seat->wanted = wanted;
    else
        log_error("%s: --input is 'none' or a list of keyboard, pointer, touch, mouse, pad, pad2, "
                  "pad3 and pad4, not '%s'",
                  label, text);
    return good;
}

bool cli_seat_has_keyboard(const struct cli_seat *seat)
{
    return seat->wanted >> INPUT_KEYBOARD & 1;
}

// ---- connections ----------------------------------------------------------

static void on_leds(void *data, uint32_t leds)
{
    struct cli_seat_device *device = data;
    if (device->seat->leds)
        device->seat->leds(device->seat->data, leds);
}

static void on_closed(void *data)
{
    struct cli_seat_device *device = data;
    machine_input_destroy(device->input);
    device->input = NULL;
    log_debug("QEMU has closed its %s", input_kind_name((enum input_kind)device->kind));
    on_leds(device, 0);
}

static bool serve(struct cli_seat_device *device, int fd, virtio_transport_create transport)
{
    static const struct machine_input_ops ops = {.leds = on_leds, .closed = on_closed};
    enum input_kind kind = (enum input_kind)device->kind;
    int error =
        machine_input_create(device->seat->loop, fd, transport, kind, &ops, device, &device->input);
    if (error)
        log_error("cannot serve a %s: %s", input_kind_name(kind), strerror(-error));
    else
        log_debug("a VM has connected its %s", input_kind_name(kind));
    return !error;
}

static bool busy(void *data)
{
    const struct cli_seat_device *device = data;
    return device->input;
}

static void on_front_end(void *data, int fd, virtio_transport_create transport)
{
    serve(data, fd, transport);
}

static int await(struct cli_seat_device *device, int listener, const char *path)
{
    static const struct machine_entrance_ops ops = {.busy = busy, .serve = on_front_end};
    return machine_entrance_create(device->seat->loop, listener, path,
                                   cli_front_transport(device->seat->front), cli_front_spoken, &ops,
                                   device, &device->entrance);
}

bool cli_seat_connect(struct cli_seat *seat, struct os_loop *loop, struct os_fd_pass *fds,
                      unsigned *count)
{
    seat->loop = loop;
    for (unsigned i = 0; i < CLI_SEAT_DEVICES; i++) {
        struct cli_seat_device *device = &seat->devices[i];
        struct cli_front_socket socket;
        if (!(seat->wanted >> i & 1))
            continue;
        if (!cli_front_socket(seat->front, &socket))
            return false;
        fds[(*count)++] = (struct os_fd_pass){socket.theirs, CLI_SEAT_FD + (int)i};
        if (!socket.listener) {
            if (!serve(device, socket.ours, cli_front_transport(seat->front)))
                return false;
        } else if (await(device, socket.ours, NULL)) {
            log_error("out of memory");
            return false;
        }
    }
    return true;
}

// False: too long.
static bool socket_path(const char *path, unsigned kind, char to[CLI_SOCKET_PATH])
{
    return snprintf(to, CLI_SOCKET_PATH, "%s.%s", path, input_kind_name((enum input_kind)kind)) <
           CLI_SOCKET_PATH;
}

static int listen_at(struct cli_seat_device *device, const char *path)
{
    if (!socket_path(path, device->kind, device->path))
        return -ENAMETOOLONG;
    int listener = os_socket_listen(device->path);
    if (listener < 0)
        return listener;
    cli_janitor_start(&device->janitor, device->path, NULL);
    return await(device, listener, device->path);
}

bool cli_seat_listen(struct cli_seat *seat, struct os_loop *loop, const char *path)
{
    seat->loop = loop;
    for (unsigned i = 0; i < CLI_SEAT_DEVICES; i++) {
        int error = seat->wanted >> i & 1 ? listen_at(&seat->devices[i], path) : 0;
        if (!error)
            continue;
        cli_say_unheard(seat->devices[i].path, error);
        return false;
    }
    return true;
}

void cli_seat_finish(struct cli_seat *seat)
{
    for (unsigned i = 0; i < CLI_SEAT_DEVICES; i++) {
        struct cli_seat_device *device = &seat->devices[i];
        machine_input_destroy(device->input);
        device->input = NULL;
        machine_entrance_destroy(device->entrance);
        device->entrance = NULL;
        cli_janitor_stop(&device->janitor);
    }
}

void cli_seat_add_arguments(const struct cli_seat *seat, struct cli_arguments *arguments,
                            const char *path, const char *bus, unsigned first_slot)
{
    for (unsigned i = 0; i < CLI_SEAT_DEVICES; i++) {
        char socket[CLI_SOCKET_PATH];
        // QEMU's own type of input device has room for four events.
        struct cli_front_device device = {.name = input_kind_name((enum input_kind)i),
                                          .type = 18,
                                          .config_size = INPUT_CONFIG_SIZE,
                                          .queue_size = 64,
                                          .path = path ? socket : NULL,
                                          .fd = CLI_SEAT_FD + (int)i,
                                          .bus = bus,
                                          .slot = first_slot ? first_slot + i : 0};
        if (!(seat->wanted >> i & 1))
            continue;
        if (path && !socket_path(path, i, socket))
            arguments->failed = true;
        cli_front_add_device(arguments, seat->front, &device);
    }
}

// ---- events ---------------------------------------------------------------

static struct input_device *model(const struct cli_seat *seat, unsigned kind)
{
    bool there = kind < CLI_SEAT_DEVICES && seat->devices[kind].input;
    return there ? machine_input_device(seat->devices[kind].input) : NULL;
}

// A key goes up where it went down, whoever hears of the next one.
static void tell_unheard(struct cli_seat *seat, unsigned key, bool down, bool heard)
{
    uint64_t *keys = &seat->unheard_down[key / 64], bit = 1ull << key % 64;
    if (down ? heard : !(*keys & bit))
        return;
    if (seat->unheard(seat->owner, key, down))
        *keys = down ? *keys | bit : *keys & ~bit;
}

static bool is_function_key(unsigned key)
{
    return (key >= INPUT_KEY_F1 && key <= INPUT_KEY_F10) || key == INPUT_KEY_F11 ||
           key == INPUT_KEY_F12;
}

// UEFI's driver of our keyboard keeps hot keys, such as F2 for its menu, from those that wait for
// them. The driver of QEMU's keyboard tells them; such a key then comes twice.
static void offer_elsewhere(struct cli_seat *seat, const struct machine_input *keyboard,
                            const struct input_event *events, size_t count)
{
    bool read = input_device_is_read(machine_input_device(keyboard));
    bool plain = machine_input_is_plain(keyboard);
    for (size_t i = 0; i < count; i++) {
        unsigned key = events[i].code;
        if (events[i].type == INPUT_EV_KEY && key < 128)
            tell_unheard(seat, key, events[i].value, read && !(plain && is_function_key(key)));
    }
}

void cli_seat_input(struct cli_seat *seat, const struct link_input *events, size_t count)
{
    enum { PIECE = 64 };
    size_t unknown = 0;
    // Handed on in runs of one device, which is how displays send them.
    for (size_t i = 0; i < count;) {
        struct input_event piece[PIECE];
        unsigned kind = events[i].device, size = 0;
        for (; i < count && events[i].device == kind && size < PIECE; i++)
            piece[size++] = (struct input_event){events[i].type, events[i].code, events[i].value};
        struct input_device *device = model(seat, kind);
        if (device && kind == INPUT_KEYBOARD && seat->unheard)
            offer_elsewhere(seat, seat->devices[kind].input, piece, size);
        if (device)
            unknown += input_device_send(device, piece, size);
        else if (kind >= CLI_SEAT_DEVICES)
            unknown += size;
    }
    if (unknown && log_limit_allows(&seat->limit, os_now_ns(), 1, 60000000000ull))
        log_warning("a display sent %zu input events that no device here has", unknown);
}

void cli_seat_release_all(struct cli_seat *seat)
{
    for (unsigned key = 0; key < 128 && seat->unheard; key++)
        tell_unheard(seat, key, false, true);
    for (unsigned i = 0; i < CLI_SEAT_DEVICES; i++) {
        struct input_device *device = model(seat, i);
        if (device)
            input_device_release(device);
    }
}
