// Anonymous shared memory: a file without a name, passed as a descriptor. Linux: memfd.
// POSIX: shm_open, unlinked at once.
//
// Thread: any.
// Owns: descriptors and mappings are the caller's.
// Errors: -errno; else 0, a descriptor or a size.
#ifndef OS_SHM_H
#define OS_SHM_H

#include <stdbool.h>
#include <stdint.h>

// A zeroed sparse file of `size` bytes (rounded up to os_page_size()), close-on-exec, sealed
// against resizing where the platform can. `label` shows up in /proc for debugging only.
int os_shm_create(const char *label, uint64_t size);

// Maps [offset, offset + size) shared, to read and write; *address is NULL when that fails.
int os_shm_map(int fd, uint64_t offset, uint64_t size, void **address);
// NULL: nothing.
void os_shm_unmap(void *address, uint64_t size);

// Gives the pages of the range back: the next reader sees zeroes. `address` is the mapping of the
// range in this process, or NULL (some platforms need it).
int os_shm_punch(int fd, void *address, uint64_t offset, uint64_t size);

// Zeroes the range, which is mapped at `address`. Pages that were never touched stay away.
// Errors: -ENOSYS: the platform does not know which were; -errno.
int os_shm_clear(int fd, void *address, uint64_t offset, uint64_t size);

// True: this file of another process cannot be made shorter, or the platform does not say (POSIX
// shared memory on Linux can be cut short). False: touching a mapping of it may end in a signal.
bool os_shm_is_fixed(int fd);

// A dma-buf of the range: the same pages, for drivers that take them in no other way. Whole pages;
// a file made by os_shm_create. -ENOSYS: the platform has none, or is to be used as POSIX only;
// -ENOENT, -EACCES: what makes them (/dev/udmabuf) is not there, or closed to this user.
int os_shm_dma_buf(int fd, uint64_t offset, uint64_t size);
// The largest range that can become one, in bytes; 0: not to be known.
uint64_t os_shm_dma_buf_limit(void);

// Size in bytes of any file that can be mapped.
int64_t os_shm_size(int fd);

#endif
