// Private to src/gpu: files that hold pixels and memory, shared by reference. A worker's arena
// reaches us once per exported range: it is kept open once.
#ifndef GPU_FILE_H
#define GPU_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct gpu_device;
struct renderer_account;

struct gpu_file {
    struct gpu_file *next; // of its bucket
    uint32_t references;
    int fd;
    uint64_t device, inode; // identity; inode 0: not known, never shared
    uint64_t size;
    uint64_t id;                      // for those who look at pictures in it; 0: it was never shown
    uint8_t *address;                 // all of it, if it is ours and mapped; else NULL
    struct renderer_account *account; // a reference; its descriptor is counted there
};

// A new file of `size` bytes, mapped if wanted. Its descriptor is counted for `account`.
// Errors: -errno; *created is NULL then. -EMFILE: there are no more descriptors for the account.
int gpu_file_create(struct renderer_account *account, const char *label, uint64_t size, bool mapped,
                    struct gpu_file **created);
// The file of `fd`, which is kept open once, and counted for whoever brings it first.
// Owns: takes over `fd`, also when it fails.
// Errors: as gpu_file_create; -EPERM: its sender could still cut the file short.
int gpu_file_adopt(struct gpu_device *device, struct renderer_account *account, int fd,
                   struct gpu_file **adopted);
struct gpu_file *gpu_file_ref(struct gpu_file *file); // NULL passes
void gpu_file_unref(struct gpu_device *device, struct gpu_file *file);

// Maps [offset, offset + size) of a file for reading; *mapping and *mapping_size are for
// os_shm_unmap (NULL: nothing to unmap).
// Errors: -errno.
int gpu_file_map(const struct gpu_file *file, uint64_t offset, uint64_t size, const uint8_t **bytes,
                 void **mapping, uint64_t *mapping_size);

#endif
