// Looks at the guest from its start, and tells the person at the terminal when it is up, and which
// of its programs draw by its GPU.
#ifndef CLI_LOOKOUT_H
#define CLI_LOOKOUT_H

#include <stdbool.h>
#include <stdint.h>

struct cli_device;
struct cli_machine;
struct os_source;

struct cli_lookout {
    const struct cli_device *device;
    const struct cli_machine *machine;
    const char *front; // what a person is told of it
    struct os_source *timer;
    uint64_t until_ns;    // it looks no longer
    uint64_t drawn_ns;    // since when a program has been drawing; 0: none has
    bool up, told, ended; // what was said: the guest is up; its programs; its screen
};

// Begins to look. Owns: the caller's `device`, `machine` and `front`; they outlive the device's
// loop, which has the timer. Errors: false, out of memory.
bool cli_lookout_start(struct cli_lookout *lookout, const struct cli_device *device,
                       const struct cli_machine *machine, const char *front);

#endif
