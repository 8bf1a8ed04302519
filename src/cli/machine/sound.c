#include "cli/machine/sound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"

// ---- what the host has ----------------------------------------------------

static bool has_socket(const char *variable, const char *name)
{
    const char *folder = getenv(variable);
    char path[4096];
    return folder && snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path) &&
           access(path, W_OK) == 0;
}

static bool has_pipewire(void)
{
    return has_socket("PIPEWIRE_RUNTIME_DIR", "pipewire-0") ||
           has_socket("XDG_RUNTIME_DIR", "pipewire-0");
}

static bool has_pulse(void)
{
    return getenv("PULSE_SERVER") || has_socket("XDG_RUNTIME_DIR", "pulse/native");
}

static bool has_alsa(void)
{
    return access("/dev/snd/controlC0", R_OK | W_OK) == 0;
}

static bool has_coreaudio(void)
{
    struct utsname name;
    return uname(&name) == 0 && !strcmp(name.sysname, "Darwin");
}

// The first is the best.
static const struct {
    const char *driver;
    bool (*there)(void);
    const char *title;
} systems[] = {
    {"coreaudio", has_coreaudio, "CoreAudio"},
    {"pipewire", has_pipewire, "PipeWire"},
    {"pa", has_pulse, "PulseAudio"},
    {"alsa", has_alsa, "ALSA"},
};

// ---- what QEMU has --------------------------------------------------------

// A line each, after a title.
static bool is_listed(const char *list, const char *driver, size_t length)
{
    for (const char *line = list; *line; line += strspn(line, "\n")) {
        size_t size = strcspn(line, "\n");
        if (size == length && !strncmp(line, driver, length))
            return true;
        line += size;
    }
    return false;
}

static const char *choose(const char *list)
{
    const char *lacking = NULL;
    for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
        if (!systems[i].there())
            continue;
        if (is_listed(list, systems[i].driver, strlen(systems[i].driver)))
            return systems[i].driver;
        if (!lacking)
            lacking = systems[i].title;
    }
    if (lacking)
        log_warning("the guest's sound is not heard: this QEMU has no driver for %s (Debian: "
                    "qemu-system-gui)",
                    lacking);
    else
        log_warning("the guest's sound is not heard: this host has no sound that hesper knows of "
                    "(--sound=DRIVER names one of QEMU's)");
    return "none";
}

bool cli_sound_add(const char *wanted, const struct cli_qemu *qemu, struct cli_arguments *arguments)
{
    char list[4096];
    char *argv[] = {(char *)qemu->path, "-audiodev", "help", NULL};
    if (cli_capture(argv, list, sizeof(list)) < 0)
        list[0] = 0;
    size_t length = strcspn(wanted, ",");
    if (*wanted && !is_listed(list, wanted, length)) {
        for (char *at = list; (at = strchr(at, '\n'));)
            *at = ' ';
        log_error("run: --sound: this QEMU has no audio driver '%.*s'; %s", (int)length, wanted,
                  list);
        return false;
    }
    const char *driver = *wanted ? wanted : choose(list);
    length = strcspn(driver, ",");
    cli_arguments_add(arguments, "-audiodev");
    cli_arguments_add(arguments, "%.*s,id=hesper-sound%s", (int)length, driver, driver + length);
    cli_arguments_add(arguments, "-device");
    // A file has no microphone, and QEMU would complain that it has none.
    cli_arguments_add(arguments, "virtio-sound-pci,audiodev=hesper-sound%s",
                      length == 3 && !strncmp(driver, "wav", 3) ? ",streams=1" : "");
    return true;
}
