// A stand-in for /dev/udmabuf, to be preloaded on a machine without it: its "dma-buf" of a memfd is
// the memfd itself. Enough for lavapipe and for what maps its exports: with it, dma-buf programs
// run natively, and Hesper can be compared with servers that need the device. UDMABUF_ERRNO in the
// environment: opening it fails so.
#undef _FILE_OFFSET_BITS // with 64, open would be another name of open64
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "udmabuf-stand-in"

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
int ioctl(int fd, unsigned long request, ...);

static int device_open(const char *path)
{
    if (strcmp(path, "/dev/udmabuf") != 0)
        return -2;
    const char *failure = getenv("UDMABUF_ERRNO");
    if (!failure)
        return memfd_create(NAME, MFD_CLOEXEC);
    errno = atoi(failure);
    return -1;
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = mode_of(flags, args);
    va_end(args);
    const int fd = device_open(path);
    return fd != -2 ? fd : openat(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = mode_of(flags, args);
    va_end(args);
    const int fd = device_open(path);
    return fd != -2 ? fd : openat(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (request == UDMABUF_CREATE) {
        const struct udmabuf_create *create = arg;
        if (create->offset) {
            errno = EINVAL;
            return -1;
        }
        return fcntl((int)create->memfd, F_DUPFD_CLOEXEC, 3);
    }
    int (*next)(int, unsigned long, ...);
    *(void **)&next = dlsym(RTLD_NEXT, "ioctl");
    return next(fd, request, arg);
}
