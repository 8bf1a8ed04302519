// Shared memory is POSIX's here (shm.c). What the kernel's source (xnu 11417) says of it, and this
// relies on: an object is sized once, so it cannot be cut short; it is memory that is zeroed when
// it is first touched, and may be larger than the machine has; fstat gives it no file type and no
// inode; it is mapped MAP_SHARED or not at all; F_PUNCHHOLE is for files only.
#include "os/native.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_ZERO // macOS 15
#define MADV_ZERO 11
#endif

int os_native_shm_create(const char *label, uint64_t size)
{
    return -ENOSYS;
}

// Without touching what was never touched: that would make memory of it.
static void zero_present(uint8_t *from, uint64_t size, uint64_t page)
{
    enum { PAGES = 1024 };
    char present[PAGES];
    while (size) {
        uint64_t part = size < PAGES * page ? size : PAGES * page;
        bool known = mincore(from, (size_t)part, present) == 0;
        for (uint64_t i = 0; i < part / page; i++)
            if (!known || present[i])
                memset(from + i * page, 0, (size_t)page);
        from += part;
        size -= part;
    }
}

int os_native_shm_clear(int fd, void *address, uint64_t offset, uint64_t size)
{
    if (madvise(address, (size_t)size, MADV_ZERO) < 0)
        zero_present(address, size, (uint64_t)sysconf(_SC_PAGESIZE));
    return 0;
}

// Zeroes first: a page that is only given back may read as zero or as it was, until the kernel has
// taken it.
int os_native_shm_punch(int fd, void *address, uint64_t offset, uint64_t size)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = address;
    if ((offset | size) % page)
        return -EOPNOTSUPP; // the kernel would round, and take what is others'
    if (!at) {
        at = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
        if (at == MAP_FAILED)
            return -errno;
    }
    os_native_shm_clear(fd, at, offset, size);
    madvise(at, (size_t)size, MADV_FREE);
    if (!address)
        munmap(at, (size_t)size);
    return 0;
}

int os_native_shm_is_fixed(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && !(status.st_mode & S_IFMT);
}

int os_native_shm_dma_buf(int fd, uint64_t offset, uint64_t size)
{
    return -ENOSYS;
}

uint64_t os_native_shm_dma_buf_limit(void)
{
    return 0;
}
