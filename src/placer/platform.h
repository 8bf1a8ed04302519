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

// Opens this process's list of mappings, before QEMU can lock itself in; -1: there is none.
int platform_open_maps(void);
// Calls `visit` for each mapping, by address, until it returns false. False: the list cannot be
// read.
bool platform_walk(int maps, bool (*visit)(void *data, const struct mapping *mapping), void *data);
// 1: `id` gets the file that is mapped at `address`; 0: there is none; -1: that cannot be told
// quickly.
int platform_file_at(int maps, const void *address, struct file_id *id);

// Makes writing to the socket raise no signal in QEMU when its peer is gone.
void platform_prepare_socket(int fd);
// How many placements leave enough mappings for QEMU; 0: unknown.
uint32_t platform_max_placements(void);

// The short name of this process's program.
const char *platform_program_name(void);
// The arguments of this process, one after the other. {0}: before the first.
struct platform_arguments {
    void *handle;
    int next;
};
// Returns the next argument, which the caller frees; NULL: there is none.
char *platform_next_argument(struct platform_arguments *arguments);

#endif
