#include "gpu/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpu/device.h"
#include "gpu/listeners.h"
#include "os/os.h"
#include "os/shm.h"
#include "renderer/renderer.h"

static struct gpu_file **bucket_of(struct gpu_device *device, uint64_t inode)
{
    return &device->files[inode % GPU_FILE_BUCKETS];
}

// With a descriptor counted, but without one. Errors: -errno; *created is NULL then.
static int file_new(struct renderer_account *account, struct gpu_file **created)
{
    *created = NULL;
    if (!renderer_account_charge(account, RENDERER_DESCRIPTORS, 1))
        return -EMFILE;
    struct gpu_file *file = calloc(1, sizeof(*file));
    if (!file) {
        renderer_account_discharge(account, RENDERER_DESCRIPTORS, 1);
        return -ENOMEM;
    }
    file->references = 1;
    file->fd = -1;
    file->account = renderer_account_ref(account);
    *created = file;
    return 0;
}

static void file_free(struct gpu_file *file)
{
    os_shm_unmap(file->address, file->size);
    if (file->fd >= 0)
        close(file->fd);
    renderer_account_discharge(file->account, RENDERER_DESCRIPTORS, 1);
    renderer_account_unref(file->account);
    free(file);
}

int gpu_file_create(struct renderer_account *account, const char *label, uint64_t size, bool mapped,
                    struct gpu_file **created)
{
    void *address = NULL;
    struct gpu_file *file;
    *created = NULL;
    int result = file_new(account, &file);
    if (result)
        return result;
    file->fd = result = os_shm_create(label, size);
    if (mapped && result >= 0)
        result = os_shm_map(file->fd, 0, size, &address);
    if (result < 0) {
        file_free(file);
        return result;
    }
    file->size = size;
    file->address = address;
    *created = file;
    return 0;
}

// The file, known already or new; a known one leaves `fd` unused.
static int adopt(struct gpu_device *device, struct renderer_account *account, int fd,
                 struct gpu_file **adopted)
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
    struct gpu_file *file;
    int error = file_new(account, &file);
    if (error)
        return error;
    file->fd = fd;
    file->device = id_device;
    file->inode = inode;
    file->size = (uint64_t)size;
    if (inode) {
        file->next = *bucket;
        *bucket = file;
    }
    *adopted = file;
    return 0;
}

int gpu_file_adopt(struct gpu_device *device, struct renderer_account *account, int fd,
                   struct gpu_file **adopted)
{
    *adopted = NULL;
    int error = adopt(device, account, fd, adopted);
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
        struct gpu_file **at = bucket_of(device, file->inode);
        while (*at != file)
            at = &(*at)->next;
        *at = file->next;
    }
    if (file->id)
        gpu_listeners_file_gone(device, file->id);
    file_free(file);
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
