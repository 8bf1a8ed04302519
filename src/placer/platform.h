// What the placer needs of a platform: one file each, placer_linux.c and placer_macos.c. Private to
// the placer, which runs inside QEMU and uses nothing of Hesper.
#ifndef PLACER_PLATFORM_H
#define PLACER_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

struct file_id {
    uint64_t device, inode;
};

struct mapping {
    uint64_t start, end, offset;
    struct file_id id;
};

// This process's list of mappings, to be opened before QEMU can lock itself in; -1: there is none.
int platform_open_maps(void);
// Calls `visit` for each mapping by address until it returns false. False: they can't be read.
bool platform_walk(int maps, bool (*visit)(void *data, const struct mapping *mapping), void *data);
// 1: the file that is mapped at `address` is in *id; 0: none is; -1: that can't be said quickly.
int platform_file_at(int maps, const void *address, struct file_id *id);

// So that writing to a socket whose peer is gone raises no signal in QEMU.
void platform_prepare_socket(int fd);
// How many places this process has mappings for, with enough left for QEMU; 0: unknown.
uint32_t platform_max_placements(void);

// Of this process: its short name; the next of its arguments, to be freed, or NULL.
const char *platform_program_name(void);
struct platform_arguments {
    void *handle;
    int next;
};
char *platform_next_argument(struct platform_arguments *arguments);

#endif
