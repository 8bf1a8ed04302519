#include "os/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/native.h"
#include "os/os.h"

// A named object that loses its name at once. It cannot be sealed; macOS lets a shared-memory
// object be sized only once, which does.
static int posix_create(uint64_t size)
{
    static atomic_uint serial; // makes names differ between threads, nothing else
    char name[32];             // macOS: at most 31 characters
    int fd = -1;
    for (int attempt = 0; attempt < 1000; attempt++) {
        snprintf(name, sizeof(name), "/hesper-%ld-%u", (long)getpid(),
                 atomic_fetch_add_explicit(&serial, 1, memory_order_relaxed));
        fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600); // sets close-on-exec
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    if (fd < 0)
        return -errno;
    shm_unlink(name);
    if (ftruncate(fd, (off_t)size) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int os_shm_create(const char *label, uint64_t size)
{
    uint64_t page = os_page_size();
    if (!size || size > INT64_MAX - page)
        return -EINVAL;
    size = (size + page - 1) & ~(page - 1);
    if (!os_is_portable()) {
        int fd = os_native_shm_create(label, size);
        if (fd != -ENOSYS)
            return fd;
    }
    return posix_create(size);
}

int os_shm_map(int fd, uint64_t offset, uint64_t size, void **address)
{
    *address = NULL;
    if (!size || size > SIZE_MAX || offset > INT64_MAX)
        return -EINVAL;
    void *at = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (at == MAP_FAILED)
        return -errno;
    *address = at;
    return 0;
}

void os_shm_unmap(void *address, uint64_t size)
{
    if (address)
        munmap(address, (size_t)size);
}

int os_shm_punch(int fd, void *address, uint64_t offset, uint64_t size)
{
    if (!size)
        return 0;
    int error = os_is_portable() ? -ENOSYS : os_native_shm_punch(fd, address, offset, size);
    if (error != -ENOSYS && error != -EOPNOTSUPP)
        return error;
    // POSIX has no way to give pages of an object back; at least the next owner sees zeroes.
    void *mapping = address;
    error = mapping ? 0 : os_shm_map(fd, offset, size, &mapping);
    if (error)
        return error;
    memset(mapping, 0, (size_t)size);
    if (!address)
        os_shm_unmap(mapping, size);
    return 0;
}

int os_shm_clear(int fd, void *address, uint64_t offset, uint64_t size)
{
    return os_is_portable() ? -ENOSYS : os_native_shm_clear(fd, address, offset, size);
}

bool os_shm_is_fixed(int fd)
{
    int result = os_is_portable() ? -ENOSYS : os_native_shm_is_fixed(fd);
    return result == -ENOSYS || result > 0;
}

int os_shm_dma_buf(int fd, uint64_t offset, uint64_t size)
{
    return os_is_portable() ? -ENOSYS : os_native_shm_dma_buf(fd, offset, size);
}

uint64_t os_shm_dma_buf_limit(void)
{
    return os_is_portable() ? 0 : os_native_shm_dma_buf_limit();
}

int64_t os_shm_size(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size > 0 || S_ISREG(status.st_mode))
        return status.st_size;
    off_t end = lseek(fd, 0, SEEK_END); // a dma-buf has no size but an end
    return end < 0 ? -errno : (int64_t)end;
}
