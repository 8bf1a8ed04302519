// The input devices of a VM: which ones, their connections to QEMU, and who gets an event.
#ifndef CLI_DEVICE_SEAT_H
#define CLI_DEVICE_SEAT_H

#include "base/log.h"
#include "cli/device/janitor.h"
#include "cli/qemu/qemu.h"
#include "os/process.h"

struct link_input;
struct os_loop;
struct machine_entrance;
struct machine_input;

enum {
    CLI_SEAT_DEVICES = 8, // as of enum link_input_device
    CLI_SEAT_FD = 48,     // in QEMU, of the first; the others follow (below 60, the GPU's)
};

struct cli_seat {
    // Set by the owner.
    enum cli_front front;                    // of every device; auto: as each of them is spoken to
    unsigned wanted;                         // bit n: device n of enum link_input_device
    void (*leds)(void *data, uint32_t leds); // of the keyboard, for displays; may be NULL
    // A key that the guest's driver of the keyboard does not hear, as there is none. Whether
    // somebody else does. May be NULL.
    bool (*unheard)(void *owner, unsigned key, bool down);
    void *data, *owner; // owner: of the device process

    // Private.
    struct os_loop *loop;
    struct cli_seat_device {
        struct cli_seat *seat;
        unsigned kind;
        struct machine_entrance *entrance; // NULL: none
        struct machine_input *input;       // NULL: no QEMU there
        char path[CLI_SOCKET_PATH];
        struct cli_janitor janitor;
    } devices[CLI_SEAT_DEVICES];
    uint64_t unheard_down[2]; // bit n: key n, of those that were not heard
    struct log_limit limit;
};

// A keyboard, a pointer and a mouse.
void cli_seat_init(struct cli_seat *seat);
// The value of --input: "none", or a list of keyboard, pointer, touch, mouse, pad, pad2 to pad4.
// False after a log line.
bool cli_seat_parse(const char *label, const char *text, void *seat);

bool cli_seat_has_keyboard(const struct cli_seat *seat);

// Makes a connection for each device. QEMU's ends are added to `fds`, at most CLI_SEAT_DEVICES; the
// caller closes them when QEMU is started. False after a log line.
bool cli_seat_connect(struct cli_seat *seat, struct os_loop *loop, struct os_fd_pass *fds,
                      unsigned *count);
// Listens at PATH.keyboard and so on. False after a log line.
bool cli_seat_listen(struct cli_seat *seat, struct os_loop *loop, const char *path);
void cli_seat_finish(struct cli_seat *seat);

// QEMU's devices; `path` as of cli_seat_listen, NULL: the descriptors of cli_seat_connect.
// `bus`, `first_slot`: of the first one that there may be, as in struct cli_gpu_address.
void cli_seat_add_arguments(const struct cli_seat *seat, struct cli_arguments *arguments,
                            const char *path, const char *bus, unsigned first_slot);

// From a display: whatever it says. What belongs to no device here is ignored.
void cli_seat_input(struct cli_seat *seat, const struct link_input *events, size_t count);
// Keys, buttons and contacts go up: a display was lost.
void cli_seat_release_all(struct cli_seat *seat);

#endif
