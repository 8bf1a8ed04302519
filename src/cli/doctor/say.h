// What hesper doctor prints, one line a check, on the standard output.
#ifndef CLI_DOCTOR_SAY_H
#define CLI_DOCTOR_SAY_H

#include "base/json.h"
#include "cli/option/host.h"

enum doctor_result {
    DOCTOR_GOOD,
    DOCTOR_NOTE, // worth knowing; nothing that is needed fails
    DOCTOR_BAD,  // refuses
};

struct doctor {
    struct cli_host host; // --as, --gpu
    const char *qemu;     // --qemu; NULL: as `hesper run` finds it
    bool json, plain;     // plain: the terminal has no UTF-8
    struct json_writer out;
    unsigned good, notes, bad;
};

// `check` is its name, one word. `remedy` is what to do about it, or NULL.
void doctor_say(struct doctor *doctor, enum doctor_result result, const char *check,
                const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
