// The display processes of a VM (src/display): which ones, started, watched, restarted, and told
// what its GPU shows. Each is a program beside hesper: hesper-window, hesper-vnc, hesper-image.
#ifndef CLI_DEVICE_DISPLAYS_H
#define CLI_DEVICE_DISPLAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/option/host.h"
#include "gpu/output.h"
#include "link/display_messages.h"

struct cli_display;
struct gpu_device;
struct os_loop;
struct os_source;

enum { CLI_MAX_DISPLAYS = 8 };

struct cli_displays {
    // Set by the owner before cli_displays_start. Members may be NULL but `ready` and `failed`.
    void *data;
    void (*ready)(void *data);  // all are open
    void (*failed)(void *data); // one could not be opened: it has said why
    void (*input)(void *data, const struct link_input *events, size_t count);
    void (*input_lost)(void *data); // keys that a person held down at a display that has died
    // What a person does at a display that is not for the guest alone.
    void *owner;
    void (*copied)(void *owner, const char *text, size_t size); // on this machine
    void (*closed)(void *owner); // has closed a window and means the VM
    void (*resized)(void *owner, uint32_t width, uint32_t height); // the VM's only output
    struct link_display_setup setup;
    bool clipboard; // guest and host share it
    bool stats;     // log counters every second

    // Private.
    const char *wanted[CLI_MAX_DISPLAYS];
    unsigned wanted_count;
    bool none;       // --display none
    bool by_default; // nobody asked for it: going on without is better than failing
    struct cli_display *displays;
    struct cli_display *foreseen; // one of them, not started yet
    unsigned opening;
    struct os_loop *loop;
    const struct cli_host *host;
    struct gpu_device *device;
    enum link_machine_state state;
    struct os_source *stats_timer;
    struct gpu_counters logged;
};

// One --display KIND[=VALUE][,OPTION[=VALUE]...]. False after a log line.
bool cli_displays_add(const char *label, const char *text, void *displays);

// Where a person sits at a screen and nothing else was said: a window, if hesper-window is there.
void cli_displays_default(struct cli_displays *displays);

// Starts them; `ready` or `failed` comes later, or from inside if there are none. `host` stays the
// caller's. False after a log line.
bool cli_displays_start(struct cli_displays *displays, struct os_loop *loop,
                        const struct cli_host *host);
// What they show; NULL: nothing. Must come before the device goes.
void cli_displays_attach(struct cli_displays *displays, struct gpu_device *device);
void cli_displays_set_leds(struct cli_displays *displays, uint32_t leds);
void cli_displays_set_state(struct cli_displays *displays, enum link_machine_state state);
// The guest's person has copied a text. Nothing, if clipboards are not shared. `displays`: struct
// cli_displays.
void cli_displays_set_clipboard(void *displays, const char *text, size_t size);
void cli_displays_finish(struct cli_displays *displays);

// Shows the machine to a display that somebody else has started, at the other end of this link. It
// does not set the pace, and is not started again.
// Owns: takes over the descriptor.
// Errors: NULL, else what is in the way.
const char *cli_displays_join(struct cli_displays *displays, int fd);

// Whether the program `name` lies beside this one, and its path. Errors: false after a log line.
bool cli_displays_find(const char *name, char path[4096]);

// A screenshot of the first output will be wanted, in the file `path`, which stays the caller's.
// False after a log line.
bool cli_displays_foresee(struct cli_displays *displays, const char *path);
// Takes it now, of the attached device, and calls `done` once, later: NULL, or what went wrong.
// False after a log line: not begun.
typedef void (*cli_screenshot_done)(void *data, const char *error);
bool cli_displays_screenshot(struct cli_displays *displays, cli_screenshot_done done, void *data);

#endif
