// The QEMU of this machine: which one, what it can do, and what it must be told.
#ifndef CLI_QEMU_QEMU_H
#define CLI_QEMU_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/option/arguments.h"
#include "cli/qemu/front.h"

enum { CLI_SOCKET_PATH = 108 }; // what struct sockaddr_un holds

// The placer's socket beside the one at `path`. False after a log line: too long.
bool cli_placer_socket(const char *path, char placer_path[CLI_SOCKET_PATH]);

// How the placer gets into QEMU.
enum cli_carrier {
    CLI_CARRIER_NONE,    // not: ranges are mapped one by one, slowly, and only some hundreds
    CLI_CARRIER_PLUGIN,  // -plugin
    CLI_CARRIER_PRELOAD, // this QEMU was built without plugins
};

struct cli_qemu {
    const char *machine; // what it is, in words of uname: x86_64, aarch64; static
    bool foreign;        // other than this machine: nothing but emulation
    char path[4096];
    unsigned major, minor;
    enum cli_front front; // of cli_qemu_choose_front
    char front_said[160]; // for a person: which, and why
    enum cli_carrier carrier;
    char placer[4096];       // the plugin's file
    unsigned plugin_version; // what this QEMU accepts
};

// `wanted`: a path or a name, NULL: the one for this machine, made for Hesper (os/places.h), in
// PATH, or else unpacked in the build folder that we lie in. Runs it to learn its
// version. False after a log line: not there, cannot be run, older than 10.1.
bool cli_qemu_find(struct cli_qemu *qemu, const char *wanted);
// That of this machine, as cli_qemu_find takes it for `wanted` NULL. Returns `path`.
const char *cli_qemu_usual(char path[4096]);
// Fills carrier, placer and plugin_version. `wanted`: the plugin's file, "none", or NULL: searched
// beside this program and where it was installed. False after a log line: it cannot be used.
bool cli_qemu_find_placer(struct cli_qemu *qemu, const char *wanted);

// Which front this QEMU gets its devices by, when its placer is known; `wanted` is what a person
// has asked for; `uefi`: the machine has such firmware, whose screen is better seen. Fills front
// and front_said. False after a log line: it cannot.
bool cli_qemu_choose_front(struct cli_qemu *qemu, enum cli_front wanted, bool uefi, bool portable);

// Either sockets that QEMU is to connect to, or descriptors that it inherits.
struct cli_gpu_address {
    const char *path, *placer_path; // `path` NULL: the descriptors
    int fd, placer_fd;
    const char *bus; // of the GPU and what is behind it; NULL: QEMU's first
    unsigned slot;   // of the GPU on it; 0: QEMU chooses
};

// Mesa takes the last virtio GPU that it finds. Ours is behind any other in this slot, and the one
// behind it is the chipset's.
enum { CLI_LAST_SLOT = 0x1e };

// A file in memory that QEMU shares with us, as object "hesper-mem", and its use by the machine.
void cli_qemu_add_memory(struct cli_arguments *arguments, uint64_t size, bool portable);
// The device and the placer.
void cli_qemu_add_gpu(struct cli_arguments *arguments, const struct cli_qemu *qemu,
                      const struct cli_gpu_address *address);

// Runs a program and keeps the first `size` - 1 bytes of what it writes, ended by 0. Its exit
// status as of waitpid, or -errno.
int cli_capture(char *const argv[], char *output, size_t size);

#endif
