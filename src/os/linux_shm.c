#include "os/native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL // Linux 6.3
#define MFD_NOEXEC_SEAL 0x0008u
#endif

int os_native_shm_create(const char *label, uint64_t size)
{
    int fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    // A client that holds the file could else cut it short under our mapping.
    if (ftruncate(fd, (off_t)size) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int os_native_shm_punch(int fd, void *address, uint64_t offset, uint64_t size)
{
    int result;
    do
        result =
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int os_native_shm_clear(int fd, void *address, uint64_t offset, uint64_t size)
{
    const off_t begin = (off_t)offset, end = begin + (off_t)size;
    off_t at = lseek(fd, begin, SEEK_DATA);
    while (at >= 0 && at < end) {
        off_t hole = lseek(fd, at, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        if (hole > end)
            hole = end;
        memset((char *)address + (at - begin), 0, (size_t)(hole - at));
        at = lseek(fd, hole, SEEK_DATA);
    }
    return at < 0 && errno != ENXIO ? -errno : 0; // ENXIO: nothing from there on
}

int os_native_shm_is_fixed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK);
}

// Opened once and kept: each dma-buf costs one system call.
static int dma_buf_device(void)
{
    static atomic_int device = -1;
    int fd = atomic_load(&device);
    if (fd >= 0)
        return fd;
    fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int before = -1;
    if (!atomic_compare_exchange_strong(&device, &before, fd)) {
        close(fd);
        fd = before;
    }
    return fd;
}

int os_native_shm_dma_buf(int fd, uint64_t offset, uint64_t size)
{
    int device = dma_buf_device();
    if (device < 0)
        return device;
    const struct udmabuf_create create = {
        .memfd = (uint32_t)fd, .flags = UDMABUF_FLAGS_CLOEXEC, .offset = offset, .size = size};
    int result;
    do
        result = ioctl(device, UDMABUF_CREATE, &create);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

uint64_t os_native_shm_dma_buf_limit(void)
{
    unsigned long long megabytes = 0;
    FILE *file = fopen("/sys/module/udmabuf/parameters/size_limit_mb", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu", &megabytes) != 1 || megabytes > UINT32_MAX)
        megabytes = 0;
    fclose(file);
    return megabytes << 20;
}
