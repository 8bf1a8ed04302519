#include "gpu/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpu/device.h"
#include "gpu/listeners.h"
#include "os/os.h"
#include "os/shm.h"

static struct gpu_file **bucket_of(struct gpu_device *device, uint64_t inode)
{
    return &device->files[inode % GPU_FILE_BUCKETS];
}

int gpu_file_create(const char *label, uint64_t size, bool mapped, struct gpu_file **created)
{
    void *address = NULL;
    *created = NULL;
    struct gpu_file *file = malloc(sizeof(*file));
    if (!file)
        return -ENOMEM;
    int fd = os_shm_create(label, size), error = fd < 0 ? fd : 0;
    if (mapped && !error)
        error = os_shm_map(fd, 0, size, &address);
    if (error) {
        if (fd >= 0)
            close(fd);
        free(file);
        return error;
    }
    *file = (struct gpu_file){.references = 1, .fd = fd, .size = size, .address = address};
    *created = file;
    return 0;
}

// The file, known already or new; a known one leaves `fd` unused.
static int adopt(struct gpu_device *device, int fd, struct gpu_file **adopted)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    int64_t size = os_shm_size(fd);
    if (size < 0)
        return (int)size;
    uint64_t id_device = (uint64_t)status.st_dev, inode = (uint64_t)status.st_ino;
    struct gpu_file **bucket = bucket_of(device, inode);
    for (struct gpu_file *file = inode ? *bucket : NULL; file; file = file->next)
        if (file->inode == inode && file->device == id_device) {
            *adopted = gpu_file_ref(file);
            return 0;
        }
    if (!os_shm_is_fixed(fd))
        return -EPERM;
    struct gpu_file *file = malloc(sizeof(*file));
    if (!file)
        return -ENOMEM;
    *file = (struct gpu_file){
        .references = 1, .fd = fd, .device = id_device, .inode = inode, .size = (uint64_t)size};
    if (inode) {
        file->next = *bucket;
        *bucket = file;
    }
    *adopted = file;
    return 0;
}

int gpu_file_adopt(struct gpu_device *device, int fd, struct gpu_file **adopted)
{
    *adopted = NULL;
    int error = adopt(device, fd, adopted);
    if (error || (*adopted)->fd != fd)
        close(fd);
    return error;
}

struct gpu_file *gpu_file_ref(struct gpu_file *file)
{
    if (file)
        file->references++;
    return file;
}

void gpu_file_unref(struct gpu_device *device, struct gpu_file *file)
{
    if (!file || --file->references)
        return;
    if (file->inode) {
        struct gpu_file **link = bucket_of(device, file->inode);
        while (*link != file)
            link = &(*link)->next;
        *link = file->next;
    }
    if (file->id)
        gpu_listeners_file_gone(device, file->id);
    os_shm_unmap(file->address, file->size);
    close(file->fd);
    free(file);
}

int gpu_file_map(const struct gpu_file *file, uint64_t offset, uint64_t size, const uint8_t **bytes,
                 void **mapping, uint64_t *mapping_size)
{
    *mapping = NULL;
    *mapping_size = 0;
    if (file->address) {
        *bytes = file->address + offset;
        return 0;
    }
    uint64_t start = offset & ~(uint64_t)(os_page_size() - 1);
    *mapping_size = offset - start + size;
    int error = os_shm_map(file->fd, start, *mapping_size, mapping);
    if (!error)
        *bytes = (const uint8_t *)*mapping + (offset - start);
    return error;
}
